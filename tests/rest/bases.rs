//! Bases: named sets of tables.

use automerge::ReadDoc;
use roundtable::client::{Client, ConnectOptions};
use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use serde_json::{Value, json};

use crate::ask::{LIMIT, ask, create, get, send, start};

async fn names(server: &roundtable::server::start::Running, base: &str) -> Vec<Value> {
    let listed = get(server, &format!("/v1/bases/{base}/tables")).await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    let tables = listed.json()["tables"].as_array().unwrap().clone();
    tables.iter().map(|table| table["name"].clone()).collect()
}

#[tokio::test]
async fn tables_are_put_into_a_base_renamed_archived_and_taken_out() {
    let engine = MemoryEngine::default();
    let server = start(&engine).await;
    assert_eq!(get(&server, "/v1/bases").await.json()["bases"], json!([]));
    let contacts = create(&server, json!({ "type": "table" })).await;
    let deals = create(&server, json!({ "type": "table" })).await;
    let made = send(&server, "POST", "/v1/bases", json!({ "name": "CRM" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let base = made.json()["base"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/v1/bases/{base}"));
    assert_eq!(
        made.header("etag"),
        format!("\"{}\"", made.json()["version"].as_str().unwrap())
    );

    let put = send(
        &server,
        "PUT",
        "/v1/bases/crm/tables/Contacts",
        json!({ "table": contacts }),
    )
    .await;
    assert_eq!(
        (put.status, &put.json()["table"]),
        (201, &json!(contacts)),
        "{}",
        put.text()
    );
    let url = format!("automerge:{deals}");
    send(
        &server,
        "PUT",
        &format!("/v1/bases/{base}/tables/Open%20deals"),
        json!({ "table": url }),
    )
    .await;
    assert_eq!(names(&server, "crm").await, ["Contacts", "Open deals"]);
    let renamed = send(
        &server,
        "PATCH",
        "/v1/bases/crm/tables/open%20deals",
        json!({ "name": "Deals", "archived": true }),
    )
    .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text());
    assert_eq!(renamed.json()["archived"]["by"], "http");
    // A table is named by its place as well as by its id.
    let again = send(
        &server,
        "PUT",
        "/v1/bases/crm/tables/People",
        json!({ "table": "crm/contacts" }),
    )
    .await;
    assert_eq!((again.status, &again.json()["name"]), (200, &json!("People")));
    let base_renamed = send(&server, "PATCH", "/v1/bases/crm", json!({ "name": "Sales" })).await;
    assert_eq!((base_renamed.status, &base_renamed.json()["tables"]), (200, &json!(2)));
    assert_eq!(
        ask(&server, "DELETE", "/v1/bases/sales/tables/deals", "", "")
            .await
            .status,
        204
    );

    let after = start(&engine.crash(Survives::Nothing)).await;
    assert_eq!(names(&after, "sales").await, ["People"]);
    let listed = get(&after, "/v1/bases").await.json();
    assert_eq!(listed["bases"], json!([{ "base": base, "name": "Sales", "tables": 1 }]));
    // The table that was taken out is still there.
    assert_eq!(get(&after, &format!("/v1/documents/{deals}")).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let server = start(&MemoryEngine::default()).await;
    let table = create(&server, json!({ "type": "table" })).await;
    let other = create(&server, json!({ "type": "table" })).await;
    let no_table = create(&server, json!({ "type": "note" })).await;
    let unknown = DocumentId::from_uuid(uuid::Uuid::from_u128(5));
    send(&server, "POST", "/v1/bases", json!({ "name": "CRM" })).await;
    send(
        &server,
        "PUT",
        "/v1/bases/CRM/tables/Contacts",
        json!({ "table": table }),
    )
    .await;
    for (method, path, body, expected) in [
        (
            "POST",
            "/v1/bases",
            json!({ "name": "crm" }),
            (409, "conflict", "/name"),
        ),
        ("POST", "/v1/bases", json!({ "name": "a/b" }), (422, "refused", "/name")),
        ("POST", "/v1/bases", json!({ "name": 7 }), (400, "bad-body", "/name")),
        (
            "POST",
            "/v1/bases",
            json!({ "title": "x" }),
            (400, "bad-body", "/title"),
        ),
        ("GET", "/v1/bases/none", json!(null), (404, "not-found", "")),
        ("GET", "/v1/bases/none/tables", json!(null), (404, "not-found", "")),
        (
            "PATCH",
            "/v1/bases/none",
            json!({ "name": "x" }),
            (404, "not-found", ""),
        ),
        (
            "PATCH",
            "/v1/bases/crm/tables/none",
            json!({ "name": "x" }),
            (404, "not-found", ""),
        ),
        (
            "DELETE",
            "/v1/bases/crm/tables/none",
            json!(null),
            (404, "not-found", ""),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/contacts",
            json!({ "table": other }),
            (409, "conflict", "/name"),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/a%2Fb",
            json!({ "table": other }),
            (422, "refused", "/name"),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/X",
            json!({ "table": "nonsense" }),
            (400, "bad-id", "/table"),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/X",
            json!({ "table": "crm/none" }),
            (404, "not-found", "/table"),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/X",
            json!({ "table": unknown.as_str() }),
            (404, "not-found", "/table"),
        ),
        (
            "PUT",
            "/v1/bases/crm/tables/X",
            json!({ "table": no_table }),
            (409, "not-a-table", "/table"),
        ),
    ] {
        let answer = send(&server, method, path, body.clone()).await;
        let (status, code, field) = expected;
        assert_eq!(
            answer.problem(),
            (status, code.to_owned(), field.to_owned()),
            "{method} {path} {body}: {}",
            answer.text()
        );
    }
    assert_eq!(names(&server, "crm").await, ["Contacts"]);
}

/// Front ends open the document of the bases like any other and see a base appear.
#[tokio::test]
async fn bases_are_seen_live_over_the_sync_door() {
    let server = start(&MemoryEngine::default()).await;
    send(&server, "POST", "/v1/bases", json!({ "name": "CRM" })).await;
    let id = get(&server, "/v1/bases").await.json()["documentId"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!("ws://{}/sync", server.address);
    let client = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let document = client.find(&DocumentId::parse(&id).unwrap(), LIMIT).await.unwrap();
    send(&server, "POST", "/v1/bases", json!({ "name": "Stock" })).await;
    let seen = document.until("the second base", LIMIT, |replica| {
        let bases = replica.document().get(automerge::ROOT, "bases").ok()??.1;
        (replica.document().length(&bases) == 2).then_some(())
    });
    assert!(seen.await.is_ok());
    let read = get(&server, &format!("/v1/documents/{id}")).await.json();
    assert_eq!(
        (&read["type"], &read["schemaVersion"]),
        (&json!("directory"), &json!(1))
    );
}
