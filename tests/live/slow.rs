//! A reader that does not read: nothing waits for it in memory, and what it is told in the end is the newest.

use std::time::Duration;

use futures_util::StreamExt;
use roundtable::store::memory::MemoryEngine;
use serde_json::json;

use crate::guest::{Guest, LIMIT, rest, set, start, start_with, table};

#[tokio::test(flavor = "multi_thread")]
async fn one_who_was_slow_is_told_the_newest_of_each_row() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 4).await;
    // Long texts fill the buffers of a socket that is not read.
    let long = "x".repeat(200_000);
    let mut slow = Guest::come(&server, "slow").await;
    slow.follow(&table).await;
    let mut quick = Guest::come(&server, "quick").await;
    quick.follow(&table).await;
    let edits = 120;
    for n in 0..edits {
        let cell = format!("/tables/{}/rows/{}/cells/{}", table.id, table.rows[n % 2], table.name);
        let (status, _) = rest(&server, "PATCH", &cell, json!({ "set": format!("{n} {long}") })).await;
        assert_eq!(status, 204);
        quick.hear("record_change").await;
    }
    set(&server, &table, 3, -1).await;
    // Now it reads: fewer frames than there were edits, and behind them it has the newest of each row.
    let (mut frames, mut newest) = (0, std::collections::HashMap::new());
    while !newest.contains_key(&table.rows[3]) {
        let (kind, data) = slow.next().await.expect("it is not closed");
        let changes = match kind.as_str() {
            "record_change" => vec![data],
            "batch_changes" | "missed_events" => data["changes"].as_array().unwrap().clone(),
            _ => continue,
        };
        frames += 1;
        for change in changes {
            let cell = change["changes"][0]["newValue"].clone();
            newest.insert(change["recordId"].as_str().unwrap().to_owned(), cell);
        }
    }
    assert!(frames < edits, "{frames} frames");
    for (row, n) in [(0, edits - 2), (1, edits - 1)] {
        let text = newest[&table.rows[row]].as_str().unwrap();
        assert!(text.starts_with(&format!("{n} ")), "{}", &text[..10]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_takes_nothing_is_closed_and_told_to_come_back() {
    let server = start_with(&MemoryEngine::new(), |config| {
        config.sweep.every = Duration::from_millis(50);
        config.sweep.stall_timeout = Duration::from_millis(500);
    })
    .await;
    let table = table(&server, 2).await;
    let mut deaf = Guest::come(&server, "deaf").await;
    deaf.follow(&table).await;
    let mut quick = Guest::come(&server, "quick").await;
    quick.follow(&table).await;
    let gone = json!({ "tableId": table.id });
    let long = "x".repeat(400_000);
    let cell = format!("/tables/{}/rows/{}/cells/{}", table.id, table.rows[0], table.name);
    // Until the others are told that the deaf one has left: its socket was closed from the server's side.
    let left = async {
        for n in 0_u64.. {
            rest(&server, "PATCH", &cell, json!({ "set": format!("{n} {long}") })).await;
            for (kind, data) in quick.until_now().await {
                if kind == "user_left" && data["userId"] == "deaf" {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(2 * LIMIT, left)
        .await
        .expect("it is closed in time");
    let mut socket = deaf.into_socket();
    let mut code = None;
    while let Some(Ok(message)) = socket.next().await {
        if let tokio_tungstenite::tungstenite::Message::Close(Some(frame)) = message {
            code = Some(u16::from(frame.code));
        }
    }
    // The close frame may not fit into a socket that is full; then the connection just ends.
    assert!(matches!(code, None | Some(4413)), "{code:?}");
    quick.say("unsubscribe_from_table", gone).await;
    let told = quick.until_now().await;
    assert!(told.iter().all(|(kind, _)| kind != "error"), "{told:?}");
}
