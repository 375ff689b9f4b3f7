//! What one operation of the document is: which object, which key or element, insert or not.
//!
//! The gate must know it of everything a change refers to: a predecessor on another key, or an element that is none, is
//! taken by the library without a word and makes the saved document impossible to load. The library has no question
//! "which operation is this", but it can say which change an operation came in and write that change out again. The
//! answers are kept, compact, for the changes asked for last: a person types where they typed before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use automerge::{Automerge, ChangeHash, ExpandedChange, ObjType, ReadDoc, legacy};

use super::{caught, object_id};

/// How many changes, and how many operations of theirs in all (16 bytes each), are remembered.
const MAX_CHANGES: usize = 64;
const MAX_OPS: usize = 1 << 21;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Make(ObjType),
    Put,
    Delete,
    Increment,
    MarkBegin,
    MarkEnd,
}

impl From<&legacy::OpType> for Action {
    fn from(action: &legacy::OpType) -> Self {
        match action {
            legacy::OpType::Make(kind) => Self::Make(*kind),
            legacy::OpType::Put(_) => Self::Put,
            legacy::OpType::Delete => Self::Delete,
            legacy::OpType::Increment(_) => Self::Increment,
            legacy::OpType::MarkBegin(_) => Self::MarkBegin,
            legacy::OpType::MarkEnd(_) => Self::MarkEnd,
        }
    }
}

/// What one operation is.
#[derive(Debug, Clone, PartialEq)]
pub struct OpFacts {
    pub object: legacy::ObjectId,
    /// The map key, or the list element it is about; that of an insertion is the element it makes.
    pub place: legacy::Key,
    pub action: Action,
    pub insert: bool,
}

/// One operation, its object and place numbered.
#[derive(Debug, Clone, Copy)]
struct Compact {
    object: u32,
    place: u32,
    action: Action,
    insert: bool,
}

/// The operations of one change.
#[derive(Debug)]
struct Outline {
    start_op: u64,
    objects: Vec<legacy::ObjectId>,
    places: Vec<legacy::Key>,
    ops: Vec<Compact>,
}

impl Outline {
    fn of(change: &ExpandedChange) -> Self {
        let mut objects = Numbering::default();
        let mut places = Numbering::default();
        let ops = change.operations.iter().map(|op| Compact {
            object: objects.number(&op.obj),
            // The element an insertion makes is its own id; what it was put behind is of no interest here.
            place: if op.insert { 0 } else { places.number(&op.key) },
            action: Action::from(&op.action),
            insert: op.insert,
        });
        let ops = ops.collect();
        Self {
            start_op: change.start_op.get(),
            objects: objects.names,
            places: places.names,
            ops,
        }
    }

    fn op(&self, id: &legacy::OpId) -> Option<OpFacts> {
        let index = usize::try_from(id.counter().checked_sub(self.start_op)?).ok()?;
        let op = self.ops.get(index)?;
        let place = if op.insert {
            legacy::Key::Seq(legacy::ElementId::Id(id.clone()))
        } else {
            self.places[op.place as usize].clone()
        };
        let object = self.objects[op.object as usize].clone();
        Some(OpFacts {
            object,
            place,
            action: op.action,
            insert: op.insert,
        })
    }
}

struct Numbering<T> {
    names: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbering<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Numbering<T> {
    fn number(&mut self, name: &T) -> u32 {
        // Runs on one object or key are the rule.
        if self.names.last() == Some(name) {
            return self.names.len() as u32 - 1;
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }
}

/// The outlines asked for last, newest at the back. The lock is held for looking only, never while the library works.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    recent: Mutex<VecDeque<(ChangeHash, Arc<Outline>)>>,
}

impl Lookup {
    pub(super) fn op(&self, automerge: &Automerge, id: &legacy::OpId) -> Option<OpFacts> {
        let outline = caught(|| {
            let hash = automerge.hash_for_opid(&object_id(id))?;
            if let Some(known) = self.recall(&hash) {
                return Some(known);
            }
            let change = automerge.get_change_by_hash(&hash)?;
            let outline = Arc::new(Outline::of(&change.decode()));
            self.remember(hash, outline.clone());
            Some(outline)
        });
        outline.ok().flatten()?.op(id)
    }

    fn recall(&self, hash: &ChangeHash) -> Option<Arc<Outline>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let index = recent.iter().rposition(|(known, _)| known == hash)?;
        let entry = recent.remove(index)?;
        let outline = entry.1.clone();
        recent.push_back(entry);
        Some(outline)
    }

    fn remember(&self, hash: ChangeHash, outline: Arc<Outline>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((hash, outline));
        let mut ops: usize = recent.iter().map(|(_, outline)| outline.ops.len()).sum();
        while recent.len() > 1 && (recent.len() > MAX_CHANGES || ops > MAX_OPS) {
            let forgotten = recent.pop_front().expect("there is more than one");
            ops -= forgotten.1.ops.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ActorId, AutoCommit, ROOT};
    use legacy::{ElementId, Key, ObjectId, OpId};

    fn id(counter: u64) -> OpId {
        OpId(counter, ActorId::from([1; 4]))
    }

    #[test]
    fn an_operation_is_found_again_whatever_has_happened_to_it() {
        let mut alice = AutoCommit::new().with_actor(ActorId::from([1; 4]));
        let list = alice.put_object(ROOT, "list", ObjType::List).unwrap();
        alice.insert(&list, 0, "a").unwrap();
        alice.commit();
        alice.delete(&list, 0).unwrap();
        alice.put(ROOT, "title", 1).unwrap();
        alice.commit();
        let document = Document::load(ActorId::from([9; 4]), Some(&alice.save()), [[0u8; 0]; 0])
            .unwrap()
            .document;
        let made = document.op(&id(1)).unwrap();
        assert_eq!(
            (made.object, made.action),
            (ObjectId::Root, Action::Make(ObjType::List))
        );
        let inserted = document.op(&id(2)).unwrap();
        assert!(inserted.insert && inserted.object == ObjectId::Id(id(1)));
        assert_eq!(inserted.place, Key::Seq(ElementId::Id(id(2))));
        let deleted = document.op(&id(3)).unwrap();
        assert_eq!(
            (deleted.place, deleted.action),
            (Key::Seq(ElementId::Id(id(2))), Action::Delete)
        );
        assert_eq!(document.op(&id(4)).unwrap().place, Key::Map("title".into()));
        assert_eq!(document.op(&id(5)), None);
        assert_eq!(document.op(&OpId(1, ActorId::from([7; 4]))), None);
    }

    #[test]
    fn only_so_many_changes_are_remembered() {
        let mut alice = AutoCommit::new().with_actor(ActorId::from([1; 4]));
        for value in 0..200 {
            alice.put(ROOT, "title", value).unwrap();
            alice.commit();
        }
        let document = Document::load(ActorId::from([9; 4]), Some(&alice.save()), [[0u8; 0]; 0])
            .unwrap()
            .document;
        assert!((1..=200).all(|counter| document.op(&id(counter)).is_some()));
        assert_eq!(document.lookup.recent.lock().unwrap().len(), MAX_CHANGES);
    }
}
