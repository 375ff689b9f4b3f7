//! One room on a store in memory: the real parts, without sockets, and with the committer's steps in the caller's hands.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::sync::Arc;
use std::time::Instant;

use automerge::sync::{ChunkList, Message, MessageVersion};
use automerge::{ActorId, Automerge, Change};
use bytes::Bytes;
use roundtable::document::author::{Author, Door};
use roundtable::id::{ConnectionId, DocumentId};
use roundtable::room::{Commit, Room, RoomLimits, Rooms, Waking, Writer};
use roundtable::store::engine::Engine;
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Append, Committer, Need, Place, Progress, Snapshot, Store, StoreLimits, StoredChange};
use roundtable::sync::bindings::{self, Bindings};
use roundtable::sync::gate::{self, GateLimits};

/// A document as it lies on the disk, to be opened again and again.
pub struct Stored {
    engine: MemoryEngine,
    id: DocumentId,
}

impl Stored {
    /// Stores a document as a server that has been at it for long does: in a snapshot.
    pub fn new(document: &Automerge) -> Self {
        let engine = MemoryEngine::new();
        let id = DocumentId::from_uuid(uuid::Uuid::from_u128(7));
        let (store, committer) = open(&engine);
        let committing = std::thread::spawn(move || committer.run());
        let changes = document.get_changes(&[]);
        let mut number = 0;
        for batch in changes.chunks(4_000) {
            let stored = batch.iter().map(|change| {
                number += 1;
                StoredChange {
                    number,
                    hash: change.hash().0,
                    bytes: Bytes::copy_from_slice(change.raw_bytes()),
                    author: author(),
                }
            });
            let append = Append {
                document: id.clone(),
                changes: stored.collect(),
                notes: Vec::new(),
                flushed: Box::new(|result| result.expect("nothing fails in memory")),
            };
            let place = loop {
                match store.try_reserve(need_of(batch)) {
                    Ok(place) => break place,
                    Err(_) => std::thread::yield_now(),
                }
            };
            store.append(place, append);
        }
        let snapshot = Snapshot {
            number,
            heads: document.get_heads().iter().map(|head| head.0).collect(),
            bytes: document.save().into(),
        };
        store
            .write_snapshot(&id, snapshot, |_| true)
            .expect("nothing fails in memory");
        store.close();
        committing.join().expect("the committer does not panic");
        Self { engine, id }
    }

    /// Opens the document on a copy of the disk.
    pub fn open(&self) -> Desk {
        Desk::open(&self.engine.crash(Survives::Everything), &self.id)
    }
}

/// A room that is awake, and the committer of its store.
pub struct Desk {
    pub rooms: Rooms,
    pub room: Arc<Room>,
    store: Store,
    committer: Committer,
    limits: GateLimits,
    writer: Writer,
}

impl Desk {
    fn open(engine: &MemoryEngine, id: &DocumentId) -> Self {
        let (store, committer) = open(engine);
        let sessions = Bindings::new(bindings::Limits::default(), "bench").own_sessions();
        let rooms = Rooms::new(store.clone(), RoomLimits::default(), 10, sessions);
        let now = Instant::now();
        let room = rooms.open(id, now).expect("there is room for one");
        assert_eq!(room.begin_wake(now), Waking::Begun);
        room.wake(ActorId::random(), now);
        assert_eq!(room.begin_wake(now), Waking::Awake);
        Self {
            rooms,
            room,
            store,
            committer,
            limits: GateLimits::default(),
            writer: Writer {
                author: author(),
                connection: Some(ConnectionId(1)),
            },
        }
    }

    /// What a connection does with a sync message that carries a change: gate, apply, append.
    pub fn take(&self, message: &[u8]) -> Commit {
        let opened = gate::open(message, &self.limits).expect("the message is well formed");
        let bytes = message.len();
        let place = self.store.try_reserve(Need { changes: 1, bytes });
        let place = place.expect("the queue has room");
        let done = self.room.commit(place, opened.changes, &self.writer, Instant::now());
        done.map_err(|_| "the room fell asleep").unwrap()
    }

    /// A place in the queue of the committer.
    pub fn reserve(&self, need: Need) -> Place {
        self.store.try_reserve(need).expect("the queue has room")
    }

    /// Makes what was taken durable, and has it announced.
    pub fn flush(&self) {
        assert!(matches!(self.committer.step(), Progress::Flushed { .. }));
    }
}

fn open(engine: &MemoryEngine) -> (Store, Committer) {
    let engine: Arc<dyn Engine> = Arc::new(engine.clone());
    Store::open(engine, StoreLimits::default()).expect("nothing fails in memory")
}

fn author() -> Author {
    Author {
        time: 1_790_000_000_000,
        user: None,
        device: "3f1f4ba0-6a31-4c61-a2a6-9a4c6d1a7e11".into(),
        door: Door::Sync,
    }
}

fn need_of(changes: &[Change]) -> Need {
    Need {
        changes: changes.len(),
        bytes: changes.iter().map(|change| change.raw_bytes().len()).sum(),
    }
}

/// The message in which a peer that is caught up sends one change.
pub fn message_with(change: &Change) -> Vec<u8> {
    let message = Message {
        heads: vec![change.hash()],
        need: Vec::new(),
        have: vec![automerge::sync::Have {
            last_sync: change.deps().to_vec(),
            bloom: automerge::sync::BloomFilter::from_hashes([change.hash()].into_iter()),
        }],
        changes: ChunkList::from(vec![change.raw_bytes().to_vec()]),
        flags: None,
        version: MessageVersion::V1,
    };
    message.encode()
}
