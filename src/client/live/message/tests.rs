//! What a server of today says, and what one of tomorrow may say.

use serde_json::json;

use super::*;

const TABLE: &str = "111111111111111tXrChE";

fn table() -> DocumentId {
    DocumentId::parse(TABLE).unwrap()
}

fn read(kind: &str, data: Json) -> Message {
    Message::read(&json!({ "type": kind, "data": data }).to_string()).unwrap()
}

#[test]
fn a_snapshot_is_read_and_what_is_new_in_it_passed_over() {
    let message = read(
        "table_snapshot",
        json!({
            "tableId": TABLE, "title": "Budget", "window": { "offset": 5, "limit": 1 }, "version": "ab.cd", "rowCount": 9,
            "columns": [{ "id": "cA", "name": "Amount", "kind": "number", "width": 80.0, "shade": "new" }],
            "rows": [{ "id": "b.r", "cells": { "cA": 5 }, "marked": { "cA": "a date" }, "pinned": true }],
            "users": [], "weather": "fair",
        }),
    );
    let Message::Snapshot(snapshot) = message else {
        panic!("{message:?}")
    };
    assert_eq!((snapshot.table_id, snapshot.row_count), (table(), 9));
    assert_eq!(snapshot.window, Some(Window { offset: 5, limit: 1 }));
    assert_eq!(snapshot.columns[0].name, "Amount");
    assert_eq!(snapshot.rows[0].cells["cA"], 5);
    assert_eq!(snapshot.rows[0].marked["cA"], "a date");
}

#[test]
fn one_change_and_many_are_the_same_thing() {
    let change = json!({ "type": "update", "recordId": "b.r", "userId": null, "deviceId": "d",
        "changes": [{ "fieldId": "cA", "newValue": null }, { "fieldId": "cB", "newValue": "x", "marked": "a number" }] });
    let mut one = change.clone();
    one.as_object_mut().unwrap().extend([
        ("tableId".to_owned(), json!(TABLE)),
        ("version".to_owned(), json!("ab")),
    ]);
    let many = json!({ "tableId": TABLE, "changes": [change], "version": "ab" });
    let one = read("record_change", one);
    assert_eq!(one, read("batch_changes", many.clone()));
    assert_eq!(one, read("missed_events", many));
    let Message::Changes(changes) = one else {
        panic!("{one:?}")
    };
    assert_eq!(changes.changes[0].kind, ChangeKind::Update);
    assert_eq!(changes.changes[0].changes[0].new_value, Json::Null);
}

#[test]
fn what_a_newer_server_says_is_no_mistake() {
    assert_eq!(
        read("weather_report", json!([1])),
        Message::Unknown("weather_report".into())
    );
    let text = json!({ "type": "heartbeat_ack" }).to_string();
    assert_eq!(Message::read(&text), Ok(Message::Heartbeat(Heartbeat::default())));
    let odd = json!({ "tableId": TABLE, "version": "ab", "changes": [{ "type": "twinkle", "recordId": "b.r" }] });
    let Message::Changes(changes) = read("batch_changes", odd) else {
        panic!("it is one")
    };
    assert_eq!(changes.changes[0].kind, ChangeKind::Unknown);
}

#[test]
fn what_is_half_told_is_a_mistake_that_names_the_field() {
    let error = Message::read(&json!({ "type": "table_snapshot", "data": { "tableId": TABLE } }).to_string());
    assert!(error.unwrap_err().contains("columns"));
    let bad = json!({ "type": "user_left", "data": { "tableId": "nonsense", "userId": "a", "deviceId": "b" } });
    assert!(Message::read(&bad.to_string()).unwrap_err().contains("nonsense"));
    assert!(Message::read("[]").is_err() && Message::read("{").is_err() && Message::read("").is_err());
}

#[test]
fn answers_are_read() {
    let accepted = json!({ "changeId": "1", "tableId": TABLE, "recordId": "b.r", "version": "ab", "durable": true,
        "merged": true, "outcomes": [{ "rows": ["b.r"] }] });
    let Message::Accepted(accepted) = read("change_accepted", accepted) else {
        panic!("it is one")
    };
    assert!(accepted.merged && !accepted.replayed && accepted.outcomes[0].rows.is_some());
    let rejected = json!({ "changeId": "1", "code": "deleted", "message": "it is gone", "field": "/recordId" });
    let done =
        json!({ "applied": ["2"], "merged": [], "rejected": [rejected], "versions": { TABLE: "ab" }, "durable": true });
    let Message::OfflineDone(done) = read("offline_sync_complete", done) else {
        panic!("it is one")
    };
    assert_eq!(done.rejected[0].why.to_string(), "it is gone (deleted)");
    assert_eq!(done.versions[TABLE], "ab");
    let Message::Rejected(alone) = read("change_rejected", rejected) else {
        panic!("it is one")
    };
    assert_eq!(alone, done.rejected[0]);
    let error = json!({ "code": "not-found", "message": "no such table", "about": "subscribe_to_table" });
    let Message::Error(error) = read("error", error) else {
        panic!("it is one")
    };
    assert_eq!(
        (error.about.as_deref(), error.table_id),
        (Some("subscribe_to_table"), None)
    );
}
