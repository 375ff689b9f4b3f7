//! Clean-up in a running server: what was deleted long ago goes, for everybody who has the table open.

use std::sync::Arc;
use std::time::Duration;

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjType, ROOT};
use rand::{SeedableRng, rngs::SmallRng};
use roundtable::client::{Client, ConnectOptions};
use roundtable::document::table::batch::{self, EditFailed};
use roundtable::document::table::{CellEdit, Stamp, TableEdit, TableIndex};
use roundtable::id::DocumentId;
use roundtable::server::config::Config;
use roundtable::server::start::start_on;
use roundtable::store::memory::MemoryEngine;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(20);

fn edit(document: &mut Automerge, at: i64, make: impl FnOnce(&TableIndex) -> Vec<TableEdit>) {
    let index = TableIndex::build(document).unwrap();
    let stamp = Stamp { at, by: "ada".into() };
    let mut rng = SmallRng::seed_from_u64(1);
    let edits = make(&index);
    document
        .transact::<_, _, EditFailed>(|tx| batch::edit(tx, &index, &edits, &stamp, &mut rng))
        .unwrap();
}

/// A table of two columns and three rows, as a front end makes it.
fn stock() -> Automerge {
    let mut document = Automerge::new();
    let made = document.transact::<_, _, AutomergeError>(|tx| {
        tx.put(ROOT, "type", "table")?;
        tx.put(ROOT, "schemaVersion", 1)?;
        tx.put(ROOT, "title", "Stock")?;
        let columns = tx.put_object(ROOT, "columns", ObjType::Map)?;
        for (id, order) in [("citem", "a0"), ("ccount", "a1")] {
            let column = tx.put_object(&columns, id, ObjType::Map)?;
            tx.put(&column, "name", id)?;
            tx.put(&column, "kind", "text")?;
            tx.put(&column, "order", order)?;
        }
        let blocks = tx.put_object(ROOT, "blocks", ObjType::Map)?;
        let block = tx.put_object(&blocks, "b", ObjType::Map)?;
        for (id, order) in [("b.bolt", "a0"), ("b.nut", "a1"), ("b.washer", "a2")] {
            let row = tx.put_object(&block, id, ObjType::Map)?;
            tx.put(&row, "order", order)?;
            tx.put(&row, "citem", id)?;
            tx.put(&row, "ccount", "1")?;
        }
        Ok(())
    });
    made.unwrap();
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_before_the_retention_time_goes_for_everybody() {
    let mut config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        demo: false,
        ..Config::default()
    };
    // Zero once made the timer of the clean-up panic, and nothing was cleaned any more.
    config.tables.clean_every = Duration::ZERO;
    let server = start_on(config, Arc::new(MemoryEngine::default())).await.unwrap();

    let mut document = stock();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let long_ago = now - 31 * 24 * 60 * 60 * 1000;
    edit(&mut document, long_ago, |index| {
        vec![
            TableEdit::DeleteRows(vec![index.live()[0].id.clone()]),
            TableEdit::DeleteColumn(index.columns()[1].id.clone()),
        ]
    });
    edit(&mut document, now, |index| {
        vec![TableEdit::DeleteRows(vec![index.live()[0].id.clone()])]
    });
    let item = TableIndex::build(&document).unwrap().columns()[0].id.clone();

    let client = Client::connect(&format!("ws://{}/sync", server.address), ConnectOptions::default())
        .await
        .unwrap();
    let open = client
        .attach(&DocumentId::from_uuid(uuid::Uuid::new_v4()), document)
        .unwrap();
    open.saved(LIMIT).await.unwrap();
    let left = open.until("purged", LIMIT, |replica| {
        let index = TableIndex::build(replica.document()).ok()?;
        (index.columns().len() == 1 && index.rows().len() == 2).then_some(index)
    });
    let left = left.await.expect("the deleted row and column are purged");
    assert_eq!(left.live().len(), 1, "what was deleted lately is still there, marked");
    // The table goes on as before.
    let row = left.live()[0].id.clone();
    open.edit::<_, EditFailed>(|tx| {
        let cell = TableEdit::Cell {
            row,
            column: item,
            edit: CellEdit::Set(json!("washers")),
        };
        let stamp = Stamp {
            at: now,
            by: "ada".into(),
        };
        batch::edit(tx, &left, &[cell], &stamp, &mut SmallRng::seed_from_u64(3))
    })
    .unwrap();
    open.saved(LIMIT).await.unwrap();
}
