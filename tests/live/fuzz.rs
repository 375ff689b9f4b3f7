//! Mutated messages, a fixed number of them from seeds: the door says what is wrong or does what is asked, and lives on.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::store::memory::MemoryEngine;
use roundtable::wire::live::Request;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::guest::{Guest, Table, start, table};

fn valid(table: &Table, number: usize) -> Vec<Value> {
    let (id, row, cell) = (&table.id, &table.rows[0], &table.number);
    let change = json!({
        "changeId": format!("1767225600-{number}"), "type": "update", "tableId": id, "recordId": row,
        "changes": [{ "fieldId": cell, "oldValue": 1, "newValue": 2 }], "base": "00",
    });
    vec![
        json!({ "type": "authenticate", "data": { "user": { "userId": "fuzz", "userName": "F", "avatarUrl": "https://x" } } }),
        json!({ "type": "subscribe_to_table", "data": { "tableId": id, "window": { "offset": 0, "limit": 2 }, "since": "00" } }),
        json!({ "type": "unsubscribe_from_table", "data": { "tableId": id } }),
        json!({ "type": "recover_connection", "data": { "tableId": id, "viewId": "v", "lastVersion": "ab.cd" } }),
        json!({ "type": "record_change", "data": change }),
        json!({ "type": "batch_changes", "data": { "changeId": format!("1767225600-b{number}"), "tableId": id,
            "changes": [{ "op": "setCell", "row": row, "column": "N", "value": 3 }, { "type": "delete", "recordId": row }] } }),
        json!({ "type": "sync_offline_changes", "data": { "changes": [change] } }),
        json!({ "type": "cursor_position", "data": { "tableId": id, "cursor": { "recordId": row, "fieldId": cell, "x": 1.5 } } }),
        json!({ "type": "selection", "data": { "tableId": id, "selection": {
            "from": { "recordId": row, "fieldId": cell }, "to": { "recordId": row, "fieldId": cell } } } }),
        json!({ "type": "typing", "data": { "tableId": id, "cell": { "recordId": row, "fieldId": cell, "text": "a" } } }),
        json!({ "type": "heartbeat", "data": { "tableId": id } }),
    ]
}

/// Changes a value somewhere within, or a key.
fn spoil(value: &mut Value, random: &mut SmallRng) {
    let strange = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e308),
        json!(""),
        json!("\u{0}\u{202e}"),
        json!([]),
        json!({}),
        json!([[[[{}]]]]),
        json!(u64::MAX),
        json!("x".repeat(5_000)),
    ];
    match value {
        Value::Object(map) if !map.is_empty() && random.random_bool(0.85) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = keys.choose(random).unwrap();
            match random.random_range(0..10) {
                0 => drop(map.remove(key)),
                1 => drop(map.insert(format!("{key}x"), json!(1))),
                _ => spoil(map.get_mut(key).unwrap(), random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.random_bool(0.8) => {
            let at = random.random_range(0..items.len());
            spoil(&mut items[at], random);
        }
        other => *other = strange.choose(random).unwrap().clone(),
    }
}

fn mutate(table: &Table, number: usize, random: &mut SmallRng) -> String {
    let mut message = valid(table, number).choose(random).unwrap().clone();
    for _ in 0..random.random_range(0..4) {
        spoil(&mut message, random);
    }
    let mut text = message.to_string();
    if random.random_bool(0.2) {
        // Bytes of the text as well; it stays UTF-8, which the socket sees to before.
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..=text.len());
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            match random.random_bool(0.5) {
                true => text.truncate(at),
                false => text.insert(at, *['"', '{', ']', ',', '\\', 'é'].choose(random).unwrap()),
            }
        }
    }
    text
}

#[test]
fn reading_mutated_messages_never_panics() {
    let seed: u64 = std::env::var("LIVE_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let table = Table {
        id: "4NMNnkMhL8jXrdJ9jamS58PAVdXu".into(),
        name: "cName".into(),
        number: "cNumber".into(),
        rows: vec!["b.r".into()],
    };
    let mut read = 0;
    for number in 0..20_000 {
        let text = mutate(&table, number, &mut random);
        read += usize::from(Request::read(text.as_bytes(), 10_000).is_ok());
    }
    // Some are left as they should be, most are not.
    assert!((1_000..19_000).contains(&read), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_lives_through_mutated_messages() {
    let seed: u64 = std::env::var("LIVE_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let rounds: usize = std::env::var("LIVE_FUZZ_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(3_000);
    println!("seed {seed}, {rounds} rounds");
    let mut random = SmallRng::seed_from_u64(seed);
    let server = start(&MemoryEngine::new()).await;
    let table = table(&server, 5).await;
    let mut witness = Guest::come(&server, "witness").await;
    witness.follow(&table).await;
    let mut fuzz = Guest::come(&server, "fuzz").await;
    let mut closed = 0;
    for number in 0..rounds {
        let text = mutate(&table, number, &mut random);
        if !fuzz.try_send(Message::text(text)).await || number % 50 == 49 {
            // Whatever was sent, it is answered: the next heartbeat is.
            fuzz.say("heartbeat", json!({})).await;
            loop {
                match fuzz.next().await {
                    Ok((kind, data)) if kind == "heartbeat_ack" && data.get("tableId").is_none() => break,
                    Ok(_) => {}
                    Err(code) => {
                        closed += 1;
                        println!("closed with {code:?} around {number}");
                        fuzz = Guest::come(&server, "fuzz").await;
                        break;
                    }
                }
            }
        }
    }
    assert_eq!(closed, 0, "nothing of this costs the socket");
    witness.until_now().await;
}
