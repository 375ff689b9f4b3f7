//! A whole conversation with a server that is played here, line by line.

use serde_json::{Value as Json, from_str};

use super::*;
use crate::client::live::edit::{BatchItem, RecordEdit};
use crate::client::live::model::tests::{TABLE, column};
use crate::document::table::RowId;

const ANSWER: Duration = Duration::from_secs(30);

/// What this machine takes the time to be, in milliseconds since 1970.
pub const LOCAL: u64 = 1_767_225_600_000;

pub struct Stage {
    pub session: Session,
    pub now: Instant,
}

pub fn id() -> DocumentId {
    DocumentId::parse(TABLE).unwrap()
}

fn row() -> RowId {
    RowId::parse("b.a").unwrap()
}

impl Stage {
    pub fn new() -> Self {
        let (tables, answer) = (2, ANSWER);
        let queue = Most {
            edits: 10,
            bytes: 100_000,
            message_bytes: 50_000,
        };
        let person = Person {
            id: "ada".into(),
            name: Some("Ada".into()),
            avatar_url: None,
        };
        let now = Instant::now();
        let (bounds, clock) = (Bounds { tables, queue, answer }, Clock::new(LOCAL, now));
        let session = Session::new(person, "laptop".into(), bounds, 1, clock, now);
        Self { session, now }
    }

    /// Connected, welcome, and with the table here.
    pub fn at_the_table() -> Self {
        let mut stage = Self::new();
        stage.session.open(&id(), Scope::whole_table(), stage.now);
        stage.connect();
        assert_eq!(stage.said(), ["subscribe_to_table"]);
        stage.hear("table_snapshot", snapshot("v1"));
        stage
    }

    pub fn connect(&mut self) {
        self.connect_at(LOCAL);
    }

    /// To a server whose clock says so.
    pub fn connect_at(&mut self, server_ms: u64) {
        self.session.connected(self.now);
        assert_eq!(self.said(), ["authenticate"]);
        let welcome = json!({ "userId": "ada", "userName": "Ada", "deviceId": "laptop", "color": 4, "heartbeatMs": 15_000,
            "serverTime": server_ms });
        assert_eq!(self.hear("authenticated", welcome), [News::Welcome]);
    }

    /// The messages that are due.
    pub fn messages(&mut self) -> Vec<Json> {
        let frames = std::iter::from_fn(|| self.session.next_frame(self.now));
        frames.map(|frame| from_str(&frame).unwrap()).collect()
    }

    pub fn said(&mut self) -> Vec<String> {
        let messages = self.messages();
        messages
            .iter()
            .map(|message| message["type"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn hear(&mut self, kind: &str, data: Json) -> Vec<News> {
        let text = json!({ "type": kind, "data": data }).to_string();
        self.session.take(&text, self.now).unwrap()
    }

    /// Writes to the cell, and returns the name of the edit.
    pub fn write(&mut self, value: &str) -> String {
        let what = What::Record(RecordEdit::update(&row(), [("cA", json!(value))]));
        self.session.edit(&id(), what, self.now).unwrap().change_id
    }

    pub fn cell(&mut self) -> Json {
        let shown = self.session.shown(&id()).unwrap();
        shown.cell(&row(), "cA").cloned().unwrap_or_default()
    }
}

pub fn snapshot(version: &str) -> Json {
    json!({ "tableId": TABLE, "title": "T", "columns": [column("cA")], "version": version, "rowCount": 1,
        "rows": [{ "id": "b.a", "cells": { "cA": "first" } }],
        "users": [{ "userId": "bob", "userName": "Bob", "deviceId": "d", "color": 1, "door": "live" }] })
}

fn changed(value: &str, version: &str, change_id: Option<&str>) -> Json {
    json!({ "type": "update", "tableId": TABLE, "recordId": "b.a", "version": version, "changeId": change_id,
        "changes": [{ "fieldId": "cA", "newValue": value }], "userId": null, "deviceId": null })
}

fn accepted(change_id: &str, version: &str) -> Json {
    json!({ "changeId": change_id, "tableId": TABLE, "version": version, "durable": true })
}

#[test]
fn nothing_is_said_before_the_welcome_and_everything_after_it() {
    let mut stage = Stage::new();
    stage.session.open(&id(), Scope::whole_table(), stage.now);
    stage.write("early");
    assert!(stage.said().is_empty());
    stage.session.connected(stage.now);
    let introduction = stage.messages();
    let claim = json!({ "user": { "userId": "ada", "userName": "Ada" }, "deviceId": "laptop" });
    assert_eq!(introduction, [json!({ "type": "authenticate", "data": claim })]);
    stage.hear(
        "authenticated",
        json!({ "userId": "ada", "deviceId": "laptop", "color": 4 }),
    );
    assert_eq!(stage.said(), ["subscribe_to_table", "sync_offline_changes"]);
    assert_eq!(stage.session.color, 4);
}

#[test]
fn an_edit_is_shown_at_once_and_stays_when_it_is_accepted() {
    let mut stage = Stage::at_the_table();
    let edit = stage.write("mine");
    assert_eq!(stage.cell(), "mine");
    let message = &stage.messages()[0];
    assert_eq!(
        (&message["type"], &message["data"]["changes"][0]["oldValue"]),
        (&json!("record_change"), &json!("first"))
    );
    assert_eq!(message["data"].get("base"), None);
    stage.hear("record_change", changed("mine", "v2", Some(&edit)));
    let news = stage.hear("change_accepted", accepted(&edit, "v2"));
    assert!(matches!(&news[0], News::Answered(id, Ok(saved)) if *id == edit && saved.version == "v2"));
    assert_eq!(
        (stage.cell(), stage.session.shown(&id()).unwrap().unsaved),
        (json!("mine"), 0)
    );
}

/// Answer and news of an edit come on two ways, and either may be first.
#[test]
fn what_others_wrote_after_an_edit_is_shown_though_its_answer_comes_late() {
    let mut stage = Stage::at_the_table();
    let edit = stage.write("mine");
    stage.said();
    stage.hear("record_change", changed("mine", "v2", Some(&edit)));
    stage.hear("record_change", changed("theirs", "v3", None));
    assert_eq!(stage.cell(), "theirs");
    stage.hear("change_accepted", accepted(&edit, "v2"));
    assert_eq!(stage.cell(), "theirs");

    let edit = stage.write("again");
    stage.said();
    stage.hear("change_accepted", accepted(&edit, "v4"));
    assert_eq!(stage.cell(), "again", "it is on its way");
    stage.now = stage.session.deadline();
    assert_eq!(stage.session.settle(stage.now), [id()]);
    assert_eq!(stage.cell(), "theirs", "what the server tells counts in the end");
}

#[test]
fn after_a_lost_connection_it_asks_for_what_it_missed_and_sends_what_was_not_answered() {
    let mut stage = Stage::at_the_table();
    let sent = stage.write("sent");
    stage.said();
    stage.session.disconnected();
    let offline = stage.write("offline");
    assert_eq!((stage.cell(), stage.said()), (json!("offline"), Vec::new()));
    stage.connect();
    let messages = stage.messages();
    assert_eq!(messages[0]["type"], "recover_connection");
    assert_eq!(messages[0]["data"]["lastVersion"], "v1");
    let changes = messages[1]["data"]["changes"].as_array().unwrap();
    let names: Vec<_> = changes
        .iter()
        .map(|change| change["changeId"].as_str().unwrap())
        .collect();
    assert_eq!(names, [&sent, &offline]);
    assert!(changes.iter().all(|change| change["base"] == "v1"));

    stage.hear(
        "missed_events",
        json!({ "tableId": TABLE, "from": "v1", "version": "v2", "changes": [] }),
    );
    let news = stage.hear(
        "connection_recovered",
        json!({ "tableId": TABLE, "missedEventsCount": 3, "version": "v2" }),
    );
    assert_eq!(news, [News::Of(id(), Event::Recovered { missed: 3 })]);
    let done = json!({ "applied": [sent, offline], "merged": [offline], "rejected": [], "versions": { TABLE: "v3" } });
    let news = stage.hear("offline_sync_complete", done);
    let saved = news.iter().filter_map(|news| match news {
        News::Answered(id, Ok(saved)) => Some((id.as_str(), saved.merged, saved.version.as_str())),
        _ => None,
    });
    let mut saved: Vec<_> = saved.collect();
    saved.sort_by_key(|(_, merged, _)| *merged);
    assert_eq!(saved, [(sent.as_str(), false, "v3"), (offline.as_str(), true, "v3")]);
    assert!(stage.session.queue.is_empty());
}

#[test]
fn a_quiet_client_says_that_it_lives_and_a_quiet_server_is_taken_for_dead() {
    let mut stage = Stage::at_the_table();
    for _ in 0..2 {
        stage.now = stage.session.deadline();
        assert_eq!(stage.said(), ["heartbeat"]);
    }
    assert_eq!(stage.session.is_dead(stage.now), None);
    stage.hear("heartbeat_ack", json!({ "tableId": TABLE, "version": "v7" }));
    let version = stage.session.shown(&id()).unwrap().version.clone();
    assert_eq!(
        version.as_deref(),
        Some("v7"),
        "what happened outside of what is seen here"
    );
    stage.now += Duration::from_secs(44);
    assert_eq!(stage.session.is_dead(stage.now), None);
    stage.now += Duration::from_secs(1);
    assert!(matches!(stage.session.is_dead(stage.now), Some(LiveEnd::Broken(why)) if why.contains("nothing")));
}

#[test]
fn an_edit_without_an_answer_ends_the_connection() {
    let mut stage = Stage::at_the_table();
    stage.write("mine");
    stage.said();
    while stage.session.is_dead(stage.now).is_none() {
        stage.now = stage.session.deadline();
        stage.session.hear(stage.now);
        stage.said();
    }
    assert!(stage.session.is_dead(stage.now).unwrap().to_string().contains("edit"));
    stage.session.disconnected();
    stage.session.connected(stage.now);
    assert_eq!(stage.said(), ["authenticate"]);
    stage.now += ANSWER;
    assert!(
        stage
            .session
            .is_dead(stage.now)
            .unwrap()
            .to_string()
            .contains("welcome")
    );
}

#[test]
fn a_table_that_was_left_is_no_longer_of_interest() {
    let mut stage = Stage::at_the_table();
    assert_eq!(stage.session.open(&id(), Scope::whole_table(), stage.now), Some(false));
    let other = |number: u128| DocumentId::from_uuid(uuid::Uuid::from_u128(number));
    assert_eq!(
        stage.session.open(&other(1), Scope::whole_table(), stage.now),
        Some(true)
    );
    assert_eq!(
        stage.session.open(&other(2), Scope::whole_table(), stage.now),
        None,
        "there are as many as there may be"
    );
    stage.session.leave(&other(1));
    stage.session.leave(&id());
    let left = stage.messages();
    assert_eq!(
        left,
        [json!({ "type": "unsubscribe_from_table", "data": { "tableId": TABLE } })]
    );
    assert!(stage.hear("record_change", changed("x", "v9", None)).is_empty());
    assert_eq!(stage.session.shown(&id()), None);
}

#[test]
fn a_batch_is_one_edit_and_a_new_row_has_its_id_at_once() {
    let mut stage = Stage::at_the_table();
    let create = BatchItem::Record(RecordEdit::create([("name of cA", json!("new"))]));
    let rename = BatchItem::Op(json!({ "op": "setTitle", "title": "U" }));
    let changes = vec![create, rename];
    stage.session.edit(&id(), What::Batch { changes }, stage.now).unwrap();
    let message = &stage.messages()[0];
    let items = &message["data"]["changes"];
    assert_eq!(
        (&message["type"], &items[1]["op"]),
        (&json!("batch_changes"), &json!("setTitle"))
    );
    assert_eq!(items[0]["changes"][0]["fieldId"], "cA");
    let shown = stage.session.shown(&id()).unwrap();
    assert_eq!(shown.rows[1].id.as_str(), items[0]["recordId"]);
    assert_eq!((shown.row_count, shown.unsaved), (2, 1));
}
