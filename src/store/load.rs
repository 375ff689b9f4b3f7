//! Reading documents back: the newest snapshot, the changes behind it, their authors.
//!
//! Readers take no lock and may run beside the committer and beside a compaction. Compaction deletes only what a newer
//! complete snapshot contains, so a reader that finds something missing looks for a newer snapshot before it reports.
//!
//! Invariants:
//! - Every value is checked, every number from the snapshot to the end is there, or the answer is an error.
//! - Nothing above the last durable commit number is returned.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::committer::AuthorRecord;
use super::engine::{KeyRange, Pair};
use super::layout::{Assembly, DOCUMENTS, Damage, DocumentKeys, Kind, document_in, open_small};
use super::notes::NoteReader;
use super::{Shared, StoreError, number};
use crate::id::DocumentId;

/// How often a reader starts again because a compaction overtook it. Each time takes a whole new snapshot, so that two
/// in a row are rare.
const ATTEMPTS: usize = 8;

/// Documents looked at for one page of a list of them.
const LOOKED_AT: usize = 10_000;

/// A whole document, as it was after one of its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the last change it contains.
    pub number: u64,
    /// The heads of the document in it.
    pub heads: Vec<[u8; 32]>,
    pub bytes: Bytes,
}

/// What is stored of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub snapshot: Option<Snapshot>,
    /// The changes behind the snapshot with their numbers, in order and without a hole.
    pub tail: Vec<(u64, Bytes)>,
    /// The number of the last change in all this; at least 1.
    pub last_number: u64,
}

impl Stored {
    pub fn snapshot_bytes(&self) -> usize {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes.len())
    }

    pub fn tail_bytes(&self) -> usize {
        self.tail.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The last record of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SnapshotEnd {
    /// Bytes of the heads and the document together.
    pub length: u64,
    /// The checksum of all these bytes.
    pub crc: u32,
    pub heads: u32,
}

impl SnapshotEnd {
    pub fn encode(&self) -> Vec<u8> {
        let mut record = self.length.to_be_bytes().to_vec();
        record.extend_from_slice(&self.crc.to_be_bytes());
        record.extend_from_slice(&self.heads.to_be_bytes());
        record
    }

    fn decode(record: &[u8]) -> Result<Self, Damage> {
        let record: &[u8; 16] = record
            .try_into()
            .map_err(|_| Damage::Record(format!("{} bytes", record.len())))?;
        let [a, b, c, d, e, f, g, h, crc @ .., i, j, k, l] = *record;
        Ok(Self {
            length: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            crc: u32::from_be_bytes(crc),
            heads: u32::from_be_bytes([i, j, k, l]),
        })
    }
}

/// Reads one document.
pub(super) struct Reader<'a> {
    shared: &'a Shared,
    document: &'a DocumentId,
    keys: DocumentKeys,
}

impl<'a> Reader<'a> {
    pub fn new(shared: &'a Shared, document: &'a DocumentId) -> Self {
        Self {
            shared,
            document,
            keys: DocumentKeys::new(document),
        }
    }

    pub fn load(&self, upto: u64) -> Result<Option<Stored>, StoreError> {
        let end = self.last_durable()?.min(upto);
        if end == 0 {
            return Ok(None);
        }
        let mut attempt = 1;
        loop {
            let newest = self.newest_snapshot(end)?;
            let error = match self.load_from(newest, end) {
                Ok(stored) => return Ok(Some(stored)),
                Err(error) => error,
            };
            if attempt == ATTEMPTS || self.newest_snapshot(end)? == newest {
                return Err(self.explain(error, end));
            }
            attempt += 1;
        }
    }

    fn load_from(&self, newest: Option<u64>, end: u64) -> Result<Stored, StoreError> {
        let snapshot = newest.map(|number| self.snapshot(number)).transpose()?;
        let mut tail = Vec::new();
        let first = newest.map_or(1, |number| number + 1);
        self.records(Kind::Change, first..=end, |number, record| {
            tail.push((number, Bytes::from(record)));
            Ok(())
        })?;
        Ok(Stored {
            snapshot,
            tail,
            last_number: end,
        })
    }

    /// A hole may have a harmless cause that the caller should be told: it asked for a time before a compaction.
    fn explain(&self, error: StoreError, end: u64) -> StoreError {
        match (&error, self.newest_snapshot(u64::MAX)) {
            (StoreError::Missing { .. }, Ok(Some(snapshot))) if snapshot > end => StoreError::Compacted {
                document: self.document.clone(),
                upto: end,
                snapshot,
            },
            _ => error,
        }
    }

    pub fn authors(&self, numbers: RangeInclusive<u64>) -> Result<Vec<(u64, AuthorRecord)>, StoreError> {
        let end = self.last_durable()?.min(*numbers.end());
        let mut authors = Vec::new();
        self.records(Kind::Author, (*numbers.start()).max(1)..=end, |number, record| {
            let author = AuthorRecord::decode(&record).map_err(Damage::Record)?;
            authors.push((number, author));
            Ok(())
        })?;
        Ok(authors)
    }

    /// The number of the last change that is synced; 0 if there is none.
    pub fn last_durable(&self) -> Result<u64, StoreError> {
        let mut last = self.last_number()?;
        let strays = last.is_none() && self.any_key()?;
        if strays {
            // Perhaps the document came into being between the two reads.
            last = self.last_number()?;
        }
        // Asked after reading: see `Unsynced`. A batch that failed may have left some of its values behind and no last
        // number; then nothing of the document is durable, which is not damage.
        match (last, self.shared.unsynced.durable(self.document, u64::MAX)) {
            (Some(last), durable) => Ok(last.min(durable)),
            (None, durable) if strays && durable > 0 => Err(StoreError::NoLastNumber {
                document: self.document.clone(),
            }),
            (None, _) => Ok(0),
        }
    }

    /// The last number that the engine shows, durable or not.
    pub fn last_number(&self) -> Result<Option<u64>, StoreError> {
        let key = self.keys.last_number();
        let Some(value) = self.shared.engine.get(&key)? else {
            return Ok(None);
        };
        let last = open_small(&key, &value).and_then(number);
        last.map(Some)
            .map_err(|damage| self.damaged(Kind::LastNumber, 0, damage))
    }

    fn any_key(&self) -> Result<bool, StoreError> {
        Ok(self.shared.engine.scan(&self.keys.all()).next().transpose()?.is_some())
    }

    /// The number of the newest complete snapshot that contains nothing above `upto`.
    pub fn newest_snapshot(&self, upto: u64) -> Result<Option<u64>, StoreError> {
        let range = self.keys.range(Kind::SnapshotEnd, 0, upto);
        let newest = self.shared.engine.scan(&range).next_back().transpose()?;
        newest.map(|(key, _)| self.number_in(&key)).transpose()
    }

    /// The numbers of all complete snapshots, in order.
    pub fn snapshots(&self) -> Result<Vec<u64>, StoreError> {
        let range = self.keys.range(Kind::SnapshotEnd, 0, u64::MAX);
        self.shared
            .engine
            .scan(&range)
            .map(|pair| self.number_in(&pair?.0))
            .collect()
    }

    /// A complete snapshot, every piece and the whole of it checked.
    pub fn snapshot(&self, number: u64) -> Result<Snapshot, StoreError> {
        let key = self.keys.snapshot_end(number);
        let missing = || self.missing(Kind::SnapshotEnd, number, None);
        let value = self.shared.engine.get(&key)?.ok_or_else(missing)?;
        let end = open_small(&key, &value).and_then(SnapshotEnd::decode);
        let end = end.map_err(|damage| self.damaged(Kind::SnapshotEnd, number, damage))?;
        self.snapshot_pieces(number, end)
    }

    /// The pieces of a snapshot, checked against what its last record says or will say.
    pub fn snapshot_pieces(&self, number: u64, end: SnapshotEnd) -> Result<Snapshot, StoreError> {
        let mut stream = Vec::new();
        self.records(Kind::SnapshotPiece, number..=number, |_, record| {
            stream = record;
            Ok(())
        })?;
        let heads_length = end.heads as usize * 32;
        let damage = match stream.len() as u64 {
            length if length != end.length => Some(format!("{length} bytes instead of {}", end.length)),
            _ if crc32fast::hash(&stream) != end.crc => Some("the checksum of the whole does not fit".into()),
            length if length < heads_length as u64 => Some("shorter than its heads".into()),
            _ => None,
        };
        if let Some(text) = damage {
            return Err(self.damaged(Kind::SnapshotPiece, number, Damage::Record(text)));
        }
        let bytes = Bytes::from(stream);
        let (heads, _) = bytes[..heads_length].as_chunks::<32>();
        Ok(Snapshot {
            number,
            heads: heads.to_vec(),
            bytes: bytes.slice(heads_length..),
        })
    }

    /// Puts the records of these numbers together; each must be there.
    fn records(
        &self,
        kind: Kind,
        numbers: RangeInclusive<u64>,
        mut each: impl FnMut(u64, Vec<u8>) -> Result<(), Damage>,
    ) -> Result<(), StoreError> {
        let (first, last) = numbers.into_inner();
        let mut expected = first;
        let mut assembly = Assembly::default();
        let range = self.keys.range(kind, first, last);
        for pair in self.shared.engine.scan(&range) {
            let (key, value): Pair = pair?;
            let number = self.number_in(&key)?;
            let damaged = |damage| self.damaged(kind, expected, damage);
            if number != expected {
                assembly.finish().map_err(damaged)?;
                return Err(match number < expected {
                    true => self.damaged(kind, number, Damage::ExtraPiece),
                    false => self.missing(kind, expected, Some(number)),
                });
            }
            if let Some(record) = assembly.push(&self.keys, &key, &value).map_err(damaged)? {
                each(number, record).map_err(damaged)?;
                expected += 1;
            }
        }
        assembly
            .finish()
            .map_err(|damage| self.damaged(kind, expected, damage))?;
        match expected <= last {
            true => Err(self.missing(kind, expected, None)),
            false => Ok(()),
        }
    }

    fn number_in(&self, key: &[u8]) -> Result<u64, StoreError> {
        self.keys.number_in(key).map_err(|_| StoreError::StrangeKey {
            document: self.document.clone(),
        })
    }

    fn damaged(&self, kind: Kind, number: u64, damage: Damage) -> StoreError {
        StoreError::Damaged {
            document: self.document.clone(),
            kind,
            number,
            damage,
        }
    }

    fn missing(&self, kind: Kind, expected: u64, found: Option<u64>) -> StoreError {
        StoreError::Missing {
            document: self.document.clone(),
            kind,
            expected,
            found,
        }
    }
}

/// Which documents a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Present,
    /// Those that are deleted.
    Deleted,
}

/// Part of the list of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub documents: Vec<DocumentId>,
    /// Where to go on; none at the end. A page that is not full may go on as well: so many documents were looked at.
    pub next: Option<DocumentId>,
}

/// The documents behind `after` that have something durable. Jumps from one to the next, whatever their size.
pub(super) fn documents(
    shared: &Shared,
    which: Listed,
    after: Option<&DocumentId>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut range = match after {
        Some(after) => KeyRange::behind_prefix(DocumentKeys::new(after).prefix(), DOCUMENTS),
        None => KeyRange::prefix(DOCUMENTS),
    };
    let mut documents = Vec::new();
    let (mut last, mut looked_at) = (None, 0);
    while documents.len() < limit && looked_at < LOOKED_AT {
        let Some(pair) = shared.engine.scan(&range).next() else {
            last = None;
            break;
        };
        let document = document_in(&pair?.0).map_err(StoreError::DocumentKey)?;
        let reader = Reader::new(shared, &document);
        range = KeyRange::behind_prefix(reader.keys.prefix(), DOCUMENTS);
        looked_at += 1;
        last = Some(document.clone());
        // A document that does not read is listed: it is there, and opening it gives the error.
        let fate = NoteReader::new(shared, &document).durable_fate();
        let is_deleted = fate.is_ok_and(|fate| fate.is_some_and(|fate| fate.tombstone().is_some()));
        if is_deleted == (which == Listed::Deleted) && !matches!(reader.last_durable(), Ok(0)) {
            documents.push(document);
        }
    }
    Ok(Page { documents, next: last })
}
