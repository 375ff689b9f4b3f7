//! People who edit a document together, honestly and at random.

use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, Change, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use rand::Rng;
use rand::rngs::SmallRng;

/// Some people and what they have written together.
pub struct Session {
    pub people: Vec<AutoCommit>,
}

impl Session {
    pub fn begin(rng: &mut SmallRng) -> Self {
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

    pub fn edit(&mut self, rng: &mut SmallRng) {
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
    pub fn history(&mut self) -> Vec<Change> {
        let mut all = self.people[0].fork();
        for person in &mut self.people[1..] {
            all.merge(person).unwrap();
        }
        all.get_changes(&[])
    }
}

pub fn actor(rng: &mut SmallRng) -> ActorId {
    ActorId::from(rng.random::<[u8; 4]>())
}

pub fn any_key(rng: &mut SmallRng) -> &'static str {
    ["a", "b", "c", "count", "x"][rng.random_range(0..5)]
}

pub fn any_value(rng: &mut SmallRng) -> ScalarValue {
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

pub fn edit_once(person: &mut AutoCommit, rng: &mut SmallRng) {
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
