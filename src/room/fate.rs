//! Deleting a document and restoring it: a note, nothing more.
//!
//! A deleted document keeps all its changes and takes no more of them. From the moment it is decided nothing is taken;
//! from the moment it is on disk everybody is told. What was taken before stands in the queue before it, so that the order
//! under the lock is the order on the disk.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::commit::Writer;
use super::edit::EditError;
use super::keys::{Keyed, Once};
use super::notes::Deletion;
use super::room::Room;
use super::seen::Seen;
use crate::store::{Fate, Place, StoreError, Tombstone};

/// Why a document was not deleted or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTurned {
    #[error("there is no such document")]
    NoDocument {
        /// To be told once this is on disk.
        seen: Seen,
    },
}

impl Room {
    /// Deletes the document: it keeps everything, shows nothing and takes nothing. With a key, `answer` is recorded under it
    /// in the same batch. The room must have been awake once.
    pub fn delete(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        keyed: Option<(&Keyed, Bytes)>,
    ) -> Result<Once<()>, EditError<NotTurned>> {
        let fate = Fate::Deleted(Tombstone::of(&writer.author));
        self.turn(place, writer, now, keyed, fate)
    }

    /// Takes a deletion back. One that is not deleted stays as it is.
    pub fn restore(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        keyed: Option<(&Keyed, Bytes)>,
    ) -> Result<Once<()>, EditError<NotTurned>> {
        let fate = Fate::Restored(Tombstone::of(&writer.author));
        self.turn(place, writer, now, keyed, fate)
    }

    fn turn(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        keyed: Option<(&Keyed, Bytes)>,
        fate: Fate,
    ) -> Result<Once<()>, EditError<NotTurned>> {
        let mut slot = self.slot();
        slot.last_use = now;
        if let Some(replayed) = self.replay(&slot, keyed.as_ref().map(|(keyed, _)| *keyed), writer)? {
            return Ok(Once::Replayed(replayed));
        }
        if !self.is_opened() {
            return Err(EditError::NotAwake);
        }
        if self.end() == 0 {
            let seen = self.seen();
            return Err(EditError::Refused(NotTurned::NoDocument { seen }));
        }
        let standing = self.notes().tombstone().cloned();
        let mut notes = Vec::new();
        match (&fate, standing) {
            (Fate::Deleted(_), Some(tombstone)) => {
                let seen = self.seen();
                return Err(EditError::Deleted { tombstone, seen });
            }
            (Fate::Restored(_), None) => {}
            _ => {
                self.notes().note_fate(&fate);
                notes.push(crate::store::Note::Fate(fate));
            }
        }
        if let Some((keyed, answer)) = keyed {
            notes.extend(self.note_key(keyed, answer, writer.author.time));
        }
        self.queue(&mut slot, place, Vec::new(), notes);
        Ok(Once::Done(self.edited(())))
    }

    /// Since when the document is deleted, and by whom, as far as everybody may know. Meaningful once the room was awake, or
    /// [`Room::learn_fate`] was called.
    pub fn deleted(&self) -> Option<Tombstone> {
        self.notes().shown().cloned()
    }

    /// Whether nothing is said of the document: it is deleted, or that is being decided. Meaningful where [`Room::deleted`]
    /// is.
    pub fn is_withheld(&self) -> bool {
        matches!(self.deletion(), Deletion::Deciding | Deletion::Deleted(_))
    }

    /// Whether the document is deleted, and whether that can be told.
    pub fn deletion(&self) -> Deletion {
        self.notes().deletion()
    }

    /// Asks the store whether the document is deleted, if nobody has asked before. One look at the disk, much less than
    /// loading the document.
    pub fn learn_fate(&self) -> Result<(), StoreError> {
        if !self.notes().is_known() {
            let fate = self.store.fate(&self.id)?;
            // Whoever else asked meanwhile was told the same: nothing is noted before the fate is known.
            self.notes().learn(fate);
        }
        Ok(())
    }
}
