//! Compaction, interrupted at every point.

use std::collections::BTreeMap;

use roundtable::id::DocumentId;
use roundtable::store::layout::DocumentKeys;
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Need, Progress, Snapshot, SnapshotError, Step, StoreError, StoreLimits};

use crate::{World, append_at, assert_whole, change, document, snapshot};

const ONE: Need = Need { changes: 1, bytes: 1 };

/// How many values of each kind a document has.
fn kinds(world: &World<MemoryEngine>, document: &DocumentId) -> BTreeMap<char, usize> {
    let prefix = DocumentKeys::new(document).prefix().to_vec();
    let mut kinds = BTreeMap::new();
    for (key, _) in world.engine.contents() {
        if let Some([kind, ..]) = key.strip_prefix(&prefix[..]) {
            *kinds.entry(char::from(*kind)).or_default() += 1;
        }
    }
    kinds
}

#[test]
fn a_snapshot_takes_the_place_of_the_changes_it_contains_and_authors_stay() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=25);
    world.settle();
    world.compact(&alpha, 22);
    let stored = world.load(&alpha).unwrap();
    assert_whole(&stored, 25, "compacted");
    let read = stored.snapshot.as_ref().unwrap();
    assert_eq!(*read, snapshot(22));
    assert_eq!(
        stored.tail.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [23, 24, 25]
    );
    assert_eq!(world.store.authors(&alpha, 1..=u64::MAX).unwrap().len(), 25);

    // The next one takes the place of the first; the numbers go on.
    world.append(&alpha, 26..=40);
    world.settle();
    world.compact(&alpha, 40);
    let stored = world.load(&alpha).unwrap();
    assert_whole(&stored, 40, "compacted twice");
    assert!(stored.tail.is_empty());
    let pieces = (snapshot(40).bytes.len() + 64).div_ceil(4091);
    assert_eq!(
        kinds(&world, &alpha),
        BTreeMap::from([('a', 40), ('n', 1), ('p', pieces), ('s', 1)])
    );
}

#[test]
fn what_was_compacted_away_is_neither_absent_nor_damaged() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=9);
    world.settle();
    world.compact(&alpha, 6);
    let error = world.store.load(&alpha, Some(4)).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Compacted {
                upto: 4,
                snapshot: 6,
                ..
            }
        ),
        "{error}"
    );
    assert_whole(&world.store.load(&alpha, Some(7)).unwrap().unwrap(), 7, "up to 7");
}

/// Edits of this and other rooms are flushed between the batches of a snapshot, not behind it.
#[test]
fn a_snapshot_goes_between_the_edits() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=100);
    world.settle();
    let mut write = world.store.begin_snapshot(&alpha, snapshot(100), |_| true).unwrap();
    let mut number = 100;
    while write.step().unwrap() == Step::Waiting {
        number += 1;
        world.append(&alpha, [number]);
        assert_eq!(world.committer.step(), Progress::Flushed { items: 2 });
        assert_eq!(world.flushed().last(), Some(&number));
    }
    assert!(number > 103, "{number}: it took several batches");
    assert_whole(&world.load(&alpha).unwrap(), number, "between");
}

#[test]
fn a_snapshot_that_does_not_verify_leaves_everything_as_it_was() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=30);
    world.settle();
    let before = world.engine.contents();
    let mut seen = Vec::new();
    let mut write = world
        .store
        .begin_snapshot(&alpha, snapshot(30), |bytes| {
            seen = bytes.to_vec();
            false
        })
        .unwrap();
    let refused = loop {
        match write.step() {
            Ok(Step::Waiting) => drop(world.committer.step()),
            Ok(Step::Done) => panic!("it was refused"),
            Err(error) => break error,
        }
    };
    drop(write);
    assert!(matches!(refused, SnapshotError::Refused), "{refused}");
    assert_eq!(seen, snapshot(30).bytes, "asked about the bytes that were read back");
    assert!(world.engine.contents() == before);
    // And the next one may come.
    world.compact(&alpha, 30);
}

#[test]
fn a_snapshot_ahead_of_the_log_is_refused() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=5);
    world.settle();
    let mut write = world.store.begin_snapshot(&alpha, snapshot(6), |_| true).unwrap();
    assert_eq!(write.step().unwrap(), Step::Waiting);
    world.committer.step();
    let error = write.step().unwrap_err();
    assert!(
        matches!(error, SnapshotError::AheadOfLog { number: 6, last: 5 }),
        "{error}"
    );
    assert_whole(&world.load(&alpha).unwrap(), 5, "refused");
}

#[test]
fn one_snapshot_a_document_and_only_so_many_at_once() {
    let limits = StoreLimits {
        snapshots: 2,
        ..StoreLimits::default()
    };
    let world = World::bounded(MemoryEngine::new(), limits);
    let begin = |number| world.store.begin_snapshot(&document(number), snapshot(1), |_| true);
    let first = begin(1).unwrap();
    assert!(matches!(begin(1).err(), Some(SnapshotError::Running(_))));
    let _second = begin(2).unwrap();
    assert!(matches!(begin(3).err(), Some(SnapshotError::TooMany(2))));
    drop(first);
    begin(3).unwrap();
}

/// A history with every step that a compaction has: an older snapshot to delete, several batches of pieces, several of
/// deletions, edits in between. Stops where the store fails.
fn live_through(world: &World<MemoryEngine>, alpha: &DocumentId) -> Result<(), SnapshotError> {
    let append = |numbers: std::ops::RangeInclusive<u64>| {
        if let (false, Ok(place)) = (numbers.is_empty(), world.store.try_reserve(ONE)) {
            append_at(
                &world.store,
                place,
                alpha,
                numbers.map(change).collect(),
                &world.outcomes,
            );
        }
    };
    append(1..=20);
    world.settle();
    let mut next = 21;
    for last in [15, 300] {
        append(next..=300);
        next = next.max(301);
        let mut write = world.store.begin_snapshot(alpha, snapshot(last), |_| true)?;
        while write.step()? == Step::Waiting {
            append(next..=next);
            next += 1;
            world.committer.step();
        }
    }
    Ok(())
}

/// The whole history is cut off at every one of its batches, in its apply or in its sync.
#[test]
fn a_crash_between_any_two_steps_loses_nothing() {
    for fault in [MemoryEngine::fail_apply_after, MemoryEngine::fail_sync_after] {
        let mut batches = 0;
        while !survives_a_failure_at(batches, fault) {
            batches += 1;
        }
        // The changes; a snapshot of one batch, its last record, the changes in it; another one of five batches, its last
        // record, that of the older one, the pieces of that, and twice the changes in it.
        assert_eq!(batches, 14, "the history was meant to have these");
    }
}

/// True if the history is over before this batch.
fn survives_a_failure_at(batch: u64, fault: fn(&MemoryEngine, u64)) -> bool {
    let (world, alpha) = (World::new(), document(1));
    fault(&world.engine, batch);
    let complete = live_through(&world, &alpha).is_ok();
    let told = world.flushed().last().copied().unwrap_or(0);
    let story = format!("failure at batch {batch}");

    // First in the same process, which has become read-only.
    match world.load(&alpha) {
        Some(stored) => assert_whole(&stored, told, &story),
        None => assert_eq!(told, 0, "{story}"),
    }
    // Then after a restart, whether the failed batch reached the disk or not.
    for survives in [Survives::Nothing, Survives::Everything] {
        let after = World::on(world.engine.crash(survives));
        let Some(stored) = after.load(&alpha) else {
            assert_eq!(told, 0, "{story}");
            continue;
        };
        assert_whole(&stored, told, &story);
        // What was left half done is done or cleared by the next compaction.
        let last = stored.last_number;
        after.compact(&alpha, last);
        assert_whole(&after.load(&alpha).unwrap(), last, &story);
        let pieces = (snapshot(last).bytes.len() + 64).div_ceil(4091);
        let expected = BTreeMap::from([('a', last as usize), ('n', 1), ('p', pieces), ('s', 1)]);
        assert_eq!(kinds(&after, &alpha), expected, "{story}");
    }
    complete
}

/// A compaction cut off after its last record only has its deletions left; it verifies what is there before them.
#[test]
fn a_complete_snapshot_is_verified_again_before_anything_is_deleted_on_its_account() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=30);
    world.settle();
    let mut write = world.store.begin_snapshot(&alpha, snapshot(30), |_| true).unwrap();
    while !kinds(&world, &alpha).contains_key(&'s') {
        write.step().unwrap();
        world.committer.step();
    }
    drop(write);
    let after = World::on(world.engine.crash(Survives::Nothing));
    let changes = kinds(&after, &alpha)[&'c'];
    let mut write = after.store.begin_snapshot(&alpha, snapshot(30), |_| false).unwrap();
    assert!(matches!(write.step(), Err(SnapshotError::Refused)));
    drop(write);
    assert_eq!(kinds(&after, &alpha)[&'c'], changes);
    let mut asked = false;
    let mut write = after
        .store
        .begin_snapshot(&alpha, snapshot(30), |bytes| {
            asked = true;
            bytes == snapshot(30).bytes
        })
        .unwrap();
    while write.step().unwrap() == Step::Waiting {
        after.committer.step();
    }
    drop(write);
    assert!(asked);
    assert!(!kinds(&after, &alpha).contains_key(&'c'));
}

/// Behind a newer snapshot an older one has nothing to do, and must not take its place.
#[test]
fn an_older_snapshot_changes_nothing() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=9);
    world.settle();
    world.compact(&alpha, 8);
    let before = world.engine.contents();
    world.compact(&alpha, 5);
    assert!(world.engine.contents() == before);
}

/// A snapshot saved twice at the same change need not have the same bytes: what an interrupted longer one left behind
/// must not become the end of a shorter one.
#[test]
fn the_leftovers_of_a_longer_snapshot_do_not_spoil_a_shorter_one() {
    let (world, alpha) = (World::new(), document(1));
    world.append(&alpha, 1..=9);
    world.settle();
    let longer = Snapshot {
        bytes: vec![7; 300_000].into(),
        ..snapshot(9)
    };
    let mut write = world.store.begin_snapshot(&alpha, longer, |_| true).unwrap();
    for _ in 0..3 {
        assert_eq!(write.step().unwrap(), Step::Waiting);
        world.committer.step();
    }
    drop(write);
    world.compact(&alpha, 9);
    assert_whole(&world.load(&alpha).unwrap(), 9, "after the leftovers");
    assert_eq!(kinds(&world, &alpha)[&'p'], 1);
}
