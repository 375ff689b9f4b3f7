//! What the gate says when it does not take something.

use automerge::{ActorId, legacy};

use crate::document::crdt::bytes::Malformed;

/// A message that cannot be read; the socket it came from is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    #[error("the sync message cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("a sync message begins with 0x42 or 0x43, not with {0:#04x}")]
    UnknownVersion(u8),
    #[error("{count} {what} in one message, {limit} are allowed")]
    TooMany { what: &'static str, count: u64, limit: u64 },
    #[error("a Bloom filter with {what} = {value}, allowed are {least} to {most}")]
    Bloom {
        what: &'static str,
        value: u64,
        least: u64,
        most: u64,
    },
    #[error("the library does not read the message: {0}")]
    Library(String),
    #[error("the library panicked over the message: {0}")]
    Panicked(String),
}

/// Why a change is not taken; the conversation it came through goes deaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the chunk cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("a chunk of unknown type {0}")]
    UnknownChunk(u8),
    #[error("a bundle of changes, which the sync protocol does not carry")]
    Bundle,
    #[error("the checksum of the chunk does not fit its content")]
    Checksum,
    #[error("{value} {what}, {limit} are allowed")]
    TooLarge { what: &'static str, value: u64, limit: u64 },
    #[error("the compressed data does not inflate")]
    Deflate,
    #[error("the library does not read it: {0}")]
    Library(String),
    #[error("the library panicked over it: {0}")]
    Panicked(String),
    #[error("written out again it has another hash, so it could never be loaded again")]
    NotCanonical,
    #[error("it names a change it builds on twice")]
    Dependencies,
    #[error("change {seq} of actor {actor} is already another one")]
    DuplicateSequence { actor: ActorId, seq: u64 },
    #[error("change {seq} of actor {actor} does not follow change {last}")]
    SequenceGap { actor: ActorId, seq: u64, last: u64 },
    #[error("its operations begin at counter {start}, which must be from {least} to {most}")]
    StartOp { start: u64, least: u64, most: u64 },
    #[error("its author has used counters up to {own}, but it builds on nothing above {below}")]
    ForgetsItself { own: u64, below: u64 },
    #[error("an author is set in change {0}; it can be set in the first only")]
    AuthorTooLate(u64),
    #[error("it was made at time {0}, which no clock shows")]
    Time(i64),
    #[error("actor {0} is unknown")]
    UnknownActor(ActorId),
    #[error("operation {op}: {what}")]
    Operation { op: u64, what: OperationFault },
    #[error("it builds on {0}, which was refused")]
    BuildsOnRefused(automerge::ChangeHash),
    #[error("applied to a copy it does not come out of the document as it went in: {0}")]
    Unfaithful(String),
}

/// What is wrong with one operation of a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationFault {
    #[error("it is on an object that does not exist")]
    UnknownObject,
    #[error("a map needs a key and a list an element")]
    WrongPlace,
    #[error("it names an element that the list does not have: {0:?}")]
    UnknownElement(legacy::OpId),
    #[error("it overwrites an operation that its key or element does not have: {0:?}")]
    UnknownPredecessor(legacy::OpId),
    #[error("it overwrites the same operation twice")]
    RepeatedPredecessor,
    #[error("it deletes nothing, and would be lost when the document is saved")]
    DeletesNothing,
    #[error("an insertion overwrites nothing")]
    InsertionOverwrites,
    #[error("it writes over an element of a text, which can only be deleted")]
    UpdatesText,
    #[error("it makes an object of the abandoned type table, which the library shows but does not know")]
    Table,
    #[error("only a value, an object or a mark can be inserted")]
    CannotInsert,
    #[error("a mark ends where none of the same change begins")]
    LoneMarkEnd,
    #[error("it refers to an operation with a higher counter than its own")]
    RefersForward,
}
