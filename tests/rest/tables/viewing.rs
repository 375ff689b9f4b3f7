//! Pages of filtered and sorted rows while others edit: what the server keeps of a view is what going over all rows gives.
//!
//! A query with an aggregate goes over all rows each time; the same query without one is served from rows that are kept.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::tables::stage::{Table, encoded};

const STATES: [&str; 3] = ["oOpen", "oHeld", "oDone"];

async fn orders(rows: usize) -> Table {
    let row = |number: usize| json!({ "cells": { "Name": format!("order {}", number % 7), "Number": number % 10, "State": STATES[number % 3] } });
    let options = STATES.map(|id| json!({ "id": id, "name": id }));
    Table::of(json!({
        "title": "Orders",
        "columns": [
            { "name": "Name", "kind": "text" },
            { "name": "Number", "kind": "number" },
            { "name": "State", "kind": "select", "options": options },
        ],
        "rows": (0..rows).map(row).collect::<Vec<_>>(),
    }))
    .await
}

/// All that is shown of a query, but for the figures; why it is refused, if the column it names has another name by now.
async fn shown(table: &Table, query: &str) -> Value {
    let answer = table.get(&format!("/rows?{query}")).await;
    let mut page = answer.json();
    assert!(answer.status == 200 || page["code"] == "bad-query", "{page}");
    page.as_object_mut().unwrap().remove("totals");
    page
}

#[tokio::test]
async fn a_view_that_is_kept_shows_what_evaluating_it_shows() {
    let small = encoded(r#"{"column":"Number","op":"less","value":5}"#);
    for seed in 0..3 {
        let mut random = SmallRng::seed_from_u64(seed);
        let table = orders(40).await;
        let columns = [
            table.column_id("Name").await,
            table.column_id("Number").await,
            table.column_id("State").await,
        ];
        let view = json!({
            "name": "Open",
            "id": "vOpen",
            "filter": [{ "column": columns[2], "op": "notEquals", "value": "oDone" }],
            "sort": [{ "column": columns[2] }, { "column": columns[0], "descending": true }],
        });
        table.post("/views", view).await.is(201);
        for step in 0..30 {
            edit(&table, &columns, &mut random).await;
            for query in [
                "sort=-Number,Name".to_owned(),
                "sort=State&limit=7".to_owned(),
                format!("filter={small}"),
                format!("filter={small}&sort=Name&fields=State"),
                "view=vOpen".to_owned(),
                format!("view=vOpen&filter={small}&limit=5"),
            ] {
                let evaluated = format!("{query}&aggregates={}", encoded(r#"[{"op":"count"}]"#));
                let (kept, evaluated) = (shown(&table, &query).await, shown(&table, &evaluated).await);
                assert_eq!(kept, evaluated, "seed {seed}, step {step}: {query}");
            }
        }
    }
}

async fn edit(table: &Table, columns: &[String; 3], random: &mut SmallRng) {
    let rows = table.get("/rows?limit=1000&fields=").await.is(200).json();
    let ids: Vec<&str> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    let some = |random: &mut SmallRng| -> Vec<&str> {
        let count = random.random_range(1..4);
        ids.choose_multiple(random, count).copied().collect()
    };
    let [name, number, state] = columns;
    let body = match random.random_range(0..12) {
        0..4 => {
            let cell = |row: &str, random: &mut SmallRng| match random.random_range(0..3) {
                0 => json!({ "op": "setCell", "row": row, "column": name, "value": "order 3" }),
                1 => json!({ "op": "setCell", "row": row, "column": number, "value": random.random_range(0..10) }),
                _ => json!({ "op": "setCell", "row": row, "column": state, "value": STATES.choose(random) }),
            };
            some(random).into_iter().map(|row| cell(row, random)).collect()
        }
        4 => json!([{ "op": "insertRows", "rows": [{ "cells": { number.as_str(): 4 } }], "at": { "index": 3 } }]),
        5 => json!([{ "op": "deleteRows", "rows": some(random) }]),
        6 => json!([{ "op": "moveRows", "rows": some(random), "to": "start" }]),
        other => {
            let patch = match other {
                7 => json!({ "name": format!("Number {}", random.random_range(0..9)) }),
                8 => json!({ "name": "Number" }),
                9 => json!({ "at": "start", "width": random.random_range(50..200) }),
                10 => json!({ "kind": *["text", "number", "counter"].choose(random).unwrap() }),
                _ => {
                    let mut order = STATES;
                    order.rotate_left(random.random_range(0..3));
                    let options = order.map(|id| json!({ "id": id, "name": id }));
                    table
                        .patch(&format!("/columns/{state}"), json!({ "options": options }))
                        .await
                        .is(200);
                    return;
                }
            };
            table.patch(&format!("/columns/{number}"), patch).await.is(200);
            return;
        }
    };
    // A number does not fit the column while it is one of texts: then nothing is edited.
    table.post("/batch", json!({ "edits": body })).await;
}

/// More cells than are read under the lock of the document.
#[tokio::test]
async fn a_large_page_of_a_view_is_the_pages_it_is_made_of() {
    let column = |number: usize| json!({ "name": format!("Column {number}"), "kind": "number" });
    let row = |number: usize| json!({ "cells": { "Column 0": number * 37 % 600, "Column 20": number } });
    let table = Table::of(json!({
        "title": "Wide",
        "columns": (0..21).map(column).collect::<Vec<_>>(),
    }))
    .await;
    for first in [0, 200, 400] {
        let rows: Vec<Value> = (first..first + 200).map(row).collect();
        table.post("/rows", json!({ "rows": rows })).await.is(201);
    }
    for _ in 0..2 {
        let whole = shown(&table, "sort=-Column%200&limit=1000").await;
        assert_eq!(whole["rowCount"], 600);
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shown(&table, &format!("sort=-Column%200&limit=90{cursor}")).await;
            rows.extend(page["rows"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(whole["rows"], Value::from(rows));
        let first = whole["rows"][0]["id"].as_str().unwrap();
        table
            .patch(&format!("/rows/{first}"), json!({ "cells": { "Column 0": 300.5 } }))
            .await
            .is(204);
    }
}
