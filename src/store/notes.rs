//! Notes: what is stored beside the changes of a document, in the batch of the change they belong to or in one of their own.
//!
//! There are two: what became of an idempotency key, so that a write that is sent again is not done again, and whether the
//! document is deleted. A deleted document keeps everything it has; the note alone says so.
//!
//! Invariants:
//! - A note and the changes of its append are there together or not at all.
//! - The last note about a key, or about the fate of a document, is the one that holds.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::layout::{Damage, DocumentKeys, Kind, open, open_small};
use super::{Shared, StoreError};
use crate::document::author::Author;
use crate::id::DocumentId;
use crate::key::KeyId;

/// The longest answer kept of a write, in bytes. A longer one is not kept: the write is known to be done, and no more.
pub const MAX_ANSWER: usize = 64 << 10;

/// The longest name kept of who deleted a document, in bytes.
const MAX_BY: usize = 512;

/// How often a reader starts again because a record was removed under it.
const ATTEMPTS: usize = 8;

/// What became of the write with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// What tells the request from any other that comes with the same key.
    pub digest: [u8; 32],
    /// What was answered; the store does not look into it. At most [`MAX_ANSWER`] bytes.
    pub answer: Bytes,
}

/// Since when a document is deleted, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Milliseconds since 1970, by the server's clock.
    pub at: u64,
    /// The user, or the device of one who is not known.
    pub by: String,
}

impl Tombstone {
    pub fn of(author: &Author) -> Self {
        let by = author.user.as_ref().unwrap_or(&author.device);
        Self {
            at: author.time,
            by: by
                .char_indices()
                .take_while(|(at, letter)| at + letter.len_utf8() <= MAX_BY)
                .map(|(_, letter)| letter)
                .collect(),
        }
    }
}

/// Whether a document is deleted, as it is stored: nothing is stored of one that never was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    Deleted(Tombstone),
    /// It was deleted before, and then restored by this one.
    Restored(Tombstone),
}

impl Fate {
    pub fn tombstone(&self) -> Option<&Tombstone> {
        match self {
            Fate::Deleted(tombstone) => Some(tombstone),
            Fate::Restored(_) => None,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a tombstone is a number and a string")
    }
}

/// Something to be stored beside the changes of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// What became of a key; takes the place of what was known of it.
    Key {
        id: KeyId,
        record: KeyRecord,
        /// Milliseconds since 1970, by the server's clock: what is 30 days older than this is forgotten.
        now: u64,
    },
    Fate(Fate),
}

impl Note {
    /// What it takes in the queue, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Note::Key { record, .. } => record.answer.len() + 64,
            Note::Fate(_) => MAX_BY,
        }
    }
}

impl KeyRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        [&self.digest[..], &self.answer].concat()
    }

    fn decode(record: Vec<u8>) -> Result<Self, Damage> {
        let digest = *record
            .first_chunk()
            .ok_or_else(|| Damage::Record("shorter than a digest".into()))?;
        Ok(Self {
            digest,
            answer: Bytes::from(record).slice(32..),
        })
    }
}

/// How many keys are kept of a document, and what was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeyCount {
    pub count: u64,
    /// The time of the youngest key that was forgotten: one as old as that is not known to be new. 0 if there is none.
    pub floor: u64,
}

impl KeyCount {
    pub fn encode(self) -> [u8; 16] {
        let mut record = [0; 16];
        record[..8].copy_from_slice(&self.count.to_be_bytes());
        record[8..].copy_from_slice(&self.floor.to_be_bytes());
        record
    }

    fn decode(record: &[u8]) -> Result<Self, Damage> {
        let (numbers, rest) = record.as_chunks::<8>();
        match (numbers, rest) {
            ([count, floor], []) => Ok(Self {
                count: u64::from_be_bytes(*count),
                floor: u64::from_be_bytes(*floor),
            }),
            _ => Err(Damage::Record(format!("{} bytes", record.len()))),
        }
    }
}

/// Reads the notes of one document as the engine shows them, durable or not.
pub(super) struct NoteReader<'a> {
    pub shared: &'a Shared,
    pub document: &'a DocumentId,
    pub keys: DocumentKeys,
}

impl<'a> NoteReader<'a> {
    pub fn new(shared: &'a Shared, document: &'a DocumentId) -> Self {
        let keys = DocumentKeys::new(document);
        Self { shared, document, keys }
    }

    pub fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let damaged = |damage| self.damaged(Kind::IdempotencyKey, id.time, damage);
        let mut attempt = 1;
        loop {
            match self.key_pieces(id)? {
                Ok(None) => return Ok(None),
                Ok(Some(record)) => return KeyRecord::decode(record).map(Some).map_err(damaged),
                // Removed under us, one would think; then its first piece is gone as well.
                Err(Damage::MissingPiece { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(damage) => return Err(damaged(damage)),
            }
        }
    }

    fn key_pieces(&self, id: &KeyId) -> Result<Result<Option<Vec<u8>>, Damage>, StoreError> {
        let mut record = Vec::new();
        for piece in 0.. {
            let key = self.keys.idempotency_key_piece(id, piece);
            let Some(value) = self.shared.engine.get(&key)? else {
                return Ok(match piece {
                    0 => Ok(None),
                    expected => Err(Damage::MissingPiece { expected }),
                });
            };
            match open(&key, &value) {
                Ok((payload, last)) => {
                    record.extend_from_slice(payload);
                    if last {
                        break;
                    }
                }
                Err(damage) => return Ok(Err(damage)),
            }
        }
        Ok(Ok(Some(record)))
    }

    pub fn has_key(&self, id: &KeyId) -> Result<bool, StoreError> {
        let first = self.keys.idempotency_key_piece(id, 0);
        Ok(self.shared.engine.get(&first)?.is_some())
    }

    pub fn key_count(&self) -> Result<KeyCount, StoreError> {
        let key = self.keys.key_count();
        let Some(value) = self.shared.engine.get(&key)? else {
            return Ok(KeyCount::default());
        };
        let count = open_small(&key, &value).and_then(KeyCount::decode);
        count.map_err(|damage| self.damaged(Kind::KeyCount, 0, damage))
    }

    pub fn fate(&self) -> Result<Option<Fate>, StoreError> {
        let key = self.keys.fate();
        let Some(value) = self.shared.engine.get(&key)? else {
            return Ok(None);
        };
        let fate = open_small(&key, &value)
            .and_then(|record| serde_json::from_slice(record).map_err(|error| Damage::Record(error.to_string())));
        fate.map(Some).map_err(|damage| self.damaged(Kind::Fate, 0, damage))
    }

    /// Whether the document is deleted, as far as that is durable.
    pub fn durable_fate(&self) -> Result<Option<Fate>, StoreError> {
        let read = self.fate()?;
        // Asked after reading: see `Unsynced`.
        Ok(match self.shared.unsynced.fate_before(self.document) {
            Some(before) => before,
            None => read,
        })
    }

    pub fn damaged(&self, kind: Kind, number: u64, damage: Damage) -> StoreError {
        StoreError::Damaged {
            document: self.document.clone(),
            kind,
            number,
            damage,
        }
    }
}
