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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::engine::EngineError;
use super::plan::Plan;
use super::queue::{Item, Taken};
use super::{Shared, StoreFailure};
use crate::document::author::Author;

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
        let mut plan = Plan::new(&self.shared);
        let verdicts: Vec<_> = items.iter().map(|item| plan.add(item)).collect();
        let accepted = || items.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok());
        let changes = accepted().map(|(item, _)| item.changes()).sum();
        let outcome = match accepted().next() {
            Some(_) => self.write(plan, changes),
            None => Ok(()),
        };
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

    fn write(&self, plan: Plan<'_>, changes: usize) -> Result<(), Arc<StoreFailure>> {
        let Shared {
            engine,
            queue,
            unsynced,
            ..
        } = &*self.shared;
        let started = Instant::now();
        let Plan { batch, marks, .. } = plan;
        // Marked before the batch can be seen, so that no reader takes it for durable; see `Unsynced`.
        unsynced.mark(marks);
        caught(|| engine.apply(&batch)).map_err(|error| self.fail(StoreFailure::Apply(error)))?;
        caught(|| engine.sync()).map_err(|error| self.fail(StoreFailure::Sync(error)))?;
        unsynced.clear();
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

/// What is kept of a change for good, after its bytes went into a snapshot: its hash, then its author as JSON, which
/// can gain fields without a new format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorRecord {
    pub hash: [u8; 32],
    pub author: Author,
}

impl AuthorRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
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
