//! Every bound of the live door is hit, and answered with what it is.

use std::time::Duration;

use roundtable::store::memory::MemoryEngine;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::guest::{Guest, start, start_with, table};

async fn error(guest: &mut Guest) -> (String, String) {
    loop {
        let (kind, data) = guest.next().await.expect("it is open");
        if kind == "error" || kind == "change_rejected" {
            let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            return (text("code"), text("message"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_have_a_largest_size_and_are_text() {
    let server = start_with(&MemoryEngine::new(), |config| config.live.message_bytes = 1_000).await;
    let mut large = Guest::come(&server, "large").await;
    large.send(Message::text("x".repeat(1_001))).await;
    assert_eq!(large.closed().await, Some(1009));
    let mut binary = Guest::come(&server, "binary").await;
    binary.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(binary.closed().await, Some(1003));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_does_not_say_who_they_are_is_closed() {
    let server = start_with(&MemoryEngine::new(), |config| {
        config.sweep.every = Duration::from_millis(20);
        config.sweep.join_timeout = Duration::from_millis(100);
    })
    .await;
    let mut stranger = Guest::stranger(&server).await;
    stranger.say("heartbeat", json!({})).await;
    assert_eq!(error(&mut stranger).await.0, "not-authenticated");
    assert_eq!(stranger.closed().await, Some(4408));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_connection_of_a_device_holds() {
    let server = start(&MemoryEngine::new()).await;
    let mut first = Guest::come(&server, "ada").await;
    let mut second = Guest::come(&server, "ada").await;
    assert_eq!(first.closed().await, Some(4409));
    assert!(second.until_now().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_windows_and_panes_are_bounded() {
    let server = start_with(&MemoryEngine::new(), |config| {
        config.live.subscriptions = 2;
        config.live.window_rows = 10;
        config.live.panes = 2;
    })
    .await;
    let tables = [
        table(&server, 5).await,
        table(&server, 1).await,
        table(&server, 1).await,
    ];
    let mut ada = Guest::come(&server, "ada").await;
    ada.follow(&tables[0]).await;
    ada.follow(&tables[1]).await;
    ada.say("subscribe_to_table", json!({ "tableId": tables[2].id })).await;
    assert_eq!(error(&mut ada).await.0, "too-many");
    // A table that is followed already may be followed otherwise.
    for (offset, limit) in [(0, 11), (0, 0)] {
        let window = json!({ "offset": offset, "limit": limit });
        ada.say(
            "subscribe_to_table",
            json!({ "tableId": tables[0].id, "window": window }),
        )
        .await;
        let (code, why) = error(&mut ada).await;
        assert_eq!(code, "bad-message");
        assert!(why.contains("1 to 10 rows"), "{why}");
    }
    let mut grace = Guest::come(&server, "grace").await;
    let mut eve = Guest::come(&server, "eve").await;
    let window = |offset| json!({ "tableId": tables[0].id, "window": { "offset": offset, "limit": 2 } });
    grace.say("subscribe_to_table", window(0)).await;
    grace.hear("table_snapshot").await;
    eve.say("subscribe_to_table", window(1)).await;
    let (code, why) = error(&mut eve).await;
    assert_eq!(code, "busy");
    assert!(why.contains("(2)"), "{why}");
    // The same window as somebody else's is shared.
    eve.say("subscribe_to_table", window(0)).await;
    eve.hear("table_snapshot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_changes_in_a_message_are_bounded() {
    let server = start_with(&MemoryEngine::new(), |config| {
        config.live.message_values = 100;
        config.live.offline_changes = 2;
    })
    .await;
    let table = table(&server, 1).await;
    let mut ada = Guest::come(&server, "ada").await;
    ada.send(Message::text(format!(
        r#"{{"type": "heartbeat", "data": [{}1]}}"#,
        "1,".repeat(200)
    )))
    .await;
    assert_eq!(error(&mut ada).await.0, "too-large");
    let change = |n: u32| {
        json!({
            "changeId": format!("1767225600-{n}"), "type": "delete", "tableId": table.id, "recordId": table.rows[0],
        })
    };
    let three = json!({ "changes": [change(1), change(2), change(3)] });
    ada.say("sync_offline_changes", three).await;
    let (code, why) = error(&mut ada).await;
    assert_eq!(code, "too-large");
    assert!(why.contains("at most 2"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_too_many_cells_is_rejected_by_its_id() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 1).await;
    let mut ada = Guest::come(&server, "ada").await;
    let cells: Vec<_> = (0..501)
        .map(|n| json!({ "fieldId": table.number, "newValue": n }))
        .collect();
    let change = json!({
        "changeId": "1767225600-x", "type": "update", "tableId": table.id, "recordId": table.rows[0], "changes": cells,
    });
    ada.say("record_change", change).await;
    assert_eq!(error(&mut ada).await.0, "too-large");
}

/// Somebody floods the door: they are not read while too much waits, and nobody else notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_costs_its_own_socket_alone() {
    let server = start_with(&MemoryEngine::new(), |config| {
        config.live.waiting = 4;
        config.live.replies = 4;
        config.live.unconfirmed = 4;
    })
    .await;
    let table = table(&server, 3).await;
    let mut flood = Guest::come(&server, "flood").await;
    let mut grace = Guest::come(&server, "grace").await;
    let many = 2_000;
    for n in 0..many {
        let window = json!({ "offset": n % 3, "limit": 1 + n % 2 });
        flood
            .say("subscribe_to_table", json!({ "tableId": table.id, "window": window }))
            .await;
    }
    grace.follow(&table).await;
    for _ in 0..many {
        flood.hear("table_snapshot").await;
    }
    flood.until_now().await;
}
