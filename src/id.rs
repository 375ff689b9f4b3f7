//! The names of things: documents, peers, storages, connections.
//!
//! Every name is parsed once, at the edge, and is a type of its own from there on, so that a peer cannot stand where a
//! document belongs. All of them are cheap to clone and bounded in length, since peers send them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The longest decoded document id taken, in bytes. Ids are UUIDs (16 bytes) unless an application sets its own
/// `idFactory`; those of keyhive have 32.
const MAX_DOCUMENT_ID_BYTES: usize = 64;

/// The longest text taken as a base58check document id, in bytes; checked before decoding, which is quadratic.
const MAX_DOCUMENT_ID_TEXT: usize = 96;

/// The longest peer id, storage id or session id taken, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// Why a text is not the name it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("a document id of {0} bytes is longer than {MAX_DOCUMENT_ID_TEXT}")]
    DocumentIdTooLong(usize),
    #[error("not a document id (base58 with a checksum): {0:?}")]
    NotADocumentId(String),
    #[error("an empty {0}")]
    Empty(&'static str),
    #[error("a {what} of {length} bytes is longer than {MAX_NAME_BYTES}")]
    TooLong { what: &'static str, length: usize },
}

/// The id of one document: base58check text of (usually) a UUID, as automerge-repo writes it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// Reads what a person passes on: the URL form `automerge:<id>`, or the bare id.
    pub fn parse_address(text: &str) -> Result<Self, BadName> {
        Self::parse(text.strip_prefix("automerge:").unwrap_or(text))
    }

    /// Reads the bare id, the only form that travels in messages.
    pub fn parse(bare: &str) -> Result<Self, BadName> {
        if bare.len() > MAX_DOCUMENT_ID_TEXT {
            return Err(BadName::DocumentIdTooLong(bare.len()));
        }
        match bs58::decode(bare).with_check(None).into_vec() {
            Ok(bytes) if (1..=MAX_DOCUMENT_ID_BYTES).contains(&bytes.len()) => Ok(Self(bare.into())),
            _ => Err(BadName::NotADocumentId(bare.into())),
        }
    }

    /// A new id from 16 bytes, normally those of a random UUID.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(bs58::encode(uuid.as_bytes()).with_check().into_string().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address a person passes on: `automerge:<id>`.
    pub fn url(&self) -> String {
        format!("automerge:{}", self.0)
    }
}

/// Maps keyed by id are asked with the text of a message, whose checksum need not be computed again.
impl Borrow<str> for DocumentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn bounded(what: &'static str, text: &str) -> Result<Arc<str>, BadName> {
    match text.len() {
        0 => Err(BadName::Empty(what)),
        length if length > MAX_NAME_BYTES => Err(BadName::TooLong { what, length }),
        _ => Ok(text.into()),
    }
}

/// The id an automerge-repo endpoint calls itself by. Any text; a claim, not a proof.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(Arc<str>);

/// What the peer ids of programs begin with that are present over HTTP. No peer may join or speak under such an id.
const AGENT: &str = "agent:";

/// What the peer ids of people at the live door begin with. No peer may join or speak under such an id either.
const LIVE: &str = "live:";

impl PeerId {
    pub fn parse(text: &str) -> Result<Self, BadName> {
        bounded("peer id", text).map(Self)
    }

    /// The id under which a program is present that has no connection of its own.
    pub fn of_agent(session: &str) -> Result<Self, BadName> {
        bounded("session id", session)?;
        Self::parse(&format!("{AGENT}{session}"))
    }

    /// The id under which one device of a user at the live door is present, however long their own ids are. It is a digest
    /// of both, so that two users who call their devices the same are two peers.
    pub fn of_live(user: &str, device: &str) -> Self {
        let length = (user.len() as u64).to_be_bytes();
        let digest = Sha256::new()
            .chain_update(length)
            .chain_update(user)
            .chain_update(device)
            .finalize();
        Self(format!("{LIVE}{}", bs58::encode(&digest[..16]).into_string()).into())
    }

    /// Whether this is a program that is present over HTTP.
    pub fn is_agent(&self) -> bool {
        self.0.starts_with(AGENT)
    }

    /// Whether this is somebody at the live door.
    pub fn is_live(&self) -> bool {
        self.0.starts_with(LIVE)
    }

    /// Whether it is the server that speaks for this peer, and nobody else may.
    pub fn is_spoken_for(&self) -> bool {
        self.is_agent() || self.is_live()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a peer's storage, shared by all tabs of a browser profile.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorageId(Arc<str>);

impl StorageId {
    pub fn parse(text: &str) -> Result<Self, BadName> {
        bounded("storage id", text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One WebSocket, for as long as it is open. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// What comes from the server itself, over no socket. Sockets are counted from 1.
    pub const SERVER: Self = Self(0);
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_id_survives_the_round_trip_and_a_typo_does_not() {
        let id = DocumentId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(DocumentId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(DocumentId::parse_address(&id.url()), Ok(id.clone()));
        assert!(DocumentId::parse(&id.url()).is_err());
        let typo = format!("{}1", id.as_str());
        assert!(matches!(DocumentId::parse(&typo), Err(BadName::NotADocumentId(_))));
        assert!(matches!(
            DocumentId::parse("notvalid!!"),
            Err(BadName::NotADocumentId(_))
        ));
        assert!(matches!(
            DocumentId::parse(&"a".repeat(97)),
            Err(BadName::DocumentIdTooLong(97))
        ));
    }

    #[test]
    fn a_name_of_a_peer_is_bounded() {
        assert!(PeerId::parse("peer-1").is_ok());
        assert!(matches!(PeerId::parse(""), Err(BadName::Empty(_))));
        assert!(matches!(PeerId::parse(&"x".repeat(513)), Err(BadName::TooLong { .. })));
    }

    #[test]
    fn people_at_the_live_door_have_an_id_for_each_user_and_device() {
        let ids = [
            ("ada", "laptop"),
            ("grace", "laptop"),
            ("ada", "phone"),
            ("adal", "aptop"),
        ];
        let mut peers: Vec<_> = ids.iter().map(|(user, device)| PeerId::of_live(user, device)).collect();
        assert_eq!(peers[0], PeerId::of_live("ada", "laptop"));
        assert!(
            peers
                .iter()
                .all(|peer| peer.is_live() && peer.is_spoken_for() && !peer.is_agent())
        );
        peers.sort();
        peers.dedup();
        assert_eq!(peers.len(), 4);
        assert!(PeerId::of_live(&"x".repeat(10_000), &"y".repeat(10_000)).as_str().len() < 32);
    }
}
