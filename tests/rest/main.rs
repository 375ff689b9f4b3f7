//! The REST door: what is answered is on disk, what others did is not overwritten unseen, bad input is told what was wrong.

mod ask;
mod bases;
mod documents;
mod presence;

use roundtable::store::memory::MemoryEngine;

use ask::{get, start};

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
