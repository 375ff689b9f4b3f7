//! Crafted bytes for the gate's tests.

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, Change, ExpandedChange, ROOT};
use sha2::{Digest, Sha256};

use super::{BadMessage, GateLimits, Offered, Opened, Refusal, open};
use crate::document::crdt::bytes::{self, CHANGE_CHUNK, Reader, write_number};

pub(super) fn actor(name: u8) -> ActorId {
    ActorId::from([name; 4])
}

/// A chunk whose checksum is right.
pub(super) fn seal(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    write_number(&mut hashed, data.len() as u64);
    hashed.extend_from_slice(data);
    bytes::frame(Sha256::digest(&hashed)[..4].try_into().expect("four bytes"), kind, data)
}

/// A version 1 message with these chunks and nothing else.
pub(super) fn message(chunks: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![0x42, 0, 0, 0];
    write_number(&mut message, chunks.len() as u64);
    for chunk in chunks {
        write_number(&mut message, chunk.len() as u64);
        message.extend_from_slice(chunk);
    }
    message
}

/// A version 1 message with this Bloom filter and nothing else.
pub(super) fn message_with_bloom(filter: &[u8]) -> Vec<u8> {
    let mut message = vec![0x42, 0, 0, 1, 0];
    write_number(&mut message, filter.len() as u64);
    message.extend_from_slice(filter);
    message.push(0);
    message
}

pub(super) fn opened(message: &[u8]) -> Opened {
    open(message, &GateLimits::default()).expect("the message can be read")
}

pub(super) fn unreadable(message: &[u8]) -> BadMessage {
    open(message, &GateLimits::default()).expect_err("the message cannot be read")
}

/// The refusal of the only chunk of a message.
pub(super) fn refused(chunk: &[u8], limits: &GateLimits) -> Refusal {
    match open(&message(&[chunk]), limits)
        .expect("the message can be read")
        .changes
        .pop()
    {
        Some(Offered::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// The data of a change chunk with one column of operations of each kind given, by specification number.
pub(super) fn change_data(columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut data = vec![0, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0];
    write_number(&mut data, columns.len() as u64);
    for (spec, column) in columns {
        write_number(&mut data, *spec);
        write_number(&mut data, column.len() as u64);
    }
    columns.iter().for_each(|(_, column)| data.extend_from_slice(column));
    data
}

/// A signed LEB128 number, as run lengths are.
pub(super) fn signed(mut value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        let done = (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0);
        out.push(if done { byte } else { byte | 0x80 });
        if done {
            return out;
        }
    }
}

/// Somebody's first changes: a map, a list, a text and a counter.
pub(super) fn person(name: u8) -> AutoCommit {
    let mut person = AutoCommit::new().with_actor(actor(name));
    person.put(ROOT, "title", "Budget").expect("a map takes a value");
    person.commit();
    person
}

/// The change with something else in it, written out properly.
pub(super) fn bent(change: &Change, bend: impl FnOnce(&mut ExpandedChange)) -> Change {
    let mut says = change.decode();
    bend(&mut says);
    Change::from(says)
}

pub(super) fn data_of(change: &Change) -> Vec<u8> {
    let frame = Reader::new(change.raw_bytes()).chunk().expect("a change is a chunk");
    assert_eq!(frame.kind, CHANGE_CHUNK);
    frame.data.to_vec()
}
