//! One table over time: asked for, followed, lost and found again; what is said of ourselves; edits that settle.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{from_str, from_value};

use super::*;
use crate::client::live::model::tests::{TABLE, column};

fn at(now: Instant) -> Followed {
    Followed::new(DocumentId::parse(TABLE).unwrap(), Scope::rows(0, 3), now)
}

fn snapshot(offset: usize) -> TableSnapshot {
    let row = |name: &str| json!({ "id": format!("b.{name}"), "cells": { "cA": name } });
    from_value(
        json!({ "tableId": TABLE, "window": { "offset": offset, "limit": 3 }, "version": "v1", "rowCount": 3,
        "columns": [column("cA"), column("cB")], "rows": [row("a"), row("b")] }),
    )
    .unwrap()
}

fn told(message: Option<String>) -> (String, Json) {
    let message: Json = from_str(&message.expect("there is one")).unwrap();
    (message["type"].as_str().unwrap().to_owned(), message["data"].clone())
}

fn here(now: Instant) -> Followed {
    let mut table = at(now);
    table.subscription(now).unwrap();
    table.replace(snapshot(0));
    assert!(table.is_here());
    table
}

fn row(name: &str) -> RowId {
    RowId::parse(&format!("b.{name}")).unwrap()
}

fn pending(table: &mut Followed, edit: RecordEdit) -> PendingEdit {
    let mut rng = SmallRng::seed_from_u64(1);
    let shown = table.shown([].iter());
    table.touch();
    let what = table.complete(What::Record(edit), &shown, &mut rng);
    PendingEdit {
        base: table.seen_by(&what),
        ..PendingEdit::new("1".into(), table.id.clone(), what)
    }
}

#[test]
fn a_table_is_asked_for_once_and_what_was_missed_after_a_lost_connection() {
    let now = Instant::now();
    let mut table = at(now);
    let (kind, data) = told(table.subscription(now));
    assert_eq!(
        (kind.as_str(), data),
        (
            "subscribe_to_table",
            json!({ "tableId": TABLE, "window": { "offset": 0, "limit": 3 } })
        )
    );
    assert_eq!(table.subscription(now), None);
    table.replace(snapshot(0));
    table.disconnected();
    let (kind, data) = told(table.subscription(now));
    assert_eq!(
        (kind.as_str(), &data["lastVersion"]),
        ("recover_connection", &json!("v1"))
    );
    table.recovered();
    assert!(table.is_here());
}

/// The rows of the window before would be taken for those of the window now.
#[test]
fn rows_of_another_window_are_nothing_to_go_on_from() {
    let now = Instant::now();
    let mut table = here(now);
    table.show(Scope::rows(3, 3));
    assert!(!table.is_here());
    assert_eq!(told(table.subscription(now)).0, "subscribe_to_table");
    table.disconnected();
    assert_eq!(told(table.subscription(now)).0, "subscribe_to_table");
    // What was still on its way for the window before.
    table.recovered();
    table.replace(snapshot(0));
    assert!(!table.is_here());
    table.replace(snapshot(3));
    assert!(table.is_here());
}

#[test]
fn a_cursor_that_moves_often_is_said_as_it_is_then() {
    let now = Instant::now();
    let mut table = here(now);
    let cursor = |field: &str| Cursor {
        record_id: "b.a".into(),
        field_id: field.into(),
        x: None,
        y: None,
    };
    for field in ["cA", "cB", "cC"] {
        table.set_cursor(Some(cursor(field)));
    }
    assert_eq!(table.presence(now), None, "not so soon");
    let later = table.deadline().unwrap();
    let (kind, data) = told(table.presence(later));
    assert_eq!(
        (kind.as_str(), &data["cursor"]["fieldId"]),
        ("cursor_position", &json!("cC"))
    );
    assert_eq!((table.presence(later + PACE), table.deadline()), (None, None));

    table.set_cursor(None);
    table.set_typing(Some(Typing {
        record_id: "b.a".into(),
        field_id: "cA".into(),
        text: "12".into(),
    }));
    let later = later + PACE;
    assert_eq!(told(table.presence(later)).1["cursor"], Json::Null);
    assert_eq!(told(table.presence(later + PACE)).1["cell"]["text"], "12");

    table.disconnected();
    table.subscription(later).unwrap();
    assert_eq!(table.presence(later + 9 * PACE), None, "nobody is there to see it");
    table.recovered();
    assert_eq!(told(table.presence(later + 9 * PACE)).0, "typing");
    assert_eq!(
        table.presence(later + 99 * PACE),
        None,
        "what is not shown need not be said again"
    );
}

#[test]
fn an_edit_says_what_its_author_saw() {
    let now = Instant::now();
    let mut table = here(now);
    let cells = [("name of cA", json!("A")), ("cB", json!(1)), ("cZ", json!(2))];
    let edit = pending(&mut table, RecordEdit::update(&row("a"), cells.clone()));
    let record = edit.records().next().unwrap();
    let fields: Vec<_> = record
        .changes
        .iter()
        .map(|field| (field.field_id.as_str(), field.old_value.clone()))
        .collect();
    assert_eq!(
        fields,
        [
            ("cA", Some(json!("a"))),
            ("cB", Some(Json::Null)),
            ("cZ", Some(Json::Null))
        ]
    );
    assert_eq!(edit.base.as_deref(), Some("v1"));

    let elsewhere = pending(&mut table, RecordEdit::update(&row("far"), cells.clone()));
    assert!(
        elsewhere
            .records()
            .next()
            .unwrap()
            .changes
            .iter()
            .all(|field| field.old_value.is_none())
    );
    let overwriting = pending(&mut table, RecordEdit::update(&row("a"), cells).overwriting());
    assert!(
        overwriting
            .records()
            .next()
            .unwrap()
            .changes
            .iter()
            .all(|field| field.old_value.is_none())
    );
    assert_eq!(overwriting.base, None);
}

#[test]
fn new_rows_have_ids_of_their_own_in_blocks_that_fill_up() {
    let mut table = here(Instant::now());
    let mut rng = SmallRng::seed_from_u64(1);
    let rows: Vec<_> = (0..BLOCK + 1).map(|_| table.new_row(&mut rng)).collect();
    let in_first = rows.iter().filter(|row| row.block() == rows[0].block()).count();
    assert_eq!(in_first, BLOCK);
    assert_eq!(rows.iter().collect::<std::collections::HashSet<_>>().len(), BLOCK + 1);
}

/// The cell would jump back to what it was, and then to what was written.
#[test]
fn an_edit_that_is_answered_before_it_is_told_of_stays_shown_but_not_for_long() {
    let now = Instant::now();
    let mut table = here(now);
    let edit = pending(&mut table, RecordEdit::update(&row("a"), [("cA", json!("A"))]));
    let value = |table: &mut Followed| table.shown([].iter()).cell(&row("a"), "cA").cloned();
    table.settle(edit.clone(), "v2", now);
    assert_eq!(value(&mut table), Some(json!("A")));
    assert_eq!(table.deadline(), Some(now + SETTLING));
    assert!(!table.forget_settled(now));

    let mut change = json!({ "type": "update", "recordId": "b.b", "changes": [] });
    let changes =
        |change: &Json| from_value(json!({ "tableId": TABLE, "changes": [change], "version": "v3" })).unwrap();
    table.apply(&changes(&change));
    assert_eq!(
        value(&mut table),
        Some(json!("A")),
        "somebody else's change says nothing of it"
    );
    change["changeId"] = json!("1");
    table.apply(&changes(&change));
    assert_eq!(
        value(&mut table),
        Some(json!("a")),
        "what the server told counts, whatever it is"
    );

    table.settle(edit, "v4", now);
    assert!(table.forget_settled(now + SETTLING));
    assert_eq!(value(&mut table), Some(json!("a")));
}

/// It was made offline, on the version from before an edit of the same author, and was listed as a conflict with it.
#[test]
fn a_version_without_an_own_edit_is_not_what_its_author_saw() {
    let now = Instant::now();
    let mut table = here(now);
    let update = |name: &str| RecordEdit::update(&row(name), [("cA", json!(1))]);
    let edit = pending(&mut table, update("a"));
    table.settle(edit, "v2", now);
    table.forget_settled(now + SETTLING);
    assert_eq!(pending(&mut table, update("a")).base, None);
    assert_eq!(pending(&mut table, update("b")).base.as_deref(), Some("v1"));
    table.apply(&from_value(json!({ "tableId": TABLE, "changes": [], "version": "v2" })).unwrap());
    assert_eq!(pending(&mut table, update("a")).base.as_deref(), Some("v2"));
}
