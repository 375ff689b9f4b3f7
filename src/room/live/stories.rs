//! One room, two doors: Ada comes through the sync door, Grace and Linus through the live one.

mod bounds;
mod doors;
mod leaving;
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
