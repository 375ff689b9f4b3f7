//! Group commit: one thread takes what waits, writes it as one batch, syncs once and then tells everybody.
//!
//! A sync costs the same for one change as for a thousand, so all rooms share it. The committer knows no runtime: it is
//! a loop on its own thread in the server, and a simulation drives it step by step.
//!
//! Invariants:
//! - No callback says `Ok` before the sync that covers its changes has returned.
//! - Callbacks run in the order in which the items were queued.
//! - After the first failed apply or sync nothing is written any more: a failed sync must not be tried again, since the
//!   kernel may have dropped the pages, and a later success would claim what was lost.
//! - A panic in a callback or in the engine does not end the thread.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::engine::{Batch, EngineError};
use super::layout::{DocumentKeys, Kind, put_record, put_small};
use super::load::Reader;
use super::queue::{Item, StoredChange, Taken, Work};
use super::{Shared, StoreFailure};
use crate::document::author::Author;
use crate::id::DocumentId;

/// Writes what the rooms append. There is one per [`super::Store`].
pub struct Committer {
    shared: Arc<Shared>,
}

/// What one step of the committer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing waited.
    Idle,
    /// So many items were written and synced, and their callbacks were called.
    Flushed { items: usize },
    /// So many items failed, and their callbacks were told.
    Failed { items: usize },
    /// The store is closed and nothing can come any more.
    Ended,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs until the store is closed and everything queued is done with.
    pub fn run(self) {
        loop {
            match self.step() {
                Progress::Idle => self.shared.queue.wait(),
                Progress::Ended => return,
                Progress::Flushed { .. } | Progress::Failed { .. } => {}
            }
        }
    }

    /// Takes what waits, writes it as one batch, syncs, and calls back. Does not wait for anything to come.
    pub fn step(&self) -> Progress {
        let items = match self.shared.queue.take() {
            Taken::Items(items) => items,
            Taken::Nothing => return Progress::Idle,
            Taken::Ended => return Progress::Ended,
        };
        let count = items.len();
        if let Some(reason) = self.shared.queue.failure() {
            let outcomes = vec![Err(reason.clone()); count];
            complete(&self.shared, items, outcomes);
            return Progress::Failed { items: count };
        }
        let verdicts = self.check_numbers(&items);
        let in_order = || items.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok());
        let accepted: Vec<&Item> = in_order().map(|(item, _)| item).collect();
        let outcome = self.write(&accepted);
        let progress = match outcome {
            Ok(()) => Progress::Flushed { items: count },
            Err(_) => Progress::Failed { items: count },
        };
        let outcomes = verdicts
            .into_iter()
            .map(|verdict| outcome.clone().and(verdict))
            .collect();
        complete(&self.shared, items, outcomes);
        progress
    }

    /// Refuses an append that would leave a hole or write over a change: a document with a hole can never be loaded
    /// again, and what is durable must stay. Only a room with a bug asks for it, and only that room pays.
    fn check_numbers(&self, items: &[Item]) -> Vec<Result<(), Arc<StoreFailure>>> {
        let mut last_numbers: HashMap<&DocumentId, u64> = HashMap::new();
        let mut check = |document, changes: &[StoredChange]| {
            let after = match last_numbers.get(document) {
                Some(last) => *last,
                None => Reader::new(&self.shared, document)
                    .last_number()
                    .map_err(StoreFailure::Read)?
                    .unwrap_or(0),
            };
            for (expected, change) in (after + 1..).zip(changes) {
                if change.number != expected {
                    return Err(StoreFailure::NotNext {
                        document: document.clone(),
                        expected,
                        found: change.number,
                    });
                }
            }
            last_numbers.insert(document, after + changes.len() as u64);
            Ok(())
        };
        let verdicts = items.iter().map(|item| match &item.work {
            Work::Append { document, changes } => check(document, changes).map_err(|failure| {
                tracing::error!(%document, %failure, "an append is refused");
                Arc::new(failure)
            }),
            Work::Encoded(_) => Ok(()),
        });
        verdicts.collect()
    }

    fn write(&self, items: &[&Item]) -> Result<(), Arc<StoreFailure>> {
        let Shared {
            engine,
            queue,
            unsynced,
            ..
        } = &*self.shared;
        if items.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let batch = encode(items);
        // Marked before the batch can be seen, so that no reader takes it for durable; see `Unsynced`.
        unsynced.mark(items);
        caught(|| engine.apply(&batch)).map_err(|error| self.fail(StoreFailure::Apply(error)))?;
        caught(|| engine.sync()).map_err(|error| self.fail(StoreFailure::Sync(error)))?;
        unsynced.clear();
        let changes: usize = items.iter().map(|item| item.changes()).sum();
        queue.gauges.flushes.fetch_add(1, Relaxed);
        queue.gauges.flushed_changes.fetch_add(changes as u64, Relaxed);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        queue.gauges.last_flush_micros.store(micros, Relaxed);
        Ok(())
    }

    fn fail(&self, failure: StoreFailure) -> Arc<StoreFailure> {
        let failure = self.shared.queue.fail(failure);
        tracing::error!(%failure, "the store is read-only until restart");
        failure
    }
}

impl Drop for Committer {
    /// Whoever waits for a flush is told that it will not come.
    fn drop(&mut self) {
        let left = self.shared.queue.abandon();
        if left.is_empty() && matches!(self.shared.queue.take(), Taken::Ended) {
            return;
        }
        let failure = self.shared.queue.fail(StoreFailure::NoCommitter);
        let outcomes = vec![Err(failure); left.len()];
        complete(&self.shared, left, outcomes);
    }
}

/// Calls back in order, then gives back the places.
fn complete(shared: &Shared, items: Vec<Item>, outcomes: Vec<Result<(), Arc<StoreFailure>>>) {
    let count = items.len();
    shared.queue.finish(&items);
    for (item, outcome) in items.into_iter().zip(outcomes) {
        let Item { flushed, place, .. } = item;
        if catch_unwind(AssertUnwindSafe(|| flushed(outcome))).is_err() {
            tracing::error!("a callback of the committer panicked");
        }
        drop(place);
    }
    shared.queue.announce_finished(count);
}

fn caught(call: impl FnOnce() -> Result<(), EngineError>) -> Result<(), EngineError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Err(EngineError::Panicked(text.unwrap_or_else(|| "no message".into())))
    })
}

fn encode(items: &[&Item]) -> Batch {
    let mut batch = Batch::default();
    for item in items {
        match &item.work {
            Work::Append { document, changes } => encode_append(&mut batch, document, changes),
            Work::Encoded(step) => batch.extend(step.clone()),
        }
    }
    batch
}

fn encode_append(batch: &mut Batch, document: &DocumentId, changes: &[StoredChange]) {
    let keys = DocumentKeys::new(document);
    for change in changes {
        put_record(batch, &keys, Kind::Change, change.number, &change.bytes);
        let author = AuthorRecord {
            hash: change.hash,
            author: change.author.clone(),
        };
        put_record(batch, &keys, Kind::Author, change.number, &author.encode());
    }
    if let Some(last) = changes.last() {
        put_small(batch, keys.last_number(), &last.number.to_be_bytes());
    }
}

/// What is kept of a change for good, after its bytes went into a snapshot: its hash, then its author as JSON, which
/// can gain fields without a new format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorRecord {
    pub hash: [u8; 32],
    pub author: Author,
}

impl AuthorRecord {
    fn encode(&self) -> Vec<u8> {
        let mut record = self.hash.to_vec();
        serde_json::to_writer(&mut record, &self.author).expect("an Author is plain strings and numbers");
        record
    }

    pub(super) fn decode(record: &[u8]) -> Result<Self, String> {
        let (hash, author) = record.split_first_chunk::<32>().ok_or("shorter than a hash")?;
        Ok(Self {
            hash: *hash,
            author: serde_json::from_slice(author).map_err(|error| error.to_string())?,
        })
    }
}

/// The first commit number of each document that the engine may show but that is not synced: those of the batch being
/// written, and for good those of a batch that failed, since the engine goes on serving it from memory.
///
/// A reader reads first and asks here afterwards. What it saw was marked before it could be seen; if the mark is gone
/// by then, the sync has returned.
#[derive(Debug, Default)]
pub(super) struct Unsynced(Mutex<HashMap<DocumentId, u64>>);

impl Unsynced {
    fn lock(&self) -> MutexGuard<'_, HashMap<DocumentId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, items: &[&Item]) {
        let mut marks = self.lock();
        for item in items {
            if let Work::Append { document, changes } = &item.work
                && let Some(first) = changes.first()
            {
                marks.entry(document.clone()).or_insert(first.number);
            }
        }
    }

    fn clear(&self) {
        self.lock().clear();
    }

    /// Lowers a number that was read to the last one known to be durable.
    pub fn durable(&self, document: &DocumentId, read: u64) -> u64 {
        match self.lock().get(document) {
            Some(first) => read.min(first.saturating_sub(1)),
            None => read,
        }
    }
}
