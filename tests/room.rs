//! Stories of one room over a disk in memory, the committer stepped by hand.

use std::sync::Arc;
use std::time::Instant;

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, Automerge, ObjType, ROOT, ReadDoc};
use roundtable::document::author::{Author, Door};
use roundtable::id::{ConnectionId, DocumentId};
use roundtable::room::{Commit, Room, RoomLimits, Rooms, Waking, Writer};
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Committer, Need, Store, StoreLimits};
use roundtable::sync::bindings::{Bindings, Limits};
use roundtable::sync::gate::Offered;

#[path = "room/deleted.rs"]
mod deleted;
#[path = "room/desk.rs"]
mod desk;
#[path = "room/granted.rs"]
mod granted;
#[path = "room/offline.rs"]
mod offline;
#[path = "room/once.rs"]
mod once;
#[path = "room/unseen.rs"]
mod unseen;

/// The clock of the server in these stories, in milliseconds since 1970.
const NOW_MS: u64 = 1_700_000_000_000;

fn writer(who: &str, now_ms: u64) -> Writer {
    let author = Author {
        time: now_ms,
        user: None,
        device: who.into(),
        door: Door::Sync,
    };
    Writer {
        author,
        connection: Some(ConnectionId(1)),
    }
}

/// One edit and what is kept of it.
fn need() -> Need {
    Need {
        changes: 1,
        bytes: 1_000,
    }
}

struct House {
    engine: MemoryEngine,
    store: Store,
    committer: Committer,
    limits: StoreLimits,
    rooms: Rooms,
    room: Arc<Room>,
}

impl House {
    fn new() -> Self {
        Self::on(MemoryEngine::default(), StoreLimits::default())
    }

    fn on(engine: MemoryEngine, limits: StoreLimits) -> Self {
        let (store, committer) = Store::open(Arc::new(engine.clone()), limits).unwrap();
        let sessions = Bindings::new(Limits::default(), "test").own_sessions();
        let rooms = Rooms::new(store.clone(), RoomLimits::default(), 10, sessions);
        let room = rooms
            .open(&DocumentId::from_uuid(uuid::Uuid::from_u128(1)), Instant::now())
            .unwrap();
        let house = Self {
            engine,
            store,
            committer,
            limits,
            rooms,
            room,
        };
        house.wake();
        house
    }

    /// The house after a crash of the machine, on what is left of its disk.
    fn crash(self, survives: Survives) -> Self {
        Self::on(self.engine.crash(survives), self.limits)
    }

    fn wake(&self) {
        match self.room.begin_wake(Instant::now()) {
            Waking::Begun => self.room.wake(ActorId::random(), Instant::now()),
            Waking::Awake => {}
            waking => panic!("the room is {waking:?}"),
        }
    }

    fn commit(&self, who: &str, changes: Vec<automerge::Change>) -> Commit {
        let need = Need {
            changes: changes.len(),
            bytes: changes.iter().map(|change| change.raw_bytes().len()).sum(),
        };
        let place = self.store.try_reserve(need).unwrap();
        let writer = writer(who, NOW_MS);
        let offered = changes
            .into_iter()
            .map(|change| Offered::Change(Box::new(change)))
            .collect();
        self.room
            .commit(place, offered, &writer, Instant::now())
            .ok()
            .expect("it is awake")
    }

    fn stored(&self) -> Automerge {
        let stored = self
            .store
            .load(self.room.id(), None)
            .unwrap()
            .expect("something is stored");
        let mut document = Automerge::new();
        for (_, bytes) in stored.tail {
            document.load_incremental(&bytes).unwrap();
        }
        document
    }
}

/// A hundred keystrokes on 20,000 characters: applied one by one they would cost 3 ms each.
#[test]
fn a_run_of_keystrokes_is_taken_whole_and_every_one_is_stored() {
    let house = House::new();
    let mut ada = AutoCommit::new();
    let text = ada.put_object(ROOT, "text", ObjType::Text).unwrap();
    ada.splice_text(&text, 0, 0, &"lorem ipsum ".repeat(1_666)).unwrap();
    ada.commit();
    let mut typed = ada.get_changes(&[]);
    house.commit("ada", typed.clone());
    let before = ada.get_heads();
    for n in 0..100 {
        ada.splice_text(&text, n, 0, "x").unwrap();
        ada.commit();
    }
    let keys = ada.get_changes(&before);
    typed.extend(keys.clone());
    let commit = house.commit("ada", keys);
    assert!(commit.took_all());
    assert_eq!(commit.committed, 100);
    house.committer.step();
    assert_eq!(house.room.durable(), 101);
    assert_eq!(*house.room.durable_heads(), ada.get_heads());
    let stored = house.stored();
    assert_eq!(stored.get_heads(), ada.get_heads());
    assert_eq!(stored.text(&text).unwrap(), ada.text(&text).unwrap());
}

#[test]
fn every_change_has_an_author_that_no_client_can_choose() {
    let house = House::new();
    let mut ada = AutoCommit::new();
    ada.put(ROOT, "n", 1).unwrap();
    ada.commit();
    house.commit("ada's laptop", ada.get_changes(&[]));
    let mut grace = AutoCommit::load(&ada.save()).unwrap();
    let before = grace.get_heads();
    grace.put(ROOT, "n", 2).unwrap();
    grace.commit();
    house.commit("grace's phone", grace.get_changes(&before));
    house.committer.step();
    let authors = house.store.authors(house.room.id(), 1..=2).unwrap();
    let devices: Vec<_> = authors
        .iter()
        .map(|(number, record)| (*number, record.author.device.as_str()))
        .collect();
    assert_eq!(devices, [(1, "ada's laptop"), (2, "grace's phone")]);
    assert_eq!(authors[1].1.hash, grace.get_heads()[0].0);
}

#[test]
fn a_failed_flush_takes_the_document_back_to_what_is_durable() {
    let house = House::new();
    let mut ada = AutoCommit::new();
    ada.put(ROOT, "n", 1).unwrap();
    ada.commit();
    let kept = ada.get_heads();
    house.commit("ada", ada.get_changes(&[]));
    house.committer.step();
    ada.put(ROOT, "n", 2).unwrap();
    ada.commit();
    house.engine.fail_sync_after(0);
    house.commit("ada", ada.get_changes(&kept));
    house.committer.step();
    assert_eq!(
        house.room.epoch(),
        1,
        "cursors and library states from before mean nothing"
    );
    assert!(
        house.store.try_reserve(Need { changes: 1, bytes: 1 }).is_err(),
        "nothing more is taken"
    );
    house.wake();
    assert_eq!((house.room.durable(), house.room.end()), (1, 1));
    assert_eq!(
        *house.room.durable_heads(),
        kept,
        "the engine still serves the failed batch; the room does not"
    );
    assert_eq!(
        house.rooms.sweep(Instant::now()).open,
        1,
        "and it stays, since it alone knows where durable ends"
    );
}
