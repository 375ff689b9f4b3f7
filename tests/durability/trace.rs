//! The order of the system calls of the real server, as strace saw it: the edit goes into sled's file, `fdatasync` returns,
//! and only then a socket is given a frame with it.

use std::path::Path;
use std::process::Command;

use automerge::sync::Message as SyncMessage;
use automerge::transaction::Transactable;
use automerge::{AutomergeError, ChangeHash, ROOT};
use roundtable::client::{Client, ConnectOptions};

use roundtable::wire::repo::Message;

use crate::local::new_id;
use crate::process::{LONG, Server, clean, serve_arguments};

/// One system call: its name, its first argument with what the descriptor stands for, all of its text, its result.
#[derive(Debug)]
struct Call {
    name: String,
    descriptor: String,
    text: String,
    result: i64,
    /// The lines of the trace at which it began and returned.
    began: usize,
    returned: usize,
}

/// Reads a trace made with `-f -yy`: a call that others interrupted stands on two lines, both with the number of its thread.
fn parse(trace: &str) -> Vec<Call> {
    let mut unfinished = std::collections::HashMap::<&str, (usize, String)>::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((_time, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        if let Some(first_half) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (at, first_half.trim_end().to_owned()));
            continue;
        }
        let (began, text) = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, second_half)) => {
                let (began, first_half) = unfinished.remove(thread).expect("what is resumed was begun");
                (began, first_half + second_half)
            }
            None => (at, rest.to_owned()),
        };
        calls.extend(call(text, began, at));
    }
    calls
}

/// Signals and exits are no calls.
fn call(text: String, began: usize, returned: usize) -> Option<Call> {
    let (name, arguments) = text.split_once('(')?;
    let (_, result) = text.rsplit_once(" = ")?;
    let end = arguments.find([',', ')'])?;
    Some(Call {
        name: name.to_owned(),
        descriptor: unescaped(&arguments[..end]),
        result: result.split_whitespace().next()?.parse().ok()?,
        began,
        returned,
        text,
    })
}

/// What a descriptor stands for is written byte by byte like everything else.
fn unescaped(text: &str) -> String {
    String::from_utf8_lossy(&unescaped_bytes(text)).into_owned()
}

fn unescaped_bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        plain.push(code.expect("two digits follow"));
        plain.extend(&part.as_bytes()[2..]);
    }
    plain
}

/// Whether bytes given to a socket show a change. A hash that is merely asked for is not shown.
fn shows(call: &str, change: &ChangeHash) -> bool {
    let Some(bytes) = call.split('"').nth(1).map(unescaped_bytes) else {
        return false;
    };
    let mut frames = &bytes[..];
    while let Some((payload, rest)) = next_frame(frames) {
        frames = rest;
        let Ok(Message::Sync { data, .. }) = Message::decode(&payload.to_vec().into()) else {
            continue;
        };
        let message = SyncMessage::decode(&data).expect("the server sends what decodes");
        let mut named = message
            .heads
            .iter()
            .chain(message.have.iter().flat_map(|have| &have.last_sync));
        if named.any(|hash| hash == change) {
            return true;
        }
    }
    false
}

/// Cuts an unmasked WebSocket frame off.
fn next_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, length.into()),
    };
    Some((bytes.get(start..start + length)?, &bytes[start + length..]))
}

/// Whether this machine lets strace trace.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

fn traced_server(data: &Path, trace: &Path) -> Server {
    let mut command = Command::new("strace");
    clean(&mut command);
    // -D: the server is our child, and strace is out of the way. Bytes are written as \x.. so that hashes can be found.
    let calls = "trace=pwrite64,fdatasync,fsync,sync_file_range,sendto,sendmsg,write,writev";
    command.args(["-D", "-f", "-tt", "-yy", "-xx", "-s", "65536", "-e", calls, "-o"]);
    command.arg(trace).arg(env!("CARGO_BIN_EXE_roundtable"));
    command.args(serve_arguments(data, &[]));
    Server::spawn(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fdatasync_returns_before_any_socket_is_given_the_edit() {
    if !can_trace() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let server = traced_server(&folder.path().join("data"), &trace);
    let ada = Client::connect(&server.sync_url(), ConnectOptions::default())
        .await
        .unwrap();
    let grace = Client::connect(&server.sync_url(), ConnectOptions::default())
        .await
        .unwrap();
    let id = new_id();
    let (hers, seen) = (ada.document(&id), grace.document(&id));
    let mut changes = Vec::new();
    for value in 0..3 {
        let made = hers.edit(|tx| tx.put(ROOT, "value", value));
        let (_, change) = made.unwrap_or_else(|error: AutomergeError| panic!("{error}"));
        let change = change.expect("a change");
        changes.push(change);
        hers.saved(LONG).await.unwrap();
        seen.until("shown", LONG, |replica| replica.knows(&change).then_some(()))
            .await
            .unwrap();
    }
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();

    let calls = parse(&std::fs::read_to_string(&trace).unwrap());
    let is_file = |call: &Call| call.descriptor.ends_with("/db>");
    for change in changes {
        let spelled: String = change.0.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        // The store keeps the hash of a change beside its author.
        let mut stored = calls
            .iter()
            .filter(|call| is_file(call) && call.text.contains(&spelled));
        let stored = stored.next().expect("the edit went into the file");
        assert!(stored.result > 0, "{stored:?}");
        let mut syncs = calls
            .iter()
            .filter(|call| call.name == "fdatasync" && is_file(call) && call.began > stored.returned);
        let synced = syncs.next().expect("the file was synced");
        assert_eq!(synced.result, 0);
        let shown: Vec<_> = calls
            .iter()
            .filter(|call| call.descriptor.contains("TCP:") && shows(&call.text, &change))
            .collect();
        assert!(shown.len() >= 2, "both sockets were given the edit: {shown:?}");
        for shown in shown {
            assert!(
                shown.began > synced.returned,
                "{shown:?} began before {synced:?} had returned"
            );
        }
    }
}

#[test]
fn a_trace_with_interrupted_calls_reads() {
    let calls = parse(
        "17    10:00:00.000001 fdatasync(9<\\x2f\\x64ata/db> <unfinished ...>\n\
         18 10:00:00.000002 sendto(12<TCP:[127.0.0.1:4000->127.0.0.1:5000]>, \"\\x82\", 1, MSG_NOSIGNAL, NULL, 0) = 1\n\
         17 10:00:00.000003 <... fdatasync resumed>) = 0\n\
         17 10:00:00.000004 --- SIGTERM {si_signo=SIGTERM} ---\n\
         17 10:00:00.000005 fdatasync(9</data/db>) = -1 EIO (Input/output error)\n\
         17 10:00:00.000006 +++ exited with 0 +++\n",
    );
    let brief: Vec<_> = calls
        .iter()
        .map(|call| (&*call.name, call.result, call.began, call.returned))
        .collect();
    assert_eq!(
        brief,
        [("sendto", 1, 1, 1), ("fdatasync", 0, 0, 2), ("fdatasync", -1, 4, 4)]
    );
    assert_eq!(calls[1].descriptor, "9</data/db>");
}
