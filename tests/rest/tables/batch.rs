//! A batch is one change or nothing.

use serde_json::{Value, json};

use crate::tables::stage::Table;

#[tokio::test]
async fn edits_of_every_kind_are_one_change() {
    let table = Table::of_people().await;
    let (ada, ben) = (table.row("Ada").await, table.row("Ben").await);
    let eve = table.row("Eve").await;
    let before = table.changes().await;
    let edits = json!([
        { "op": "setTitle", "title": "Team" },
        { "op": "addColumn", "column": { "name": "Level", "kind": "select", "options": [{ "id": "l1", "name": "Low" }], "at": "start" } },
        { "op": "setCell", "row": ada, "column": "Level", "value": "l1" },
        { "op": "insertRows", "rows": [{ "id": "b.dan", "cells": { "Name": "Dan", "Level": "l1" } }, {}], "at": { "before": ada } },
        { "op": "setCell", "row": "b.dan", "column": "Amount", "value": 1 },
        { "op": "incrementCell", "row": eve, "column": "Visits", "by": 4 },
        { "op": "spliceCell", "row": eve, "column": "Notes", "at": 0, "insert": "Hi" },
        { "op": "addIds", "row": eve, "column": "Tags", "ids": ["x", "y"] },
        { "op": "removeIds", "row": eve, "column": "Tags", "ids": ["y"] },
        { "op": "moveRows", "rows": [eve], "to": "start" },
        { "op": "deleteRows", "rows": [ben] },
        { "op": "restoreRows", "rows": [ben] },
        { "op": "renameColumn", "column": "Amount", "name": "Sum" },
        { "op": "resizeColumn", "column": "Sum", "width": 90 },
        { "op": "setOptions", "column": "Level", "options": [{ "id": "l1", "name": "Low" }, { "name": "High" }] },
        { "op": "moveColumn", "column": "Sum", "to": { "after": "Level" } },
        { "op": "setKind", "column": "Visits", "kind": "number" },
        { "op": "deleteColumn", "column": "State" },
        { "op": "createView", "view": { "name": "Rich", "sort": [{ "column": "Sum", "descending": true }] } },
    ]);
    let done = table.post("/batch", json!({ "edits": edits })).await.is(200).json();
    assert_eq!(table.changes().await, before + 1);
    let outcomes = done["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), edits.as_array().unwrap().len());
    assert_eq!(outcomes[0], json!({}));
    assert_eq!(outcomes[1]["column"], table.column_id("Level").await);
    assert_eq!(
        (&outcomes[3]["rows"][0], outcomes[3]["rows"].as_array().unwrap().len()),
        (&json!("b.dan"), 2)
    );
    assert_eq!(
        (
            &outcomes[14]["options"][0],
            outcomes[14]["options"].as_array().unwrap().len()
        ),
        (&json!("l1"), 2)
    );
    let view = outcomes[18]["view"].as_str().unwrap();
    assert_eq!(done["version"], table.version().await);

    let head = table.get("").await.json();
    assert_eq!(head["title"], "Team");
    let names: Vec<&Value> = head["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Level", "Sum", "Name", "Notes", "Visits", "Tags"]);
    let rows = table.rows("").await;
    let names: Vec<&Value> = rows.iter().map(|row| &row["cells"]["Name"]).collect();
    assert_eq!(
        names,
        [&json!("Eve"), &json!("Dan"), &Value::Null, &json!("Ada"), &json!("Ben")]
    );
    assert_eq!(
        rows[0]["cells"],
        json!({ "Sum": 20, "Name": "Eve", "Notes": "Hi", "Visits": 7, "Tags": ["x"] })
    );
    assert_eq!(
        table.column("Name", &format!("view={view}&limit=2")).await,
        ["Ada", "Eve"]
    );
}

#[tokio::test]
async fn a_batch_with_one_bad_edit_does_nothing() {
    let table = Table::of_people().await;
    let (row, before, document) = (table.row("Ada").await, table.version().await, table.document().await);
    let good = || json!({ "op": "setCell", "row": row, "column": "Amount", "value": 1 });
    for (bad, status, code, field, part) in [
        (
            json!({ "op": "setCell", "row": row, "column": "Amount", "value": "x" }),
            422,
            "refused",
            "/edits/2",
            "expected a number",
        ),
        (
            json!({ "op": "setCell", "row": row, "column": "Salary", "value": 1 }),
            422,
            "refused",
            "/edits/2/column",
            "there is no column \"Salary\"",
        ),
        (
            json!({ "op": "setCell", "row": "b.none", "column": "Amount", "value": 1 }),
            422,
            "refused",
            "/edits/2",
            "there is no row b.none",
        ),
        (
            json!({ "op": "setCell", "row": "none", "column": "Amount", "value": 1 }),
            422,
            "refused",
            "/edits/2/row",
            "not a row id",
        ),
        (
            json!({ "op": "insertRows", "rows": [{}, { "cells": { "Amount": [] } }] }),
            422,
            "refused",
            "/edits/2/rows/1/cells/Amount",
            "expected a number",
        ),
        (
            json!({ "op": "deleteRows", "rows": [row, "x"] }),
            422,
            "refused",
            "/edits/2/rows/1",
            "not a row id",
        ),
        (
            json!({ "op": "moveRows", "rows": [row], "to": { "after": row } }),
            422,
            "refused",
            "/edits/2",
            "is moved itself",
        ),
        (
            json!({ "op": "deleteView", "view": "v1" }),
            422,
            "refused",
            "/edits/2",
            "there is no view v1",
        ),
        (
            json!({ "op": "changeView", "view": "v1", "change": {} }),
            422,
            "refused",
            "/edits/2/view",
            "there is no view v1",
        ),
        (
            json!({ "op": "createView", "view": { "name": "x", "sort": [{ "column": "Salary" }] } }),
            422,
            "refused",
            "/edits/2/view/sort/0/column",
            "Salary",
        ),
        (
            json!({ "op": "createView", "view": { "name": "x", "at": "end" } }),
            422,
            "refused",
            "/edits/2/view/at",
            "moveView",
        ),
        (
            json!({ "op": "setcell" }),
            400,
            "bad-body",
            "/edits/2/op",
            "unknown variant `setcell`",
        ),
        (
            json!({ "op": "setCell", "row": row, "column": "Amount" }),
            400,
            "bad-body",
            "/edits/2",
            "missing field `value`",
        ),
        (
            json!({ "op": "setTitle", "title": "x", "name": "y" }),
            400,
            "bad-body",
            "/edits/2",
            "unknown field `name`",
        ),
    ] {
        let refused = table.post("/batch", json!({ "edits": [good(), good(), bad] })).await;
        let why = refused.refuses(status, code, Some(field));
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(table.version().await, before);
    assert_eq!(table.document().await, document);
    let empty = table.post("/batch", json!({ "edits": [] })).await.is(200).json();
    assert_eq!((&empty["outcomes"], &empty["version"]), (&json!([]), &json!(before)));
}

#[tokio::test]
async fn a_batch_of_500_cells_is_one_change_and_a_heavier_one_is_several() {
    let table = Table::of_people().await;
    let row = table.row("Ada").await;
    let set = json!({ "op": "setCell", "row": row, "column": "Amount", "value": 1 });
    let one = table.post("/batch", json!({ "edits": vec![set.clone(); 500] })).await;
    assert!(one.is(200).json()["outcomes"].is_array());
    let several = table.post("/batch", json!({ "edits": vec![set.clone(); 501] })).await;
    assert_eq!(several.is(200).json()["slices"], 2);
    let before = table.version().await;
    let many = json!({ "edits": vec![json!({ "op": "deleteView", "view": "v" }); 100_001] });
    table
        .post("/batch", many)
        .await
        .refuses(413, "too-large", Some("/edits"));
    assert_eq!(table.version().await, before);
}

/// What a batch changes is what `If-Match` looks at.
#[tokio::test]
async fn a_batch_made_from_an_older_version_is_done_if_it_touches_other_things() {
    let table = Table::of_people().await;
    let (ada, ben) = (table.row("Ada").await, table.row("Ben").await);
    let seen = format!("if-match: \"{}\"\r\n", table.version().await);
    table
        .patch(&format!("/rows/{ada}"), json!({ "cells": { "Amount": 1 } }))
        .await
        .is(204);
    let set = |row: &str| json!({ "edits": [{ "op": "setCell", "row": row, "column": "Amount", "value": 2 }] });
    table.ask("POST", "/batch", &seen, set(&ben)).await.is(200);
    table
        .ask("POST", "/batch", &seen, set(&ada))
        .await
        .refuses(412, "version-changed", None);
    assert_eq!(table.column("Amount", "").await, [json!(1), json!(2), json!(20)]);
}
