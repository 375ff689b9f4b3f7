//! What the engine may show although it is not on disk: the batch being written, and for good one that failed.
//!
//! A reader reads first and asks here afterwards. What it saw was marked before it could be seen; if the mark is gone by
//! then, the sync has returned.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::notes::Fate;
use crate::id::DocumentId;

#[derive(Debug, Default)]
pub(super) struct Unsynced(Mutex<Marks>);

/// What a batch that is about to be written will show.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The first commit number of each document in the batch. The engine goes on serving a batch that failed from memory.
    pub numbers: HashMap<DocumentId, u64>,
    /// The fate of documents as it was before the batch.
    pub fates: HashMap<DocumentId, Option<Fate>>,
}

impl Unsynced {
    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn mark(&self, marks: Marks) {
        *self.lock() = marks;
    }

    pub fn clear(&self) {
        *self.lock() = Marks::default();
    }

    /// Lowers a number that was read to the last one known to be durable.
    pub fn durable(&self, document: &DocumentId, read: u64) -> u64 {
        match self.lock().numbers.get(document) {
            Some(first) => read.min(first.saturating_sub(1)),
            None => read,
        }
    }

    /// The durable fate of a document whose fate is being written; none if what was read is durable.
    pub fn fate_before(&self, document: &DocumentId) -> Option<Option<Fate>> {
        self.lock().fates.get(document).cloned()
    }
}
