//! Edits that go out late, and the server's memory for names: what cannot have been made is made, the rest is left alone.

use roundtable::client::live::{Event, Happened, LiveClient, LiveOptions, PendingEdit};
use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, from_value, json};

use crate::guest::{LIMIT, Table, rest, start, start_with, table};

/// Edits of the number in the first row, as a program has stored them under these names.
fn stored(table: &Table, names: &[String], was_sent: bool) -> Vec<PendingEdit> {
    let edit = |(number, name): (usize, &String)| {
        json!({ "changeId": name, "wasSent": was_sent, "tableId": table.id, "type": "update", "recordId": table.rows[0],
            "changes": [{ "fieldId": table.number, "newValue": 1_000 + number }] })
    };
    let edits = names.iter().enumerate().map(edit);
    edits.map(|edit| from_value(edit).unwrap()).collect()
}

/// A program that takes edits up, and what it is told of each.
async fn take_up(server: &Running, pending: Vec<PendingEdit>) -> Vec<(String, Result<(), String>)> {
    let url = format!("ws://{}/live", server.address);
    let count = pending.len();
    let options = LiveOptions {
        pending,
        ..LiveOptions::new("ada")
    };
    let client = LiveClient::start(&url, options).unwrap();
    let mut events = client.events();
    let mut told = Vec::new();
    while told.len() < count {
        match events.next(LIMIT).await.unwrap() {
            Happened::To(_, Event::Saved { change_id, .. }) => told.push((change_id, Ok(()))),
            Happened::To(_, Event::Rejected { change_id, why }) => told.push((change_id, Err(why.to_string()))),
            _ => {}
        }
    }
    assert!(client.pending().is_empty());
    told
}

fn name(unix_ms: u64) -> String {
    format!("{unix_ms:013}-abcdefghij{:06}", unix_ms % 1_000_000)
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as u64
}

async fn number(server: &Running, table: &Table) -> Value {
    let (status, row) = rest(
        server,
        "GET",
        &format!("/tables/{}/rows/{}", table.id, table.rows[0]),
        Value::Null,
    )
    .await;
    assert_eq!(status, 200, "{row}");
    row["cells"][&table.number].clone()
}

/// The machine was offline for two months, or took today for tomorrow.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_is_saved_whatever_the_time_in_its_name() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 1).await;
    let day = 24 * 60 * 60 * 1000;
    let names = [now_ms() - 60 * day, now_ms() + day, now_ms() - 1].map(name);
    let told = take_up(&server, stored(&table, &names, false)).await;
    assert_eq!(told, names.map(|name| (name, Ok(()))));
    assert_eq!(number(&server, &table).await, 1_002, "in their order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_saved_and_forgotten_is_not_made_again() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 1).await;
    let names = [name(now_ms() - 60 * 24 * 60 * 60 * 1000)];
    let told = take_up(&server, stored(&table, &names, true)).await;
    let why = told[0].1.as_ref().unwrap_err();
    assert!(
        why.contains("may have been saved") && why.contains("key-expired"),
        "{why}"
    );
    assert_eq!(number(&server, &table).await, 0);
}

/// Others have made so many edits since that the server had to forget younger names.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_others_have_overtaken_is_saved() {
    let server = start_with(&MemoryEngine::new(), |config| config.store.keys = 1).await;
    let table = table(&server, 1).await;
    let minute = 60_000;
    // Those of the last minutes would not be forgotten.
    for minutes in [50, 40, 30, 20] {
        let theirs = [name(now_ms() - minutes * minute)];
        let told = take_up(&server, stored(&table, &theirs, false)).await;
        assert_eq!(told, theirs.map(|name| (name, Ok(()))));
    }
    let sent = [name(now_ms() - 45 * minute)];
    let told = take_up(&server, stored(&table, &sent, true)).await;
    assert!(told[0].1.as_ref().unwrap_err().contains("key-expired"), "{told:?}");
    let names = [name(now_ms() - 60 * minute)];
    let told = take_up(&server, stored(&table, &names, false)).await;
    assert_eq!(told, names.map(|name| (name, Ok(()))));
    assert_eq!(number(&server, &table).await, 1_000);
}
