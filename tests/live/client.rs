//! The client of the live door at a server: it holds the table as everybody else does, whatever it and they do.

use std::sync::Arc;

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ROOT, ReadDoc};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::client::live::{
    BatchItem, Cursor, Edit, Event, Happened, LiveClient, LiveError, LiveOptions, LiveTable, RecordEdit, Row, Scope,
    Table,
};
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::document::table::RowId;
use roundtable::id::DocumentId;
use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use roundtable::wire::table::Place;
use serde_json::{Value, json};

use crate::guest::{self, LIMIT, rest, start};

/// Somebody who comes to a server.
pub async fn come(server: &Running, name: &str) -> LiveClient {
    let url = format!("ws://{}/live", server.address);
    LiveClient::connect(&url, LiveOptions::new(name)).await.unwrap()
}

pub fn id(table: &guest::Table) -> DocumentId {
    DocumentId::parse(&table.id).unwrap()
}

fn row(table: &guest::Table, number: usize) -> RowId {
    RowId::parse(&table.rows[number]).unwrap()
}

/// Rows with their cells, as REST gives them.
async fn as_rest_has_it(server: &Running, table: &guest::Table, query: &str) -> Vec<(String, Value)> {
    let (status, page) = rest(
        server,
        "GET",
        &format!("/tables/{}/rows?limit=1000{query}", table.id),
        Value::Null,
    )
    .await;
    assert_eq!(status, 200, "{page}");
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row["cells"].clone()))
        .collect()
}

fn as_shown(table: &Table) -> Vec<(String, Value)> {
    let row = |row: &Arc<Row>| (row.id.to_string(), json!(row.cells));
    table.rows.iter().map(row).collect()
}

async fn shows(table: &LiveTable, expected: &[(String, Value)]) {
    let look = |shown: &Table| (shown.unsaved == 0 && as_shown(shown) == expected).then_some(());
    if let Err(error) = table.until("showing what all have", LIMIT, look).await {
        assert_eq!(as_shown(&table.shown()), expected, "{error}");
    }
}

/// One thing that somebody does at the live door; none if there is nothing to do it to.
fn act(table: &LiveTable, columns: &guest::Table, random: &mut SmallRng, number: i64) -> Option<Edit> {
    let shown = table.shown();
    let some = shown.rows.choose(random).map(|row| row.id.clone());
    let edit = match (random.random_range(0..10), some) {
        (0..2, _) | (_, None) => {
            let at = match random.random_range(0..3) {
                0 => Place::Start,
                1 => Place::Index(random.random_range(0..3)),
                _ => Place::End,
            };
            table.edit(RecordEdit::create([("Name", json!(format!("new {number}")))]).at(at))
        }
        (2, Some(row)) => table.delete(&row),
        (3, Some(row)) => {
            let create = RecordEdit::create([("N", json!(number))]).at(Place::After(row.to_string()));
            let write = RecordEdit::update(&row, [("N", Value::Null)]);
            table.batch(vec![BatchItem::Record(create), BatchItem::Record(write)])
        }
        (_, Some(row)) => table.update(&row, [(columns.number.as_str(), json!(number))]),
    };
    Some(edit.unwrap())
}

/// Writes a number at the sync door.
fn write(document: &Document, row: &str, column: &str, number: i64) {
    let block = row.split('.').next().unwrap();
    let put = |tx: &mut automerge::transaction::Transaction<'_>| {
        let row = ["blocks", block, row].iter().try_fold(ROOT, |object, name| {
            Ok::<_, AutomergeError>(tx.get(&object, *name)?.expect("it is there").1)
        })?;
        tx.put(&row, column, number)
    };
    document.edit::<_, AutomergeError>(put).unwrap();
}

/// Answers may say no: a row was deleted by somebody else a moment ago. All of them come.
async fn answered(edits: Vec<Edit>) -> usize {
    let mut saved = 0;
    for mut edit in edits {
        match edit.saved(LIMIT).await {
            Ok(_) => saved += 1,
            Err(LiveError::Rejected(why)) => assert!(
                matches!(
                    why.code.as_str(),
                    "deleted" | "refused" | "version-changed" | "not-found"
                ),
                "{why}"
            ),
            Err(error) => panic!("{error}"),
        }
    }
    saved
}

#[tokio::test(flavor = "multi_thread")]
async fn all_doors_hold_the_same_table_in_the_end() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let server = start(&MemoryEngine::new()).await;
    let table = guest::table(&server, 12).await;
    let (ada, bob) = (come(&server, "ada").await, come(&server, "bob").await);
    let ours = ada.subscribe(&id(&table), Scope::whole_table(), LIMIT).await.unwrap();
    let window = bob.subscribe(&id(&table), Scope::rows(3, 6), LIMIT).await.unwrap();
    let url = format!("ws://{}/sync", server.address);
    let zoe = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let document = zoe.find(&id(&table), LIMIT).await.unwrap();

    let mut edits = Vec::new();
    for number in 0..150 {
        match random.random_range(0..3) {
            0 => edits.extend(act(&ours, &table, &mut random, number)),
            1 => edits.extend(act(&window, &table, &mut random, number)),
            _ => write(
                &document,
                table.rows.choose(&mut random).unwrap(),
                &table.number,
                number,
            ),
        }
        if random.random_bool(0.2) {
            tokio::task::yield_now().await;
        }
        if random.random_bool(0.05) {
            ada.settled(LIMIT).await.unwrap();
        }
    }
    document.saved(LIMIT).await.unwrap();
    let saved = answered(edits).await;
    assert!(saved > 50, "{saved} were saved");

    let all = as_rest_has_it(&server, &table, "").await;
    shows(&ours, &all).await;
    let (from, upto) = (3.min(all.len()), 9.min(all.len()));
    shows(&window, &all[from..upto]).await;
    assert_eq!(window.shown().row_count, all.len());
    let read = |replica: &roundtable::client::Replica| {
        let read = roundtable::document::table::Table::read(replica.document()).unwrap();
        let live = read.rows.iter().filter(|row| row.deleted.is_none());
        let ids: Vec<_> = live.map(|row| row.id.to_string()).collect();
        ids.iter().eq(all.iter().map(|(id, _)| id)).then_some(())
    };
    document.until("complete", LIMIT, read).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_what_they_saw_overwrites_nobody_unseen() {
    let server = start(&MemoryEngine::new()).await;
    let table = guest::table(&server, 2).await;
    let ada = come(&server, "ada").await;
    let ours = ada.subscribe(&id(&table), Scope::whole_table(), LIMIT).await.unwrap();
    let first = row(&table, 0);
    // Several in a row, none of which waits for the one before: no conflicts of somebody with themselves.
    let edits = (1..=20).map(|number| ours.update(&first, [("N", json!(number))]).unwrap());
    for mut edit in edits.collect::<Vec<_>>() {
        assert!(!edit.saved(LIMIT).await.unwrap().merged);
    }
    let (_, conflicts) = rest(&server, "GET", &format!("/tables/{}/conflicts", table.id), Value::Null).await;
    assert_eq!(conflicts["cells"], json!([]), "{conflicts}");

    let (status, _) = guest::set(&server, &table, 0, 99).await;
    assert_eq!(status, 204);
    let look = |shown: &Table| (shown.cell(&first, "N") == Some(&json!(99))).then_some(());
    ours.until("their number", LIMIT, look).await.unwrap();
    let mut over = ours
        .edit(RecordEdit::update(&first, [("N", json!(100))]).overwriting())
        .unwrap();
    assert!(!over.saved(LIMIT).await.unwrap().merged);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_set_back_and_said() {
    let server = start(&MemoryEngine::new()).await;
    let table = guest::table(&server, 2).await;
    let ada = come(&server, "ada").await;
    let ours = ada.subscribe(&id(&table), Scope::whole_table(), LIMIT).await.unwrap();
    let first = row(&table, 0);
    let mut wrong = ours.update(&first, [("N", json!("many"))]).unwrap();
    assert_eq!(ours.shown().cell(&first, "N"), Some(&json!("many")));
    let Err(LiveError::Rejected(why)) = wrong.saved(LIMIT).await else {
        panic!("a text is no number");
    };
    assert_eq!(
        (why.code.as_str(), why.field.as_deref()),
        ("refused", Some("/changes/0/newValue"))
    );
    assert_eq!(ours.shown().cell(&first, "N"), Some(&json!(0)));

    let rename = BatchItem::Op(json!({ "op": "renameColumn", "column": "N", "name": "Amount" }));
    let create = BatchItem::Record(RecordEdit::create([("Name", json!("last"))]));
    let mut batch = ours.batch(vec![rename, create]).unwrap();
    let saved = batch.saved(LIMIT).await.unwrap();
    assert_eq!(saved.made.len(), 2);
    let look = |shown: &Table| (shown.column("Amount").is_some() && shown.rows.len() == 3).then_some(());
    ours.until("the batch", LIMIT, look).await.unwrap();
    let nowhere = DocumentId::from_uuid(uuid::Uuid::from_u128(5));
    let Err(LiveError::Refused { why, .. }) = ada.subscribe(&nowhere, Scope::whole_table(), LIMIT).await else {
        panic!("there is no such table");
    };
    assert_eq!(why.code, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_each_other_come_point_and_go() {
    let server = start(&MemoryEngine::new()).await;
    let table = guest::table(&server, 2).await;
    let (ada, bob) = (come(&server, "ada").await, come(&server, "bob").await);
    let ours = ada.subscribe(&id(&table), Scope::whole_table(), LIMIT).await.unwrap();
    let theirs = bob.subscribe(&id(&table), Scope::whole_table(), LIMIT).await.unwrap();
    let cursor = Cursor {
        record_id: table.rows[1].clone(),
        field_id: table.number.clone(),
        x: Some(0.5),
        y: None,
    };
    theirs.point(Some(cursor.clone()));
    let look = |shown: &Table| {
        let bob = shown.users.iter().find(|user| user.user_id == "bob")?;
        (bob.cursor.as_ref()? == &cursor).then_some(bob.color)
    };
    let color = ours.until("the cursor", LIMIT, look).await.unwrap();
    assert_eq!(color, bob.color());

    let mut events = ours.events();
    bob.close(LIMIT).await;
    let left = loop {
        if let Happened::To(_, Event::Left(who)) = events.next(LIMIT).await.unwrap() {
            break who;
        }
    };
    assert_eq!(left.user_id, "bob");
    assert!(ours.shown().users.iter().all(|user| user.user_id != "bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_scrolls_and_a_view_is_followed() {
    let server = start(&MemoryEngine::new()).await;
    let table = guest::table(&server, 50).await;
    let ada = come(&server, "ada").await;
    let ours = ada.subscribe(&id(&table), Scope::rows(0, 5), LIMIT).await.unwrap();
    let ids = |shown: &Table| -> Vec<String> { shown.rows.iter().map(|row| row.id.to_string()).collect() };
    assert_eq!(ids(&ours.shown()), table.rows[..5]);
    for offset in [20, 40, 48, 10] {
        ours.show(Scope::rows(offset, 5));
    }
    ours.ready(LIMIT).await.unwrap();
    assert_eq!(ids(&ours.shown()), table.rows[10..15]);

    let view = json!({ "name": "Large", "filter": [{ "column": "N", "op": "greater", "value": 39 }],
        "sort": [{ "column": "N", "descending": true }] });
    let (status, made) = rest(&server, "POST", &format!("/tables/{}/views", table.id), view).await;
    assert_eq!(status, 201, "{made}");
    let view = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    ours.show(Scope::rows(0, 3).of_view(view));
    ours.ready(LIMIT).await.unwrap();
    assert_eq!(
        (ids(&ours.shown())[0].as_str(), ours.shown().row_count),
        (table.rows[49].as_str(), 10)
    );
    let mut edit = ours.update(&row(&table, 49), [("N", json!(1))]).unwrap();
    edit.saved(LIMIT).await.unwrap();
    let look = |shown: &Table| (shown.row_count == 9 && ids(shown)[0] == table.rows[48]).then_some(());
    ours.until("leaving the view", LIMIT, look).await.unwrap();
}
