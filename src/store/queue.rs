//! What waits for the committer, and the places that bound it.
//!
//! A place is reserved before a change is applied to its document, so that the append that follows cannot fail: a
//! document never holds a change that found no room on its way to the disk.
//!
//! Invariants:
//! - Items leave in the order in which they came.
//! - The places given out never exceed the bounds. An item larger than a bound takes the whole of it, so that it gets
//!   through alone.
//! - Waiting for a place is first come, first served: small items do not starve a large one.
//! - A callback never runs inside a call of this module: callers hold their document's lock when they append.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::StoreFailure;
use super::engine::Batch;
use super::notes::Note;
use crate::document::author::Author;
use crate::id::DocumentId;

/// The bounds of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreLimits {
    /// Changes that may wait for the disk.
    pub queue_changes: usize,
    /// Bytes of changes that may wait for the disk.
    pub queue_bytes: usize,
    /// Changes written with one sync; more wait for the next.
    pub batch_changes: usize,
    /// Bytes written with one sync.
    pub batch_bytes: usize,
    /// Snapshots being written at once. Each has at most one small batch in the queue, beside the places.
    pub snapshots: usize,
    /// Idempotency keys remembered of each document beside young ones; one more and the oldest is forgotten, which is then refused.
    pub keys: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            queue_changes: 65_536,
            queue_bytes: 64 << 20,
            batch_changes: 4_096,
            batch_bytes: 8 << 20,
            snapshots: 4,
            keys: 250_000,
        }
    }
}

/// How much room an append will take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub changes: usize,
    pub bytes: usize,
}

/// Why there is no place in the queue.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoPlace {
    #[error("too many changes wait for the disk")]
    Full,
    #[error("the store takes no changes: {0}")]
    ReadOnly(Arc<StoreFailure>),
}

/// Room in the queue for one append. Given back when what was appended is flushed or has failed, or when the place is
/// dropped unused.
pub struct Place {
    queue: Arc<Queue>,
    _changes: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.places -= 1;
        // The committer of a closed store ends only after the last place, since an append could still come with it.
        if waiting.closed && waiting.places == 0 {
            self.queue.arrived.notify_all();
        }
    }
}

/// One change on its way to the disk.
#[derive(Debug, Clone)]
pub struct StoredChange {
    /// The commit number within the document, from 1 on without a hole.
    pub number: u64,
    /// The hash of the change, kept beside its author.
    pub hash: [u8; 32],
    pub bytes: Bytes,
    pub author: Author,
}

/// Called once, on the committer's thread, after the sync or the failure.
pub type Flushed = Box<dyn FnOnce(Result<(), Arc<StoreFailure>>) + Send>;

/// Changes of one document, and notes beside them, that become durable together. Either may be missing; a document
/// has notes only once it has a change.
pub struct Append {
    pub document: DocumentId,
    pub changes: Vec<StoredChange>,
    pub notes: Vec<Note>,
    pub flushed: Flushed,
}

pub(super) enum Work {
    Append {
        document: DocumentId,
        changes: Vec<StoredChange>,
        notes: Vec<Note>,
    },
    /// A step of a snapshot, encoded by its writer.
    Encoded(Batch),
}

impl Work {
    fn changes(&self) -> usize {
        match self {
            Work::Append { changes, .. } => changes.len(),
            Work::Encoded(_) => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Work::Append { changes, notes, .. } => {
                let changes: usize = changes.iter().map(|change| change.bytes.len()).sum();
                changes + notes.iter().map(Note::bytes).sum::<usize>()
            }
            Work::Encoded(batch) => batch.bytes(),
        }
    }
}

pub(super) struct Item {
    pub work: Work,
    pub flushed: Flushed,
    pub place: Option<Place>,
}

impl Item {
    pub fn changes(&self) -> usize {
        self.work.changes()
    }
}

/// Figures of the queue and the committer, for metrics.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Changes that wait for the disk.
    pub queued_changes: AtomicU64,
    /// Bytes that wait for the disk, those of snapshots included.
    pub queued_bytes: AtomicU64,
    /// Batches synced since the start.
    pub flushes: AtomicU64,
    /// Changes synced since the start.
    pub flushed_changes: AtomicU64,
    /// How long the last batch took to apply and sync, in microseconds.
    pub last_flush_micros: AtomicU64,
}

/// What waits, who may add to it, and whether the store still takes anything.
pub(super) struct Queue {
    limits: StoreLimits,
    changes: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// A leaf: nothing else is locked, called or dropped while it is held.
    waiting: Mutex<Waiting>,
    /// Something arrived, or a closed queue may have come to its end.
    arrived: Condvar,
    failure: OnceLock<Arc<StoreFailure>>,
    /// How many items were ever finished, in the order of the queue.
    finished: watch::Sender<u64>,
    pub gauges: Gauges,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Places given out and not yet given back.
    places: usize,
    /// How many items were ever queued.
    queued: u64,
    closed: bool,
    /// No committer will ever come again.
    abandoned: bool,
}

pub(super) enum Taken {
    Items(Vec<Item>),
    Nothing,
    Ended,
}

impl Queue {
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            changes: Arc::new(Semaphore::new(limits.queue_changes.max(1))),
            bytes: Arc::new(Semaphore::new(permits(limits.queue_bytes, usize::MAX) as usize)),
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            failure: OnceLock::new(),
            finished: watch::Sender::new(0),
            gauges: Gauges::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that can panic runs under this lock, and every state between its statements is a whole one.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn failure(&self) -> Option<&Arc<StoreFailure>> {
        self.failure.get()
    }

    /// Makes the store read-only. The first reason stays.
    pub fn fail(&self, failure: StoreFailure) -> Arc<StoreFailure> {
        let failure = self.failure.get_or_init(|| Arc::new(failure)).clone();
        self.changes.close();
        self.bytes.close();
        failure
    }

    pub fn try_reserve(self: &Arc<Self>, need: Need) -> Result<Place, NoPlace> {
        if let Some(reason) = self.failure() {
            return Err(NoPlace::ReadOnly(reason.clone()));
        }
        let (changes, bytes) = self.permits_for(need);
        let no_place = |_| self.refusal().map_or(NoPlace::Full, NoPlace::ReadOnly);
        let changes = self.changes.clone().try_acquire_many_owned(changes).map_err(no_place)?;
        let bytes = self.bytes.clone().try_acquire_many_owned(bytes).map_err(no_place)?;
        self.place(changes, bytes)
    }

    pub async fn reserve(self: &Arc<Self>, need: Need) -> Result<Place, NoPlace> {
        let (changes, bytes) = self.permits_for(need);
        // The semaphores are closed by `fail` and `close` alone, after the reason was set.
        let closed = |_| NoPlace::ReadOnly(self.refusal().unwrap_or_else(|| Arc::new(StoreFailure::Closed)));
        let changes = self.changes.clone().acquire_many_owned(changes).await.map_err(closed)?;
        let bytes = self.bytes.clone().acquire_many_owned(bytes).await.map_err(closed)?;
        self.place(changes, bytes)
    }

    fn permits_for(&self, need: Need) -> (u32, u32) {
        (
            permits(need.changes, self.limits.queue_changes),
            permits(need.bytes, self.limits.queue_bytes),
        )
    }

    fn refusal(&self) -> Option<Arc<StoreFailure>> {
        let closed = || self.lock().closed.then(|| Arc::new(StoreFailure::Closed));
        self.failure().cloned().or_else(closed)
    }

    fn place(self: &Arc<Self>, changes: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Result<Place, NoPlace> {
        {
            let mut waiting = self.lock();
            if waiting.closed {
                return Err(NoPlace::ReadOnly(Arc::new(StoreFailure::Closed)));
            }
            waiting.places += 1;
        }
        Ok(Place {
            queue: self.clone(),
            _changes: changes,
            _bytes: bytes,
        })
    }

    pub fn push(&self, item: Item) {
        let (changes, bytes) = (item.work.changes() as u64, item.work.bytes() as u64);
        let refused = {
            let mut waiting = self.lock();
            if waiting.abandoned {
                Some(item)
            } else {
                self.gauges.queued_changes.fetch_add(changes, Relaxed);
                self.gauges.queued_bytes.fetch_add(bytes, Relaxed);
                waiting.queued += 1;
                waiting.items.push_back(item);
                self.arrived.notify_one();
                None
            }
        };
        // Its callback is dropped without a call: there is no thread left that could make it, and on this one its owner
        // may hold the lock that the callback takes. The status says that the store is read-only.
        drop(refused);
    }

    /// Takes what waits, up to the bounds of one batch and at least one item.
    pub fn take(&self) -> Taken {
        let mut waiting = self.lock();
        let (mut changes, mut bytes, mut count) = (0, 0, 0);
        for item in &waiting.items {
            changes += item.work.changes();
            bytes += item.work.bytes();
            if count > 0 && (changes > self.limits.batch_changes || bytes > self.limits.batch_bytes) {
                break;
            }
            count += 1;
        }
        if count > 0 {
            return Taken::Items(waiting.items.drain(..count).collect());
        }
        match waiting.closed && waiting.places == 0 {
            true => Taken::Ended,
            false => Taken::Nothing,
        }
    }

    /// Blocks until something waits or the queue has come to its end.
    pub fn wait(&self) {
        let mut waiting = self.lock();
        while waiting.items.is_empty() && !(waiting.closed && waiting.places == 0) {
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that items taken before are done with, flushed or failed.
    pub fn finish(&self, items: &[Item]) {
        for item in items {
            self.gauges
                .queued_changes
                .fetch_sub(item.work.changes() as u64, Relaxed);
            self.gauges.queued_bytes.fetch_sub(item.work.bytes() as u64, Relaxed);
        }
    }

    /// Wakes those who wait for the queue to drain. Called after the callbacks.
    pub fn announce_finished(&self, items: usize) {
        self.finished.send_modify(|finished| *finished += items as u64);
    }

    /// Waits until everything queued before the call is flushed or has failed, its callbacks included.
    pub async fn drained(&self) {
        // Subscribe first, then look, then wait: no lost wakeup.
        let mut finished = self.finished.subscribe();
        let queued = self.lock().queued;
        let _closed = finished.wait_for(|finished| *finished >= queued).await;
    }

    /// No more places. What has a place may still be appended.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changes.close();
        self.bytes.close();
        self.arrived.notify_all();
    }

    /// The committer goes for good; returns what it leaves undone.
    pub fn abandon(&self) -> Vec<Item> {
        let mut waiting = self.lock();
        waiting.abandoned = true;
        waiting.items.drain(..).collect()
    }
}

/// The permits for `amount` under a bound: an item larger than the bound takes all of it.
fn permits(amount: usize, bound: usize) -> u32 {
    u32::try_from(amount.min(bound.max(1))).unwrap_or(u32::MAX)
}
