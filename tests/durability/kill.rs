//! `kill -9` of the real server under load, again and again on one data folder: whatever any client had been shown, or had
//! been told was saved, is there.
//!
//! When the server dies is decided by counting what happened, never by time. After each restart a client that knows
//! nothing fetches every document before anybody else connects, so that nobody hides a loss by sending again.
//! `ROUNDTABLE_KILL_ROUNDS` sets the rounds, `ROUNDTABLE_KILL_SEED` the seed.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ChangeHash, ROOT};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use roundtable::client::{Client, ClientError, ConnectOptions, Document};
use roundtable::id::DocumentId;
use roundtable::store::sled::{SledEngine, SledOptions};
use roundtable::store::{Store, StoreLimits};
use tokio::sync::Notify;

use crate::local::new_id;
use crate::process::{LONG, Server};

const WRITERS: usize = 4;
const EDITS_A_ROUND: usize = 100;
/// New documents come after so many rounds: a client looks at the whole history to know what it was shown.
const ROUNDS_A_SET: u64 = 10;

/// Everything happens often that in a server at rest happens rarely: snapshots, catching up, unloading.
const SETTINGS: [&str; 6] = [
    "room.compact_changes=25",
    "room.compact_bytes=65536",
    "room.log.changes=32",
    "room.sleep_after=50ms",
    "sweep.every=10ms",
    "cache_bytes=16777216",
];

#[derive(Default)]
struct Tally {
    edits: usize,
    /// What was shown, by document.
    shown: HashMap<DocumentId, HashSet<ChangeHash>>,
    saved_waits: usize,
}

/// The moment of death: so many events in, but not before enough edits were made.
struct Fate {
    edits: AtomicUsize,
    events: AtomicUsize,
    kill_at: usize,
    now: Notify,
}

impl Fate {
    fn count(&self, edits: usize) {
        let edits = self.edits.fetch_add(edits, Ordering::Relaxed) + edits;
        let events = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        if edits >= EDITS_A_ROUND && events >= self.kill_at {
            self.now.notify_one();
        }
    }
}

/// A person with a device: what is open, which changes were made here, and which heads the server has named.
struct Person {
    own: HashSet<ChangeHash>,
    kept: HashMap<DocumentId, Automerge>,
    told: HashSet<ChangeHash>,
    edits: usize,
    saved_waits: usize,
}

impl Person {
    fn new() -> Self {
        Self {
            own: HashSet::new(),
            kept: HashMap::new(),
            told: HashSet::new(),
            edits: 0,
            saved_waits: 0,
        }
    }

    async fn connect(&self, url: &str, documents: &[DocumentId]) -> Option<(Client, Vec<Document>)> {
        // The server may be killed while somebody connects.
        let client = Client::connect(url, ConnectOptions::default()).await.ok()?;
        let open = |id: &DocumentId| match self.kept.get(id) {
            Some(kept) => client.attach(id, kept.clone()).expect("not open yet"),
            None => client.document(id),
        };
        let documents = documents.iter().map(open).collect();
        Some((client, documents))
    }

    fn edit(&mut self, document: &Document, random: &mut SmallRng) {
        let large = random.random_bool(0.05);
        let key = format!("cell {}", random.random_range(0..40));
        let mut noise = vec![0; if large { random.random_range(4_096..40_000) } else { 24 }];
        random.fill_bytes(&mut noise);
        let made = document.edit(|tx| tx.put(ROOT, key, noise));
        let (_, hash) = made.unwrap_or_else(|error: AutomergeError| panic!("{error}"));
        self.own.extend(hash);
        self.edits += 1;
    }

    fn note_heads(&mut self, document: &Document) {
        let told = &mut self.told;
        document.look(|replica| told.extend(replica.server_heads()));
    }

    /// Notes what the server has given away of a document, at the end of a connection.
    fn look_back(&mut self, document: &Document, tally: &mut Tally) {
        self.note_heads(document);
        let (told, own) = (&self.told, &self.own);
        let shown = document.look(|replica| {
            let heads: Vec<_> = told.iter().filter(|head| replica.knows(head)).copied().collect();
            let above = replica.document().get_changes_meta(&heads);
            let unsaved: HashSet<_> = above.iter().map(|change| change.hash).collect();
            let changes = replica.changes().into_iter();
            let shown = changes.filter(|hash| !own.contains(hash) || !unsaved.contains(hash));
            shown.chain(replica.server_heads().iter().copied()).collect::<Vec<_>>()
        });
        tally.shown.entry(document.id().clone()).or_default().extend(shown);
        self.kept.insert(document.id().clone(), document.fork());
    }

    fn settle(&mut self, tally: &mut Tally) {
        tally.edits += std::mem::take(&mut self.edits);
        tally.saved_waits += std::mem::take(&mut self.saved_waits);
    }
}

/// Edits in bursts until the server is gone; sometimes waits to be told that all is saved.
async fn write(
    mut person: Person,
    url: String,
    documents: Vec<DocumentId>,
    fate: Arc<Fate>,
    seed: u64,
) -> (Person, Vec<Document>) {
    let mut random = SmallRng::seed_from_u64(seed);
    let Some((client, mut documents)) = person.connect(&url, &documents).await else {
        return (person, Vec::new());
    };
    while client.end().is_none() {
        let document = &mut documents[random.random_range(0..3)];
        let burst = random.random_range(1..6);
        for _ in 0..burst {
            person.edit(document, &mut random);
        }
        fate.count(burst);
        let heard = match random.random_bool(0.3) {
            true => document.saved(LONG).await.map(|()| person.saved_waits += 1),
            false => document.next_event(LONG).await,
        };
        person.note_heads(document);
        fate.count(0);
        match heard {
            Ok(()) | Err(ClientError::Ended { .. }) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    (person, documents)
}

/// Only looks, at one document after the other.
async fn watch(
    mut person: Person,
    url: String,
    documents: Vec<DocumentId>,
    fate: Arc<Fate>,
) -> (Person, Vec<Document>) {
    let Some((client, mut documents)) = person.connect(&url, &documents).await else {
        return (person, Vec::new());
    };
    while client.end().is_none() {
        let heard =
            futures_util::future::select_all(documents.iter_mut().map(|document| Box::pin(document.next_event(LONG))));
        let (heard, at, _) = heard.await;
        if let Err(error @ ClientError::TimedOut { .. }) = heard {
            panic!("{error}");
        }
        person.note_heads(&documents[at]);
        fate.count(0);
    }
    (person, documents)
}

/// A client that knows nothing fetches each document: what was shown and is not there.
async fn missing(url: &str, tally: &Tally, documents: &[DocumentId]) -> Vec<(DocumentId, ChangeHash)> {
    let client = Client::connect(url, ConnectOptions::default())
        .await
        .expect("the server is back");
    let mut missing = Vec::new();
    for id in documents {
        let Some(shown) = tally.shown.get(id).filter(|shown| !shown.is_empty()) else {
            continue;
        };
        match client.find(id, LONG).await {
            Ok(document) => {
                let here: HashSet<_> = document.look(|replica| replica.changes()).into_iter().collect();
                missing.extend(shown.difference(&here).map(|hash| (id.clone(), *hash)));
            }
            Err(ClientError::Unavailable(_)) => missing.extend(shown.iter().map(|hash| (id.clone(), *hash))),
            Err(error) => panic!("{error}"),
        }
    }
    client.close(LONG).await;
    missing
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number: {value}")),
    )
}

/// What goes on from round to round.
struct Campaign {
    seed: u64,
    random: SmallRng,
    tally: Tally,
    people: Vec<Person>,
    /// Works away from the server and is seen every third round.
    traveller: Person,
    /// The documents that are worked on.
    documents: Vec<DocumentId>,
    all: Vec<DocumentId>,
}

impl Campaign {
    /// One life of the server.
    async fn round(&mut self, round: u64, server: Server) {
        let url = server.sync_url();
        let lost = missing(&url, &self.tally, &self.documents).await;
        assert!(lost.is_empty(), "seed {}, round {round}: lost {lost:?}", self.seed);
        if round.is_multiple_of(ROUNDS_A_SET) {
            self.documents = (0..3).map(|_| new_id()).collect();
            self.all.extend(self.documents.iter().cloned());
        }
        let fate = Arc::new(Fate {
            edits: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            kill_at: self.random.random_range(60..500),
            now: Notify::new(),
        });
        let mut at_work = Vec::new();
        let mut writers = std::mem::take(&mut self.people);
        if round % 3 == 2 {
            writers.push(std::mem::replace(&mut self.traveller, Person::new()));
        }
        for person in writers {
            let (url, documents, fate) = (url.clone(), self.documents.clone(), fate.clone());
            at_work.push(tokio::spawn(write(
                person,
                url,
                documents,
                fate,
                self.random.next_u64(),
            )));
        }
        at_work.push(tokio::spawn(watch(
            Person::new(),
            url,
            self.documents.clone(),
            fate.clone(),
        )));
        fate.now.notified().await;
        server.kill();
        self.look_back(round, at_work).await;
    }

    /// Everybody has lost the connection: notes what they had been shown.
    async fn look_back(&mut self, round: u64, at_work: Vec<tokio::task::JoinHandle<(Person, Vec<Document>)>>) {
        let seed = self.seed;
        for (n, work) in at_work.into_iter().enumerate() {
            let (mut person, open) = work
                .await
                .unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
            for document in &open {
                person.look_back(document, &mut self.tally);
            }
            person.settle(&mut self.tally);
            match n {
                // Half of them keep what they have and bring it back; the others come back with empty hands.
                0..WRITERS if n % 2 == 0 => self.people.push(person),
                0..WRITERS => self.people.push(Person::new()),
                WRITERS if round % 3 == 2 => self.traveller = person,
                _ => {}
            }
        }
        for document in self.traveller.kept.values_mut() {
            let made = document.transact(|tx| tx.put(ROOT, "on the road", round as i64));
            self.traveller.own.extend(made.expect("a put").hash);
        }
    }

    /// Whoever kept something brings it: now even what was never acknowledged is saved.
    async fn everybody_comes_home(&mut self, url: &str) {
        self.people.push(std::mem::replace(&mut self.traveller, Person::new()));
        for person in &self.people {
            let ids: Vec<_> = person.kept.keys().cloned().collect();
            let (_client, documents) = person.connect(url, &ids).await.expect("the server is there");
            for document in documents {
                document
                    .saved(LONG)
                    .await
                    .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
                let changes = document.look(|replica| replica.changes());
                self.tally
                    .shown
                    .entry(document.id().clone())
                    .or_default()
                    .extend(changes);
            }
        }
    }
}

/// How many of the documents have a snapshot on the disk.
fn snapshots(folder: &Path, documents: &[DocumentId]) -> usize {
    let engine = SledEngine::open(folder, SledOptions::default()).expect("the folder is free");
    let (store, _committer) = Store::open(Arc::new(engine), StoreLimits::default()).expect("it is a data folder");
    let has_one = |id: &&DocumentId| {
        let stored = store.load(id, None).expect("it can be read");
        stored.is_some_and(|stored| stored.snapshot.is_some())
    };
    documents.iter().filter(has_one).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_shown_is_lost_however_often_the_server_is_killed() {
    let rounds = number("ROUNDTABLE_KILL_ROUNDS").unwrap_or(10);
    let seed = number("ROUNDTABLE_KILL_SEED").unwrap_or_else(rand::random);
    println!("{rounds} rounds, seed {seed}");
    let (started, folder) = (Instant::now(), tempfile::tempdir().unwrap());
    let mut campaign = Campaign {
        seed,
        random: SmallRng::seed_from_u64(seed),
        tally: Tally::default(),
        people: (0..WRITERS).map(|_| Person::new()).collect(),
        traveller: Person::new(),
        documents: Vec::new(),
        all: Vec::new(),
    };
    for round in 0..rounds {
        let server = Server::start(folder.path(), &SETTINGS);
        campaign.round(round, server).await;
    }
    let server = Server::start(folder.path(), &SETTINGS);
    let url = server.sync_url();
    let lost = missing(&url, &campaign.tally, &campaign.all).await;
    let shown: usize = campaign.tally.shown.values().map(HashSet::len).sum();
    let Tally { edits, saved_waits, .. } = campaign.tally;
    println!(
        "{rounds} rounds, {edits} edits, {saved_waits} times told that all is saved, {shown} changes shown, {} lost, {:.1} s",
        lost.len(),
        started.elapsed().as_secs_f64(),
    );
    assert!(lost.is_empty(), "seed {seed}: lost {lost:?}");
    assert!(edits >= EDITS_A_ROUND * rounds as usize, "seed {seed}: {edits} edits");
    assert!(shown > edits / 4, "seed {seed}: the server showed hardly anything");
    campaign.everybody_comes_home(&url).await;
    let lost = missing(&url, &campaign.tally, &campaign.all).await;
    assert!(
        lost.is_empty(),
        "seed {seed}: lost {lost:?} although it was brought again"
    );
    server.stop();
    assert!(
        snapshots(folder.path(), &campaign.all) > 0,
        "seed {seed}: nothing was ever compacted"
    );
}
