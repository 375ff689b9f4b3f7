//! What a person notices of 50 back ends that write 10,000 cells each into the same table over HTTP, each in one request.
//!
//! The replicas of the person and of the one who watches are in this process: what a browser needs to draw it all is not in it
//! (`tests/browser/latency.mjs` measures that).

mod support {
    pub mod http;
    pub mod latency;
    pub mod person;
    pub mod server;
    pub mod table;
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::http::Http;
use support::person::{Person, Seen};
use support::server::Server;

const ROWS: usize = 5_000;
const WRITERS: usize = 50;
const CELLS: usize = 10_000;

fn main() {
    // More threads than replicas: one that is busy with a large frame must not stand in the way of another.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let server = Server::start(&[]);
    let mut here = Person::at_a_table(&server, ROWS).await;
    let mut elsewhere = Person::at_a_table(&server, ROWS).await;
    let table = server.http(&format!("/v1/tables/{}", here.document.id()));
    println!("{WRITERS} writers of {CELLS} cells each, into a table of {ROWS} x 10\n");
    Seen::heading();
    here.quiet("nobody else writes").await;
    let cpu = server.cpu();
    let writing = tokio::task::spawn_blocking(move || write_all(&table));
    tokio::join!(
        here.until("meanwhile, in that very table", &writing),
        elsewhere.until("meanwhile, in another table", &writing),
    );
    let spent = writing.await.expect("no writer panics");
    let cpu = server.cpu() - cpu;
    here.quiet("nobody else writes any more").await;
    let cells = (WRITERS * CELLS) as f64;
    println!(
        "\n{:.1} s: {:.0} cells a second, {:.1} us of CPU of the server each",
        spent.as_secs_f64(),
        cells / spent.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / cells,
    );
}

/// Lets all write at once; how long it took until the last one was answered.
fn write_all(table: &str) -> Duration {
    let rows = row_ids(table);
    let bodies: Vec<String> = (0..WRITERS).map(|writer| body(&rows, writer)).collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for body in bodies {
            scope.spawn(|| Http::new().send(&format!("{table}/batch"), "application/json", body));
        }
    });
    began.elapsed()
}

fn row_ids(table: &str) -> Vec<String> {
    let (http, mut ids, mut cursor) = (Http::new(), Vec::new(), String::new());
    loop {
        let page = http.get(&format!("{table}/rows?limit=1000&fields=Column%200{cursor}"));
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let rows = page["rows"].as_array().expect("a list");
        ids.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

/// One request: all cells of a part of the rows. Each writer begins at another row; the first one is the person's.
fn body(rows: &[String], writer: usize) -> String {
    let rows = &rows[1..];
    let first = rows.len() / WRITERS * writer;
    let edit = |cell: usize| {
        let (row, column) = (&rows[(first + cell / 10) % rows.len()], cell % 10);
        let number = writer * CELLS + cell;
        let value = match column {
            0..4 => json!(format!("writer {writer} {cell}")),
            4..8 => json!(number),
            _ => json!(number.is_multiple_of(3)),
        };
        json!({ "op": "setCell", "row": row, "column": format!("Column {column}"), "value": value })
    };
    json!({ "edits": (0..CELLS).map(edit).collect::<Vec<_>>() }).to_string()
}
