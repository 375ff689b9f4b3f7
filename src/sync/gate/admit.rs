//! One change held against the document it is meant for.
//!
//! The library takes on trust what a change says about the past: sequence numbers, counters, whether an author may be set.
//! A wrong one ends in an assertion now or in a document that does not load later. The order here is by cost: what the
//! document has in an index first, the operations ([`ops`](super::ops)) last, and a trial on a copy only for what is legal
//! but so unusual that no cheap rule decides it.

use automerge::{Change, ChangeHash};

use super::ahead::{Ahead, View};
use super::limits::GateLimits;
use super::ops::{self, Verdict};
use super::refusal::Refusal;
use crate::document::crdt::{Document, Poisoned, caught};

/// The library counts operations in 32 bits; the last of them are left alone.
const HIGHEST_COUNTER: u64 = u32::MAX as u64 - (1 << 16);

/// Times beyond this many (milli)seconds from 1970 overflow the library's delta encoding; JavaScript cannot say them.
const FURTHEST_TIME: u64 = 1 << 53;

/// What to do with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The document has it already.
    Known,
    /// It can be applied now.
    Ready,
    /// Legal, but changes it builds on are not here yet: keep it aside until they are.
    Aside {
        missing: Vec<ChangeHash>,
    },
    Refused(Refusal),
}

/// Holds one well-formed change (from [`open`](super::open)) against the document.
///
/// `Ready` holds for the document as it is: after any other change was applied, ask again.
pub fn admit(document: &Document, change: &Change, limits: &GateLimits) -> Admission {
    admit_after(document, &Ahead::default(), change, limits)
}

/// Like [`admit`], for the document as it will be when what is ahead has been applied.
pub fn admit_after(document: &Document, ahead: &Ahead, change: &Change, limits: &GateLimits) -> Admission {
    let view = View { document, ahead };
    if view.has(&change.hash()) {
        return Admission::Known;
    }
    let missing: Vec<ChangeHash> = change.deps().iter().filter(|dep| !view.has(dep)).copied().collect();
    if !missing.is_empty() {
        return Admission::Aside { missing };
    }
    match check(view, change, limits) {
        Ok(()) => Admission::Ready,
        Err(why) => Admission::Refused(why),
    }
}

fn check(view: View<'_>, change: &Change, limits: &GateLimits) -> Result<(), Refusal> {
    check_dependencies(change)?;
    check_sequence(view, change)?;
    let verdict = check_counters(view, change, limits)?;
    let decoded = caught(|| change.decode()).map_err(Refusal::Panicked)?;
    // Reading the document must not panic; if it does after all, this change is not taken and nothing has happened.
    let verdict = verdict.or(caught(|| ops::check(view, change, &decoded)).map_err(Refusal::Panicked)??);
    let estimate = view.document.apply_peak(change);
    if estimate > limits.apply_peak_bytes {
        let limit = limits.apply_peak_bytes;
        return Err(Refusal::TooLarge {
            what: "bytes of memory to apply it",
            value: estimate,
            limit,
        });
    }
    match verdict {
        Verdict::Ordinary => Ok(()),
        Verdict::Unusual => {
            let value = view.document.trial_ops() + view.document.op_count();
            if value > limits.message_trial_ops && view.document.trial_ops() > 0 {
                let limit = limits.message_trial_ops;
                return Err(Refusal::TooLarge {
                    what: "operations to be tried on a copy",
                    value,
                    limit,
                });
            }
            let tried = view.document.try_on_a_copy(view.ahead.changes(), change);
            tried.map_err(|Poisoned { why, .. }| Refusal::Unfaithful(why))
        }
    }
}

fn check_dependencies(change: &Change) -> Result<(), Refusal> {
    let mut deps = change.deps().to_vec();
    deps.sort_unstable();
    if deps.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::Dependencies);
    }
    Ok(())
}

fn check_sequence(view: View<'_>, change: &Change) -> Result<(), Refusal> {
    let (actor, seq) = (change.actor_id(), change.seq());
    let last = view.tip(actor).map_or(0, |tip| tip.seq);
    if seq == 0 || seq > last + 1 {
        return Err(Refusal::SequenceGap {
            actor: actor.clone(),
            seq,
            last,
        });
    }
    if seq <= last {
        return Err(Refusal::DuplicateSequence {
            actor: actor.clone(),
            seq,
        });
    }
    if seq > 1 && change.author().is_some() {
        return Err(Refusal::AuthorTooLate(seq));
    }
    if change.timestamp().unsigned_abs() > FURTHEST_TIME {
        return Err(Refusal::Time(change.timestamp()));
    }
    let unknown = change.other_actor_ids().iter().find(|other| view.tip(other).is_none());
    unknown.map_or(Ok(()), |unknown| Err(Refusal::UnknownActor(unknown.clone())))
}

/// Operation ids must not repeat, and a reloaded document takes a change to begin right after all it builds on.
fn check_counters(view: View<'_>, change: &Change, limits: &GateLimits) -> Result<Verdict, Refusal> {
    let start = change.start_op().get();
    let below = change
        .deps()
        .iter()
        .filter_map(|dep| view.max_op_of(dep))
        .max()
        .unwrap_or(0);
    let own = view.tip(change.actor_id()).map_or(0, |tip| tip.max_op);
    // An actor's change builds, however indirectly, on the one before it. One that does not would overlap it: a saved
    // document does not keep where changes begin, the library infers it from what they build on.
    if own > below {
        return Err(Refusal::ForgetsItself { own, below });
    }
    let least = below + 1;
    let most = (view.max_op() + limits.counter_gap).min(HIGHEST_COUNTER.saturating_sub(change.len() as u64));
    if start < least || start > most {
        return Err(Refusal::StartOp { start, least, most });
    }
    if start == least {
        return Ok(Verdict::Ordinary);
    }
    if change.is_empty() {
        // Nothing in a saved document remembers where an empty change began.
        return Err(Refusal::StartOp {
            start,
            least: below + 1,
            most: below + 1,
        });
    }
    Ok(Verdict::Unusual)
}

#[cfg(test)]
mod tests {
    use super::super::craft::{actor, bent, person};
    use super::*;
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{ActorId, AutoCommit, ROOT};

    /// Alice's first two changes; the first is in the document.
    fn begun() -> (Document, AutoCommit, Change) {
        let mut alice = person(1);
        let mut document = Document::empty(actor(9));
        document.apply(&alice.get_changes(&[])).unwrap();
        alice.put(ROOT, "title", "Plan").unwrap();
        alice.commit();
        let second = alice.get_last_local_change().unwrap();
        (document, alice, second)
    }

    fn refusal(document: &Document, change: &Change) -> Refusal {
        match admit(document, change, &GateLimits::default()) {
            Admission::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_is_ready_then_known_and_aside_before_what_it_builds_on() {
        let (mut document, mut alice, second) = begun();
        alice.put(ROOT, "title", "Plan B").unwrap();
        alice.commit();
        let third = alice.get_last_local_change().unwrap();
        let limits = GateLimits::default();
        assert_eq!(
            admit(&document, &third, &limits),
            Admission::Aside {
                missing: vec![second.hash()]
            }
        );
        assert_eq!(admit(&document, &second, &limits), Admission::Ready);
        document.apply(std::slice::from_ref(&second)).unwrap();
        assert_eq!(admit(&document, &second, &limits), Admission::Known);
        assert_eq!(admit(&document, &third, &limits), Admission::Ready);
    }

    #[test]
    fn a_gap_in_a_sequence_is_refused() {
        let (document, _, second) = begun();
        let third = bent(&second, |says| says.seq = 3);
        assert_eq!(
            refusal(&document, &third),
            Refusal::SequenceGap {
                actor: actor(1),
                seq: 3,
                last: 1
            }
        );
        let from_nowhere = bent(&second, |says| says.actor_id = actor(7));
        assert_eq!(
            refusal(&document, &from_nowhere),
            Refusal::SequenceGap {
                actor: actor(7),
                seq: 2,
                last: 0
            }
        );
        assert!(matches!(
            refusal(&document, &bent(&second, |says| says.seq = 0)),
            Refusal::SequenceGap { .. }
        ));
    }

    /// A browser profile whose storage was copied writes two histories under one name.
    #[test]
    fn a_second_change_of_the_same_number_is_refused() {
        let (mut document, _, second) = begun();
        document.apply(std::slice::from_ref(&second)).unwrap();
        let other = bent(&second, |says| says.time += 1);
        assert_eq!(
            refusal(&document, &other),
            Refusal::DuplicateSequence {
                actor: actor(1),
                seq: 2
            }
        );
    }

    #[test]
    fn an_actor_nobody_knows_cannot_be_mentioned() {
        let (document, _, second) = begun();
        let stranger = bent(&second, |says| {
            says.operations[0].pred = vec![automerge::legacy::OpId(1, actor(8))].into();
        });
        assert_eq!(refusal(&document, &stranger), Refusal::UnknownActor(actor(8)));
    }

    #[test]
    fn counters_must_follow_what_a_change_builds_on() {
        let (document, _, second) = begun();
        let start = |start: u64| bent(&second, |says| says.start_op = start.try_into().unwrap());
        assert!(matches!(
            refusal(&document, &start(1)),
            Refusal::StartOp { start: 1, least: 2, .. }
        ));
        assert!(matches!(refusal(&document, &start(1 << 31)), Refusal::StartOp { .. }));
        let empty = bent(&second, |says| {
            says.operations.clear();
            says.start_op = 5.try_into().unwrap();
        });
        assert!(matches!(
            refusal(&document, &empty),
            Refusal::StartOp { least: 2, most: 2, .. }
        ));
        assert_eq!(admit(&document, &start(100), &GateLimits::default()), Admission::Ready);
    }

    #[test]
    fn an_actor_cannot_forget_its_own_changes() {
        let (mut document, _, second) = begun();
        document.apply(std::slice::from_ref(&second)).unwrap();
        let amnesiac = bent(&second, |says| {
            says.seq = 3;
            says.deps.clear();
            says.operations[0].pred = Vec::new().into();
        });
        assert_eq!(
            refusal(&document, &amnesiac),
            Refusal::ForgetsItself { own: 2, below: 0 }
        );
    }

    #[test]
    fn impossible_times_and_repeated_dependencies_are_refused() {
        let (document, _, second) = begun();
        assert_eq!(
            refusal(&document, &bent(&second, |says| says.time = i64::MIN)),
            Refusal::Time(i64::MIN)
        );
        let twice = bent(&second, |says| says.deps.push(says.deps[0]));
        assert_eq!(refusal(&document, &twice), Refusal::Dependencies);
    }

    #[test]
    fn an_author_is_set_in_the_first_change_only() {
        let (document, mut alice, _) = begun();
        // The footer the library reads authors from: 1, a length, the name.
        let late = bent(&alice.get_last_local_change().unwrap(), |says| {
            says.extra_bytes = vec![1, 2, b'm', b'e']
        });
        assert!(late.author().is_some());
        assert_eq!(refusal(&document, &late), Refusal::AuthorTooLate(2));
    }

    #[test]
    fn a_change_made_on_an_old_version_is_ready() {
        let (mut document, mut alice, second) = begun();
        let first_heads = document.heads();
        document.apply(&[second]).unwrap();
        alice.isolate(&first_heads);
        alice.put(ROOT, "title", "An older plan").unwrap();
        alice.commit_with(CommitOptions::default());
        alice.integrate();
        for change in alice.get_changes(&document.heads()) {
            assert_eq!(admit(&document, &change, &GateLimits::default()), Admission::Ready);
            document.apply(&[change]).unwrap();
        }
        assert_eq!(document.change_count(), 3);
    }

    #[test]
    fn a_change_that_would_take_too_much_memory_is_refused() {
        let mut alice = person(1);
        let keys: Vec<String> = (0..100).map(|key| format!("key{key}")).collect();
        keys.iter()
            .for_each(|key| alice.put(ROOT, key, "x".repeat(50_000)).unwrap());
        alice.commit();
        let saved = alice.save();
        let document = Document::load(ActorId::from([9; 4]), Some(&saved), [[0u8; 0]; 0])
            .unwrap()
            .document;
        keys.iter().for_each(|key| alice.put(ROOT, key, 1).unwrap());
        alice.commit();
        let fill = alice.get_last_local_change().unwrap();
        let limits = GateLimits {
            apply_peak_bytes: 1 << 20,
            ..GateLimits::default()
        };
        assert!(matches!(
            admit(&document, &fill, &limits),
            Admission::Refused(Refusal::TooLarge { .. })
        ));
        assert_eq!(admit(&document, &fill, &GateLimits::default()), Admission::Ready);
    }

    /// Fifty keystrokes, each on the one before, are admitted before the first is applied.
    #[test]
    fn what_builds_on_admitted_changes_is_admitted_before_they_are_applied() {
        let mut alice = person(1);
        let mut document = Document::empty(actor(9));
        document.apply(&alice.get_changes(&[])).unwrap();
        let text = alice.put_object(ROOT, "text", automerge::ObjType::Text).unwrap();
        for index in 0..50 {
            alice.splice_text(&text, index, 0, "x").unwrap();
            if index % 7 == 6 {
                alice.splice_text(&text, index, 1, "").unwrap();
                alice.splice_text(&text, index, 0, "y").unwrap();
            }
            alice.commit();
        }
        let mut ahead = Ahead::default();
        for change in alice.get_changes(&document.heads()) {
            let before = admit(&document, &change, &GateLimits::default());
            assert_eq!(matches!(before, Admission::Ready), ahead.changes().is_empty());
            assert_eq!(
                admit_after(&document, &ahead, &change, &GateLimits::default()),
                Admission::Ready
            );
            ahead.push(change.clone());
            assert_eq!(
                admit_after(&document, &ahead, &change, &GateLimits::default()),
                Admission::Known
            );
        }
        document.apply(ahead.changes()).unwrap();
        assert_eq!(document.heads(), alice.get_heads());
    }
}
