//! A walk through a table while others edit it: every row that is left alone comes once.

use std::collections::{BTreeMap, HashSet};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::tables::stage::{Table, encoded};

/// A table of rows that are there from the beginning, named by their number.
async fn numbered(rows: usize) -> Table {
    let row = |number: usize| json!({ "cells": { "Number": number, "Group": number % 3 } });
    Table::of(json!({
        "title": "Numbers",
        "columns": [{ "name": "Number", "kind": "number" }, { "name": "Group", "kind": "number" }],
        "rows": (0..rows).map(row).collect::<Vec<_>>(),
    }))
    .await
}

/// One page: the rows by id, and the cursor of the next.
async fn page(table: &Table, query: &str, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let page = table.get(&format!("/rows?{query}{cursor}")).await.is(200).json();
    let rows = page["rows"].as_array().unwrap();
    let ids = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    (ids, page["next"].as_str().map(str::to_owned))
}

async fn all(table: &Table, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let (ids, next) = page(table, query, cursor.as_deref()).await;
        found.extend(ids);
        match next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn pages_of_every_size_and_order_are_the_whole() {
    let table = numbered(50).await;
    let filter = encoded(r#"{"column":"Number","op":"less","value":40}"#);
    for query in [
        String::new(),
        "sort=-Number".into(),
        "sort=Group".into(),
        "group=Group&sort=-Number".into(),
        format!("filter={filter}"),
        format!("filter={filter}&sort=-Number"),
    ] {
        let whole = all(&table, &format!("{query}&limit=1000")).await;
        let rows = if query.contains("filter") { 40 } else { 50 };
        assert_eq!(whole.len(), rows, "{query}");
        for limit in [1, 7, 10, 50] {
            assert_eq!(
                all(&table, &format!("{query}&limit={limit}")).await,
                whole,
                "{query}, pages of {limit}"
            );
        }
    }
}

#[tokio::test]
async fn a_cursor_serves_its_own_query_alone() {
    let table = numbered(10).await;
    let (_, cursor) = page(&table, "limit=3&sort=Number", None).await;
    let cursor = cursor.unwrap();
    let (second, _) = page(&table, "limit=2&sort=Number&fields=Number", Some(&cursor)).await;
    assert_eq!(second.len(), 2, "how much is shown of the rows may change");
    for other in ["limit=3", "sort=-Number", "sort=Number&group=Group", "deleted=true"] {
        let refused = table.get(&format!("/rows?{other}&cursor={cursor}")).await;
        assert!(
            refused
                .refuses(400, "bad-query", Some("/cursor"))
                .contains("another query")
        );
    }
    let others = numbered(10).await;
    let refused = others.get(&format!("/rows?limit=3&sort=Number&cursor={cursor}")).await;
    refused.refuses(400, "bad-query", Some("/cursor"));
}

/// Between two pages somebody inserts, moves, deletes and restores other rows.
#[tokio::test]
async fn a_walk_beside_an_editor_neither_skips_nor_repeats_what_is_left_alone() {
    for seed in 0..12 {
        let mut random = SmallRng::seed_from_u64(seed);
        let table = numbered(60).await;
        let rows = all(&table, "limit=1000").await;
        let query = match seed % 3 {
            0 => String::new(),
            1 => format!("filter={}", encoded(r#"{"column":"Number","op":"isNotEmpty"}"#)),
            _ => "sort=Number".to_owned(),
        };
        // Every third row is edited, the others are left alone.
        let edited: Vec<String> = rows.iter().step_by(3).cloned().collect();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let limit = random.random_range(1..9);
            let (ids, next) = page(&table, &format!("{query}&limit={limit}"), cursor.as_deref()).await;
            ids.into_iter().for_each(|id| *seen.entry(id).or_default() += 1);
            let Some(next) = next else { break };
            cursor = Some(next);
            for _ in 0..random.random_range(0..4) {
                edit(&table, &edited, &mut random).await;
            }
        }
        let edited: HashSet<&String> = edited.iter().collect();
        for row in rows.iter().filter(|row| !edited.contains(row)) {
            assert_eq!(seen.get(row), Some(&1), "seed {seed}: {row} came so often");
        }
    }
}

async fn edit(table: &Table, edited: &[String], random: &mut SmallRng) {
    let row = edited.choose(random).unwrap();
    let place = match random.random_range(0..4) {
        0 => json!("start"),
        1 => json!("end"),
        2 => json!({ "index": random.random_range(0..20) }),
        _ => json!({ "index": 0 }),
    };
    let edit = match random.random_range(0..4) {
        0 => {
            json!({ "op": "insertRows", "rows": [{ "cells": { "Number": random.random_range(0..60) } }], "at": place })
        }
        1 => json!({ "op": "deleteRows", "rows": [row] }),
        2 => json!({ "op": "restoreRows", "rows": [row] }),
        _ => {
            let edits = json!([
                { "op": "restoreRows", "rows": [row] },
                { "op": "moveRows", "rows": [row], "to": place },
            ]);
            table.post("/batch", json!({ "edits": edits })).await.is(200);
            return;
        }
    };
    table.post("/batch", json!({ "edits": [edit] })).await.is(200);
}

/// The last row of a page is deleted, and with it the page's own place.
#[tokio::test]
async fn a_page_follows_a_row_that_is_gone() {
    for query in ["limit=3", "limit=3&sort=Number", "limit=3&sort=-Number"] {
        let table = numbered(9).await;
        let whole = all(&table, query).await;
        let (first, cursor) = page(&table, query, None).await;
        let gone = json!({ "edits": [{ "op": "deleteRows", "rows": [first[2], first[0], whole[3]] }] });
        table.post("/batch", gone).await.is(200);
        let (second, _) = page(&table, query, cursor.as_deref()).await;
        assert_eq!(second, &whole[4..7], "{query}");
    }
}

/// Deleted rows are listed in pages as well.
#[tokio::test]
async fn deleted_rows_come_in_pages() {
    let table = numbered(9).await;
    let rows = all(&table, "limit=9").await;
    let gone: Vec<&String> = rows.iter().step_by(2).collect();
    table
        .post("/batch", json!({ "edits": [{ "op": "deleteRows", "rows": gone }] }))
        .await
        .is(200);
    let listed = all(&table, "deleted=true&limit=2").await;
    assert_eq!(listed.iter().collect::<Vec<_>>(), gone);
    let page = table.get("/rows?deleted=true&limit=2").await.json();
    assert_eq!(
        (&page["rowCount"], &page["rows"][0]["deleted"]["by"]),
        (&json!(5), &Value::from("http"))
    );
}
