//! Programs that are present over HTTP.

use std::time::Duration;

use roundtable::client::{Client, ConnectOptions};
use roundtable::id::{DocumentId, PeerId};
use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, json};

use crate::ask::{LIMIT, ask, create, get, send, start, start_with};

async fn people(server: &Running, id: &str) -> Vec<Value> {
    let roster = get(server, &format!("/v1/rooms/{id}/presence")).await;
    roster.json()["people"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_program_comes_moves_and_leaves() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let path = format!("/v1/rooms/{id}/presence/bot-1");
    let user = json!({ "userId": "u7", "name": "Bot", "color": "#c0ffee" });
    let came = send(
        &server,
        "PUT",
        &path,
        json!({ "user": user, "cursor": { "row": "r1" } }),
    )
    .await;
    let expected = json!({ "documentId": id, "peerId": "agent:bot-1", "ttlMs": 45_000 });
    assert_eq!((came.status, came.json()), (201, expected));
    let moved = send(&server, "PUT", &path, json!({ "user": user, "typing": true })).await;
    assert_eq!(moved.status, 200);
    let there = people(&server, &id).await;
    assert_eq!(there.len(), 1);
    assert_eq!(there[0]["peerId"], "agent:bot-1");
    assert_eq!(
        there[0]["state"],
        json!({ "user": user, "typing": true, "cursor": null })
    );
    assert_eq!(ask(&server, "DELETE", &path, "", "").await.status, 204);
    assert_eq!(people(&server, &id).await, Vec::<Value>::new());
    assert_eq!(ask(&server, "DELETE", &path, "", "").await.problem().1, "not-found");
}

#[tokio::test]
async fn what_is_wrong_with_what_it_shows_is_named() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let unknown = DocumentId::from_uuid(uuid::Uuid::from_u128(5));
    let user = json!({ "userId": "u7", "name": "Bot" });
    for (path, body, expected) in [
        (format!("{id}/presence/bot"), json!({}), (400, "bad-body", "/user")),
        (format!("{id}/presence/bot"), json!([]), (400, "bad-body", "")),
        (
            format!("{id}/presence/bot"),
            json!({ "user": { "userId": "u7" } }),
            (400, "bad-body", "/user/name"),
        ),
        (
            format!("{id}/presence/bot"),
            json!({ "user": { "userId": 7, "name": "x" } }),
            (400, "bad-body", "/user/userId"),
        ),
        (
            format!("{id}/presence/a%20b"),
            json!({ "user": user }),
            (400, "bad-id", ""),
        ),
        (
            "nonsense/presence/bot".to_owned(),
            json!({ "user": user }),
            (400, "bad-id", ""),
        ),
        (
            format!("{unknown}/presence/bot"),
            json!({ "user": user }),
            (404, "not-found", ""),
        ),
        (
            format!("{id}/presence/bot"),
            json!({ "user": user, "x": "x".repeat(20_000) }),
            (422, "refused", ""),
        ),
    ] {
        let answer = send(&server, "PUT", &format!("/v1/rooms/{path}"), body).await;
        let (status, code, field) = expected;
        assert_eq!(
            answer.problem(),
            (status, code.to_owned(), field.to_owned()),
            "{path}: {}",
            answer.text()
        );
    }
    assert_eq!(people(&server, &id).await, Vec::<Value>::new());
}

/// Nobody is in the room over a connection, and its document sleeps: the program is still there until its time is over.
#[tokio::test]
async fn a_program_keeps_a_sleeping_room_open_until_its_time_is_over() {
    let server = start_with(&MemoryEngine::default(), |config| {
        config.room.sleep_after = Duration::from_millis(1);
        config.sweep.every = Duration::from_millis(5);
        config.room.audience.presence_ttl = Duration::from_millis(600);
    })
    .await;
    let id = create(&server, json!({ "n": 1 })).await;
    let user = json!({ "user": { "userId": "u7", "name": "Bot" } });
    let shown = std::time::Instant::now();
    send(&server, "PUT", &format!("/v1/rooms/{id}/presence/bot"), user).await;
    let mut seen = 0;
    let gone = async {
        while !people(&server, &id).await.is_empty() {
            seen += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("it goes");
    assert!(
        shown.elapsed() >= Duration::from_millis(600) && seen > 1,
        "seen {seen} times, gone after {:?}",
        shown.elapsed()
    );
}

/// The ids of programs and of people at the live door belong to the server: a peer that joins under one is turned away.
#[tokio::test]
async fn no_peer_joins_under_an_id_that_the_server_speaks_for() {
    let server = start(&MemoryEngine::default()).await;
    for peer in [PeerId::of_agent("bot").unwrap(), PeerId::of_live("ada", "laptop")] {
        let options = ConnectOptions {
            peer,
            ..ConnectOptions::default()
        };
        let url = format!("ws://{}/sync", server.address);
        assert!(Client::connect(&url, options).await.is_err());
    }
}
