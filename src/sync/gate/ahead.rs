//! Changes that were admitted and not yet applied, so that those which build on them can be admitted too.
//!
//! A text wants its changes applied many together (50 keystrokes cost the same 15 ms as one), but each is admitted alone,
//! and the second builds on the first. Keep this list short: it is searched from front to back.

use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, legacy};

use crate::document::crdt::{Action, Document, OpFacts, Tip, object_id};

/// Admitted changes, in the order in which they will be applied.
#[derive(Debug, Default)]
pub struct Ahead {
    changes: Vec<Change>,
    decoded: Vec<ExpandedChange>,
}

impl Ahead {
    /// Adds a change that was [`Ready`](super::Admission::Ready) after those already here.
    pub fn push(&mut self, change: Change) {
        self.decoded.push(change.decode());
        self.changes.push(change);
    }

    /// The changes so far, as [`Document::apply`] takes them.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// A document as it will be when what is ahead has been applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) document: &'a Document,
    pub(super) ahead: &'a Ahead,
}

impl View<'_> {
    pub(super) fn has(&self, hash: &ChangeHash) -> bool {
        self.max_op_of(hash).is_some()
    }

    pub(super) fn max_op_of(&self, hash: &ChangeHash) -> Option<u64> {
        let ahead = self
            .ahead
            .changes
            .iter()
            .find(|change| change.hash() == *hash)
            .map(Change::max_op);
        ahead.or_else(|| self.document.max_op_of(hash))
    }

    pub(super) fn max_op(&self) -> u64 {
        self.ahead
            .changes
            .iter()
            .map(Change::max_op)
            .fold(self.document.max_op(), u64::max)
    }

    pub(super) fn tip(&self, actor: &ActorId) -> Option<Tip> {
        let ahead = self.ahead.changes.iter().rfind(|change| change.actor_id() == actor);
        let tip = ahead.map(|change| Tip {
            seq: change.seq(),
            max_op: change.max_op(),
        });
        tip.or_else(|| self.document.tip(actor))
    }

    pub(super) fn object_type(&self, id: &legacy::OpId) -> Option<ObjType> {
        match self.op_ahead(id) {
            Some(op) => op.obj_type(),
            None => self.document.object_type(&object_id(id)),
        }
    }

    pub(super) fn op(&self, id: &legacy::OpId) -> Option<OpFacts> {
        let Some(op) = self.op_ahead(id) else {
            return self.document.op(id);
        };
        let place = if op.insert {
            legacy::ElementId::Id(id.clone()).into_key()
        } else {
            op.key.clone()
        };
        Some(OpFacts {
            object: op.obj.clone(),
            place,
            action: Action::from(&op.action),
            insert: op.insert,
        })
    }

    fn op_ahead(&self, id: &legacy::OpId) -> Option<&legacy::Op> {
        self.ahead
            .decoded
            .iter()
            .filter(|change| change.actor_id == *id.actor())
            .find_map(|change| {
                let index = usize::try_from(id.counter().checked_sub(change.start_op.get())?).ok()?;
                change.operations.get(index)
            })
    }
}
