//! A whole conversation with a server that is played here, line by line.

use serde_json::{Value as Json, from_str};

use super::*;
use crate::client::live::edit::{BatchItem, RecordEdit};
use crate::client::live::model::tests::{TABLE, column};
use crate::document::table::RowId;

const ANSWER: Duration = Duration::from_secs(30);

struct Stage {
    session: Session,
    now: Instant,
}

fn id() -> DocumentId {
    DocumentId::parse(TABLE).unwrap()
}

fn row() -> RowId {
    RowId::parse("b.a").unwrap()
}

impl Stage {
    fn new() -> Self {
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
        let session = Session::new(person, "laptop".into(), Bounds { tables, queue, answer }, 1, now);
        Self { session, now }
    }

    /// Connected, welcome, and with the table here.
    fn at_the_table() -> Self {
        let mut stage = Self::new();
        stage.session.open(&id(), Scope::whole_table(), stage.now);
        stage.connect();
        assert_eq!(stage.said(), ["subscribe_to_table"]);
        stage.hear("table_snapshot", snapshot("v1"));
        stage
    }

    fn connect(&mut self) {
        self.session.connected(self.now);
        assert_eq!(self.said(), ["authenticate"]);
        let welcome =
            json!({ "userId": "ada", "userName": "Ada", "deviceId": "laptop", "color": 4, "heartbeatMs": 15_000 });
        assert_eq!(self.hear("authenticated", welcome), [News::Welcome]);
    }

    /// The messages that are due.
    fn messages(&mut self) -> Vec<Json> {
        let frames = std::iter::from_fn(|| self.session.next_frame(self.now));
        frames.map(|frame| from_str(&frame).unwrap()).collect()
    }

    fn said(&mut self) -> Vec<String> {
        let messages = self.messages();
        messages
            .iter()
            .map(|message| message["type"].as_str().unwrap().to_owned())
            .collect()
    }

    fn hear(&mut self, kind: &str, data: Json) -> Vec<News> {
        let text = json!({ "type": kind, "data": data }).to_string();
        self.session.take(&text, self.now).unwrap()
    }

    /// Writes to the cell, and returns the name of the edit.
    fn write(&mut self, value: &str) -> String {
        let what = What::Record(RecordEdit::update(&row(), [("cA", json!(value))]));
        self.session.edit(&id(), what, 1_767_225_600_000).unwrap().change_id
    }

    fn cell(&mut self) -> Json {
        let shown = self.session.shown(&id()).unwrap();
        shown.cell(&row(), "cA").cloned().unwrap_or_default()
    }
}

fn snapshot(version: &str) -> Json {
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
fn what_is_refused_is_set_back() {
    let mut stage = Stage::at_the_table();
    let (edit, kept) = (stage.write("mine"), stage.write("more"));
    stage.said();
    let why = json!({ "changeId": edit, "code": "deleted", "message": "the record is deleted" });
    let news = stage.hear("change_rejected", why);
    assert!(matches!(
        &news[..],
        [News::Answered(_, Err(_)), News::Of(_, Event::Rejected { .. })]
    ));
    assert_eq!(stage.cell(), "more");
    stage.hear("change_rejected", json!({ "changeId": kept, "code": "refused" }));
    assert_eq!(stage.cell(), "first");
    assert!(
        stage
            .hear("change_rejected", json!({ "changeId": kept, "code": "refused" }))
            .is_empty()
    );
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
fn one_change_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut stage = Stage::at_the_table();
    stage.session.disconnected();
    let edits = [stage.write("1"), stage.write("2"), stage.write("3")];
    stage.connect();
    stage.said();
    let error = json!({ "code": "bad-message", "message": "no", "field": "/changes/1/newValue", "about": "sync_offline_changes" });
    let news = stage.hear("error", error);
    assert!(
        matches!(&news[0], News::Answered(id, Err(_)) if *id == edits[1]),
        "{news:?}"
    );
    stage.now = stage.session.queue.pause().unwrap();
    let again = &stage.messages()[0];
    let names: Vec<_> = again["data"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["changeId"].clone())
        .collect();
    assert_eq!(names, [json!(edits[0]), json!(edits[2])]);
}

#[test]
fn a_busy_server_is_asked_again() {
    let mut stage = Stage::new();
    stage.session.open(&id(), Scope::whole_table(), stage.now);
    stage.connect();
    stage.said();
    let busy = json!({ "code": "busy", "message": "later", "about": "subscribe_to_table", "tableId": TABLE });
    assert!(stage.hear("error", busy).is_empty() && stage.said().is_empty());
    stage.now = stage.session.deadline();
    assert_eq!(stage.said(), ["subscribe_to_table"]);
    stage.hear("table_snapshot", snapshot("v1"));

    let edit = stage.write("mine");
    stage.said();
    assert!(
        stage
            .hear("change_rejected", json!({ "changeId": edit, "code": "busy" }))
            .is_empty()
    );
    assert_eq!((stage.cell(), stage.said()), (json!("mine"), Vec::new()));
    stage.now = stage.session.deadline();
    assert_eq!(stage.messages()[0]["data"]["changeId"], json!(edit));
}

#[test]
fn a_table_that_is_refused_says_why_and_one_unknown_version_is_no_refusal() {
    let mut stage = Stage::at_the_table();
    let error = |code: &str| json!({ "code": code, "message": "no", "about": "recover_connection", "tableId": TABLE });
    assert!(stage.hear("error", error("unknown-version")).is_empty());
    let news = stage.hear("error", error("deleted"));
    assert!(matches!(&news[..], [News::Of(_, Event::Refused(why))] if why.code == "deleted"));
    let refused = json!({ "code": "token-not-supported", "message": "no tokens", "about": "authenticate" });
    assert!(matches!(
        &stage.hear("error", refused)[..],
        [News::Stop(LiveEnd::Denied(_))]
    ));
}

#[test]
fn a_quiet_client_says_that_it_lives_and_a_quiet_server_is_taken_for_dead() {
    let mut stage = Stage::at_the_table();
    for _ in 0..2 {
        stage.now = stage.session.deadline();
        assert_eq!(stage.said(), ["heartbeat"]);
    }
    assert_eq!(stage.session.is_dead(stage.now), None);
    stage.hear("heartbeat_ack", json!({}));
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
fn people_come_move_and_go() {
    let mut stage = Stage::at_the_table();
    let user = |name: &str| json!({ "userId": name, "userName": name, "deviceId": "d", "color": 2, "door": "sync" });
    let news = stage.hear("user_joined", json!({ "tableId": TABLE, "user": user("eve") }));
    assert!(matches!(&news[..], [News::Of(_, Event::Joined(user))] if user.user_id == "eve"));
    let cursor = json!({ "userId": "eve", "deviceId": "d", "cursor": { "recordId": "b.a", "fieldId": "cA" } });
    stage.hear("cursor_position", json!({ "tableId": TABLE, "cursors": [cursor] }));
    let users = stage.session.shown(&id()).unwrap().users.clone();
    let seen: Vec<_> = users
        .iter()
        .map(|user| (user.user_id.as_str(), user.cursor.is_some()))
        .collect();
    assert_eq!(seen, [("bob", false), ("eve", true)]);
    stage.hear(
        "user_left",
        json!({ "tableId": TABLE, "userId": "eve", "deviceId": "d" }),
    );
    stage.hear("table_users", json!({ "tableId": TABLE, "users": [user("zoe")] }));
    let users = stage.session.shown(&id()).unwrap().users.clone();
    assert_eq!(
        users.iter().map(|user| user.user_id.as_str()).collect::<Vec<_>>(),
        ["zoe"]
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
    stage
        .session
        .edit(&id(), What::Batch { changes }, 1_767_225_600_000)
        .unwrap();
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

#[test]
fn what_is_no_message_is_an_error() {
    let mut stage = Stage::at_the_table();
    assert!(stage.session.take("nonsense", stage.now).is_err());
    assert!(stage.hear("of_tomorrow", json!({ "a": 1 })).is_empty());
}
