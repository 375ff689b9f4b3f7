//! The live CRDT of one document: loaded, read, changed, saved.
//!
//! Everything that touches Automerge's mutable state goes through this type, so that three of its habits are met in one
//! place: it panics on crafted changes (every call is caught, and the document says [`Poisoned`] instead), it queues what
//! is not causally ready without a word (here that is a failure), and it takes 35 times the memory when a table's changes
//! are applied together (here they go in one at a time; only runs on one text object are batched).
//!
//! - Never half a document: after a failed call it is poisoned, takes nothing more, and its owner loads it again.
//! - Each load has an [`ActorId`] of its own; two loads never write under one name.

pub mod bytes;
pub mod columns;
mod load;
mod lookup;
mod split;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::{CommitOptions, Transaction};
use automerge::{ActorId, Automerge, AutomergeError, Change, ChangeHash, ExpandedChange, ObjType, ReadDoc, legacy};

pub use load::{LoadError, Loaded, QuarantineReason, Quarantined};
pub use lookup::{Action, OpFacts};

/// The longest run of changes to one text object that is applied in one call.
///
/// A remote keystroke costs 15 ms on 100 KB of text, and 50 together cost the same 15 ms.
const MAX_TEXT_BATCH: usize = 64;

/// The last change of one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Sequence number of that change; the next one has this plus one.
    pub seq: u64,
    /// The highest operation counter the actor has used.
    pub max_op: u64,
}

/// The document can no longer be trusted and takes no more changes: load it again without these.
#[derive(Debug, Clone, thiserror::Error)]
#[error("applying {} change(s), the first being {}, spoilt the document: {why}", .changes.len(), .changes[0])]
pub struct Poisoned {
    /// The changes in the call that failed; one of them is the cause. Never empty.
    pub changes: Vec<ChangeHash>,
    pub why: String,
}

/// Why an edit made here did not become a change.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("the edit does not fit the document: {0}")]
    Edit(#[from] AutomergeError),
    #[error("the edit panicked in the library: {0}")]
    Panicked(String),
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
    fn the_only_text(&self, change: &Change) -> Option<legacy::OpId> {
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
    fn trim(&mut self) {
        self.automerge = self.automerge.clone();
    }

    fn note(&mut self, change: &Change) {
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

    /// Applies a change to a copy, saves the copy, loads it again, and says whether it came back the same.
    ///
    /// It costs as much as loading the document. For changes that no cheap rule decides: marks around deleted text, changes
    /// made on an old version.
    pub fn try_on_a_copy(&self, change: &Change) -> Result<(), Poisoned> {
        let poisoned = |why: String| Poisoned {
            changes: vec![change.hash()],
            why,
        };
        let tried = caught(|| {
            let mut copy = self.automerge.clone();
            copy.apply_changes([change.clone()])?;
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

    /// Begins edits of the server's own. They are made on a copy, so that what comes out are ordinary changes which go
    /// through the gate and are applied like everybody's.
    pub fn draft(&self) -> Draft {
        Draft {
            automerge: self.automerge.clone(),
        }
    }
}

/// A copy of a document on which the server composes changes of its own, each building on the one before.
#[derive(Debug)]
pub struct Draft {
    automerge: Automerge,
}

impl Draft {
    pub fn automerge(&self) -> &Automerge {
        &self.automerge
    }

    /// Makes one change of what `edit` does; `None` if it did nothing. `time` is in seconds since 1970, as clients write it.
    /// After an error the draft is as it was before, unless the library panicked; then it must not be used again.
    pub fn change<F>(&mut self, time: i64, message: Option<&str>, edit: F) -> Result<Option<Change>, DraftError>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>,
    {
        let mut options = CommitOptions::default().with_time(time);
        if let Some(message) = message {
            options = options.with_message(message);
        }
        let made = caught(|| {
            let done = self
                .automerge
                .transact_with::<_, _, AutomergeError, _>(|_| options, edit);
            done.map(|success| success.hash).map_err(|failure| failure.error)
        });
        let hash = made.map_err(DraftError::Panicked)??;
        Ok(hash.and_then(|hash| self.automerge.get_change_by_hash(&hash)))
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
