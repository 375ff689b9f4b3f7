//! What the sweeper does by the clock, with its times set short: keepalive, and documents that are put to sleep.

use std::time::Duration;

use automerge::ReadDoc;
use roundtable::store::memory::MemoryEngine;

use crate::local::{closed, eventually, new_id, start};
use crate::witness::{Witness, connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_no_ping_is_closed_and_who_answers_is_not() {
    let running = start(MemoryEngine::new(), |config| {
        config.sweep.keepalive = Duration::from_millis(100)
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    let listening = {
        let id = id.clone();
        // She says nothing; pings are answered below.
        tokio::spawn(async move {
            ada.until("shown", |ada| ada.replica(&id).server_heads.len() == 2).await;
            ada.round_trip().await;
        })
    };
    for dead in 1..=2 {
        let mut silent = Witness::join(running.address, &format!("silent {dead}")).await;
        eventually(&running, "closed", || closed(&running, "timed-out") == dead).await;
        assert_eq!(silent.close_code().await, 4408);
    }
    // Two heads at once: a document that began twice.
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace.edit(&id, "title", "at the same time").await;
    grace.saved(&id).await;
    listening.await.expect("ada was not closed");
    assert_eq!(closed(&running, "timed-out"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_never_joins_is_closed() {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::Message as Frame;
    let running = start(MemoryEngine::new(), |config| {
        config.sweep.join_timeout = Duration::from_millis(50)
    })
    .await;
    let mut ada = Witness::join(running.address, "ada").await;
    let mut mute = connect(running.address, None).await;
    let closing = mute.next().await.expect("a frame").expect("no error");
    let Frame::Close(Some(closing)) = closing else {
        panic!("{closing}")
    };
    assert_eq!(u16::from(closing.code), 4408);
    ada.round_trip().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_sleeps_and_wakes_under_those_who_have_it_open() {
    let running = start(MemoryEngine::new(), |config| {
        config.room.sleep_after = Duration::from_millis(30)
    })
    .await;
    let id = new_id();
    let mut ada = Witness::join(running.address, "ada").await;
    ada.open(&id).await;
    ada.edit(&id, "title", "one").await;
    ada.saved(&id).await;
    let mut grace = Witness::join(running.address, "grace").await;
    grace.open(&id).await;
    grace.complete(&id).await;
    let room = running.server.rooms.get(&id).expect("it is open");
    let metrics = &running.server.metrics;
    for value in ["two", "three", "four"] {
        let (heads, end, epoch) = (room.durable_heads(), room.end(), room.epoch());
        eventually(&running, "asleep", || {
            metrics.rooms.get() == 1 && metrics.rooms_awake.get() == 0
        })
        .await;
        assert_eq!(
            (room.durable_heads(), room.end(), room.epoch()),
            (heads.clone(), end, epoch),
            "the shell stays"
        );
        // Over the same connections: the editor is heard, and who only watched is told.
        let frames = grace.frames.len();
        let change = ada.edit(&id, "title", value).await;
        ada.saved(&id).await;
        grace.until("shown", |grace| grace.replica(&id).knows(&change)).await;
        assert_eq!(
            grace.frames.len(),
            frames + 1,
            "one frame for one change, although the document slept"
        );
        assert_eq!((room.end(), room.epoch()), (end + 1, epoch));
        let document = &grace.replica(&id).document;
        let deps = document.get_change_by_hash(&change).expect("shown").deps().to_vec();
        assert_eq!(deps, *heads, "built on what was there before");
    }
    // Asleep again, and a newcomer wakes it.
    eventually(&running, "asleep", || metrics.rooms_awake.get() == 0).await;
    let mut newcomer = Witness::join(running.address, "newcomer").await;
    newcomer.open(&id).await;
    newcomer.complete(&id).await;
    assert_eq!(
        newcomer.replica(&id).document.get_heads(),
        ada.replica(&id).document.get_heads()
    );
    drop((ada, grace, newcomer, room));
    eventually(&running, "closed", || running.server.rooms.get(&id).is_none()).await;
    let mut late = Witness::join(running.address, "late").await;
    late.open(&id).await;
    late.complete(&id).await;
}
