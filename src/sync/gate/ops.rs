//! The operations of a change: does everything they name exist, where they say it is?
//!
//! The library looks for predecessors while it walks the object, and one that it does not come across is forgotten: the
//! change is then applied without it and cannot be written out again as it was. An unknown element or object is a panic.

use automerge::{ActorId, Change, ExpandedChange, ObjType, Prop, ReadDoc, legacy};
use legacy::{ElementId, Key, ObjectId, Op, OpId};

use super::ahead::View;
use super::refusal::{OperationFault as Fault, Refusal};
use crate::document::crdt::{Action, object_id};

/// How sure the rules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can be applied.
    Ordinary,
    /// Nothing speaks against it, but no rule covers it: try it on a copy.
    Unusual,
}

impl Verdict {
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Unusual { self } else { other }
    }
}

pub(super) fn check(view: View<'_>, change: &Change, decoded: &ExpandedChange) -> Result<Verdict, Refusal> {
    let checked = Checked {
        view,
        author: change.actor_id(),
        start_op: change.start_op().get(),
        ops: &decoded.operations,
    };
    let mut verdict = Verdict::Ordinary;
    let mut last_object: Option<(&ObjectId, ObjType)> = None;
    for (index, op) in decoded.operations.iter().enumerate() {
        let fault = |what| Refusal::Operation {
            op: checked.start_op + index as u64,
            what,
        };
        let kind = match last_object {
            Some((object, kind)) if object == &op.obj => kind,
            _ => checked.object_type(&op.obj, index).map_err(fault)?,
        };
        last_object = Some((&op.obj, kind));
        verdict = verdict.or(checked.op(op, index, kind).map_err(fault)?);
    }
    Ok(verdict)
}

/// A change being checked against what it will be applied to.
pub(super) struct Checked<'a> {
    pub(super) view: View<'a>,
    author: &'a ActorId,
    pub(super) start_op: u64,
    pub(super) ops: &'a [Op],
}

impl Checked<'_> {
    /// The operation of this very change with this id, if `id` is one of those before `index`.
    pub(super) fn own(&self, id: &OpId, index: usize) -> Option<&Op> {
        if id.actor() != self.author {
            return None;
        }
        let own = usize::try_from(id.counter().checked_sub(self.start_op)?).ok()?;
        if own < index { self.ops.get(own) } else { None }
    }

    fn backward(&self, id: &OpId, index: usize) -> Result<(), Fault> {
        if id.counter() < self.start_op + index as u64 {
            Ok(())
        } else {
            Err(Fault::RefersForward)
        }
    }

    fn object_type(&self, object: &ObjectId, index: usize) -> Result<ObjType, Fault> {
        let ObjectId::Id(id) = object else {
            return Ok(ObjType::Map);
        };
        self.backward(id, index)?;
        let kind = match self.own(id, index) {
            Some(op) => op.obj_type(),
            None => self.view.object_type(id),
        };
        kind.ok_or(Fault::UnknownObject)
    }

    fn op(&self, op: &Op, index: usize, kind: ObjType) -> Result<Verdict, Fault> {
        let action = Action::from(&op.action);
        if op.insert && matches!(action, Action::Delete | Action::Increment) {
            return Err(Fault::CannotInsert);
        }
        if action == Action::Make(ObjType::Table) {
            return Err(Fault::Table);
        }
        if action == Action::Delete && op.pred.is_empty() {
            return Err(Fault::DeletesNothing);
        }
        // Two values at one place of a text, one of them deleted, are a panic in the library (batch.rs, "exposed value must
        // record the value it replaces"). No text interface of today writes over an element; it deletes and inserts.
        if kind == ObjType::Text && !op.insert && action != Action::Delete {
            return Err(Fault::UpdatesText);
        }
        match (&op.key, kind == ObjType::Map) {
            (Key::Map(_), true) if op.insert => return Err(Fault::WrongPlace),
            (Key::Map(key), true) => self.predecessors_in_map(op, key, index)?,
            (Key::Seq(element), false) => self.element(op, element, index)?,
            _ => return Err(Fault::WrongPlace),
        }
        match action {
            Action::MarkBegin | Action::MarkEnd if !op.insert => Err(Fault::WrongPlace),
            Action::MarkBegin => Ok(self.mark_begin(op, index)),
            Action::MarkEnd => self.mark_end(op, index),
            _ => Ok(Verdict::Ordinary),
        }
    }

    fn element(&self, op: &Op, element: &ElementId, index: usize) -> Result<(), Fault> {
        match element {
            ElementId::Head if op.insert => {}
            ElementId::Head => return Err(Fault::WrongPlace),
            ElementId::Id(id) => {
                self.backward(id, index)?;
                let known = match self.own(id, index) {
                    Some(own) => own.insert && own.obj == op.obj,
                    None => self
                        .view
                        .op(id)
                        .is_some_and(|known| known.insert && known.object == op.obj),
                };
                if !known {
                    return Err(Fault::UnknownElement(id.clone()));
                }
            }
        }
        if op.insert {
            return if op.pred.is_empty() {
                Ok(())
            } else {
                Err(Fault::InsertionOverwrites)
            };
        }
        self.each_predecessor(op, index, |id| self.document_op_is_at(id, op))
    }

    fn predecessors_in_map(&self, op: &Op, key: &str, index: usize) -> Result<(), Fault> {
        if op.pred.is_empty() {
            return Ok(());
        }
        let object = match &op.obj {
            ObjectId::Root => automerge::ROOT,
            ObjectId::Id(id) => object_id(id),
        };
        // Nearly always they are what the key shows now. Concurrent edits may have been overwritten since.
        let shown = self
            .view
            .document
            .automerge()
            .get_all(&object, Prop::Map(key.to_owned()))
            .unwrap_or_default();
        self.each_predecessor(op, index, |id| {
            let is_shown = |shown: &automerge::ObjId| match shown {
                automerge::ObjId::Id(counter, actor, _) => *counter == id.counter() && actor == id.actor(),
                automerge::ObjId::Root => false,
            };
            shown.iter().any(|(_, shown)| is_shown(shown)) || self.document_op_is_at(id, op)
        })
    }

    /// Checks each predecessor: an operation before this one, here or in the document, on the same key or element.
    fn each_predecessor(&self, op: &Op, index: usize, in_document: impl Fn(&OpId) -> bool) -> Result<(), Fault> {
        let mut last: Option<&OpId> = None;
        for id in op.pred.iter() {
            if last == Some(id) {
                return Err(Fault::RepeatedPredecessor);
            }
            last = Some(id);
            self.backward(id, index)?;
            let known = match self.own(id, index) {
                Some(own) => own.obj == op.obj && own.action != legacy::OpType::Delete && is_at(own, id, op),
                None => in_document(id),
            };
            if !known {
                return Err(Fault::UnknownPredecessor(id.clone()));
            }
        }
        Ok(())
    }

    fn document_op_is_at(&self, id: &OpId, op: &Op) -> bool {
        let known = self.view.op(id);
        known.is_some_and(|known| known.object == op.obj && known.place == op.key && known.action != Action::Delete)
    }
}

/// True if `earlier` (with this id) is on the key or element that `op` is on.
fn is_at(earlier: &Op, id: &OpId, op: &Op) -> bool {
    if earlier.insert {
        matches!(&op.key, Key::Seq(ElementId::Id(element)) if element == id)
    } else {
        earlier.key == op.key
    }
}

#[cfg(test)]
mod tests {
    use super::super::craft::{actor, bent, person};
    use super::super::{Admission, GateLimits, admit};
    use super::*;
    use crate::document::crdt::Document;
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ROOT, ScalarValue};
    use legacy::OpType;

    /// Alice's document with a list and a text, and the object ids of both.
    fn begun() -> (Document, AutoCommit, OpId, OpId) {
        let mut alice = person(1);
        let list = alice.put_object(ROOT, "list", ObjType::List).unwrap();
        alice.insert(&list, 0, 1).unwrap();
        let text = alice.put_object(ROOT, "text", ObjType::Text).unwrap();
        alice.splice_text(&text, 0, 0, "hello").unwrap();
        alice.commit();
        let mut document = Document::empty(actor(9));
        document.apply(&alice.get_changes(&[])).unwrap();
        (document, alice, OpId(2, actor(1)), OpId(4, actor(1)))
    }

    /// What the gate says to Alice's next change, which overwrites the title, after `bend` had its way with the operation.
    fn fault(bend: impl FnOnce(&mut Op, OpId, OpId)) -> Fault {
        let (document, mut alice, list, text) = begun();
        alice.put(ROOT, "title", "Plan").unwrap();
        alice.commit();
        let honest = alice.get_last_local_change().unwrap();
        let crafted = bent(&honest, |says| bend(&mut says.operations[0], list, text));
        match admit(&document, &crafted, &GateLimits::default()) {
            Admission::Refused(Refusal::Operation { op: 10, what }) => what,
            other => panic!("{other:?}"),
        }
    }

    fn first_character(text: &OpId) -> OpId {
        text.increment_by(1)
    }

    #[test]
    fn objects_must_exist_and_be_of_the_right_kind() {
        assert_eq!(
            fault(|op, list, _| op.obj = ObjectId::Id(list.increment_by(1))),
            Fault::UnknownObject
        );
        assert_eq!(
            fault(|op, _, _| op.obj = ObjectId::Id(OpId(99, actor(1)))),
            Fault::RefersForward
        );
        assert_eq!(fault(|op, list, _| op.obj = ObjectId::Id(list)), Fault::WrongPlace);
        assert_eq!(
            fault(|op, list, _| op.key = ElementId::Id(list).into_key()),
            Fault::WrongPlace
        );
        assert_eq!(fault(|op, _, _| op.action = OpType::Make(ObjType::Table)), Fault::Table);
    }

    #[test]
    fn predecessors_must_be_on_the_same_key() {
        let of_list = OpId(2, actor(1));
        assert_eq!(
            fault(|op, list, _| op.pred = vec![list].into()),
            Fault::UnknownPredecessor(of_list)
        );
        assert_eq!(
            fault(|op, _, _| op.pred = vec![OpId(10, actor(1))].into()),
            Fault::RefersForward
        );
        let title = || OpId(1, actor(1));
        assert_eq!(
            fault(|op, _, _| op.pred = vec![title(), title()].into()),
            Fault::RepeatedPredecessor
        );
        let lost = |op: &mut Op, _, _| {
            op.action = OpType::Delete;
            op.pred = Vec::new().into();
        };
        assert_eq!(fault(lost), Fault::DeletesNothing);
    }

    #[test]
    fn elements_must_be_in_the_list() {
        let insert_after = |after: fn(OpId, OpId) -> OpId| {
            move |op: &mut Op, list: OpId, text: OpId| {
                op.key = ElementId::Id(after(list.clone(), text)).into_key();
                op.obj = ObjectId::Id(list);
                op.insert = true;
                op.pred = Vec::new().into();
            }
        };
        let of_text = OpId(5, actor(1));
        assert_eq!(
            fault(insert_after(|_, text| first_character(&text))),
            Fault::UnknownElement(of_text)
        );
        assert_eq!(
            fault(insert_after(|list, _| list)),
            Fault::UnknownElement(OpId(2, actor(1)))
        );
        let overwriting = |op: &mut Op, list: OpId, text: OpId| {
            insert_after(|list, _| list.increment_by(1))(op, list.clone(), text);
            op.pred = vec![list.increment_by(1)].into();
        };
        assert_eq!(fault(overwriting), Fault::InsertionOverwrites);
        let counted = |op: &mut Op, list: OpId, text: OpId| {
            insert_after(|list, _| list.increment_by(1))(op, list, text);
            op.action = OpType::Increment(1);
        };
        assert_eq!(fault(counted), Fault::CannotInsert);
    }

    /// A conflict inside a text and the deletion of one side: the next honest edit made the library panic.
    #[test]
    fn text_is_not_written_over() {
        let over = |op: &mut Op, _, text: OpId| {
            op.key = ElementId::Id(first_character(&text)).into_key();
            op.pred = vec![first_character(&text)].into();
            op.obj = ObjectId::Id(text);
        };
        assert_eq!(fault(over), Fault::UpdatesText);
    }

    /// Two people overwrite one cell without knowing of each other: the value the second one replaces is not shown any more.
    #[test]
    fn what_was_overwritten_meanwhile_is_still_a_predecessor() {
        let (mut document, mut alice, ..) = begun();
        let mut bob = alice.fork().with_actor(actor(2));
        alice.put(ROOT, "title", "Alice's").unwrap();
        bob.put(ROOT, "title", ScalarValue::Null).unwrap();
        alice.commit();
        bob.commit();
        for change in [
            alice.get_last_local_change().unwrap(),
            bob.get_last_local_change().unwrap(),
        ] {
            assert_eq!(admit(&document, &change, &GateLimits::default()), Admission::Ready);
            document.apply(&[change]).unwrap();
        }
        assert_eq!(document.automerge().get_all(ROOT, "title").unwrap().len(), 2);
    }
}
