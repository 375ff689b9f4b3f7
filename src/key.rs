//! Idempotency keys: the name that a client gives to one write, so that sending it twice does it once.
//!
//! The memory for keys is bounded, and a key that it has forgotten must not look like a new one. So every key carries its
//! time: what is older than anything remembered is refused, not done again.
//!
//! Floor 0: no clock. A [`KeyId`] orders keys by their time and is what the store keeps of one.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 128;

/// How long what became of a key is remembered, at most, in milliseconds: 30 days.
pub const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// How far a key may be ahead of the clock of the server, in milliseconds: five minutes. The oldest keys of a document are
/// forgotten first, and with them everything older; keys of tomorrow would push out all of today's, those of everybody else
/// as well.
pub const AHEAD_MS: u64 = 5 * 60 * 1000;

/// A key is not forgotten for the number of others before it is so old, in milliseconds: ten minutes. However many somebody
/// writes, a key that was made just now is new, and what was sent just now is remembered.
pub const YOUNG_MS: u64 = 10 * 60 * 1000;

/// Why a text is no idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("an idempotency key of {0} bytes; it has 1 to {MAX_KEY}")]
    Length(usize),
    #[error("an idempotency key is visible ASCII; this one has another character at byte {0}")]
    Character(usize),
    #[error(
        "{0:?} carries no time: an idempotency key is a UUID of version 7, or the unix time in seconds (10 digits) or \
         milliseconds (13 digits), a hyphen and anything that makes it unique, such as 1767225600-a1"
    )]
    NoTime(String),
}

/// What is kept of a key: its time, then half of its hash. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId {
    /// Milliseconds since 1970, as the key says.
    pub time: u64,
    pub hash: [u8; 16],
}

/// The idempotency key of a write, as its client chose it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: Arc<str>,
    id: KeyId,
}

impl Key {
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        if text.is_empty() || text.len() > MAX_KEY {
            return Err(BadKey::Length(text.len()));
        }
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(BadKey::Character(at));
        }
        let time = time_of(text).ok_or_else(|| BadKey::NoTime(text.to_owned()))?;
        let digest = Sha256::digest(text.as_bytes());
        let hash = *digest.first_chunk().expect("a SHA-256 has 32 bytes");
        Ok(Self {
            text: text.into(),
            id: KeyId { time, hash },
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Milliseconds since 1970, as the key says.
    pub fn time(&self) -> u64 {
        self.id.time
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn time_of(text: &str) -> Option<u64> {
    if let Ok(uuid) = uuid::Uuid::try_parse(text) {
        // The first 48 bits of version 7 are milliseconds since 1970.
        return (uuid.get_version_num() == 7).then(|| (uuid.as_u128() >> 80) as u64);
    }
    let (digits, rest) = text.split_once('-')?;
    if rest.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match digits.len() {
        10 => Some(number * 1000),
        13 => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> u64 {
        Key::parse(text).expect(text).time()
    }

    #[test]
    fn a_key_carries_its_time() {
        assert_eq!(time("1767225600-17"), 1_767_225_600_000);
        assert_eq!(time("1767225600123-order/5"), 1_767_225_600_123);
        // The example of RFC 9562, A.6: 22 February 2022, 14:22:22 GMT-5.
        assert_eq!(time("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), 0x017F_22E2_79B0);
        assert_ne!(
            Key::parse("1767225600-1").unwrap().id(),
            Key::parse("1767225600-2").unwrap().id()
        );
        assert!(Key::parse("1767225600-9").unwrap().id() < Key::parse("1767225600001-0").unwrap().id());
    }

    #[test]
    fn a_text_without_a_time_is_no_key_and_the_error_says_what_one_looks_like() {
        let of_version_4 = "550e8400-e29b-41d4-a716-446655440000";
        for text in [
            of_version_4,
            "order-17",
            "1767225600",
            "1767225600-",
            "176722560-1",
            "17672256001-1",
            "+767225600-1",
            "-",
        ] {
            let error = Key::parse(text).unwrap_err();
            assert_eq!(error, BadKey::NoTime(text.to_owned()));
            assert!(error.to_string().contains("UUID of version 7"));
        }
    }

    #[test]
    fn a_key_is_short_and_visible() {
        assert_eq!(Key::parse(""), Err(BadKey::Length(0)));
        let longest = format!("1767225600-{}", "x".repeat(MAX_KEY - 11));
        assert!(Key::parse(&longest).is_ok());
        assert_eq!(Key::parse(&format!("{longest}x")), Err(BadKey::Length(129)));
        assert_eq!(Key::parse("1767225600-a b"), Err(BadKey::Character(12)));
        assert_eq!(Key::parse("1767225600-ä"), Err(BadKey::Character(11)));
    }
}
