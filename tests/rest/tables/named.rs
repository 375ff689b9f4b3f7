//! A table that is made together with its name in a base.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join;
use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::ask::{Answer, LIMIT, ask, get, send, start};

/// A key of now.
fn key(which: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!("idempotency-key: {now}-{which}\r\n")
}

fn body(name: &str) -> String {
    json!({ "title": name, "base": "CRM", "name": name }).to_string()
}

async fn make(server: &Running, key: &str, name: &str) -> Answer {
    ask(server, "POST", "/v1/tables", key, body(name)).await
}

/// Names and ids of the tables of the base.
async fn named(server: &Running) -> Vec<(Value, Value)> {
    let listed = get(server, "/v1/bases/CRM/tables").await.is(200).json();
    let tables = listed["tables"].as_array().unwrap();
    tables
        .iter()
        .map(|table| (table["name"].clone(), table["table"].clone()))
        .collect()
}

async fn crm(engine: &MemoryEngine) -> Running {
    let server = start(engine).await;
    send(&server, "POST", "/v1/bases", json!({ "name": "CRM" }))
        .await
        .is(201);
    server
}

/// A script that had lost the answer sent its request again, hours later. The table got its old name back, although somebody
/// had renamed it; where another table had the name by then, the script was told 409, although its table was made.
#[tokio::test]
async fn a_late_replay_leaves_alone_what_became_of_the_name() {
    let server = crm(&MemoryEngine::default()).await;
    let key = key("a1");
    let made = make(&server, &key, "Contacts").await.is(201).json();
    send(
        &server,
        "PATCH",
        "/v1/bases/CRM/tables/Contacts",
        json!({ "name": "People" }),
    )
    .await
    .is(200);
    let renamed = vec![(json!("People"), made["table"].clone())];
    let again = make(&server, &key, "Contacts").await.is(201);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (made, "true"));
    assert_eq!(named(&server).await, renamed);

    let other = make(&server, "", "Contacts").await.is(201).json();
    make(&server, &key, "Contacts").await.is(201);
    let both = named(&server).await;
    assert_eq!(both[0], (json!("Contacts"), other["table"].clone()));
    assert_eq!(both[1..], renamed);

    ask(&server, "DELETE", "/v1/bases/CRM/tables/People", "", "")
        .await
        .is(204);
    make(&server, &key, "Contacts").await.is(201);
    assert_eq!(named(&server).await.len(), 1, "it was taken out of the base");
}

/// Two made a table of the same name at the same time. The one who came second was told that the name is taken, and not that
/// there was a table now, nor which.
#[tokio::test]
async fn who_comes_second_with_a_name_is_told_the_id_of_the_table_made() {
    let engine = MemoryEngine::default();
    let server = crm(&engine).await;
    let key = key("second");
    engine.hold_syncs();
    let release = async {
        // Both have found the name free, and their tables wait for the disk.
        let both_wait = async {
            while !String::from_utf8_lossy(&get(&server, "/metrics").await.body).contains("store_queued_changes 2\n") {}
        };
        tokio::time::timeout(LIMIT, both_wait).await.expect("both are queued");
        engine.release_syncs();
    };
    let makers = join(make(&server, &key, "Deals"), make(&server, "", "Deals"));
    let ((one, two), ()) = join(makers, release).await;
    let (winner, loser) = if one.status == 201 { (one, two) } else { (two, one) };
    let winner = winner.is(201).json();
    assert_eq!(named(&server).await, [(json!("Deals"), winner["table"].clone())]);
    let told = loser.refuses(409, "conflict", Some("/name"));
    let id = told.split(' ').nth(2).unwrap();
    assert_ne!(json!(id), winner["table"]);
    get(&server, &format!("/v1/tables/{id}")).await.is(200);
}

/// A client hung up while its table was written: the table stayed without its name, and nobody found it.
#[tokio::test]
async fn a_table_gets_its_name_also_if_its_client_hangs_up() {
    let engine = MemoryEngine::default();
    let server = crm(&engine).await;
    engine.hold_syncs();
    let body = body("Orders");
    let head = format!(
        "POST /v1/tables HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&[head, body].concat().into_bytes()).await.unwrap();
    let holding = engine.clone();
    tokio::task::spawn_blocking(move || holding.wait_for_held_sync())
        .await
        .unwrap();
    drop(socket);
    for _ in 0..20 {
        get(&server, "/healthz").await.is(200);
    }
    engine.release_syncs();
    let until_named = async { while named(&server).await.is_empty() {} };
    tokio::time::timeout(Duration::from_secs(5), until_named)
        .await
        .expect("it gets its name");
}
