//! What an import of 1,000,000 cells costs, and what others notice of it: two files of 50,000 x 10 over HTTP, to the real
//! server, while a person edits.
//!
//! The person and the one who watches have each a socket and a replica of their own in this process, on the same machine. Each
//! edit is made when the last one has been seen, and a little later. The first file becomes a new table, the second is appended
//! to a table that the person edits.

mod support {
    pub mod http;
    pub mod latency;
    pub mod server;
    pub mod table;
}

use std::time::{Duration, Instant};

use automerge::transaction::{Transactable, Transaction};
use automerge::{Automerge, AutomergeError, ObjId, ReadDoc};
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::document::table::ColumnId;
use roundtable::id::DocumentId;
use support::http::Http;
use support::latency::Latencies;
use support::server::Server;
use support::table::{Sample, csv};

const ROWS: usize = 50_000;

/// Rows of the tables that are edited, before anything is imported. A table takes 50,000: the second file has so many less.
const EDITED_ROWS: usize = 100;

/// Edits in each table when nothing is imported.
const QUIET_EDITS: usize = 100;

/// Between an edit that was seen and the next one.
const PAUSE: Duration = Duration::from_millis(20);

const LIMIT: Duration = Duration::from_secs(120);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let server = Server::start(&[]);
    let (first, second) = (csv(ROWS), csv(ROWS - EDITED_ROWS));
    println!(
        "two files of 50,000 x 10, {:.1} MiB each\n",
        mebibytes(first.len() as u64)
    );
    let mut other = Person::at_a_table(&server).await;
    let mut target = Person::at_a_table(&server).await;
    println!(
        "{:<52}   {:>5}   edit to saved, p50 / p95 / max ms   edit to seen",
        "", "edits"
    );
    other.quiet("no import, a table of 100 x 10").await;
    target.quiet("no import, the table to be appended to").await;
    let (before, cpu) = (server.resident(), server.cpu());

    let url = server.http("/v1/imports?title=First");
    let importing = tokio::task::spawn_blocking(move || import(&url, first, ROWS));
    other
        .while_importing("meanwhile, a new table: edits in another table", &importing)
        .await;
    let as_new = importing.await.expect("the import does not panic");

    let url = server.http(&format!("/v1/tables/{}/import?mode=append", target.document.id()));
    let importing = tokio::task::spawn_blocking(move || import(&url, second, ROWS - EDITED_ROWS));
    let elsewhere = other.while_importing("meanwhile, appended: edits in another table", &importing);
    let within = target.while_importing("meanwhile, appended: edits in that very table", &importing);
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

/// Somebody who edits one cell of a table again and again, and somebody who watches it.
struct Person {
    _clients: [Client; 2],
    document: Document,
    watched: Document,
    row: ObjId,
    column: ColumnId,
    number: i64,
}

#[derive(Default)]
struct Seen {
    saved: Latencies,
    seen: Latencies,
}

impl Person {
    async fn at_a_table(server: &Server) -> Self {
        let sample = Sample::of_rows(EDITED_ROWS);
        let (editing, watching) = (connect(server).await, connect(server).await);
        let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
        let (row, column) = sample.number_cell();
        let document = editing.attach(&id, sample.document).expect("a new document");
        document.saved(LIMIT).await.expect("the server saves it");
        let watched = watching.find(&id, LIMIT).await.expect("the server has it");
        Self {
            _clients: [editing, watching],
            document,
            watched,
            row,
            column,
            number: 1_000_000_000,
        }
    }

    async fn quiet(&mut self, what: &str) {
        let mut seen = Seen::default();
        for _ in 0..QUIET_EDITS {
            self.edit(&mut seen).await;
        }
        seen.print(what);
    }

    async fn while_importing<T>(&mut self, what: &str, import: &tokio::task::JoinHandle<T>) {
        let mut seen = Seen::default();
        while !import.is_finished() {
            self.edit(&mut seen).await;
        }
        seen.print(what);
    }

    async fn edit(&mut self, latencies: &mut Seen) {
        self.number += 1;
        let began = Instant::now();
        let put = |tx: &mut Transaction<'_>| tx.put(&self.row, self.column.as_str(), self.number);
        let done = self.document.edit::<_, AutomergeError>(put);
        done.expect("the row is there");
        let saved = async {
            self.document.saved(LIMIT).await.expect("the server saves it");
            began.elapsed()
        };
        let seen = async {
            let holds = |document: &Automerge| number_at(document, &self.row, &self.column) == Some(self.number);
            let look = self
                .watched
                .until("seen", LIMIT, |replica| holds(replica.document()).then_some(()));
            look.await.expect("the edit arrives");
            began.elapsed()
        };
        let (saved, seen) = tokio::join!(saved, seen);
        latencies.saved.push(saved);
        latencies.seen.push(seen);
        tokio::time::sleep(PAUSE).await;
    }

    /// Waits until the one who watches has so many rows.
    async fn has_rows(&self, rows: usize) {
        let count = |document: &Automerge| -> usize {
            let (_, blocks) = document.get(automerge::ROOT, "blocks").ok().flatten().expect("a table");
            document
                .keys(&blocks)
                .map(|block| {
                    let (_, block) = document.get(&blocks, block).ok().flatten().expect("a block");
                    document.length(&block)
                })
                .sum()
        };
        let look = self.watched.until("complete", LIMIT, |replica| {
            (count(replica.document()) == rows).then_some(())
        });
        look.await.expect("all rows arrive");
    }
}

fn number_at(document: &Automerge, row: &ObjId, column: &ColumnId) -> Option<i64> {
    document.get(row, column.as_str()).ok()??.0.as_i64()
}

impl Seen {
    fn print(mut self, what: &str) {
        let figures = |of: &mut Latencies| format!("{:>6.1} / {:>6.1} / {:>6.1}", of.at(0.5), of.at(0.95), of.at(1.0));
        let (saved, seen) = (figures(&mut self.saved), figures(&mut self.seen));
        println!("{what:<52}   {:>5}   {saved:>34}   {seen}", self.saved.len());
    }
}

async fn connect(server: &Server) -> Client {
    let connected = Client::connect(&server.url(), ConnectOptions::default()).await;
    connected.expect("the server takes it")
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
