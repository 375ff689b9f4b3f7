//! A room: the meeting place of one document.
//!
//! A room holds the live document, its change log and its audience, each under a lock of its own, and no task. What
//! happens in it happens on the task of whoever asks. [`Room::commit`] is the one way in for a change.
//!
//! Locks, in this order: slot, log, notes, audience. None is held across an await. Heavy work (loading, saving, catching up) is
//! done by methods that say so; they are called off the runtime and take the locks only to look and to swap.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use automerge::ChangeHash;
use bytes::Bytes;
use tokio::sync::Notify;

use super::audience::{Audience, AudienceLimits};
use super::live::LiveRoom;
use super::live::panes::Panes;
use super::notes::Notes;
use super::seen::Seen;
use super::table::TableOf;
use super::turns::{BulkTurn, Turns};
use crate::document::crdt::Document;
use crate::id::{ConnectionId, DocumentId};
use crate::store::{Status, Store};
use crate::sync::aside::{Aside, AsideLimits};
use crate::sync::bindings::OwnSessions;
use crate::sync::conversation::{CatchUp, CaughtUp, Conversation};
use crate::sync::gate::GateLimits;
use crate::sync::log::{ChangeLog, Heads, LogLimits};
use crate::sync::replica::Replica;

/// A change that takes longer than this is heavy work, in microseconds.
const LIGHT_COMMIT_MICROS: u64 = 1_000;

/// The bounds of every room.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomLimits {
    /// A document nobody touched for this long is unloaded.
    #[serde(with = "humantime_serde")]
    pub sleep_after: Duration,
    /// A snapshot is written when the changes since the last one are longer than it, and longer than this, in bytes.
    pub compact_bytes: usize,
    /// Or when there are more changes than this since the last snapshot.
    pub compact_changes: usize,
    pub log: LogLimits,
    pub aside: AsideLimits,
    pub audience: AudienceLimits,
    pub gate: GateLimits,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            sleep_after: Duration::from_secs(60),
            compact_bytes: 256 << 10,
            compact_changes: 5_000,
            log: LogLimits::default(),
            aside: AsideLimits::default(),
            audience: AudienceLimits::default(),
            gate: GateLimits::default(),
        }
    }
}

/// The document of a room, or why it is not at hand.
pub(super) enum Live {
    Asleep,
    /// Somebody is loading it, outside the lock.
    Loading,
    Awake(Box<Document>),
    /// It could not be loaded. Not the same as absent: nothing is answered as if it were empty.
    Failed {
        since: Instant,
        reason: String,
    },
}

/// What the lock of the document protects.
pub(super) struct Slot {
    pub live: Live,
    /// Whether the store may hold more than became durable here: after a failed flush.
    pub rolled_back: bool,
    /// The document of before a failed flush, with more in it than is durable. See [`Room::wake`].
    pub remains: Option<Box<Document>>,
    pub aside: Aside,
    /// Changes that made the library panic, here or at load.
    pub quarantined: HashSet<ChangeHash>,
    /// A run of changes made the library panic: they are applied one by one from then on, to find the one at fault.
    pub singly: bool,
    /// A copy for catching up, good until the next commit.
    pub replica: Option<(u64, Arc<Mutex<Replica>>)>,
    /// Its index and the newest reading, if it is a table that somebody asked about.
    pub table: TableOf,
    /// What live subscribers follow of it.
    pub panes: Panes,
    pub last_use: Instant,
    /// What a compaction would fold: changes and bytes stored since the last snapshot, and its bytes.
    pub tail_changes: usize,
    pub tail_bytes: usize,
    pub snapshot_bytes: usize,
    pub compacting: bool,
    /// Not before then: the last try failed.
    pub compact_after: Instant,
}

pub struct Room {
    pub(super) id: DocumentId,
    pub(super) store: Store,
    pub(super) limits: Arc<RoomLimits>,
    /// Goes up when the document was thrown away: positions and library states from before mean nothing any more.
    pub(super) epoch: AtomicU64,
    /// How often what was appended was taken back. It goes up under the lock of the log.
    pub(super) rollbacks: AtomicU64,
    /// Whether the log was set from the store: the first load does it. Until then nobody knows whether there is a document.
    pub(super) opened: AtomicBool,
    /// Something was flushed, rolled back or woken: for those who wait without being part of the audience.
    pub(super) moved: Notify,
    /// What a change of the last commit cost, in microseconds: a keystroke in a long text takes 15,000.
    pub(super) commit_micros: AtomicU64,
    /// Bulk writes queue behind everybody else.
    pub(super) turns: Turns,
    pub(super) live: LiveRoom,
    /// Connections that left while the slot was in use. A leaf.
    pub(super) gone: Mutex<Vec<ConnectionId>>,
    pub(super) slot: Mutex<Slot>,
    pub(super) log: Mutex<ChangeLog>,
    pub(super) notes: Mutex<Notes>,
    pub(super) audience: Mutex<Audience>,
}

/// The document is asleep or being loaded: see [`Room::begin_wake`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAwake;

impl Room {
    pub(super) fn new(
        id: DocumentId,
        store: Store,
        limits: Arc<RoomLimits>,
        sessions: Arc<OwnSessions>,
        now: Instant,
    ) -> Arc<Self> {
        let slot = Slot {
            live: Live::Asleep,
            rolled_back: false,
            remains: None,
            aside: Aside::new(limits.aside.clone()),
            quarantined: HashSet::new(),
            singly: false,
            replica: None,
            table: TableOf::default(),
            panes: Panes::default(),
            last_use: now,
            tail_changes: 0,
            tail_bytes: 0,
            snapshot_bytes: 0,
            compacting: false,
            compact_after: now,
        };
        Arc::new(Self {
            log: Mutex::new(ChangeLog::starting_at(0, Heads::default(), limits.log.clone())),
            notes: Mutex::default(),
            audience: Mutex::new(Audience::new(id.clone(), &limits.audience, sessions)),
            slot: Mutex::new(slot),
            epoch: AtomicU64::new(0),
            rollbacks: AtomicU64::new(0),
            opened: AtomicBool::new(false),
            moved: Notify::new(),
            commit_micros: AtomicU64::new(0),
            turns: Turns::default(),
            live: LiveRoom::default(),
            gone: Mutex::default(),
            id,
            store,
            limits,
        })
    }

    pub fn id(&self) -> &DocumentId {
        &self.id
    }

    pub fn limits(&self) -> &RoomLimits {
        &self.limits
    }

    /// The epoch that positions and library states belong to.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether the room was awake once: before that, whether the document exists is not known.
    pub fn is_opened(&self) -> bool {
        self.opened.load(Ordering::Acquire)
    }

    /// Whether the document exists: from its first durable change on, unless it is deleted. Meaningful once the room was
    /// awake.
    pub fn exists(&self) -> bool {
        self.log().durable() > 0 && self.deleted().is_none()
    }

    /// Whether no change is taken until the process starts anew: the store has failed.
    pub fn is_read_only(&self) -> bool {
        matches!(self.store.status(), Status::ReadOnly(_))
    }

    /// The position up to which everything may be shown.
    pub fn durable(&self) -> u64 {
        self.log().durable()
    }

    /// The position of the last change committed, durable or not.
    pub fn end(&self) -> u64 {
        self.log().end()
    }

    /// How many changes wait for others that they build on. Waits for the lock of the document.
    pub fn kept_aside(&self) -> usize {
        self.slot().aside.len()
    }

    /// The heads at the durable position.
    pub fn durable_heads(&self) -> Heads {
        self.log().durable_heads()
    }

    /// Whether the document has a change, as far as can be told without waiting for anything.
    pub fn knows(&self, hash: &ChangeHash) -> bool {
        if self.log().knows(hash) {
            return true;
        }
        match self.slot.try_lock() {
            Ok(slot) => matches!(&slot.live, Live::Awake(document) if document.has(hash)),
            Err(_) => false,
        }
    }

    /// Waits for the turn of one slice of a bulk write.
    pub async fn bulk_turn(&self) -> BulkTurn<'_> {
        self.turns.bulk().await
    }

    /// The next message for the peer of this conversation, if there is one.
    pub fn pull(&self, conversation: &mut Conversation, reader: ConnectionId) -> Option<Bytes> {
        conversation.pull(&mut self.log(), reader)
    }

    /// Whether a commit would wait for another one, or would take its time: then it is done off the runtime.
    pub fn is_heavy(&self) -> bool {
        self.commit_micros.load(Ordering::Relaxed) > LIGHT_COMMIT_MICROS
            || matches!(self.slot.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Runs one turn of the library for one peer. Heavy: called off the runtime.
    pub fn catch_up(&self, work: CatchUp) -> Result<CaughtUp, (NotAwake, CatchUp)> {
        let Ok(replica) = self.replica() else {
            return Err((NotAwake, work));
        };
        let mut replica = replica.lock().unwrap_or_else(PoisonError::into_inner);
        // Lock order: the replica's comes before the slot's, and nobody who holds the slot's waits for a replica.
        Ok(work.run(&mut replica, |need, replica| {
            self.slot().aside.missing_for(need, |dep| replica.has(dep))
        }))
    }

    /// A copy of the document as it is now, shared by all who ask before the next commit.
    pub(super) fn replica(&self) -> Result<Arc<Mutex<Replica>>, NotAwake> {
        let mut slot = self.slot();
        let position = self.log().end();
        let Live::Awake(document) = &slot.live else {
            return Err(NotAwake);
        };
        if let Some((at, replica)) = &slot.replica
            && *at == position
        {
            return Ok(replica.clone());
        }
        let replica = Arc::new(Mutex::new(Replica::new(document.replica(), position)));
        slot.replica = Some((position, replica.clone()));
        Ok(replica)
    }

    /// The committer synced, or failed to sync, everything up to here, queued after so many rollbacks. A note may be synced
    /// behind changes that were not: the position it was queued with then means changes that are gone, or others.
    pub(super) fn flushed(self: &Arc<Self>, upto: Seen, rollbacks: u64, synced: bool) {
        if synced {
            {
                let mut log = self.log();
                if self.rollbacks.load(Ordering::Acquire) == rollbacks {
                    log.flushed(upto.position);
                }
            }
            self.notes().flushed(upto.note);
        } else {
            self.roll_back();
        }
        let durable = self.durable();
        self.audience().believe_reports(durable);
        self.announce();
    }

    /// Tells everybody that there is something to look at.
    pub(super) fn announce(self: &Arc<Self>) {
        self.audience().mark_all();
        self.moved.notify_waiters();
        self.poke_panes();
    }

    /// The store failed: the document holds what will never be durable. It is taken back to the last durable change.
    fn roll_back(&self) {
        let mut slot = self.slot();
        let mut log = self.log();
        let mut notes = self.notes();
        if log.end() == log.durable() && notes.is_settled() && slot.rolled_back {
            return;
        }
        log.roll_back();
        self.rollbacks.fetch_add(1, Ordering::AcqRel);
        notes.roll_back();
        slot.rolled_back = true;
        slot.aside.discard();
        if let Live::Awake(document) = std::mem::replace(&mut slot.live, Live::Asleep) {
            slot.remains = Some(document);
        }
        self.throw_away(&mut slot);
        tracing::error!(document = %self.id, durable = log.durable(), "the store failed; unsaved changes were rolled back");
    }

    /// Drops the document; what was made from it means nothing any more.
    pub(super) fn throw_away(&self, slot: &mut Slot) {
        slot.live = Live::Asleep;
        slot.replica = None;
        slot.table = TableOf::default();
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// The slot, if nobody works in it just now.
    pub(super) fn slot_if_free(&self) -> Option<MutexGuard<'_, Slot>> {
        match self.slot.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Ok(slot) => Some(slot),
            Err(TryLockError::Poisoned(_)) => Some(self.slot()),
        }
    }

    /// Drops what a connection that is gone had sent ahead of its dependencies. While somebody works in the slot it is only
    /// noted: the next one to come does it.
    pub(super) fn forget(&self, connection: ConnectionId) {
        self.gone
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        if let Some(mut slot) = self.slot_if_free() {
            self.forget_gone(&mut slot);
        }
    }

    pub(super) fn forget_gone(&self, slot: &mut Slot) {
        for connection in self.gone.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            slot.aside.forget(connection);
        }
    }

    /// The lock of the document. After a panic under it nobody knows what the document holds: the room is given up until
    /// it is closed, and costs nobody else anything.
    pub(super) fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(|poisoned| {
            let mut slot = poisoned.into_inner();
            slot.replica = None;
            slot.table = TableOf::default();
            slot.live = Live::Failed {
                since: Instant::now(),
                reason: "it panicked earlier".into(),
            };
            slot
        })
    }

    pub(super) fn log(&self) -> MutexGuard<'_, ChangeLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
