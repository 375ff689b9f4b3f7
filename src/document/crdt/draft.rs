//! Changes the server makes itself.
//!
//! They are made on a copy and come out as ordinary changes, so that there is one way into a document for everybody: the
//! gate, the store, the announcement.

use automerge::transaction::{CommitOptions, Transaction};
use automerge::{Automerge, AutomergeError, Change, ReadDoc};

use super::caught;

/// Why an edit made here did not become a change.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("the edit does not fit the document: {0}")]
    Edit(#[from] AutomergeError),
    #[error("the edit panicked in the library: {0}")]
    Panicked(String),
}

/// A copy of a document on which the server composes changes of its own, each building on the one before.
#[derive(Debug)]
pub struct Draft {
    automerge: Automerge,
}

impl Draft {
    pub(super) fn on(automerge: Automerge) -> Self {
        Self { automerge }
    }

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

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ActorId, ROOT};

    #[test]
    fn a_draft_makes_changes_that_the_document_then_takes() {
        let mut document = Document::empty(ActorId::from([1; 4]));
        let mut draft = document.draft();
        let first = draft
            .change(1_700_000_000, Some("begin"), |tx| tx.put(ROOT, "title", "Budget"))
            .unwrap()
            .unwrap();
        let second = draft
            .change(1_700_000_001, None, |tx| tx.put(ROOT, "title", "Plan"))
            .unwrap()
            .unwrap();
        assert_eq!((first.message(), first.timestamp()), (Some("begin"), 1_700_000_000));
        assert!(document.heads().is_empty());
        document.apply(&[first, second]).unwrap();
        assert_eq!(document.heads(), draft.automerge().get_heads());
        assert_eq!(document.tip(&ActorId::from([1; 4])).unwrap().seq, 2);
    }

    #[test]
    fn an_edit_that_does_nothing_makes_no_change_and_one_that_fails_leaves_nothing() {
        let mut draft = Document::empty(ActorId::from([1; 4])).draft();
        assert!(draft.change(0, None, |_| Ok(())).unwrap().is_none());
        let failed = draft.change(0, None, |tx| {
            tx.put(ROOT, "title", "Budget")?;
            tx.increment(ROOT, "nothing", 1)
        });
        assert!(matches!(failed, Err(DraftError::Edit(_))));
        assert!(draft.automerge().is_empty());
    }
}
