//! Honest changes and messages, bent.

use automerge::sync::{Have, State, SyncDoc};
use automerge::{ActorId, AutoCommit, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue, legacy};
use rand::Rng;
use rand::rngs::SmallRng;
use roundtable::document::crdt::{Document, bytes};
use sha2::{Digest, Sha256};

use crate::session::{Session, actor, any_key, any_value, edit_once};

/// A message as the library writes it, with the whole document in it or without, some of its bytes changed.
pub fn bent_message(session: &mut Session, rng: &mut SmallRng) -> Vec<u8> {
    let whole = session.people[0].save_nocompress();
    let frame = bytes::Reader::new(&whole).chunk().unwrap();
    let mut message = if rng.random_bool(0.8) {
        let mut data = frame.data.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..data.len());
            data[at] = if rng.random_bool(0.5) {
                rng.random()
            } else {
                data[at] ^ 1 << rng.random_range(0..8)
            };
        }
        return message_with(&seal(bytes::DOCUMENT_CHUNK, &data));
    } else {
        let mut state = State {
            their_heads: Some(Vec::new()),
            their_need: Some(Vec::new()),
            ..State::new()
        };
        state.their_have = Some(vec![Have::default()]);
        session.people[1]
            .sync()
            .generate_sync_message(&mut state)
            .unwrap()
            .encode()
    };
    let at = rng.random_range(0..message.len().min(300));
    message[at] = rng.random();
    message
}

/// A new change by somebody who has all of the document.
pub fn fresh_edit(document: &Document, rng: &mut SmallRng) -> Option<Change> {
    let mut person = AutoCommit::load(&document.save()).ok()?.with_actor(actor(rng));
    for _ in 0..rng.random_range(1..4) {
        edit_once(&mut person, rng);
    }
    person.commit();
    person.get_last_local_change()
}

/// A version 1 message with one chunk and nothing else.
pub fn message_with(chunk: &[u8]) -> Vec<u8> {
    let mut message = vec![0x42, 0, 0, 0, 1];
    bytes::write_number(&mut message, chunk.len() as u64);
    message.extend_from_slice(chunk);
    message
}

/// Changes bytes of the change and makes its checksum right.
pub fn scramble(change: &Change, rng: &mut SmallRng) -> Vec<u8> {
    let frame = bytes::Reader::new(change.raw_bytes()).chunk().unwrap();
    let mut data = frame.data.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..data.len());
        match rng.random_range(0..4) {
            0 => data[at] = rng.random(),
            1 => data[at] = data[at].wrapping_add([1, 255][rng.random_range(0..2)]),
            2 => data.insert(at, rng.random()),
            _ => drop(data.remove(at)),
        }
        if data.is_empty() {
            break;
        }
    }
    seal(bytes::CHANGE_CHUNK, &data)
}

fn seal(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    bytes::write_number(&mut hashed, data.len() as u64);
    hashed.extend_from_slice(data);
    let checksum = Sha256::digest(&hashed)[..4].try_into().unwrap();
    bytes::frame(checksum, kind, data)
}

/// Changes what the change says and writes it out properly, so that nothing but its meaning is wrong.
pub fn bend(change: &Change, document: &Document, rng: &mut SmallRng) -> Option<Vec<u8>> {
    let mut says = change.decode();
    if rng.random_bool(0.7) {
        // Make it the next change of somebody who has everything, so that what is bent further is really looked at.
        says.deps = document.heads();
        says.actor_id = if rng.random_bool(0.5) {
            actor(rng)
        } else {
            some_actor(document, rng)
        };
        says.seq = document.tip(&says.actor_id).map_or(0, |tip| tip.seq) + 1;
        let shift = document.max_op() + 1;
        rebase(&mut says, change, shift);
    }
    for _ in 0..rng.random_range(0..3) {
        bend_once(&mut says, document, rng);
    }
    std::panic::catch_unwind(|| Change::from(says).raw_bytes().to_vec()).ok()
}

/// Moves a change to another start, its references to itself included.
fn rebase(says: &mut ExpandedChange, change: &Change, start: u64) {
    let (old_start, old_actor) = (change.start_op().get(), change.actor_id().clone());
    let end = old_start + change.len() as u64;
    let new_actor = says.actor_id.clone();
    let moved = |id: &legacy::OpId| {
        if *id.actor() == old_actor && (old_start..end).contains(&id.counter()) {
            legacy::OpId(id.counter() - old_start + start, new_actor.clone())
        } else {
            id.clone()
        }
    };
    for op in &mut says.operations {
        if let legacy::ObjectId::Id(id) = &op.obj {
            op.obj = legacy::ObjectId::Id(moved(id));
        }
        if let legacy::Key::Seq(legacy::ElementId::Id(id)) = &op.key {
            op.key = legacy::Key::Seq(legacy::ElementId::Id(moved(id)));
        }
        op.pred = op.pred.iter().map(moved).collect();
    }
    says.start_op = start.try_into().unwrap();
}

fn some_actor(document: &Document, rng: &mut SmallRng) -> ActorId {
    let changes = document.automerge().get_changes_meta(&[]);
    changes[rng.random_range(0..changes.len())].actor.clone().into_owned()
}

/// The id of some operation: in the document, in the change, or nowhere.
fn some_id(says: &ExpandedChange, document: &Document, rng: &mut SmallRng) -> legacy::OpId {
    match rng.random_range(0..4) {
        0 => legacy::OpId(says.start_op.get() + rng.random_range(0..4), says.actor_id.clone()),
        1 => legacy::OpId(rng.random_range(0..document.max_op() + 4), some_actor(document, rng)),
        _ => {
            let changes = document.automerge().get_changes_meta(&[]);
            let change = &changes[rng.random_range(0..changes.len())];
            let counter = rng.random_range(change.start_op..=change.max_op.max(change.start_op));
            legacy::OpId(counter, change.actor.clone().into_owned())
        }
    }
}

fn some_hash(document: &Document, rng: &mut SmallRng) -> ChangeHash {
    let changes = document.automerge().get_changes_meta(&[]);
    changes[rng.random_range(0..changes.len())].hash
}

fn bend_once(says: &mut ExpandedChange, document: &Document, rng: &mut SmallRng) {
    let id = some_id(says, document, rng);
    let count = says.operations.len();
    match rng.random_range(0..10) {
        0 => says.seq = says.seq.wrapping_add([1, u64::MAX, 2][rng.random_range(0..3)]),
        1 => {
            let gap = [1, 2, 100, 1 << 20, 1 << 31][rng.random_range(0..5)];
            let start = if rng.random_bool(0.5) {
                says.start_op.get() + gap
            } else {
                rng.random_range(1..60)
            };
            says.start_op = start.try_into().unwrap();
        }
        2 => says.deps = vec![some_hash(document, rng)],
        3 => says.deps.push(some_hash(document, rng)),
        4 => says.time = [i64::MIN, i64::MAX, -1, 1 << 40][rng.random_range(0..4)],
        5 if count > 0 => drop(says.operations.remove(rng.random_range(0..count))),
        6 if count > 0 => {
            let again = says.operations[rng.random_range(0..count)].clone();
            says.operations.insert(rng.random_range(0..=count), again);
        }
        7 if count > 1 => says
            .operations
            .swap(rng.random_range(0..count), rng.random_range(0..count)),
        _ if count > 0 => bend_op(&mut says.operations[rng.random_range(0..count)], id, rng),
        _ => {}
    }
}

fn bend_op(op: &mut legacy::Op, id: legacy::OpId, rng: &mut SmallRng) {
    use legacy::{ElementId, Key, MarkData, ObjectId, OpType};
    match rng.random_range(0..9) {
        0 => op.obj = ObjectId::Id(id),
        1 => op.obj = ObjectId::Root,
        2 => op.key = Key::Seq(ElementId::Id(id)),
        3 => op.key = Key::Seq(ElementId::Head),
        4 => op.key = Key::Map(any_key(rng).into()),
        5 => op.pred = op.pred.iter().cloned().chain([id]).collect(),
        6 => op.pred = Vec::new().into(),
        7 => op.insert = !op.insert,
        _ => {
            let mark = MarkData {
                name: "bold".into(),
                value: any_value(rng),
                expand: true,
            };
            op.action = match rng.random_range(0..8) {
                0 => OpType::Delete,
                1 => OpType::Increment([1, -1, i64::MAX, i64::MIN][rng.random_range(0..4)]),
                2 => OpType::Make([ObjType::Map, ObjType::List, ObjType::Text, ObjType::Table][rng.random_range(0..4)]),
                3 => OpType::MarkBegin(mark),
                4 => OpType::MarkEnd(false),
                5 => OpType::Put(ScalarValue::counter(i64::MAX)),
                6 => OpType::Put(ScalarValue::Timestamp(i64::MIN)),
                _ => OpType::Put(any_value(rng)),
            }
        }
    }
}
