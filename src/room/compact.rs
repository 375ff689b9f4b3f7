//! Compaction: the changes since the last snapshot are folded into a new one.
//!
//! The snapshot is made from a copy, written behind the appends that it contains, loaded back and compared; only then do
//! the changes it covers go. A room that has set changes aside is not compacted: the snapshot would not contain them.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use automerge::{Automerge, ChangeHash};

use super::room::{Live, Room};
use crate::store::{Snapshot, SnapshotError, SnapshotWrite, Step};

/// After a snapshot could not be written, the next one is tried this much later.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(300);

impl Room {
    /// Whether enough has gathered behind the last snapshot.
    pub fn is_due_for_compaction(&self, now: Instant) -> bool {
        let Some(slot) = self.slot_if_free() else { return false };
        matches!(slot.live, Live::Awake(_))
            && !slot.compacting
            && slot.compact_after <= now
            && !slot.rolled_back
            && slot.quarantined.is_empty()
            && (slot.tail_changes > self.limits.compact_changes
                || slot.tail_bytes > self.limits.compact_bytes.max(slot.snapshot_bytes))
    }

    /// Writes a snapshot and drops what it covers. Heavy, and waits for the disk.
    pub fn compact(self: &Arc<Self>, now: Instant) {
        let Some((compaction, snapshot)) = self.prepare() else {
            return;
        };
        let verify = compaction.verifier();
        let written = self.store.write_snapshot(&self.id, snapshot, verify);
        compaction.conclude(written, now);
    }

    /// Like [`Room::compact`], one batch at a time: for who steps the committer by hand.
    pub fn begin_compaction(self: &Arc<Self>, now: Instant) -> Option<SteppedCompaction> {
        let (compaction, snapshot) = self.prepare()?;
        match self.store.begin_snapshot(&self.id, snapshot, compaction.verifier()) {
            Ok(write) => Some(SteppedCompaction { compaction, write }),
            Err(error) => {
                compaction.conclude(Err(error), now);
                None
            }
        }
    }

    fn prepare(self: &Arc<Self>) -> Option<(Compaction, Snapshot)> {
        let (replica, compaction) = {
            let replica = self.replica().ok()?;
            let mut slot = self.slot();
            if std::mem::replace(&mut slot.compacting, true) {
                return None;
            }
            let compaction = Compaction {
                room: self.clone(),
                tail_changes: slot.tail_changes,
                tail_bytes: slot.tail_bytes,
                length: 0,
                heads: Vec::new(),
            };
            (replica, compaction)
        };
        let (bytes, position, heads) = {
            let replica = replica.lock().unwrap_or_else(PoisonError::into_inner);
            let document = replica.document();
            (document.save(), replica.position(), document.get_heads())
        };
        let compaction = Compaction {
            length: bytes.len(),
            heads: heads.clone(),
            ..compaction
        };
        let snapshot = Snapshot {
            number: position,
            heads: heads.iter().map(|head| head.0).collect(),
            bytes: bytes.into(),
        };
        Some((compaction, snapshot))
    }
}

/// A compaction under way in a room.
struct Compaction {
    room: Arc<Room>,
    /// What it folds.
    tail_changes: usize,
    tail_bytes: usize,
    /// The bytes of the snapshot, and the heads of the document in it.
    length: usize,
    heads: Vec<ChangeHash>,
}

/// Says whether a snapshot as it was read back loads to the heads it was made from.
type Verify = Box<dyn FnOnce(&[u8]) -> bool + Send>;

impl Compaction {
    fn verifier(&self) -> Verify {
        let heads = self.heads.clone();
        Box::new(move |stored| Automerge::load(stored).is_ok_and(|loaded| loaded.get_heads() == heads))
    }

    fn conclude(self, written: Result<(), SnapshotError>, now: Instant) {
        let mut slot = self.room.slot();
        slot.compacting = false;
        match written {
            Ok(()) => {
                // A change committed between the two looks above is counted as folded; it only makes the next one later.
                slot.tail_changes -= self.tail_changes.min(slot.tail_changes);
                slot.tail_bytes -= self.tail_bytes.min(slot.tail_bytes);
                slot.snapshot_bytes = self.length;
                tracing::debug!(document = %self.room.id, bytes = self.length, "compacted");
            }
            Err(error) => {
                slot.compact_after = now + TRY_AGAIN_AFTER;
                tracing::error!(document = %self.room.id, %error, "a snapshot could not be written");
            }
        }
    }
}

/// A compaction that goes on when it is told to.
pub struct SteppedCompaction {
    compaction: Compaction,
    write: SnapshotWrite<Verify>,
}

impl SteppedCompaction {
    /// Goes on as far as it can without waiting for the committer; gives itself back unless it is done.
    pub fn step(mut self, now: Instant) -> Option<Self> {
        let written = match self.write.step() {
            Ok(Step::Waiting) => return Some(self),
            Ok(Step::Done) => Ok(()),
            Err(error) => Err(error),
        };
        // Its turn in the store is given back before the room may begin the next one.
        drop(self.write);
        self.compaction.conclude(written, now);
        None
    }
}
