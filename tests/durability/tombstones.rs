//! A deletion is told to nobody before it is on disk, and takes effect in the order in which it was decided.

use std::net::SocketAddr;

use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use tokio::task::JoinHandle;

use crate::local::{new_id, start};
use crate::process::{ask, get_later};
use crate::witness::Witness;

/// Asks without waiting for the answer.
fn begin(address: SocketAddr, method: &'static str, path: String) -> JoinHandle<(u16, String)> {
    tokio::task::spawn_blocking(move || ask(address, method, &path))
}

fn was_told(witness: &Witness, id: &DocumentId) -> bool {
    witness.unavailable.iter().any(|document| document == id.as_str())
}

async fn is_listed(address: SocketAddr, id: &DocumentId, query: &str) -> bool {
    let (status, list) = get_later(address, &format!("/v1/documents{query}")).await;
    assert_eq!(status, 200, "{list}");
    list.contains(id.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_whose_sync_has_not_returned_is_told_to_nobody_and_takes_nothing() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |_| {}).await;
    let (address, id) = (running.address, new_id());
    let path = format!("/v1/documents/{id}");
    let mut ada = Witness::join(address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "kept").await;
    ada.saved(&id).await;
    ada.unavailable.clear();

    engine.hold_syncs();
    let deleting = begin(address, "DELETE", path.clone());
    ada.until_held(&engine).await;
    ada.edit(&id, "title", "too late").await;
    let mut grace = Witness::join(address, "grace").await;
    grace.open(&id).await;
    let reading = begin(address, "GET", path.clone());
    ada.round_trip().await;
    grace.round_trip().await;
    assert!(
        !was_told(&ada, &id) && !was_told(&grace, &id),
        "it may never come to be"
    );
    assert!(!deleting.is_finished() && !reading.is_finished());
    assert!(is_listed(address, &id, "").await);
    assert!(!is_listed(address, &id, "?deleted=true").await);

    engine.release_syncs();
    assert_eq!(deleting.await.unwrap().0, 204);
    assert_eq!(reading.await.unwrap().0, 410);
    ada.until("told", |ada| was_told(ada, &id)).await;
    grace.until("told", |grace| was_told(grace, &id)).await;
    assert!(!is_listed(address, &id, "").await);
    assert!(is_listed(address, &id, "?deleted=true").await);

    engine.hold_syncs();
    let restoring = begin(address, "POST", format!("{path}/restore"));
    grace.until_held(&engine).await;
    let reading = begin(address, "GET", path.clone());
    let mut ben = Witness::join(address, "ben").await;
    ben.open(&id).await;
    ben.round_trip().await;
    assert_eq!(
        ben.replica(&id).server_heads,
        [],
        "what is not restored yet is not shown"
    );
    assert!(!restoring.is_finished() && !reading.is_finished());
    engine.release_syncs();
    assert_eq!(restoring.await.unwrap().0, 204);
    assert_eq!(reading.await.unwrap(), (200, r#"{"title":"kept"}"#.into()));
    assert_eq!(grace.close_code().await, 1013);
    assert!(running.drain().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_cannot_be_written_never_was() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |_| {}).await;
    let (address, id) = (running.address, new_id());
    let path = format!("/v1/documents/{id}");
    let mut ada = Witness::join(address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "kept").await;
    ada.saved(&id).await;
    ada.unavailable.clear();

    engine.fail_sync_after(0);
    let (status, body) = begin(address, "DELETE", path.clone()).await.unwrap();
    assert_eq!(status, 507, "{body}");
    assert!(body.contains("not-saved"), "{body}");
    ada.round_trip().await;
    assert!(!was_told(&ada, &id));
    assert_eq!(get_later(address, &path).await, (200, r#"{"title":"kept"}"#.into()));
    // The engine serves the batch that failed; the list does not.
    assert!(is_listed(address, &id, "").await);
    let engine = engine.crash(Survives::Nothing);
    assert!(running.drain().await);
    let running = start(engine, |_| {}).await;
    assert_eq!(get_later(running.address, &path).await.0, 200);
    assert!(running.drain().await);
}
