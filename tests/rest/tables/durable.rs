//! No answer shows what is not on the disk.

use std::cell::Cell;

use futures_util::future::join_all;
use roundtable::store::memory::MemoryEngine;
use serde_json::json;

use crate::ask::{ask, start};
use crate::tables::stage::{Table, people};

/// The disk holds back a write; whoever looks meanwhile sees the table without it, or waits.
#[tokio::test]
async fn a_write_whose_sync_has_not_returned_is_in_no_answer() {
    let engine = MemoryEngine::default();
    let table = Table::on(start(&engine).await, people()).await;
    let ada = format!("/rows/{}", table.row("Ada").await);
    let before = table.version().await;
    let released = Cell::new(false);
    let secret = "nobody may see this yet";
    engine.hold_syncs();
    let write = async {
        let written = table.patch(&ada, json!({ "cells": { "Name": secret } })).await.is(204);
        assert!(released.get(), "answered before it was on the disk");
        written.header("etag").trim_matches('"').to_owned()
    };
    let look = async {
        let holding = engine.clone();
        tokio::task::spawn_blocking(move || holding.wait_for_held_sync())
            .await
            .unwrap();
        let cell = format!("{ada}/cells/Name");
        let paths = [
            "",
            "/rows",
            "/rows?sort=Name",
            "/columns",
            "/views",
            "/conflicts",
            &ada,
            &cell,
        ];
        let (table_of, released_yet, version) = (&table, &released, &before);
        let reads = paths.iter().map(|path| async move {
            let answer = table_of.get(path).await.is(200);
            let shows = answer.text().contains(secret) || !answer.text().contains(version);
            assert!(released_yet.get() || !shows, "{path} gave it away: {}", answer.text());
        });
        // A refusal is made from the table as it is, and says what its version is.
        let refused = async {
            let seen = format!("if-match: \"{before}\"\r\n");
            table
                .ask("PATCH", &ada, &seen, json!({ "cells": { "Name": "x" } }))
                .await
                .is(412);
            assert!(released.get(), "a refusal gave it away");
        };
        let release = async {
            for _ in 0..20 {
                ask(&table.server, "GET", "/healthz", "", "").await.is(200);
            }
            released.set(true);
            engine.release_syncs();
        };
        tokio::join!(join_all(reads), refused, release);
    };
    let (version, ()) = tokio::join!(write, look);
    assert_eq!(table.version().await, version);
    assert_eq!(table.column("Name", "limit=1").await, [json!(secret)]);
}
