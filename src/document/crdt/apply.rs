//! Applying changes, one at a time, and noticing when that spoils the document.
//!
//! Of table changes 1,000 in one call take 35 times the memory and ten times the time of 1,000 calls. Text is the opposite:
//! every call walks the whole text. So runs of changes to one and the same text object go in together, everything else
//! alone.

use std::sync::atomic::Ordering;

use automerge::{Automerge, AutomergeError, Change, ChangeHash, ObjType, legacy};

use super::{Document, Tip, caught, object_id};

/// The longest run of changes to one text object that is applied in one call.
///
/// A remote keystroke costs 15 ms on 100 KB of text, and 50 together cost the same 15 ms.
pub const MAX_TEXT_BATCH: usize = 64;

/// The document can no longer be trusted and takes no more changes: load it again without these.
#[derive(Debug, Clone, thiserror::Error)]
#[error("applying {} change(s), the first being {}, spoilt the document: {why}", .changes.len(), .changes[0])]
pub struct Poisoned {
    /// The changes in the call that failed; one of them is the cause. Never empty.
    pub changes: Vec<ChangeHash>,
    pub why: String,
}

impl Document {
    /// Applies changes that the gate has admitted, in this order, each of them causally ready after those before it.
    ///
    /// Changes the document already contains are passed over.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), Poisoned> {
        let mut rest = changes;
        while !rest.is_empty() {
            let length = self.batch_length(rest);
            let (batch, after) = rest.split_at(length);
            self.apply_together(batch)?;
            rest = after;
        }
        Ok(())
    }

    /// How many changes at the front of `changes` go into one call of the library: one, unless they form a run of changes
    /// to one and the same text object.
    fn batch_length(&self, changes: &[Change]) -> usize {
        let first = match changes {
            [first, _, ..] => self.the_only_text(first),
            _ => None,
        };
        let Some(text) = first else { return 1 };
        let others = changes[1..].iter().take(MAX_TEXT_BATCH - 1);
        1 + others
            .take_while(|change| self.the_only_text(change).as_ref() == Some(&text))
            .count()
    }

    /// The text object that all operations of a change are on, if it is one text object.
    pub fn the_only_text(&self, change: &Change) -> Option<legacy::OpId> {
        let decoded = change.decode();
        let mut objects = decoded.operations.iter().map(|op| &op.obj);
        let first = objects.next()?;
        let legacy::ObjectId::Id(id) = first else { return None };
        let is_text = self.object_type(&object_id(id)) == Some(ObjType::Text);
        (is_text && objects.all(|object| object == first)).then(|| id.clone())
    }

    fn apply_together(&mut self, batch: &[Change]) -> Result<(), Poisoned> {
        let poisoned = |why: String| Poisoned {
            changes: batch.iter().map(Change::hash).collect(),
            why,
        };
        if self.poisoned {
            return Err(poisoned("an earlier change had spoilt it".into()));
        }
        self.poisoned = true;
        let mut was_split = false;
        for change in batch {
            was_split |= self.split_before(change);
        }
        match caught(|| self.automerge.apply_changes(batch.iter().cloned())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(poisoned(error.to_string())),
            Err(panic) => return Err(poisoned(panic)),
        }
        // The library keeps what is not causally ready in a queue of its own and reports success.
        if let Some(queued) = batch.iter().find(|change| !self.has(&change.hash())) {
            return Err(poisoned(format!(
                "{} was queued for want of its dependencies",
                queued.hash()
            )));
        }
        for change in batch {
            self.note(change);
        }
        if was_split {
            self.trim();
        }
        self.poisoned = false;
        Ok(())
    }

    /// Applying many changes, or one in many places, leaves buffers far larger than what is in them. A copy has them at
    /// their size.
    pub(super) fn trim(&mut self) {
        self.automerge = self.automerge.clone();
    }

    pub(super) fn note(&mut self, change: &Change) {
        let tip = Tip {
            seq: change.seq(),
            max_op: change.max_op(),
        };
        match self.tips.get_mut(change.actor_id()) {
            Some(known) if known.seq < tip.seq => *known = tip,
            Some(_) => {}
            None => {
                self.tips.insert(change.actor_id().clone(), tip);
            }
        }
        self.max_op = self.max_op.max(tip.max_op);
        self.split.grew(change);
    }

    /// Applies a change (after those `ahead` of it) to a copy, saves the copy, loads it again, and says whether it came back the same.
    ///
    /// It costs as much as loading the document. For changes that no cheap rule decides: marks around deleted text, changes
    /// made on an old version.
    pub fn try_on_a_copy(&self, ahead: &[Change], change: &Change) -> Result<(), Poisoned> {
        let poisoned = |why: String| Poisoned {
            changes: vec![change.hash()],
            why,
        };
        self.trial_ops.fetch_add(self.op_count(), Ordering::Relaxed);
        let tried = caught(|| {
            let mut copy = self.automerge.clone();
            for change in ahead.iter().chain([change]) {
                copy.apply_changes([change.clone()])?;
            }
            let reloaded = Automerge::load(&copy.save_nocompress())?;
            Ok::<_, AutomergeError>(reloaded.get_heads() == copy.get_heads())
        });
        match tried {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(poisoned("the saved document has other heads".into())),
            Ok(Err(error)) => Err(poisoned(error.to_string())),
            Err(panic) => Err(poisoned(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ActorId, AutoCommit, ROOT, ReadDoc};

    fn typed(count: usize) -> (Document, AutoCommit, Vec<Change>) {
        let mut alice = AutoCommit::new().with_actor(ActorId::from([1; 4]));
        let text = alice.put_object(ROOT, "text", ObjType::Text).unwrap();
        alice.commit();
        let mut document = Document::empty(ActorId::from([9; 4]));
        document.apply(&alice.get_changes(&[])).unwrap();
        let before = alice.get_heads();
        for index in 0..count {
            alice.splice_text(&text, index, 0, "x").unwrap();
            alice.commit();
        }
        let changes = alice.get_changes(&before);
        (document, alice, changes)
    }

    #[test]
    fn keystrokes_in_one_text_go_in_together_and_other_changes_alone() {
        let (mut document, mut alice, mut changes) = typed(100);
        assert_eq!(document.batch_length(&changes), MAX_TEXT_BATCH);
        assert_eq!(document.batch_length(&changes[90..]), 10);
        let before = alice.get_heads();
        alice.put(ROOT, "title", "A table").unwrap();
        alice.commit();
        changes.extend(alice.get_changes(&before));
        assert_eq!(document.batch_length(&changes[99..]), 1);
        assert_eq!(document.batch_length(&changes[100..]), 1);
        document.apply(&changes).unwrap();
        assert_eq!(document.heads(), alice.get_heads());
    }

    #[test]
    fn changes_already_there_are_passed_over() {
        let (mut document, mut alice, changes) = typed(3);
        document.apply(&changes).unwrap();
        document.apply(&changes).unwrap();
        assert_eq!(document.change_count(), 4);
        assert_eq!(document.heads(), alice.get_heads());
    }

    /// The library would put it into a queue of its own and report success.
    #[test]
    fn a_change_that_is_not_ready_poisons_instead_of_vanishing() {
        let (mut document, _, changes) = typed(2);
        let poisoned = document.apply(&changes[1..]).unwrap_err();
        assert_eq!(poisoned.changes, [changes[1].hash()]);
        assert!(document.is_poisoned());
    }

    /// A sequence gap is an assertion in the library.
    #[test]
    fn a_panic_poisons_and_names_the_change_and_nothing_more_is_taken() {
        let (mut document, _, changes) = typed(1);
        let mut says = changes[0].decode();
        says.seq = 7;
        let crafted = Change::from(says);
        let poisoned = document.apply(std::slice::from_ref(&crafted)).unwrap_err();
        assert_eq!(poisoned.changes, [crafted.hash()]);
        assert!(document.apply(&changes).is_err());
    }

    #[test]
    fn the_last_change_of_an_actor_is_known_without_looking() {
        let (mut document, _, changes) = typed(5);
        assert_eq!(document.tip(&ActorId::from([1; 4])), Some(Tip { seq: 1, max_op: 1 }));
        document.apply(&changes).unwrap();
        assert_eq!(document.tip(&ActorId::from([1; 4])), Some(Tip { seq: 6, max_op: 6 }));
        assert_eq!(document.max_op(), document.max_op_of(&document.heads()[0]).unwrap());
        assert_eq!(document.tip(&ActorId::from([7; 4])), None);
        assert_eq!(document.automerge().stats().num_changes, 6);
    }
}
