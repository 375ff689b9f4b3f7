//! Marks on text: two operations, of which the second must stand after the first.
//!
//! The library applies one that ends before it begins without complaint, and then refuses to load the document it saved.

use automerge::legacy;
use legacy::{ElementId, Key, ObjectId, Op};

use super::ops::{Checked, Verdict};
use super::refusal::OperationFault as Fault;
use crate::document::crdt::{object_id, position};

impl Checked<'_> {
    /// A mark is one operation where it begins and the next where it ends.
    pub(super) fn mark_begin(&self, op: &Op, index: usize) -> Verdict {
        let next = self.ops.get(index + 1);
        let ended = next.is_some_and(|next| matches!(next.action, legacy::OpType::MarkEnd(_)) && next.obj == op.obj);
        if ended { Verdict::Ordinary } else { Verdict::Unusual }
    }

    /// The end must come after the beginning in the text, or the saved document does not load. Elements whose order the
    /// cursors do not tell (deleted ones, or new ones of this change) are left to the trial.
    pub(super) fn mark_end(&self, op: &Op, index: usize) -> Result<Verdict, Fault> {
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
        let position = |text, element| position(self.view.document.automerge(), &object_id(text), element);
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

#[cfg(test)]
mod tests {
    use super::super::craft::{actor, bent, person};
    use super::super::{Admission, GateLimits, Refusal, admit};
    use super::*;
    use crate::document::crdt::Document;
    use automerge::marks::{ExpandMark, Mark};
    use automerge::transaction::Transactable;
    use automerge::{ObjType, ROOT};

    #[test]
    fn a_mark_must_end_after_it_begins() {
        let mut alice = person(1);
        let text = alice.put_object(ROOT, "text", ObjType::Text).unwrap();
        alice.splice_text(&text, 0, 0, "hello").unwrap();
        alice.commit();
        let mut document = Document::empty(actor(9));
        document.apply(&alice.get_changes(&[])).unwrap();
        alice
            .mark(&text, Mark::new("bold".into(), true, 1, 4), ExpandMark::Both)
            .unwrap();
        alice.commit();
        let honest = alice.get_last_local_change().unwrap();
        let limits = GateLimits::default();
        assert_eq!(admit(&document, &honest, &limits), Admission::Ready);
        let reversed = bent(&honest, |says| {
            let (begin, end) = says.operations.split_at_mut(1);
            std::mem::swap(&mut begin[0].key, &mut end[0].key);
        });
        assert!(matches!(
            admit(&document, &reversed, &limits),
            Admission::Refused(Refusal::Unfaithful(_))
        ));
        let headless = bent(&honest, |says| drop(says.operations.remove(0)));
        let lone = Refusal::Operation {
            op: honest.start_op().get(),
            what: Fault::LoneMarkEnd,
        };
        assert_eq!(admit(&document, &headless, &limits), Admission::Refused(lone));
    }
}
