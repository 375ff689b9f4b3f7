//! A file of changes brought in: all of them or none.
//!
//! A peer of the sync door that offers a bad change loses its conversation and keeps the rest; who uploads a file wants to
//! know what became of it. So the changes are tried on a copy first, through the same gate, and only then committed. The
//! copy is made and worked on outside the lock of the document; if the document has moved on meanwhile it is tried again,
//! the last time under the lock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use automerge::{Change, ChangeHash};

use super::commit::{Commit, Writer};
use super::edit::Edited;
use super::room::{Live, Room};
use crate::document::crdt::{Document, MAX_TEXT_BATCH};
use crate::store::{Place, Tombstone};
use crate::sync::gate::{self, Admission, Ahead, GateLimits, Offered, Refusal};

/// How often changes are tried outside the lock before they are tried under it.
const TRIES: usize = 3;

/// What was brought in. It may be shown once the room is durable up to its position.
#[derive(Debug)]
pub struct Brought {
    pub commit: Commit,
    /// Changes that the document did not have.
    pub new: usize,
    /// Whether there was no such document before.
    pub created: bool,
}

/// Why nothing was brought in.
#[derive(Debug, thiserror::Error)]
pub enum NotBrought {
    #[error("the document is asleep")]
    NotAwake,
    #[error("the document is deleted")]
    Deleted(Tombstone),
    #[error("{}: {why}", named(.hash))]
    Refused { hash: Option<ChangeHash>, why: Refusal },
    #[error("change {hash} builds on {missing}, which neither the document has nor what was sent")]
    NotReady { hash: ChangeHash, missing: ChangeHash },
    #[error("change {0}, or one that it builds on, was set aside for good: it makes the library panic")]
    SetAside(ChangeHash),
    /// A change that another peer had sent ahead, and that these released, got in between. It takes a forged sequence number.
    #[error("{}, after others were taken: {why}", named(.hash))]
    Overtaken { hash: Option<ChangeHash>, why: Refusal },
}

fn named(hash: &Option<ChangeHash>) -> String {
    hash.map_or_else(
        || "a change that cannot be read".into(),
        |hash| format!("change {hash}"),
    )
}

/// A copy of the document and what must be known of its room to try changes on it.
struct Trial {
    document: Document,
    position: u64,
    epoch: u64,
    barred: HashSet<ChangeHash>,
}

impl Room {
    /// Commits all of the changes that the document does not have, or none. Heavy.
    pub fn bring(
        self: &Arc<Self>,
        place: Place,
        offered: Vec<Offered>,
        writer: &Writer,
        now: Instant,
    ) -> Result<Edited<Brought>, NotBrought> {
        let changes = readable(offered)?;
        for left in (0..=TRIES).rev() {
            let trial = self.trial(&self.slot())?;
            let (position, epoch) = (trial.position, trial.epoch);
            let mut new = trial.run(&changes, &self.limits.gate)?;
            let _here = self.turns.interactive();
            let slot = self.slot();
            if self.log().end() != position || self.epoch() != epoch {
                if left > 0 {
                    continue;
                }
                // Too many edits come in: they wait for once.
                new = self.trial(&slot)?.run(&changes, &self.limits.gate)?;
            }
            let created = self.log().end() == 0;
            let count = new.len();
            let offered = new
                .into_iter()
                .map(|change| Offered::Change(Box::new(change)))
                .collect();
            let commit = self
                .commit_in(slot, place, offered, writer, now)
                .map_err(|_| self.gone_or_asleep())?;
            // Something kept aside that these changes released may have come before the last of them.
            if let Some((hash, why)) = commit.refused.first() {
                let (hash, why) = (*hash, why.clone());
                return Err(NotBrought::Overtaken { hash, why });
            }
            return Ok(self.edited(Brought {
                commit,
                new: count,
                created: created && count > 0,
            }));
        }
        unreachable!("the last try returns")
    }

    /// Why a commit gave everything back.
    fn gone_or_asleep(&self) -> NotBrought {
        let tombstone = self.notes().tombstone().cloned();
        tombstone.map_or(NotBrought::NotAwake, NotBrought::Deleted)
    }

    fn trial(&self, slot: &super::room::Slot) -> Result<Trial, NotBrought> {
        let Live::Awake(document) = &slot.live else {
            return Err(NotBrought::NotAwake);
        };
        Ok(Trial {
            document: document.scratch(),
            position: self.log().end(),
            epoch: self.epoch(),
            barred: slot.quarantined.clone(),
        })
    }
}

impl Trial {
    /// The changes that the document does not have, in an order in which it takes them.
    fn run(mut self, changes: &[Change], limits: &GateLimits) -> Result<Vec<Change>, NotBrought> {
        let ordered = in_order(&self.document, changes)?;
        self.document.begin_message();
        let mut rest = &ordered[..];
        while let Some((first, _)) = rest.split_first() {
            let mut ahead = Ahead::default();
            self.admit(&ahead, first, limits)?;
            ahead.push(first.clone());
            // As a commit does: a run on one text object goes in together.
            let text = self.document.the_only_text(first);
            for next in rest.iter().skip(1).take(MAX_TEXT_BATCH - 1) {
                if text.is_none() || self.document.the_only_text(next) != text {
                    break;
                }
                self.admit(&ahead, next, limits)?;
                ahead.push(next.clone());
            }
            let run = ahead.changes();
            self.document.apply(run).map_err(|poisoned| NotBrought::Refused {
                hash: poisoned.changes.first().copied(),
                why: Refusal::Panicked(poisoned.why),
            })?;
            rest = &rest[run.len()..];
        }
        Ok(ordered)
    }

    fn admit(&self, ahead: &Ahead, change: &Change, limits: &GateLimits) -> Result<(), NotBrought> {
        let hash = change.hash();
        if self.barred.contains(&hash) || change.deps().iter().any(|dep| self.barred.contains(dep)) {
            return Err(NotBrought::SetAside(hash));
        }
        match gate::admit_after(&self.document, ahead, change, limits) {
            Admission::Ready | Admission::Known => Ok(()),
            Admission::Aside { missing } => Err(NotBrought::NotReady {
                hash,
                missing: missing.first().copied().unwrap_or(hash),
            }),
            Admission::Refused(why) => Err(NotBrought::Refused { hash: Some(hash), why }),
        }
    }
}

fn readable(offered: Vec<Offered>) -> Result<Vec<Change>, NotBrought> {
    let changes = offered.into_iter().map(|offered| match offered {
        Offered::Change(change) => Ok(*change),
        Offered::Refused { hash, why } => Err(NotBrought::Refused { hash, why }),
    });
    changes.collect()
}

/// Those that the document does not have, each once, what others build on before them; otherwise as they came.
fn in_order(document: &Document, changes: &[Change]) -> Result<Vec<Change>, NotBrought> {
    let mut place: HashMap<ChangeHash, usize> = HashMap::new();
    for (index, change) in changes.iter().enumerate() {
        if !document.has(&change.hash()) {
            place.entry(change.hash()).or_insert(index);
        }
    }
    let mut waits = vec![0usize; changes.len()];
    let mut releases: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for (hash, index) in &place {
        for dep in changes[*index].deps() {
            match place.get(dep) {
                Some(below) => {
                    waits[*index] += 1;
                    releases.entry(*below).or_default().push(*index);
                }
                None if document.has(dep) => {}
                None => {
                    return Err(NotBrought::NotReady {
                        hash: *hash,
                        missing: *dep,
                    });
                }
            }
        }
        if waits[*index] == 0 {
            ready.push(Reverse(*index));
        }
    }
    let mut ordered = Vec::with_capacity(place.len());
    while let Some(Reverse(index)) = ready.pop() {
        ordered.push(changes[index].clone());
        for above in releases.remove(&index).unwrap_or_default() {
            waits[above] -= 1;
            if waits[above] == 0 {
                ready.push(Reverse(above));
            }
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use automerge::transaction::Transactable;
    use automerge::{ActorId, AutoCommit, AutomergeError, ROOT, ReadDoc};

    use super::*;
    use crate::document::author::{Author, Door};
    use crate::id::DocumentId;
    use crate::room::{RoomLimits, Rooms};
    use crate::store::memory::MemoryEngine;
    use crate::store::{Committer, Need, Store, StoreLimits};
    use crate::sync::bindings::Bindings;

    struct Scene {
        store: Store,
        _committer: Committer,
        room: Arc<Room>,
        now: Instant,
    }

    /// An empty room that is awake.
    fn scene() -> Scene {
        let (store, committer) = Store::open(Arc::new(MemoryEngine::new()), StoreLimits::default()).unwrap();
        let sessions = Bindings::new(Default::default(), "test").own_sessions();
        let rooms = Rooms::new(store.clone(), RoomLimits::default(), 1, sessions);
        let now = Instant::now();
        let room = rooms
            .open(&DocumentId::from_uuid(uuid::Uuid::from_u128(1)), now)
            .unwrap();
        room.begin_wake(now);
        room.wake(ActorId::from([9; 16]), now);
        Scene {
            store,
            _committer: committer,
            room,
            now,
        }
    }

    fn writer() -> Writer {
        let author = Author {
            time: 0,
            user: None,
            device: "test".into(),
            door: Door::Rest,
        };
        let connection = None;
        Writer { author, connection }
    }

    fn offered(changes: &[Change]) -> Vec<Offered> {
        let offer = |change: &Change| Offered::Change(Box::new(change.clone()));
        changes.iter().map(offer).collect()
    }

    impl Scene {
        fn place(&self) -> Place {
            self.store.try_reserve(Need { changes: 1, bytes: 1 }).unwrap()
        }

        fn bring(&self, changes: &[Change]) -> Result<Brought, NotBrought> {
            let brought = self.room.bring(self.place(), offered(changes), &writer(), self.now);
            brought.map(|brought| brought.value)
        }
    }

    /// The changes of somebody who has put `key` so many times.
    fn changes(key: &str, count: usize) -> Vec<Change> {
        let mut ada = AutoCommit::new();
        for n in 0..count {
            ada.put(ROOT, key, n as i64).unwrap();
            ada.commit();
        }
        ada.get_changes(&[])
    }

    #[test]
    fn changes_come_in_whatever_their_order_each_once() {
        let scene = scene();
        let mut all = changes("ada", 20);
        all.reverse();
        all.push(all[3].clone());
        let brought = scene.bring(&all).unwrap();
        assert_eq!((brought.new, brought.created), (20, true));
        let again = scene.bring(&all).unwrap();
        assert_eq!((again.new, again.created, scene.room.end()), (0, false, 20));
    }

    #[test]
    fn one_that_cannot_be_taken_keeps_all_out_and_is_named() {
        let scene = scene();
        let all = changes("ada", 3);
        let gap = [all[0].clone(), all[2].clone()];
        let missing = all[1].hash();
        assert!(matches!(scene.bring(&gap), Err(NotBrought::NotReady { missing: named, .. }) if named == missing));
        let mut says = all[2].decode();
        says.seq = 7;
        let crafted = [all[0].clone(), all[1].clone(), Change::from(says)];
        let refused = scene.bring(&crafted).unwrap_err();
        let named = crafted[2].hash();
        assert!(
            matches!(refused, NotBrought::Refused { hash: Some(hash), .. } if hash == named),
            "{refused}"
        );
        assert_eq!((scene.room.end(), scene.room.kept_aside()), (0, 0));
    }

    /// The document was deleted while the changes were tried on the copy. The file was to be sent again, for ever.
    #[test]
    fn a_document_that_is_deleted_says_so() {
        let scene = scene();
        let all = changes("ada", 2);
        scene.bring(&all[..1]).unwrap();
        scene.room.delete(scene.place(), &writer(), scene.now, None).unwrap();
        assert!(matches!(scene.bring(&all), Err(NotBrought::Deleted(tombstone)) if tombstone.by == "test"));
    }

    /// Somebody edits without a pause: the document has always moved on when the copy is ready.
    #[test]
    fn a_document_that_does_not_keep_still_is_made_to_wait() {
        let scene = scene();
        let (done, edits) = (AtomicBool::new(false), std::sync::atomic::AtomicI64::new(0));
        let brought = std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let n = edits.fetch_add(1, Ordering::AcqRel);
                    let place = scene.place();
                    let edit = |tx: &mut automerge::transaction::Transaction<'_>| tx.put(ROOT, "n", n);
                    let edited = scene.room.edit::<_, AutomergeError>(place, &writer(), scene.now, edit);
                    assert!(edited.is_ok());
                }
            });
            while edits.load(Ordering::Acquire) < 3 {
                std::thread::yield_now();
            }
            let brought = scene.bring(&changes("ada", 200));
            done.store(true, Ordering::Release);
            brought
        });
        assert_eq!(brought.unwrap().new, 200);
        let seen = scene.room.look(scene.now, |document| {
            let document = document.automerge();
            ["n", "ada"].map(|key| document.get(ROOT, key).unwrap().unwrap().0.as_i64())
        });
        let last = edits.load(Ordering::Acquire) - 1;
        assert_eq!(seen.unwrap().value, [Some(last), Some(199)]);
    }
}
