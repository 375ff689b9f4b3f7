//! Crafted changes and messages against the gate: whatever gets through must leave the document whole.
//!
//! A few people edit a document with everything in it (maps, lists, text with marks, counters, conflicts, deletions). Their
//! changes are honest and must all be taken. Then the same changes are bent, both in what they say and in their bytes, with
//! the checksum made right again. No panic may escape, nothing admitted may spoil the document, and after every mutant that
//! was taken the saved document must load to the same heads.
//!
//! `GATE_FUZZ_ROUNDS` runs more rounds than the few that fit the test run, `GATE_FUZZ_SEED` begins elsewhere.

use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    ActorId, AutoCommit, Automerge, Change, ChangeHash, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    legacy,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::crdt::{Document, bytes};
use roundtable::sync::gate::{Admission, GateLimits, Offered, admit, open};
use sha2::{Digest, Sha256};

const HONEST_SESSIONS: u64 = 40;
const MUTANT_ROUNDS: u64 = 60;
/// Mutants offered to each document before it is thrown away.
const MUTANTS_A_ROUND: usize = 50;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

// ---------------------------------------------------------------------------------------------- honest editing

/// Some people and what they have written together.
struct Session {
    people: Vec<AutoCommit>,
}

impl Session {
    fn begin(rng: &mut SmallRng) -> Self {
        let mut first = AutoCommit::new().with_actor(actor(rng));
        let rows = first.put_object(ROOT, "rows", ObjType::Map).unwrap();
        for row in ["r1", "r2", "r3"] {
            let row = first.put_object(&rows, row, ObjType::Map).unwrap();
            first.put(&row, "a", 1).unwrap();
            first.put(&row, "b", "text").unwrap();
        }
        let list = first.put_object(ROOT, "list", ObjType::List).unwrap();
        for value in 0..4 {
            first.insert(&list, value, value as i64).unwrap();
        }
        let text = first.put_object(ROOT, "text", ObjType::Text).unwrap();
        first.splice_text(&text, 0, 0, "the quick brown fox").unwrap();
        first.put(ROOT, "count", ScalarValue::counter(3)).unwrap();
        first.commit();
        let people = (0..3).map(|_| first.fork().with_actor(actor(rng))).collect();
        Self { people }
    }

    fn edit(&mut self, rng: &mut SmallRng) {
        let who = rng.random_range(0..self.people.len());
        let person = &mut self.people[who];
        for _ in 0..rng.random_range(1..4) {
            edit_once(person, rng);
        }
        if rng.random_bool(0.05) {
            person.empty_change(CommitOptions::default());
        } else {
            person.commit_with(CommitOptions::default().with_time(rng.random_range(0..1 << 32)));
        }
        if rng.random_bool(0.4) {
            let other = rng.random_range(0..self.people.len());
            if other != who {
                let mut source = self.people[other].fork();
                self.people[who].merge(&mut source).unwrap();
            }
        }
    }

    /// Everything everybody wrote, in an order in which it can be applied.
    fn history(&mut self) -> Vec<Change> {
        let mut all = self.people[0].fork();
        for person in &mut self.people[1..] {
            all.merge(person).unwrap();
        }
        all.get_changes(&[])
    }
}

fn actor(rng: &mut SmallRng) -> ActorId {
    ActorId::from(rng.random::<[u8; 4]>())
}

fn any_key(rng: &mut SmallRng) -> &'static str {
    ["a", "b", "c", "count", "x"][rng.random_range(0..5)]
}

fn any_value(rng: &mut SmallRng) -> ScalarValue {
    match rng.random_range(0..7) {
        0 => ScalarValue::Int(rng.random_range(-100..100)),
        1 => ScalarValue::Str("some text".into()),
        2 => ScalarValue::Null,
        3 => ScalarValue::Boolean(true),
        4 => ScalarValue::F64(1.5),
        5 => ScalarValue::counter(7),
        _ => ScalarValue::Bytes(vec![1; rng.random_range(0..40)]),
    }
}

/// An object of this kind that the person can see.
fn any_object(person: &AutoCommit, rng: &mut SmallRng, wanted: ObjType) -> Option<ObjId> {
    let mut found = if wanted == ObjType::Map { vec![ROOT] } else { Vec::new() };
    let mut waiting = vec![ROOT];
    while let Some(object) = waiting.pop() {
        let kind = person.object_type(&object).unwrap();
        let children: Vec<ObjId> = match kind {
            ObjType::Text => Vec::new(),
            _ => person
                .values(&object)
                .filter_map(|(value, id)| value.is_object().then_some(id))
                .collect(),
        };
        for child in children {
            if person.object_type(&child).unwrap() == wanted {
                found.push(child.clone());
            }
            waiting.push(child);
        }
    }
    if found.is_empty() {
        None
    } else {
        Some(found.swap_remove(rng.random_range(0..found.len())))
    }
}

fn edit_once(person: &mut AutoCommit, rng: &mut SmallRng) {
    let kind = [ObjType::Map, ObjType::List, ObjType::Text][rng.random_range(0..3)];
    let Some(object) = any_object(person, rng, kind) else {
        return;
    };
    let length = person.length(&object);
    // What does not fit (incrementing what is no counter) is simply not done.
    let _ = match (kind, rng.random_range(0..7)) {
        (ObjType::Map, 0) => person.delete(&object, any_key(rng)),
        (ObjType::Map, 1) => person.put_object(&object, any_key(rng), ObjType::Map).map(drop),
        (ObjType::Map, 2) => person.put_object(&object, any_key(rng), ObjType::Text).map(drop),
        (ObjType::Map, 3) => person.increment(&object, any_key(rng), 2),
        (ObjType::Map, _) => person.put(&object, any_key(rng), any_value(rng)),
        (ObjType::List, 0) if length > 0 => person.delete(&object, rng.random_range(0..length)),
        (ObjType::List, 1) if length > 0 => person.put(&object, rng.random_range(0..length), any_value(rng)),
        (ObjType::List, 2) if length > 0 => person.increment(&object, rng.random_range(0..length), 1),
        (ObjType::List, 3) => person
            .insert_object(&object, rng.random_range(0..=length), ObjType::Map)
            .map(drop),
        (ObjType::List, _) => person.insert(&object, rng.random_range(0..=length), any_value(rng)),
        (_, 0) if length > 1 => {
            let start = rng.random_range(0..length - 1);
            let mark = Mark::new("bold".into(), true, start, rng.random_range(start + 1..=length));
            person.mark(
                &object,
                mark,
                [ExpandMark::Both, ExpandMark::None][rng.random_range(0..2)],
            )
        }
        (_, 1) if length > 1 => person.splice_text(&object, rng.random_range(0..length - 1), 1, ""),
        (_, 2) if length > 2 => {
            let start = rng.random_range(0..length - 2);
            person.unmark(&object, "bold", start, start + 2, ExpandMark::After)
        }
        (_, 3) => person.split_block(&object, rng.random_range(0..=length)).map(drop),
        _ => person.splice_text(&object, rng.random_range(0..=length), 0, "typed"),
    };
}

#[test]
fn every_change_of_honest_people_is_taken() {
    let limits = GateLimits::default();
    let first = setting("GATE_FUZZ_SEED", 1);
    for seed in first..first + setting("GATE_FUZZ_ROUNDS", HONEST_SESSIONS) {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut session = Session::begin(&mut rng);
        for _ in 0..60 {
            session.edit(&mut rng);
        }
        let mut document = Document::empty(actor(&mut rng));
        for change in session.history() {
            assert_eq!(
                admit(&document, &change, &limits),
                Admission::Ready,
                "seed {seed}, {:#?}",
                change.decode()
            );
            document
                .apply(&[change])
                .unwrap_or_else(|poisoned| panic!("seed {seed}: {poisoned}"));
        }
        assert_whole(&document, seed);
    }
}

fn assert_whole(document: &Document, seed: u64) {
    let reloaded = Automerge::load(&document.save());
    let reloaded = reloaded.unwrap_or_else(|error| panic!("seed {seed}: the saved document does not load: {error}"));
    assert_eq!(reloaded.get_heads(), document.heads(), "seed {seed}");
}

// ---------------------------------------------------------------------------------------------- mutants

#[derive(Debug, Default)]
struct Tally {
    offered: u64,
    unreadable: u64,
    refused_by_open: u64,
    refused: u64,
    known_or_aside: u64,
    taken: u64,
}

#[test]
fn no_mutant_spoils_a_document() {
    let limits = GateLimits::default();
    let mut tally = Tally::default();
    let first = setting("GATE_FUZZ_SEED", 1);
    for seed in first..first + setting("GATE_FUZZ_ROUNDS", MUTANT_ROUNDS) {
        mutate_one_session(seed, &limits, &mut tally);
    }
    eprintln!("{tally:?}");
    assert!(
        tally.taken > 0 && tally.refused > 0,
        "the mutants are all alike: {tally:?}"
    );
}

fn mutate_one_session(seed: u64, limits: &GateLimits, tally: &mut Tally) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut session = Session::begin(&mut rng);
    for _ in 0..rng.random_range(1..20) {
        session.edit(&mut rng);
    }
    let history = session.history();
    let known = rng.random_range(1..=history.len());
    let tail = history[..known].iter().map(Change::raw_bytes);
    let mut document = Document::load(actor(&mut rng), None, tail).unwrap().document;
    if rng.random_bool(0.5) {
        // A document that was saved and loaded is stored differently from one that grew.
        document = Document::load(actor(&mut rng), Some(&document.save()), [[0u8; 0]; 0])
            .unwrap()
            .document;
    }
    for _ in 0..MUTANTS_A_ROUND {
        let base = if rng.random_bool(0.3) {
            fresh_edit(&document, &mut rng)
        } else {
            None
        };
        let base = base.unwrap_or_else(|| history[rng.random_range(0..history.len())].clone());
        let chunk = if rng.random_bool(0.6) {
            bend(&base, &document, &mut rng)
        } else {
            Some(scramble(&base, &mut rng))
        };
        let Some(chunk) = chunk else { continue };
        tally.offered += 1;
        offer(&mut document, &chunk, limits, tally, seed);
    }
}

/// A new change by somebody who has all of the document.
fn fresh_edit(document: &Document, rng: &mut SmallRng) -> Option<Change> {
    let mut person = AutoCommit::load(&document.save()).ok()?.with_actor(actor(rng));
    for _ in 0..rng.random_range(1..4) {
        edit_once(&mut person, rng);
    }
    person.commit();
    person.get_last_local_change()
}

fn offer(document: &mut Document, chunk: &[u8], limits: &GateLimits, tally: &mut Tally, seed: u64) {
    let Ok(opened) = open(&message_with(chunk), limits) else {
        tally.unreadable += 1;
        return;
    };
    for offered in opened.changes {
        let Offered::Change(change) = offered else {
            tally.refused_by_open += 1;
            continue;
        };
        match admit(document, &change, limits) {
            Admission::Ready => {}
            Admission::Refused(_) => {
                tally.refused += 1;
                continue;
            }
            Admission::Known | Admission::Aside { .. } => {
                tally.known_or_aside += 1;
                continue;
            }
        }
        tally.taken += 1;
        let told = format!("seed {seed}, {:#?}", change.decode());
        document
            .apply(&[*change])
            .unwrap_or_else(|poisoned| panic!("{poisoned}\n{told}"));
        let reloaded = Automerge::load(&document.save());
        let reloaded = reloaded.unwrap_or_else(|error| panic!("the saved document does not load: {error}\n{told}"));
        assert_eq!(reloaded.get_heads(), document.heads(), "{told}");
    }
}

/// A version 1 message with one chunk and nothing else.
fn message_with(chunk: &[u8]) -> Vec<u8> {
    let mut message = vec![0x42, 0, 0, 0, 1];
    bytes::write_number(&mut message, chunk.len() as u64);
    message.extend_from_slice(chunk);
    message
}

/// Changes bytes of the change and makes its checksum right.
fn scramble(change: &Change, rng: &mut SmallRng) -> Vec<u8> {
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
    seal(&data)
}

fn seal(data: &[u8]) -> Vec<u8> {
    let mut hashed = vec![bytes::CHANGE_CHUNK];
    bytes::write_number(&mut hashed, data.len() as u64);
    hashed.extend_from_slice(data);
    let checksum = Sha256::digest(&hashed)[..4].try_into().unwrap();
    bytes::frame(checksum, bytes::CHANGE_CHUNK, data)
}

/// Changes what the change says and writes it out properly, so that nothing but its meaning is wrong.
fn bend(change: &Change, document: &Document, rng: &mut SmallRng) -> Option<Vec<u8>> {
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
