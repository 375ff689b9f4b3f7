use std::time::Instant;

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, AutomergeError, Change, ROOT};

use super::*;
use crate::document::author::Door;
use crate::id::{DocumentId, PeerId};
use crate::room::inbox::{Inbox, Mark};
use crate::room::{RoomLimits, Rooms};
use crate::store::memory::MemoryEngine;
use crate::store::{Committer, Need, Store, StoreLimits};
use crate::sync::aside::AsideLimits;
use crate::sync::bindings::Bindings;
use crate::sync::lane::Lane;

const ADA: ConnectionId = ConnectionId(1);
const GRACE: ConnectionId = ConnectionId(2);

struct Scene {
    store: Store,
    _committer: Committer,
    rooms: Rooms,
    room: Arc<Room>,
    now: Instant,
}

/// An empty room that is awake, with Ada and Grace in it.
fn scene(aside: AsideLimits) -> Scene {
    let (store, committer) = Store::open(Arc::new(MemoryEngine::new()), StoreLimits::default()).unwrap();
    let limits = RoomLimits {
        aside,
        ..RoomLimits::default()
    };
    let sessions = Bindings::new(Default::default(), "test").own_sessions();
    let rooms = Rooms::new(store.clone(), limits, 1, sessions);
    let id = DocumentId::from_uuid(uuid::Uuid::from_u128(1));
    let now = Instant::now();
    for connection in [ADA, GRACE] {
        let peer = PeerId::parse(&format!("peer-{connection}")).unwrap();
        let mark = Mark::new(Inbox::new(connection, Lane::new(Default::default())), 0);
        rooms.enter(&id, &peer, &mark, now).unwrap();
    }
    let room = rooms.get(&id).unwrap();
    room.begin_wake(now);
    room.wake(ActorId::from([9; 16]), now);
    Scene {
        store,
        _committer: committer,
        rooms,
        room,
        now,
    }
}

impl Scene {
    fn commit(&self, from: ConnectionId, offered: Vec<Offered>) -> Commit {
        let place = self.store.try_reserve(Need { changes: 1, bytes: 1 }).unwrap();
        let author = Author {
            time: 0,
            user: None,
            device: "test".into(),
            door: Door::Sync,
        };
        let writer = Writer {
            author,
            connection: Some(from),
        };
        let commit = self.room.commit(place, offered, &writer, self.now);
        commit.map_err(|_| "asleep").unwrap()
    }

    fn aside(&self) -> usize {
        self.room.kept_aside()
    }
}

fn put(document: &mut Automerge, value: i64) -> Change {
    document
        .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", value))
        .unwrap();
    document.get_last_local_change().unwrap()
}

fn chain(length: i64) -> Vec<Change> {
    let mut document = Automerge::new().with_actor(ActorId::from([1; 16]));
    (0..length).map(|n| put(&mut document, n)).collect()
}

fn offer(change: &Change) -> Offered {
    Offered::Change(Box::new(change.clone()))
}

/// A client whose first change was refused sent the next ones with it. They were kept aside, where nothing would ever
/// release them; past the bound its socket was closed, and it came back with the same changes, for ever.
#[test]
fn what_comes_with_a_refused_change_neither_stays_aside_nor_closes_the_socket() {
    let scene = scene(AsideLimits {
        changes: 1,
        outlines: 0,
        ..AsideLimits::default()
    });
    let chain = chain(4);
    let refused = Offered::Refused {
        hash: None,
        why: Refusal::Checksum,
    };
    let offered = std::iter::once(refused).chain(chain[1..].iter().map(offer)).collect();
    let commit = scene.commit(ADA, offered);
    assert!(commit.stops_hearing() && commit.send_again.is_empty(), "{commit:?}");
    assert_eq!(scene.aside(), 0);
}

/// Ada sent a change that must not get in, before the one it builds on. When Grace brought that one, Grace went deaf for
/// it, and Ada did not.
#[test]
fn who_releases_a_bad_change_is_not_the_one_to_blame() {
    let scene = scene(AsideLimits::default());
    let first = chain(2);
    let mut others = Automerge::new().with_actor(ActorId::from([2; 16]));
    others.apply_changes([first[0].clone()]).unwrap();
    let missing = put(&mut others, 7);
    // The second change of the actor of `first`, once more.
    let forged = put(&mut others.with_actor(ActorId::from([1; 16])), 8);
    assert_eq!((forged.actor_id(), forged.seq()), (first[1].actor_id(), first[1].seq()));

    scene.commit(GRACE, first.iter().map(offer).collect());
    assert_eq!(scene.commit(ADA, vec![offer(&forged)]).aside, 1);
    let commit = scene.commit(GRACE, vec![offer(&missing)]);
    assert_eq!(commit.committed, 1);
    assert!(!commit.stops_hearing(), "{commit:?}");
    assert_eq!(
        commit.send_again,
        HashSet::from([ADA]),
        "Ada sends it again and is told herself"
    );
}

/// A message was still being committed when its connection went. What it left aside stayed for ever.
#[test]
fn nothing_stays_aside_of_a_connection_that_is_gone() {
    let scene = scene(AsideLimits::default());
    let chain = chain(3);
    scene.commit(ADA, vec![offer(&chain[1])]);
    assert_eq!(scene.aside(), 1);
    scene.rooms.leave(scene.room.clone(), ADA, scene.now);
    assert_eq!(scene.aside(), 0);
    scene.commit(ADA, vec![offer(&chain[2])]);
    assert_eq!(scene.aside(), 0);
}

/// What builds on a change that is set aside for good waited aside for it.
#[test]
fn what_builds_on_a_quarantined_change_is_not_kept_aside() {
    let scene = scene(AsideLimits::default());
    let chain = chain(4);
    scene.room.slot().quarantined.insert(chain[0].hash());
    assert_eq!(scene.commit(GRACE, vec![offer(&chain[3])]).aside, 1);
    let commit = scene.commit(ADA, chain[..3].iter().map(offer).collect());
    assert!(commit.quarantined && commit.committed == 0);
    assert_eq!(scene.aside(), 0);
    assert_eq!(commit.send_again, HashSet::from([GRACE]));
}

/// A document was deleted behind a change that was refused alone: the deletion came to the disk in a later batch and said
/// that everything up to the change was there. The change counted as saved, and so would have the next one of its number.
#[test]
fn what_was_queued_before_a_rollback_does_not_move_the_durable_mark() {
    let scene = scene(AsideLimits::default());
    scene.commit(ADA, vec![offer(&chain(1)[0])]);
    let (upto, rollbacks) = (scene.room.seen(), scene.room.rollbacks.load(Ordering::Acquire));
    assert_eq!(upto.position, 1);
    scene.room.flushed(upto, rollbacks, false);
    scene.room.flushed(upto, rollbacks, true);
    assert_eq!((scene.room.end(), scene.room.durable()), (0, 0));
}
