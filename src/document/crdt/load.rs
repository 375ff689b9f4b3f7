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
    #[error("changes after the snapshot loaded once and not again: {0}")]
    Tail(String),
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
    Spoils(String),
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
        let document = open_snapshot(&actor, snapshot)?;
        let mut loading = Loading {
            actor,
            document,
            snapshot,
            taken: Vec::new(),
            waiting: Vec::new(),
            quarantined: Vec::new(),
        };
        for (index, bytes) in tail.into_iter().enumerate() {
            loading.read(index, bytes.as_ref())?;
        }
        loading.apply_waiting()?;
        let Loading {
            mut document,
            taken,
            quarantined,
            ..
        } = loading;
        if !taken.is_empty() {
            document.trim();
        }
        Ok(Loaded { document, quarantined })
    }
}

/// A document halfway through its tail.
struct Loading<'a> {
    actor: ActorId,
    document: Document,
    snapshot: Option<&'a [u8]>,
    /// The changes applied so far, to make the document again when a later one spoils it.
    taken: Vec<Change>,
    /// Read and not yet applied, with their places in the tail: runs on one text go in together.
    waiting: Vec<(usize, Change)>,
    quarantined: Vec<Quarantined>,
}

/// How many changes wait before they are applied.
const MAX_WAITING: usize = 256;

impl Loading<'_> {
    fn read(&mut self, index: usize, bytes: &[u8]) -> Result<(), LoadError> {
        let read = caught(|| Change::try_from(bytes));
        let change = match read.unwrap_or_else(|panic| Err(automerge::LoadChangeError::Parse(panic.into()))) {
            Ok(change) => change,
            Err(error) => {
                self.set_aside(index, None, QuarantineReason::Unreadable(error.to_string()));
                return Ok(());
            }
        };
        if !self.has(&change.hash()) {
            self.waiting.push((index, change));
        }
        if self.waiting.len() < MAX_WAITING {
            Ok(())
        } else {
            self.apply_waiting()
        }
    }

    fn has(&self, hash: &ChangeHash) -> bool {
        self.document.has(hash) || self.waiting.iter().any(|(_, change)| change.hash() == *hash)
    }

    /// Applies what waits: all of it if it goes well, else one by one, to find what is at fault.
    fn apply_waiting(&mut self) -> Result<(), LoadError> {
        let waiting = std::mem::take(&mut self.waiting);
        let changes: Vec<Change> = waiting.iter().map(|(_, change)| change.clone()).collect();
        if self.document.apply(&changes).is_ok() {
            self.taken.extend(changes);
            return Ok(());
        }
        self.make_again()?;
        waiting
            .into_iter()
            .try_for_each(|(index, change)| self.take(index, change))
    }

    fn take(&mut self, index: usize, change: Change) -> Result<(), LoadError> {
        let hash = change.hash();
        if let Some(missing) = self.document.missing(change.deps()).first() {
            self.set_aside(index, Some(hash), QuarantineReason::BuildsOn(*missing));
            return Ok(());
        }
        match self.document.apply(std::slice::from_ref(&change)) {
            Ok(()) => self.taken.push(change),
            Err(poisoned) => {
                self.set_aside(index, Some(hash), QuarantineReason::Spoils(poisoned.why));
                self.make_again()?;
            }
        }
        Ok(())
    }

    fn set_aside(&mut self, index: usize, hash: Option<ChangeHash>, reason: QuarantineReason) {
        self.quarantined.push(Quarantined { index, hash, reason });
    }

    /// Throws the spoilt document away and makes it again without the change at fault.
    fn make_again(&mut self) -> Result<(), LoadError> {
        self.document = open_snapshot(&self.actor, self.snapshot)?;
        // What went well a moment ago goes well again; if not, nothing can be trusted.
        self.document
            .apply(&self.taken)
            .map_err(|poisoned| LoadError::Tail(poisoned.why))
    }
}

fn open_snapshot(actor: &ActorId, snapshot: Option<&[u8]>) -> Result<Document, LoadError> {
    let Some(bytes) = snapshot else {
        return Ok(Document::empty(actor.clone()));
    };
    // The library takes no bytes at all for a new document; here that is a torn write.
    if bytes.is_empty() {
        return Err(LoadError::Snapshot("it is empty".into()));
    }
    match caught(|| Automerge::load(bytes).map(|automerge| Document::around(automerge.with_actor(actor.clone())))) {
        Ok(Ok(document)) => Ok(document),
        Ok(Err(error)) => Err(LoadError::Snapshot(error.to_string())),
        Err(panic) => Err(LoadError::SnapshotPanicked(panic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ROOT};

    const NO_TAIL: [[u8; 0]; 0] = [];

    fn server() -> ActorId {
        ActorId::from([9; 4])
    }

    /// Alice's changes: four, each on the one before.
    fn changes() -> Vec<Change> {
        let mut alice = AutoCommit::new().with_actor(ActorId::from([1; 4]));
        for title in ["Budget", "Plan", "List", "Table"] {
            alice.put(ROOT, "title", title).unwrap();
            alice.commit();
        }
        alice.get_changes(&[])
    }

    fn bytes(changes: &[Change]) -> Vec<Vec<u8>> {
        changes.iter().map(|change| change.raw_bytes().to_vec()).collect()
    }

    #[test]
    fn snapshot_and_tail_make_the_document_under_a_new_actor() {
        let changes = changes();
        let first = Document::load(server(), None, bytes(&changes[..2])).unwrap().document;
        // The tail begins before the snapshot ends, as after a crash in a compaction.
        let loaded = Document::load(server(), Some(&first.save()), bytes(&changes[1..])).unwrap();
        assert_eq!(loaded.document.heads(), [changes[3].hash()]);
        assert_eq!(loaded.quarantined, []);
        assert_eq!(loaded.document.automerge().get_actor(), &server());
        assert_eq!(loaded.document.tip(&ActorId::from([1; 4])).unwrap().seq, 4);
    }

    /// An empty document in place of one that does not load would be saved over it.
    #[test]
    fn a_snapshot_that_does_not_load_is_an_error() {
        let saved = Document::load(server(), None, bytes(&changes()))
            .unwrap()
            .document
            .save();
        for bad in [&saved[..saved.len() - 1], b"junk", b""] {
            assert!(Document::load(server(), Some(bad), NO_TAIL).is_err());
        }
        assert_eq!(
            Document::load(server(), Some(&saved), NO_TAIL)
                .unwrap()
                .document
                .change_count(),
            4
        );
    }

    #[test]
    fn a_change_that_panics_is_set_aside_with_all_that_build_on_it() {
        let changes = changes();
        let mut says = changes[1].decode();
        says.seq = 7;
        let panics = Change::from(says);
        let mut says = changes[2].decode();
        says.deps = vec![panics.hash()];
        let builds_on_it = Change::from(says);
        let tail = [changes[0].clone(), panics, builds_on_it, changes[1].clone()];
        let loaded = Document::load(server(), None, bytes(&tail)).unwrap();
        assert_eq!(loaded.document.heads(), [changes[1].hash()]);
        assert!(!loaded.document.is_poisoned());
        let [first, second] = &loaded.quarantined[..] else {
            panic!("{:?}", loaded.quarantined)
        };
        assert!(first.index == 1 && matches!(first.reason, QuarantineReason::Spoils(_)));
        assert_eq!((second.index, second.hash), (2, Some(tail[2].hash())));
        assert_eq!(second.reason, QuarantineReason::BuildsOn(tail[1].hash()));
    }

    #[test]
    fn bytes_that_are_no_change_are_reported_and_the_rest_loads() {
        let mut tail = bytes(&changes());
        tail.insert(2, b"torn".to_vec());
        let loaded = Document::load(server(), None, tail).unwrap();
        assert_eq!(loaded.document.change_count(), 4);
        assert!(matches!(
            &loaded.quarantined[..],
            [Quarantined {
                index: 2,
                hash: None,
                ..
            }]
        ));
    }
}
