//! The one task of a client: frames in, frames out.
//!
//! A message is made when the socket takes it, from the replica as it stands then: edits made meanwhile go together, and
//! a slow socket makes no queue. Reading goes on while a write waits.
//!
//! - Locks: the board, then nothing; a replica, then nothing. Neither is held across an await.
//! - A document is on the list of those with something to say at most once.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry as Slot, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use automerge::Automerge;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite;

use super::End;
use super::replica::{Outgoing, Replica};
use crate::client::Socket;
use crate::id::{DocumentId, PeerId};
use crate::wire::repo::Message;

/// A document as its connection and its handles share it.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: DocumentId,
    replica: Mutex<Replica>,
    /// Told after every change of the replica, and when the connection ends.
    pub changed: watch::Sender<()>,
}

impl Entry {
    pub fn replica(&self) -> MutexGuard<'_, Replica> {
        // Callers run closures of their own in here. A panic in one leaves the replica whole: a look changes nothing,
        // and a transaction that is broken off is rolled back.
        self.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Board {
    documents: HashMap<DocumentId, Arc<Entry>>,
    /// Documents that may have something to say, first come, first served.
    talkative: VecDeque<DocumentId>,
    leaving: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    ours: PeerId,
    server: PeerId,
    board: Mutex<Board>,
    /// Wakes the writing half.
    wake: Notify,
    ended: watch::Sender<Option<End>>,
}

impl Connection {
    pub fn new(ours: PeerId, server: PeerId) -> Self {
        let (board, wake) = (Mutex::default(), Notify::new());
        Self {
            ours,
            server,
            board,
            wake,
            ended: watch::Sender::new(None),
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("no one panics with the board")
    }

    /// The entry of a document, and whether it was made now.
    pub fn open(&self, id: &DocumentId, document: impl FnOnce() -> Automerge) -> (Arc<Entry>, bool) {
        let entry = match self.board().documents.entry(id.clone()) {
            Slot::Occupied(known) => return (Arc::clone(known.get()), false),
            Slot::Vacant(free) => {
                let replica = Mutex::new(Replica::new(document()));
                Arc::clone(free.insert(Arc::new(Entry {
                    id: id.clone(),
                    replica,
                    changed: watch::Sender::new(()),
                })))
            }
        };
        self.speak(id);
        (entry, true)
    }

    /// Something about the document has changed: let it say so.
    pub fn speak(&self, id: &DocumentId) {
        let mut board = self.board();
        if !board.talkative.contains(id) {
            board.talkative.push_back(id.clone());
        }
        drop(board);
        self.wake.notify_one();
    }

    pub fn leave(&self) {
        self.board().leaving = true;
        self.wake.notify_one();
    }

    pub fn ended(&self) -> Option<End> {
        self.ended.borrow().clone()
    }

    pub async fn until_ended(&self) -> End {
        let mut ended = self.ended.subscribe();
        let end = ended.wait_for(Option::is_some).await.expect("we hold the sender");
        end.clone().expect("waited for")
    }

    /// Notes why the connection is no more, unless that is known already, and wakes all who wait.
    pub fn finish(&self, end: End) {
        self.ended.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(end);
            first
        });
        for entry in self.board().documents.values() {
            entry.changed.send_replace(());
        }
    }

    /// Serves the socket until it ends.
    pub async fn run(self: Arc<Self>, socket: Socket) {
        let _last_word = LastWord(&self);
        let (sink, stream) = socket.split();
        let end = tokio::select! {
            end = self.read(stream) => end,
            end = self.write(sink) => end,
        };
        let left = self.board().leaving;
        self.finish(if left { End::Left } else { end });
    }

    async fn read(&self, mut stream: SplitStream<Socket>) -> End {
        while let Some(received) = stream.next().await {
            let taken = match received {
                Ok(tungstenite::Message::Binary(frame)) => self.take(&frame),
                Ok(tungstenite::Message::Close(frame)) => {
                    // 1005 stands for a close without a code.
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    });
                    Err(End::Closed { code, reason })
                }
                Ok(_) => Ok(()),
                Err(error) => Err(End::Broken(error.to_string())),
            };
            if let Err(end) = taken {
                return end;
            }
        }
        End::Broken("closed without a word".into())
    }

    fn take(&self, frame: &Bytes) -> Result<(), End> {
        let bad = |why: String| End::BadMessage(why);
        match Message::decode(frame).map_err(|error| bad(error.to_string()))? {
            Message::Sync { document, data, .. } | Message::Request { document, data, .. } => {
                let Some(entry) = self.entry(&document) else {
                    return Ok(());
                };
                entry.replica().receive(&data).map_err(bad)?;
                entry.changed.send_replace(());
                self.speak(&entry.id);
                Ok(())
            }
            Message::DocUnavailable { document, .. } => {
                if let Some(entry) = self.entry(&document) {
                    entry.replica().set_unavailable();
                    entry.changed.send_replace(());
                }
                Ok(())
            }
            Message::Error { message, .. } => Err(End::Refused(message)),
            // Presence and gossip are nothing to a client without a screen.
            _ => Ok(()),
        }
    }

    /// Documents that nobody opened here are not ours to store.
    fn entry(&self, id: &str) -> Option<Arc<Entry>> {
        let id = DocumentId::parse(id).ok()?;
        self.board().documents.get(&id).cloned()
    }

    async fn write(&self, mut sink: SplitSink<Socket, tungstenite::Message>) -> End {
        loop {
            let sent = match self.next_frame() {
                Some(frame) => sink.send(tungstenite::Message::Binary(frame)).await,
                None if self.board().leaving => {
                    // The reading half sees the server's own close, or the end of the socket.
                    let _ = sink.send(tungstenite::Message::Close(None)).await;
                    std::future::pending().await
                }
                None => {
                    // A wakeup between the look and this wait is kept: `Notify` stores one.
                    self.wake.notified().await;
                    Ok(())
                }
            };
            if let Err(error) = sent {
                return End::Broken(error.to_string());
            }
        }
    }

    /// Makes the next message of the first document that has one.
    fn next_frame(&self) -> Option<Bytes> {
        loop {
            // Off the list before the message is made: what changes meanwhile puts it back on.
            let entry = {
                let mut board = self.board();
                let id = board.talkative.pop_front()?;
                board.documents.get(&id).cloned()
            };
            let Some(entry) = entry else { continue };
            let outgoing = entry.replica().generate();
            let (sender, target) = (self.ours.clone(), Some(self.server.clone()));
            let document = entry.id.as_str().into();
            let message = match outgoing {
                None => continue,
                Some(Outgoing::Request(data)) => Message::Request {
                    sender,
                    target,
                    document,
                    data: data.into(),
                },
                Some(Outgoing::Sync(data)) => Message::Sync {
                    sender,
                    target,
                    document,
                    data: data.into(),
                },
            };
            return Some(message.encode());
        }
    }
}

/// Ends the connection even if its task panics, so that nobody waits for a task that is gone.
struct LastWord<'a>(&'a Connection);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.0.finish(End::Broken("the client's own task broke off".into()));
    }
}
