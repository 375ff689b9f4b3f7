//! The names under which edits go out, and what time it is for them.
//!
//! A name carries a time ([`crate::key`]), and what the server no longer remembers, or what is not yet, it refuses. So names
//! go by the server's clock, and an edit whose own name is of no use any more goes out under a later one: the time of that,
//! then its own. Whoever waits for the edit knows nothing of this: what the server says of the later name is heard as said of
//! the edit's own, by any client and as long as anybody speaks of it.
//!
//! Pure: time and chance come in.

use std::time::Instant;

use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};

use crate::key::{AHEAD_MS, KEPT_MS, Key};

/// Digits of a time in milliseconds, the last that has so many, and random characters behind it.
const DIGITS: usize = 13;
const LAST: u64 = 9_999_999_999_999;
const RANDOM: usize = 16;

/// Before a name is too old or too young for the server it may have to wait for its turn, and clocks differ: a day, a minute.
const OLD_MS: u64 = KEPT_MS - 24 * 60 * 60 * 1000;
const EARLY_MS: u64 = AHEAD_MS - 60 * 1000;

/// The time by the server's clock; by this machine's, until the server has told.
///
/// It goes on by the monotonic clock: a machine that starts with a wrong time is often set right in the very moment in which
/// its network comes up, and a difference between the two clocks taken just before would then be wrong by years. While the
/// machine sleeps it may stand still; what is sent after that goes over a new connection, which sets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    unix_ms: u64,
    since: Instant,
}

impl Clock {
    /// It is so many milliseconds after 1970 now.
    pub fn new(unix_ms: u64, now: Instant) -> Self {
        Self { unix_ms, since: now }
    }

    /// Milliseconds since 1970.
    pub fn at(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.since).as_millis();
        self.unix_ms.saturating_add(passed as u64).min(LAST)
    }
}

/// A name for an edit made at this time, in milliseconds since 1970.
pub(super) fn new(unix_ms: u64, rng: &mut impl Rng) -> String {
    format!("{unix_ms:0DIGITS$}-{}", Alphanumeric.sample_string(rng, RANDOM))
}

/// What an edit of this name goes out under, if that is decided at this time.
pub(super) fn later(name: &str, unix_ms: u64) -> String {
    format!("{unix_ms:0DIGITS$}-{name}")
}

/// The edit's own name, of one that it goes out under.
pub(super) fn own(sent_as: &str) -> &str {
    match sent_as.split_once('-') {
        Some((time, name)) if is_time(time) && can_be_renamed(name) => name,
        _ => sent_as,
    }
}

/// Whether a later name is known again as one: if its own was made here.
pub(super) fn can_be_renamed(name: &str) -> bool {
    let is_random = |text: &str| text.len() == RANDOM && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.split_once('-')
        .is_some_and(|(time, random)| is_time(time) && is_random(random))
}

fn is_time(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a server that never heard of a name refuses it for its time, or is about to.
pub(super) fn is_untimely(sent_as: &str, unix_ms: u64) -> bool {
    let time = Key::parse(sent_as).ok().map(|key| key.time());
    time.is_none_or(|time| time.saturating_add(OLD_MS) < unix_ms || time > unix_ms.saturating_add(EARLY_MS))
}

#[cfg(test)]
mod tests;
