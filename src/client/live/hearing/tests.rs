//! What comes of refusals, of a server that is busy, and of what is said of people.

use serde_json::json;

use super::*;
use crate::client::live::model::Scope;
use crate::client::live::model::tests::TABLE;
use crate::client::live::session::tests::{Stage, id, snapshot};

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
fn what_is_no_message_is_an_error() {
    let mut stage = Stage::at_the_table();
    assert!(stage.session.take("nonsense", stage.now).is_err());
    assert!(stage.hear("of_tomorrow", json!({ "a": 1 })).is_empty());
}

/// A disk that failed is put right by somebody, and the server started again: what waited is made then.
#[test]
fn a_server_without_a_disk_costs_no_edit() {
    for code in ["read-only", "not-saved"] {
        let mut stage = Stage::at_the_table();
        let edit = stage.write("mine");
        stage.said();
        assert!(
            stage
                .hear("change_rejected", json!({ "changeId": edit, "code": code }))
                .is_empty()
        );
        assert_eq!((stage.cell(), stage.said()), (json!("mine"), Vec::new()), "{code}");
        stage.now = stage.session.queue.pause().unwrap();
        assert_eq!(stage.messages()[0]["data"]["changeId"], json!(edit), "{code}");
    }
}
