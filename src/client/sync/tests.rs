//! The client against a server of a few lines, which keeps documents as the library does and can misbehave on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use automerge::sync::{self, State, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT, ReadDoc};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::*;
use crate::document::export::{self, CsvOptions};
use crate::document::import::{Import, new_document};
use crate::document::sheet::{self, Format, Limits};
use crate::document::table::TableIndex;

/// Longer than anything takes; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    /// Never answers the join.
    Mute,
    /// Answers the join with an error.
    Refusing,
    /// Takes no changes, and says so.
    ReadOnly,
    /// Takes changes and never acknowledges them.
    Forgetful,
    /// Closes with 4409 at the first message of a document.
    Closing,
    /// Answers with a frame that is no message.
    Garbled,
}

type Documents = Arc<Mutex<HashMap<String, Automerge>>>;

/// Starts a server that serves one connection after the other; its address.
async fn server(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/sync", listener.local_addr().unwrap());
    let documents = Documents::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manner, Arc::clone(&documents)));
        }
    });
    url
}

async fn serve(stream: TcpStream, manner: Manner, documents: Documents) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let mut states: HashMap<String, State> = HashMap::new();
    let us = PeerId::parse("server").unwrap();
    while let Some(Ok(frame)) = socket.next().await {
        let Frame::Binary(frame) = frame else { continue };
        let answer = match Message::decode(&frame).unwrap() {
            Message::Join { .. } if manner == Manner::Mute => continue,
            Message::Join { sender, .. } if manner == Manner::Refusing => Message::Error {
                sender: us.clone(),
                target: Some(sender),
                message: "no room".into(),
            },
            Message::Join { sender, .. } => Message::Peer {
                sender: us.clone(),
                target: Some(sender),
                metadata: PeerMetadata {
                    storage_id: StorageId::parse("disk").ok(),
                    is_ephemeral: false,
                },
                version: "1".into(),
            },
            Message::Request { .. } | Message::Sync { .. } if manner == Manner::Closing => {
                let frame = CloseFrame {
                    code: 4409.into(),
                    reason: "replaced".into(),
                };
                socket.send(Frame::Close(Some(frame))).await.unwrap();
                continue;
            }
            Message::Request { .. } | Message::Sync { .. } if manner == Manner::Garbled => {
                socket.send(Frame::Binary(vec![0xff].into())).await.unwrap();
                continue;
            }
            Message::Request { sender, document, .. } if !documents.lock().unwrap().contains_key(&document) => {
                Message::DocUnavailable {
                    sender: us.clone(),
                    target: Some(sender),
                    document,
                }
            }
            Message::Request {
                sender, document, data, ..
            }
            | Message::Sync {
                sender, document, data, ..
            } => {
                let state = states.entry(document.clone()).or_default();
                state.read_only = manner == Manner::ReadOnly;
                let message = sync::Message::decode(&data).unwrap();
                let mut documents = documents.lock().unwrap();
                let known = documents.entry(document.clone()).or_default();
                known.receive_sync_message(state, message).unwrap();
                if manner == Manner::Forgetful {
                    continue;
                }
                let Some(answer) = known.generate_sync_message(state) else {
                    continue;
                };
                let data = answer.encode().into();
                Message::Sync {
                    sender: us.clone(),
                    target: Some(sender),
                    document,
                    data,
                }
            }
            _ => continue,
        };
        socket.send(Frame::Binary(answer.encode())).await.unwrap();
    }
}

async fn connected(manner: Manner) -> Client {
    Client::connect(&server(manner).await, ConnectOptions::default())
        .await
        .unwrap()
}

fn new_id() -> DocumentId {
    DocumentId::from_uuid(uuid::Uuid::new_v4())
}

fn one_entry() -> Automerge {
    let mut document = Automerge::new();
    document.transact(|tx| tx.put(ROOT, "a", 1)).unwrap();
    document
}

#[tokio::test]
async fn a_table_of_many_changes_goes_up_and_comes_down_the_same() {
    let url = server(Manner::Honest).await;
    let mut csv = String::from("name,amount,paid\n");
    for row in 0..400 {
        csv.push_str(&format!("row {row},{}.5,{}\n", row, row % 2 == 0));
    }
    let sheet = sheet::read(csv.as_bytes(), Format::Csv, None, &Limits::default()).unwrap();
    let made = new_document("Budget", Import::new_table(sheet, &[]).unwrap(), rand::rng()).unwrap();
    let connect = || Client::connect(&url, ConnectOptions::default());
    let (ada, id) = (connect().await.unwrap(), new_id());
    ada.attach(&id, made).unwrap().saved(LONG).await.unwrap();
    ada.close(LONG).await;
    let found = connect().await.unwrap().find(&id, LONG).await.unwrap();
    found.look(|replica| {
        let index = TableIndex::build(replica.document()).unwrap();
        let down = export::csv(replica.document(), &index, CsvOptions::default());
        assert_eq!((index.title(), down.text), ("Budget", csv));
        assert_eq!(replica.document().get_changes(&[]).len(), 4);
    });
}

#[tokio::test]
async fn a_document_nobody_has_is_unavailable() {
    let client = connected(Manner::Honest).await;
    assert_eq!(client.server_storage().unwrap().as_str(), "disk");
    let id = new_id();
    assert_eq!(client.find(&id, LONG).await.unwrap_err(), ClientError::Unavailable(id));
}

#[tokio::test]
async fn an_edit_is_saved_when_the_server_shows_it() {
    let client = connected(Manner::Honest).await;
    let document = client.attach(&new_id(), one_entry()).unwrap();
    document.saved(LONG).await.unwrap();
    let (_, change) = document.edit(|tx| tx.put(ROOT, "b", 2)).unwrap();
    document.saved(LONG).await.unwrap();
    assert!(document.look(|replica| replica.server_heads() == [change.unwrap()] && replica.changes().len() == 2));
}

#[tokio::test]
async fn a_second_connection_brings_what_was_edited_while_offline() {
    let url = server(Manner::Honest).await;
    let connect = || Client::connect(&url, ConnectOptions::default());
    let first = connect().await.unwrap();
    let id = new_id();
    let document = first.attach(&id, one_entry()).unwrap();
    document.saved(LONG).await.unwrap();
    drop(first);
    document.edit(|tx| tx.put(ROOT, "offline", true)).unwrap();
    let error = document.saved(LONG).await.unwrap_err();
    assert_eq!(
        error,
        ClientError::Ended {
            document: id.clone(),
            end: End::Left
        }
    );

    let second = connect().await.unwrap();
    second.attach(&id, document.fork()).unwrap().saved(LONG).await.unwrap();
    let third = connect().await.unwrap();
    let seen = third.find(&id, LONG).await.unwrap();
    assert!(seen.look(|replica| replica.document().get(ROOT, "offline").unwrap().is_some()));
}

/// A wait for a server that says nothing ends, and says what was waited for.
#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_limit() {
    let limit = Duration::from_millis(50);
    let options = ConnectOptions {
        timeout: limit,
        ..ConnectOptions::default()
    };
    let url = server(Manner::Mute).await;
    let error = Client::connect(&url, options).await.unwrap_err();
    assert_eq!(error, ClientError::NoAnswer { url, limit });

    let client = connected(Manner::Forgetful).await;
    let id = new_id();
    let document = client.attach(&id, one_entry()).unwrap();
    let error = document.saved(limit).await.unwrap_err();
    assert_eq!(error.to_string(), format!("document {id} was not saved within 50ms"));
}

#[tokio::test]
async fn a_refusal_carries_the_server_s_words() {
    let url = server(Manner::Refusing).await;
    let error = Client::connect(&url, ConnectOptions::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {url}: the server refused: no room")
    );
}

#[tokio::test]
async fn a_server_that_takes_no_changes_is_told_apart_from_a_slow_one() {
    let client = connected(Manner::ReadOnly).await;
    let id = new_id();
    let document = client.attach(&id, one_entry()).unwrap();
    assert_eq!(document.saved(LONG).await.unwrap_err(), ClientError::ReadOnly(id));
}

#[tokio::test]
async fn a_closed_connection_ends_every_wait_with_its_code() {
    let client = connected(Manner::Closing).await;
    let document = client.attach(&new_id(), one_entry()).unwrap();
    let error = document.saved(LONG).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the server closed the connection (4409, replaced)"),
        "{error}"
    );
    assert_eq!(
        client.ended().await,
        End::Closed {
            code: 4409,
            reason: "replaced".into()
        }
    );
}

#[tokio::test]
async fn a_frame_that_is_no_message_ends_the_connection() {
    let client = connected(Manner::Garbled).await;
    let document = client.attach(&new_id(), one_entry()).unwrap();
    assert!(document.saved(LONG).await.is_err());
    assert!(matches!(client.ended().await, End::BadMessage(_)));
}

#[tokio::test]
async fn each_document_is_attached_once() {
    let client = connected(Manner::Honest).await;
    let id = new_id();
    client.attach(&id, one_entry()).unwrap();
    assert_eq!(
        client.attach(&id, one_entry()).unwrap_err(),
        ClientError::AlreadyOpen(id)
    );
}
