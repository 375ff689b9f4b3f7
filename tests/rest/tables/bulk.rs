//! Bulk writes: checked whole, committed in slices, done once for each key, resumed after an interruption.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use roundtable::client::{Client, ConnectOptions};
use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use serde_json::{Value, json};

use crate::ask::{Answer, LIMIT, ask, start, start_with};
use crate::tables::stage::Table;

fn key(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!("{now}-{name}")
}

/// So many rows of two cells.
fn rows(count: usize) -> Value {
    let rows = (0..count).map(|number| json!({ "cells": { "Name": format!("Row {number}"), "Amount": number } }));
    json!({ "edits": [{ "op": "insertRows", "at": "end", "rows": rows.collect::<Vec<_>>() }] })
}

async fn amounts(table: &Table) -> Vec<i64> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = table
            .get(&format!("/rows?limit=1000&keys=name{cursor}"))
            .await
            .is(200)
            .json();
        found.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["cells"]["Amount"].as_i64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn of_two_columns(engine: &MemoryEngine) -> Table {
    let columns = json!([{ "name": "Name", "kind": "text" }, { "name": "Amount", "kind": "number" }]);
    Table::on(start(engine).await, json!({ "title": "Stock", "columns": columns })).await
}

async fn batch(table: &Table, key: &str, more: &str, body: &Value) -> Answer {
    let path = format!("/v1/tables/{}/batch", table.id);
    let headers = format!("Idempotency-Key: {key}\r\n{more}");
    ask(&table.server, "POST", &path, &headers, &body.to_string()).await
}

#[tokio::test]
async fn a_bulk_write_is_done_once_for_its_key() {
    let table = of_two_columns(&MemoryEngine::default()).await;
    let (key, body) = (key("load"), rows(800));
    let done = batch(&table, &key, "", &body).await.is(200).json();
    assert_eq!((&done["cells"], &done["key"]), (&json!(1600), &json!(key)));
    assert!(done["slices"].as_u64() >= Some(4), "{done}");
    assert_eq!(done["version"], json!(table.version().await));
    let again = batch(&table, &key, "", &body).await.is(200);
    let replayed = (again.json(), again.header("idempotency-replayed"));
    assert_eq!(replayed, (done.clone(), "true"));
    assert_eq!(amounts(&table).await, (0..800).collect::<Vec<_>>());
    batch(&table, &key, "", &rows(801))
        .await
        .refuses(422, "key-reused", None);
    let progress = table.get(&format!("/bulk/{key}")).await.is(200).json();
    assert_eq!((&progress["state"], &progress["cells"]), (&json!("done"), &json!(1600)));
    assert_eq!(progress["answer"], done);
    table
        .get("/bulk/1767225600-unknown")
        .await
        .refuses(404, "not-found", None);
    table.get("/bulk/nonsense").await.refuses(400, "bad-key", None);
}

#[tokio::test]
async fn one_bad_edit_among_thousands_and_nothing_is_written() {
    let table = of_two_columns(&MemoryEngine::default()).await;
    let mut body = rows(800);
    body["edits"][0]["rows"][799]["cells"]["Amount"] = json!("many");
    let before = table.version().await;
    let why =
        batch(&table, &key("bad"), "", &body)
            .await
            .refuses(422, "refused", Some("/edits/0/rows/799/cells/Amount"));
    assert!(why.contains("\"many\""), "{why}");
    assert_eq!(table.version().await, before);
}

/// The server ends between two slices, or loses what was not synced; the same request goes on with the next server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_write_that_was_interrupted_goes_on_behind_what_is_stored() {
    let engine = MemoryEngine::default();
    let mut table = of_two_columns(&engine).await;
    let (key, mut body) = (key("long"), rows(3000));
    // A column of the batch's own: a name that means something else once the first slice is there.
    let column = json!({ "op": "addColumn", "column": { "name": "Note", "kind": "text" } });
    body["edits"].as_array_mut().unwrap().insert(0, column);
    for row in body["edits"][1]["rows"].as_array_mut().unwrap() {
        row["cells"]["Note"] = json!("n");
    }
    let begun = batch(&table, &key, "Prefer: respond-async\r\n", &body).await.is(202);
    let progress = begun.json()["progress"].as_str().unwrap().to_owned();
    assert_eq!(begun.header("location"), progress);
    loop {
        let now = ask(&table.server, "GET", &progress, "", "").await.is(200).json();
        assert_eq!(now["state"], "running", "{now}");
        if now["done"].as_u64() >= Some(2) {
            break;
        }
    }
    let Table { server, id } = table;
    let stored = engine.crash(Survives::Nothing);
    drop(server);
    table = Table {
        server: start(&stored).await,
        id,
    };
    let stopped = ask(&table.server, "GET", &progress, "", "").await.is(200).json();
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    assert!(
        stopped["done"].as_u64() >= Some(2) && stopped["done"].as_u64() < stopped["slices"].as_u64(),
        "{stopped}"
    );
    let events = format!("{progress}/events");
    batch(&table, &key, "Prefer: respond-async\r\n", &body).await.is(202);
    // The stream ends when it is done; who did not wait for the answer finds it in the last event.
    let told = ask(&table.server, "GET", &events, "", "").await.is(200).text();
    let last = told.lines().rfind(|line| line.starts_with("data:")).unwrap();
    let last: Value = serde_json::from_str(last.trim_start_matches("data:")).unwrap();
    let done = batch(&table, &key, "", &body).await.is(200).json();
    assert_eq!((&last["state"], &last["answer"]), (&json!("done"), &done), "{told}");
    assert_eq!(done["slices"], stopped["slices"]);
    assert_eq!(amounts(&table).await, (0..3000).collect::<Vec<_>>());
    let columns = table.get("").await.is(200).json()["columns"].clone();
    assert_eq!(columns.as_array().unwrap().len(), 3, "{columns}");
}

#[tokio::test]
async fn a_large_table_is_made_in_bulk() {
    let rows: Vec<Value> = (0..600)
        .map(|number| json!({ "cells": { "Amount": number } }))
        .collect();
    let columns = json!([{ "name": "Amount", "kind": "number" }]);
    let table = Table::of(json!({ "title": "Stock", "columns": columns, "rows": rows })).await;
    assert_eq!(amounts(&table).await, (0..600).collect::<Vec<_>>());
}

#[tokio::test]
async fn bodies_and_bulk_writes_are_bounded() {
    let columns = json!([{ "name": "Name", "kind": "text" }, { "name": "Amount", "kind": "number" }]);
    let server = start_with(&MemoryEngine::default(), |config| {
        config.rest.body_bytes = 100_000;
        config.rest.bulk_writes = 0;
    })
    .await;
    let table = Table::on(server, json!({ "title": "Stock", "columns": columns })).await;
    let large = batch(&table, &key("large"), "", &rows(5_000)).await;
    assert!(large.refuses(413, "too-large", None).contains("100000"));
    batch(&table, &key("bulk"), "", &rows(300))
        .await
        .refuses(503, "busy", None);
    assert!(amounts(&table).await.is_empty());
}

/// Two browser windows took 153 s over what the server had written in 28 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_keep_their_pace_while_somebody_has_the_table_open() {
    let pace = Duration::from_millis(150);
    let server = start_with(&MemoryEngine::default(), |config| config.rest.bulk_pace = pace).await;
    let columns = json!([{ "name": "Name", "kind": "text" }, { "name": "Amount", "kind": "number" }]);
    let table = Table::on(server, json!({ "title": "Stock", "columns": columns })).await;
    let url = format!("ws://{}/sync", table.server.address);
    let ada = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let open = ada.find(&DocumentId::parse(&table.id).unwrap(), LIMIT).await.unwrap();
    let began = Instant::now();
    let done = batch(&table, &key("paced"), "", &rows(1_000)).await.is(200).json();
    let slices = done["slices"].as_u64().unwrap() as u32;
    assert!(
        slices >= 4 && began.elapsed() >= pace * slices,
        "{:?} for {done}",
        began.elapsed()
    );
    drop(open);
}
