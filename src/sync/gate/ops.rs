//! The operations of a change: does everything they name exist, where they say it is?
//!
//! The library looks for predecessors while it walks the object, and one that it does not come across is forgotten: the
//! change is then applied without it and cannot be written out again as it was. An unknown element or object is a panic.

use automerge::{ActorId, Change, ExpandedChange, ObjType, Prop, ReadDoc, legacy};
use legacy::{ElementId, Key, ObjectId, Op, OpId};

use super::refusal::{OperationFault as Fault, Refusal};
use crate::document::crdt::{Action, Document, object_id, position};

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

pub(super) fn check(document: &Document, change: &Change, decoded: &ExpandedChange) -> Result<Verdict, Refusal> {
    let checked = Checked {
        document,
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

/// A change being checked against a document.
struct Checked<'a> {
    document: &'a Document,
    author: &'a ActorId,
    start_op: u64,
    ops: &'a [Op],
}

impl Checked<'_> {
    /// The operation of this very change with this id, if `id` is one of those before `index`.
    fn own(&self, id: &OpId, index: usize) -> Option<&Op> {
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
            None => self.document.object_type(&object_id(id)),
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
                        .document
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
        let known = self.document.op(id);
        known.is_some_and(|known| known.object == op.obj && known.place == op.key && known.action != Action::Delete)
    }

    /// A mark is one operation where it begins and the next where it ends.
    fn mark_begin(&self, op: &Op, index: usize) -> Verdict {
        let next = self.ops.get(index + 1);
        let ended = next.is_some_and(|next| matches!(next.action, legacy::OpType::MarkEnd(_)) && next.obj == op.obj);
        if ended { Verdict::Ordinary } else { Verdict::Unusual }
    }

    /// The end must come after the beginning in the text, or the saved document does not load. Elements whose order the
    /// cursors do not tell (deleted ones, or new ones of this change) are left to the trial.
    fn mark_end(&self, op: &Op, index: usize) -> Result<Verdict, Fault> {
        let begin = index.checked_sub(1).and_then(|before| self.ops.get(before));
        let begin = begin.filter(|begin| matches!(begin.action, legacy::OpType::MarkBegin(_)) && begin.obj == op.obj);
        let Some(begin) = begin else {
            return Err(Fault::LoneMarkEnd);
        };
        let (Key::Seq(from), Key::Seq(to)) = (&begin.key, &op.key) else {
            return Err(Fault::WrongPlace);
        };
        let (ElementId::Id(to), ObjectId::Id(text)) = (to, &op.obj) else {
            return Ok(Verdict::Unusual);
        };
        if self.own(to, index).is_some() {
            let after_begin = to.counter() == self.start_op + index as u64 - 1;
            return Ok(if after_begin {
                Verdict::Ordinary
            } else {
                Verdict::Unusual
            });
        }
        let position = |text, element| position(self.document.automerge(), &object_id(text), element);
        let in_order = match from {
            ElementId::Head => to.counter() < self.start_op,
            ElementId::Id(from) if self.own(from, index).is_some() => false,
            ElementId::Id(from) => match (position(text, from), position(text, to)) {
                (Some(from), Some(to)) => from < to,
                _ => false,
            },
        };
        let below = to.counter() < self.start_op;
        Ok(if in_order && below {
            Verdict::Ordinary
        } else {
            Verdict::Unusual
        })
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
