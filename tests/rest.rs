//! The documents of the REST door: what is answered is on disk, and what others did is not overwritten unseen.

use std::sync::Arc;

use roundtable::client::{Client, ConnectOptions};
use roundtable::id::DocumentId;
use roundtable::server::config::Config;
use roundtable::server::start::{Running, start_on};
use roundtable::store::memory::{MemoryEngine, Survives};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "rest/tombstones.rs"]
mod tombstones;

const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.headers
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
    }
}

async fn start(engine: &MemoryEngine) -> Running {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        demo: false,
        ..Config::default()
    };
    start_on(config, Arc::new(engine.clone()))
        .await
        .expect("the server starts")
}

async fn ask(server: &Running, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LIMIT, socket.read_to_end(&mut answer))
        .await
        .expect("an answer in time")
        .unwrap();
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let headers = String::from_utf8(answer[..split].to_vec()).unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        headers,
        body: answer[split + 4..].to_vec(),
    }
}

async fn create(server: &Running, content: Value) -> String {
    let made = ask(server, "POST", "/v1/documents", "", &content.to_string()).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    made.json()["documentId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_document_is_made_read_patched_and_listed() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "title": "Plan", "owner": { "name": "Ada" } })).await;
    let path = format!("/v1/documents/{id}");
    let read = ask(&server, "GET", &path, "", "").await;
    assert_eq!(
        (read.status, read.json()),
        (200, json!({ "title": "Plan", "owner": { "name": "Ada" } }))
    );
    let etag = read.header("etag").to_owned();
    let again = ask(&server, "GET", &path, &format!("if-none-match: {etag}\r\n"), "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let patched = ask(&server, "PATCH", &path, "", r#"{"owner":{"age":36}}"#).await;
    assert_eq!(patched.status, 204);
    assert_ne!(patched.header("etag"), etag);
    let read = ask(&server, "GET", &path, "", "").await;
    assert_eq!(read.json()["owner"], json!({ "name": "Ada", "age": 36 }));
    let listed = ask(&server, "GET", "/v1/documents", "", "").await;
    assert_eq!(listed.json(), json!({ "documents": [id], "next": null }));
    let bytes = ask(&server, "GET", &format!("{path}/bytes"), "", "").await;
    assert!(automerge::Automerge::load(&bytes.body).is_ok());
}

#[tokio::test]
async fn a_patch_of_an_older_version_is_refused_with_the_current_one() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let path = format!("/v1/documents/{id}");
    let first = ask(&server, "GET", &path, "", "").await.header("etag").to_owned();
    let second = ask(&server, "PATCH", &path, &format!("if-match: {first}\r\n"), r#"{"n":2}"#).await;
    assert_eq!(second.status, 204);
    let refused = ask(&server, "PATCH", &path, &format!("if-match: {first}\r\n"), r#"{"n":3}"#).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (412, &json!("version-changed"))
    );
    assert_eq!(refused.header("etag"), second.header("etag"));
    assert_eq!(ask(&server, "GET", &path, "", "").await.json(), json!({ "n": 2 }));
}

#[tokio::test]
async fn bad_requests_are_told_what_was_wrong() {
    let server = start(&MemoryEngine::default()).await;
    let unknown = DocumentId::from_uuid(uuid::Uuid::from_u128(5));
    for (method, path, body, status, code) in [
        ("GET", "/v1/documents/nonsense".to_owned(), "", 400, "bad-id"),
        ("GET", format!("/v1/documents/{unknown}"), "", 404, "not-found"),
        ("PATCH", format!("/v1/documents/{unknown}"), "{}", 404, "not-found"),
        ("POST", "/v1/documents".to_owned(), "[1]", 400, "bad-body"),
        ("POST", "/v1/documents".to_owned(), "{", 400, "bad-body"),
        ("POST", "/v1/documents".to_owned(), "{}", 400, "bad-body"),
        ("GET", "/v1/documents?limit=0".to_owned(), "", 400, "bad-query"),
        ("GET", "/v1/documents?limits=1".to_owned(), "", 400, "bad-query"),
    ] {
        let answer = ask(&server, method, &path, "", body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{method} {path} {body}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

/// One document, three ways in: what REST writes arrives at a client of the sync door, and the other way round.
#[tokio::test]
async fn the_sync_door_and_rest_meet_in_one_document() {
    use automerge::transaction::Transactable;
    use automerge::{AutomergeError, ROOT};
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "rest": 1 })).await;
    let url = format!("ws://{}/sync", server.address);
    let client = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let document = client.find(&DocumentId::parse(&id).unwrap(), LIMIT).await.unwrap();
    document
        .edit::<_, AutomergeError>(|tx| tx.put(ROOT, "sync", 2))
        .unwrap();
    document.saved(LIMIT).await.unwrap();
    let path = format!("/v1/documents/{id}");
    assert_eq!(
        ask(&server, "GET", &path, "", "").await.json(),
        json!({ "rest": 1, "sync": 2 })
    );
    ask(&server, "PATCH", &path, "", r#"{"rest":3}"#).await;
    let seen = document
        .until("the patch", LIMIT, |replica| {
            (roundtable::document::json::read(replica.document())["rest"] == 3).then_some(())
        })
        .await;
    assert!(seen.is_ok());
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_that_loses_everything_unsynced() {
    let engine = MemoryEngine::default();
    let server = start(&engine).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let path = format!("/v1/documents/{id}");
    for n in 2..20 {
        assert_eq!(
            ask(&server, "PATCH", &path, "", &json!({ "n": n }).to_string())
                .await
                .status,
            204
        );
    }
    let after = start(&engine.crash(Survives::Nothing)).await;
    assert_eq!(ask(&after, "GET", &path, "", "").await.json(), json!({ "n": 19 }));
}

#[tokio::test]
async fn the_description_names_every_route() {
    let server = start(&MemoryEngine::default()).await;
    let description = ask(&server, "GET", "/v1/openapi.json", "", "").await.json();
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 5, "{paths:?}");
    assert_eq!(description["openapi"].as_str().unwrap().split('.').next(), Some("3"));
}
