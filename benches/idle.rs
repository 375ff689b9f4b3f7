//! What idle connections cost the server: 2,000 of them, each with a document of its own.
//!
//! The memory is that of the real server's process, as the kernel counts it: empty, with all documents awake, and after
//! they fell asleep.

mod support {
    pub mod server;
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ROOT};
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::id::DocumentId;
use support::server::Server;

const CONNECTIONS: usize = 2_000;

const LIMIT: Duration = Duration::from_secs(60);

/// Connections being made at the same time.
const AT_ONCE: usize = 64;

fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files can be raised");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let server = Server::start(&["room.sleep_after=20s"]);
    let empty = server.settled().await;
    println!("an empty server: {:.1} MiB", mebibytes(empty));

    let bare = open(&server, Brings::Nothing).await;
    let connected = server.settled().await;
    report("joined, without a document", connected, empty);
    drop(bare);
    let closed = server.settled().await;
    report("after all of them have gone", closed, empty);

    let open = open(&server, Brings::ADocument).await;
    let awake = server.settled().await;
    assert_eq!(server.metric("roundtable_rooms_awake") as usize, CONNECTIONS);
    report("each with a document of its own, awake", awake, empty);
    until_asleep(&server).await;
    report("the same, documents asleep", server.settled().await, empty);
    println!(
        "  processor time used while idle: {:.2} % of one core",
        idle_cpu(&server).await * 100.0
    );
    drop(open);
}

/// What a connection does before it falls silent.
#[derive(Clone, Copy)]
enum Brings {
    Nothing,
    /// It creates a small document and waits until that is saved.
    ADocument,
}

async fn open(server: &Server, brings: Brings) -> Vec<(Client, Option<Document>)> {
    let turns = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let connections = (0..CONNECTIONS).map(|_| {
        let (url, turns) = (server.url(), turns.clone());
        tokio::spawn(async move {
            let _turn = turns.acquire().await.expect("never closed");
            let client = Client::connect(&url, ConnectOptions::default())
                .await
                .expect("the server takes it");
            let Brings::ADocument = brings else {
                return (client, None);
            };
            let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
            let document = client.attach(&id, small()).expect("a document of its own");
            document.saved(LIMIT).await.expect("the server saves it");
            (client, Some(document))
        })
    });
    let mut open = Vec::with_capacity(CONNECTIONS);
    for connection in connections.collect::<Vec<_>>() {
        open.push(connection.await.expect("no connection panics"));
    }
    open
}

/// A title and a handful of values.
fn small() -> Automerge {
    let mut document = Automerge::new();
    let made = document.transact::<_, _, AutomergeError>(|tx| {
        tx.put(ROOT, "title", "A small document")?;
        (0..10).try_for_each(|n| tx.put(ROOT, format!("key {n}"), n))
    });
    made.expect("a new document takes everything");
    document
}

async fn until_asleep(server: &Server) {
    let deadline = Instant::now() + LIMIT;
    while server.metric("roundtable_rooms_awake") > 0.0 {
        assert!(Instant::now() < deadline, "documents stay awake");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The share of one core that the server uses while nothing happens but keepalive.
async fn idle_cpu(server: &Server) -> f64 {
    let (before, started) = (server.cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    (server.cpu() - before).as_secs_f64() / started.elapsed().as_secs_f64()
}

fn report(what: &str, resident: u64, empty: u64) {
    let each = resident.saturating_sub(empty) as f64 / CONNECTIONS as f64 / 1024.0;
    println!(
        "{CONNECTIONS} connections, {what}: {:.1} MiB, {each:.1} KiB per connection",
        mebibytes(resident)
    );
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
