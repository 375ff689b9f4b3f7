//! A table is made, described and renamed; versions save transfers and edits that nobody wants.

use serde_json::{Value, json};

use crate::ask::{ask, start};
use crate::tables::stage::{Table, people};
use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};

#[tokio::test]
async fn a_table_is_made_with_columns_and_rows_in_one_change() {
    let engine = MemoryEngine::default();
    let server = start(&engine).await;
    let made = ask(&server, "POST", "/v1/tables", "", &people().to_string())
        .await
        .is(201);
    let body = made.json();
    let id = body["table"].as_str().unwrap();
    assert_eq!(body["url"], json!(format!("automerge:{id}")));
    assert_eq!(made.header("location"), format!("/v1/tables/{id}"));
    assert_eq!(
        format!("\"{}\"", body["version"].as_str().unwrap()),
        made.header("etag")
    );
    let names: Vec<&Value> = body["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Name", "Amount", "State", "Notes", "Visits", "Tags"]);
    assert_eq!(
        body["columns"][2]["options"][0],
        json!({ "id": "open", "name": "Open" })
    );
    assert_eq!(body["rows"].as_array().unwrap().len(), 3);

    // What was answered is on the disk.
    let server = start(&engine.crash(Survives::Nothing)).await;
    let table = Table {
        server,
        id: id.to_owned(),
    };
    assert_eq!(table.changes().await, 1);
    let head = table.get("").await.is(200).json();
    assert_eq!((&head["title"], &head["rowCount"]), (&json!("People"), &json!(3)));
    assert_eq!(head["columns"], body["columns"]);
    assert_eq!((&head["version"], &head["views"]), (&body["version"], &json!([])));
    assert_eq!(table.column("Name", "").await, ["Ada", "Ben", "Eve"]);
}

#[tokio::test]
async fn a_table_is_renamed() {
    let table = Table::of(json!({ "title": "Plan" })).await;
    table.patch("", json!({ "title": "Budget" })).await.is(204);
    assert_eq!(table.get("").await.json()["title"], "Budget");
    table.patch("", json!({})).await.is(204);
    table
        .patch("", json!({ "name": "x" }))
        .await
        .refuses(400, "bad-body", Some("/name"));
    table
        .patch("", json!({ "title": "x".repeat(1025) }))
        .await
        .refuses(422, "refused", Some("/title"));
}

#[tokio::test]
async fn a_table_that_cannot_be_made_is_refused_by_name() {
    let server = start(&MemoryEngine::default()).await;
    let column = json!({ "name": "A", "kind": "number" });
    for (body, status, code, field) in [
        (json!({}), 400, "bad-body", None),
        (json!({ "title": 5 }), 400, "bad-body", Some("/title")),
        (json!({ "title": "x".repeat(2000) }), 422, "refused", Some("/title")),
        (
            json!({ "title": "T", "columns": [{ "name": "A", "kind": "money" }] }),
            400,
            "bad-body",
            Some("/columns/0/kind"),
        ),
        (
            json!({ "title": "T", "columns": [column, { "name": "B", "kind": "text", "width": -1 }] }),
            422,
            "refused",
            Some("/columns/1"),
        ),
        (
            json!({ "title": "T", "columns": [column, column], "rows": [{ "cells": { "A": 1 } }] }),
            422,
            "refused",
            Some("/rows/0/cells/A"),
        ),
        (
            json!({ "title": "T", "columns": [column], "rows": [{}, { "cells": { "A": "one" } }] }),
            422,
            "refused",
            Some("/rows/1/cells/A"),
        ),
        (
            json!({ "title": "T", "columns": [column], "rows": vec![json!({ "cells": { "A": "one" } }); 501] }),
            422,
            "refused",
            Some("/rows/0/cells/A"),
        ),
    ] {
        let refused = ask(&server, "POST", "/v1/tables", "", &body.to_string()).await;
        refused.refuses(status, code, field);
    }
    // Nothing was left behind.
    let listed = ask(&server, "GET", "/v1/documents", "", "").await;
    assert_eq!(listed.json()["documents"], json!([]));
}

#[tokio::test]
async fn what_is_no_table_or_not_there_is_told_apart() {
    let server = start(&MemoryEngine::default()).await;
    let made = ask(&server, "POST", "/v1/documents", "", r#"{"title":"x"}"#)
        .await
        .json();
    let document = made["documentId"].as_str().unwrap();
    let unknown = DocumentId::from_uuid(uuid::Uuid::from_u128(7)).to_string();
    for part in [
        "",
        "/rows",
        "/rows?sort=A",
        "/rows/b.r",
        "/rows/b.r/cells/c1",
        "/columns",
        "/columns/c1",
        "/views",
        "/views/v1",
        "/conflicts",
    ] {
        for (id, status, code) in [
            (document, 409, "not-a-table"),
            (unknown.as_str(), 404, "not-found"),
            ("nonsense", 400, "bad-id"),
            ("%FF", 400, "bad-id"),
        ] {
            let answer = ask(&server, "GET", &format!("/v1/tables/{id}{part}"), "", "").await;
            answer.refuses(status, code, None);
        }
    }
    let written = ask(
        &server,
        "POST",
        &format!("/v1/tables/{document}/rows"),
        "",
        r#"{"rows":[{}]}"#,
    )
    .await;
    written.refuses(409, "not-a-table", None);
}

#[tokio::test]
async fn a_version_that_is_known_is_not_sent_again() {
    let table = Table::of_people().await;
    let row = table.row("Ada").await;
    for part in [
        String::new(),
        "/rows".into(),
        "/rows?sort=Name".into(),
        format!("/rows/{row}"),
        format!("/rows/{row}/cells/Name"),
        "/columns".into(),
        "/views".into(),
        "/conflicts".into(),
    ] {
        let read = table.get(&part).await.is(200);
        let etag = read.header("etag").to_owned();
        assert_eq!(
            etag,
            format!("\"{}\"", read.json()["version"].as_str().unwrap()),
            "{part}"
        );
        let again = table
            .ask("GET", &part, &format!("if-none-match: {etag}\r\n"), Value::Null)
            .await
            .is(304);
        assert_eq!((again.body.len(), again.header("etag")), (0, etag.as_str()), "{part}");
    }
    let before = table.get("/rows").await.header("etag").to_owned();
    table.patch("", json!({ "title": "Others" })).await.is(204);
    table
        .ask("GET", "/rows", &format!("if-none-match: {before}\r\n"), Value::Null)
        .await
        .is(200);
}

/// Grace's edit of another cell must not send Ada's script back; her edit of the same cell must.
#[tokio::test]
async fn if_match_refuses_only_what_was_changed_meanwhile() {
    let table = Table::of_people().await;
    let ada = format!("/rows/{}", table.row("Ada").await);
    let etag = table.get(&ada).await.header("etag").to_owned();
    let seen = format!("if-match: {etag}\r\n");
    table.patch(&ada, json!({ "cells": { "Amount": 37 } })).await.is(204);
    let name = table
        .ask("PATCH", &ada, &seen, json!({ "cells": { "Name": "Ada L." } }))
        .await;
    name.is(204);
    let amount = table
        .ask("PATCH", &ada, &seen, json!({ "cells": { "Amount": 40 } }))
        .await;
    amount.refuses(412, "version-changed", None);
    let now = format!("\"{}\"", table.version().await);
    assert_eq!(
        (amount.header("etag"), &amount.json()["etag"]),
        (now.as_str(), &json!(now))
    );
    let cell = format!("{ada}/cells/Amount");
    let counted = table.ask("PATCH", &cell, &seen, json!({ "set": 41 })).await;
    counted.refuses(412, "version-changed", None);
    table
        .ask(
            "PATCH",
            &cell,
            &format!("if-match: \"x\", {now}\r\n"),
            json!({ "set": 41 }),
        )
        .await
        .is(204);
    assert_eq!(table.get(&cell).await.json()["value"], 41);

    for (header, status) in [
        ("*", 204),
        ("\"nonsense\"", 412),
        (&format!("\"{}\"", "0".repeat(64)), 412),
    ] {
        let header = format!("if-match: {header}\r\n");
        table
            .ask("PATCH", &cell, &header, json!({ "set": 42 }))
            .await
            .is(status);
    }
    // Moving the row touches its place, not its cells.
    table.ask("PATCH", &ada, &seen, json!({ "at": "end" })).await.is(204);
    table
        .ask("PATCH", &ada, &seen, json!({ "at": "start" }))
        .await
        .refuses(412, "version-changed", None);
    // Deleting it would throw away what was written since.
    table
        .ask("DELETE", &ada, &seen, Value::Null)
        .await
        .refuses(412, "version-changed", None);
    assert_eq!(table.get(&ada).await.json().get("deleted"), None);
}
