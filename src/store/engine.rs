//! What the store asks of an engine: atomic batches, one sync, ordered reads; nothing about documents.
//!
//! There are two engines: sled, which keeps the data of a server, and one in memory that can be told to lose, hold or
//! fail what was not synced. The trait is the seam between them, and the same suite of tests runs over both.
//!
//! Invariants:
//! - A batch is in the engine as a whole or not at all after a restart.
//! - What was applied before a successful [`Engine::sync`] is there after any crash, power loss included.
//! - After a failed call nothing more is promised until a restart; reads may then show a batch that will not survive.

use std::ops::Bound;
use std::sync::Arc;

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the data is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Refused(String),
    /// A bug in the engine or in a wrapper around it, caught at the committer.
    #[error("the engine panicked: {0}")]
    Panicked(String),
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put { key: Vec<u8>, value: Vec<u8> },
    Delete { key: Vec<u8> },
}

impl Write {
    pub fn key(&self) -> &[u8] {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }
}

/// Writes that become visible and durable together. Where a key occurs twice the later write holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
    bytes: usize,
}

impl Batch {
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.writes.push(Write::Put { key, value });
    }

    pub fn delete(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.writes.push(Write::Delete { key });
    }

    /// Adds the writes of another batch behind those already here.
    pub fn extend(&mut self, other: Batch) {
        self.bytes += other.bytes;
        self.writes.extend(other.writes);
    }

    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A range of keys: from the first one on, up to the second one as its bound says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Bound<Vec<u8>>,
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    pub fn all() -> Self {
        Self {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
        }
    }

    /// Both ends belong to the range.
    pub fn inclusive(start: Vec<u8>, end: Vec<u8>) -> Self {
        Self {
            start: Bound::Included(start),
            end: Bound::Included(end),
        }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self {
            start: Bound::Included(prefix.to_vec()),
            end: after_prefix(prefix),
        }
    }

    /// Every key behind those that begin with `prefix`, as long as it begins with `within`.
    pub fn behind_prefix(prefix: &[u8], within: &[u8]) -> Self {
        let start = match after_prefix(prefix) {
            Bound::Excluded(next) => Bound::Included(next),
            // No key sorts behind a prefix of 0xff bytes alone; an empty range says so.
            _ => Bound::Excluded(prefix.to_vec()),
        };
        Self {
            start,
            end: after_prefix(within),
        }
    }

    /// A range whose end lies before its start holds nothing; the ordered maps below both engines panic on one.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start), Bound::Excluded(end)) | (Bound::Excluded(start), Bound::Included(end)) => {
                start >= end
            }
            (Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            _ => false,
        }
    }
}

/// The first key that sorts behind everything that begins with `prefix`.
fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if last < u8::MAX {
            next.push(last + 1);
            return Bound::Excluded(next);
        }
    }
    Bound::Unbounded
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The pairs of a range in the order of their keys, from either end. Each step sees the engine as it is then, not as it
/// was when the scan began.
pub type Scan<'a> = Box<dyn DoubleEndedIterator<Item = Result<Pair, EngineError>> + 'a>;

/// An ordered map of bytes on stable storage. All calls block; [`Engine::apply`] and [`Engine::sync`] are called by the
/// committer alone, reads by anybody at any time.
pub trait Engine: Send + Sync {
    /// Makes all writes of the batch visible to reads. They survive a crash together, and only for sure after a sync.
    fn apply(&self, batch: &Batch) -> Result<(), EngineError>;

    /// Returns once everything applied before the call survives a power loss.
    fn sync(&self) -> Result<(), EngineError>;

    /// The value under a key; `None` if there is no such key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The pairs of a range in order; `.rev()` or `.next_back()` for the other direction.
    fn scan(&self, range: &KeyRange) -> Scan<'_>;
}

/// A shared engine is an engine.
impl<E: Engine + ?Sized> Engine for Arc<E> {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        (**self).apply(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        (**self).sync()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        (**self).get(key)
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        (**self).scan(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_carries_over_full_bytes() {
        assert_eq!(KeyRange::prefix(b"ab").end, Bound::Excluded(b"ac".to_vec()));
        assert_eq!(KeyRange::prefix(&[1, 0xff, 0xff]).end, Bound::Excluded(vec![2]));
        assert_eq!(KeyRange::prefix(&[0xff]).end, Bound::Unbounded);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_empty() {
        assert!(KeyRange::inclusive(vec![2], vec![1]).is_empty());
        assert!(!KeyRange::inclusive(vec![1], vec![1]).is_empty());
        assert!(KeyRange::behind_prefix(&[7, 0xff], &[7]).is_empty());
        assert!(!KeyRange::behind_prefix(&[7, 1], &[7]).is_empty());
        assert!(!KeyRange::all().is_empty());
    }
}
