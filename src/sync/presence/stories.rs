//! Presence as people live it: Ada and Grace in one room, with bindings and roster as the server puts them together.

use super::*;
use crate::sync::bindings::{self, Bindings, Spoken};
use crate::wire::payload;
use serde_json::json;

mod bounds;

const DOCUMENT: &str = "4Y379J4LpGUJCz5FM7miCHH5AK4u";
const ADA: ConnectionId = ConnectionId(1);
const GRACE: ConnectionId = ConnectionId(2);
const WORKER: ConnectionId = ConnectionId(3);

/// The server's side of one room, and a clock.
struct Room {
    bindings: Bindings,
    roster: Roster,
    now: Instant,
    count: u64,
    echoes: usize,
}

impl Room {
    fn with(limits: Limits) -> Self {
        Self {
            bindings: Bindings::new(bindings::Limits::default(), "7f3a"),
            roster: Roster::new(limits),
            now: Instant::now(),
            count: 0,
            echoes: 0,
        }
    }

    /// A room that Ada and Grace have joined.
    fn of_two() -> Self {
        let mut room = Self::with(Limits::default());
        room.join("ada", ADA);
        room.join("grace", GRACE);
        room
    }

    fn join(&mut self, peer: &str, connection: ConnectionId) {
        self.bindings.joined(self.now, &id(peer), connection);
    }

    fn close(&mut self, connection: ConnectionId) -> Vec<PeerId> {
        self.bindings.closed(self.now, connection);
        self.roster.disconnected(self.now, connection)
    }

    fn wait(&mut self, seconds: u64) -> Vec<PeerId> {
        self.now += Duration::from_secs(seconds);
        self.bindings.expire(self.now);
        self.roster.expire(self.now)
    }

    /// A new message of this sender; none if it was an echo.
    fn say(&mut self, sender: &str, data: Bytes, via: ConnectionId) -> Option<Heard> {
        self.count += 1;
        let message = ephemeral(sender, "a1", self.count, data);
        self.arrive(&message, via)
    }

    fn arrive(&mut self, message: &Ephemeral, via: ConnectionId) -> Option<Heard> {
        let spoken = self
            .bindings
            .may_speak(self.now, &message.sender, &message.session, via);
        if matches!(spoken, Spoken::Echo | Spoken::TooMany) {
            self.echoes += 1;
            return None;
        }
        Some(self.roster.hear(self.now, message, via))
    }

    fn present(&self) -> Vec<String> {
        let people = self.roster.people(self.now).into_iter();
        people.map(|person| person.peer_id).collect()
    }
}

fn id(peer: &str) -> PeerId {
    PeerId::parse(peer).unwrap()
}

fn ephemeral(sender: &str, session: &str, count: u64, data: Bytes) -> Ephemeral {
    Ephemeral {
        sender: id(sender),
        target: None,
        document: DOCUMENT.to_owned(),
        count,
        session: session.to_owned(),
        data,
    }
}

fn text(value: &str) -> Vec<u8> {
    minicbor::to_vec(value).unwrap()
}

fn snapshot(channels: &[(&str, &str)]) -> Bytes {
    let values: Vec<_> = channels.iter().map(|(name, value)| (*name, text(value))).collect();
    payload::snapshot(values.iter().map(|(name, value)| (*name, value.as_slice())))
}

fn update(channel: &str, value: &[u8]) -> Bytes {
    let mut out = minicbor::Encoder::new(vec![0xb9, 0, 1]);
    out.str("__presence").unwrap().map(3).unwrap();
    out.str("type").unwrap().str("update").unwrap();
    out.str("channel").unwrap().str(channel).unwrap();
    out.str("value").unwrap().writer_mut().extend_from_slice(value);
    out.into_writer().into()
}

fn heartbeat() -> Bytes {
    Bytes::from_static(b"\xa1\x6a__presence\xa1\x64type\x69heartbeat")
}

fn awareness(user: &str) -> Bytes {
    [vec![0x82], text(user), vec![0xa1], text("name"), text("Bob")]
        .concat()
        .into()
}

fn relayed(key: Option<Key>) -> Option<Heard> {
    Some(Heard::Relay { key, restored: None })
}

#[test]
fn ada_shows_herself_moves_and_leaves() {
    let mut room = Room::of_two();
    assert_eq!(
        room.say("ada", snapshot(&[("name", "Ada"), ("cell", "A1")]), ADA),
        relayed(Some(Key::Snapshot))
    );
    let moved = room.say("ada", update("cell", &text("B2")), ADA);
    assert_eq!(moved, relayed(Some(Key::Update("cell".into()))));
    assert_eq!(room.wait(7), []);
    assert_eq!(room.say("ada", heartbeat(), ADA), relayed(Some(Key::Heartbeat)));
    assert_eq!(
        serde_json::to_value(room.roster.people(room.now)).unwrap(),
        json!([{
            "peerId": "ada", "kind": "presence", "state": {"name": "Ada", "cell": "B2"},
            "presentMs": 7000, "seenMs": 0, "idleMs": 7000,
        }])
    );
    assert_eq!(room.say("ada", payload::goodbye(), ADA), relayed(Some(Key::Goodbye)));
    assert_eq!(room.present(), [""; 0]);
    assert_eq!(room.close(ADA), [], "she has said goodbye herself");
}

/// Each client sends every ephemeral it receives back to the server, under the author's id. Taken for the author's, it
/// would keep a ghost present for as long as anybody echoes.
#[test]
fn an_echo_through_grace_neither_moves_nor_refreshes_ada() {
    let mut room = Room::of_two();
    let hello = ephemeral("ada", "a1", 1, snapshot(&[("name", "Ada")]));
    room.arrive(&hello, ADA);
    room.wait(44);
    assert_eq!(room.arrive(&hello, GRACE), None);
    assert_eq!(room.echoes, 1);
    assert_eq!(room.wait(1), [id("ada")]);
}

#[test]
fn grace_cannot_speak_for_ada_even_with_a_new_count() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada")]), ADA);
    assert_eq!(
        room.arrive(&ephemeral("ada", "forged", 99, payload::goodbye()), GRACE),
        None
    );
    assert_eq!(room.present(), ["ada"]);
}

/// Whoever is heard first is believed, until the owner of the name joins.
#[test]
fn ada_takes_her_name_back_by_joining() {
    let mut room = Room::with(Limits::default());
    room.join("grace", GRACE);
    assert!(room.say("ada", update("cell", &text("A1")), GRACE).is_some());
    room.join("ada", ADA);
    assert!(room.say("ada", update("cell", &text("B2")), ADA).is_some());
    assert!(room.say("ada", payload::goodbye(), GRACE).is_none());
}

#[test]
fn the_same_message_twice_is_heard_once_and_counts_may_have_gaps() {
    let mut room = Room::of_two();
    let heard = [1, 1, 3, 2, 4].map(|count| {
        let message = ephemeral("ada", "a1", count, update("cell", &text("A1")));
        room.arrive(&message, ADA) != Some(Heard::Stale)
    });
    assert_eq!(heard, [true, false, true, false, true]);
    let next_life = ephemeral("ada", "a2", 1, update("cell", &text("A1")));
    assert_ne!(room.arrive(&next_life, ADA), Some(Heard::Stale));
}

/// A tab behind a SharedWorker sends under its own id over the worker's connection. The reference server drops it.
#[test]
fn a_tab_behind_a_worker_is_heard_and_leaves_with_the_worker() {
    let mut room = Room::of_two();
    room.join("worker", WORKER);
    assert!(room.say("tab", snapshot(&[("name", "Tab")]), WORKER).is_some());
    assert!(room.say("tab", heartbeat(), GRACE).is_none(), "an echo");
    assert_eq!(room.roster.snapshots(WORKER), []);
    assert_eq!(room.close(WORKER), [id("tab")]);
}

/// Bound to the worker's connection rather than to the worker, the tab would be an echo for two minutes.
#[test]
fn a_tab_is_heard_again_as_soon_as_its_worker_is_back() {
    let mut room = Room::of_two();
    room.join("worker", WORKER);
    room.say("tab", snapshot(&[("name", "Tab")]), WORKER);
    room.close(WORKER);
    let again = ConnectionId(9);
    room.join("worker", again);
    let heard = room.say("tab", heartbeat(), again);
    assert!(
        matches!(heard, Some(Heard::Relay { restored: Some(_), .. })),
        "{heard:?}"
    );
    assert!(room.say("tab", heartbeat(), GRACE).is_none());
}

/// A `Presence` that reconnects goes on with heartbeats, which the others ignore for somebody they were told to forget:
/// without the restored snapshot Ada would stay invisible until she moves, and nameless after that.
#[test]
fn ada_comes_back_after_a_broken_connection_with_all_her_state() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada"), ("cell", "A1")]), ADA);
    assert_eq!(room.close(ADA), [id("ada")]);
    assert_eq!(room.present(), [""; 0]);
    room.wait(5);
    let again = ConnectionId(8);
    room.join("ada", again);
    let heard = room.say("ada", update("cell", &text("C3")), again);
    let restored = Some(snapshot(&[("name", "Ada"), ("cell", "C3")]));
    let key = Some(Key::Update("cell".into()));
    assert_eq!(heard, Some(Heard::Relay { key, restored }));
    assert_eq!(
        room.say("ada", heartbeat(), again),
        relayed(Some(Key::Heartbeat)),
        "once is enough"
    );
}

#[test]
fn a_snapshot_after_a_broken_connection_starts_from_nothing() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada"), ("cell", "A1")]), ADA);
    room.close(ADA);
    room.join("ada", ADA);
    assert_eq!(
        room.say("ada", snapshot(&[("name", "Ada")]), ADA),
        relayed(Some(Key::Snapshot))
    );
    assert_eq!(
        room.roster.snapshots(GRACE),
        [(id("ada"), snapshot(&[("name", "Ada")]))]
    );
}

/// The client is back before the server has noticed that the old connection is dead.
#[test]
fn ada_reconnects_before_her_old_connection_is_closed() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada")]), ADA);
    let again = ConnectionId(8);
    room.join("ada", again);
    room.roster.moved(ADA, again);
    assert_eq!(room.close(ADA), []);
    assert_eq!(room.present(), ["ada"]);
    assert!(
        room.say("ada", heartbeat(), again).is_some(),
        "the old connection's end takes nothing from the new"
    );
    assert!(room.say("ada", heartbeat(), ADA).is_none());
}

/// Grace's client echoes the goodbye the server made for Ada, and what Ada had said before, after Ada's socket is gone.
/// Taken for a first sighting, it would bind Ada to Grace's connection and bring her back as a ghost.
#[test]
fn late_echoes_bring_no_ghost() {
    let mut room = Room::of_two();
    let hello = ephemeral("ada", "a1", 1, snapshot(&[("name", "Ada")]));
    room.arrive(&hello, ADA);
    let left = room.close(ADA);
    let session = room.bindings.own_sessions().next();
    let said = goodbyes(DOCUMENT, &session, left);
    room.wait(119);
    assert_eq!(room.arrive(&hello, GRACE), None);
    room.wait(3600);
    assert_eq!(room.arrive(&said[0], GRACE), None);
    assert_eq!(room.present(), [""; 0]);
    assert_eq!(room.bindings.len(), 1, "only Grace is remembered");
}

#[test]
fn silence_of_three_heartbeats_is_a_goodbye() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[]), ADA);
    for _ in 0..10 {
        assert_eq!(room.wait(15), []);
        room.say("ada", heartbeat(), ADA);
    }
    assert_eq!(room.wait(44), []);
    assert_eq!(room.wait(1), [id("ada")]);
    assert_eq!(room.wait(1), [], "it is said once");
    room.wait(120);
    assert!(room.roster.is_empty());
}

#[test]
fn whoever_reports_once_a_minute_is_given_three() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada")]), ADA);
    assert_eq!(room.wait(60), [id("ada")], "nothing is known of her interval yet");
    assert!(matches!(
        room.say("ada", heartbeat(), ADA),
        Some(Heard::Relay { restored: Some(_), .. })
    ));
    room.wait(30);
    room.say("ada", heartbeat(), ADA);
    room.now += Duration::from_secs(60);
    room.say("ada", heartbeat(), ADA);
    assert_eq!(room.wait(179), []);
    assert_eq!(room.wait(1), [id("ada")]);
}

#[test]
fn a_newcomer_is_told_of_everybody_but_herself() {
    let mut room = Room::of_two();
    room.say("ada", snapshot(&[("name", "Ada")]), ADA);
    room.say("ada", update("cursor", &[0xf9, 0x3e, 0x00]), ADA);
    room.say("grace", snapshot(&[("name", "Grace")]), GRACE);
    let told = room.roster.snapshots(GRACE);
    assert_eq!(told.len(), 1);
    let Payload::Presence(Presence::Snapshot { state }) = Payload::decode(&told[0].1) else {
        panic!("not a snapshot: {told:?}");
    };
    let cursor = state.iter().find(|(name, _)| *name == "cursor").unwrap().1;
    assert_eq!(cursor.encoded(), [0xf9, 0x3e, 0x00], "the very bytes of the author");
    let burst = in_their_name(DOCUMENT, &room.bindings.own_sessions().next(), told);
    assert_eq!((burst[0].count, burst[0].session.as_str()), (1, "srv-7f3a-0"));
    assert_eq!(room.arrive(&burst[0], GRACE), None, "and its echo is dropped");
}

/// An application that uses its own messages would stumble over a goodbye it never heard of: `const [user, state] =
/// message` throws on a map.
#[test]
fn older_awareness_is_listed_but_gets_no_goodbye_and_no_snapshot() {
    let mut room = Room::of_two();
    assert_eq!(room.say("ada", awareness("bob"), ADA), relayed(None));
    assert_eq!(room.say("grace", Bytes::from_static(&[0x01]), GRACE), relayed(None));
    let people = room.roster.people(room.now);
    assert_eq!((people[0].kind, &people[0].user_id), ("awareness", &Some(json!("bob"))));
    assert_eq!(people[0].state, json!({"name": "Bob"}));
    assert_eq!((people[1].kind, &people[1].state), ("other", &Value::Null));
    assert_eq!(room.roster.snapshots(GRACE), []);
    assert_eq!(room.close(ADA), []);
    assert_eq!(room.wait(45), []);
    assert_eq!(room.present(), [""; 0]);
}

#[test]
fn a_state_that_json_cannot_hold_is_shown_as_unreadable() {
    let mut room = Room::of_two();
    let many = [vec![0x99, 0x10, 0x00], vec![0x01; 0x1000]].concat();
    room.say("ada", update("many", &many), ADA);
    room.say("ada", update("when", &[0xc1, 0x1a, 0x65, 0x53, 0xf1, 0x00]), ADA);
    let state = &room.roster.people(room.now)[0].state;
    assert_eq!(state["many"], json!({"$unreadable": "it holds too many values"}));
}
