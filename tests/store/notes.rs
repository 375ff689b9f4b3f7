//! Idempotency keys and tombstones: together with their change or not at all, bounded, and never half there.

use std::sync::Arc;

use bytes::Bytes;
use roundtable::id::DocumentId;
use roundtable::key::{KEPT_MS, KeyId, YOUNG_MS};
use roundtable::store::engine::Engine;
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Append, Fate, KeyRecord, Listed, MAX_ANSWER, Note, StoreFailure, StoreLimits, Tombstone};

use crate::{World, change, document, listed, open_sled, reserve};

/// The clock of the server in these stories.
const NOW: u64 = 1_767_225_600_000;

const THREE_KEYS: StoreLimits = StoreLimits {
    queue_changes: 1_000,
    queue_bytes: 10 << 20,
    batch_changes: 1_000,
    batch_bytes: 10 << 20,
    snapshots: 1,
    keys: 3,
};

fn id(time: u64, which: u8) -> KeyId {
    KeyId {
        time,
        hash: [which; 16],
    }
}

fn record(answer: impl Into<Bytes>) -> KeyRecord {
    KeyRecord {
        digest: [9; 32],
        answer: answer.into(),
    }
}

fn key_at(now: u64, id: KeyId, answer: impl Into<Bytes>) -> Note {
    let record = record(answer);
    Note::Key { id, record, now }
}

/// The key of a request that comes so late that its key is not young any more.
fn key(id: KeyId, answer: &'static str) -> Note {
    key_at(NOW + 2 * YOUNG_MS, id, answer)
}

fn tombstone(at: u64) -> Tombstone {
    Tombstone { at, by: "ada".into() }
}

impl<E: Engine + Clone + 'static> World<E> {
    fn note(&self, document: &DocumentId, numbers: impl IntoIterator<Item = u64>, notes: Vec<Note>) {
        let outcomes = self.outcomes.clone();
        let append = Append {
            document: document.clone(),
            changes: numbers.into_iter().map(change).collect(),
            notes,
            flushed: Box::new(move |outcome| outcomes.lock().unwrap().push((0, outcome))),
        };
        self.store.append(reserve(&self.store), append);
    }

    fn answer(&self, document: &DocumentId, id: KeyId) -> Option<Bytes> {
        let record = self.store.key(document, &id).expect("it reads");
        record.map(|record| record.answer)
    }

    fn floor(&self, document: &DocumentId) -> u64 {
        self.store.key_floor(document).expect("it reads")
    }
}

/// Both engines keep notes over a restart, long ones in pieces, and the last one about a key holds.
fn keeps_notes<E: Engine + Clone + 'static>(engine: E, reopen: impl FnOnce(World<E>) -> E) {
    let world = World::on(engine);
    let alpha = document(1);
    let long = vec![7; MAX_ANSWER];
    world.note(&alpha, [1], vec![key(id(NOW, 1), "first")]);
    world.note(&alpha, [2], vec![key_at(NOW, id(NOW, 2), long.clone())]);
    world.note(&alpha, [], vec![key_at(NOW, id(NOW, 3), long.clone())]);
    world.settle();
    world.note(&alpha, [], vec![key(id(NOW, 3), "shorter now")]);
    world.note(&alpha, [], vec![Note::Fate(Fate::Deleted(tombstone(NOW)))]);
    world.settle();
    // Compaction leaves them alone.
    world.compact(&alpha, 2);
    let world = World::on(reopen(world));
    assert_eq!(world.answer(&alpha, id(NOW, 1)), Some("first".into()));
    assert_eq!(world.answer(&alpha, id(NOW, 2)), Some(long.into()));
    assert_eq!(world.answer(&alpha, id(NOW, 3)), Some("shorter now".into()));
    assert_eq!(world.answer(&alpha, id(NOW, 4)), None);
    assert_eq!(
        world.answer(&document(2), id(NOW, 1)),
        None,
        "a key is a document's own"
    );
    assert_eq!(world.store.fate(&alpha).unwrap(), Some(Fate::Deleted(tombstone(NOW))));
    assert_eq!(
        world.load(&alpha).unwrap().last_number,
        2,
        "a deleted document keeps all it has"
    );
}

#[test]
fn sled_keeps_notes() {
    let folder = tempfile::tempdir().unwrap();
    keeps_notes(open_sled(folder.path()), |world| {
        drop(world);
        open_sled(folder.path())
    });
}

#[test]
fn memory_keeps_notes() {
    keeps_notes(MemoryEngine::new(), |world| world.engine.crash(Survives::Nothing));
}

#[test]
fn a_key_and_its_change_are_there_together_or_not_at_all() {
    for survives in [
        Survives::Nothing,
        Survives::First(1),
        Survives::First(2),
        Survives::Everything,
    ] {
        for fails_in in 0..4 {
            let world = World::bounded(
                MemoryEngine::new(),
                StoreLimits {
                    batch_changes: 1,
                    ..THREE_KEYS
                },
            );
            let alpha = document(1);
            world.engine.fail_sync_after(fails_in);
            for number in 1..=4 {
                world.note(&alpha, [number], vec![key(id(NOW + number, 1), "done")]);
            }
            world.settle();
            let world = World::bounded(world.engine.crash(survives), THREE_KEYS);
            let stored = world.load(&alpha).map_or(0, |stored| stored.last_number);
            for number in 1..=4 {
                // Of four keys the oldest is forgotten, which its floor tells.
                let is_known = world.answer(&alpha, id(NOW + number, 1)).is_some();
                let is_forgotten = world.floor(&alpha) >= NOW + number;
                assert_eq!(
                    is_known || is_forgotten,
                    number <= stored,
                    "key {number}, {stored} changes, {survives:?}, sync {fails_in} failed"
                );
            }
        }
    }
}

/// The bound holds, the oldest goes, nothing of it stays, and the store remembers that it forgot. In one batch or in many.
#[test]
fn the_oldest_key_is_forgotten_when_there_are_too_many() {
    for step_each in [true, false] {
        let world = World::bounded(MemoryEngine::new(), THREE_KEYS);
        let (alpha, beta) = (document(1), document(2));
        world.append(&alpha, [1]);
        world.append(&beta, [1]);
        world.settle();
        let long = vec![1; 10_000];
        world.note(&beta, [], vec![key(id(1 + NOW, 1), "another document's")]);
        for time in [40, 20, 30, 50, 20, 60] {
            world.note(
                &alpha,
                [],
                vec![key_at(NOW + 2 * YOUNG_MS, id(NOW + time, 1), long.clone())],
            );
            if step_each {
                world.settle();
            }
        }
        world.settle();
        let known = |time| world.answer(&alpha, id(NOW + time, 1)).is_some();
        // 20 was forgotten for 50, came again and was at once the oldest of four; 30 was forgotten for 60.
        assert_eq!([20, 30, 40, 50, 60].map(known), [false, false, true, true, true]);
        assert_eq!(world.floor(&alpha), NOW + 30);
        assert_eq!(world.floor(&beta), 0);
        assert!(world.answer(&beta, id(1 + NOW, 1)).is_some());
        let keys = roundtable::store::layout::DocumentKeys::new(&alpha);
        let prefix = [keys.prefix(), b"k"].concat();
        let pieces = world.engine.contents();
        let pieces = pieces.iter().filter(|(key, _)| key.starts_with(&prefix)).count();
        assert_eq!(
            pieces,
            3 * 3,
            "three records of three pieces, and nothing of those forgotten"
        );
    }
}

#[test]
fn keys_of_a_month_ago_go_as_new_ones_come() {
    let world = World::bounded(
        MemoryEngine::new(),
        StoreLimits {
            keys: 100,
            ..THREE_KEYS
        },
    );
    let alpha = document(1);
    world.append(&alpha, [1]);
    for time in 1..=10 {
        world.note(&alpha, [], vec![key(id(NOW + time, 1), "old")]);
    }
    world.settle();
    let later = NOW + 9 + KEPT_MS;
    let known = |world: &World<MemoryEngine>| {
        let known = |time: &u64| world.answer(&alpha, id(NOW + time, 1)).is_some();
        (1..=10).filter(known).count()
    };
    world.note(&alpha, [], vec![key_at(later, id(later, 1), "new")]);
    world.settle();
    assert_eq!(known(&world), 6, "a few at a time");
    assert_eq!(world.floor(&alpha), NOW + 4);
    for which in 2..=5 {
        world.note(&alpha, [], vec![key_at(later, id(later, which), "new")]);
    }
    world.settle();
    assert_eq!(known(&world), 2, "those that are not older than a month stay");
    assert_eq!(world.floor(&alpha), NOW + 8);
}

#[test]
fn deleted_documents_are_listed_apart() {
    let world = World::new();
    let all: Vec<_> = (1..=3).map(document).collect();
    for document in &all {
        world.append(document, [1]);
    }
    let deleted = |world: &World<MemoryEngine>| world.store.documents(Listed::Deleted, None, 9).unwrap().documents;
    world.note(&all[1], [], vec![Note::Fate(Fate::Deleted(tombstone(1)))]);
    world.settle();
    assert_eq!(listed(&world.store), [all[0].clone(), all[2].clone()]);
    assert_eq!(deleted(&world), [all[1].clone()]);
    world.note(&all[1], [], vec![Note::Fate(Fate::Restored(tombstone(2)))]);
    world.settle();
    assert_eq!(listed(&world.store), all);
    assert!(deleted(&world).is_empty());
}

/// The engine shows what it has not synced, and what it failed to sync; the store does not.
#[test]
fn a_tombstone_counts_once_it_is_on_disk() {
    let World {
        engine,
        store,
        committer,
        ..
    } = World::new();
    let world = |store: &roundtable::store::Store| (listed(store).len(), store.fate(&document(1)).unwrap());
    let append = |notes: Vec<Note>, changes: Vec<u64>| {
        let (document, changes) = (document(1), changes.into_iter().map(change).collect());
        let flushed = Box::new(|_: Result<(), Arc<StoreFailure>>| ());
        let append = Append {
            document,
            changes,
            notes,
            flushed,
        };
        store.append(reserve(&store), append);
    };
    append(Vec::new(), vec![1]);
    committer.step();
    engine.hold_syncs();
    append(vec![Note::Fate(Fate::Deleted(tombstone(1)))], Vec::new());
    let deleted = Some(Fate::Deleted(tombstone(1)));
    let committer = std::thread::scope(|scope| {
        let stepping = scope.spawn(move || {
            committer.step();
            committer
        });
        engine.wait_for_held_sync();
        assert_eq!(world(&store), (1, None));
        engine.release_syncs();
        stepping.join().unwrap()
    });
    assert_eq!(world(&store), (0, deleted.clone()));
    engine.fail_sync_after(0);
    append(vec![Note::Fate(Fate::Restored(tombstone(2)))], Vec::new());
    committer.step();
    assert_eq!(world(&store), (0, deleted));
}
