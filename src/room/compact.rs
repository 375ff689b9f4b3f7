//! Compaction: the changes since the last snapshot are folded into a new one.
//!
//! The snapshot is made from a copy, written behind the appends that it contains, loaded back and compared; only then do
//! the changes it covers go. A room that has set changes aside is not compacted: the snapshot would not contain them.

use std::sync::{Arc, PoisonError};

use automerge::Automerge;

use super::room::{Live, Room};
use crate::store::Snapshot;

impl Room {
    /// Whether enough has gathered behind the last snapshot.
    pub fn is_due_for_compaction(&self) -> bool {
        let slot = self.slot();
        matches!(slot.live, Live::Awake(_))
            && !slot.compacting
            && !slot.rolled_back
            && slot.quarantined.is_empty()
            && (slot.tail_changes > self.limits.compact_changes
                || slot.tail_bytes > self.limits.compact_bytes.max(slot.snapshot_bytes))
    }

    /// Writes a snapshot and drops what it covers. Heavy, and waits for the disk.
    pub fn compact(self: &Arc<Self>) {
        let (replica, tail_changes, tail_bytes) = {
            let Ok(replica) = self.replica() else { return };
            let mut slot = self.slot();
            if std::mem::replace(&mut slot.compacting, true) {
                return;
            }
            (replica, slot.tail_changes, slot.tail_bytes)
        };
        let (bytes, position, heads) = {
            let replica = replica.lock().unwrap_or_else(PoisonError::into_inner);
            let document = replica.document();
            (document.save(), replica.position(), document.get_heads())
        };
        drop(replica);
        let length = bytes.len();
        let snapshot = Snapshot {
            number: position,
            heads: heads.iter().map(|head| head.0).collect(),
            bytes: bytes.into(),
        };
        let same = |stored: &[u8]| Automerge::load(stored).is_ok_and(|loaded| loaded.get_heads() == heads);
        let written = self.store.write_snapshot(&self.id, snapshot, same);
        let mut slot = self.slot();
        slot.compacting = false;
        match written {
            Ok(()) => {
                // A change committed between the two looks above is counted as folded; it only makes the next one later.
                slot.tail_changes -= tail_changes.min(slot.tail_changes);
                slot.tail_bytes -= tail_bytes.min(slot.tail_bytes);
                slot.snapshot_bytes = length;
                tracing::debug!(document = %self.id, position, bytes = length, "compacted");
            }
            Err(error) => tracing::error!(document = %self.id, %error, "a snapshot could not be written"),
        }
    }
}
