//! Edits of the server's own.
//!
//! They are made on the live document, in a transaction that is rolled back when it is refused, and come out as ordinary
//! changes: stored, announced and synced like everybody's. A copy to make them on would cost milliseconds each.

use automerge::transaction::{CommitOptions, Transaction};
use automerge::{Automerge, AutomergeError, Change, ChangeHash, PatchLog, ReadDoc};

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
        let options = options(time, message);
        self.make(|automerge| {
            let made = automerge.transact_with::<_, _, E, _>(|_| options, edit);
            made.map(|done| (done.result, done.hash))
                .map_err(|failure| failure.error)
        })
    }

    /// As [`edit`](Self::edit), but made on an earlier version of the document: what `edit` sees is that version, and the
    /// change knows nothing of what came since. It is written under an actor of its own, unless this load of the document
    /// has written nothing since.
    pub fn edit_at<T, E>(
        &mut self,
        time: i64,
        message: Option<&str>,
        heads: &[ChangeHash],
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<Change>), EditFailed<E>>
    where
        E: From<AutomergeError>,
    {
        // The library would take an unknown one for the beginning of the document.
        if let Some(unknown) = self.missing(heads).first() {
            return Err(EditFailed::Refused(AutomergeError::MissingHash(*unknown).into()));
        }
        let options = options(time, message);
        self.make(|automerge| {
            let isolated = automerge.transaction_at(PatchLog::inactive(), heads);
            let mut tx = isolated.map_err(|_| AutomergeError::Fail)?;
            match edit(&mut tx) {
                Ok(result) => Ok((result, tx.commit_with(options).0)),
                Err(error) => {
                    tx.rollback();
                    Err(error)
                }
            }
        })
    }

    /// Calls the library for one change, and notes the change.
    fn make<T, E>(
        &mut self,
        call: impl FnOnce(&mut Automerge) -> Result<(T, Option<ChangeHash>), E>,
    ) -> Result<(T, Option<Change>), EditFailed<E>> {
        let poisoned = |why| {
            let changes = Vec::new();
            Err(EditFailed::Poisoned(Poisoned { changes, why }))
        };
        if self.poisoned {
            return poisoned("an earlier change had spoilt it".into());
        }
        self.poisoned = true;
        let (result, hash) = match caught(|| call(&mut self.automerge)) {
            Err(why) => return poisoned(why),
            Ok(Err(refused)) => {
                self.poisoned = false;
                return Err(EditFailed::Refused(refused));
            }
            Ok(Ok(made)) => made,
        };
        self.poisoned = false;
        let change = hash.and_then(|hash| self.automerge.get_change_by_hash(&hash));
        if let Some(change) = &change {
            self.note(change);
        }
        Ok((result, change))
    }
}

fn options(time: i64, message: Option<&str>) -> CommitOptions {
    let options = CommitOptions::default().with_time(time);
    match message {
        Some(message) => options.with_message(message),
        None => options,
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

    fn put(document: &mut Document, key: &str, value: i64) -> Change {
        let put = |tx: &mut Transaction<'_>| tx.put(ROOT, key, value);
        document.edit::<_, AutomergeError>(0, None, put).unwrap().1.unwrap()
    }

    fn put_at(document: &mut Document, heads: &[ChangeHash], key: &str, value: i64) -> Change {
        let put = |tx: &mut Transaction<'_>| tx.put(ROOT, key, value);
        let made = document.edit_at::<_, AutomergeError>(0, None, heads, put);
        made.unwrap().1.unwrap()
    }

    fn all(document: &Document, key: &str) -> Vec<i64> {
        let all = document.automerge().get_all(ROOT, key).unwrap();
        let mut all: Vec<_> = all.iter().filter_map(|(value, _)| value.as_i64()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn an_edit_of_an_earlier_version_stands_beside_what_came_since() {
        let mut document = document();
        put(&mut document, "n", 1);
        let then = document.heads();
        let later = put(&mut document, "n", 2);
        let seen = document.edit_at::<_, AutomergeError>(0, None, &then, |tx| {
            let seen = tx.get(ROOT, "n")?.and_then(|(value, _)| value.as_i64());
            tx.put(ROOT, "n", 3).map(|()| seen)
        });
        let (seen, isolated) = seen.unwrap();
        let isolated = isolated.unwrap();
        assert_eq!((seen, isolated.deps()), (Some(1), &then[..]));
        assert_eq!(all(&document, "n"), [2, 3]);
        let mut heads = vec![later.hash(), isolated.hash()];
        heads.sort_unstable();
        assert_eq!(document.heads(), heads);
        let tip = document.tip(isolated.actor_id()).unwrap();
        assert_eq!(
            (tip.seq, tip.max_op, document.max_op()),
            (1, isolated.max_op(), isolated.max_op())
        );
        // What comes then has seen both.
        put(&mut document, "n", 4);
        assert_eq!((all(&document, "n"), document.heads().len()), (vec![4], 1));
    }

    /// However many versions edits are made on, the document loads again and others take every change.
    #[test]
    fn edits_of_many_versions_are_saved_loaded_and_taken_by_others() {
        let mut document = document();
        let mut other = Document::empty(ActorId::from([2; 4]));
        let (mut versions, mut made) = (Vec::new(), Vec::new());
        for n in 0..20 {
            made.push(put(&mut document, "n", n));
            versions.push(document.heads());
        }
        for (n, then) in versions.iter().enumerate().rev() {
            made.push(put_at(&mut document, then, ["a", "b", "n"][n % 3], 100 + n as i64));
            made.push(put(&mut document, "z", n as i64));
        }
        other.apply(&made).unwrap();
        let loaded = Automerge::load(&document.save()).unwrap();
        for copy in [other.automerge(), &loaded] {
            assert_eq!(copy.get_heads(), document.heads());
            for key in ["a", "b", "n", "z"] {
                let all = document.automerge().get_all(ROOT, key).unwrap();
                assert_eq!(copy.get_all(ROOT, key).unwrap(), all);
            }
        }
        assert_eq!(all(&document, "a").len(), 7, "none of them knows of another");
        for tip in document.tips.iter() {
            assert_eq!(other.tip(tip.0), Some(*tip.1));
        }
    }

    #[test]
    fn an_edit_of_an_earlier_version_that_fails_leaves_nothing() {
        let mut document = document();
        put(&mut document, "n", 1);
        let then = document.heads();
        put(&mut document, "n", 2);
        let (heads, saved) = (document.heads(), document.save());
        let failed = document.edit_at::<_, AutomergeError>(0, None, &then, |tx| {
            tx.put(ROOT, "n", 3)?;
            tx.increment(ROOT, "nothing", 1)
        });
        assert!(matches!(failed, Err(EditFailed::Refused(_))));
        let nothing = document.edit_at::<_, AutomergeError>(0, None, &then, |_| Ok(()));
        assert!(nothing.unwrap().1.is_none());
        let unknown = document.edit_at::<_, AutomergeError>(0, None, &[ChangeHash([7; 32])], |_| Ok(()));
        assert!(matches!(
            unknown,
            Err(EditFailed::Refused(AutomergeError::MissingHash(_)))
        ));
        assert_eq!((document.heads(), document.save()), (heads, saved));
        let panicked = document.edit_at::<(), AutomergeError>(0, None, &then, |_| panic!("a bug"));
        assert!(matches!(panicked, Err(EditFailed::Poisoned(_))) && document.is_poisoned());
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
