//! How documents lie in an engine: the keys, and the values cut to at most 4 KiB with a checksum each.
//!
//! sled writes larger values into files of their own that it never syncs, so a record (a change, an author, a snapshot)
//! is cut into pieces. The checksum of a piece is made over its key as well: a value that turns up under the wrong key
//! is as damaged as one with a flipped bit.
//!
//! ```text
//! 'm' <name>                                     of the folder: the format version, the storage id
//! 'd' <length of id> <id> 'a' <number> <piece>   author of change <number>
//! 'd' <length of id> <id> 'c' <number> <piece>   change <number>
//! 'd' <length of id> <id> 'k' <time> <hash> <piece>  what became of an idempotency key of this time, in milliseconds
//! 'd' <length of id> <id> 'n'                    the last commit number
//! 'd' <length of id> <id> 'p' <number> <piece>   piece of the snapshot that contains all up to change <number>
//! 'd' <length of id> <id> 'q'                    how many idempotency keys are kept, and up to when some were forgotten
//! 'd' <length of id> <id> 's' <number>           the last record of that snapshot; without it the pieces do not count
//! 'd' <length of id> <id> 't'                    who deleted the document, or restored it, last
//! ```
//! Numbers are u64, pieces u32, both big endian, so that one document is one range and its tail scans in order. A value
//! is `crc32 (4 bytes) | 1 if this is the last piece, else 0 | payload`.

use super::engine::{Batch, KeyRange};
use crate::id::DocumentId;
use crate::key::KeyId;

/// The largest value given to an engine, header included.
pub const MAX_VALUE: usize = 4096;
const HEADER: usize = 5;
/// The payload of a full piece.
pub const PIECE: usize = MAX_VALUE - HEADER;

/// The format that this build writes and reads.
pub const FORMAT: u64 = 1;

const META: u8 = b'm';
const DOCUMENT: u8 = b'd';

/// What a key of a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Author,
    Change,
    LastNumber,
    SnapshotPiece,
    SnapshotEnd,
    IdempotencyKey,
    KeyCount,
    Fate,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Author => b'a',
            Kind::Change => b'c',
            Kind::LastNumber => b'n',
            Kind::SnapshotPiece => b'p',
            Kind::SnapshotEnd => b's',
            Kind::IdempotencyKey => b'k',
            Kind::KeyCount => b'q',
            Kind::Fate => b't',
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Author => "the author of change",
            Kind::Change => "change",
            Kind::LastNumber => "the last commit number",
            Kind::SnapshotPiece => "snapshot",
            Kind::SnapshotEnd => "the last record of snapshot",
            Kind::IdempotencyKey => "the idempotency key of",
            Kind::KeyCount => "the count of idempotency keys",
            Kind::Fate => "the tombstone",
        })
    }
}

/// What is wrong with a value or a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("a value of {0} bytes is shorter than its header")]
    Short(usize),
    #[error("a checksum does not fit its value")]
    Checksum,
    #[error("a mark that is neither 0 nor 1")]
    Mark,
    #[error("a key of an unknown shape")]
    Key,
    #[error("piece {expected} is missing")]
    MissingPiece { expected: u32 },
    #[error("a piece follows the last one")]
    ExtraPiece,
    #[error("the record itself does not read: {0}")]
    Record(String),
}

/// The key of a value about the folder as a whole.
pub fn meta_key(name: &str) -> Vec<u8> {
    let mut key = vec![META];
    key.extend_from_slice(name.as_bytes());
    key
}

/// The prefix that all documents share.
pub const DOCUMENTS: &[u8] = &[DOCUMENT];

/// The keys of one document.
#[derive(Debug, Clone)]
pub struct DocumentKeys {
    prefix: Vec<u8>,
}

impl DocumentKeys {
    pub fn new(document: &DocumentId) -> Self {
        // The decoded form is 16 bytes instead of 27, and base58check decodes to one text only.
        let id = bs58::decode(document.as_str())
            .with_check(None)
            .into_vec()
            .expect("a DocumentId was decoded when it was made");
        let length = u8::try_from(id.len()).expect("a DocumentId has at most 64 bytes");
        let mut prefix = vec![DOCUMENT, length];
        prefix.extend_from_slice(&id);
        Self { prefix }
    }

    /// The prefix of every key of this document.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    fn kind(&self, kind: Kind) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len() + 13);
        key.extend_from_slice(&self.prefix);
        key.push(kind.byte());
        key
    }

    fn number(&self, kind: Kind, number: u64) -> Vec<u8> {
        let mut key = self.kind(kind);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    pub fn piece(&self, kind: Kind, number: u64, piece: u32) -> Vec<u8> {
        let mut key = self.number(kind, number);
        key.extend_from_slice(&piece.to_be_bytes());
        key
    }

    pub fn last_number(&self) -> Vec<u8> {
        self.kind(Kind::LastNumber)
    }

    pub fn snapshot_end(&self, number: u64) -> Vec<u8> {
        self.number(Kind::SnapshotEnd, number)
    }

    pub fn key_count(&self) -> Vec<u8> {
        self.kind(Kind::KeyCount)
    }

    pub fn fate(&self) -> Vec<u8> {
        self.kind(Kind::Fate)
    }

    fn idempotency_key(&self, id: &KeyId) -> Vec<u8> {
        let mut key = self.number(Kind::IdempotencyKey, id.time);
        key.extend_from_slice(&id.hash);
        key
    }

    pub fn idempotency_key_piece(&self, id: &KeyId, piece: u32) -> Vec<u8> {
        let mut key = self.idempotency_key(id);
        key.extend_from_slice(&piece.to_be_bytes());
        key
    }

    /// All pieces of the record of one idempotency key.
    pub fn idempotency_key_pieces(&self, id: &KeyId) -> KeyRange {
        KeyRange::prefix(&self.idempotency_key(id))
    }

    /// The records of all idempotency keys behind this one, the oldest first.
    pub fn idempotency_keys_behind(&self, id: Option<&KeyId>) -> KeyRange {
        let all = self.kind(Kind::IdempotencyKey);
        match id {
            Some(id) => KeyRange::behind_prefix(&self.idempotency_key(id), &all),
            None => KeyRange::prefix(&all),
        }
    }

    /// The idempotency key that a key of this document is about.
    pub fn idempotency_key_in(&self, key: &[u8]) -> Result<KeyId, Damage> {
        let time = self.number_in(key)?;
        let hash = key.get(self.prefix.len() + 9..).and_then(<[u8]>::first_chunk);
        let hash = *hash.ok_or(Damage::Key)?;
        Ok(KeyId { time, hash })
    }

    /// Every key of this document.
    pub fn all(&self) -> KeyRange {
        KeyRange::prefix(&self.prefix)
    }

    /// The records of one kind numbered `first..=last`, all their pieces.
    pub fn range(&self, kind: Kind, first: u64, last: u64) -> KeyRange {
        let mut end = self.number(kind, last);
        end.extend_from_slice(&u32::MAX.to_be_bytes());
        KeyRange::inclusive(self.number(kind, first), end)
    }

    /// The commit number in a key of this document; the kind says whether a piece number follows.
    pub fn number_in(&self, key: &[u8]) -> Result<u64, Damage> {
        let rest = key.get(self.prefix.len() + 1..).ok_or(Damage::Key)?;
        let number = rest.first_chunk::<8>().ok_or(Damage::Key)?;
        Ok(u64::from_be_bytes(*number))
    }

    fn piece_in(&self, key: &[u8]) -> Result<u32, Damage> {
        let rest = key.get(self.prefix.len() + 9..).ok_or(Damage::Key)?;
        Ok(u32::from_be_bytes(rest.try_into().map_err(|_| Damage::Key)?))
    }
}

/// The document a key belongs to.
pub fn document_in(key: &[u8]) -> Result<DocumentId, Damage> {
    let [DOCUMENT, length, rest @ ..] = key else {
        return Err(Damage::Key);
    };
    let id = rest.get(..usize::from(*length)).ok_or(Damage::Key)?;
    DocumentId::parse(&bs58::encode(id).with_check().into_string()).map_err(|_| Damage::Key)
}

fn checksum(key: &[u8], marked: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(marked);
    hasher.finalize()
}

fn seal(key: &[u8], payload: &[u8], last: bool) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + payload.len());
    value.extend_from_slice(&[0; 4]);
    value.push(u8::from(last));
    value.extend_from_slice(payload);
    let crc = checksum(key, &value[4..]);
    value[..4].copy_from_slice(&crc.to_be_bytes());
    value
}

/// Puts a value that fits one piece.
pub fn put_small(batch: &mut Batch, key: Vec<u8>, payload: &[u8]) {
    debug_assert!(payload.len() <= PIECE);
    let value = seal(&key, payload, true);
    batch.put(key, value);
}

/// Puts piece `piece` of a record. `last` is known from the record's length alone: see [`pieces`].
pub fn put_piece(batch: &mut Batch, keys: &DocumentKeys, kind: Kind, number: u64, piece: u32, record: &[u8]) {
    put_piece_at(batch, keys.piece(kind, number, piece), piece, record);
}

fn put_piece_at(batch: &mut Batch, key: Vec<u8>, piece: u32, record: &[u8]) {
    let start = piece as usize * PIECE;
    let end = record.len().min(start + PIECE);
    let value = seal(&key, &record[start..end], piece + 1 == pieces(record.len()));
    batch.put(key, value);
}

/// Puts what became of an idempotency key. A longer record that it replaces leaves pieces behind its own last one.
pub fn put_idempotency_key(batch: &mut Batch, keys: &DocumentKeys, id: &KeyId, record: &[u8]) {
    for piece in 0..pieces(record.len()) {
        put_piece_at(batch, keys.idempotency_key_piece(id, piece), piece, record);
    }
}

/// Puts a whole record, cut into as many pieces as it needs.
pub fn put_record(batch: &mut Batch, keys: &DocumentKeys, kind: Kind, number: u64, record: &[u8]) {
    for piece in 0..pieces(record.len()) {
        put_piece(batch, keys, kind, number, piece, record);
    }
}

/// How many pieces a record of so many bytes has. An empty record is one empty piece, so that it is told from none.
pub fn pieces(length: usize) -> u32 {
    u32::try_from(length.div_ceil(PIECE).max(1)).expect("a record is far below the 16 TB that u32 pieces hold")
}

/// Checks a value and returns its payload and whether it is the last piece.
pub fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<(&'a [u8], bool), Damage> {
    let Some((crc, marked)) = value.split_first_chunk::<4>() else {
        return Err(Damage::Short(value.len()));
    };
    if checksum(key, marked) != u32::from_be_bytes(*crc) {
        return Err(Damage::Checksum);
    }
    match marked {
        [0, payload @ ..] => Ok((payload, false)),
        [1, payload @ ..] => Ok((payload, true)),
        [_, ..] => Err(Damage::Mark),
        [] => Err(Damage::Short(value.len())),
    }
}

/// Checks a value that is one piece by itself and returns its payload.
pub fn open_small<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damage> {
    match open(key, value)? {
        (payload, true) => Ok(payload),
        (_, false) => Err(Damage::MissingPiece { expected: 1 }),
    }
}

/// Puts records together again from their pieces, which must come in order and without a hole.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    next: u32,
}

impl Assembly {
    /// Takes the next pair of a scan; the whole record once its last piece came.
    pub fn push(&mut self, keys: &DocumentKeys, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        let piece = keys.piece_in(key)?;
        if piece != self.next {
            return Err(Damage::MissingPiece { expected: self.next });
        }
        let (payload, last) = open(key, value)?;
        self.bytes.extend_from_slice(payload);
        self.next += 1;
        if !last {
            return Ok(None);
        }
        self.next = 0;
        Ok(Some(std::mem::take(&mut self.bytes)))
    }

    /// The scan has ended, or another record begins: nothing may be half read.
    pub fn finish(&self) -> Result<(), Damage> {
        match self.next {
            0 => Ok(()),
            expected => Err(Damage::MissingPiece { expected }),
        }
    }
}
