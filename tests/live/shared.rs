//! What is made for one is made for all: windows and views of their own see what is theirs, and nobody sees more.

use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, json};

use crate::guest::{Guest, rest, set, start, table};

fn ids(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_told_what_concerns_it_and_nothing_else() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 100).await;
    let mut ada = Guest::come(&server, "ada").await;
    let window = json!({ "tableId": table.id, "window": { "offset": 10, "limit": 5 } });
    ada.say("subscribe_to_table", window).await;
    let snapshot = ada.hear("table_snapshot").await;
    assert_eq!(ids(&snapshot["rows"]), table.rows[10..15]);
    assert_eq!(snapshot["rowCount"], 100);
    ada.until_now().await;

    set(&server, &table, 50, -1).await;
    set(&server, &table, 12, -2).await;
    let changed = ada.hear("record_change").await;
    assert_eq!(
        changed["recordId"],
        json!(table.rows[12]),
        "what lies outside is not told"
    );

    // A row above is deleted: one leaves at the top, one comes in at the bottom.
    rest(
        &server,
        "DELETE",
        &format!("/tables/{}/rows/{}", table.id, table.rows[0]),
        Value::Null,
    )
    .await;
    let moved = ada.hear("batch_changes").await;
    assert_eq!(moved["rowCount"], 99);
    let steps: Vec<_> = moved["changes"].as_array().unwrap().iter().collect();
    assert_eq!(steps.len(), 2, "{moved}");
    assert_eq!(
        (&steps[0]["type"], &steps[0]["recordId"]),
        (&json!("leave"), &json!(table.rows[10]))
    );
    assert_eq!(
        (&steps[1]["type"], &steps[1]["recordId"]),
        (&json!("enter"), &json!(table.rows[15]))
    );
    assert_eq!(steps[1]["index"], 14);
    assert_eq!(
        steps[1]["changes"][1],
        json!({ "fieldId": table.number, "newValue": 15 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_makes_a_row_enter_and_leave_a_view() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 20).await;
    let view = json!({
        "name": "Large", "filter": [{ "column": "N", "op": "greaterOrEqual", "value": 15 }],
        "sort": [{ "column": "N", "descending": true }],
    });
    let (status, view) = rest(&server, "POST", &format!("/tables/{}/views", table.id), view).await;
    assert_eq!(status, 201, "{view}");
    let mut ada = Guest::come(&server, "ada").await;
    ada.say(
        "subscribe_to_table",
        json!({ "tableId": table.id, "viewId": view["id"] }),
    )
    .await;
    let snapshot = ada.hear("table_snapshot").await;
    let expected: Vec<_> = table.rows[15..].iter().rev().cloned().collect();
    assert_eq!((ids(&snapshot["rows"]), &snapshot["rowCount"]), (expected, &json!(5)));

    set(&server, &table, 3, 17).await;
    let entered = ada.hear("record_change").await;
    assert_eq!(
        (&entered["type"], &entered["recordId"]),
        (&json!("enter"), &json!(table.rows[3]))
    );
    // Behind 19 and 18; of the two with 17 it stands higher in the table.
    assert_eq!((&entered["index"], &entered["rowCount"]), (&json!(2), &json!(6)));
    set(&server, &table, 3, 1).await;
    let left = ada.hear("record_change").await;
    assert_eq!(
        (&left["type"], &left["recordId"]),
        (&json!("leave"), &json!(table.rows[3]))
    );

    let path = format!("/tables/{}/views/{}", table.id, view["id"].as_str().unwrap());
    let other = json!({ "filter": [{ "column": "N", "op": "less", "value": 2 }], "sort": null });
    rest(&server, "PATCH", &path, other).await;
    let snapshot = ada.hear("table_snapshot").await;
    assert_eq!(
        ids(&snapshot["rows"]),
        [&table.rows[0], &table.rows[1], &table.rows[3]].map(String::clone)
    );
    rest(&server, "DELETE", &path, Value::Null).await;
    let error = loop {
        let (kind, data) = ada.next().await.unwrap();
        if kind == "error" {
            break data;
        }
    };
    assert_eq!(
        (&error["code"], &error["tableId"]),
        (&json!("not-found"), &json!(table.id))
    );
}

/// Those who come back with one version are told one difference; it leads to what those see who come anew.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_is_told_what_they_missed() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 50).await;
    let mut ada = Guest::come(&server, "ada").await;
    let first = ada.follow(&table).await;
    for value in 0..200 {
        set(&server, &table, value % 7, 1000 + value as i64).await;
    }
    let recover = json!({ "tableId": table.id, "lastVersion": first["version"] });
    let mut all_back = Vec::new();
    for name in ["grace", "eve"] {
        let mut back = Guest::come(&server, name).await;
        back.say("recover_connection", recover.clone()).await;
        let missed = back.hear("missed_events").await;
        assert_eq!(
            missed["changes"].as_array().unwrap().len(),
            7,
            "the newest of each row, and no more"
        );
        let recovered = back.hear("connection_recovered").await;
        assert_eq!(recovered["missedEventsCount"], 7);
        assert_eq!(recovered["version"], missed["version"]);
        all_back.push(back);
    }
    // It is followed from there on.
    set(&server, &table, 20, -1).await;
    for back in &mut all_back {
        let changed = back.hear("record_change").await;
        assert_eq!(changed["recordId"], json!(table.rows[20]));
    }
    let mut lost = Guest::come(&server, "lost").await;
    let never = "0".repeat(64);
    lost.say(
        "recover_connection",
        json!({ "tableId": table.id, "lastVersion": never }),
    )
    .await;
    let (kind, error) = lost.next().await.unwrap();
    assert_eq!((kind.as_str(), &error["code"]), ("error", &json!("unknown-version")));
    let snapshot = lost.hear("table_snapshot").await;
    assert_eq!(snapshot["rows"].as_array().unwrap().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_table_is_followed_by_nobody() {
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 2).await;
    let mut ada = Guest::come(&server, "ada").await;
    ada.follow(&table).await;
    let (status, _) = rest(&server, "DELETE", &format!("/documents/{}", table.id), Value::Null).await;
    assert_eq!(status, 204);
    let error = loop {
        let (kind, data) = ada.next().await.unwrap();
        if kind == "error" {
            break data;
        }
    };
    assert_eq!(
        (&error["code"], &error["tableId"]),
        (&json!("deleted"), &json!(table.id))
    );
    ada.say("subscribe_to_table", json!({ "tableId": table.id })).await;
    let (kind, error) = ada.next().await.unwrap();
    assert_eq!((kind.as_str(), &error["code"]), ("error", &json!("deleted")));
}
