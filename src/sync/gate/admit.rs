//! One change held against the document it is meant for.
//!
//! The library takes on trust what a change says about the past: sequence numbers, counters, whether an author may be set.
//! A wrong one ends in an assertion now or in a document that does not load later. The order here is by cost: what the
//! document has in an index first, the operations ([`ops`](super::ops)) last, and a trial on a copy only for what is legal
//! but so unusual that no cheap rule decides it.

use automerge::{Change, ChangeHash};

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
    if document.has(&change.hash()) {
        return Admission::Known;
    }
    let missing = document.missing(change.deps());
    if !missing.is_empty() {
        return Admission::Aside { missing };
    }
    match check(document, change, limits) {
        Ok(()) => Admission::Ready,
        Err(why) => Admission::Refused(why),
    }
}

fn check(document: &Document, change: &Change, limits: &GateLimits) -> Result<(), Refusal> {
    check_dependencies(change)?;
    check_sequence(document, change)?;
    let mut verdict = check_counters(document, change, limits)?;
    let decoded = caught(|| change.decode()).map_err(Refusal::Panicked)?;
    // Reading the document must not panic; if it does after all, this change is not taken and nothing has happened.
    let of_ops = caught(|| ops::check(document, change, &decoded)).map_err(Refusal::Panicked)??;
    verdict = verdict.or(of_ops);
    let estimate = document.apply_peak(change);
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
        Verdict::Unusual => document
            .try_on_a_copy(change)
            .map_err(|Poisoned { why, .. }| Refusal::Unfaithful(why)),
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

fn check_sequence(document: &Document, change: &Change) -> Result<(), Refusal> {
    let (actor, seq) = (change.actor_id(), change.seq());
    let last = document.tip(actor).map_or(0, |tip| tip.seq);
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
    let unknown = change
        .other_actor_ids()
        .iter()
        .find(|other| document.tip(other).is_none());
    unknown.map_or(Ok(()), |unknown| Err(Refusal::UnknownActor(unknown.clone())))
}

/// Operation ids must not repeat, and a reloaded document takes a change to begin right after all it builds on.
fn check_counters(document: &Document, change: &Change, limits: &GateLimits) -> Result<Verdict, Refusal> {
    let start = change.start_op().get();
    let below = change
        .deps()
        .iter()
        .filter_map(|dep| document.max_op_of(dep))
        .max()
        .unwrap_or(0);
    let own = document.tip(change.actor_id()).map_or(0, |tip| tip.max_op);
    // An actor's change builds, however indirectly, on the one before it. One that does not would overlap it: a saved
    // document does not keep where changes begin, the library infers it from what they build on.
    if own > below {
        return Err(Refusal::ForgetsItself { own, below });
    }
    let least = below + 1;
    let most = (document.max_op() + limits.counter_gap).min(HIGHEST_COUNTER.saturating_sub(change.len() as u64));
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
