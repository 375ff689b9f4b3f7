//! Group commit: one batch for many, the order of things, failures.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use roundtable::store::engine::{Batch, Engine, EngineError, KeyRange, Scan};
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Append, NoPlace, Progress, SnapshotError, Status, StoreFailure, StoreLimits, StoredChange};

use crate::{SMALL, World, append_at, assert_whole, change, document, listed, need, reserve, snapshot};

#[test]
fn many_rooms_share_one_batch_and_one_sync_and_are_told_in_order() {
    let world = World::new();
    let before = (world.engine.applies(), world.engine.syncs());
    for room in 1..=20 {
        world.append(&document(u128::from(room)), 1..=room);
    }
    assert_eq!(world.committer.step(), Progress::Flushed { items: 20 });
    assert_eq!(
        (world.engine.applies(), world.engine.syncs()),
        (before.0 + 1, before.1 + 1)
    );
    assert_eq!(world.flushed(), Vec::from_iter(1..=20));
    assert_eq!(world.committer.step(), Progress::Idle);
}

/// While the sync has not returned, nobody is told and no reader is shown anything.
#[test]
fn nothing_is_told_or_read_before_the_sync_returned() {
    let world = World::new();
    let alpha = document(1);
    world.append(&alpha, 1..=2);
    world.settle();
    world.engine.hold_syncs();
    world.append(&alpha, 3..=4);
    world.append(&document(2), 1..=1);
    std::thread::scope(|scope| {
        let step = scope.spawn(|| world.committer.step());
        world.engine.wait_for_held_sync();
        assert_eq!(world.engine.unsynced(), 1, "the batch is in the engine");
        assert_eq!(world.flushed(), [2]);
        assert_eq!(world.load(&alpha).unwrap().last_number, 2);
        assert_eq!(world.store.authors(&alpha, 1..=9).unwrap().len(), 2);
        assert_eq!(world.load(&document(2)), None);
        assert_eq!(listed(&world.store), std::slice::from_ref(&alpha));
        world.engine.release_syncs();
        assert_eq!(step.join().unwrap(), Progress::Flushed { items: 2 });
    });
    assert_eq!(world.flushed(), [2, 4, 1]);
    assert_eq!(world.load(&alpha).unwrap().last_number, 4);
    assert_eq!(listed(&world.store).len(), 2);
}

#[test]
fn a_batch_is_bounded_and_its_first_item_always_goes() {
    let world = World::bounded(MemoryEngine::new(), SMALL);
    let huge = StoredChange {
        bytes: vec![1; 5000].into(),
        ..change(4)
    };
    for changes in [vec![change(1)], vec![change(2)], vec![change(3)], vec![huge]] {
        append_at(
            &world.store,
            reserve(&world.store),
            &document(1),
            changes,
            &world.outcomes,
        );
    }
    assert_eq!(world.committer.step(), Progress::Flushed { items: 2 }, "by number");
    assert_eq!(world.committer.step(), Progress::Flushed { items: 1 }, "by bytes");
    assert_eq!(
        world.committer.step(),
        Progress::Flushed { items: 1 },
        "larger than the bound, alone"
    );
    assert_eq!(world.flushed(), [1, 2, 3, 4]);
}

/// Sled would take no second sync either: a later success would claim what was lost.
#[test]
fn after_a_failed_sync_the_store_is_read_only_and_reads_go_on() {
    let world = World::bounded(
        MemoryEngine::new(),
        StoreLimits {
            batch_changes: 2,
            ..StoreLimits::default()
        },
    );
    let alpha = document(1);
    world.append(&alpha, 1..=3);
    world.settle();
    let early = reserve(&world.store);
    world.engine.fail_sync_after(0);
    world.append(&alpha, 4..=5);
    world.append(&alpha, 6..=7);
    world.append(&document(2), 1..=1);
    assert_eq!(world.committer.step(), Progress::Failed { items: 1 });
    assert!(matches!(world.store.status(), Status::ReadOnly(_)));
    assert_eq!(
        world.committer.step(),
        Progress::Failed { items: 1 },
        "what was queued fails too"
    );
    assert!(matches!(world.store.try_reserve(need(1, 1)), Err(NoPlace::ReadOnly(_))));

    // A place given out before still takes its append, and the callback is told.
    append_at(&world.store, early, &alpha, vec![change(8)], &world.outcomes);
    world.settle();
    let outcomes = world.outcomes.lock().unwrap().clone();
    assert_eq!(
        outcomes.iter().map(|(last, _)| *last).collect::<Vec<_>>(),
        [3, 5, 7, 1, 8]
    );
    let reasons = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err());
    assert!(reasons.clone().all(|reason| matches!(**reason, StoreFailure::Sync(_))));
    assert_eq!(reasons.count(), 4);

    // The engine serves the failed batch, the store does not: whether a number is given or not.
    for upto in [None, Some(3), Some(5)] {
        let stored = world.store.load(&alpha, upto).unwrap().unwrap();
        assert_eq!(stored.last_number, 3);
        assert_whole(&stored, 3, "read-only");
    }
    assert_eq!(world.load(&document(2)), None);
    assert_eq!(world.store.authors(&alpha, 1..=9).unwrap().len(), 3);
    let refused = world.store.write_snapshot(&alpha, snapshot(3), |_| true);
    // Nobody steps the committer here, so only the refusal at the door keeps this from waiting for ever.
    assert!(matches!(refused, Err(SnapshotError::Failed(_))), "{refused:?}");
}

/// An engine whose sync fails once and then seems well again, as the kernel does after it dropped dirty pages.
#[derive(Clone, Default)]
struct Forgetful {
    memory: MemoryEngine,
    failing: Arc<AtomicBool>,
}

impl Engine for Forgetful {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        self.memory.apply(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        match self.failing.swap(false, SeqCst) {
            true => Err(EngineError::Refused("the pages are gone".into())),
            false => self.memory.sync(),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.memory.get(key)
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        self.memory.scan(range)
    }
}

#[test]
fn a_failed_sync_is_not_tried_again() {
    let limits = StoreLimits {
        batch_changes: 1,
        ..StoreLimits::default()
    };
    let world = World::bounded(Forgetful::default(), limits);
    world.append(&document(1), [1]);
    world.settle();
    let syncs = world.engine.memory.syncs();
    world.engine.failing.store(true, SeqCst);
    for number in 2..=4 {
        world.append(&document(1), [number]);
    }
    for _ in 2..=4 {
        assert_eq!(world.committer.step(), Progress::Failed { items: 1 });
    }
    assert_eq!(world.engine.memory.syncs(), syncs);
    assert_eq!(world.flushed(), [1]);
    assert_eq!(world.load(&document(1)).unwrap().last_number, 1);
}

/// A failed apply may leave any part of the batch in sled's memory.
#[test]
fn a_half_applied_batch_is_not_read() {
    for whole_before in [0, 4] {
        let world = World::new();
        let alpha = document(1);
        if whole_before > 0 {
            world.append(&alpha, 1..=whole_before);
            world.settle();
        }
        world.engine.fail_apply_after(0);
        world.append(&alpha, whole_before + 1..=whole_before + 6);
        assert_eq!(world.committer.step(), Progress::Failed { items: 1 });
        let read = world.load(&alpha).map_or(0, |stored| stored.last_number);
        assert_eq!(read, whole_before);
        assert_eq!(listed(&world.store).len(), usize::from(whole_before > 0));
    }
}

#[test]
fn what_was_told_durable_survives_the_loss_of_everything_unsynced() {
    for good in 0..12 {
        let world = World::bounded(
            MemoryEngine::new(),
            StoreLimits {
                batch_changes: 3,
                ..StoreLimits::default()
            },
        );
        world.engine.fail_sync_after(good);
        for number in 1..=30 {
            world.append(&document(1), [number]);
        }
        world.settle();
        let told = world.flushed().last().copied().unwrap_or(0);
        assert_eq!(told, (good * 3).min(30));
        for survives in [Survives::Nothing, Survives::First(1), Survives::Everything] {
            let after = World::on(world.engine.crash(survives));
            match after.load(&document(1)) {
                Some(stored) => assert_whole(&stored, told, &format!("{good} good syncs, {survives:?}")),
                None => assert_eq!(told, 0),
            }
        }
    }
}

#[tokio::test]
async fn draining_waits_for_what_was_queued_whether_it_is_flushed_or_fails() {
    for failing in [false, true] {
        let world = World::new();
        world.store.drain().await;
        world.append(&document(1), [1]);
        world.append(&document(1), [2]);
        if failing {
            world.engine.fail_sync_after(0);
        }
        let drained = tokio::spawn({
            let store = world.store.clone();
            async move { store.drain().await }
        });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        world.committer.step();
        drained.await.unwrap();
        assert_eq!(world.outcomes.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_panic_in_one_callback_costs_the_others_nothing() {
    let world = World::new();
    let bad = Append {
        document: document(1),
        changes: vec![change(1)],
        notes: Vec::new(),
        flushed: Box::new(|_| panic!("a room with a bug")),
    };
    world.store.append(reserve(&world.store), bad);
    world.append(&document(2), [1]);
    assert_eq!(world.committer.step(), Progress::Flushed { items: 2 });
    assert_eq!(world.flushed(), [1]);
    world.append(&document(2), [2]);
    assert_eq!(world.committer.step(), Progress::Flushed { items: 1 });
}

#[test]
fn without_a_committer_everybody_waiting_is_told() {
    let world = World::new();
    world.append(&document(1), [1]);
    let World {
        store,
        committer,
        outcomes,
        ..
    } = world;
    drop(committer);
    let told = outcomes.lock().unwrap().clone();
    assert!(
        matches!(&told[..], [(1, Err(why))] if matches!(**why, StoreFailure::NoCommitter)),
        "{told:?}"
    );
    assert!(matches!(store.try_reserve(need(1, 1)), Err(NoPlace::ReadOnly(_))));
}

/// A hole would make the document unreadable for good, and a number used twice would write over what is durable.
#[test]
fn an_append_out_of_turn_is_refused_and_costs_its_own_document_alone() {
    let world = World::new();
    let (alpha, beta) = (document(1), document(2));
    world.append(&alpha, 1..=3);
    world.settle();
    let before = world.engine.contents();
    for wrong in [vec![3], vec![5], vec![4, 6], vec![4, 4], vec![0]] {
        world.append(&alpha, wrong);
        world.committer.step();
    }
    assert_eq!(world.flushed(), [3]);
    assert!(world.engine.contents() == before);
    let told = world.outcomes.lock().unwrap().clone();
    assert!(matches!(&told[1].1, Err(why) if matches!(**why, StoreFailure::NotNext { expected: 4, found: 3, .. })));

    // In one batch with others: those pass, and what builds on the refused one does not.
    world.append(&alpha, [4]);
    world.append(&alpha, [6]);
    world.append(&beta, [1]);
    world.append(&alpha, [7]);
    world.append(&alpha, [5]);
    assert_eq!(world.committer.step(), Progress::Flushed { items: 5 });
    assert_eq!(world.flushed(), [3, 4, 1, 5]);
    assert!(matches!(world.store.status(), Status::Writable));
    assert_whole(&world.load(&alpha).unwrap(), 5, "refused twice");
}

#[test]
fn the_gauges_follow_the_queue() {
    let world = World::new();
    world.append(&document(1), 1..=3);
    let gauges = world.store.gauges();
    let bytes: usize = (1..=3).map(|number| change(number).bytes.len()).sum();
    assert_eq!(
        (gauges.queued_changes.load(Relaxed), gauges.queued_bytes.load(Relaxed)),
        (3, bytes as u64)
    );
    world.settle();
    assert_eq!(
        (gauges.queued_changes.load(Relaxed), gauges.queued_bytes.load(Relaxed)),
        (0, 0)
    );
    assert_eq!(
        (gauges.flushes.load(Relaxed), gauges.flushed_changes.load(Relaxed)),
        (1, 3)
    );
}
