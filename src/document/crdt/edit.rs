//! Edits of the server's own.
//!
//! They are made on the live document, in a transaction that is rolled back when it is refused, and come out as ordinary
//! changes: stored, announced and synced like everybody's. A copy to make them on would cost milliseconds each.

use automerge::transaction::{CommitOptions, Transaction};
use automerge::{AutomergeError, Change, ReadDoc};

use super::{Document, Poisoned, caught};

/// Why an edit made here did not become a change.
#[derive(Debug, thiserror::Error)]
pub enum EditFailed<E> {
    /// The edit itself said no; the document is as it was before.
    #[error("{0}")]
    Refused(E),
    #[error("{0}")]
    Poisoned(Poisoned),
}

impl Document {
    /// Makes one change of what `edit` does; none if it did nothing. `time` is in seconds since 1970, as clients write it.
    pub fn edit<T, E>(
        &mut self,
        time: i64,
        message: Option<&str>,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<Change>), EditFailed<E>>
    where
        E: From<AutomergeError>,
    {
        if self.poisoned {
            let why = "an earlier change had spoilt it".into();
            return Err(EditFailed::Poisoned(Poisoned {
                changes: Vec::new(),
                why,
            }));
        }
        let mut options = CommitOptions::default().with_time(time);
        if let Some(message) = message {
            options = options.with_message(message);
        }
        self.poisoned = true;
        let made = caught(|| self.automerge.transact_with::<_, _, E, _>(|_| options, edit));
        let done = match made {
            Err(why) => {
                return Err(EditFailed::Poisoned(Poisoned {
                    changes: Vec::new(),
                    why,
                }));
            }
            Ok(Err(failure)) => {
                self.poisoned = false;
                return Err(EditFailed::Refused(failure.error));
            }
            Ok(Ok(done)) => done,
        };
        self.poisoned = false;
        let change = done.hash.and_then(|hash| self.automerge.get_change_by_hash(&hash));
        if let Some(change) = &change {
            self.note(change);
        }
        Ok((done.result, change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ActorId, ROOT};

    fn document() -> Document {
        Document::empty(ActorId::from([1; 4]))
    }

    #[test]
    fn an_edit_becomes_a_change_that_others_can_take() {
        let mut document = document();
        let (_, first) = document
            .edit::<_, AutomergeError>(1_700_000_000, Some("begin"), |tx| tx.put(ROOT, "title", "Budget"))
            .unwrap();
        let (_, second) = document
            .edit::<_, AutomergeError>(1_700_000_001, None, |tx| tx.put(ROOT, "title", "Plan"))
            .unwrap();
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((first.message(), first.timestamp()), (Some("begin"), 1_700_000_000));
        assert_eq!(document.tip(&ActorId::from([1; 4])).unwrap().seq, 2);
        let mut other = Document::empty(ActorId::from([2; 4]));
        other.apply(&[first, second]).unwrap();
        assert_eq!(other.heads(), document.heads());
    }

    #[test]
    fn an_edit_that_does_nothing_makes_no_change_and_one_that_fails_leaves_nothing() {
        let mut document = document();
        assert!(
            document
                .edit::<_, AutomergeError>(0, None, |_| Ok(()))
                .unwrap()
                .1
                .is_none()
        );
        let failed = document.edit::<_, AutomergeError>(0, None, |tx| {
            tx.put(ROOT, "title", "Budget")?;
            tx.increment(ROOT, "nothing", 1)
        });
        assert!(matches!(failed, Err(EditFailed::Refused(_))));
        assert!(document.heads().is_empty() && document.automerge().keys(ROOT).count() == 0);
    }

    #[test]
    fn a_panic_in_an_edit_poisons_the_document() {
        let mut document = document();
        let failed = document.edit::<(), AutomergeError>(0, None, |_| panic!("a bug"));
        assert!(matches!(failed, Err(EditFailed::Poisoned(_))));
        assert!(document.is_poisoned());
        assert!(document.edit::<_, AutomergeError>(0, None, |_| Ok(())).is_err());
    }
}
