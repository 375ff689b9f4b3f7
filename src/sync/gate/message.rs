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

/// Reads the bytes of a document as it is kept in a file: saved documents and changes, one chunk after the other.
pub fn open_file(data: &[u8], limits: &GateLimits) -> Result<Vec<Offered>, BadMessage> {
    let mut reader = Reader::new(data);
    let mut chunks = Vec::new();
    while !reader.is_empty() {
        chunks.push(reader.chunk()?);
        bounded(chunks.len() as u64, "chunks", limits.message_changes)?;
    }
    let mut budget = Budget::of(limits);
    let mut changes = Vec::new();
    for frame in chunks {
        unpack(&frame, limits, &mut budget, &mut changes);
    }
    Ok(changes)
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

#[cfg(test)]
mod tests {
    use super::super::craft::{data_of, message, message_with_bloom, opened, person, seal, unreadable};
    use super::*;
    use automerge::sync::{self, MessageFlags, SyncDoc};
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ROOT};

    /// 42 bytes made the library divide by zero in `generate_sync_message`.
    #[test]
    fn a_bloom_filter_of_zero_bits_per_entry_is_refused() {
        let bad = unreadable(&message_with_bloom(&[1, 0, 7]));
        assert_eq!(
            bad,
            BadMessage::Bloom {
                what: "bits per entry",
                value: 0,
                least: 1,
                most: 64
            }
        );
    }

    /// 46 bytes made it allocate 805 MB; four more would have ended the process.
    #[test]
    fn a_bloom_filter_with_many_probes_is_refused() {
        let mut filter = vec![1, 8];
        crate::document::crdt::bytes::write_number(&mut filter, 200_000_000);
        filter.push(0xff);
        let bad = unreadable(&message_with_bloom(&filter));
        assert_eq!(
            bad,
            BadMessage::Bloom {
                what: "probes",
                value: 200_000_000,
                least: 1,
                most: 32
            }
        );
    }

    #[test]
    fn a_bloom_filter_must_have_the_bytes_its_header_speaks_of() {
        assert!(matches!(
            unreadable(&message_with_bloom(&[9, 10, 7, 0])),
            BadMessage::Bloom { what: "bytes", .. }
        ));
        assert!(matches!(
            unreadable(&message_with_bloom(&[1, 10, 7, 0, 0, 0])),
            BadMessage::Bloom { what: "bytes", .. }
        ));
        assert_eq!(opened(&message_with_bloom(&[1, 10, 7, 0, 0])).message.have.len(), 1);
        assert_eq!(opened(&message_with_bloom(&[])).message.have.len(), 1);
    }

    /// Two bytes of summary are 64 in memory, one byte of empty chunk is 24.
    #[test]
    fn counts_are_bounded_before_anything_is_collected() {
        let limits = GateLimits {
            message_changes: 10,
            message_hashes: 3,
            message_haves: 2,
            ..GateLimits::default()
        };
        let too_many = |bytes: &[u8]| matches!(open(bytes, &limits), Err(BadMessage::TooMany { .. }));
        assert!(too_many(&[0x42, 4]));
        assert!(too_many(&[0x42, 0, 4]));
        assert!(too_many(&[0x42, 0, 0, 3]));
        assert!(too_many(&[0x42, 0, 0, 1, 4]));
        assert!(too_many(&[0x42, 0, 0, 0, 11]));
        let chunk = seal(9, &[]);
        assert!(too_many(&message(&[&chunk.repeat(11)])));
    }

    #[test]
    fn what_is_no_message_is_said_to_be_none() {
        assert_eq!(
            unreadable(&[]),
            BadMessage::Malformed(crate::document::crdt::bytes::Malformed::Short)
        );
        assert_eq!(unreadable(&[0x41]), BadMessage::UnknownVersion(0x41));
        assert!(matches!(
            unreadable(&message(&[b"no chunk at all"])),
            BadMessage::Malformed(_)
        ));
        let mut whole = message(&[&seal(1, &[1, 2, 3])]);
        whole.pop();
        assert!(matches!(unreadable(&whole), BadMessage::Malformed(_)));
    }

    #[test]
    fn hashes_come_out_sorted_and_once() {
        let mut bytes = vec![0x42, 3];
        for name in [3u8, 1, 3] {
            bytes.extend_from_slice(&[name; 32]);
        }
        bytes.extend_from_slice(&[0, 0, 0]);
        let heads = opened(&bytes).message.heads;
        assert_eq!(heads, [ChangeHash([1; 32]), ChangeHash([3; 32])]);
    }

    #[test]
    fn flags_survive_and_changes_are_taken_out() {
        let mut message = message(&[person(1).get_changes(&[])[0].raw_bytes()]);
        message.extend_from_slice(&[2, 0x02, 0x80 | MessageFlags::READ_ONLY]);
        let opened = opened(&message);
        assert!(
            opened
                .message
                .flags
                .is_some_and(|flags| flags.contains(MessageFlags::READ_ONLY))
        );
        assert!(opened.message.changes.is_empty());
        assert_eq!(opened.changes.len(), 1);
    }

    /// The whole handshake of the real library, its version 2 messages and whole documents included.
    #[test]
    fn everything_the_library_sends_is_read() {
        let mut alice = person(1);
        for index in 0..30 {
            alice.put(ROOT, format!("key{index}"), "x".repeat(300)).unwrap();
            alice.commit();
        }
        let mut bob = AutoCommit::new();
        let (mut of_alice, mut of_bob) = (sync::State::new(), sync::State::new());
        let mut taken = 0;
        for _ in 0..10 {
            if let Some(sent) = bob.sync().generate_sync_message(&mut of_bob) {
                let read = opened(&sent.encode());
                alice.sync().receive_sync_message(&mut of_alice, read.message).unwrap();
            }
            let Some(sent) = alice.sync().generate_sync_message(&mut of_alice) else {
                continue;
            };
            let read = opened(&sent.encode());
            for offered in read.changes {
                let Offered::Change(change) = offered else {
                    panic!("{offered:?}")
                };
                bob.apply_changes([*change]).unwrap();
                taken += 1;
            }
            bob.sync().receive_sync_message(&mut of_bob, read.message).unwrap();
        }
        assert_eq!(taken, 31);
        assert_eq!(alice.get_heads(), bob.get_heads());
    }

    #[test]
    fn concatenated_chunks_are_taken_apart() {
        let mut person = person(1);
        person.put(ROOT, "more", 1).unwrap();
        let changes = person.get_changes(&[]);
        let together: Vec<u8> = changes.iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
        assert_eq!(opened(&message(&[&together])).changes.len(), 2);
        assert!(data_of(&changes[0]).len() < together.len());
    }
}
