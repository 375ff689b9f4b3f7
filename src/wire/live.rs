//! The messages of the live door: JSON text frames, `{"type": …, "data": {…}}` (`docs/live-protocol.md`).
//!
//! What a client sends is read strictly: a field that is unknown here is a mistake, since a misspelt one would be lost
//! without a word. What the server says is written straight from readings of the document, once for all who get it.

pub mod change;
pub mod presence;
mod request;
mod told;
mod wanted;

pub use request::{
    Authenticate, Heartbeat, NotARequest, Recover, Request, ShowCursor, ShowSelection, ShowTyping, Subscribe,
    TableName, UserClaim, WindowClaim,
};
pub use told::{
    Accepted, Cell, Changes, ErrorTold, OfflineDone, RecordChanged, Recovered, Rejected, Snapshot, Told, Welcome,
    Window, text,
};
pub use wanted::{Old, Wanted};
