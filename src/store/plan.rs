//! The batch that the committer is about to write: what of it is accepted, and what is forgotten to keep it bounded.
//!
//! Invariants:
//! - An append that would leave a hole or write over a change is refused, alone.
//! - Beside those that are young, a document has at most as many idempotency keys as the bound says once their count has come
//!   down to it; those forgotten are the oldest, and the time of the youngest of them is stored in the same batch.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::committer::AuthorRecord;
use super::engine::Batch;
use super::layout::{DocumentKeys, Kind, pieces, put_idempotency_key, put_record, put_small};
use super::load::Reader;
use super::notes::{Fate, KeyCount, KeyRecord, Note, NoteReader};
use super::queue::{Item, StoredChange, Work};
use super::unsynced::Marks;
use super::{Shared, StoreError, StoreFailure};
use crate::id::DocumentId;
use crate::key::{KEPT_MS, KeyId, YOUNG_MS};

/// Keys forgotten with each new one, at most: a bound that was lowered, or a month without keys, is worked off by and by.
const FORGOTTEN_AT_ONCE: usize = 4;

/// A batch in the making.
pub(super) struct Plan<'a> {
    shared: &'a Shared,
    pub batch: Batch,
    pub marks: Marks,
    last_numbers: HashMap<DocumentId, u64>,
    keys: HashMap<DocumentId, Keys>,
    /// Documents that could not be read: nothing more of theirs goes into this batch.
    unreadable: HashSet<DocumentId>,
}

/// The idempotency keys of one document, as they will be behind the batch.
struct Keys {
    count: KeyCount,
    /// The keys put in this batch that it does not remove again, with the number of their pieces.
    put: BTreeMap<KeyId, u32>,
    removed: HashSet<KeyId>,
    /// What is stored up to here was removed. They go the oldest first, and the search goes on where it ended.
    searched: Option<KeyId>,
}

impl<'a> Plan<'a> {
    pub fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            batch: Batch::default(),
            marks: Marks::default(),
            last_numbers: HashMap::new(),
            keys: HashMap::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Adds an item to the batch, or says why it is refused; then nothing of it is in the batch.
    pub fn add(&mut self, item: &Item) -> Result<(), Arc<StoreFailure>> {
        match &item.work {
            Work::Append {
                document,
                changes,
                notes,
            } => self.add_append(document, changes, notes).map_err(|failure| {
                tracing::error!(%document, %failure, "an append is refused");
                Arc::new(failure)
            }),
            Work::Encoded(step) => {
                self.batch.extend(step.clone());
                Ok(())
            }
        }
    }

    fn add_append(
        &mut self,
        document: &DocumentId,
        changes: &[StoredChange],
        notes: &[Note],
    ) -> Result<(), StoreFailure> {
        let last = self.check_numbers(document, changes)?;
        let mut batch = Batch::default();
        encode_changes(&mut batch, document, changes);
        let before = self.plan_notes(&mut batch, document, notes).map_err(|error| {
            self.unreadable.insert(document.clone());
            StoreFailure::Read(error)
        })?;
        if let Some(first) = changes.first() {
            self.marks.numbers.entry(document.clone()).or_insert(first.number);
        }
        if let Some(before) = before {
            self.marks.fates.entry(document.clone()).or_insert(before);
        }
        self.last_numbers.insert(document.clone(), last);
        self.batch.extend(batch);
        Ok(())
    }

    /// Refuses what would leave a hole or write over a change: a document with a hole can never be loaded again, and what
    /// is durable must stay. Only a room with a bug asks for it, and only that room pays. Returns the last number.
    fn check_numbers(&self, document: &DocumentId, changes: &[StoredChange]) -> Result<u64, StoreFailure> {
        if self.unreadable.contains(document) {
            return Err(StoreFailure::Unreadable(document.clone()));
        }
        let after = match self.last_numbers.get(document) {
            Some(last) => *last,
            None => Reader::new(self.shared, document)
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
        Ok(after + changes.len() as u64)
    }

    /// Adds the notes to the batch. Returns the fate as it is on disk, if one of them changes it.
    fn plan_notes(
        &mut self,
        batch: &mut Batch,
        document: &DocumentId,
        notes: &[Note],
    ) -> Result<Option<Option<Fate>>, StoreError> {
        let reader = NoteReader::new(self.shared, document);
        let mut before = None;
        for note in notes {
            match note {
                Note::Fate(fate) => {
                    before = Some(reader.fate()?);
                    put_small(batch, reader.keys.fate(), &fate.encode());
                }
                Note::Key { id, record, now } => {
                    let keys = match self.keys.entry(document.clone()) {
                        Entry::Occupied(keys) => keys.into_mut(),
                        Entry::Vacant(place) => place.insert(Keys::behind(reader.key_count()?)),
                    };
                    keys.put(batch, &reader, *id, record)?;
                    keys.forget_oldest(batch, &reader, self.shared.limits.keys as u64, *now)?;
                    put_small(batch, reader.keys.key_count(), &keys.count.encode());
                }
            }
        }
        Ok(before)
    }
}

impl Keys {
    fn behind(count: KeyCount) -> Self {
        Self {
            count,
            put: BTreeMap::new(),
            removed: HashSet::new(),
            searched: None,
        }
    }

    fn put(
        &mut self,
        batch: &mut Batch,
        reader: &NoteReader<'_>,
        id: KeyId,
        record: &KeyRecord,
    ) -> Result<(), StoreError> {
        let is_known = self.put.contains_key(&id) || (!self.removed.contains(&id) && reader.has_key(&id)?);
        let record = record.encode();
        put_idempotency_key(batch, &reader.keys, &id, &record);
        self.put.insert(id, pieces(record.len()));
        self.removed.remove(&id);
        self.count.count += u64::from(!is_known);
        Ok(())
    }

    /// Forgets keys that are too many or too old, a few at a time.
    fn forget_oldest(
        &mut self,
        batch: &mut Batch,
        reader: &NoteReader<'_>,
        bound: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let kept = match self.count.count > bound {
                true => YOUNG_MS,
                false => KEPT_MS,
            };
            match self.oldest(reader)? {
                Some(oldest) if oldest.time.saturating_add(kept) < now => {
                    self.forget(batch, reader, oldest)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// The oldest key as it will be behind the batch.
    fn oldest(&self, reader: &NoteReader<'_>) -> Result<Option<KeyId>, StoreError> {
        let put = self.put.keys().next().copied();
        let range = reader.keys.idempotency_keys_behind(self.searched.as_ref());
        for pair in reader.shared.engine.scan(&range) {
            let stored = reader.keys.idempotency_key_in(&pair?.0);
            let stored = stored.map_err(|damage| reader.damaged(Kind::IdempotencyKey, 0, damage))?;
            if put.is_some_and(|put| put <= stored) {
                break;
            }
            // What this batch puts lies further behind, what it removes is gone.
            if !self.removed.contains(&stored) {
                return Ok(Some(stored));
            }
        }
        Ok(put)
    }

    fn forget(&mut self, batch: &mut Batch, reader: &NoteReader<'_>, id: KeyId) -> Result<(), StoreError> {
        for piece in 0..self.put.remove(&id).unwrap_or(0) {
            batch.delete(reader.keys.idempotency_key_piece(&id, piece));
        }
        for pair in reader.shared.engine.scan(&reader.keys.idempotency_key_pieces(&id)) {
            batch.delete(pair?.0);
        }
        self.removed.insert(id);
        self.searched = self.searched.max(Some(id));
        self.count.count = self.count.count.saturating_sub(1);
        self.count.floor = self.count.floor.max(id.time);
        Ok(())
    }
}

fn encode_changes(batch: &mut Batch, document: &DocumentId, changes: &[StoredChange]) {
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
