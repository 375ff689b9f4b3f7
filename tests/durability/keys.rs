//! `kill -9` of the real server while back ends write over HTTP: each write under an idempotency key has happened once,
//! although everything unanswered is sent again.
//!
//! Increments show it: a counter stands at the number of keys, and nothing else. When the server dies is decided by counting
//! requests, never by time. `ROUNDTABLE_KEY_ROUNDS` sets the rounds, `ROUNDTABLE_KILL_SEED` the seed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::http::{Answer, Http, Request};
use crate::process::Server;

const WRITERS: usize = 3;

/// Everything happens often that in a server at rest happens rarely: snapshots, unloading, the end of the log.
pub const SETTINGS: [&str; 5] = [
    "room.compact_changes=25",
    "room.compact_bytes=65536",
    "room.log.changes=32",
    "room.sleep_after=50ms",
    "sweep.every=10ms",
];

/// A table of a counter, to which rows are added that name the key they were added under.
#[derive(Clone)]
struct Table {
    path: String,
    counter: String,
}

impl Table {
    fn create(http: &Http, seed: u64) -> Self {
        let body = json!({
            "title": "Keys",
            "columns": [{ "name": "Count", "kind": "counter" }, { "name": "Key", "kind": "text" }],
            "rows": [{ "cells": { "Count": 0 } }],
        });
        let request = Request::new("POST", "/v1/tables", body).keyed(key(seed, "table"));
        let made = http.send(&request).expect("the server runs").done(&request);
        let again = http.send(&request).expect("the server runs").done(&request);
        assert_eq!((made.replayed, again.replayed), (false, true));
        assert_eq!(made.text, again.text, "the same table");
        let made = made.json();
        Self {
            path: format!("/v1/tables/{}", made["table"].as_str().expect("an id")),
            counter: made["rows"][0]["id"].as_str().expect("an id").to_owned(),
        }
    }

    fn increment(&self) -> Request {
        let path = format!("{}/rows/{}/cells/Count", self.path, self.counter);
        Request::new("PATCH", path, json!({ "increment": 1 }))
    }

    fn count(&self, http: &Http) -> i64 {
        let cell = http.read(&format!("{}/rows/{}/cells/Count", self.path, self.counter));
        cell["value"].as_i64().expect("a number")
    }

    /// How many rows name each key.
    fn keys(&self, http: &Http) -> HashMap<String, usize> {
        let mut keys = HashMap::new();
        for row in rows(http, &self.path) {
            if let Some(key) = row["cells"]["Key"].as_str() {
                *keys.entry(key.to_owned()).or_default() += 1;
            }
        }
        keys
    }
}

/// All rows, page by page, with cells by the names of their columns.
pub fn rows(http: &Http, table: &str) -> Vec<Value> {
    let (mut rows, mut next) = (Vec::new(), String::new());
    loop {
        let page = http.read(&format!("{table}/rows?limit=1000&keys=name{next}"));
        rows.extend_from_slice(page["rows"].as_array().expect("a list"));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return rows,
        }
    }
}

/// A key of now, as a shell would make it.
pub fn key(seed: u64, name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("{}-{seed:x}-{name}", now.as_millis())
}

/// A back end: one request after the other.
struct Writer {
    name: usize,
    seed: u64,
    random: SmallRng,
    table: Table,
    made: usize,
    /// Sent, and the server died before it answered.
    lost: Option<Request>,
    answered: Vec<(Request, Answer)>,
    /// Lost ones that turned out to have been done, and that had not.
    were_done: usize,
    were_not: usize,
}

impl Writer {
    fn new(name: usize, seed: u64, table: &Table) -> Self {
        Self {
            name,
            seed,
            random: SmallRng::seed_from_u64(seed.wrapping_add(name as u64)),
            table: table.clone(),
            made: 0,
            lost: None,
            answered: Vec::new(),
            were_done: 0,
            were_not: 0,
        }
    }

    fn next_request(&mut self) -> Request {
        self.made += 1;
        let key = key(self.seed, &format!("{}-{}", self.name, self.made));
        let request = match self.random.random_range(0..10) {
            0 => {
                let rows = json!({ "rows": [{ "cells": { "Key": &key } }] });
                Request::new("POST", format!("{}/rows", self.table.path), rows)
            }
            1 => {
                let edits = json!({ "edits": [
                    { "op": "insertRows", "rows": [{ "cells": { "Key": &key } }], "at": "start" },
                    { "op": "incrementCell", "row": &self.table.counter, "column": "Count", "by": 1 },
                ] });
                Request::new("POST", format!("{}/batch", self.table.path), edits)
            }
            _ => self.table.increment(),
        };
        request.keyed(key)
    }

    /// Writes until the server is gone.
    fn write(&mut self, address: SocketAddr, sent: &AtomicUsize, kill_at: usize, death: &Sender<()>) {
        let http = Http::to(address);
        loop {
            let again = self.lost.is_some();
            let request = self.lost.take().unwrap_or_else(|| self.next_request());
            if sent.fetch_add(1, Ordering::Relaxed) + 1 == kill_at {
                death.send(()).expect("the test waits for it");
            }
            let Ok(answer) = http.send(&request) else {
                self.lost = Some(request);
                return;
            };
            let answer = answer.done(&request);
            match (again, answer.replayed) {
                (false, replayed) => assert!(!replayed, "it was sent for the first time: {request:?}"),
                (true, true) => self.were_done += 1,
                (true, false) => self.were_not += 1,
            }
            self.answered.push((request, answer));
            if self.random.random_bool(0.1) && !self.send_an_old_one_again(&http) {
                return;
            }
        }
    }

    /// False if the server died.
    fn send_an_old_one_again(&mut self, http: &Http) -> bool {
        let (request, answer) = &self.answered[self.random.random_range(0..self.answered.len())];
        let Ok(again) = http.send(request) else { return false };
        assert!(again.replayed, "{request:?}: {again:?}");
        assert_eq!(
            (again.status, &again.text),
            (answer.status, &answer.text),
            "{request:?}"
        );
        true
    }

    /// Sends what was lost to a server that stays.
    fn finish(&mut self, http: &Http) {
        if let Some(request) = self.lost.take() {
            let answer = http.send(&request).expect("the server runs").done(&request);
            self.answered.push((request, answer));
        }
        assert!(self.send_an_old_one_again(http), "the server runs");
    }
}

/// What a request adds to the counter, and the key in the row that it adds.
fn meant(request: &Request) -> (i64, Option<&String>) {
    let is_increment = request.method == "PATCH" || request.path.ends_with("/batch");
    let adds_a_row = request.method == "POST";
    (i64::from(is_increment), request.key.as_ref().filter(|_| adds_a_row))
}

fn until_death(server: Server, writers: &mut [Writer], kill_at: usize) {
    let (sent, (death, dead)): (_, (Sender<()>, Receiver<()>)) = (AtomicUsize::new(0), channel());
    let address = server.address;
    std::thread::scope(|scope| {
        for writer in writers {
            let (sent, death) = (&sent, death.clone());
            scope.spawn(move || writer.write(address, sent, kill_at, &death));
        }
        drop(death);
        dead.recv().expect("the server answers until it is killed");
        server.kill();
    });
}

/// Between the requests that were answered and those that were sent.
fn check_a_round(http: &Http, table: &Table, writers: &[Writer]) {
    let answered = writers
        .iter()
        .flat_map(|writer| &writer.answered)
        .map(|(request, _)| request);
    let lost = writers.iter().filter_map(|writer| writer.lost.as_ref());
    let sum = |requests: &mut dyn Iterator<Item = &Request>| requests.map(|request| meant(request).0).sum::<i64>();
    let (least, more) = (sum(&mut answered.clone()), sum(&mut lost.clone()));
    let count = table.count(http);
    assert!(
        (least..=least + more).contains(&count),
        "{least} answered, {more} unanswered, {count} done"
    );
    let mut found = table.keys(http);
    for key in answered.filter_map(|request| meant(request).1) {
        assert_eq!(found.remove(key), Some(1), "rows of {key}");
    }
    for (key, times) in found {
        let was_lost = lost.clone().any(|request| meant(request).1 == Some(&key));
        assert!(was_lost && times == 1, "{times} rows of {key}, lost: {was_lost}");
    }
}

/// A number that a variable names, if it is set.
pub fn number_of(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

#[test]
fn each_keyed_write_happens_once_however_often_the_server_dies() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text: String| text.parse().expect("a number"))
    };
    let rounds = number("ROUNDTABLE_KEY_ROUNDS").unwrap_or(10);
    let seed = number("ROUNDTABLE_KILL_SEED").unwrap_or_else(rand::random);
    println!("{rounds} rounds, ROUNDTABLE_KILL_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &SETTINGS);
    let table = Table::create(&Http::to(server.address), seed);
    let mut writers: Vec<_> = (0..WRITERS).map(|name| Writer::new(name, seed, &table)).collect();
    for _ in 0..rounds {
        until_death(server, &mut writers, random.random_range(20..120));
        server = Server::start(&data, &SETTINGS);
        check_a_round(&Http::to(server.address), &table, &writers);
    }
    let http = Http::to(server.address);
    writers.iter_mut().for_each(|writer| writer.finish(&http));
    check_a_round(&http, &table, &writers);
    let sum = |of: fn(&Writer) -> usize| writers.iter().map(of).sum::<usize>();
    println!(
        "{} writes, each once; sent again after the server died: {} that were done, {} that were not",
        sum(|writer| writer.answered.len()),
        sum(|writer| writer.were_done),
        sum(|writer| writer.were_not),
    );
    server.stop();
}
