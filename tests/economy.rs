//! What the server sends and holds is in proportion to what was done: an edit of one cell is one small frame for each
//! observer, also right after an import, when most of the document's history is new.
//!
//! Left to itself the sync library ships the whole table with the next edit when a peer was caught up in one great step:
//! 227,602 bytes for one cell.

use std::sync::Arc;
use std::time::Duration;

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::document::import::{Import, new_document};
use roundtable::document::sheet::{self, Format, Limits};
use roundtable::document::table::{CreateError, Plan, Stamp, TableIndex, create};
use roundtable::id::DocumentId;
use roundtable::server::config::Config;
use roundtable::server::start::{self, Running};
use roundtable::store::memory::MemoryEngine;

const LIMIT: Duration = Duration::from_secs(60);

/// What a frame with one cell may take, in bytes.
const MOST: u64 = 1024;

/// A server on a disk in memory, and the frames it has sent.
struct House {
    running: Running,
    frames: u64,
    bytes: u64,
}

impl House {
    async fn start() -> Self {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            demo: false,
            ..Config::default()
        };
        let running = start::start_on(config, Arc::new(MemoryEngine::new())).await.unwrap();
        Self {
            running,
            frames: 0,
            bytes: 0,
        }
    }

    async fn connect(&self) -> Client {
        let url = format!("ws://{}/sync", self.running.address);
        Client::connect(&url, ConnectOptions::default()).await.unwrap()
    }

    /// The frames and bytes sent since the last call.
    fn sent(&mut self) -> (u64, u64) {
        let metrics = &self.running.server.metrics;
        let (frames, bytes) = (metrics.frames_out.get(), metrics.bytes_out.get());
        let since = (frames - self.frames, bytes - self.bytes);
        (self.frames, self.bytes) = (frames, bytes);
        since
    }
}

/// A table of 2,000 rows and ten columns, in the changes that an import makes or all in one.
fn import(in_one_change: bool) -> Automerge {
    let header = (0..10).map(|n| format!("Column {n}")).collect::<Vec<_>>().join(",");
    let line = |row: i64| {
        (0..10)
            .map(|column| (row * column).to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let lines: Vec<String> = std::iter::once(header).chain((0..2_000).map(line)).collect();
    let sheet = sheet::read(lines.join("\n").as_bytes(), Format::Csv, None, &Limits::default()).unwrap();
    let import = Import::new_table(sheet, &[]).unwrap();
    if !in_one_change {
        return new_document("Prices", import, SmallRng::seed_from_u64(1)).unwrap();
    }
    let edits: Vec<_> = import
        .slices(SmallRng::seed_from_u64(1))
        .flat_map(|slice| slice.edits)
        .collect();
    let stamp = Stamp {
        at: 0,
        by: String::new(),
    };
    // Planned on a table that is still empty, and written together with it.
    let mut empty = Automerge::new();
    empty
        .transact(|tx| create(tx, "Prices"))
        .map_err(|failure| failure.error)
        .unwrap();
    let index = TableIndex::build(&empty).unwrap();
    let plan = Plan::new(&empty, &index, &edits, &stamp, &mut SmallRng::seed_from_u64(2)).unwrap();
    let mut document = Automerge::new();
    let done = document.transact(|tx| {
        create(tx, "Prices")?;
        Ok::<_, CreateError>(plan.write(tx)?)
    });
    done.map_err(|failure| failure.error).unwrap();
    document
}

/// The map of the first row, and the key of its first cell.
fn a_cell(document: &Document) -> (ObjId, String) {
    let map = |document: &Automerge, parent: &ObjId, key: &str| document.get(parent, key).unwrap().unwrap().1;
    document.look(|replica| {
        let document = replica.document();
        let blocks = map(document, &ROOT, "blocks");
        let block = map(document, &blocks, &document.keys(&blocks).next().unwrap());
        let row = map(document, &block, &document.keys(&block).next().unwrap());
        assert_eq!(document.object_type(&row).unwrap(), ObjType::Map);
        let cell = document.keys(&row).find(|key| key.starts_with('c')).unwrap();
        (row, cell)
    })
}

/// Ada imports a table; Grace had the document open meanwhile; Bob comes when it is there. Then Ada edits one cell.
async fn one_edit_after_an_import(in_one_change: bool) {
    let mut house = House::start().await;
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    let (ada, grace, bob) = (house.connect().await, house.connect().await, house.connect().await);
    let with_grace = grace.document(&id);
    let with_ada = ada.attach(&id, import(in_one_change)).unwrap();
    with_ada.saved(LIMIT).await.unwrap();
    with_grace.supplied(LIMIT).await.unwrap();
    let with_bob = bob.find(&id, LIMIT).await.unwrap();
    let everywhere = [&with_ada, &with_grace, &with_bob];
    // What every client says last is heard before the edit that it is about to see.
    for (n, document) in everywhere.iter().enumerate() {
        document
            .edit::<_, AutomergeError>(|tx| tx.put(ROOT, format!("ready {n}"), true))
            .unwrap();
        document.saved(LIMIT).await.unwrap();
    }
    converge(&everywhere).await;

    let (row, cell) = a_cell(&with_ada);
    let mut sent = Vec::new();
    // A client may answer late what it heard before, and is answered in turn: that is not the edit's.
    for value in 7..10 {
        house.sent();
        with_ada
            .edit::<_, AutomergeError>(|tx| tx.put(&row, &cell, value))
            .unwrap();
        with_ada.saved(LIMIT).await.unwrap();
        converge(&everywhere).await;
        let (frames, bytes) = house.sent();
        println!("one cell after an import (in one change: {in_one_change}): {bytes} bytes in {frames} frames");
        sent.push((frames, bytes));
    }
    sent.sort_unstable();
    let (frames, bytes) = sent[1];
    assert_eq!(frames, 3, "one for each, the writer included");
    assert!(bytes < 3 * MOST, "{bytes} bytes for one cell");
    assert!(house.running.drain().await);
}

/// Waits until every replica has what any of them has now. The heads of one alone would not do: it may yet be told of
/// another's edit.
async fn converge(documents: &[&Document]) {
    let heads: Vec<_> = documents
        .iter()
        .flat_map(|document| document.look(|replica| replica.heads()))
        .collect();
    for document in documents {
        let has_all =
            |replica: &roundtable::client::Replica| heads.iter().all(|head| replica.knows(head)).then_some(());
        document.until("all that anybody has", LIMIT, has_all).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_after_an_import_is_one_small_frame_for_each() {
    one_edit_after_an_import(false).await;
}

/// Other programs do not cut their imports.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_after_an_import_in_one_change_is_one_small_frame_for_each() {
    one_edit_after_an_import(true).await;
}

/// Bob's train leaves the tunnel: he has the whole table but for one cell.
#[tokio::test(flavor = "multi_thread")]
async fn who_missed_one_edit_is_sent_that_edit_and_not_the_table() {
    let mut house = House::start().await;
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    let (ada, bob) = (house.connect().await, house.connect().await);
    let with_ada = ada.attach(&id, import(false)).unwrap();
    with_ada.saved(LIMIT).await.unwrap();
    let with_bob = bob.find(&id, LIMIT).await.unwrap();
    let on_the_train = with_bob.fork();
    bob.close(LIMIT).await;
    let (row, cell) = a_cell(&with_ada);
    with_ada.edit::<_, AutomergeError>(|tx| tx.put(&row, cell, 7)).unwrap();
    with_ada.saved(LIMIT).await.unwrap();

    let bob = house.connect().await;
    house.sent();
    let with_bob = bob.attach(&id, on_the_train).unwrap();
    converge(&[&with_ada, &with_bob]).await;
    let (frames, bytes) = house.sent();
    println!("one cell that was missed: {bytes} bytes in {frames} frames");
    assert!(bytes < 2 * MOST, "{bytes} bytes in {frames} frames for one cell");
    assert!(house.running.drain().await);
}
