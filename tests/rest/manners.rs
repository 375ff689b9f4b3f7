//! Requests that are not what they should be, wherever they arrive: told what was wrong, and nothing is changed.

use roundtable::store::memory::MemoryEngine;
use serde_json::json;

use crate::ask::{ask, create, get, send, start, start_with};
use crate::tables::stage::Table;

#[tokio::test]
async fn nothing_at_an_address_and_a_method_it_does_not_take_are_problems_too() {
    let server = start(&MemoryEngine::default()).await;
    let nowhere = crate::ask::raw(&server, "GET", "/v1/nope", "", "").await;
    assert!(nowhere.refuses(404, "not-found", None).contains("/v1/nope"));
    let wrong = crate::ask::raw(&server, "PUT", "/v1/documents", "", "{}").await;
    assert!(wrong.refuses(405, "method-not-allowed", None).contains("PUT"));
    assert!(wrong.header("allow").contains("POST"), "{}", wrong.text());
}

/// A conditional delete that deletes anyway loses the work of whoever edited in between.
#[tokio::test]
async fn a_condition_is_looked_at_or_refused() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let path = format!("/v1/documents/{id}");
    let seen = get(&server, &path).await.header("etag").to_owned();
    send(&server, "PATCH", &path, json!({ "n": 2 })).await.is(204);
    let if_match = format!("if-match: {seen}\r\n");
    ask(&server, "DELETE", &path, &if_match, "")
        .await
        .refuses(412, "version-changed", None);
    let now = format!("if-match: {}\r\n", get(&server, &path).await.header("etag"));
    ask(&server, "DELETE", &path, &now, "").await.is(204);
    let base = ask(&server, "POST", "/v1/bases", &if_match, r#"{"name": "crm"}"#).await;
    base.refuses(422, "refused", None);
}

/// `curl -F file=@x.csv` sent its own wrapping as rows.
#[tokio::test]
async fn a_form_around_a_file_is_not_taken_for_the_file() {
    let server = start(&MemoryEngine::default()).await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nName\r\nAda\r\n--b--\r\n";
    let headers = "content-type: multipart/form-data; boundary=b\r\n";
    for path in ["/v1/imports", "/v1/imports/preview"] {
        let refused = ask(&server, "POST", path, headers, form).await;
        assert!(
            refused
                .refuses(415, "unsupported-media-type", None)
                .contains("--data-binary")
        );
    }
    let packed = ask(&server, "POST", "/v1/documents", "content-encoding: gzip\r\n", "{}").await;
    packed.refuses(415, "unsupported-media-type", None);
    let keys = "idempotency-key: 1767225600-a\r\nidempotency-key: 1767225600-b\r\n";
    ask(&server, "POST", "/v1/documents", keys, r#"{"a": 1}"#)
        .await
        .refuses(400, "bad-key", None);
}

/// An import that found nothing to change ended with a 500, and its progress led nowhere.
#[tokio::test]
async fn a_file_that_changes_nothing_is_done() {
    let columns = json!([{ "name": "Name", "kind": "text" }, { "name": "Amount", "kind": "number" }]);
    let rows = json!([{ "cells": { "Name": "Ada", "Amount": 1 } }, { "cells": { "Name": "Ben" } }]);
    let table = Table::of(json!({ "title": "T", "columns": columns, "rows": rows })).await;
    let file = "Name,Amount\nAda,1\nBen,\n";
    let import = format!("/v1/tables/{}/import?mode=update&key=Name", table.id);
    let before = table.version().await;
    let done = ask(&table.server, "POST", &import, "content-type: text/csv\r\n", file)
        .await
        .is(200)
        .json();
    assert_eq!((&done["changedRows"], &done["rows"]), (&json!(0), &json!(0)));
    assert_eq!(table.version().await, before);
    let progress = table
        .get(&format!("/bulk/{}", done["key"].as_str().unwrap()))
        .await
        .is(200)
        .json();
    assert_eq!(progress["state"], "done");
}

#[tokio::test]
async fn a_column_named_twice_an_array_for_an_object_and_too_long_a_text_are_refused() {
    let table = Table::of_people().await;
    let (row, id) = (table.row("Ada").await, table.column_id("Name").await);
    let twice = table
        .patch(&format!("/rows/{row}"), json!({ "cells": { "Name": "a", id: "b" } }))
        .await;
    assert!(twice.problem().2.starts_with("/cells/"), "{}", twice.text());
    table
        .post("/batch", json!([[{ "op": "setTitle", "title": "x" }]]))
        .await
        .refuses(400, "bad-body", None);
    for text in ["x".repeat((1 << 20) + 1), "a\0b".into()] {
        let long = table
            .patch(&format!("/rows/{row}"), json!({ "cells": { "Name": text } }))
            .await;
        long.refuses(422, "refused", Some("/cells/Name"));
    }
}

#[tokio::test]
async fn the_document_of_the_bases_is_edited_as_bases() {
    let server = start(&MemoryEngine::default()).await;
    send(&server, "POST", "/v1/bases", json!({ "name": "crm" }))
        .await
        .is(201);
    let id = get(&server, "/v1/bases").await.json()["documentId"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/documents/{id}");
    send(&server, "PATCH", &path, json!({ "bases": 3 }))
        .await
        .refuses(409, "conflict", None);
    ask(&server, "DELETE", &path, "", "")
        .await
        .refuses(409, "conflict", None);
    send(&server, "POST", "/v1/bases", json!({ "name": ".." }))
        .await
        .refuses(422, "refused", Some("/name"));
}

/// Six megabytes of `[1,1,...` took a gigabyte, and made a document that nobody's gate would take.
#[tokio::test]
async fn a_body_of_more_values_than_a_change_may_have_operations_is_not_parsed() {
    let server = start_with(&MemoryEngine::default(), |config| config.room.gate.change_ops = 1_000).await;
    let body = json!({ "a": vec![1; 1_000] }).to_string();
    ask(&server, "POST", "/v1/documents", "", body)
        .await
        .refuses(413, "too-large", None);
}
