//! The change log of a room: what was committed lately, and the frames made of it.
//!
//! Connections that are caught up hold a position in this log and pull what lies behind it. The bytes for a range are
//! made once and shared by all who ask for that range, which is what makes a thousand observers of one document
//! cheap: the library would walk the history of the document for each of them.
//!
//! A position is a commit number of the document; position `p` stands behind the change with that number. Three marks
//! run along the log: `start` (before the first entry kept), `durable` (synced) and `end` (appended).
//!
//! Invariants: nothing behind `durable` is ever given out; `heads` and `last_sync` of a frame come from the ends of its
//! range, never from the document, whose heads may not be durable yet; entries that are not durable are never dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use automerge::ChangeHash;
use automerge::sync::{BloomFilter, ChunkList, Have, Message, MessageVersion};
use bytes::Bytes;

use crate::id::ConnectionId;

mod written;

use written::Origins;
pub use written::{Logged, Origin, Written};

/// The version of a document: the hashes of its newest changes, sorted.
pub type Heads = Arc<[ChangeHash]>;

/// A writer whose own changes in a range are longer than this gets a frame without them: it has them.
const OWN_BYTES_WORTH_LEAVING_OUT: usize = 4 * 1024;

/// How many made frames are remembered. Observers ask for the same one or two ranges within a moment.
const FRAMES_REMEMBERED: usize = 4;

/// How much of the past a room keeps in memory.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogLimits {
    /// Changes kept, at most. One that is not durable yet is kept beyond it.
    pub changes: usize,
    /// Bytes of changes kept, at most, in bytes.
    pub bytes: usize,
    /// A frame is cut after this many bytes of changes; a single longer change travels alone.
    pub frame_bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            changes: 4096,
            bytes: 4 << 20,
            frame_bytes: 1 << 20,
        }
    }
}

/// One committed change.
#[derive(Debug, Clone)]
struct Entry {
    hash: ChangeHash,
    bytes: Bytes,
    /// The heads of the document behind this change.
    heads: Heads,
    /// The connection it came through; none for the server's own.
    from: Option<ConnectionId>,
    origin: Arc<Origin>,
    key: Option<Arc<str>>,
}

/// What the log has for a reader at some position.
#[derive(Debug, PartialEq, Eq)]
pub enum Pull {
    /// Nothing durable lies behind the position.
    Nothing,
    /// A sync message with the changes up to the position `upto`.
    Frame { data: Bytes, upto: u64 },
    /// The position lies before the start: the reader must catch up through the library.
    Behind,
}

struct Frame {
    from: u64,
    upto: u64,
    data: Bytes,
}

/// The changes of one room since it was opened, bounded.
pub struct ChangeLog {
    limits: LogLimits,
    start: u64,
    heads_at_start: Heads,
    entries: VecDeque<Entry>,
    bytes: usize,
    durable: u64,
    /// The position behind each change that is kept.
    positions: HashMap<ChangeHash, u64>,
    frames: VecDeque<Frame>,
    origins: Origins,
}

impl ChangeLog {
    /// A log that begins at `position`, where the document has `heads` and everything is durable.
    pub fn starting_at(position: u64, heads: Heads, limits: LogLimits) -> Self {
        Self {
            limits,
            start: position,
            heads_at_start: heads,
            entries: VecDeque::new(),
            bytes: 0,
            durable: position,
            positions: HashMap::new(),
            frames: VecDeque::new(),
            origins: Origins::default(),
        }
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    pub fn end(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    /// The heads of the document at the end of the log.
    pub fn heads(&self) -> Heads {
        self.entries
            .back()
            .map_or_else(|| self.heads_at_start.clone(), |entry| entry.heads.clone())
    }

    /// The heads at the last durable position: what may be shown.
    pub fn durable_heads(&self) -> Heads {
        self.heads_at(self.durable)
            .expect("the durable mark lies within the log")
    }

    fn heads_at(&self, position: u64) -> Option<Heads> {
        match position.checked_sub(self.start)? {
            0 => Some(self.heads_at_start.clone()),
            n => self.entries.get(n as usize - 1).map(|entry| entry.heads.clone()),
        }
    }

    /// Appends a change that the document has taken; its number is the new end, which is returned.
    pub fn append(&mut self, logged: Logged<'_>) -> u64 {
        let Logged {
            hash,
            bytes,
            heads,
            from,
            author,
            key,
        } = logged;
        self.bytes += bytes.len();
        let origin = self.origins.of(author);
        self.entries.push_back(Entry {
            hash,
            bytes,
            heads,
            from,
            origin,
            key,
        });
        let number = self.end();
        self.positions.insert(hash, number);
        self.trim();
        number
    }

    #[cfg(test)]
    pub fn append_from(&mut self, hash: ChangeHash, bytes: Bytes, heads: Heads, from: Option<ConnectionId>) -> u64 {
        let author = crate::document::author::Author {
            time: 0,
            user: None,
            device: format!("{from:?}"),
            door: crate::document::author::Door::Sync,
        };
        self.append(Logged {
            hash,
            bytes,
            heads,
            from,
            author: &author,
            key: None,
        })
    }

    /// Who has written the changes between two positions, in order; none if the log does not go back so far.
    pub fn origins(&self, from: u64, upto: u64) -> Option<Vec<Written>> {
        let first = usize::try_from(from.checked_sub(self.start)?).ok()?;
        let last = usize::try_from(upto.checked_sub(self.start)?).ok()?;
        let range = (first <= last && last <= self.entries.len()).then_some(first..last)?;
        let written = self.entries.range(range).map(|entry| Written {
            origin: entry.origin.clone(),
            from: entry.from,
            key: entry.key.clone(),
        });
        Some(written.collect())
    }

    /// The versions that may have been shown, the newest first, at most so many.
    pub fn versions(&self, most: usize) -> Vec<Heads> {
        let positions = (self.start..=self.durable).rev().take(most);
        positions.filter_map(|position| self.heads_at(position)).collect()
    }

    /// Moves the durable mark forward.
    pub fn flushed(&mut self, position: u64) {
        debug_assert!(position <= self.end());
        self.durable = self.durable.max(position);
        self.trim();
    }

    /// Forgets what was appended but did not become durable: the store has failed.
    pub fn roll_back(&mut self) {
        while self.end() > self.durable {
            let entry = self.entries.pop_back().expect("the end lies behind the durable mark");
            self.bytes -= entry.bytes.len();
            self.positions.remove(&entry.hash);
        }
        self.frames.clear();
    }

    /// Forgets every durable entry: the room goes to sleep. The numbers and heads stay.
    pub fn forget(&mut self) {
        while self.start < self.durable {
            self.drop_first();
        }
        self.entries.shrink_to_fit();
        self.positions.shrink_to_fit();
    }

    fn trim(&mut self) {
        while self.start < self.durable && (self.entries.len() > self.limits.changes || self.bytes > self.limits.bytes)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.bytes.len();
        self.positions.remove(&entry.hash);
        self.start += 1;
        self.heads_at_start = entry.heads;
        self.frames.retain(|frame| frame.from >= self.start);
    }

    /// Whether this is a change of the document that the log can vouch for; others need a look at the document.
    pub fn knows(&self, hash: &ChangeHash) -> bool {
        self.positions.contains_key(hash) || self.heads_at_start.contains(hash)
    }

    /// The position at which the document had exactly these heads, if it is still in the log.
    pub fn position_of(&self, heads: &[ChangeHash]) -> Option<u64> {
        // The change just before the position wanted is one of the heads there, and the newest of them.
        let newest = heads.iter().filter_map(|hash| self.positions.get(hash)).max().copied();
        let position = newest.unwrap_or(self.start);
        (*self.heads_at(position)? == *heads).then_some(position)
    }

    /// The heads the document had at a position, if it is still in the log.
    pub fn heads_of(&self, position: u64) -> Option<Heads> {
        (position <= self.end()).then(|| self.heads_at(position)).flatten()
    }

    /// The changes between two positions, in order; none if the log does not go back so far.
    pub fn changes(&self, from: u64, upto: u64) -> Option<Vec<Bytes>> {
        let first = usize::try_from(from.checked_sub(self.start)?).ok()?;
        let last = usize::try_from(upto.checked_sub(self.start)?).ok()?;
        let range = (first <= last && last <= self.entries.len()).then_some(first..last)?;
        Some(self.entries.range(range).map(|entry| entry.bytes.clone()).collect())
    }

    /// What lies between `cursor` and the durable mark, as one sync message for `reader`.
    pub fn pull(&mut self, cursor: u64, reader: Option<ConnectionId>) -> Pull {
        if cursor < self.start {
            return Pull::Behind;
        }
        if cursor >= self.durable {
            return Pull::Nothing;
        }
        let upto = self.cut(cursor);
        let first = (cursor - self.start) as usize;
        let last = (upto - self.start) as usize;
        let own: usize = self
            .entries
            .range(first..last)
            .filter(|e| reader.is_some() && e.from == reader)
            .map(|e| e.bytes.len())
            .sum();
        if own > OWN_BYTES_WORTH_LEAVING_OUT {
            return Pull::Frame {
                data: self.message(first, last, reader),
                upto,
            };
        }
        if let Some(frame) = self
            .frames
            .iter()
            .find(|frame| frame.from == cursor && frame.upto == upto)
        {
            return Pull::Frame {
                data: frame.data.clone(),
                upto,
            };
        }
        let data = self.message(first, last, None);
        if self.frames.len() == FRAMES_REMEMBERED {
            self.frames.pop_front();
        }
        self.frames.push_back(Frame {
            from: cursor,
            upto,
            data: data.clone(),
        });
        Pull::Frame { data, upto }
    }

    /// The end of the frame that begins at `cursor`.
    fn cut(&self, cursor: u64) -> u64 {
        let first = (cursor - self.start) as usize;
        let last = (self.durable - self.start) as usize;
        let mut bytes = 0;
        let mut upto = cursor;
        for entry in self.entries.range(first..last) {
            bytes += entry.bytes.len();
            if bytes > self.limits.frame_bytes && upto > cursor {
                break;
            }
            upto += 1;
        }
        upto
    }

    /// A V1 message without flags, which every client takes at any time. The Bloom filter covers all changes of the
    /// range, also those left out for their writer: otherwise its next message would carry them again. `have` must not
    /// be empty: the client's next edit would then carry no change.
    fn message(&self, first: usize, last: usize, without: Option<ConnectionId>) -> Bytes {
        let range = || self.entries.range(first..last);
        let last_sync = self
            .heads_at(self.start + first as u64)
            .expect("the range lies within the log");
        let heads = &self.entries[last - 1].heads;
        let changes: Vec<Vec<u8>> = range()
            .filter(|entry| without.is_none() || entry.from != without)
            .map(|entry| entry.bytes.to_vec())
            .collect();
        let bloom = BloomFilter::from_hashes(range().map(|entry| entry.hash));
        let message = Message {
            heads: heads.to_vec(),
            need: Vec::new(),
            have: vec![Have {
                last_sync: last_sync.to_vec(),
                bloom,
            }],
            changes: ChunkList::from(changes),
            flags: None,
            version: MessageVersion::V1,
        };
        message.encode().into()
    }
}

#[cfg(test)]
mod tests;
