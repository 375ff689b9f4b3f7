//! What a program is told of as it happens, beside the table that it looks at.

use std::sync::Arc;

use super::message::{Accepted, Change, Refusal};
use super::people::{DeviceOf, User};

/// Something that happened to a table that is followed. What the table is now stands in its
/// [`Table`](super::Table); who misses an event misses nothing of that.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// All of it was told anew.
    Anew,
    /// Rows have changed, in the order told. None, if columns, title or number of rows alone did.
    Changed(Arc<[Change]>),
    /// After a lost connection: so many rows had changed meanwhile, and are as they are now.
    Recovered {
        missed: usize,
    },
    Joined(User),
    /// Somebody whose connection was lost.
    Returned(User),
    Left(DeviceOf),
    /// Cursors, selections, what is typed, names, or the list of those who are here.
    Presence,
    /// An edit is on disk.
    Saved {
        change_id: String,
        saved: Saved,
    },
    /// An edit was not made, and will not be; what it did here is set back.
    Rejected {
        change_id: String,
        why: Refusal,
    },
    /// The server does not let the table be followed (any more).
    Refused(Refusal),
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The version of the table with it.
    pub version: String,
    /// Others had written what its author had not seen: the two stand side by side.
    pub merged: bool,
    /// It had been made before, and its answer was lost.
    pub replayed: bool,
    /// Of a batch: what each of its edits has made.
    pub made: Arc<[crate::wire::table::Made]>,
}

impl From<Accepted> for Saved {
    fn from(accepted: Accepted) -> Self {
        Self {
            version: accepted.version,
            merged: accepted.merged,
            replayed: accepted.replayed,
            made: accepted.outcomes.into(),
        }
    }
}
