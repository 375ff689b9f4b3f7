//! Deleting a document over HTTP, and restoring it.

use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use serde_json::json;

use crate::ask::{ask, create, start};

#[tokio::test]
async fn a_deleted_document_is_gone_until_it_is_restored() {
    let engine = MemoryEngine::default();
    let server = start(&engine).await;
    let (id, other) = (
        create(&server, json!({ "n": 1 })).await,
        create(&server, json!({ "m": 1 })).await,
    );
    let path = format!("/v1/documents/{id}");
    let etag = ask(&server, "GET", &path, "", "").await.header("etag").to_owned();
    assert_eq!(ask(&server, "DELETE", &path, "", "").await.status, 204);

    let server = start(&engine.crash(Survives::Nothing)).await;
    for (method, path, body) in [
        ("GET", path.clone(), ""),
        ("GET", format!("{path}/bytes"), ""),
        ("PATCH", path.clone(), r#"{"n":2}"#),
        ("DELETE", path.clone(), ""),
    ] {
        let gone = ask(&server, method, &path, "", body).await;
        assert_eq!(
            (gone.status, &gone.json()["code"]),
            (410, &json!("deleted")),
            "{method} {path}"
        );
    }
    let list = |query: &'static str| ask(&server, "GET", query, "", "");
    assert_eq!(
        list("/v1/documents").await.json(),
        json!({ "documents": [other], "next": null })
    );
    let deleted = list("/v1/documents?deleted=true").await.json();
    assert_eq!(deleted, json!({ "documents": [id], "next": null }));

    let restore = format!("{path}/restore");
    assert_eq!(ask(&server, "POST", &restore, "", "").await.status, 204);
    assert_eq!(
        ask(&server, "POST", &restore, "", "").await.status,
        204,
        "there is nothing to restore"
    );
    let read = ask(&server, "GET", &path, "", "").await;
    assert_eq!((read.json(), read.header("etag")), (json!({ "n": 1 }), &etag[..]));
    assert_eq!(ask(&server, "PATCH", &path, "", r#"{"n":2}"#).await.status, 204);
}

#[tokio::test]
async fn what_never_was_is_neither_deleted_nor_restored() {
    let server = start(&MemoryEngine::default()).await;
    let unknown = DocumentId::from_uuid(uuid::Uuid::from_u128(5));
    for (method, path, status, code) in [
        ("DELETE", format!("/v1/documents/{unknown}"), 404, "not-found"),
        ("POST", format!("/v1/documents/{unknown}/restore"), 404, "not-found"),
        ("DELETE", "/v1/documents/nonsense".to_owned(), 400, "bad-id"),
        ("GET", "/v1/documents?deleted=perhaps".to_owned(), 400, "bad-query"),
    ] {
        let answer = ask(&server, method, &path, "", "").await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{method} {path}"
        );
    }
}

/// A write was done, its answer was lost, and then somebody deleted the document. Sent again with its key it was told 410, as
/// if it had never been done.
#[tokio::test]
async fn what_was_done_before_the_document_was_deleted_is_told_to_its_key() {
    let server = start(&MemoryEngine::default()).await;
    let document = create(&server, json!({ "n": 1 })).await;
    let table = ask(&server, "POST", "/v1/tables", "", r#"{"title":"T"}"#).await.json()["table"].clone();
    let table = table.as_str().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (id, path, body) in [
        (document.as_str(), format!("/v1/documents/{document}"), r#"{"n":2}"#),
        (table, format!("/v1/tables/{table}"), r#"{"title":"U"}"#),
    ] {
        let patch = async |which: &str| {
            let key = format!("idempotency-key: {now}-{which}\r\ncontent-type: application/json\r\n");
            ask(&server, "PATCH", &path, &key, body).await
        };
        let done = patch("a").await.is(204);
        ask(&server, "DELETE", &format!("/v1/documents/{id}"), "", "")
            .await
            .is(204);
        let again = patch("a").await.is(204);
        assert_eq!(
            (again.header("etag"), again.header("idempotency-replayed")),
            (done.header("etag"), "true")
        );
        patch("b").await.refuses(410, "deleted", None);
    }
}
