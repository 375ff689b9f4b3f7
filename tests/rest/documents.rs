//! The documents of the REST door.

use automerge::transaction::Transactable;
use automerge::{AutoCommit, AutomergeError, ObjType, ROOT, ReadDoc};
use roundtable::client::{Client, ConnectOptions};
use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use serde_json::json;

use crate::ask::{LIMIT, ask, create, get, send, start};

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

/// In a new document null is a value. It was taken for a patch once, and a document of nulls was answered 201 and not there.
#[tokio::test]
async fn a_document_of_nulls_is_there() {
    let server = start(&MemoryEngine::default()).await;
    let content = json!({ "a": null, "b": { "c": null } });
    let id = create(&server, content.clone()).await;
    assert_eq!(get(&server, &format!("/v1/documents/{id}")).await.json(), content);
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
        ("GET", "/v1/documents/%FF".to_owned(), "", 400, "bad-id"),
        ("GET", format!("/v1/documents/{unknown}"), "", 404, "not-found"),
        ("PATCH", format!("/v1/documents/{unknown}"), "{}", 404, "not-found"),
        ("POST", "/v1/documents".to_owned(), "[1]", 400, "bad-body"),
        ("POST", "/v1/documents".to_owned(), "{", 400, "bad-body"),
        ("POST", "/v1/documents".to_owned(), "{}", 400, "bad-body"),
        ("GET", "/v1/documents?limit=0".to_owned(), "", 400, "bad-query"),
        ("GET", "/v1/documents?limits=1".to_owned(), "", 400, "bad-query"),
        ("GET", format!("/v1/documents/{unknown}/bytes"), "", 404, "not-found"),
        ("PUT", format!("/v1/documents/{unknown}/bytes"), "", 400, "bad-body"),
        (
            "PUT",
            format!("/v1/documents/{unknown}/bytes"),
            "nonsense",
            400,
            "bad-body",
        ),
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

const OPERATIONS: &str = "content-type: application/json-patch+json\r\n";

#[tokio::test]
async fn operations_are_done_all_or_none_and_the_one_at_fault_is_named() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "tags": ["a", "c"], "owner": { "name": "Ada" } })).await;
    let path = format!("/v1/documents/{id}");
    let patch = json!([
        { "op": "test", "path": "/owner/name", "value": "Ada" },
        { "op": "add", "path": "/tags/1", "value": "b" },
        { "op": "move", "from": "/owner/name", "path": "/by" },
    ]);
    let done = ask(&server, "PATCH", &path, OPERATIONS, patch.to_string()).await;
    assert_eq!(done.status, 204, "{}", done.text());
    let expected = json!({ "tags": ["a", "b", "c"], "owner": {}, "by": "Ada" });
    assert_eq!(get(&server, &path).await.json(), expected);
    let patch = json!([{ "op": "remove", "path": "/by" }, { "op": "test", "path": "/tags/0", "value": "z" }]);
    let refused = ask(&server, "PATCH", &path, OPERATIONS, patch.to_string()).await;
    assert_eq!(refused.problem(), (422, "refused".into(), "/1/value".into()));
    let unread = ask(
        &server,
        "PATCH",
        &path,
        OPERATIONS,
        r#"[{"op":"remove","path":"/by"},{"op":"drop"}]"#,
    )
    .await;
    assert_eq!(unread.problem(), (400, "bad-body".into(), "/1/op".into()));
    let other = ask(&server, "PATCH", &path, "content-type: text/csv\r\n", "a,b").await;
    assert_eq!(other.problem().1, "unsupported-media-type");
    assert!(other.text().contains("application/json-patch+json"), "{}", other.text());
    assert_eq!(get(&server, &path).await.json(), expected);
}

/// Ada and Ben saw the same version. Ben's patch of another field goes through, his patch of Ada's does not.
#[tokio::test]
async fn a_patch_is_held_up_only_by_what_it_touches() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "a": 1, "b": { "c": 1 }, "list": [1] })).await;
    let path = format!("/v1/documents/{id}");
    let seen = get(&server, &path).await.header("etag").to_owned();
    let seen = format!("if-match: {seen}\r\n");
    assert_eq!(
        ask(&server, "PATCH", &path, &seen, r#"{"a":2,"list":[0,1]}"#)
            .await
            .status,
        204
    );
    assert_eq!(
        ask(&server, "PATCH", &path, &seen, r#"{"b":{"c":2}}"#).await.status,
        204
    );
    let refused = ask(&server, "PATCH", &path, &seen, r#"{"b":{"d":1},"a":3}"#).await;
    assert_eq!(refused.problem().1, "version-changed");
    assert_eq!(refused.header("etag"), get(&server, &path).await.header("etag"));
    let operations = format!("{seen}{OPERATIONS}");
    let list = ask(
        &server,
        "PATCH",
        &path,
        &operations,
        r#"[{"op":"add","path":"/list/0","value":9}]"#,
    )
    .await;
    assert_eq!(list.status, 412);
    let beside = ask(
        &server,
        "PATCH",
        &path,
        &operations,
        r#"[{"op":"add","path":"/new","value":9}]"#,
    )
    .await;
    assert_eq!(beside.status, 204);
    for (named, status) in [
        ("*", 204),
        ("\"nonsense\"", 412),
        (&format!("\"{}\"", "07".repeat(32)), 412),
    ] {
        let answer = ask(&server, "PATCH", &path, &format!("if-match: {named}\r\n"), r#"{"z":1}"#).await;
        assert_eq!(answer.status, status, "{named}");
    }
    let expected = json!({ "a": 2, "b": { "c": 2 }, "list": [0, 1], "new": 9, "z": 1 });
    assert_eq!(get(&server, &path).await.json(), expected);
}

const FILE: &str = "content-type: application/vnd.automerge\r\n";

#[tokio::test]
async fn a_file_makes_a_document_and_is_merged_into_one() {
    let engine = MemoryEngine::default();
    let server = start(&engine).await;
    let id = DocumentId::from_uuid(uuid::Uuid::from_u128(77));
    let path = format!("/v1/documents/{id}/bytes");
    let mut ada = AutoCommit::new();
    let text = ada.put_object(ROOT, "body", ObjType::Text).unwrap();
    for (at, letter) in ["h", "e", "y"].into_iter().enumerate() {
        ada.splice_text(&text, at, 0, letter).unwrap();
        ada.commit();
    }
    let made = ask(&server, "PUT", &path, FILE, ada.save()).await;
    assert_eq!(
        (made.status, &made.json()["changes"]),
        (201, &json!(3)),
        "{}",
        made.text()
    );
    assert_eq!(
        made.header("etag"),
        format!("\"{}\"", made.json()["version"].as_str().unwrap())
    );
    assert_eq!(made.header("location"), format!("/v1/documents/{id}"));
    let mut ben = ada.fork();
    ben.put(ROOT, "by", "Ben").unwrap();
    ben.commit();
    send(&server, "PATCH", &format!("/v1/documents/{id}"), json!({ "rest": 1 })).await;
    // Changes one after the other, the last one first.
    ben.put(ROOT, "n", 2).unwrap();
    ben.commit();
    let mut changes = ben.get_changes(&ada.get_heads());
    changes.reverse();
    let file: Vec<u8> = changes.iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
    for (status, new) in [(200, 2), (200, 0)] {
        let merged = ask(&server, "PUT", &path, FILE, &file).await;
        assert_eq!(
            (merged.status, &merged.json()["changes"]),
            (status, &json!(new)),
            "{}",
            merged.text()
        );
    }
    let expected = json!({ "body": "hey", "by": "Ben", "n": 2, "rest": 1 });
    assert_eq!(get(&server, &format!("/v1/documents/{id}")).await.json(), expected);
    let after = start(&engine.crash(Survives::Nothing)).await;
    let loaded = AutoCommit::load(&get(&after, &path).await.body).unwrap();
    assert_eq!(loaded.get(ROOT, "by").unwrap().unwrap().0.as_str(), Some("Ben"));
}

/// The first of the changes is good, the last is not: neither is taken.
#[tokio::test]
async fn a_file_with_a_change_that_cannot_be_taken_changes_nothing() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "n": 1 })).await;
    let path = format!("/v1/documents/{id}/bytes");
    let before = get(&server, &path).await.header("etag").to_owned();
    let mut ada = AutoCommit::new();
    let mut saved = Vec::new();
    for n in 0..3 {
        ada.put(ROOT, "ada", n).unwrap();
        ada.commit();
        saved.push(ada.get_last_local_change().unwrap());
    }
    let gap = [saved[0].raw_bytes(), saved[2].raw_bytes()].concat();
    let refused = ask(&server, "PUT", &path, FILE, &gap).await;
    assert_eq!(refused.problem().1, "refused");
    let named = [saved[2].hash().to_string(), saved[1].hash().to_string()];
    assert!(
        named.iter().all(|hash| refused.text().contains(hash)),
        "{}",
        refused.text()
    );
    // Another first change of the same author.
    let mut twin = AutoCommit::new().with_actor(ada.get_actor().clone());
    twin.put(ROOT, "ada", "twin").unwrap();
    twin.commit();
    let twins = [saved[0].raw_bytes(), twin.get_last_local_change().unwrap().raw_bytes()].concat();
    let refused = ask(&server, "PUT", &path, FILE, &twins).await;
    assert_eq!(refused.problem().1, "refused");
    assert!(refused.text().contains("is already another one"), "{}", refused.text());
    let csv = ask(&server, "PUT", &path, "content-type: text/csv\r\n", "a,b").await;
    assert_eq!(csv.problem().1, "unsupported-media-type");
    assert_eq!(get(&server, &path).await.header("etag"), before);
}

/// A file comes in while somebody edits without pause: both are there in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_merged_in_while_others_edit() {
    let server = start(&MemoryEngine::default()).await;
    let id = create(&server, json!({ "begin": true })).await;
    let path = format!("/v1/documents/{id}");
    let editing = async {
        for n in 0..30 {
            assert_eq!(send(&server, "PATCH", &path, json!({ "n": n })).await.status, 204);
        }
    };
    let merging = async {
        for file in 0..10 {
            let mut ada = AutoCommit::new();
            for n in 0..20 {
                ada.put(ROOT, format!("file {file}"), n).unwrap();
                ada.commit();
            }
            let merged = ask(&server, "PUT", &format!("{path}/bytes"), FILE, ada.save()).await;
            assert_eq!(merged.json()["changes"], json!(20), "{}", merged.text());
        }
    };
    tokio::join!(editing, merging);
    let end = get(&server, &path).await.json();
    assert_eq!(
        (&end["n"], &end["file 9"], end.as_object().unwrap().len()),
        (&json!(29), &json!(19), 12)
    );
}
