//! A person and somebody who watches: how long an edit takes until it is saved, and until it is seen.
//!
//! Both have a socket and a replica of their own in this process, on the same machine as the server. Each edit is made when the
//! last one has been seen, and a little later.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::time::{Duration, Instant};

use automerge::transaction::{Transactable, Transaction};
use automerge::{Automerge, AutomergeError, ObjId, ReadDoc};
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::document::table::ColumnId;
use roundtable::id::DocumentId;

use super::latency::Latencies;
use super::server::Server;
use super::table::Sample;

/// Edits when there is nothing to wait for.
const QUIET_EDITS: usize = 100;

/// Between an edit that was seen and the next one.
const PAUSE: Duration = Duration::from_millis(20);

const LIMIT: Duration = Duration::from_secs(120);

/// Somebody who edits one cell of a table again and again, and somebody who watches it.
pub struct Person {
    _clients: [Client; 2],
    pub document: Document,
    watched: Document,
    row: ObjId,
    column: ColumnId,
    number: i64,
}

#[derive(Default)]
pub struct Seen {
    saved: Latencies,
    seen: Latencies,
}

impl Person {
    /// At a table of so many rows of its own.
    pub async fn at_a_table(server: &Server, rows: usize) -> Self {
        let sample = Sample::of_rows(rows);
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

    /// Edits for a while.
    pub async fn quiet(&mut self, what: &str) {
        let mut seen = Seen::default();
        for _ in 0..QUIET_EDITS {
            self.edit(&mut seen).await;
        }
        seen.print(what);
    }

    /// Edits until something else has ended.
    pub async fn until<T>(&mut self, what: &str, other: &tokio::task::JoinHandle<T>) {
        let mut seen = Seen::default();
        while !other.is_finished() {
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
    pub async fn has_rows(&self, rows: usize) {
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
    pub fn heading() {
        println!(
            "{:<52}   {:>5}   edit to saved, p50 / p95 / max ms   edit to seen",
            "", "edits"
        );
    }

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
