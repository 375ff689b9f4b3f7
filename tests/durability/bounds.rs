//! Every bound of the configuration that a connection can run into, set small and run into: the one over it is told so,
//! the others notice nothing.

use futures_util::SinkExt;
use roundtable::id::DocumentId;
use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::local::{eventually, new_id, noise, start};
use crate::process::get_later;
use crate::witness::{Witness, connect};

/// Makes documents that each have one change.
async fn documents<const N: usize>(running: &Running) -> [DocumentId; N] {
    let ids: [DocumentId; N] = std::array::from_fn(|_| new_id());
    let mut maker = Witness::join(running.address, "maker").await;
    for id in &ids {
        maker.open(id).await;
        maker.edit(id, "title", "one").await;
        maker.saved(id).await;
    }
    ids
}

/// The code the server closes a socket with that never joined.
async fn code_without_join(running: &Running, frames: Vec<Vec<u8>>) -> Option<u16> {
    use futures_util::StreamExt;
    let mut socket = connect(running.address, None).await;
    for frame in frames {
        // The server may be gone before it has taken all of it.
        let _ = socket.send(Frame::Binary(frame.into())).await;
    }
    while let Some(Ok(frame)) = socket.next().await {
        if let Frame::Close(frame) = frame {
            return frame.map(|frame| frame.code.into());
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_socket_too_many_is_told_to_come_back() {
    let running = start(MemoryEngine::new(), |config| config.sync.connections = 2).await;
    let mut ada = Witness::join(running.address, "ada").await;
    let grace = Witness::join(running.address, "grace").await;
    assert_eq!(code_without_join(&running, Vec::new()).await, Some(1013));
    ada.round_trip().await;
    drop(grace);
    eventually(&running, "room again", || {
        running.server.is_ready().is_ok() && connections(&running) < 2
    })
    .await;
    Witness::join(running.address, "eve").await.round_trip().await;
}

/// As the metrics say.
fn connections(running: &Running) -> usize {
    let page = crate::process::get(running.address, "/metrics").1;
    figure(&page, "roundtable_connections ")
}

fn figure(page: &str, name: &str) -> usize {
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|figure| figure.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {page}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_limit_is_closed_with_1009() {
    let running = start(MemoryEngine::new(), |config| config.sync.message_bytes = 100_000).await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    let mut grace = Witness::join(running.address, "grace").await;
    ada.open(&id).await;
    ada.round_trip().await;
    ada.flood(&id, 1, 99_000).await;
    ada.saved(&id).await;
    ada.flood(&id, 1, 100_001).await;
    assert_eq!(ada.close_code().await, 1009);
    grace.open(&id).await;
    grace.complete(&id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_joined_may_say_little() {
    let running = start(MemoryEngine::new(), |config| config.sync.join_bytes = 1_000).await;
    assert_eq!(code_without_join(&running, vec![noise(1, 1_001)]).await, Some(1009));
    Witness::join(running.address, "ada").await.round_trip().await;
}

/// Two peers send parts of large messages; there is room for one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_share_one_budget() {
    let running = start(MemoryEngine::new(), |config| {
        config.sync.receiving_bytes = 300_000;
        config.sync.receiving_free_bytes = 10_000;
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    let mut grace = Witness::join(running.address, "grace").await;
    let mut eve = Witness::join(running.address, "eve").await;
    let (first, rest) = halves_of_a_frame(250_000, 200_000);
    ada.socket.get_mut().write_all(&first).await.unwrap();
    let used = |running: &Running| {
        figure(
            &crate::process::get(running.address, "/metrics").1,
            "roundtable_receiving_bytes ",
        )
    };
    eventually(&running, "being received", || used(&running) > 150_000).await;
    let (first, _) = halves_of_a_frame(250_000, 200_000);
    grace.socket.get_mut().write_all(&first).await.unwrap();
    assert_eq!(grace.close_code().await, 1013, "the budget is used up");
    // Small messages need nothing of it.
    eve.open(&id).await;
    eve.edit(&id, "title", "small").await;
    eve.saved(&id).await;
    drop(grace);
    eventually(&running, "gone", || used(&running) < 250_000).await;
    // What ada sends is no message and closes her socket, but it was taken whole.
    ada.socket.get_mut().write_all(&rest).await.unwrap();
    assert_eq!(ada.close_code().await, 1002);
    eventually(&running, "given back", || used(&running) == 0).await;
    let mut ben = Witness::join(running.address, "ben").await;
    ben.open(&id).await;
    ben.complete(&id).await;
    ben.flood(&id, 1, 250_000).await;
    ben.saved(&id).await;
}

/// The bytes of a masked WebSocket frame, cut after `first` bytes.
fn halves_of_a_frame(bytes: u64, first: usize) -> (Vec<u8>, Vec<u8>) {
    let mut frame = vec![0x82, 0xff];
    frame.extend(bytes.to_be_bytes());
    // A mask of zeros changes nothing.
    frame.extend([0; 4]);
    frame.extend(noise(7, bytes as usize));
    let rest = frame.split_off(first);
    (frame, rest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_too_many_on_one_connection_is_unavailable() {
    let running = start(MemoryEngine::new(), |config| config.sync.documents = 2).await;
    let mut ada = Witness::join(running.address, "ada").await;
    let ids: [DocumentId; 3] = std::array::from_fn(|_| new_id());
    for id in &ids[..2] {
        ada.open(id).await;
        ada.edit(id, "title", "one").await;
        ada.saved(id).await;
    }
    ada.open(&ids[2]).await;
    ada.until("refused", |ada| {
        ada.unavailable.iter().any(|told| told == ids[2].as_str())
    })
    .await;
    ada.edit(&ids[0], "title", "two").await;
    ada.saved(&ids[0]).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&ids[1]).await;
    grace.complete(&ids[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_what_nobody_has_are_all_answered_and_few_are_remembered() {
    let running = start(MemoryEngine::new(), |config| config.sync.unknown_documents = 3).await;
    let mut ada = Witness::join(running.address, "ada").await;
    let ids: [DocumentId; 20] = std::array::from_fn(|_| new_id());
    for id in &ids {
        ada.open(id).await;
    }
    ada.until("all answered", |ada| ada.unavailable.len() == ids.len())
        .await;
    let remembered = || ids.iter().filter(|id| running.server.rooms.get(id).is_some());
    // A room that is just being left goes a moment later.
    eventually(&running, "forgotten", || remembered().count() <= 3).await;
    assert_eq!(remembered().count(), 3);
    // Who is remembered is told when somebody has it.
    let id = remembered().next().expect("three are");
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(id).await;
    grace.edit(id, "title", "late").await;
    grace.saved(id).await;
    ada.complete(id).await;
}

/// Ada asked for a document that nobody had, was told so, and then wrote in it. The server took her for one who waits and
/// did not answer the message that named her heads, so her changes stayed with her until she connected again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_in_vain_and_then_begins_the_document_is_heard() {
    let running = start(MemoryEngine::new(), |config| config.sync.unknown_documents = 1).await;
    let mut ada = Witness::join(running.address, "ada").await;
    let id = new_id();
    ada.open(&id).await;
    ada.until("told", |ada| ada.unavailable.len() == 1).await;
    ada.edit(&id, "title", "then I will write it").await;
    ada.saved(&id).await;
    // She no longer counts as waiting for it.
    let other = new_id();
    ada.open(&other).await;
    ada.until("told", |ada| ada.unavailable.len() == 2).await;
    assert!(
        running.server.rooms.get(&other).is_some(),
        "there is room to remember one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_too_many_is_unavailable_until_another_closes() {
    let running = start(MemoryEngine::new(), |config| {
        config.rooms.open = 2;
        config.room.sleep_after = std::time::Duration::from_millis(1);
    })
    .await;
    let mut ada = Witness::join(running.address, "ada").await;
    let ids: [DocumentId; 3] = std::array::from_fn(|_| new_id());
    for id in &ids[..2] {
        ada.open(id).await;
        ada.edit(id, "title", "one").await;
        ada.saved(id).await;
    }
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&ids[2]).await;
    grace.until("refused", |grace| grace.unavailable.len() == 1).await;
    // A room that is open takes anybody.
    grace.open(&ids[0]).await;
    grace.complete(&ids[0]).await;
    drop((ada, grace));
    eventually(&running, "closed", || running.server.rooms.get(&ids[0]).is_none()).await;
    let mut ben = Witness::join(running.address, "ben").await;
    ben.open(&ids[2]).await;
    ben.edit(&ids[2], "title", "one").await;
    ben.saved(&ids[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_made_a_few_at_a_time() {
    let running = start(MemoryEngine::new(), |config| config.sync.catch_ups = 1).await;
    let ids = documents::<20>(&running).await;
    let mut ada = Witness::join(running.address, "ada").await;
    for id in &ids {
        ada.open(id).await;
    }
    for id in &ids {
        ada.complete(id).await;
    }
}

/// An answer that waits for the disk takes the whole bound; the next document's answer is put off. When the first one
/// had left, nobody went back to those put off, and they waited until somebody edited them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_put_off_for_others_that_wait_for_the_disk_are_made_afterwards() {
    let engine = MemoryEngine::new();
    let running = start(engine.clone(), |config| config.sync.parked_bytes = 1).await;
    let [held, other] = documents(&running).await;
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&held).await;
    ada.complete(&held).await;
    ada.round_trip().await;
    engine.hold_syncs();
    ada.edit(&held, "title", "two").await;
    ada.until_held(&engine).await;
    let mut grace = Witness::join(running.address, "grace").await;
    let made = running.server.metrics.catch_ups.get();
    grace.open(&held).await;
    eventually(&running, "parked", || running.server.metrics.catch_ups.get() > made).await;
    for _ in 0..5 {
        grace.round_trip().await;
    }
    grace.open(&other).await;
    for _ in 0..5 {
        grace.round_trip().await;
    }
    assert!(grace.replica(&other).server_heads.is_empty(), "its answer is put off");
    engine.release_syncs();
    grace.complete(&held).await;
    grace.complete(&other).await;
    assert_eq!(get_later(running.address, "/readyz").await.0, 200);
}
