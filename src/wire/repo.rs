//! The automerge-repo WebSocket protocol: one binary frame is one CBOR map is one [`Message`].
//!
//! It exists so that the rest of the server sees messages and never the CBOR dialect of JavaScript. What is read is
//! lenient where clients differ and harmless (maps in any length form, `undefined`, floats for integers, fields in any
//! order, extra fields, unknown types); what is written is what every known client reads.
//!
//! - A data field is a slice of the frame it came in: nothing is copied.
//! - A message with empty data is neither read nor written: it makes JavaScript peers throw.
//! - Names are bounded when they are parsed, lists where they are read (`MAX_*`).

mod decode;
mod encode;

use crate::id::{BadName, PeerId, StorageId};
use crate::wire::cbor::Malformed;
use automerge::ChangeHash;
use bytes::Bytes;

pub use decode::{EphemeralPeek, Found};
pub use encode::{ephemeral_frame, sync_frame};

/// The only version of the protocol there is.
pub const PROTOCOL_VERSION: &str = "1";

/// The storage ids read from one message, and the heads read per storage; what goes beyond is left out, since
/// gossip is best effort. Clients name one storage per message.
pub const MAX_STORAGES: usize = 256;
pub const MAX_HEADS: usize = 256;

/// The protocol versions read from a `join`.
pub const MAX_VERSIONS: usize = 16;

/// The highest count of an ephemeral: beyond it JavaScript numbers no longer tell one from the next.
pub const MAX_COUNT: u64 = (1 << 53) - 1;

/// The longest text of a document id, a session id or an error taken, in bytes.
pub const MAX_TEXT_BYTES: usize = 512;

/// What one frame says. `target` is the next hop; nobody checks it, so it may be missing on the way in.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Client to server, first message of a socket.
    Join {
        sender: PeerId,
        metadata: PeerMetadata,
        /// Just `"1"` where the client names none.
        versions: Vec<String>,
    },
    /// The answer to a join.
    Peer {
        sender: PeerId,
        target: Option<PeerId>,
        metadata: PeerMetadata,
        version: String,
    },
    Error {
        sender: PeerId,
        target: Option<PeerId>,
        message: String,
    },
    /// Only 1.x clients send it; the peer is gone, its socket may stay.
    Leave {
        sender: PeerId,
    },
    /// "I have nothing of this document; tell me if you do not either."
    Request {
        sender: PeerId,
        target: Option<PeerId>,
        /// Not parsed: a request for an id that is none must still be answered.
        document: String,
        /// An Automerge sync message, never empty.
        data: Bytes,
    },
    Sync {
        sender: PeerId,
        target: Option<PeerId>,
        document: String,
        /// An Automerge sync message, never empty.
        data: Bytes,
    },
    DocUnavailable {
        sender: PeerId,
        target: Option<PeerId>,
        document: String,
    },
    Ephemeral(Ephemeral),
    RemoteSubscriptionChange {
        sender: PeerId,
        target: Option<PeerId>,
        add: Vec<StorageId>,
        remove: Vec<StorageId>,
    },
    RemoteHeadsChanged {
        sender: PeerId,
        target: Option<PeerId>,
        document: String,
        heads: Vec<(StorageId, RemoteHeads)>,
    },
    /// A type this server does not know: ignored and counted, never an error. It is read, never written.
    Unknown {
        kind: String,
    },
}

/// What a peer says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerMetadata {
    pub storage_id: Option<StorageId>,
    /// Set by peers without storage, whose sync state is not worth keeping.
    pub is_ephemeral: bool,
}

/// A message to whoever has the document open: presence, or whatever the application likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    /// The author, preserved when the message is relayed.
    pub sender: PeerId,
    pub target: Option<PeerId>,
    pub document: String,
    /// Rises within a session, over all documents of the author, with gaps.
    pub count: u64,
    /// Chosen by the author for each of its lives.
    pub session: String,
    /// The application's value, in CBOR; never empty.
    pub data: Bytes,
}

/// The version of a document some storage is known to have.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteHeads {
    pub heads: Vec<ChangeHash>,
    /// Milliseconds since 1970 by the clock of whoever learned it; finite.
    pub timestamp: f64,
}

/// Why a frame is not a message. Its socket is closed: the sender does not speak the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is not one CBOR item: {0}")]
    Malformed(#[from] Malformed),
    #[error("the frame is not a map")]
    NotAMap,
    #[error("the message has no type")]
    NoType,
    #[error("{kind}: {field} {problem}")]
    Field {
        kind: &'static str,
        field: &'static str,
        problem: Problem,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("is missing")]
    Missing,
    #[error("is not {0}")]
    Not(&'static str),
    #[error("is empty")]
    Empty,
    #[error("has {0} bytes, more than {MAX_TEXT_BYTES}")]
    TooLong(usize),
    #[error("is no name: {0}")]
    Name(#[from] BadName),
}

impl Message {
    /// The type, as the wire writes it.
    pub fn kind(&self) -> &str {
        match self {
            Self::Join { .. } => "join",
            Self::Peer { .. } => "peer",
            Self::Error { .. } => "error",
            Self::Leave { .. } => "leave",
            Self::Request { .. } => "request",
            Self::Sync { .. } => "sync",
            Self::DocUnavailable { .. } => "doc-unavailable",
            Self::Ephemeral(_) => "ephemeral",
            Self::RemoteSubscriptionChange { .. } => "remote-subscription-change",
            Self::RemoteHeadsChanged { .. } => "remote-heads-changed",
            Self::Unknown { kind } => kind,
        }
    }

    /// Who it says it is from; none for a type this server does not know.
    pub fn sender(&self) -> Option<&PeerId> {
        match self {
            Self::Join { sender, .. }
            | Self::Peer { sender, .. }
            | Self::Error { sender, .. }
            | Self::Leave { sender }
            | Self::Request { sender, .. }
            | Self::Sync { sender, .. }
            | Self::DocUnavailable { sender, .. }
            | Self::Ephemeral(Ephemeral { sender, .. })
            | Self::RemoteSubscriptionChange { sender, .. }
            | Self::RemoteHeadsChanged { sender, .. } => Some(sender),
            Self::Unknown { .. } => None,
        }
    }
}
