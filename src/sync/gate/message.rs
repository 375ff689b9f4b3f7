//! Reading a sync message from a peer.
//!
//! The library's own decoder neither panics nor trusts lengths, but it collects what it reads: two bytes of summary
//! become 64 in memory, one byte of empty chunk becomes 24, so that 64 MiB on the wire are 2 GB. The message is
//! therefore walked first, its counts and Bloom headers bounded, and the library is given what is left when the changes
//! are taken out.

use automerge::sync::Message;
use automerge::{Change, ChangeHash};

use super::chunk::{Budget, unpack};
use super::limits::GateLimits;
use super::refusal::{BadMessage, Refusal};
use crate::document::crdt::bytes::{Frame, Reader};
use crate::document::crdt::caught;

const VERSION_1: u8 = 0x42;
const VERSION_2: u8 = 0x43;
const HASH_BYTES: u64 = 32;

/// A message, safe to give to the library, and the changes that were in it.
#[derive(Debug)]
pub struct Opened {
    /// Without changes; heads, needed and last-sync hashes are sorted and occur once.
    pub message: Message,
    /// In the order of the message, whole documents replaced by their changes.
    pub changes: Vec<Offered>,
}

/// One change as a peer offers it.
#[derive(Debug, Clone)]
pub enum Offered {
    /// Well-formed, canonical and of bounded size; not yet held against the document.
    Change(Box<Change>),
    /// Well framed but not acceptable, with its hash where it could be established.
    Refused { hash: Option<ChangeHash>, why: Refusal },
}

/// Reads a sync message of either version.
pub fn open(data: &[u8], limits: &GateLimits) -> Result<Opened, BadMessage> {
    let walked = walk(data, limits)?;
    let mut message = match caught(|| Message::decode(&walked.without_changes)) {
        Ok(Ok(message)) => message,
        Ok(Err(error)) => return Err(BadMessage::Library(error.to_string())),
        Err(panic) => return Err(BadMessage::Panicked(panic)),
    };
    sort_hashes(&mut message.heads);
    sort_hashes(&mut message.need);
    for have in &mut message.have {
        sort_hashes(&mut have.last_sync);
    }
    let mut budget = Budget::of(limits);
    let mut changes = Vec::new();
    for frame in walked.chunks {
        unpack(&frame, limits, &mut budget, &mut changes);
    }
    Ok(Opened { message, changes })
}

/// The library asserts sorted hashes when it writes them out again.
fn sort_hashes(hashes: &mut Vec<ChangeHash>) {
    hashes.sort_unstable();
    hashes.dedup();
}

struct Walked<'a> {
    /// The message with an empty list of changes, to be decoded by the library.
    without_changes: Vec<u8>,
    chunks: Vec<Frame<'a>>,
}

fn walk<'a>(data: &'a [u8], limits: &GateLimits) -> Result<Walked<'a>, BadMessage> {
    let mut reader = Reader::new(data);
    match reader.byte()? {
        VERSION_1 | VERSION_2 => {}
        other => return Err(BadMessage::UnknownVersion(other)),
    }
    skip_hashes(&mut reader, "heads", limits)?;
    skip_hashes(&mut reader, "needed hashes", limits)?;
    let haves = bounded(reader.number()?, "summaries", limits.message_haves)?;
    for _ in 0..haves {
        skip_hashes(&mut reader, "last-sync hashes", limits)?;
        check_bloom(reader.prefixed()?, limits)?;
    }
    let before_changes = &data[..data.len() - reader.rest().len()];
    let chunks = read_chunks(&mut reader, limits)?;

    // An empty list of changes, then the flags if there are any. They are a length and some bytes; what comes after them,
    // nobody reads.
    let mut without_changes = before_changes.to_vec();
    without_changes.push(0);
    if !reader.is_empty() {
        let mut after = reader;
        let flags = after.prefixed()?;
        bounded(flags.len() as u64, "flags", MAX_FLAGS)?;
        without_changes.push(flags.len() as u8);
        without_changes.extend_from_slice(flags);
    }
    Ok(Walked {
        without_changes,
        chunks,
    })
}

/// Flag bytes read; the library writes two. Below 128, so that the length takes one byte.
const MAX_FLAGS: u64 = 100;

fn bounded(count: u64, what: &'static str, limit: u64) -> Result<u64, BadMessage> {
    if count > limit {
        return Err(BadMessage::TooMany { what, count, limit });
    }
    Ok(count)
}

fn skip_hashes(reader: &mut Reader<'_>, what: &'static str, limits: &GateLimits) -> Result<(), BadMessage> {
    let count = bounded(reader.number()?, what, limits.message_hashes)?;
    reader.take(count * HASH_BYTES)?;
    Ok(())
}

/// Checks the header of a Bloom filter, of which the library believes every word: zero bits per entry end in a division by
/// zero, and it allocates four bytes for every probe, for every change it looks up.
fn check_bloom(filter: &[u8], limits: &GateLimits) -> Result<(), BadMessage> {
    let mut reader = Reader::new(filter);
    if reader.is_empty() {
        return Ok(());
    }
    let within = |what, value, least, most| {
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(BadMessage::Bloom {
                what,
                value,
                least,
                most,
            })
        }
    };
    let entries = within("entries", reader.number()?, 0, limits.bloom_entries)?;
    let bits = within("bits per entry", reader.number()?, 1, limits.bloom_bits_per_entry)?;
    within("probes", reader.number()?, 1, limits.bloom_probes)?;
    let expected = (entries * bits).div_ceil(8);
    within("bytes", reader.rest().len() as u64, expected, expected)?;
    Ok(())
}

/// The chunks of a message: a list of them in version 1, a list of concatenations in version 2. Both are taken in both.
fn read_chunks<'a>(reader: &mut Reader<'a>, limits: &GateLimits) -> Result<Vec<Frame<'a>>, BadMessage> {
    let items = bounded(reader.number()?, "chunks", limits.message_changes)?;
    let mut chunks = Vec::new();
    for _ in 0..items {
        let mut item = Reader::new(reader.prefixed()?);
        while !item.is_empty() {
            chunks.push(item.chunk()?);
            bounded(chunks.len() as u64, "chunks", limits.message_changes)?;
        }
    }
    Ok(chunks)
}
