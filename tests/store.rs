//! The store, from its engines up: what is promised is kept through crashes, failures and damage.
//!
//! Every story runs on the engine in memory, whose crashes can be ordered; what can be shown on sled is shown there too.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use roundtable::document::author::{Author, Door};
use roundtable::id::DocumentId;
use roundtable::store::engine::Engine;
use roundtable::store::memory::MemoryEngine;
use roundtable::store::sled::{SledEngine, SledOptions};
use roundtable::store::{
    Append, Committer, Listed, Need, Place, Progress, Snapshot, Store, StoreFailure, StoreLimits, Stored, StoredChange,
};

#[path = "store/committing.rs"]
mod committing;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/documents.rs"]
mod documents;
#[path = "store/engines.rs"]
mod engines;
#[path = "store/folder.rs"]
mod folder;
#[path = "store/notes.rs"]
mod notes;
#[path = "store/places.rs"]
mod places;
#[path = "store/process.rs"]
mod process;
#[path = "store/random.rs"]
mod random;
#[path = "store/readers.rs"]
mod readers;
#[path = "store/snapshots.rs"]
mod snapshots;

/// Bounds that a test can hit.
const SMALL: StoreLimits = StoreLimits {
    queue_changes: 4,
    queue_bytes: 1000,
    batch_changes: 2,
    batch_bytes: 1000,
    snapshots: 1,
    keys: 3,
};

/// The documents that are not deleted.
fn listed(store: &Store) -> Vec<DocumentId> {
    let page = store.documents(Listed::Present, None, 9).expect("they read");
    assert_eq!(page.next, None, "a test has fewer documents");
    page.documents
}

fn need(changes: usize, bytes: usize) -> Need {
    Need { changes, bytes }
}

/// What callbacks said, in order: the number of the last change and whether it was flushed.
type Outcomes = Arc<Mutex<Vec<(u64, Result<(), Arc<StoreFailure>>)>>>;

/// A store whose committer is driven by hand.
struct World<E> {
    engine: E,
    store: Store,
    committer: Committer,
    outcomes: Outcomes,
}

impl<E: Engine + Clone + 'static> World<E> {
    fn on(engine: E) -> Self {
        Self::bounded(engine, StoreLimits::default())
    }

    fn bounded(engine: E, limits: StoreLimits) -> Self {
        let (store, committer) = Store::open(Arc::new(engine.clone()), limits).expect("the store opens");
        Self {
            engine,
            store,
            committer,
            outcomes: Outcomes::default(),
        }
    }

    /// Queues changes of these numbers as one append; nothing is written before a step.
    fn append(&self, document: &DocumentId, numbers: impl IntoIterator<Item = u64>) {
        let changes = numbers.into_iter().map(change).collect();
        append_at(&self.store, reserve(&self.store), document, changes, &self.outcomes);
    }

    /// Steps until nothing waits.
    fn settle(&self) {
        while !matches!(self.committer.step(), Progress::Idle | Progress::Ended) {}
    }

    /// Writes a snapshot that contains all changes up to `number`, the committer being stepped in between.
    fn compact(&self, document: &DocumentId, number: u64) {
        let mut write = self
            .store
            .begin_snapshot(document, snapshot(number), |_| true)
            .expect("it begins");
        while write.step().expect("it goes on") == roundtable::store::Step::Waiting {
            self.committer.step();
        }
    }

    /// The numbers whose callbacks said that they are durable.
    fn flushed(&self) -> Vec<u64> {
        let outcomes = self.outcomes.lock().unwrap();
        outcomes
            .iter()
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(number, _)| *number)
            .collect()
    }

    fn load(&self, document: &DocumentId) -> Option<Stored> {
        self.store.load(document, None).expect("it loads")
    }
}

impl World<MemoryEngine> {
    fn new() -> Self {
        Self::on(MemoryEngine::new())
    }
}

/// One change a place; more bytes than the bound say nothing here.
fn reserve(store: &Store) -> Place {
    store
        .try_reserve(Need { changes: 1, bytes: 1 })
        .expect("there is a place")
}

fn append_at(store: &Store, place: Place, document: &DocumentId, changes: Vec<StoredChange>, outcomes: &Outcomes) {
    let last = changes.last().expect("an append has changes").number;
    let outcomes = outcomes.clone();
    let append = Append {
        document: document.clone(),
        changes,
        notes: Vec::new(),
        flushed: Box::new(move |outcome| outcomes.lock().unwrap().push((last, outcome))),
    };
    store.append(place, append);
}

fn document(number: u128) -> DocumentId {
    DocumentId::from_uuid(uuid::Uuid::from_u128(number))
}

/// The bytes of change `number`: of a length and content of its own; every tenth takes several pieces.
fn change_bytes(number: u64) -> Vec<u8> {
    let length = match number % 10 {
        0 => 9_000 + number as usize,
        _ => 90 + number as usize % 50,
    };
    (0..length).map(|at| (number as usize * 31 + at * 7) as u8).collect()
}

fn change(number: u64) -> StoredChange {
    sized_change(number, change_bytes(number))
}

fn sized_change(number: u64, bytes: Vec<u8>) -> StoredChange {
    StoredChange {
        number,
        hash: [number as u8; 32],
        bytes: Bytes::from(bytes),
        author: author(number),
    }
}

fn author(number: u64) -> Author {
    Author {
        time: 1_700_000_000_000 + number,
        user: number.is_multiple_of(2).then(|| format!("user-{number}")),
        device: format!("device-{number}"),
        door: Door::Sync,
    }
}

/// A stand-in for a saved document: the bytes of all changes it contains, so that a test can tell what is in it.
fn snapshot(number: u64) -> Snapshot {
    Snapshot {
        number,
        heads: vec![[number as u8; 32], [0xab; 32]],
        bytes: Bytes::from((1..=number).flat_map(change_bytes).collect::<Vec<_>>()),
    }
}

/// The bytes of all changes in what was loaded, by way of the snapshot or of the tail.
fn contents(stored: &Stored) -> Vec<u8> {
    let mut bytes = stored
        .snapshot
        .as_ref()
        .map_or_else(Vec::new, |snapshot| snapshot.bytes.to_vec());
    for (_, change) in &stored.tail {
        bytes.extend_from_slice(change);
    }
    bytes
}

/// Panics unless this is exactly the document after `stored.last_number` changes, at least `least` of them.
#[track_caller]
fn assert_whole(stored: &Stored, least: u64, story: &str) {
    let last = stored.last_number;
    assert!(last >= least, "{story}: {least} changes were durable, {last} came back");
    assert!(
        contents(stored) == snapshot(last).bytes,
        "{story}: not the document after change {last}"
    );
}

/// Sled in this folder, with a cache smaller than what some tests write.
fn open_sled(folder: &Path) -> Arc<SledEngine> {
    Arc::new(SledEngine::open(folder, SledOptions { cache_bytes: 1 << 20 }).expect("the folder opens"))
}
