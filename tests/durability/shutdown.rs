//! How the server ends: by signal, within its time, with everything acknowledged on the disk.

use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ROOT};
use futures_util::future::join;
use roundtable::client::{Client, ConnectOptions, End};
use roundtable::store::memory::MemoryEngine;

use crate::local::{new_id, start};
use crate::process::{LONG, Server};
use crate::witness::{Witness, connect};

async fn client(url: &str) -> Client {
    Client::connect(url, ConnectOptions::default()).await.unwrap()
}

async fn ends_well(server: Server) {
    let asked = Instant::now();
    let (status, errors) = tokio::task::spawn_blocking(|| server.ended()).await.unwrap();
    assert!(status.success(), "{status}: {errors}");
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        asked.elapsed()
    );
}

async fn a_signal_ends_the_server(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (ada, grace) = (client(&server.sync_url()).await, client(&server.sync_url()).await);
    let id = new_id();
    let (hers, seen) = (ada.document(&id), grace.document(&id));
    for value in 0..50 {
        let made = hers.edit(|tx| tx.put(ROOT, "value", value));
        made.unwrap_or_else(|error: AutomergeError| panic!("{error}"));
    }
    hers.saved(LONG).await.unwrap();
    seen.supplied(LONG).await.unwrap();
    server.signal(signal);
    let (hers_end, seen_end) = join(ada.ended(), grace.ended()).await;
    for end in [hers_end, seen_end] {
        assert!(matches!(end, End::Closed { code: 1001, .. }), "{end}");
    }
    ends_well(server).await;
    let server = Server::start(folder.path(), &[]);
    let again = client(&server.sync_url()).await;
    let found = again.find(&id, LONG).await.unwrap();
    assert_eq!(
        found.look(|replica| replica.heads()),
        hers.look(|replica| replica.heads())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_closes_with_1001_and_keeps_everything() {
    a_signal_ends_the_server("TERM").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigint_closes_with_1001_and_keeps_everything() {
    a_signal_ends_the_server("INT").await;
}

/// A socket that takes nothing must not hold up the end: its frames cannot be written, nor its close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_socket_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ada = client(&server.sync_url()).await;
    let id = new_id();
    let document = ada.document(&id);
    let noise: Vec<u8> = (0..16_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let made = document.edit(|tx| tx.put(ROOT, "large", noise));
    made.unwrap_or_else(|error: AutomergeError| panic!("{error}"));
    document.saved(LONG).await.unwrap();
    let socket = connect(server.address, Some(4_096)).await;
    let mut stalled = Witness::join_over(socket, "stalled", None).await;
    stalled.open(&id).await;
    stalled.round_trip().await;
    server.signal("TERM");
    ends_well(server).await;
}

/// The server waited for the disk before it closed the sockets, but a connection that found the mark of its change and
/// the order to close at once obeyed the order: the acknowledgement stayed unsaid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_end_waits_for_is_still_acknowledged() {
    for _ in 0..10 {
        let engine = MemoryEngine::new();
        let running = start(engine.clone(), |_| {}).await;
        let mut ada = Witness::join(running.address, "ada").await;
        let id = new_id();
        ada.open(&id).await;
        ada.edit(&id, "value", "one").await;
        ada.saved(&id).await;
        ada.round_trip().await;
        engine.hold_syncs();
        let change = ada.edit(&id, "value", "two").await;
        ada.until_held(&engine).await;
        let server = running.server.clone();
        let ending = tokio::spawn(running.drain());
        // It says that it ends before it waits for the disk.
        while server.is_ready().is_ok() {
            tokio::task::yield_now().await;
        }
        engine.release_syncs();
        assert_eq!(ada.close_code().await, 1001);
        assert!(
            ada.replica(&id).shown().contains(&change),
            "the change is on the disk and nobody said so"
        );
        drop(ada);
        assert!(ending.await.unwrap());
    }
}
