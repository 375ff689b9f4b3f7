//! What requests to a table of 50,000 rows of 10 columns cost the server.
//!
//! One script on one connection, the next request sent when the last is answered; sled, every write synced to the disk before it
//! is answered. Processor time is that of the server's process.

mod support {
    pub mod server;
}

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::server::Server;

const ROWS: usize = 50_000;
const COLUMNS: usize = 10;

/// Rows that one change inserts: 500 cells.
const AT_ONCE: usize = 50;

fn main() {
    let server = Server::start(&[]);
    let mut script = Script::new(&server);
    let columns: Vec<Value> = (0..COLUMNS)
        .map(|number| json!({ "name": format!("Column {number}"), "kind": if number.is_multiple_of(2) { "text" } else { "number" } }))
        .collect();
    let made = script.ask(
        "POST",
        "/v1/tables",
        "",
        &json!({ "title": "Large", "columns": columns }),
    );
    let table = format!("/v1/tables/{}", made.json()["table"].as_str().expect("an id"));
    let rows = format!("{table}/rows");
    report(&server, "insert 50 rows, one change", ROWS / AT_ONCE, |number| {
        let row = |at: usize| json!({ "cells": cells(number * AT_ONCE + at) });
        let body = json!({ "rows": (0..AT_ONCE).map(row).collect::<Vec<_>>() });
        script.ask("POST", &rows, "", &body).body.len()
    });
    let ids = pages(&server, &mut script, &rows);
    let some = |number: usize| format!("{rows}/{}", ids[number * 7919 % ids.len()]);
    report(&server, "one row", 2_000, |number| script.get(&some(number)).body.len());
    let before = script.get(&table).etag;
    report(&server, "write one cell", 2_000, |number| {
        let body = json!({ "cells": { "Column 1": number } });
        script.ask("PATCH", &some(number), "", &body).body.len()
    });
    let seen = format!("if-match: {before}\r\n");
    report(
        &server,
        "the same, if unchanged since 2,000 changes ago",
        2_000,
        |number| {
            let body = json!({ "cells": { "Column 3": number } });
            script.ask("PATCH", &some(number), &seen, &body).body.len()
        },
    );
}

/// Walks through the table, plainly and as views show it; the ids of all rows.
fn pages(server: &Server, script: &mut Script, rows: &str) -> Vec<String> {
    let mut ids = Vec::with_capacity(ROWS);
    let mut next = String::new();
    report(server, "100 rows, in the order of the table", ROWS / 100, |_| {
        let page = script.get(&format!("{rows}?limit=100{next}"));
        let (json, bytes) = (page.json(), page.body.len());
        next = json["next"]
            .as_str()
            .map(|next| format!("&cursor={next}"))
            .unwrap_or_default();
        let rows = json["rows"].as_array().expect("rows").iter();
        ids.extend(rows.map(|row| row["id"].as_str().expect("an id").to_owned()));
        bytes
    });
    assert_eq!(ids.len(), ROWS);
    for (what, query) in [
        ("100 rows, the first page again", "limit=100"),
        ("100 rows, cells by name", "limit=100&keys=name"),
        ("100 rows of 2 columns", "limit=100&fields=Column%200,Column%201"),
        ("1,000 rows", "limit=1000"),
    ] {
        report(server, what, 300, |_| script.get(&format!("{rows}?{query}")).body.len());
    }
    let sorted = format!("{rows}?limit=100&sort=-Column%201");
    report(server, "100 rows sorted by a number, the first time", 1, |_| {
        script.get(&sorted).body.len()
    });
    report(server, "the same, nobody having edited since", 300, |_| {
        script.get(&sorted).body.len()
    });
    ids
}

fn cells(row: usize) -> Value {
    let cell = |number: usize| {
        let value = if number.is_multiple_of(2) {
            json!(format!("text {row}.{number}"))
        } else {
            json!((row * 31 + number) % 10_000)
        };
        (format!("Column {number}"), value)
    };
    Value::Object((0..COLUMNS).map(cell).collect())
}

/// Asks so often, and says what it cost. `ask` says how many bytes came back.
fn report(server: &Server, what: &str, times: usize, mut ask: impl FnMut(usize) -> usize) {
    let (before, began, mut bytes) = (server.cpu(), Instant::now(), 0);
    for number in 0..times {
        bytes += ask(number);
    }
    let (cpu, took) = (server.cpu() - before, began.elapsed());
    println!(
        "{what}: {:.0}/s, {} of the server each, {:.1} KiB each",
        times as f64 / took.as_secs_f64(),
        micros(cpu / times as u32),
        bytes as f64 / times as f64 / 1024.0
    );
}

fn micros(time: Duration) -> String {
    format!("{} us", time.as_micros())
}

/// One connection that is kept.
struct Script {
    socket: BufReader<TcpStream>,
}

struct Answer {
    etag: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Script {
    fn new(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address()).expect("the server listens");
        socket.set_nodelay(true).expect("a TCP socket");
        Self {
            socket: BufReader::new(socket),
        }
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", String::new())
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        self.send(method, path, headers, body.to_string())
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: String) -> Answer {
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}");
        self.socket
            .get_mut()
            .write_all(request.as_bytes())
            .expect("the server reads");
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            self.socket.read_line(&mut line).expect("the server answers");
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        assert!(head[0].starts_with("HTTP/1.1 2"), "{method} {path}: {head:?}");
        let value = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
        let length = value("content-length: ")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).expect("the whole body");
        let etag = value("etag: ").unwrap_or_default().to_owned();
        Answer { etag, body }
    }
}
