//! What is slow holds up nothing but itself, in bounded memory, and nothing is lost: a document that loads slowly, a disk
//! that syncs slowly, a peer that reads slowly.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use roundtable::server::start::Running;
use roundtable::store::engine::{Batch, Engine, EngineError, KeyRange, Scan};
use roundtable::store::layout::DOCUMENTS;
use roundtable::store::memory::MemoryEngine;

use crate::local::{closed, eventually, new_id, start};
use crate::witness::{Witness, connect};

/// An engine whose reads of documents wait while the gate is closed.
#[derive(Clone, Default)]
struct Gated {
    engine: MemoryEngine,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn close(&self) {
        *self.gate.0.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = false;
        self.gate.1.notify_all();
    }

    fn pass(&self) {
        // The committer looks where a document ends before it appends to it. It is the loads that are to be slow.
        if std::thread::current().name() == Some("committer") {
            return;
        }
        let mut closed = self.gate.0.lock().unwrap();
        while *closed {
            closed = self.gate.1.wait(closed).unwrap();
        }
    }
}

impl Engine for Gated {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        self.engine.apply(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.engine.sync()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        if key.starts_with(DOCUMENTS) {
            self.pass();
        }
        self.engine.get(key)
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        self.pass();
        self.engine.scan(range)
    }
}

const WAITING: usize = 64 << 10;
const CHANGE: usize = 20 << 10;
const CHANGES: usize = 40;

/// Waits until the server has taken as much as it may, and sees that it takes no more.
async fn stops_reading(running: &Running, before: u64, bystander: &mut Witness) {
    let taken = || (running.server.metrics.bytes_in.get() - before) as usize;
    eventually(running, "as much was taken as may wait", || taken() > WAITING).await;
    for _ in 0..20 {
        bystander.round_trip().await;
    }
    // One frame beyond the bound, and what the bystander said.
    let most = WAITING + 2 * CHANGE + 20 * 300;
    assert!(taken() <= most, "{} bytes were taken, {most} may wait", taken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_for_a_document_that_loads_slowly_waits_in_the_socket() {
    let engine = Gated::default();
    let running = start(engine.clone(), |config| config.sync.waiting_bytes = WAITING).await;
    let (slow, quick) = (new_id(), new_id());
    let mut ada = Witness::join(running.address, "ada").await;
    let mut grace = Witness::join(running.address, "grace").await;
    for id in [&slow, &quick] {
        ada.open(id).await;
        ada.edit(id, "title", "one").await;
        ada.saved(id).await;
    }
    let (document, own) = ada.pack(&slow);
    assert!(running.drain().await);

    let running = start(engine.clone(), |config| config.sync.waiting_bytes = WAITING).await;
    let mut ada = Witness::join(running.address, "ada").await;
    grace = {
        drop(grace);
        Witness::join(running.address, "grace").await
    };
    for peer in [&mut ada, &mut grace] {
        peer.open(&quick).await;
        peer.complete(&quick).await;
    }
    engine.close();
    let before = running.server.metrics.bytes_in.get();
    ada.bring(&slow, document, own).await;
    let flood = ada.flood(&slow, CHANGES, CHANGE).await;
    stops_reading(&running, before, &mut grace).await;
    // It is not heard, but it is told: writing goes on.
    let change = grace.edit(&quick, "title", "two").await;
    ada.until("shown", |ada| ada.replica(&quick).knows(&change)).await;
    engine.open();
    ada.saved(&slow).await;
    grace.open(&slow).await;
    grace
        .until("complete", |grace| {
            flood.iter().all(|change| grace.replica(&slow).knows(change))
        })
        .await;
}

async fn a_full_queue(changes: usize, bytes: usize) {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |config| {
        config.sync.waiting_bytes = WAITING;
        config.store.queue_changes = changes;
        config.store.queue_bytes = bytes;
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    let mut grace = Witness::join(running.address, "grace").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    grace.open(&id).await;
    grace.complete(&id).await;
    engine.hold_syncs();
    let before = running.server.metrics.bytes_in.get();
    let flood = ada.flood(&id, CHANGES, CHANGE).await;
    let taken = || (running.server.metrics.bytes_in.get() - before) as usize;
    eventually(&running, "as much was taken as may wait", || taken() > WAITING).await;
    for _ in 0..20 {
        grace.round_trip().await;
    }
    let queued = running
        .server
        .store
        .gauges()
        .queued_changes
        .load(std::sync::atomic::Ordering::Relaxed) as usize;
    assert!(queued <= changes, "{queued} changes wait for the disk, {changes} may");
    let queued = running
        .server
        .store
        .gauges()
        .queued_bytes
        .load(std::sync::atomic::Ordering::Relaxed) as usize;
    assert!(queued <= bytes, "{queued} bytes wait for the disk, {bytes} may");
    let most = WAITING + 3 * CHANGE + changes.min(bytes / CHANGE) * (CHANGE + 300) + 20 * 300;
    assert!(taken() <= most, "{} bytes were taken, {most} may wait", taken());
    engine.release_syncs();
    ada.saved(&id).await;
    grace
        .until("complete", |grace| {
            flood.iter().all(|change| grace.replica(&id).knows(change))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_many_changes_wait_for_the_disk_the_socket_is_not_read() {
    a_full_queue(4, 64 << 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_many_bytes_wait_for_the_disk_the_socket_is_not_read() {
    a_full_queue(1_000, 5 * CHANGE).await;
}

/// While the server did not read a socket it took the peer for silent: its answers to the pings lay in the socket unread,
/// and a disk that held back for three keepalives cost everybody who wrote the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_read_is_not_taken_for_dead() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |config| {
        config.sync.waiting_bytes = 1;
        config.store.queue_changes = 1;
        config.sweep.keepalive = Duration::from_millis(100);
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    engine.hold_syncs();
    let flood = ada.flood(&id, 5, 100).await;
    let reading = tokio::spawn(async move {
        ada.until("saved", |ada| {
            let shown = ada.replica(&id).shown();
            flood.iter().all(|change| shown.contains(change))
        })
        .await;
    });
    // Two that really are silent, one after the other: each takes the time after which ada would be taken for dead.
    for dead in 1..=2 {
        let _silent = Witness::join(running.address, &format!("silent {dead}")).await;
        eventually(&running, "silent for too long", || {
            closed(&running, "timed-out") >= dead
        })
        .await;
    }
    engine.release_syncs();
    reading
        .await
        .expect("ada's connection is alive and her changes are saved");
    assert_eq!(closed(&running, "timed-out"), 2, "only those who were silent");
}

/// Ada's changes left the log before her connection had pulled them. It moved her on to what she has, which she had said
/// herself, and so nobody ever told her that it is saved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_who_fell_behind_the_log_is_still_told_that_it_is_saved() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |config| config.room.log.changes = 1).await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    ada.round_trip().await;
    engine.hold_syncs();
    let committed = || running.server.metrics.changes_committed.get();
    let before = committed();
    ada.flood(&id, 5, 10).await;
    eventually(&running, "committed", || committed() == before + 5).await;
    engine.release_syncs();
    ada.saved(&id).await;
}

/// A peer that reads nothing gets what the kernel takes and one frame; the rest stays in the log of the room, which all
/// share and which is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_nothing_is_closed_and_costs_little() {
    const EDITS: usize = 300;
    const EDIT: usize = 64 << 10;
    let running = start(MemoryEngine::new(), |config| {
        config.sweep.stall_timeout = Duration::from_millis(500);
        config.sweep.keepalive = Duration::from_secs(30);
        // Beyond the log's start the server only asks the peer where it stands, and nothing would wait for the socket.
        config.room.log.bytes = 64 << 20;
        config.room.log.frame_bytes = 128 << 10;
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    let mut grace = Witness::join(running.address, "grace").await;
    let socket = connect(running.address, Some(8 << 10)).await;
    let mut slow = Witness::join_over(socket, "slow", None).await;
    for peer in [&mut grace, &mut slow] {
        peer.open(&id).await;
        peer.complete(&id).await;
        peer.round_trip().await;
    }
    let running = Arc::new(running);
    // Nothing is read before it is closed; then at once, for the server does not wait for long.
    let closing = {
        let running = running.clone();
        tokio::spawn(async move {
            eventually(&running, "closed", || closed(&running, "too-slow") == 1).await;
            slow.close_code_unread().await
        })
    };
    let sent_before = running.server.metrics.bytes_out.get() as usize;
    let bytes = |witness: &Witness| witness.frames.iter().map(|frame| frame.len()).sum::<usize>();
    let taken_before = bytes(&ada) + bytes(&grace);
    for n in 0..EDITS / 10 {
        let flood = ada.flood(&id, 10, EDIT).await;
        ada.saved(&id).await;
        grace.until("shown", |grace| grace.replica(&id).knows(&flood[9])).await;
        assert!(n < 5 || bytes(&grace) > n * EDIT);
    }
    let sent = running.server.metrics.bytes_out.get() as usize - sent_before;
    let to_others = bytes(&ada) + bytes(&grace) - taken_before;
    let to_slow = sent.saturating_sub(to_others);
    assert!(
        to_slow < EDITS * EDIT / 2,
        "{to_slow} bytes were made for a socket that takes none"
    );

    assert_eq!(closing.await.expect("it is closed"), 4413);
    let change = ada.edit(&id, "title", "two").await;
    // What the server asked meanwhile is answered, or the edit may never leave.
    ada.saved(&id).await;
    grace.until("shown", |grace| grace.replica(&id).knows(&change)).await;
}
