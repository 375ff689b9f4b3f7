//! The REST door: what is answered is on disk, what others did is not overwritten unseen, bad input is told what was wrong.

mod ask;
mod bases;
mod described;
mod documents;
mod presence;
mod tables;
mod tombstones;

use roundtable::store::memory::MemoryEngine;

use ask::{get, start, start_with};

/// Every status an operation answers is in its description, and every operation has a name.
#[tokio::test]
async fn the_description_names_every_route() {
    let server = start(&MemoryEngine::default()).await;
    let description = get(&server, "/v1/openapi.json").await.json();
    assert_eq!(description["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    let paths = description["paths"].as_object().unwrap();
    for (path, operations) in [
        ("/v1/documents", &["get", "post"][..]),
        ("/v1/documents/{document}", &["get", "patch"]),
        ("/v1/documents/{document}/bytes", &["get", "put"]),
        ("/v1/bases", &["get", "post"]),
        ("/v1/bases/{base}", &["get", "patch"]),
        ("/v1/bases/{base}/tables", &["get"]),
        ("/v1/bases/{base}/tables/{name}", &["put", "patch", "delete"]),
        ("/v1/rooms/{document}/presence", &["get"]),
        ("/v1/rooms/{document}/presence/{session}", &["put", "delete"]),
    ] {
        for operation in operations {
            let described = &paths[path][operation];
            assert!(described["operationId"].is_string(), "{operation} {path}");
            let responses = described["responses"].as_object().unwrap();
            assert!(responses.contains_key("400"), "{operation} {path}: {responses:?}");
            let writes = *operation != "get";
            assert_eq!(responses.contains_key("507"), writes, "{operation} {path}");
        }
    }
}

/// The page about the API once asked for `limit` as a part of the path, because the description said so.
#[tokio::test]
async fn what_is_said_to_be_in_a_path_is_in_it() {
    let server = start(&MemoryEngine::default()).await;
    let description = get(&server, "/v1/openapi.json").await.json();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let operations = operations.as_object().unwrap().values();
        let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        for parameter in parameters.filter(|parameter| parameter["in"] == "path") {
            let name = parameter["name"].as_str().unwrap();
            assert!(path.contains(&format!("{{{name}}}")), "{path} has no {name}");
        }
    }
}

/// The page about the API is for people with curl, who need no demo page.
#[tokio::test]
async fn the_api_page_is_there_without_the_demo_page() {
    let server = start(&MemoryEngine::default()).await;
    assert_eq!(get(&server, "/").await.json()["code"], "not-found");
    for path in ["/docs", "/docs/"] {
        let page = get(&server, path).await;
        let body = String::from_utf8_lossy(&page.body);
        // What `make web` made, or the hint to run it.
        assert!(
            body.contains("id=\"api\"") || body.contains("make web"),
            "{path}: {body}"
        );
    }
}

/// A browser sends a form or a plain text of any page to any server without asking first.
#[tokio::test]
async fn a_page_of_another_origin_writes_nothing_unless_it_is_named() {
    let named = "https://app.example.org";
    let server = start_with(&MemoryEngine::default(), |config| config.origins = vec![named.into()]).await;
    let ask = async |origin: &str, method: &str, more: &str| {
        let headers = format!("origin: {origin}\r\ncontent-type: text/plain\r\n{more}");
        ask::ask(&server, method, "/v1/documents", &headers, r#"{"a": 1}"#).await
    };
    let refused = ask("https://evil.example", "POST", "").await;
    assert!(refused.refuses(403, "foreign-origin", None).contains("evil.example"));
    assert_eq!(
        ask("https://evil.example", "GET", "")
            .await
            .header("access-control-allow-origin"),
        ""
    );
    let taken = ask(named, "POST", "").await.is(201);
    assert_eq!(taken.header("access-control-allow-origin"), named);
    ask("http://localhost:5173", "POST", "").await.is(201);
    let preflight = ask(named, "OPTIONS", "access-control-request-method: PATCH\r\n").await;
    assert!(
        preflight.header("access-control-allow-methods").contains("PATCH"),
        "{}",
        preflight.text()
    );
}
