//! The messages of the live door: JSON text frames, `{"type": …, "data": {…}}` (`docs/live-protocol.md`).
//!
//! What a client sends is read strictly: a field that is unknown here is a mistake, since a misspelt one would be lost
//! without a word. What the server says is written straight from readings of the document, once for all who get it.

mod told;

pub use told::{
    Accepted, Cell, Changes, ErrorTold, OfflineDone, RecordChanged, Recovered, Rejected, Snapshot, Told, Welcome,
    Window, text,
};
