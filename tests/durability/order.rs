//! Nothing is shown before the sync that covers it has returned: with a disk that holds, loses and fails.
//!
//! The engine holds its sync while peers of every kind look, ask and listen; what they get is searched for the change,
//! byte by byte. To be sure that nothing more was on its way, everybody makes round trips over its own socket.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use automerge::ChangeHash;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::DocumentId;
use roundtable::server::start::Running;
use roundtable::store::engine::{Batch, Engine, EngineError, KeyRange, Scan};
use roundtable::store::memory::{MemoryEngine, Survives};

use crate::local::{new_id, start};
use crate::process::{get, get_later};
use crate::witness::{Witness, gives_away};

/// Every address that may say something of a document. One that comes with a new door belongs here.
fn addresses_of(document: &DocumentId) -> Vec<String> {
    vec![
        format!("/v1/rooms/{document}/presence"),
        format!("/v1/documents/{document}"),
        format!("/v1/documents/{document}/bytes"),
        format!("/v1/tables/{document}"),
        format!("/v1/tables/{document}/rows"),
        format!("/v1/tables/{document}/rows?sort=-title"),
        format!("/v1/tables/{document}/rows/b.r"),
        format!("/v1/tables/{document}/rows/b.r/cells/title"),
        format!("/v1/tables/{document}/columns"),
        format!("/v1/tables/{document}/columns/title"),
        format!("/v1/tables/{document}/views"),
        format!("/v1/tables/{document}/views/v1"),
        format!("/v1/tables/{document}/conflicts"),
        "/v1/documents".into(),
        "/v1/bases".into(),
        format!("/v1/bases/{document}"),
        format!("/v1/bases/{document}/tables"),
        "/v1/documents?deleted=true".into(),
        "/v1/welcome".into(),
        "/metrics".into(),
        "/readyz".into(),
    ]
}

/// Asks at every address. A door may answer without the change or keep the question waiting, until it is given away.
struct Questions(Vec<tokio::task::JoinHandle<(String, String)>>);

impl Questions {
    fn ask(running: &Running, document: &DocumentId) -> Self {
        let address = running.address;
        let ask = |path: String| tokio::task::spawn_blocking(move || (get(address, &path).1, path));
        Self(addresses_of(document).into_iter().map(ask).collect())
    }

    /// Looks at the answers that are there already.
    async fn check(self, change: &ChangeHash, text: &str) {
        for question in self.0 {
            if question.is_finished() {
                let (body, path) = question.await.expect("a GET does not panic");
                assert!(
                    !gives_away(body.as_bytes(), change, text),
                    "{path} gave it away: {body}"
                );
            }
        }
    }
}

/// Round trips enough for whatever was on its way to have come.
async fn settle(witnesses: &mut [&mut Witness]) {
    for _ in 0..5 {
        for witness in witnesses.iter_mut() {
            witness.round_trip().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_sync_has_not_returned_is_shown_to_nobody() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |_| {}).await;
    let id = new_id();
    let mut ada = Witness::join_storing(running.address, "ada", "ada's disk").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "before").await;
    ada.saved(&id).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace.complete(&id).await;
    // Follows what others have on their disks.
    let mut follower = Witness::join(running.address, "follower").await;
    follower.follow("ada's disk").await;
    follower.open(&id).await;
    follower.complete(&id).await;

    engine.hold_syncs();
    let secret = "nobody may see this yet";
    let change = ada.edit(&id, "title", secret).await;
    ada.until_held(&engine).await;
    let mut newcomer = Witness::join(running.address, "newcomer").await;
    newcomer.open(&id).await;
    let questions = Questions::ask(&running, &id);
    settle(&mut [&mut ada, &mut grace, &mut follower, &mut newcomer]).await;
    for (name, witness) in [
        ("ada", &ada),
        ("grace", &grace),
        ("follower", &follower),
        ("newcomer", &newcomer),
    ] {
        assert!(
            !witness.was_shown(&id, &change, secret),
            "{name} was shown a change that is not on the disk"
        );
    }
    questions.check(&change, secret).await;

    engine.release_syncs();
    ada.saved(&id).await;
    grace.until("shown", |grace| grace.replica(&id).knows(&change)).await;
    newcomer
        .until("shown", |newcomer| newcomer.replica(&id).knows(&change))
        .await;
    follower
        .until("told of ada's disk", |follower| {
            follower.was_told_that_a_disk_has(&change)
        })
        .await;
    assert!(running.drain().await);
}

/// A document begins with its first durable change; until then nobody has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_whose_first_change_is_not_synced_is_unavailable() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |_| {}).await;
    let id = new_id();
    engine.hold_syncs();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.bring(&id, Default::default(), HashSet::new()).await;
    let change = ada.edit(&id, "title", "the very first").await;
    ada.until_held(&engine).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace
        .until("told", |grace| grace.unavailable.iter().any(|told| told == id.as_str()))
        .await;
    settle(&mut [&mut ada, &mut grace]).await;
    assert!(!ada.was_shown(&id, &change, "the very first"));
    assert!(!grace.was_shown(&id, &change, "the very first"));
    engine.release_syncs();
    ada.saved(&id).await;
    grace.until("supplied", |grace| grace.replica(&id).knows(&change)).await;
    assert!(running.drain().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_saves_nothing_says_so_and_leaves_readers_alone() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |_| {}).await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    let first = ada.edit(&id, "title", "kept").await;
    ada.saved(&id).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace.complete(&id).await;
    assert_eq!(get_later(running.address, "/readyz").await.0, 200);

    engine.fail_sync_after(0);
    let secret = "the disk would not take it";
    let change = ada.edit(&id, "title", secret).await;
    // Told nothing by itself: the room was rolled back, and the answer says that nothing is taken from here on.
    ada.until("told that nothing is taken", |ada| ada.replica(&id).is_deaf())
        .await;
    settle(&mut [&mut ada, &mut grace]).await;
    for (name, witness) in [("ada", &ada), ("grace", &grace)] {
        assert!(
            !witness.was_shown(&id, &change, secret),
            "{name} was shown a change that is lost"
        );
    }
    let (status, reason) = get_later(running.address, "/readyz").await;
    assert_eq!(status, 503);
    assert!(
        reason.contains("read-only") && reason.contains("a sync that was to fail"),
        "{reason}"
    );
    let mut newcomer = Witness::join(running.address, "newcomer").await;
    newcomer.open(&id).await;
    newcomer.complete(&id).await;
    assert!(newcomer.replica(&id).knows(&first), "readers go on reading");
    assert!(!newcomer.was_shown(&id, &change, secret));

    // On what was synced, a new process: the edit is still with its author, and comes again.
    let (document, own) = ada.pack(&id);
    let engine = engine.crash(Survives::Nothing);
    assert!(running.drain().await);
    let running = start(engine, |_| {}).await;
    let mut ada = Witness::join(running.address, "ada").await;
    ada.bring(&id, document, own).await;
    ada.saved(&id).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace.until("shown", |grace| grace.replica(&id).knows(&change)).await;
    assert!(running.drain().await);
}

/// A disk that can no longer be read once a write has failed, as happens to sled.
#[derive(Clone, Default)]
struct DiesWhole {
    engine: MemoryEngine,
    is_dead: Arc<AtomicBool>,
}

impl DiesWhole {
    fn alive(&self) -> Result<(), EngineError> {
        match self.is_dead.load(Ordering::Acquire) {
            true => Err(EngineError::Refused("dead".into())),
            false => Ok(()),
        }
    }
}

impl Engine for DiesWhole {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        self.engine.apply(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        let synced = self.engine.sync();
        self.is_dead.fetch_or(synced.is_err(), Ordering::AcqRel);
        synced
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.alive().and_then(|()| self.engine.get(key))
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        match self.alive() {
            Ok(()) => self.engine.scan(range),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }
}

/// After a full disk sled refused to read as well, more often than not: a leaf whose split had broken off was split anew
/// by every reader. The room could not be loaded, and its people were told that the document is unavailable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_on_even_if_the_disk_cannot_be_read_any_more() {
    let engine = DiesWhole::default();
    let running = start(engine.clone(), |config| {
        config.room.sleep_after = std::time::Duration::from_millis(1)
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    let first = ada.edit(&id, "title", "kept").await;
    ada.saved(&id).await;
    engine.engine.fail_sync_after(0);
    let change = ada.edit(&id, "title", "lost").await;
    ada.until("told that nothing is taken", |ada| ada.replica(&id).is_deaf())
        .await;
    for name in ["ben", "eve"] {
        let mut newcomer = Witness::join(running.address, name).await;
        newcomer.open(&id).await;
        newcomer.complete(&id).await;
        assert!(newcomer.replica(&id).knows(&first));
        assert!(!newcomer.was_shown(&id, &change, "lost"));
    }
    assert!(running.drain().await);
}

/// Holds and crashes at random, with whatever part of the unsynced batches the disk happens to keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_that_drops_what_was_not_synced_loses_nothing_that_was_shown() {
    for seed in 0..30 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut engine = MemoryEngine::new();
        let ids = [new_id(), new_id()];
        let mut shown: [HashSet<ChangeHash>; 2] = Default::default();
        for life in 0..3 {
            let running = start(engine.clone(), |config| {
                config.room.compact_changes = 6;
                config.store.batch_changes = 2;
            })
            .await;
            live(&running, &engine, &ids, &mut shown, (life, &mut random)).await;
            let survives = match random.random_range(0..3) {
                0 => Survives::Nothing,
                1 => Survives::First(random.random_range(0..3)),
                _ => Survives::Everything,
            };
            engine = engine.crash(survives);
            assert!(running.drain().await, "seed {seed}");
            check(engine.clone(), &ids, &shown, seed).await;
        }
    }
}

/// Three people edit two documents until the machine crashes, some of it while the disk holds back.
async fn live(
    running: &Running,
    engine: &MemoryEngine,
    ids: &[DocumentId; 2],
    shown: &mut [HashSet<ChangeHash>; 2],
    (life, random): (usize, &mut SmallRng),
) {
    let mut people = Vec::new();
    for name in ["ada", "ben", "eve"] {
        let mut person = Witness::join(running.address, name).await;
        for id in ids {
            person.open(id).await;
        }
        people.push(person);
    }
    for step in 0..random.random_range(10..30) {
        let (who, which) = (random.random_range(0..3), random.random_range(0..2));
        people[who]
            .edit(&ids[which], &format!("key {}", step % 5), &format!("{life}, {step}"))
            .await;
        match random.random_range(0..4) {
            0 => engine.hold_syncs(),
            1 => engine.release_syncs(),
            _ => {}
        }
        people[random.random_range(0..3)].round_trip().await;
    }
    for person in &mut people {
        person.round_trip().await;
        for (id, shown) in ids.iter().zip(shown.iter_mut()) {
            shown.extend(person.replica(id).shown());
        }
    }
}

async fn check(engine: MemoryEngine, ids: &[DocumentId; 2], shown: &[HashSet<ChangeHash>; 2], seed: u64) {
    let running = start(engine, |_| {}).await;
    let mut fresh = Witness::join(running.address, "fresh").await;
    for (id, shown) in ids.iter().zip(shown) {
        if shown.is_empty() {
            continue;
        }
        fresh.open(id).await;
        fresh.complete(id).await;
        let replica = fresh.replica(id);
        let lost: Vec<_> = shown.iter().filter(|hash| !replica.knows(hash)).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} was shown and is gone");
    }
    drop(fresh);
    assert!(running.drain().await, "seed {seed}");
}

#[test]
fn what_gives_a_change_away_is_found_in_every_spelling() {
    let change = ChangeHash([7; 32]);
    let base58 = bs58::encode(change.0).with_check().into_string();
    for telling in [
        &[&[1][..], &[7; 32]].concat()[..],
        change.to_string().as_bytes(),
        base58.as_bytes(),
        b"a secret",
    ] {
        assert!(gives_away(telling, &change, "secret"));
    }
    assert!(!gives_away(b"nothing at all", &change, "secret"));
}
