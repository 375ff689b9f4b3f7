//! Waking and sleeping: a room's document is loaded when somebody needs it and dropped when nobody does.
//!
//! The shell stays: numbers, heads, epoch, roster and changes kept aside survive the sleep, so cursors do too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use automerge::ActorId;

use super::room::{Live, Room};
use crate::document::crdt::{Document, Loaded};
use crate::sync::log::{ChangeLog, Heads};

/// A document that could not be loaded is tried again after this long.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Where a room stands when somebody needs its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waking {
    Awake,
    /// The caller is to call [`Room::wake`], off the runtime.
    Begun,
    /// Somebody else is at it, or the disk must finish first; the audience is marked when it is done.
    UnderWay,
    Failed(String),
}

/// How far a document that was loaded goes, and how it lies in the store.
#[derive(Default)]
struct Extent {
    number: u64,
    tail_changes: usize,
    tail_bytes: usize,
    snapshot_bytes: usize,
}

impl Room {
    /// Asks for the document. Exactly one caller is told [`Waking::Begun`].
    pub fn begin_wake(&self, now: Instant) -> Waking {
        // Whoever works in the slot has found the document awake, mostly, and the runtime does not wait for it to finish.
        // Those who find it asleep after all ask once more. In a room that was never opened the slot may be in use by
        // somebody who asks for the document just now: see `is_opened`.
        let Some(mut slot) = self.slot_if_free() else {
            return Waking::Awake;
        };
        slot.last_use = now;
        match &slot.live {
            Live::Awake(_) => return Waking::Awake,
            Live::Loading => return Waking::UnderWay,
            Live::Failed { since, reason } if now.duration_since(*since) < TRY_AGAIN_AFTER => {
                return Waking::Failed(reason.clone());
            }
            Live::Failed { .. } | Live::Asleep => {}
        }
        // What was appended must be on disk or given up before it can be read back.
        let log = self.log();
        if log.durable() < log.end() {
            return Waking::UnderWay;
        }
        slot.live = Live::Loading;
        Waking::Begun
    }

    /// Whether asking for the document has a better chance now: nobody is loading it and the disk has caught up.
    pub fn is_settled(&self) -> bool {
        let slot = self.slot();
        let log = self.log();
        !matches!(slot.live, Live::Loading) && (matches!(slot.live, Live::Awake(_)) || log.durable() == log.end())
    }

    /// Whether the document is awake; whoever works in the slot has found it so.
    pub fn is_awake(&self) -> bool {
        self.slot_if_free()
            .is_none_or(|slot| matches!(slot.live, Live::Awake(_)))
    }

    /// Loads the document with a fresh author, and marks everybody. Heavy.
    pub fn wake(self: &Arc<Self>, actor: ActorId, now: Instant) {
        let (upto, remains) = {
            let mut slot = self.slot();
            (self.is_opened().then(|| self.log().durable()), slot.remains.take())
        };
        let load = || match remains {
            Some(document) => self.take_back(actor, &document),
            None => {
                self.learn_fate().map_err(|error| error.to_string())?;
                self.load(actor, upto)
            }
        };
        let loaded =
            catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err("loading the document panicked".into()));
        {
            let mut slot = self.slot();
            match loaded {
                Ok((loaded, stored)) => {
                    slot.tail_changes = stored.tail_changes;
                    slot.tail_bytes = stored.tail_bytes;
                    slot.snapshot_bytes = stored.snapshot_bytes;
                    let number = stored.number;
                    for set_aside in &loaded.quarantined {
                        tracing::error!(document = %self.id, change = ?set_aside.hash, reason = %set_aside.reason,
                            "a stored change could not be loaded and was set aside");
                    }
                    slot.quarantined
                        .extend(loaded.quarantined.iter().filter_map(|set_aside| set_aside.hash));
                    self.open_log(self.is_opened(), number, loaded.document.heads().into());
                    self.opened.store(true, Ordering::Release);
                    slot.last_use = now;
                    slot.live = Live::Awake(Box::new(loaded.document));
                }
                Err(reason) => {
                    tracing::error!(document = %self.id, %reason, "a document could not be loaded");
                    slot.live = Live::Failed { since: now, reason };
                }
            }
        }
        self.announce();
    }

    /// Makes the document as it was at the last durable change out of one that holds more. Nothing is read: sled may fail
    /// to read, too, once it has failed to write, since a split that broke off is tried again by every reader.
    fn take_back(&self, actor: ActorId, document: &Document) -> Result<(Loaded, Extent), String> {
        let (number, heads) = {
            let log = self.log();
            (log.durable(), log.durable_heads())
        };
        let durable = document.replica().fork_at(&heads).map_err(|error| error.to_string())?;
        let bytes = durable.save_nocompress();
        let loaded =
            Document::load(actor, Some(&bytes), std::iter::empty::<&[u8]>()).map_err(|error| error.to_string())?;
        // A room that was rolled back is never compacted, so how its changes lie in the store does not matter.
        let extent = Extent {
            number,
            ..Extent::default()
        };
        Ok((loaded, extent))
    }

    fn load(&self, actor: ActorId, upto: Option<u64>) -> Result<(Loaded, Extent), String> {
        match self.store.load(&self.id, upto).map_err(|error| error.to_string())? {
            None => Ok((
                Loaded {
                    document: Document::empty(actor),
                    quarantined: Vec::new(),
                },
                Extent::default(),
            )),
            Some(stored) => {
                let snapshot = stored.snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
                let tail = stored.tail.iter().map(|(_, bytes)| bytes.clone());
                let loaded = Document::load(actor, snapshot, tail).map_err(|error| error.to_string())?;
                let extent = Extent {
                    number: stored.last_number,
                    tail_changes: stored.tail.len(),
                    tail_bytes: stored.tail_bytes(),
                    snapshot_bytes: stored.snapshot_bytes(),
                };
                Ok((loaded, extent))
            }
        }
    }

    /// Sets the log from the store at the first load; later ones find it as it was left.
    fn open_log(&self, opened: bool, number: u64, heads: Heads) {
        let mut log = self.log();
        if opened && log.end() == number && log.heads() == heads {
            return;
        }
        if opened {
            tracing::error!(document = %self.id, number, end = log.end(), "the store and the room disagree; the store holds");
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        *log = ChangeLog::starting_at(number, heads, self.limits.log.clone());
    }

    /// Unloads the document if nobody touched it for a while and everything is on disk. Returns whether it sleeps now.
    pub fn sleep_if_quiet(&self, now: Instant) -> bool {
        let document = {
            let Some(mut slot) = self.slot_if_free() else {
                return false;
            };
            self.forget_gone(&mut slot);
            if matches!(slot.live, Live::Asleep | Live::Failed { .. }) {
                return true;
            }
            let mut log = self.log();
            let quiet = now.duration_since(slot.last_use) >= self.limits.sleep_after;
            // After a rollback the disk may not be readable any more.
            if slot.rolled_back
                || !quiet
                || !matches!(slot.live, Live::Awake(_))
                || log.durable() < log.end()
                || slot.compacting
            {
                return false;
            }
            log.forget();
            slot.replica = None;
            let table = std::mem::take(&mut slot.table);
            (std::mem::replace(&mut slot.live, Live::Asleep), table)
        };
        // Dropping a large document takes its time; the lock is not held for it.
        drop(document);
        tracing::debug!(document = %self.id, "unloaded");
        true
    }

    /// Whether the shell can go as well: asleep, flushed, and nothing in it that the store does not have.
    pub(super) fn may_close(&self) -> bool {
        let slot = self.slot();
        let log = self.log();
        matches!(slot.live, Live::Asleep | Live::Failed { .. })
            && log.durable() == log.end()
            && self.notes().is_settled()
            && !slot.rolled_back
            && slot.aside.is_empty()
    }

    /// Whether nothing was ever stored here: such a room goes as soon as its last connection does.
    pub(super) fn is_empty(&self) -> bool {
        let slot = self.slot();
        let log = self.log();
        !matches!(slot.live, Live::Loading) && log.end() == 0 && !slot.rolled_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DocumentId;
    use crate::room::{RoomLimits, Rooms};
    use crate::store::memory::MemoryEngine;
    use crate::store::{Store, StoreLimits};
    use crate::sync::bindings::Bindings;

    fn room(now: Instant) -> (Arc<Room>, crate::store::Committer) {
        let (store, committer) = Store::open(Arc::new(MemoryEngine::new()), StoreLimits::default()).unwrap();
        let sessions = Bindings::new(Default::default(), "test").own_sessions();
        let rooms = Rooms::new(store, RoomLimits::default(), 1, sessions);
        let id = DocumentId::from_uuid(uuid::Uuid::from_u128(1));
        (rooms.open(&id, now).unwrap(), committer)
    }

    /// Two asked for a document at the same time, the first to do so. One was in the slot, so that the other took the document
    /// for awake; it looked at a log that was not set yet, and was told that there is no such document.
    #[test]
    fn a_room_in_use_that_was_never_opened_says_that_nothing_is_known_yet() {
        let now = Instant::now();
        let (room, _committer) = room(now);
        {
            let _first = room.slot();
            assert_eq!(room.begin_wake(now), Waking::Awake);
            assert!(!room.is_opened());
        }
        assert_eq!(room.begin_wake(now), Waking::Begun);
        assert!(!room.is_opened() && !room.is_settled());
        room.wake(ActorId::random(), now);
        assert!(room.is_opened() && room.is_settled());
    }

    /// The clean-up of tables looked at all documents more often than they fell asleep, and so none ever did.
    #[test]
    fn a_glance_does_not_keep_a_document_awake() {
        let now = Instant::now();
        let (room, _committer) = room(now);
        room.begin_wake(now);
        room.wake(ActorId::random(), now);
        let later = now + room.limits.sleep_after;
        assert_eq!(room.glance(|document| document.heads().len()), Ok(0));
        assert!(room.sleep_if_quiet(later));
        assert_eq!(room.glance(|_| ()), Err(super::super::room::NotAwake));
    }
}
