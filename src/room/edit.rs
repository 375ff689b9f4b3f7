//! Edits of the server's own: what comes in over HTTP becomes a change here, and goes the way of all changes.
//!
//! Nothing passes the gate, since nothing came from outside: the change is made on the live document, in a transaction
//! that is rolled back when the edit is refused. From there on it is like any other: appended, flushed, announced.

use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use automerge::AutomergeError;
use automerge::transaction::Transaction;
use bytes::Bytes;

use super::commit::Writer;
use super::room::{Live, Room, Slot};
use super::run::heads_with;
use crate::document::crdt::{Document, EditFailed};
use crate::store::{Place, StoredChange};
use crate::sync::log::Heads;

/// What an edit has come to. It may be shown once the room is durable up to `position`.
#[derive(Debug, Clone)]
pub struct Edited<T> {
    pub value: T,
    pub position: u64,
    pub epoch: u64,
    /// The version of the document with the edit in it.
    pub heads: Heads,
}

/// Why an edit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum EditError<E> {
    /// The edit itself said no; nothing was changed.
    #[error("{0}")]
    Refused(E),
    /// The document is asleep: wake it and try again.
    #[error("the document is asleep")]
    NotAwake,
    /// The library failed; the document is loaded anew.
    #[error("the document could not take the edit: {0}")]
    Failed(String),
}

impl Room {
    /// Makes one change of what `edit` does. `place` was reserved before, so that nothing can fail after it.
    pub fn edit<T, E: From<AutomergeError>>(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Edited<T>, EditError<E>> {
        let _here = self.turns.interactive();
        self.edit_in(self.slot(), place, writer, now, edit)
    }

    /// As [`edit`](Room::edit), for one who has locked the slot already.
    pub(super) fn edit_in<T, E: From<AutomergeError>>(
        self: &Arc<Self>,
        mut slot: MutexGuard<'_, Slot>,
        place: Place,
        writer: &Writer,
        now: Instant,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Edited<T>, EditError<E>> {
        slot.last_use = now;
        self.forget_gone(&mut slot);
        let Live::Awake(document) = &mut slot.live else {
            return Err(EditError::NotAwake);
        };
        let before = document.heads();
        let (value, change) = match document.edit((writer.author.time / 1000) as i64, None, edit) {
            Ok(done) => done,
            Err(EditFailed::Refused(error)) => return Err(EditError::Refused(error)),
            Err(EditFailed::Poisoned(poisoned)) => {
                tracing::error!(document = %self.id, %poisoned, "an edit made the library panic");
                self.throw_away(&mut slot);
                drop(slot);
                self.announce();
                return Err(EditError::Failed(poisoned.why));
            }
        };
        let mut stored = Vec::new();
        if let Some(change) = change {
            let bytes = Bytes::copy_from_slice(change.raw_bytes());
            let heads: Heads = heads_with(&before, &change).into();
            let number = self
                .log()
                .append(change.hash(), bytes.clone(), heads, writer.connection);
            stored.push(StoredChange {
                number,
                hash: change.hash().0,
                bytes,
                author: writer.author.clone(),
            });
        }
        let edited = self.seen(value);
        self.queue(&mut slot, place, stored, edited.position);
        Ok(edited)
    }

    /// Looks at the document as it is now. What is seen may be shown once the room is durable up to the position.
    pub fn look<T>(&self, now: Instant, look: impl FnOnce(&Document) -> T) -> Result<Edited<T>, super::room::NotAwake> {
        let mut slot = self.slot();
        slot.last_use = now;
        let Live::Awake(document) = &slot.live else {
            return Err(super::room::NotAwake);
        };
        Ok(self.seen(look(document)))
    }

    /// Something made from the document as it is now. Called with the lock of the slot held.
    pub(super) fn seen<T>(&self, value: T) -> Edited<T> {
        let log = self.log();
        Edited {
            value,
            position: log.end(),
            epoch: self.epoch(),
            heads: log.heads(),
        }
    }
}
