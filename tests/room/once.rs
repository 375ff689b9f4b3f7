//! Requests with an idempotency key: done once, however often they are sent, whatever happens in between.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ROOT, ReadDoc};
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::key::{AHEAD_MS, KEPT_MS, Key, YOUNG_MS};
use roundtable::room::{EditError, KeyRefusal, Keyed, Once, RecallError};
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{MAX_ANSWER, StoreLimits};

use super::{House, NOW_MS, need, writer};
use std::time::Instant;

/// So long ago that a key is not young any more.
const OLD_MS: u64 = NOW_MS - 2 * YOUNG_MS;

fn keyed(time_ms: u64, which: u64) -> Keyed {
    let key = Key::parse(&format!("{time_ms}-{which}")).expect("thirteen digits");
    Keyed::new(key, [1; 32])
}

/// Adds one to a count of this name, and answers with the count.
fn count(tx: &mut Transaction<'_>, name: &str) -> Result<i64, AutomergeError> {
    let before = tx.get(ROOT, name)?.and_then(|(value, _)| value.as_i64()).unwrap_or(0);
    tx.put(ROOT, name, before + 1)?;
    Ok(before + 1)
}

impl House {
    fn request(&self, name: &str, keyed: &Keyed) -> Result<Once<i64>, EditError<AutomergeError>> {
        self.request_at(NOW_MS, name, keyed)
    }

    fn request_at(&self, now_ms: u64, name: &str, keyed: &Keyed) -> Result<Once<i64>, EditError<AutomergeError>> {
        let place = self.store.try_reserve(need()).expect("there is a place");
        self.room.edit_once(
            place,
            &writer("ada", now_ms),
            Instant::now(),
            Some(keyed),
            |tx, _| count(tx, name),
            |count, heads| Bytes::from(format!("{count} at {} head", heads.len())),
        )
    }

    fn count(&self, name: &str) -> i64 {
        let look = |document: &roundtable::document::crdt::Document| {
            let value = document.automerge().get(ROOT, name).unwrap();
            value.and_then(|(value, _)| value.as_i64()).unwrap_or(0)
        };
        self.room.look(Instant::now(), look).expect("it is awake").value
    }
}

#[track_caller]
fn replayed(outcome: Result<Once<i64>, EditError<AutomergeError>>) -> Bytes {
    match outcome {
        Ok(Once::Replayed(edited)) => edited.value,
        other => panic!("not a replay but {other:?}"),
    }
}

#[track_caller]
fn refused(outcome: Result<Once<i64>, EditError<AutomergeError>>) -> KeyRefusal {
    match outcome {
        Err(EditError::Key { why, .. }) => why,
        other => panic!("not a refusal but {other:?}"),
    }
}

#[test]
fn a_request_sent_again_is_answered_and_not_done_again() {
    let house = House::new();
    let order = keyed(NOW_MS, 1);
    assert!(matches!(house.request("n", &order), Ok(Once::Done(done)) if done.value == 1));
    // Before it is on the disk, after that, and behind a restart.
    let Ok(Once::Replayed(again)) = house.request("n", &order) else {
        panic!("not known")
    };
    assert_eq!((&again.value[..], again.position), (&b"1 at 1 head"[..], 1));
    assert_eq!(house.room.durable(), 0, "the answer is to wait for this");
    house.committer.step();
    assert_eq!(replayed(house.request("n", &order)), "1 at 1 head");
    let house = house.crash(Survives::Nothing);
    assert_eq!(replayed(house.request("n", &order)), "1 at 1 head");
    assert_eq!(house.count("n"), 1);
    let other = keyed(NOW_MS, 2);
    assert!(matches!(house.request("n", &other), Ok(Once::Done(done)) if done.value == 2));
}

#[test]
fn a_key_belongs_to_one_request() {
    let house = House::new();
    let order = keyed(NOW_MS, 1);
    house.request("n", &order).unwrap();
    let other = Keyed {
        digest: [2; 32],
        ..order.clone()
    };
    assert_eq!(refused(house.request("n", &other)), KeyRefusal::Reused);
    house.committer.step();
    assert_eq!(refused(house.request("n", &other)), KeyRefusal::Reused);
    let recalled = house.room.recall(&other, NOW_MS);
    assert!(matches!(
        recalled,
        Err(RecallError::Refused {
            why: KeyRefusal::Reused,
            ..
        })
    ));
    assert_eq!(house.count("n"), 1);
}

#[test]
fn a_key_that_may_have_been_forgotten_is_refused() {
    let limits = StoreLimits {
        keys: 2,
        ..StoreLimits::default()
    };
    let house = House::on(MemoryEngine::new(), limits);
    for which in 1..=3 {
        house.request("n", &keyed(OLD_MS + which, which)).unwrap();
    }
    house.committer.step();
    assert_eq!(refused(house.request("n", &keyed(OLD_MS + 1, 1))), KeyRefusal::Expired);
    // Never seen, but as old as one that was forgotten.
    assert_eq!(refused(house.request("n", &keyed(OLD_MS, 9))), KeyRefusal::Expired);
    assert_eq!(replayed(house.request("n", &keyed(OLD_MS + 3, 3))), "3 at 1 head");
    let month_old = keyed(NOW_MS + 4, 4);
    let later = NOW_MS + 5 + KEPT_MS;
    assert_eq!(refused(house.request_at(later, "n", &month_old)), KeyRefusal::Expired);
    let ahead = keyed(NOW_MS + AHEAD_MS + 1, 5);
    assert_eq!(refused(house.request("n", &ahead)), KeyRefusal::Ahead);
    assert_eq!(house.count("n"), 3);
}

/// Keys were taken up to a day ahead. One client whose clock was fast filled the memory of a document with keys of tomorrow;
/// those of everybody else were the oldest, were forgotten first, and new ones were refused for a day.
#[test]
fn keys_of_a_fast_clock_do_not_push_out_those_of_others() {
    let limits = StoreLimits {
        keys: 2,
        ..StoreLimits::default()
    };
    let house = House::on(MemoryEngine::new(), limits);
    house.request("n", &keyed(NOW_MS, 1)).unwrap();
    for which in 2..5 {
        let tomorrow = keyed(NOW_MS + 60 * 60 * 1000, which);
        assert_eq!(refused(house.request("n", &tomorrow)), KeyRefusal::Ahead);
    }
    house.committer.step();
    house.request("n", &keyed(NOW_MS + 1, 5)).unwrap();
    assert_eq!(replayed(house.request("n", &keyed(NOW_MS, 1))), "1 at 1 head");
}

/// With 250,000 keys, each as far ahead as is taken, one client had all others refused for five minutes.
#[test]
fn a_flood_of_keys_pushes_out_no_young_ones() {
    let limits = StoreLimits {
        keys: 2,
        ..StoreLimits::default()
    };
    let house = House::on(MemoryEngine::new(), limits);
    house.request("n", &keyed(NOW_MS, 1)).unwrap();
    for which in 2..20 {
        house.request("n", &keyed(NOW_MS + AHEAD_MS, which)).unwrap();
    }
    house.committer.step();
    assert_eq!(replayed(house.request("n", &keyed(NOW_MS, 1))), "1 at 1 head");
    house.request("n", &keyed(NOW_MS + 1, 20)).unwrap();
    // The bound holds for all that are older.
    let later = NOW_MS + AHEAD_MS + YOUNG_MS + 1;
    for which in 21..30 {
        house.request_at(later, "n", &keyed(later, which)).unwrap();
        house.committer.step();
    }
    let long_ago = keyed(NOW_MS + AHEAD_MS, 19);
    assert_eq!(refused(house.request_at(later, "n", &long_ago)), KeyRefusal::Expired);
}

#[test]
fn an_edit_that_changes_nothing_is_known_as_well_and_one_that_is_refused_is_not() {
    let house = House::new();
    house.request("n", &keyed(NOW_MS, 1)).unwrap();
    let (nothing, no) = (keyed(NOW_MS, 2), keyed(NOW_MS, 3));
    let edit = |keyed: &Keyed, refuses: bool| {
        let place = house.store.try_reserve(need()).unwrap();
        let edit = |_: &mut Transaction<'_>, _: &[automerge::ChangeHash]| match refuses {
            true => Err(AutomergeError::Fail),
            false => Ok(()),
        };
        let writer = writer("ada", NOW_MS);
        house
            .room
            .edit_once(place, &writer, Instant::now(), Some(keyed), edit, |(), _| {
                "nothing".into()
            })
    };
    assert!(matches!(edit(&nothing, false), Ok(Once::Done(_))));
    assert!(matches!(edit(&no, true), Err(EditError::Refused(_))));
    house.committer.step();
    assert!(matches!(edit(&nothing, false), Ok(Once::Replayed(edited)) if edited.value == "nothing"));
    assert!(matches!(edit(&no, false), Ok(Once::Done(_))));
    assert_eq!(house.room.end(), 1);
}

#[test]
fn an_answer_too_long_to_keep_is_known_without_its_text() {
    let house = House::new();
    let place = house.store.try_reserve(need()).unwrap();
    let order = keyed(NOW_MS, 1);
    let long = |_: &i64, _: &_| Bytes::from(vec![b'x'; MAX_ANSWER + 1]);
    let done = house.room.edit_once(
        place,
        &writer("ada", NOW_MS),
        Instant::now(),
        Some(&order),
        |tx, _| count(tx, "n"),
        long,
    );
    assert!(matches!(done, Ok::<_, EditError<AutomergeError>>(Once::Done(_))));
    house.committer.step();
    assert_eq!(replayed(house.request("n", &order)), "");
}

/// A long write goes on slice by slice. Two that found the same state after a crash do not both do the next slice.
#[test]
fn of_two_that_go_on_from_the_same_slice_one_does() {
    let house = House::new();
    let order = keyed(NOW_MS, 1);
    house.request("slices", &order).unwrap();
    house.committer.step();
    let house = house.crash(Survives::Nothing);
    let state = house.room.recall(&order, NOW_MS).unwrap().expect("it was begun").value;
    assert_eq!(state, "1 at 1 head");
    let goes_on = order.going_on(state);
    assert!(matches!(house.request("slices", &goes_on), Ok(Once::Done(done)) if done.value == 2));
    assert_eq!(replayed(house.request("slices", &goes_on)), "2 at 1 head");
    house.committer.step();
    assert_eq!(replayed(house.request("slices", &goes_on)), "2 at 1 head");
    assert_eq!(house.count("slices"), 2);
    let place = house.store.try_reserve(need()).unwrap();
    let ended = order.going_on("2 at 1 head".into());
    let writer = writer("ada", NOW_MS);
    let recorded = house.room.record(place, &writer, &ended, "ended".into());
    assert!(matches!(recorded, Ok(Once::Done(_))));
    assert_eq!(replayed(house.request("slices", &order)), "ended");
}

#[test]
fn a_request_that_was_rolled_back_is_not_taken_for_done() {
    let house = House::new();
    house.request("n", &keyed(NOW_MS, 1)).unwrap();
    house.committer.step();
    let place = house.store.try_reserve(need()).unwrap();
    house.engine.fail_sync_after(0);
    let order = keyed(NOW_MS, 2);
    let Ok(Once::Done(lost)) = house.request("n", &order) else {
        panic!("taken")
    };
    house.committer.step();
    house.wake();
    assert!(house.room.epoch() > lost.epoch && house.room.durable() < lost.position);
    // The engine goes on showing what it failed to write.
    assert!(house.store.key(house.room.id(), &order.key.id()).unwrap().is_some());
    let again = house.room.edit_once(
        place,
        &writer("ada", NOW_MS),
        Instant::now(),
        Some(&order),
        |tx, _| count(tx, "n"),
        |_, _| Bytes::new(),
    );
    assert!(matches!(
        again,
        Err::<Once<i64>, EditError<AutomergeError>>(EditError::Failed(_))
    ));
}

/// Requests are sent, sent again and answered late; the machine crashes, and what was not synced is there or not.
#[test]
fn no_order_of_crashes_makes_a_request_happen_twice() {
    let (mut replays, mut refusals, mut done) = (0, 0, 0);
    for seed in 0..300 {
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let limits = StoreLimits {
            keys: 3,
            batch_changes: 2,
            ..StoreLimits::default()
        };
        let mut house = House::on(MemoryEngine::new(), limits);
        let mut acknowledged: Vec<(u64, u64)> = Vec::new();
        for step in 0..60 {
            match random.random_range(0..10) {
                0..6 => {
                    let which = random.random_range(step / 6..step / 6 + 6);
                    let order = keyed(OLD_MS + which / 2, which);
                    match house.request(&format!("n{which}"), &order) {
                        Ok(Once::Done(edited)) => {
                            done += 1;
                            assert_eq!(edited.value, 1, "request {which} was done twice");
                            acknowledged.push((edited.position, which));
                        }
                        Ok(Once::Replayed(edited)) => {
                            replays += 1;
                            assert_eq!(edited.value, "1 at 1 head");
                            assert_eq!(house.count(&format!("n{which}")), 1, "answered and not done");
                        }
                        Err(EditError::Key { why, .. }) => {
                            refusals += 1;
                            assert_eq!(why, KeyRefusal::Expired);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                6..9 => drop(house.committer.step()),
                _ => {
                    let durable = house.room.durable();
                    let survives = match random.random_range(0..3) {
                        0 => Survives::Nothing,
                        1 => Survives::First(1),
                        _ => Survives::Everything,
                    };
                    if random.random_bool(0.3) {
                        house.engine.fail_sync_after(0);
                        house.committer.step();
                    }
                    house = house.crash(survives);
                    acknowledged.retain(|(position, which)| {
                        assert!(*position > durable || house.count(&format!("n{which}")) == 1);
                        *position <= durable
                    });
                }
            }
        }
    }
    println!("{done} done, {replays} answered again, {refusals} refused");
    assert!(replays > 300 && refusals > 300, "the test is about nothing");
}
