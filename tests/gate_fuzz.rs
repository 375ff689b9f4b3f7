//! Crafted changes and messages against the gate: whatever gets through must leave the document whole.
//!
//! A few people edit a document with everything in it (maps, lists, text with marks, counters, conflicts, deletions). Their
//! changes are honest and must all be taken. Then the same changes are bent, both in what they say and in their bytes, with
//! the checksum made right again. No panic may escape, nothing admitted may spoil the document, and after every mutant that
//! was taken the saved document must load to the same heads.
//!
//! `GATE_FUZZ_ROUNDS` runs more rounds than the few that fit the test run, `GATE_FUZZ_SEED` begins elsewhere.

#[path = "gate_fuzz/mutants.rs"]
mod mutants;
#[path = "gate_fuzz/session.rs"]
mod session;

use automerge::{Automerge, Change};
use mutants::{bend, bent_message, fresh_edit, message_with, scramble};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::crdt::Document;
use roundtable::sync::gate::{Admission, Ahead, GateLimits, Offered, admit, admit_after, open};
use session::{Session, actor};

const HONEST_SESSIONS: u64 = 40;
const MUTANT_ROUNDS: u64 = 100;
/// Mutants offered to each document before it is thrown away.
const MUTANTS_A_ROUND: usize = 50;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn every_change_of_honest_people_is_taken() {
    let limits = GateLimits::default();
    let first = setting("GATE_FUZZ_SEED", 1);
    for seed in first..first + setting("GATE_FUZZ_ROUNDS", HONEST_SESSIONS) {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut session = Session::begin(&mut rng);
        for _ in 0..60 {
            session.edit(&mut rng);
        }
        let mut document = Document::empty(actor(&mut rng));
        let mut ahead = Ahead::default();
        for change in session.history() {
            let admission = admit_after(&document, &ahead, &change, &limits);
            assert_eq!(admission, Admission::Ready, "seed {seed}, {:#?}", change.decode());
            ahead.push(change);
            if rng.random_bool(0.3) {
                let applied = document.apply(std::mem::take(&mut ahead).changes());
                applied.unwrap_or_else(|poisoned| panic!("seed {seed}: {poisoned}"));
            }
        }
        document
            .apply(ahead.changes())
            .unwrap_or_else(|poisoned| panic!("seed {seed}: {poisoned}"));
        assert_whole(&document, seed);
    }
}

fn assert_whole(document: &Document, seed: u64) {
    let reloaded = Automerge::load(&document.save());
    let reloaded = reloaded.unwrap_or_else(|error| panic!("seed {seed}: the saved document does not load: {error}"));
    assert_eq!(reloaded.get_heads(), document.heads(), "seed {seed}");
}

#[derive(Debug, Default)]
struct Tally {
    offered: u64,
    unreadable: u64,
    refused_by_open: u64,
    refused: u64,
    known_or_aside: u64,
    taken: u64,
}

#[test]
fn no_mutant_spoils_a_document() {
    let limits = GateLimits::default();
    let mut tally = Tally::default();
    let first = setting("GATE_FUZZ_SEED", 1);
    for seed in first..first + setting("GATE_FUZZ_ROUNDS", MUTANT_ROUNDS) {
        mutate_one_session(seed, &limits, &mut tally);
    }
    eprintln!("{tally:?}");
    assert!(
        tally.taken > 0 && tally.refused > 0,
        "the mutants are all alike: {tally:?}"
    );
}

fn mutate_one_session(seed: u64, limits: &GateLimits, tally: &mut Tally) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut session = Session::begin(&mut rng);
    for _ in 0..rng.random_range(1..20) {
        session.edit(&mut rng);
    }
    let history = session.history();
    let known = rng.random_range(1..=history.len());
    let tail = history[..known].iter().map(Change::raw_bytes);
    let mut document = Document::load(actor(&mut rng), None, tail).unwrap().document;
    if rng.random_bool(0.5) {
        // A document that was saved and loaded is stored differently from one that grew.
        document = Document::load(actor(&mut rng), Some(&document.save()), [[0u8; 0]; 0])
            .unwrap()
            .document;
    }
    for _ in 0..MUTANTS_A_ROUND {
        let base = if rng.random_bool(0.3) {
            fresh_edit(&document, &mut rng)
        } else {
            None
        };
        let base = base.unwrap_or_else(|| history[rng.random_range(0..history.len())].clone());
        let chunk = if rng.random_bool(0.6) {
            bend(&base, &document, &mut rng)
        } else {
            Some(scramble(&base, &mut rng))
        };
        let Some(chunk) = chunk else { continue };
        tally.offered += 1;
        offer(&mut document, &message_with(&chunk), limits, tally, seed);
    }
    for _ in 0..MUTANTS_A_ROUND / 10 {
        tally.offered += 1;
        let message = bent_message(&mut session, &mut rng);
        offer(&mut document, &message, limits, tally, seed);
    }
}

fn offer(document: &mut Document, message: &[u8], limits: &GateLimits, tally: &mut Tally, seed: u64) {
    let Ok(opened) = open(message, limits) else {
        tally.unreadable += 1;
        return;
    };
    for offered in opened.changes {
        let Offered::Change(change) = offered else {
            tally.refused_by_open += 1;
            continue;
        };
        match admit(document, &change, limits) {
            Admission::Ready => {}
            Admission::Refused(_) => {
                tally.refused += 1;
                continue;
            }
            Admission::Known | Admission::Aside { .. } => {
                tally.known_or_aside += 1;
                continue;
            }
        }
        tally.taken += 1;
        let told = format!("seed {seed}, {:#?}", change.decode());
        document
            .apply(&[*change])
            .unwrap_or_else(|poisoned| panic!("{poisoned}\n{told}"));
        let reloaded = Automerge::load(&document.save());
        let reloaded = reloaded.unwrap_or_else(|error| panic!("the saved document does not load: {error}\n{told}"));
        assert_eq!(reloaded.get_heads(), document.heads(), "{told}");
    }
}
