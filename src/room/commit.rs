//! The one way in: gate, apply, append, then (once durable) announce.
//!
//! Everything here happens under the lock of the document, so that changes reach the log, the queue of the committer and
//! the document in one order. Nothing is told to anybody before the committer calls back.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use automerge::ChangeHash;

use super::room::{Live, NotAwake, Room, Slot};
use super::run::Run;
use crate::document::author::Author;
use crate::id::ConnectionId;
use crate::store::{Append, Need, Note, Place, StoredChange};
use crate::sync::gate::{Offered, Refusal};

/// Who offers the changes of a commit.
#[derive(Debug, Clone)]
pub struct Writer {
    pub author: Author,
    pub connection: Option<ConnectionId>,
}

/// The place that a commit of these needs in the committer's queue.
pub fn need_of(changes: &[Offered]) -> Need {
    let bytes = |offered: &Offered| match offered {
        Offered::Change(change) => change.raw_bytes().len(),
        Offered::Refused { .. } => 0,
    };
    Need {
        changes: changes.len(),
        bytes: changes.iter().map(bytes).sum(),
    }
}

/// What became of the changes offered.
#[derive(Debug, Default)]
pub struct Commit {
    /// Changes that are in the document now, those that were kept aside before included.
    pub committed: usize,
    /// Changes kept aside, since something before them is missing.
    pub aside: usize,
    /// Changes that there was no room to keep aside.
    pub turned_away: usize,
    /// Changes of the writer refused, and why. It goes deaf.
    pub refused: Vec<(Option<ChangeHash>, Refusal)>,
    /// The writer offered a change that is set aside for good. It is quarantined.
    pub quarantined: bool,
    /// Connections to close, so that they send again what could not be kept aside, or had to be dropped. What was at
    /// fault is then refused to the one who sent it, not to the one whose change released it.
    pub send_again: HashSet<ConnectionId>,
    /// The position that contains everything committed.
    pub end: u64,
}

impl Commit {
    /// Whether everything offered is in the document.
    pub fn took_all(&self) -> bool {
        self.aside == 0 && self.turned_away == 0 && !self.stops_hearing()
    }

    /// Whether nothing more is taken from the writer.
    pub fn stops_hearing(&self) -> bool {
        !self.refused.is_empty() || self.quarantined
    }
}

impl Room {
    /// Takes the changes that pass the gate. `place` was reserved before, so that nothing can fail after apply. A document
    /// that is not awake gives everything back, and so does one that is deleted: see [`Room::deletion`].
    pub fn commit(
        self: &Arc<Self>,
        place: Place,
        offered: Vec<Offered>,
        writer: &Writer,
        now: Instant,
    ) -> Result<Commit, (NotAwake, Place, Vec<Offered>)> {
        let _here = self.turns.interactive();
        self.commit_in(self.slot(), place, offered, writer, now)
    }

    /// As [`commit`](Room::commit), for one who has locked the slot already.
    pub(super) fn commit_in(
        self: &Arc<Self>,
        mut slot: MutexGuard<'_, Slot>,
        place: Place,
        offered: Vec<Offered>,
        writer: &Writer,
        now: Instant,
    ) -> Result<Commit, (NotAwake, Place, Vec<Offered>)> {
        slot.last_use = now;
        self.forget_gone(&mut slot);
        let started = Instant::now();
        if self.notes().tombstone().is_some() {
            return Err((NotAwake, place, offered));
        }
        let Slot {
            live: Live::Awake(document),
            ..
        } = &mut *slot
        else {
            return Err((NotAwake, place, offered));
        };
        document.begin_message();
        let mut run = Run::new(self, writer, document.heads());
        let poisoned = run.take_all(offered, &mut slot);
        run.forget_writer(&mut slot.aside);
        let (mut commit, stored) = run.into_parts();
        commit.end = self.log().end();
        if !stored.is_empty() {
            let micros = started.elapsed().as_micros() as u64 / stored.len() as u64;
            self.commit_micros.store(micros, Ordering::Relaxed);
        }
        self.queue(&mut slot, place, stored, Vec::new());
        if poisoned {
            self.throw_away(&mut slot);
            drop(slot);
            self.announce();
        }
        Ok(commit)
    }

    /// Queues what was applied and logged for the disk, with the notes beside it.
    pub(super) fn queue(self: &Arc<Self>, slot: &mut Slot, place: Place, changes: Vec<StoredChange>, notes: Vec<Note>) {
        if changes.is_empty() && notes.is_empty() {
            return;
        }
        slot.table.forget_reading();
        slot.tail_changes += changes.len();
        slot.tail_bytes += changes.iter().map(|change| change.bytes.len()).sum::<usize>();
        // Under the lock of the slot, as a rollback is: the two belong together.
        let (room, upto, rollbacks) = (self.clone(), self.seen(), self.rollbacks.load(Ordering::Acquire));
        let flushed = Box::new(move |result: Result<(), _>| room.flushed(upto, rollbacks, result.is_ok()));
        let document = self.id.clone();
        self.store.append(
            place,
            Append {
                document,
                changes,
                notes,
                flushed,
            },
        );
    }
}

#[cfg(test)]
mod tests;
