//! One room, two doors: Ada comes through the sync door, Grace and Linus through the live one.

mod bounds;
mod model;
mod windows;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::document::table::RowId;
use crate::id::{ConnectionId, DocumentId, PeerId};
use crate::room::audience::{Audience, AudienceLimits};
use crate::room::inbox::{Inbox, Mark};
use crate::sync::bindings::Bindings;
use crate::sync::lane::Lane;
use crate::wire::cbor::Raw;
use crate::wire::json as cbor;
use crate::wire::live::presence::{Id, Who};
use crate::wire::payload::{self, Payload, Presence};
use crate::wire::repo::Ephemeral;

const ADA: u64 = 1;
const GRACE: u64 = 11;
const LINUS: u64 = 12;
/// A tick and a little.
const TICK: Duration = Duration::from_millis(51);

struct Scene {
    audience: Audience,
    now: Instant,
    ada: Arc<Inbox>,
    counts: u64,
}

/// What one receiver at the live door has been told, and through which window it looks.
#[derive(Default)]
struct Receiver {
    told: Told,
    window: Option<Window>,
}

fn user(name: &str) -> LiveUser {
    LiveUser {
        who: Who::new(Id::parse(&name.to_lowercase()).unwrap(), Some(name), None),
        device: Id::parse("laptop").unwrap(),
    }
}

fn cursor(row: &str) -> Showing {
    Showing::Cursor(serde_json::from_value(json!({ "recordId": row, "fieldId": "c1" })).unwrap())
}

/// A room with Ada in it, who has said who she is.
fn scene() -> Scene {
    scene_with(AudienceLimits::default())
}

fn scene_with(limits: AudienceLimits) -> Scene {
    let sessions = Arc::new(Bindings::new(Default::default(), "test").own_sessions());
    let audience = Audience::new(DocumentId::from_uuid(uuid::Uuid::from_u128(1)), &limits, sessions);
    let mut scene = Scene {
        audience,
        now: Instant::now(),
        ada: Inbox::new(ConnectionId(ADA), Lane::new(Default::default())),
        counts: 0,
    };
    let mark = Mark::new(scene.ada.clone(), 7);
    scene.audience.enter(PeerId::parse("ada").unwrap(), mark);
    scene.says(
        "ada",
        ADA,
        snapshot(json!({ "user": { "id": "ada", "name": "Ada", "color": 8 }, "cursor": null })),
    );
    scene.said_to_ada();
    scene
}

fn snapshot(state: Value) -> Bytes {
    let channels = state.as_object().unwrap().iter();
    let channels: Vec<_> = channels
        .map(|(name, value)| (name.as_str(), cbor::to_cbor(value)))
        .collect();
    payload::snapshot(channels.iter().map(|(name, value)| (*name, value.as_slice())))
}

fn update(channel: &str, value: Value) -> Bytes {
    payload::update(channel, &cbor::to_cbor(&value))
}

impl Scene {
    /// Somebody at the sync door says something.
    fn says(&mut self, sender: &str, via: u64, data: Bytes) {
        self.counts += 1;
        let ephemeral = Ephemeral {
            sender: PeerId::parse(sender).unwrap(),
            target: None,
            document: "t".into(),
            count: self.counts,
            session: format!("session of {sender}"),
            data,
        };
        assert!(self.audience.hear(self.now, ephemeral, ConnectionId(via)));
    }

    fn comes(&mut self, name: &str, connection: u64) -> (Receiver, Arc<Mark>) {
        let inbox = Inbox::new(ConnectionId(connection), Lane::new(Default::default()));
        let mark = Mark::new(inbox, 3);
        self.audience.enter_live(self.now, &user(name), mark.clone());
        (Receiver::default(), mark)
    }

    fn shows(&mut self, connection: u64, showing: Showing) {
        self.audience.show_live(self.now, ConnectionId(connection), &showing);
    }

    fn leaves(&mut self, connection: u64, how: Leaving) {
        self.audience.leave_live(self.now, ConnectionId(connection), how);
    }

    /// Time passes until the next tick is due, and a little.
    fn tick(&mut self) -> bool {
        self.now += TICK;
        let due = self.audience.due(self.now).is_some_and(|due| due <= self.now);
        assert!(
            due || !self.audience.tick(self.now),
            "there was news, yet no tick was due"
        );
        due && self.audience.tick(self.now)
    }

    fn pull(&mut self, receiver: &mut Receiver) -> Frames {
        self.audience.pull(receiver.window.as_ref(), &mut receiver.told)
    }

    /// What a receiver is told: the type of each message, and what it says beside the table.
    fn told(&mut self, receiver: &mut Receiver) -> Vec<(String, Value)> {
        let table = self.audience.document.to_string();
        let frames = self.pull(receiver);
        let read = |frame: &Utf8Bytes| {
            let mut message: Value = serde_json::from_str(frame).unwrap();
            let mut data = message["data"].take();
            assert_eq!(data.as_object_mut().unwrap().remove("tableId"), Some(json!(table)));
            let said = data.as_object().unwrap().values().next().cloned();
            let all = message["type"] == "user_left";
            (
                message["type"].as_str().unwrap().to_owned(),
                if all { data } else { said.unwrap() },
            )
        };
        frames.iter().map(read).collect()
    }

    /// What Ada's page is told since it was asked last: who says what; null is a goodbye, true a heartbeat.
    fn said_to_ada(&mut self) -> Vec<(PeerId, Value)> {
        let json = |value: Raw<'_>| cbor::to_json(value, &mut 100).unwrap();
        let mut told = Vec::new();
        while let Some((7, ephemeral)) = self.ada.take_from_lane(Lane::pop) {
            let said = match Payload::decode(&ephemeral.data) {
                Payload::Presence(Presence::Snapshot { state }) => state
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), json(value)))
                    .collect(),
                Payload::Presence(Presence::Update { channel, value }) => json!([channel, json(value)]),
                Payload::Presence(Presence::Heartbeat) => true.into(),
                Payload::Presence(Presence::Goodbye) => Value::Null,
                _ => panic!("not a word of Presence"),
            };
            told.push((ephemeral.sender.clone(), said));
        }
        told
    }
}

fn types(told: &[(String, Value)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

fn ids(users: &Value) -> Vec<&str> {
    users
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["userId"].as_str().unwrap())
        .collect()
}

#[test]
fn ada_and_grace_see_each_other_move_and_grace_leaves() {
    let mut scene = scene();
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.1", "column": "c1" })));
    let (mut grace, mark) = scene.comes("Grace", GRACE);
    let peer = user("Grace").peer();
    let shown = json!({ "user": { "id": "grace", "name": "Grace", "color": 7 },
        "cursor": null, "selection": null, "typing": null });
    assert_eq!(scene.said_to_ada(), [(peer.clone(), shown)]);
    let at = |row: &str| json!({ "recordId": row, "fieldId": "c1" });
    assert_eq!(
        scene.told(&mut grace),
        [(
            "table_users".to_owned(),
            json!([
                { "userId": "ada", "userName": "Ada", "color": 8, "deviceId": "ada", "door": "sync", "cursor": at("b.1") },
                { "userId": "grace", "userName": "Grace", "color": 7, "deviceId": "laptop", "door": "live" },
            ])
        )]
    );
    scene.shows(GRACE, cursor("b.2"));
    assert_eq!(
        scene.said_to_ada(),
        [(peer.clone(), json!(["cursor", { "row": "b.2", "column": "c1" }]))]
    );
    scene.says(
        "ada",
        ADA,
        update("cursor", json!({ "row": "b.3", "column": "c1", "x": 0.5 })),
    );
    assert_eq!(scene.told(&mut grace), [], "not before the tick");
    assert!(scene.tick());
    assert_eq!(mark.inbox().take().marked, [3]);
    assert_eq!(
        scene.told(&mut grace),
        [(
            "cursor_position".to_owned(),
            json!([
                { "userId": "ada", "deviceId": "ada", "cursor": { "recordId": "b.3", "fieldId": "c1", "x": 0.5 } },
                { "userId": "grace", "deviceId": "laptop", "cursor": at("b.2") },
            ])
        )]
    );
    scene.says("ada", ADA, update("cursor", Value::Null));
    scene.tick();
    let none = json!([{ "userId": "ada", "deviceId": "ada", "cursor": null }]);
    assert_eq!(scene.told(&mut grace), [("cursor_position".to_owned(), none)]);
    scene.leaves(GRACE, Leaving::Left);
    assert_eq!(scene.said_to_ada(), [(peer, Value::Null)]);
    assert_eq!(scene.audience.due(scene.now), None, "nobody listens any more");
    assert_eq!(scene.audience.len(), 1);
}

#[test]
fn selections_and_what_is_typed_are_told_as_well() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    let place = |row: &str| json!({ "row": row, "column": "c1" });
    scene.says(
        "ada",
        ADA,
        update("selection", json!({ "from": place("b.1"), "to": place("b.2") })),
    );
    scene.says(
        "ada",
        ADA,
        update("typing", json!({ "row": "b.1", "column": "c1", "text": "12" })),
    );
    scene.tick();
    let cell = |row: &str| json!({ "recordId": row, "fieldId": "c1" });
    assert_eq!(
        scene.told(&mut grace),
        [
            (
                "selection".to_owned(),
                json!([{ "userId": "ada", "deviceId": "ada", "selection": { "from": cell("b.1"), "to": cell("b.2") } }])
            ),
            (
                "typing".to_owned(),
                json!([{ "userId": "ada", "deviceId": "ada", "cell": { "recordId": "b.1", "fieldId": "c1", "text": "12" } }])
            ),
        ]
    );
    scene.said_to_ada();
    let typing = json!({ "recordId": "b.9", "fieldId": "c1", "text": "x".repeat(300) });
    scene.shows(GRACE, Showing::Typing(serde_json::from_value(typing).unwrap()));
    let said = scene.said_to_ada().remove(0).1;
    assert_eq!(said[1]["text"].as_str().unwrap().len(), 200);
}

/// What is told to a hundred is made once: it is the same bytes in the same place.
#[test]
fn a_hundred_moves_between_two_ticks_are_one_and_all_receivers_share_it() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.tick();
    for receiver in [&mut grace, &mut linus] {
        scene.pull(receiver);
    }
    scene.said_to_ada();
    for row in 0..100 {
        scene.says(
            "ada",
            ADA,
            update("cursor", json!({ "row": format!("b.{row}"), "column": "c1" })),
        );
        scene.shows(GRACE, cursor(&format!("b.{row}")));
    }
    assert!(scene.tick());
    let (one, other) = (scene.pull(&mut grace), scene.pull(&mut linus));
    assert_eq!(one.len(), 1);
    assert!(Arc::ptr_eq(&one, &other) && one[0].as_ptr() == other[0].as_ptr());
    let said: Value = serde_json::from_str(&one[0]).unwrap();
    let rows = said["data"]["cursors"].as_array().unwrap().iter();
    assert_eq!(
        rows.map(|of| of["cursor"]["recordId"].clone()).collect::<Vec<_>>(),
        ["b.99", "b.99"]
    );
    assert_eq!(scene.said_to_ada().len(), 1, "the newest of Grace");
    // What comes to the same is no news.
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.99", "column": "c1" })));
    assert!(!scene.tick());
}

#[test]
fn one_who_is_far_behind_gets_the_newest_only() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    for row in ["b.1", "b.2", "b.3"] {
        scene.comes("Linus", LINUS);
        scene.says("ada", ADA, update("cursor", json!({ "row": row, "column": "c1" })));
        scene.tick();
        scene.leaves(LINUS, Leaving::Left);
        scene.tick();
    }
    let at = json!({ "recordId": "b.3", "fieldId": "c1" });
    let ada = json!([{ "userId": "ada", "deviceId": "ada", "cursor": at }]);
    assert_eq!(
        scene.told(&mut grace),
        [("cursor_position".to_owned(), ada)],
        "whom she was never told of has not left for her"
    );
}

#[test]
fn a_lost_connection_shows_nothing_at_once_and_is_back_within_its_time() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.said_to_ada();
    scene.leaves(GRACE, Leaving::Lost);
    let peer = user("Grace").peer();
    assert_eq!(scene.said_to_ada(), [(peer.clone(), Value::Null)]);
    scene.tick();
    let nowhere = json!([{ "userId": "grace", "deviceId": "laptop", "cursor": null }]);
    assert_eq!(scene.told(&mut linus), [("cursor_position".to_owned(), nowhere)]);
    let newcomer = scene.told(&mut Receiver::default());
    assert_eq!(ids(&newcomer[0].1), ["ada", "linus"], "off the list");
    scene.now += Duration::from_millis(4800);
    assert!(!scene.tick(), "and not said to have left");
    scene.comes("Grace", 13);
    assert_eq!(scene.said_to_ada().len(), 1);
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(types(&told), ["user_reconnected"]);
    assert_eq!((&told[0].1["userId"], told[0].1.get("cursor")), (&json!("grace"), None));
    scene.now += Duration::from_secs(10);
    assert!(!scene.tick(), "back for good");
}

#[test]
fn a_lost_connection_that_does_not_come_back_has_left_when_its_time_is_over() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.tick();
    scene.told(&mut linus);
    let lost = scene.now;
    scene.leaves(GRACE, Leaving::Lost);
    scene.says("ada", ADA, payload::goodbye());
    scene.tick();
    let left = |user: &str, device: &str| ("user_left".to_owned(), json!({ "userId": user, "deviceId": device }));
    assert_eq!(
        scene.told(&mut linus),
        [left("ada", "ada")],
        "who says goodbye has left at once"
    );
    assert_eq!(scene.audience.due(scene.now), Some(lost + Duration::from_secs(5)));
    scene.now = lost + Duration::from_secs(5);
    assert!(scene.audience.tick(scene.now));
    assert_eq!(scene.told(&mut linus), [left("grace", "laptop")]);
    assert_eq!(scene.audience.due(scene.now), None);
    scene.comes("Grace", 13);
    scene.tick();
    assert_eq!(types(&scene.told(&mut linus)), ["user_joined"]);
}

/// A page of the sync door that reconnects goes on with an update, and does not repeat its name.
#[test]
fn the_same_holds_at_the_sync_door() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.tick();
    scene.told(&mut grace);
    scene.audience.leave(ConnectionId(ADA), scene.now);
    assert!(scene.tick());
    assert_eq!(scene.told(&mut grace), [], "she showed no cursor");
    let mark = Mark::new(scene.ada.clone(), 7);
    scene.audience.enter(PeerId::parse("ada").unwrap(), mark);
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.1", "column": "c1" })));
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_reconnected"]);
    assert_eq!(told[0].1["userName"], "Ada");
    assert_eq!(told[0].1["cursor"]["recordId"], "b.1");
    // The demo page says goodbye and who it is in one breath when it is connected again: nobody has left.
    scene.says("ada", ADA, payload::goodbye());
    let anew = snapshot(json!({ "user": { "id": "ada", "name": "Ada L.", "color": 8 } }));
    scene.says("ada", ADA, anew);
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_changed"]);
    assert_eq!(
        (&told[0].1["userName"], told[0].1.get("cursor")),
        (&json!("Ada L."), None)
    );
}

/// The client is back before the server has noticed that the old connection is dead.
#[test]
fn a_newer_connection_of_the_same_device_takes_the_place_of_the_older() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.comes("Grace", 13);
    scene.shows(GRACE, cursor("b.7"));
    scene.leaves(GRACE, Leaving::Left);
    scene.tick();
    let nowhere = json!([{ "userId": "grace", "deviceId": "laptop", "cursor": null }]);
    assert_eq!(scene.told(&mut linus), [("cursor_position".to_owned(), nowhere)]);
    scene.shows(13, cursor("b.2"));
    assert!(scene.tick());
    assert_eq!(scene.audience.people(scene.now).len(), 3);
}

#[test]
fn silence_is_a_goodbye_and_the_next_sign_of_life_shows_all_again() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.said_to_ada();
    for _ in 0..3 {
        scene.now += Duration::from_secs(15);
        scene.audience.heartbeat_live(scene.now, ConnectionId(LINUS));
        scene.says("ada", ADA, payload::heartbeat());
        scene.audience.expire(scene.now);
    }
    let (grace, goodbye) = (user("Grace").peer(), Value::Null);
    assert_eq!(
        scene.said_to_ada(),
        [(user("Linus").peer(), json!(true)), (grace.clone(), goodbye)]
    );
    scene.tick();
    let left = json!({ "userId": "grace", "deviceId": "laptop" });
    assert_eq!(scene.told(&mut linus), [("user_left".to_owned(), left)]);
    scene.audience.heartbeat_live(scene.now, ConnectionId(GRACE));
    let again = scene.said_to_ada();
    assert_eq!((&again[0].0, &again[0].1["cursor"]["row"]), (&grace, &json!("b.1")));
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(types(&told), ["user_joined"]);
    assert_eq!(told[0].1["cursor"]["recordId"], "b.1");
}

/// Signs of life come with every message of a client; the pages at the sync door need one now and then.
#[test]
fn signs_of_life_are_passed_on_now_and_then() {
    let mut scene = scene();
    scene.comes("Grace", GRACE);
    scene.said_to_ada();
    for _ in 0..120 {
        scene.now += Duration::from_millis(250);
        scene.audience.heartbeat_live(scene.now, ConnectionId(GRACE));
        scene.shows(GRACE, Showing::Cursor(None));
    }
    assert_eq!(scene.said_to_ada().len(), 1, "they are conflated in her lane");
    assert_eq!(scene.audience.people(scene.now)[1].seen_ms, 0);
}

#[test]
fn a_new_name_is_no_arrival() {
    let mut scene = scene();
    let (mut linus, mark) = scene.comes("Linus", LINUS);
    scene.told(&mut linus);
    scene.said_to_ada();
    let mut renamed = user("Linus");
    renamed.who.name = "Linus T.".into();
    scene.audience.enter_live(scene.now, &renamed, mark);
    assert_eq!(scene.said_to_ada()[0].1[1]["name"], "Linus T.");
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(
        (types(&told), &told[0].1["userName"]),
        (vec!["user_changed"], &json!("Linus T."))
    );
}

#[test]
fn programs_are_told_of_and_the_list_over_http_has_all_doors() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    let agent = PeerId::of_agent("7").unwrap();
    let state = json!({ "user": { "userId": "bot-7", "name": "Bot", "color": "#0a7" }, "cursor": { "row": "b.1", "column": "c1" } });
    let state: Vec<_> = state
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), cbor::to_cbor(value)))
        .collect();
    scene.audience.show_agent(scene.now, &agent, &state).unwrap();
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_joined"]);
    let (bot, door) = (&told[0].1, json!("rest"));
    assert_eq!(
        (&bot["userId"], &bot["deviceId"], &bot["door"]),
        (&json!("bot-7"), &json!("agent:7"), &door)
    );
    let people = scene.audience.people(scene.now);
    let listed = people.iter().map(|person| {
        (
            person.peer_id.as_str(),
            person.kind,
            person.state["user"]["name"].clone(),
        )
    });
    let peer = user("Grace").peer();
    assert_eq!(
        listed.collect::<Vec<_>>(),
        [
            ("ada", "presence", json!("Ada")),
            ("agent:7", "presence", json!("Bot")),
            (peer.as_str(), "presence", json!("Grace")),
        ]
    );
    scene.audience.dismiss_agent(scene.now, &agent);
    scene.tick();
    assert_eq!(types(&scene.told(&mut grace)), ["user_left"]);
}

/// A page that opens the document later is told of those at the live door at once.
#[test]
fn a_newcomer_at_the_sync_door_is_told_of_those_at_the_live_one() {
    let mut scene = scene();
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    let inbox = Inbox::new(ConnectionId(2), Lane::new(Default::default()));
    scene
        .audience
        .enter(PeerId::parse("bob").unwrap(), Mark::new(inbox.clone(), 7));
    scene.audience.tell_of_others(ConnectionId(2));
    let senders = std::iter::from_fn(|| inbox.take_from_lane(Lane::pop)).map(|(_, told)| told.sender.clone());
    assert_eq!(
        senders.collect::<Vec<_>>(),
        [PeerId::parse("ada").unwrap(), user("Grace").peer()]
    );
}
