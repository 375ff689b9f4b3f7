//! Edits of the server's own: what comes in over HTTP becomes a change here, and goes the way of all changes.
//!
//! Nothing passes the gate, since nothing came from outside: the change is made on the live document, in a transaction
//! that is rolled back when the edit is refused. From there on it is like any other: appended, flushed, announced.

use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use automerge::transaction::Transaction;
use automerge::{AutomergeError, ChangeHash};
use bytes::Bytes;

use super::commit::Writer;
use super::keys::{KeyRefusal, Keyed, Known, Once};
use super::room::{Live, Room, Slot};
use super::run::heads_with;
use super::seen::Seen;
use crate::document::crdt::{Document, EditFailed};
use crate::store::{Place, StoredChange, Tombstone};
use crate::sync::log::{Heads, Logged};

/// What an edit has come to. It may be shown once the room has saved what was [`Edited::seen`].
#[derive(Debug, Clone)]
pub struct Edited<T> {
    pub value: T,
    pub position: u64,
    pub epoch: u64,
    /// The number of the last note beside the changes: see [`Seen`].
    pub note: u64,
    /// The version of the document with the edit in it.
    pub heads: Heads,
}

impl<T, E> Edited<Result<T, E>> {
    pub fn transpose(self) -> Result<Edited<T>, E> {
        let Self {
            value,
            position,
            epoch,
            note,
            heads,
        } = self;
        Ok(Edited {
            value: value?,
            position,
            epoch,
            note,
            heads,
        })
    }
}

impl<T> Edited<T> {
    /// What must be on disk before the edit is shown: see [`Room::until_saved`].
    pub fn seen(&self) -> Seen {
        Seen {
            position: self.position,
            note: self.note,
            epoch: self.epoch,
        }
    }
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
    /// The document is deleted. To be told once `seen` is on disk.
    #[error("the document is deleted")]
    Deleted { tombstone: Tombstone, seen: Seen },
    /// Its idempotency key does not allow it. To be told once `seen` is on disk.
    #[error("{why}")]
    Key { why: KeyRefusal, seen: Seen },
    /// The library failed and the document is loaded anew, or the disk could not be read.
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
        match self.edit_once(place, writer, now, None, |tx, _| edit(tx), |_, _| Bytes::new())? {
            Once::Done(edited) => Ok(edited),
            Once::Replayed(_) => unreachable!("without a key there is nothing to replay"),
        }
    }

    /// Like [`Room::edit`], for a request that may have been sent before. `answer` makes what is recorded under the key, in
    /// the batch of the change, out of what the edit gave and the version behind it: at most
    /// [`MAX_ANSWER`](crate::store::MAX_ANSWER) bytes, for which `place` has room. An edit that changes nothing is recorded
    /// as well; one that is refused is not. A request whose key is known is not done again, also if the document is asleep
    /// or was deleted meanwhile. The edit is given the version that it is made on: a transaction itself names the author's
    /// own last change as well, also when others have built on it.
    pub fn edit_once<T, E: From<AutomergeError>>(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        keyed: Option<&Keyed>,
        edit: impl FnOnce(&mut Transaction<'_>, &[ChangeHash]) -> Result<T, E>,
        answer: impl FnOnce(&T, &Heads) -> Bytes,
    ) -> Result<Once<T>, EditError<E>> {
        let _here = self.turns.interactive();
        let mut slot = self.slot();
        slot.last_use = now;
        if let Some(replayed) = self.admit(&slot, keyed, writer)? {
            return Ok(Once::Replayed(replayed));
        }
        self.edit_in(slot, place, writer, keyed, edit, answer)
    }

    /// As [`edit_once`](Room::edit_once), for one who has locked the slot and asked whether the request is to be done.
    pub(super) fn edit_in<T, E: From<AutomergeError>>(
        self: &Arc<Self>,
        mut slot: MutexGuard<'_, Slot>,
        place: Place,
        writer: &Writer,
        keyed: Option<&Keyed>,
        edit: impl FnOnce(&mut Transaction<'_>, &[ChangeHash]) -> Result<T, E>,
        answer: impl FnOnce(&T, &Heads) -> Bytes,
    ) -> Result<Once<T>, EditError<E>> {
        self.forget_gone(&mut slot);
        let Live::Awake(document) = &mut slot.live else {
            return Err(EditError::NotAwake);
        };
        let before = document.heads();
        let made = document.edit((writer.author.time / 1000) as i64, None, |tx| edit(tx, &before));
        let (value, change) = match made {
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
        let mut changes = Vec::new();
        if let Some(change) = change {
            let bytes = Bytes::copy_from_slice(change.raw_bytes());
            let heads: Heads = heads_with(&before, &change).into();
            let number = self.log().append(Logged {
                hash: change.hash(),
                bytes: bytes.clone(),
                heads,
                from: writer.connection,
                author: &writer.author,
                key: None,
            });
            changes.push(StoredChange {
                number,
                hash: change.hash().0,
                bytes,
                author: writer.author.clone(),
            });
        }
        let heads = self.log().heads();
        let note = keyed.and_then(|keyed| self.note_key(keyed, answer(&value, &heads), writer.author.time));
        self.queue(&mut slot, place, changes, note.into_iter().collect());
        Ok(Once::Done(self.edited(value)))
    }

    /// Records what became of a request without an edit, under its key: that a long write has begun, goes on or has ended.
    /// A key that is known is left alone, unless the request goes on from what is recorded.
    pub fn record(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        keyed: &Keyed,
        answer: Bytes,
    ) -> Result<Once<()>, EditError<AutomergeError>> {
        let mut slot = self.slot();
        if let Some(replayed) = self.replay(&slot, Some(keyed), writer)? {
            return Ok(Once::Replayed(replayed));
        }
        let note = self.note_key(keyed, answer, writer.author.time);
        self.queue(&mut slot, place, Vec::new(), note.into_iter().collect());
        Ok(Once::Done(self.edited(())))
    }

    /// What a request has come to before; none if it is to be done now.
    pub(super) fn replay<E>(
        &self,
        slot: &Slot,
        keyed: Option<&Keyed>,
        writer: &Writer,
    ) -> Result<Option<Edited<Bytes>>, EditError<E>> {
        let Some(keyed) = keyed else { return Ok(None) };
        match self.known(slot, keyed, writer.author.time) {
            Ok(Known::New) => Ok(None),
            Ok(Known::Done(answer)) => Ok(Some(self.edited(answer))),
            Ok(Known::Refused(why)) => Err(EditError::Key { why, seen: self.seen() }),
            Err(why) => Err(EditError::Failed(why)),
        }
    }

    /// What a request has come to before; none if it is to be done now. A document that is deleted takes none.
    pub(super) fn admit<E>(
        &self,
        slot: &Slot,
        keyed: Option<&Keyed>,
        writer: &Writer,
    ) -> Result<Option<Edited<Bytes>>, EditError<E>> {
        let replayed = self.replay(slot, keyed, writer)?;
        if replayed.is_none() {
            self.check_not_deleted()?;
        }
        Ok(replayed)
    }

    fn check_not_deleted<E>(&self) -> Result<(), EditError<E>> {
        // The lock is given back before the room is looked at again.
        let tombstone = self.notes().tombstone().cloned();
        match tombstone {
            Some(tombstone) => Err(EditError::Deleted {
                tombstone,
                seen: self.seen(),
            }),
            None => Ok(()),
        }
    }

    /// Something that is to be shown once everything so far is on disk. Called under the lock of the document.
    pub(super) fn edited<T>(&self, value: T) -> Edited<T> {
        let Seen { position, note, epoch } = self.seen();
        Edited {
            value,
            position,
            epoch,
            note,
            heads: self.log().heads(),
        }
    }

    /// Looks at the document for the server's own sake. It does not count as use: the document falls asleep when people
    /// leave it alone. What is seen is shown to nobody.
    pub fn glance<T>(&self, look: impl FnOnce(&Document) -> T) -> Result<T, super::room::NotAwake> {
        match &self.slot().live {
            Live::Awake(document) => Ok(look(document)),
            _ => Err(super::room::NotAwake),
        }
    }

    /// Looks at the document as it is now. What is seen may be shown once the room is durable up to the position.
    pub fn look<T>(&self, now: Instant, look: impl FnOnce(&Document) -> T) -> Result<Edited<T>, super::room::NotAwake> {
        let mut slot = self.slot();
        slot.last_use = now;
        let Live::Awake(document) = &slot.live else {
            return Err(super::room::NotAwake);
        };
        Ok(self.edited(look(document)))
    }
}
