//! One table, several doors: what REST writes is what everybody has, and what others write is what REST shows.

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjId, ROOT, ReadDoc};
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::document::table::Table as Read;
use roundtable::id::DocumentId;
use serde_json::{Value, json};

use crate::ask::LIMIT;
use crate::tables::stage::Table;

async fn open(table: &Table) -> (Client, Document) {
    let url = format!("ws://{}/sync", table.server.address);
    let client = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let document = client
        .find(&DocumentId::parse(&table.id).unwrap(), LIMIT)
        .await
        .unwrap();
    (client, document)
}

/// The map of a row.
fn row_of(document: &impl ReadDoc, row: &str) -> ObjId {
    let block = row.split('.').next().unwrap();
    ["blocks", block, row]
        .iter()
        .fold(ROOT, |object, name| document.get(&object, *name).unwrap().unwrap().1)
}

#[tokio::test]
async fn what_is_written_over_rest_arrives_at_the_sync_door() {
    let table = Table::of_people().await;
    let (_client, document) = open(&table).await;
    let ada = table.row("Ada").await;
    let edits = json!([
        { "op": "setCell", "row": ada, "column": "Amount", "value": 99 },
        { "op": "insertRows", "rows": [{ "cells": { "Name": "Dan" } }] },
        { "op": "setTitle", "title": "Team" },
    ]);
    let done = table.post("/batch", json!({ "edits": edits })).await.is(200).json();
    let version = done["version"].as_str().unwrap().to_owned();
    let read = document
        .until("the batch", LIMIT, |replica| {
            let heads: Vec<String> = replica.heads().iter().map(ToString::to_string).collect();
            (heads.join(".") == version).then(|| Read::read(replica.document()))
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.title.as_str(), read.rows.len()), ("Team", 4));
    assert_same(&table, &read).await;
}

/// A front end writes a text into a number: it is kept, shown and marked, and nothing else suffers. (The edit that follows
/// builds on somebody else's change, which builds on one of the server's own: such edits failed once.)
#[tokio::test]
async fn a_value_of_the_wrong_kind_from_the_sync_door_is_kept_and_marked() {
    let table = Table::of_people().await;
    let (ada, amount) = (table.row("Ada").await, table.column_id("Amount").await);
    let (_client, document) = open(&table).await;
    let (row, column) = (ada.clone(), amount.clone());
    document
        .edit::<_, AutomergeError>(|tx| {
            let row = row_of(tx, &row);
            tx.put(&row, column.as_str(), "about 36")?;
            tx.put(&row, "cUnknown", 1)
        })
        .unwrap();
    document.saved(LIMIT).await.unwrap();
    let row = table.get(&format!("/rows/{ada}")).await.is(200).json();
    assert_eq!(row["cells"][&amount], "about 36");
    assert_eq!(
        row["marked"],
        json!({ amount.clone(): "a number, whole ones up to 9007199254740991" })
    );
    assert_eq!(row["cells"].get("cUnknown"), None);
    let cell = table.get(&format!("/rows/{ada}/cells/Amount")).await.is(200).json();
    assert_eq!((&cell["value"], cell["marked"].is_string()), (&json!("about 36"), true));
    let rows = table.rows("sort=Amount").await;
    assert_eq!(
        (&rows[2]["marked"]["Amount"], rows[0].get("marked")),
        (&cell["marked"], None)
    );
    // Another cell of the row can be written, and so can this one.
    table
        .patch(&format!("/rows/{ada}"), json!({ "cells": { "Name": "Ada L." } }))
        .await
        .is(204);
    table
        .patch(&format!("/rows/{ada}"), json!({ "cells": { "Amount": 36 } }))
        .await
        .is(204);
    let row = table.get(&format!("/rows/{ada}")).await.json();
    assert_eq!((row.get("marked"), &row["cells"][&amount]), (None, &json!(36)));
}

/// Two people who write the same cell at once, and one who writes into a row that another deletes.
#[tokio::test]
async fn what_people_did_at_once_is_listed() {
    let table = Table::of_people().await;
    let (ada, ben, amount) = (
        table.row("Ada").await,
        table.row("Ben").await,
        table.column_id("Amount").await,
    );
    let none = table.get("/conflicts").await.is(200).json();
    assert_eq!(
        (&none["cells"], &none["rows"], &none["columns"]),
        (&json!([]), &json!([]), &json!([]))
    );
    let (_client, document) = open(&table).await;
    let mut theirs: Automerge = document.fork();
    table
        .patch(&format!("/rows/{ada}"), json!({ "cells": { "Amount": 1 } }))
        .await
        .is(204);
    table.delete(&format!("/rows/{ben}")).await.is(204);
    theirs
        .transact::<_, _, AutomergeError>(|tx| {
            let (ada, ben) = (row_of(tx, &ada), row_of(tx, &ben));
            tx.put(&ada, amount.as_str(), 2)?;
            tx.put(&ben, amount.as_str(), 3)
        })
        .unwrap();
    let (other, id) = (ConnectOptions::default(), DocumentId::parse(&table.id).unwrap());
    let url = format!("ws://{}/sync", table.server.address);
    let other = Client::connect(&url, other).await.unwrap();
    let late = other.attach(&id, theirs).unwrap();
    late.saved(LIMIT).await.unwrap();
    let found = table.get("/conflicts").await.is(200).json();
    let mut values: Vec<i64> = found["cells"][0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    values.sort_unstable();
    assert_eq!(
        (&found["cells"][0]["row"], &found["cells"][0]["column"], values),
        (&json!(ada), &json!(amount), vec![1, 2])
    );
    assert_eq!(
        (&found["rows"][0]["row"], &found["rows"][0]["columns"]),
        (&json!(ben), &json!([amount]))
    );
    assert_eq!(found["rows"][0]["deleted"]["by"], "http");
}

/// The rows of REST are those of the document, read in another way.
async fn assert_same(table: &Table, read: &Read) {
    let page = table.get("/rows?limit=1000").await.is(200).json();
    let columns: Vec<_> = read.live_columns().collect();
    let row = |row: &roundtable::document::table::Row| {
        let cells = columns.iter().filter_map(|column| {
            let cell = row.cells.get(&column.id).filter(|cell| !cell.is_empty())?;
            Some((column.id.to_string(), cell.to_json()))
        });
        json!({ "id": row.id.as_str(), "cells": cells.collect::<serde_json::Map<_, _>>() })
    };
    let expected: Vec<Value> = read.live_rows().map(row).collect();
    assert_eq!(page["rows"], json!(expected));
}
