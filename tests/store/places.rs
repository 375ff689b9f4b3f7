//! Places in the committer's queue: bounded, in turn, and given back; and how the queue ends.

use std::sync::Arc;
use std::sync::mpsc::channel;

use roundtable::store::memory::MemoryEngine;
use roundtable::store::{Append, NoPlace, Progress, Store, StoreFailure, StoreLimits};

use crate::{SMALL, World, append_at, change, document, need, reserve};

#[test]
fn the_queue_is_bounded_by_changes_and_by_bytes() {
    let world = World::bounded(MemoryEngine::new(), SMALL);
    let first = world.store.try_reserve(need(3, 10)).unwrap();
    assert!(
        matches!(world.store.try_reserve(need(2, 10)), Err(NoPlace::Full)),
        "by changes"
    );
    assert!(
        matches!(world.store.try_reserve(need(1, 991)), Err(NoPlace::Full)),
        "by bytes"
    );
    let second = world.store.try_reserve(need(1, 990)).unwrap();
    assert!(matches!(world.store.try_reserve(need(0, 1)), Err(NoPlace::Full)));
    drop(second);

    // A place is held until its changes are flushed, and no longer.
    append_at(&world.store, first, &document(1), vec![change(1)], &world.outcomes);
    assert!(matches!(world.store.try_reserve(need(2, 1)), Err(NoPlace::Full)));
    world.settle();
    drop(world.store.try_reserve(need(4, 1000)).unwrap());
}

#[test]
fn an_item_larger_than_the_bound_gets_through_alone() {
    let world = World::bounded(MemoryEngine::new(), SMALL);
    let small = reserve(&world.store);
    assert!(matches!(world.store.try_reserve(need(1, 5000)), Err(NoPlace::Full)));
    assert!(matches!(world.store.try_reserve(need(9, 1)), Err(NoPlace::Full)));
    drop(small);
    let large = world.store.try_reserve(need(9, 5000)).unwrap();
    assert!(matches!(world.store.try_reserve(need(1, 1)), Err(NoPlace::Full)));
    drop(large);
    drop(reserve(&world.store));
}

/// A large one in front of small ones is not starved by them.
#[tokio::test]
async fn whoever_waits_for_a_place_gets_it_in_turn() {
    let world = World::bounded(MemoryEngine::new(), SMALL);
    append_at(
        &world.store,
        reserve(&world.store),
        &document(1),
        vec![change(1)],
        &world.outcomes,
    );
    let large = tokio::spawn({
        let store = world.store.clone();
        async move { store.reserve(need(1, 1000)).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let small = tokio::spawn({
        let store = world.store.clone();
        async move { store.reserve(need(1, 1)).await }
    });
    tokio::task::yield_now().await;
    assert!(!large.is_finished() && !small.is_finished());
    assert!(
        matches!(world.store.try_reserve(need(1, 1)), Err(NoPlace::Full)),
        "nor does a try overtake"
    );
    assert_eq!(world.committer.step(), Progress::Flushed { items: 1 });
    large.await.unwrap().unwrap();
    drop(small.await.unwrap().unwrap());
}

#[tokio::test]
async fn whoever_waits_for_a_place_is_woken_by_a_failure_and_by_closing() {
    let waiting = |world: &World<MemoryEngine>| {
        let store = world.store.clone();
        tokio::spawn(async move { store.reserve(need(4, 1)).await.map(drop) })
    };
    let world = World::bounded(MemoryEngine::new(), SMALL);
    world.append(&document(1), [1]);
    let waiter = waiting(&world);
    tokio::task::yield_now().await;
    world.engine.fail_apply_after(0);
    world.committer.step();
    let outcome = waiter.await.unwrap();
    assert!(
        matches!(&outcome, Err(NoPlace::ReadOnly(why)) if matches!(**why, StoreFailure::Apply(_))),
        "{outcome:?}"
    );

    let world = World::bounded(MemoryEngine::new(), SMALL);
    world.append(&document(1), [1]);
    let waiter = waiting(&world);
    tokio::task::yield_now().await;
    world.store.close();
    let outcome = waiter.await.unwrap();
    assert!(
        matches!(&outcome, Err(NoPlace::ReadOnly(why)) if matches!(**why, StoreFailure::Closed)),
        "{outcome:?}"
    );
    let refused = world.store.try_reserve(need(1, 1)).map(drop);
    assert!(
        matches!(&refused, Err(NoPlace::ReadOnly(why)) if matches!(**why, StoreFailure::Closed)),
        "{refused:?}"
    );
}

#[test]
fn a_closed_store_flushes_what_it_took_and_ends() {
    let world = World::new();
    world.append(&document(1), [1]);
    let place = reserve(&world.store);
    world.store.close();
    assert_eq!(world.committer.step(), Progress::Flushed { items: 1 });
    assert_eq!(
        world.committer.step(),
        Progress::Idle,
        "an append can still come with the place"
    );
    append_at(&world.store, place, &document(1), vec![change(2)], &world.outcomes);
    assert_eq!(world.committer.step(), Progress::Flushed { items: 1 });
    assert_eq!(world.committer.step(), Progress::Ended);
    assert_eq!(world.flushed(), [1, 2]);
}

#[test]
fn the_thread_ends_when_the_last_handle_goes() {
    let (store, committer) = Store::open(Arc::new(MemoryEngine::new()), StoreLimits::default()).unwrap();
    let thread = std::thread::spawn(move || committer.run());
    let (sender, told) = channel();
    let other = store.clone();
    drop(store);
    let append = Append {
        document: document(1),
        changes: vec![change(1)],
        notes: Vec::new(),
        flushed: Box::new(move |outcome| sender.send(outcome.is_ok()).unwrap()),
    };
    other.append(reserve(&other), append);
    assert!(told.recv().unwrap());
    drop(other);
    thread.join().unwrap();
}
