//! `kill -9` of the real server in the middle of a bulk write: what is stored is the beginning of it, the server says how much
//! that is, and the same request under the same key does the rest.
//!
//! The moment is decided by what the server itself reports as done. `ROUNDTABLE_KILL_SEED` sets the seed.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::http::{Http, Request};
use crate::keys::{SETTINGS, key, number_of, rows};
use crate::process::Server;

/// Rows and cells of one bulk write: six slices or more.
const BULK: (usize, usize) = (300, 10);

/// Kills that hit a bulk write between its first slice and its last.
const HITS: usize = 4;

/// A batch that inserts rows which say where they come from, or the same as a file to be imported.
fn bulk(table: &str, name: &str, random: &mut SmallRng) -> Request {
    let (rows, columns) = BULK;
    let cell = |row, column| format!("{name} {row} {column}");
    if random.random_bool(0.5) {
        let mut lines = vec![
            (0..columns)
                .map(|column| format!("Column {column}"))
                .collect::<Vec<_>>(),
        ];
        lines.extend((0..rows).map(|row| (0..columns).map(|column| cell(row, column)).collect()));
        let file: Vec<_> = lines.iter().map(|fields| fields.join(",")).collect();
        return Request::csv(format!("{table}/import?mode=append"), file.join("\n"));
    }
    let row = |row| {
        let cells: serde_json::Map<_, _> = (0..columns)
            .map(|column| (format!("Column {column}"), Value::from(cell(row, column))))
            .collect();
        json!({ "cells": cells })
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    let body = json!({ "edits": [{ "op": "insertRows", "rows": rows, "at": "end" }] });
    Request::new("POST", format!("{table}/batch"), body)
}

/// Which rows of a bulk write are there, in the order of the table.
fn arrived(http: &Http, table: &str, name: &str) -> Vec<usize> {
    let number = |row: &Value| {
        let mut words = row["cells"]["Column 0"].as_str()?.split(' ');
        (words.next() == Some(name)).then(|| words.next().expect("its number").parse().expect("a number"))
    };
    let rows = rows(http, table);
    for row in rows.iter().filter(|row| number(row).is_some()) {
        let cells = row["cells"].as_object().expect("cells");
        assert_eq!(cells.len(), BULK.1, "a row is there wholly or not at all: {row}");
    }
    rows.iter().filter_map(number).collect()
}

#[test]
fn a_bulk_write_killed_in_the_middle_goes_on_and_each_row_is_there_once() {
    let seed = number_of("ROUNDTABLE_KILL_SEED").unwrap_or_else(rand::random);
    println!("ROUNDTABLE_KILL_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &SETTINGS);
    let columns: Vec<_> = (0..BULK.1)
        .map(|column| json!({ "name": format!("Column {column}"), "kind": "text" }))
        .collect();
    let create = Request::new("POST", "/v1/tables", json!({ "title": "Bulk", "columns": columns }));
    let made = Http::to(server.address)
        .send(&create)
        .expect("the server runs")
        .done(&create);
    let table = format!("/v1/tables/{}", made.json()["table"].as_str().expect("an id"));
    let mut hits = 0;
    // The last slice may be written before the kill arrives; then there was no middle, and it is tried again.
    for round in 0.. {
        assert!(round < 10 * HITS, "{hits} of {round} kills hit the middle");
        let (name, http) = (format!("bulk{round}"), Http::to(server.address));
        let key = key(seed, &name);
        let request = bulk(&table, &name, &mut random).keyed(&key);
        let progress = format!("{table}/bulk/{key}");
        let begun = http
            .send(&request.clone().in_the_background())
            .expect("the server runs");
        assert_eq!(begun.status, 202, "{}", begun.text);
        let die_at = random.random_range(1..5);
        let seen = loop {
            let done = http.read(&progress)["done"].as_u64().expect("a number");
            if done >= die_at {
                break done;
            }
        };
        server.kill();
        server = Server::start(&data, &SETTINGS);
        hits += usize::from(check_a_bulk(&Http::to(server.address), &table, &name, &request, seen));
        if hits == HITS {
            break;
        }
    }
    server.stop();
}

/// Of a bulk write of which so many slices had been reported when the server died: what is there, and that sending it again does
/// the rest, once. Whether it had been hit in the middle.
fn check_a_bulk(http: &Http, table: &str, name: &str, request: &Request, seen: u64) -> bool {
    let progress = format!("{table}/bulk/{}", request.key.as_ref().expect("a key"));
    let stands = http.read(&progress);
    let (done, slices) = (stands["done"].as_u64().expect("a number"), stands["slices"].as_u64());
    assert!(done >= seen, "{seen} slices were reported: {stands}");
    let state = if Some(done) == slices { "done" } else { "stopped" };
    assert_eq!(stands["state"], state, "{stands}");
    let before = arrived(http, table, name);
    assert_eq!(
        before,
        (0..before.len()).collect::<Vec<_>>(),
        "the first rows, each once"
    );
    assert_eq!(
        before.len() == BULK.0,
        state == "done",
        "{stands}: {} rows",
        before.len()
    );
    assert!(
        before.len() as u64 * BULK.1 as u64 >= (done - 1) * 400,
        "{stands}: {} rows",
        before.len()
    );

    let first = http.send(request).expect("the server runs").done(request);
    assert_eq!(first.replayed, state == "done", "{first:?}");
    let all: Vec<_> = (0..BULK.0).collect();
    assert_eq!(arrived(http, table, name), all, "every row once");
    let again = http.send(request).expect("the server runs").done(request);
    assert_eq!((again.replayed, &again.text), (true, &first.text));
    assert_eq!(arrived(http, table, name), all, "and no row twice");
    let stands = http.read(&progress);
    assert_eq!(
        (&stands["state"], stands["done"].as_u64()),
        (&json!("done"), slices),
        "{stands}"
    );
    state == "stopped"
}
