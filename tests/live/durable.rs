//! Durable before shown: what is not on disk is told to nobody at the live door, and what was taken back was never told.

use roundtable::store::memory::MemoryEngine;
use serde_json::json;

use crate::guest::{Guest, LIMIT, set, start, table};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_before_it_is_on_disk() {
    let engine = MemoryEngine::new();
    let server = start(&engine).await;
    let table = table(&server, 3).await;
    let mut ada = Guest::come(&server, "ada").await;
    ada.follow(&table).await;
    ada.until_now().await;

    engine.hold_syncs();
    let change = json!({
        "changeId": "1767225600-a", "type": "update", "tableId": table.id, "recordId": table.rows[0],
        "changes": [{ "fieldId": table.number, "newValue": 42 }],
    });
    let mut grace = Guest::come(&server, "grace").await;
    grace.say("record_change", change_now(change)).await;
    let engine_of = engine.clone();
    let held = tokio::task::spawn_blocking(move || engine_of.wait_for_held_sync());
    tokio::time::timeout(LIMIT, held)
        .await
        .expect("the edit is on its way")
        .unwrap();
    // Somebody comes while it waits for the disk: the snapshot has the change in it, and waits as well.
    let mut late = Guest::come(&server, "late").await;
    late.say("subscribe_to_table", json!({ "tableId": table.id })).await;
    let told = ada.until_now().await;
    assert!(told.iter().all(|(kind, _)| kind != "record_change"), "{told:?}");
    let told = grace.until_now().await;
    assert!(told.iter().all(|(kind, _)| kind != "change_accepted"), "{told:?}");

    engine.release_syncs();
    let accepted = grace.hear("change_accepted").await;
    assert_eq!(accepted["durable"], true);
    let changed = ada.hear("record_change").await;
    assert_eq!(changed["changes"], json!([{ "fieldId": table.number, "newValue": 42 }]));
    assert_eq!(
        (&changed["userId"], &changed["version"]),
        (&json!("grace"), &accepted["version"])
    );
    let snapshot = late.hear("table_snapshot").await;
    assert_eq!(snapshot["rows"][0]["cells"][&table.number], 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_the_disk_did_not_take_is_rejected_and_shown_to_nobody() {
    let engine = MemoryEngine::new();
    let server = start(&engine).await;
    let table = table(&server, 2).await;
    let mut ada = Guest::come(&server, "ada").await;
    let mut grace = Guest::come(&server, "grace").await;
    ada.follow(&table).await;
    let before = grace.follow(&table).await;
    set(&server, &table, 1, 7).await;
    ada.hear("record_change").await;
    grace.hear("record_change").await;

    engine.fail_sync_after(0);
    let change = json!({
        "changeId": "1767225600-b", "type": "update", "tableId": table.id, "recordId": table.rows[0],
        "changes": [{ "fieldId": table.number, "newValue": 42 }],
    });
    ada.say("record_change", change_now(change.clone())).await;
    let rejected = loop {
        let (kind, data) = ada.next().await.unwrap();
        assert_ne!(kind, "record_change", "{data}");
        if kind == "change_rejected" {
            break data;
        }
    };
    assert_eq!(rejected["code"], "not-saved", "{rejected}");
    // The next one is refused before it is made; reading goes on.
    let mut again = change_now(change);
    again["changeId"] = json!(format!("{}-c", now()));
    ada.say("record_change", again).await;
    loop {
        let (kind, data) = ada.next().await.unwrap();
        assert_ne!(kind, "record_change", "{data}");
        if kind == "change_rejected" {
            assert_eq!(data["code"], "read-only", "{data}");
            break;
        }
    }
    let told = grace.until_now().await;
    assert!(
        told.iter()
            .all(|(kind, _)| kind != "record_change" && kind != "batch_changes"),
        "{told:?}"
    );
    let mut late = Guest::come(&server, "late").await;
    let snapshot = late.follow(&table).await;
    assert_eq!(snapshot["rows"][0], before["rows"][0]);
    assert_eq!(snapshot["rows"][1]["cells"][&table.number], 7);
}

/// The change under an id of now.
fn change_now(mut change: serde_json::Value) -> serde_json::Value {
    let id = change["changeId"]
        .as_str()
        .unwrap()
        .rsplit('-')
        .next()
        .unwrap()
        .to_owned();
    change["changeId"] = json!(format!("{}-{id}", now()));
    change
}

fn now() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}
