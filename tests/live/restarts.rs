//! The client of the live door and a real server that dies: what was edited is there in the end, once.

use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::client::live::{
    Edit, Event, Events, Happened, LiveClient, LiveOptions, LiveTable, Reconnect, Scope, Status, Table,
};
use roundtable::document::table::RowId;
use roundtable::id::DocumentId;
use serde_json::{Value, json};

use crate::process::{self, Server};

/// Longer than anything takes on a busy machine; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(60);

/// How often the server is killed while people edit.
const ROUNDS: usize = 4;

async fn come(address: SocketAddr, name: &str) -> LiveClient {
    let options = LiveOptions {
        reconnect: Reconnect {
            first: Duration::from_millis(20),
            most: Duration::from_millis(200),
            ..Reconnect::default()
        },
        ..LiveOptions::new(name)
    };
    LiveClient::connect(&format!("ws://{address}/live"), options)
        .await
        .unwrap()
}

async fn follow(client: &LiveClient, table: &DocumentId) -> LiveTable {
    client.subscribe(table, Scope::whole_table(), LONG).await.unwrap()
}

/// A table of three rows.
fn table(address: SocketAddr) -> DocumentId {
    let cells = (0..3).map(|n| json!({ "cells": { "Name": format!("row {n}"), "N": n } }));
    let columns = json!([{ "name": "Name", "kind": "text" }, { "name": "N", "kind": "number" }]);
    let body = json!({ "title": "Table", "columns": columns, "rows": cells.collect::<Value>() });
    let answer = ureq::post(format!("http://{address}/v1/tables"))
        .header("content-type", "application/json")
        .send(body.to_string());
    let made: Value = serde_json::from_str(&answer.unwrap().body_mut().read_to_string().unwrap()).unwrap();
    DocumentId::parse(made["table"].as_str().unwrap()).unwrap()
}

fn names(shown: &Table) -> Vec<String> {
    let name = |row: &RowId| {
        shown
            .cell(row, "Name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    shown.rows.iter().map(|row| name(&row.id)).collect()
}

async fn lost(client: &LiveClient) {
    let is_lost = |status: &Status| *status != Status::Connected;
    client.until("losing the connection", LONG, is_lost).await.unwrap();
}

async fn recovered(events: &mut Events) -> usize {
    loop {
        if let Happened::To(_, Event::Recovered { missed }) = events.next(LONG).await.unwrap() {
            return missed;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_come_back_and_what_was_edited_meanwhile_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let address = server.address;
    let id = table(address);
    let (ada, bob) = (come(address, "ada").await, come(address, "bob").await);
    let (ours, theirs) = (follow(&ada, &id).await, follow(&bob, &id).await);
    let first = ours.shown().rows[0].id.clone();
    let second = ours.shown().rows[1].id.clone();
    server.kill();
    lost(&ada).await;
    lost(&bob).await;

    let mut edits: Vec<Edit> = (0..30)
        .map(|n| ours.create([("Name", json!(format!("offline {n}")))]).unwrap())
        .collect();
    edits.push(ours.update(&first, [("N", json!(7))]).unwrap());
    edits.push(ours.update(&first, [("N", json!(8))]).unwrap());
    let new = edits[0].row().unwrap().clone();
    edits.push(ours.update(&new, [("N", json!(1))]).unwrap());
    let mut clash = ours.update(&second, [("N", json!(100))]).unwrap();
    let mut other = theirs.update(&second, [("N", json!(200))]).unwrap();
    assert_eq!((ours.shown().rows.len(), ours.shown().unsaved), (33, 34));
    let mut events = ours.events();
    let server = Server::start_at(address, folder.path());
    recovered(&mut events).await;
    for edit in &mut edits {
        let saved = edit.saved(LONG).await.unwrap();
        assert!(!saved.merged, "nobody else has been there");
    }
    let (clash, other) = (clash.saved(LONG).await.unwrap(), other.saved(LONG).await.unwrap());
    assert!(
        clash.merged != other.merged,
        "the second of the two is put beside the first"
    );

    let look = |shown: &Table| (shown.unsaved == 0 && shown.rows.len() == 33).then(|| names(shown));
    let (one, two) = (
        ours.until("all rows", LONG, look).await,
        theirs.until("all rows", LONG, look).await,
    );
    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert_eq!(one[3..].iter().filter(|name| name.starts_with("offline")).count(), 30);
    assert_eq!(ours.shown().cell(&first, "N"), Some(&json!(8)));
    let (_, row) = process::get(address, &format!("/v1/tables/{id}/rows/{second}?keys=name"));
    let winner = serde_json::from_str::<Value>(&row).unwrap()["cells"]["N"].clone();
    assert!(winner == 100 || winner == 200, "{row}");
    let agrees = |shown: &Table| (shown.cell(&second, "N") == Some(&winner)).then_some(());
    ours.until("the number all have", LONG, agrees).await.unwrap();
    theirs.until("the number all have", LONG, agrees).await.unwrap();
    let (_, conflicts) = process::get(address, &format!("/v1/tables/{id}/conflicts"));
    let conflicts: Value = serde_json::from_str(&conflicts).unwrap();
    assert_eq!(conflicts["cells"].as_array().unwrap().len(), 1, "{conflicts}");
    server.stop();
}

/// The answers to some edits are lost with the server, the edits themselves are not; others were never taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_answers_loses_nothing_and_does_nothing_twice() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let address = server.address;
    let id = table(address);
    let (ada, bob) = (come(address, "ada").await, come(address, "bob").await);
    let (ours, theirs) = (follow(&ada, &id).await, follow(&bob, &id).await);
    let mut expected: Vec<String> = (0..3).map(|n| format!("row {n}")).collect();
    for round in 0..ROUNDS {
        let mut edits = Vec::new();
        for number in 0..60 {
            let name = format!("{round}.{number}");
            let table = if random.random() { &ours } else { &theirs };
            edits.push(table.create([("Name", json!(name))]).unwrap());
            expected.push(name);
        }
        // When so many are answered.
        for edit in &mut edits[..random.random_range(0..30)] {
            edit.saved(LONG).await.unwrap();
        }
        server.kill();
        lost(&ada).await;
        server = Server::start_at(address, folder.path());
        for edit in &mut edits {
            // Those before were taken already.
            let _ = edit.saved(Duration::from_millis(1)).await;
        }
        ada.settled(LONG).await.unwrap();
        bob.settled(LONG).await.unwrap();
    }
    expected.sort();
    let all = |shown: &Table| {
        let mut names = names(shown);
        names.sort();
        (shown.unsaved == 0 && names == expected).then_some(())
    };
    for table in [&ours, &theirs] {
        if let Err(error) = table.until("every row, once", LONG, all).await {
            let mut names = names(&table.shown());
            names.sort();
            assert_eq!(names, expected, "{error}");
        }
    }
    let order = |table: &LiveTable| table.shown().rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    assert_eq!(order(&ours), order(&theirs));
    server.stop();
}
