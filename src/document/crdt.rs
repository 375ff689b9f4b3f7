//! The live CRDT of one document: loaded, read, changed, saved.
//!
//! Everything that touches Automerge's mutable state goes through this type, so that three of its habits are met in one
//! place: it panics on crafted changes (every call is caught, and the document says [`Poisoned`] instead), it queues what
//! is not causally ready without a word (here that is a failure), and it takes 35 times the memory when a table's changes
//! are applied together (here they go in one at a time; only runs on one text object are batched).
//!
//! - Never half a document: after a failed call it is poisoned, takes nothing more, and its owner loads it again.
//! - Each load has an [`ActorId`] of its own; two loads never write under one name.

mod apply;
pub mod bytes;
pub mod columns;
mod edit;
mod load;
mod lookup;
mod split;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use automerge::{ActorId, Automerge, Change, ChangeHash, ExpandedChange, ObjType, ReadDoc, legacy};

pub use apply::{MAX_TEXT_BATCH, Poisoned};
pub use edit::EditFailed;
pub use load::{LoadError, Loaded, QuarantineReason, Quarantined};
pub use lookup::{Action, OpFacts};

/// The last change of one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Sequence number of that change; the next one has this plus one.
    pub seq: u64,
    /// The highest operation counter the actor has used.
    pub max_op: u64,
}

/// The live CRDT of one document.
#[derive(Debug)]
pub struct Document {
    automerge: Automerge,
    /// The last change of every actor; the gate checks sequence numbers without walking the history.
    tips: HashMap<ActorId, Tip>,
    /// The highest operation counter of any change.
    max_op: u64,
    lookup: lookup::Lookup,
    split: split::SplitState,
    poisoned: bool,
    /// Operations gone over by trials on copies since the last message began.
    trial_ops: AtomicU64,
}

impl Document {
    /// A document without a history.
    pub fn empty(actor: ActorId) -> Self {
        Self::around(Automerge::new().with_actor(actor))
    }

    /// Indexes a document that the library has loaded.
    fn around(automerge: Automerge) -> Self {
        let mut tips: HashMap<ActorId, Tip> = HashMap::new();
        let mut max_op = 0;
        for change in automerge.get_changes_meta(&[]) {
            let tip = Tip {
                seq: change.seq,
                max_op: change.max_op,
            };
            max_op = max_op.max(tip.max_op);
            match tips.get_mut(change.actor.as_ref()) {
                Some(known) if known.seq < tip.seq => *known = tip,
                Some(_) => {}
                None => {
                    tips.insert(change.actor.into_owned(), tip);
                }
            }
        }
        Self {
            automerge,
            tips,
            max_op,
            lookup: lookup::Lookup::default(),
            split: split::SplitState::default(),
            poisoned: false,
            trial_ops: AtomicU64::new(0),
        }
    }

    /// The version of the document: the changes nothing else builds on, ascending.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.automerge.get_heads()
    }

    pub fn has(&self, hash: &ChangeHash) -> bool {
        self.max_op_of(hash).is_some()
    }

    /// Those of `hashes` the document does not contain, in the order given.
    pub fn missing(&self, hashes: &[ChangeHash]) -> Vec<ChangeHash> {
        hashes.iter().filter(|hash| !self.has(hash)).copied().collect()
    }

    /// The whole library document, for reading and for the sync protocol.
    pub fn automerge(&self) -> &Automerge {
        &self.automerge
    }

    /// A copy for work that must not hold the document (saving, catching up, a big diff): 3-14 ms at a million cells.
    pub fn replica(&self) -> Automerge {
        self.automerge.clone()
    }

    /// A copy to try changes on. Costs what [`replica`](Self::replica) does.
    pub fn scratch(&self) -> Self {
        Self {
            automerge: self.automerge.clone(),
            tips: self.tips.clone(),
            max_op: self.max_op,
            lookup: lookup::Lookup::default(),
            split: split::SplitState::default(),
            poisoned: self.poisoned,
            trial_ops: AtomicU64::new(0),
        }
    }

    /// The compressed document chunk. Slow on large documents: prefer saving a [`replica`](Self::replica) elsewhere.
    pub fn save(&self) -> Vec<u8> {
        self.automerge.save()
    }

    pub fn change_count(&self) -> u64 {
        self.automerge.stats().num_changes
    }

    pub fn op_count(&self) -> u64 {
        self.automerge.stats().num_ops
    }

    /// A new message begins: its changes have trials of their own.
    pub fn begin_message(&mut self) {
        *self.trial_ops.get_mut() = 0;
    }

    /// The operations that trials on copies have gone over since the message began.
    pub fn trial_ops(&self) -> u64 {
        self.trial_ops.load(Ordering::Relaxed)
    }

    /// True once a call failed; such a document takes no more changes.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The last change of `actor`, if it has any here.
    pub fn tip(&self, actor: &ActorId) -> Option<Tip> {
        self.tips.get(actor).copied()
    }

    /// The highest operation counter in the document.
    pub fn max_op(&self) -> u64 {
        self.max_op
    }

    /// The highest operation counter of a change in the document, `None` if it is not in it.
    pub fn max_op_of(&self, hash: &ChangeHash) -> Option<u64> {
        self.automerge.get_change_meta_by_hash(hash).map(|change| change.max_op)
    }

    /// The kind of an object, living or deleted; `None` if there is none of this id.
    pub fn object_type(&self, object: &automerge::ObjId) -> Option<ObjType> {
        self.automerge.object_type(object).ok()
    }

    /// What operation `id` of the document is; `None` if there is none of this id.
    pub fn op(&self, id: &legacy::OpId) -> Option<OpFacts> {
        self.lookup.op(&self.automerge, id)
    }
}

/// The id under which the library's readers know the object that operation `id` made.
pub fn object_id(id: &legacy::OpId) -> automerge::ObjId {
    // The index is only a hint; the library looks the actor up where it does not fit.
    automerge::ObjId::Id(id.counter(), id.actor().clone(), usize::MAX)
}

/// How much visible text or how many visible elements stand before an element, which may be a deleted one.
pub fn position(automerge: &Automerge, sequence: &automerge::ObjId, element: &legacy::OpId) -> Option<usize> {
    let name = format!("{}@{}", element.counter(), element.actor().to_hex_string());
    let cursor = automerge::Cursor::try_from(name.as_str()).ok()?;
    automerge.get_cursor_position(sequence, &cursor, None).ok()
}

/// Calls the library and turns a panic into its text.
///
/// What `call` borrows mutably must be thrown away after an error.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".into())
    })
}

/// True if the change, written anew from what it says, has the hash it came with.
///
/// One that does not can be applied but never loaded again: a saved document keeps what changes say, not their bytes, and
/// its hashes no longer match. Run it only on changes whose expansion is bounded, and caught.
pub fn is_canonical(change: &Change, decoded: ExpandedChange) -> bool {
    Change::from(decoded).hash() == change.hash()
}
