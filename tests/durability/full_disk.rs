//! A disk that is full, made by a limit on the size of files: nothing is called saved any more, the reason is said, readers
//! read, and with room again everything that was acknowledged is there.

use std::process::Command;

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ROOT, ReadDoc};
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use roundtable::client::{Client, ClientError, ConnectOptions};

use crate::local::new_id;
use crate::process::{LONG, Server, clean, get_later, serve_arguments};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_edits_and_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Server::start(&data, &[]).stop();
    let used = std::fs::metadata(data.join("db")).unwrap().len();
    // In units of 512 bytes or of 1 KiB, as the shell has it. With the signal ignored, a write beyond it fails.
    let most = (used + 600_000) / 512;
    let mut command = Command::new("sh");
    clean(&mut command);
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &most.to_string()]);
    command
        .arg(env!("CARGO_BIN_EXE_roundtable"))
        .args(serve_arguments(&data, &[]));
    let server = Server::spawn(command);
    let url = server.sync_url();

    let ada = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let id = new_id();
    let document = ada.document(&id);
    let mut random = SmallRng::seed_from_u64(1);
    let mut acknowledged = 0;
    let refusal = loop {
        let mut noise = vec![0; 20_000];
        random.fill_bytes(&mut noise);
        let made = document.edit(|tx| {
            tx.put(ROOT, "number", acknowledged + 1)?;
            tx.put(ROOT, "noise", noise)
        });
        made.unwrap_or_else(|error: AutomergeError| panic!("{error}"));
        match document.saved(LONG).await {
            Ok(()) => acknowledged += 1,
            Err(refusal) => break refusal,
        }
        assert!(acknowledged < 1_000, "the disk never filled up");
    };
    assert!(acknowledged > 0, "there was room for some");
    assert_eq!(refusal, ClientError::ReadOnly(id.clone()), "{}", server.errors());
    assert_eq!(document.saved(LONG).await, Err(ClientError::ReadOnly(id.clone())));

    let (status, reason) = get_later(server.address, "/readyz").await;
    assert_eq!(status, 503);
    assert!(
        reason.contains("read-only") && reason.contains("File too large"),
        "{reason}"
    );
    assert!(server.errors().contains("File too large"), "{}", server.errors());

    let number = |document: &roundtable::client::Document| {
        document.look(|replica| {
            let number = replica.document().get(ROOT, "number").unwrap();
            number.and_then(|(value, _)| value.as_i64())
        })
    };
    let grace = Client::connect(&url, ConnectOptions::default()).await.unwrap();
    let seen = grace.find(&id, LONG).await.expect("readers go on reading");
    assert_eq!(number(&seen), Some(acknowledged), "just what was acknowledged");
    let other = grace.attach(&new_id(), document.fork()).unwrap();
    // No new document either. sled may not even be able to tell any more that it is not there.
    let refused = other.until("refused", LONG, |replica| {
        (replica.is_read_only() || replica.is_unavailable()).then_some(())
    });
    refused.await.unwrap();
    assert!(other.look(|replica| replica.server_heads().is_empty()));
    drop((ada, grace));
    server.signal("TERM");
    let (status, errors) = tokio::task::spawn_blocking(|| server.ended()).await.unwrap();
    assert!(status.success(), "{status}: {errors}");

    let server = Server::start(&data, &[]);
    let grace = Client::connect(&server.sync_url(), ConnectOptions::default())
        .await
        .unwrap();
    let seen = grace.find(&id, LONG).await.expect("the document is there");
    assert!(
        number(&seen) >= Some(acknowledged),
        "{:?} of {acknowledged}",
        number(&seen)
    );
    let ada = Client::connect(&server.sync_url(), ConnectOptions::default())
        .await
        .unwrap();
    let document = ada.attach(&id, document.fork()).unwrap();
    document.saved(LONG).await.expect("what was refused is taken now");
}
