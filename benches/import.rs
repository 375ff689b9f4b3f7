//! What an import of 1,000,000 cells costs, and what others notice of it: two files of 50,000 x 10 over HTTP, to the real
//! server, while a person edits.
//!
//! The person and the one who watches have each a socket and a replica of their own in this process, on the same machine. Each
//! edit is made when the last one has been seen, and a little later. The first file becomes a new table, the second is appended
//! to a table that the person edits.

mod support {
    pub mod http;
    pub mod latency;
    pub mod person;
    pub mod server;
    pub mod table;
}

use std::time::{Duration, Instant};

use support::http::Http;
use support::person::{Person, Seen};
use support::server::Server;
use support::table::csv;

const ROWS: usize = 50_000;

/// Rows of the tables that are edited, before anything is imported. A table takes 50,000: the second file has so many less.
const EDITED_ROWS: usize = 100;

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
    let (first, second) = (csv(ROWS), csv(ROWS - EDITED_ROWS));
    println!(
        "two files of 50,000 x 10, {:.1} MiB each\n",
        mebibytes(first.len() as u64)
    );
    let mut other = Person::at_a_table(&server, EDITED_ROWS).await;
    let mut target = Person::at_a_table(&server, EDITED_ROWS).await;
    Seen::heading();
    other.quiet("no import, a table of 100 x 10").await;
    target.quiet("no import, the table to be appended to").await;
    let (before, cpu) = (server.resident(), server.cpu());

    let url = server.http("/v1/imports?title=First");
    let importing = tokio::task::spawn_blocking(move || import(&url, first, ROWS));
    other
        .until("meanwhile, a new table: edits in another table", &importing)
        .await;
    let as_new = importing.await.expect("the import does not panic");

    let url = server.http(&format!("/v1/tables/{}/import?mode=append", target.document.id()));
    let importing = tokio::task::spawn_blocking(move || import(&url, second, ROWS - EDITED_ROWS));
    let elsewhere = other.until("meanwhile, appended: edits in another table", &importing);
    let within = target.until("meanwhile, appended: edits in that very table", &importing);
    tokio::join!(elsewhere, within);
    let appended = importing.await.expect("the import does not panic");
    let (peak, cpu) = (server.peak(), server.cpu() - cpu);

    other.quiet("no import again, a table of 100 x 10").await;
    target.quiet("no import again, the table of 50,000 x 10").await;
    target.has_rows(ROWS).await;
    println!(
        "\nnew table: {:.2} s, appended: {:.2} s; CPU of the server for both: {:.2} s",
        as_new.as_secs_f64(),
        appended.as_secs_f64(),
        cpu.as_secs_f64()
    );
    println!(
        "memory of the server: {:.0} MiB before, {:.0} MiB at the peak",
        mebibytes(before),
        mebibytes(peak)
    );
}

/// Sends a file and waits for the answer; how long it took.
fn import(url: &str, file: String, rows: usize) -> Duration {
    let began = Instant::now();
    let answer = Http::new().send(url, "text/csv", file);
    assert_eq!(answer["rows"].as_u64(), Some(rows as u64), "{answer}");
    began.elapsed()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
