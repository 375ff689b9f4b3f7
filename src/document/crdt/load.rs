//! Loading a document from a snapshot and the changes stored after it, without letting one bad change take it along.
//!
//! The tail is applied change by change: in one `load_incremental` 1,000 one-cell changes on 50,000 x 10 cells take
//! 1.6 GB, and a bad one in the middle silently drops all that follow. A change that fails is set aside by hash together
//! with everything that builds on it, and reported; the rest loads. A failing snapshot is an error, never an empty
//! document.

use automerge::{ActorId, Automerge, Change, ChangeHash};

use super::{Document, caught};

/// Why no document came out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the snapshot does not load: {0}")]
    Snapshot(String),
    #[error("the library panicked over the snapshot: {0}")]
    SnapshotPanicked(String),
}

/// A document, and what of its stored changes is not in it.
#[derive(Debug)]
pub struct Loaded {
    pub document: Document,
    /// In stored order; empty for a healthy document.
    pub quarantined: Vec<Quarantined>,
}

/// One stored change that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its place in the tail, from 0.
    pub index: usize,
    /// `None` if the bytes are no change at all.
    pub hash: Option<ChangeHash>,
    pub reason: QuarantineReason,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineReason {
    #[error("the stored bytes are no change: {0}")]
    Unreadable(String),
    #[error("it builds on {0}, which is not in the document")]
    BuildsOn(ChangeHash),
    #[error("the document does not take it: {0}")]
    Rejected(String),
    #[error("the library panicked over it: {0}")]
    Panicked(String),
}

impl Document {
    /// Loads a snapshot (none for a document that has only changes yet) and then the tail, in stored order.
    ///
    /// Changes that the snapshot already contains are passed over. The author of changes made here will be `actor`, which
    /// must be new with each load.
    pub fn load<B: AsRef<[u8]>>(
        actor: ActorId,
        snapshot: Option<&[u8]>,
        tail: impl IntoIterator<Item = B>,
    ) -> Result<Loaded, LoadError> {
        let mut loading = Loading {
            automerge: open_snapshot(snapshot)?,
            snapshot,
            taken: Vec::new(),
            quarantined: Vec::new(),
        };
        for (index, bytes) in tail.into_iter().enumerate() {
            loading.take(index, bytes.as_ref())?;
        }
        let Loading {
            mut automerge,
            taken,
            quarantined,
            ..
        } = loading;
        if !taken.is_empty() {
            // Applying leaves buffers far larger than what is in them; a copy has them at their size.
            automerge = automerge.clone();
        }
        Ok(Loaded {
            document: Self::around(automerge.with_actor(actor)),
            quarantined,
        })
    }
}

/// A document halfway through its tail.
struct Loading<'a> {
    automerge: Automerge,
    snapshot: Option<&'a [u8]>,
    /// The changes applied so far, to rebuild the document from when a later one panics.
    taken: Vec<Change>,
    quarantined: Vec<Quarantined>,
}

impl Loading<'_> {
    fn take(&mut self, index: usize, bytes: &[u8]) -> Result<(), LoadError> {
        let change = match caught(|| Change::try_from(bytes)) {
            Ok(Ok(change)) => change,
            Ok(Err(error)) => return Ok(self.set_aside(index, None, QuarantineReason::Unreadable(error.to_string()))),
            Err(panic) => return Ok(self.set_aside(index, None, QuarantineReason::Unreadable(panic))),
        };
        let hash = change.hash();
        let known = |hash: &ChangeHash| self.automerge.get_change_meta_by_hash(hash).is_some();
        if known(&hash) {
            return Ok(());
        }
        if let Some(missing) = change.deps().iter().find(|dep| !known(dep)) {
            let reason = QuarantineReason::BuildsOn(*missing);
            return Ok(self.set_aside(index, Some(hash), reason));
        }
        match caught(|| self.automerge.apply_changes([change.clone()])) {
            Ok(Ok(())) => self.taken.push(change),
            Ok(Err(error)) => self.set_aside(index, Some(hash), QuarantineReason::Rejected(error.to_string())),
            Err(panic) => {
                self.set_aside(index, Some(hash), QuarantineReason::Panicked(panic));
                self.rebuild()?;
            }
        }
        Ok(())
    }

    fn set_aside(&mut self, index: usize, hash: Option<ChangeHash>, reason: QuarantineReason) {
        self.quarantined.push(Quarantined { index, hash, reason });
    }

    /// Throws away the document that a panic left in an unknown state and makes it again without the change at fault.
    fn rebuild(&mut self) -> Result<(), LoadError> {
        let mut automerge = open_snapshot(self.snapshot)?;
        let again = caught(|| {
            self.taken
                .iter()
                .try_for_each(|change| automerge.apply_changes([change.clone()]))
        });
        match again {
            Ok(Ok(())) => {}
            // What went well a moment ago fails now: the library is not deterministic, and nothing can be trusted.
            Ok(Err(error)) => return Err(LoadError::Snapshot(error.to_string())),
            Err(panic) => return Err(LoadError::SnapshotPanicked(panic)),
        }
        self.automerge = automerge;
        Ok(())
    }
}

fn open_snapshot(snapshot: Option<&[u8]>) -> Result<Automerge, LoadError> {
    let Some(bytes) = snapshot else {
        return Ok(Automerge::new());
    };
    // The library takes no bytes at all for a new document; here that is a torn write.
    if bytes.is_empty() {
        return Err(LoadError::Snapshot("it is empty".into()));
    }
    match caught(|| Automerge::load(bytes)) {
        Ok(Ok(automerge)) => Ok(automerge),
        Ok(Err(error)) => Err(LoadError::Snapshot(error.to_string())),
        Err(panic) => Err(LoadError::SnapshotPanicked(panic)),
    }
}
