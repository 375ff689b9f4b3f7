//! The state of one connection, and what each kind of frame does to it.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use automerge::sync::Message as SyncMessage;
use axum::extract::ws::Message as WsMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::Server;
use super::super::lifeline::Lifeline;
use super::super::socket::{Connection, End};
use super::talk::{Arrived, Stage, Talk};
use crate::document::author::{Author, Door};
use crate::id::{ConnectionId, DocumentId, PeerId, StorageId};
use crate::room::Commit;
use crate::room::inbox::{Close, Inbox, Mark};
use crate::room::room::NotAwake;
use crate::store::{NoPlace, Place};
use crate::sync::conversation::{CatchUp, CaughtUp, Conversation};
use crate::sync::gate::{BadMessage, Offered, Opened};
use crate::sync::gossip::Subscriptions;
use crate::wire::repo::{Found, Message, PROTOCOL_VERSION, PeerMetadata};

/// What a waiting message costs beside its frame, in bytes.
const WAITING_MESSAGE_BYTES: usize = 256;

/// The peer at the other end, after its join.
pub(super) struct Joined {
    pub id: PeerId,
    pub storage: Option<StorageId>,
    /// The storage, if it outlives the peer: only then its heads mean anything to others.
    pub lasting_storage: Option<StorageId>,
}

/// What a job has come to.
pub(super) enum Done {
    /// A document was loaded; its room sets the mark.
    Woken,
    /// The job panicked: a bug in us or in the library, which costs this connection.
    Panicked,
    Opened {
        key: u32,
        bytes: usize,
        is_request: bool,
        opened: Result<Opened, BadMessage>,
    },
    Place {
        key: u32,
        place: Result<Place, NoPlace>,
    },
    Committed {
        key: u32,
        bytes: usize,
        is_request: bool,
        message: SyncMessage,
        result: Result<Commit, (NotAwake, Place, Vec<Offered>)>,
    },
    CaughtUp {
        key: u32,
        epoch: u64,
        result: Result<CaughtUp, (NotAwake, CatchUp)>,
    },
}

type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

/// One connection. Only its own task touches it.
pub(super) struct SyncDoor {
    pub server: Arc<Server>,
    pub id: ConnectionId,
    pub inbox: Arc<Inbox>,
    lifeline: Arc<Lifeline>,
    pub peer: Option<Joined>,
    pub talks: HashMap<u32, Talk>,
    pub by_document: HashMap<DocumentId, u32>,
    next_key: u32,
    /// Documents that may have something to write, each once.
    pub turn: VecDeque<u32>,
    /// Documents whose answer waits until fewer are being made.
    pub deferred: VecDeque<u32>,
    /// Frames that are not a document's: bounded, since reading stops at a number of them.
    pub replies: VecDeque<Bytes>,
    jobs: FuturesUnordered<Job>,
    /// Bytes of messages that were not looked at yet.
    pub waiting_bytes: usize,
    /// Bytes of answers that wait for the disk.
    pub parked_bytes: usize,
    /// Answers being made.
    pub catch_ups: usize,
    /// Documents that nobody has and this peer waits for.
    pub unknown: usize,
    /// The storages whose heads the peer wants to hear of.
    pub followed: Subscriptions,
    closing: Option<Close>,
    farewells: Vec<Bytes>,
}

/// However a connection ends, a panic included, its rooms and its peer id are free again.
impl Drop for SyncDoor {
    fn drop(&mut self) {
        self.leave_everything();
        self.server.disconnected(self.id);
    }
}

impl Connection for SyncDoor {
    type Done = Done;

    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn peer_name(&self) -> &str {
        self.peer.as_ref().map_or("", |peer| peer.id.as_str())
    }

    fn look(&mut self, key: u32) {
        self.look_at(key);
    }

    fn receive(&mut self, message: WsMessage) {
        match message {
            WsMessage::Binary(bytes) => self.take_frame(bytes),
            _ => self.refuse(Close::NotBinary, "a text frame, where the protocol is binary"),
        }
    }

    fn is_reading(&self) -> bool {
        self.waiting_bytes <= self.server.config.sync.waiting_bytes
            && self.replies.len() < self.server.config.sync.replies
    }

    fn next_message(&mut self) -> Option<WsMessage> {
        self.next_frame().map(WsMessage::Binary)
    }

    async fn next_job(&mut self) -> Done {
        match self.jobs.next().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self, done: Done) {
        self.conclude(done);
    }

    fn closing(&self) -> Option<Close> {
        self.closing
    }

    fn leave(&mut self, _: &End) {
        self.leave_everything();
    }

    fn farewells(&mut self) -> Vec<WsMessage> {
        self.farewells.drain(..).map(WsMessage::Binary).collect()
    }
}

impl SyncDoor {
    pub fn new(server: Arc<Server>, lifeline: Arc<Lifeline>) -> Self {
        let followed = Subscriptions::new(&server.gossip_limits());
        Self {
            id: lifeline.inbox.connection(),
            inbox: lifeline.inbox.clone(),
            server,
            lifeline,
            peer: None,
            talks: HashMap::new(),
            by_document: HashMap::new(),
            next_key: 0,
            turn: VecDeque::new(),
            deferred: VecDeque::new(),
            replies: VecDeque::new(),
            jobs: FuturesUnordered::new(),
            waiting_bytes: 0,
            parked_bytes: 0,
            catch_ups: 0,
            unknown: 0,
            followed,
            closing: None,
            farewells: Vec::new(),
        }
    }

    /// Takes one binary frame.
    fn take_frame(&mut self, frame: Bytes) {
        if self.peer.is_none() && frame.len() > self.server.config.sync.join_bytes {
            return self.refuse(Close::TooLarge, "a frame too large for a peer that has not joined");
        }
        let message = match Found::find(&frame) {
            Ok(found) if found.ephemeral().is_some_and(|peek| self.is_echo(&peek)) => return,
            Ok(found) => found.message(),
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => self.dispatch(message, frame.len()),
            Err(error) => self.refuse(Close::BadFrame, &error.to_string()),
        }
    }

    fn dispatch(&mut self, message: Message, frame_bytes: usize) {
        if let Message::Join {
            sender,
            metadata,
            versions,
        } = message
        {
            return self.join(sender, metadata, &versions);
        }
        let Some(peer) = &self.peer else {
            return self.server.metrics.ignore("before-join");
        };
        let foreign = message.sender().is_some_and(|sender| *sender != peer.id);
        match message {
            Message::Ephemeral(_) if frame_bytes > self.server.config.sync.ephemeral_bytes => {
                self.server.metrics.ignore("ephemeral-too-large");
            }
            Message::Ephemeral(ephemeral) => self.hear_ephemeral(ephemeral),
            _ if foreign => self.server.metrics.ignore("foreign-sender"),
            Message::Request { document, data, .. } => self.hear_sync(&document, data, true, frame_bytes),
            Message::Sync { document, data, .. } => self.hear_sync(&document, data, false, frame_bytes),
            Message::RemoteSubscriptionChange { add, remove, .. } => self.follow(add, &remove),
            Message::RemoteHeadsChanged { document, heads, .. } => self.hear_remote_heads(&document, heads),
            // A 1.x client that disconnects; its socket may stay, and join again.
            Message::Leave { .. } => self.leave_everything(),
            Message::DocUnavailable { .. } => self.server.metrics.ignore("doc-unavailable"),
            Message::Peer { .. } | Message::Error { .. } | Message::Join { .. } => {
                self.server.metrics.ignore("not-for-a-server")
            }
            Message::Unknown { kind } => {
                tracing::debug!(connection = %self.id, %kind, "a message of unknown type");
                self.server.metrics.ignore("unknown-type");
            }
        }
    }

    /// The first message of a socket. Answered at once, before any look at the disk: a client waits a second for it.
    fn join(&mut self, peer: PeerId, metadata: PeerMetadata, versions: &[String]) {
        if !versions.iter().any(|version| version == PROTOCOL_VERSION) {
            self.say_error(
                Some(peer),
                &format!("unsupported protocol version: this server speaks {PROTOCOL_VERSION:?}"),
            );
            self.closing = Some(Close::BadFrame);
            return;
        }
        if let Some(joined) = &self.peer
            && joined.id != peer
        {
            return self.refuse(Close::BadFrame, "this socket has joined under another peer id");
        }
        if peer.is_spoken_for() {
            return self.refuse(
                Close::Policy,
                "this peer id belongs to somebody who is present over HTTP or at the live door",
            );
        }
        let lasting_storage = metadata.storage_id.clone().filter(|_| !metadata.is_ephemeral);
        self.server.joined(&peer, &self.inbox);
        self.lifeline.joined();
        tracing::debug!(connection = %self.id, %peer, "joined");
        let reply = Message::Peer {
            sender: self.server.peer_id.clone(),
            target: Some(peer.clone()),
            metadata: PeerMetadata {
                storage_id: Some(self.server.store.storage_id().clone()),
                is_ephemeral: false,
            },
            version: PROTOCOL_VERSION.into(),
        };
        self.replies.push_back(reply.encode());
        self.peer = Some(Joined {
            id: peer,
            storage: metadata.storage_id,
            lasting_storage,
        });
    }

    /// `frame_bytes` is what the message keeps in memory: its data is a slice of the frame.
    fn hear_sync(&mut self, document: &str, data: Bytes, is_request: bool, frame_bytes: usize) {
        // What is open already is looked up as it stands: reading an id computes its checksum.
        let key = match self.by_document.get(document) {
            Some(key) => Some(*key),
            None => DocumentId::parse(document)
                .ok()
                .and_then(|document| self.open(&document)),
        };
        let Some(key) = key else {
            return self.reply_unavailable(document);
        };
        let bytes = frame_bytes + WAITING_MESSAGE_BYTES;
        self.waiting_bytes += bytes;
        self.talk(key).arrived.push_back(Arrived {
            bytes,
            is_request,
            stage: Stage::Raw(data),
        });
        self.advance(key);
    }

    /// Beyond the bound nothing is remembered of a document that nobody has. True if this one was forgotten.
    pub(super) fn forget_unknown(&mut self, key: u32) -> bool {
        let is_one_too_many = self.unknown > self.server.config.sync.unknown_documents;
        let forgotten = is_one_too_many && self.talk(key).told_unavailable;
        if forgotten {
            self.close_talk(key);
        }
        forgotten
    }

    /// The conversation about a document, begun if need be. None beyond the bounds.
    pub(super) fn open(&mut self, document: &DocumentId) -> Option<u32> {
        if let Some(key) = self.by_document.get(document) {
            return Some(*key);
        }
        let peer = self.peer.as_ref()?.id.clone();
        if self.talks.len() >= self.server.config.sync.documents {
            return None;
        }
        let key = self.next_key;
        let mark = Mark::new(self.inbox.clone(), key);
        let room = self.server.rooms.enter(document, &peer, &mark, Instant::now()).ok()?;
        self.next_key += 1;
        let epoch = room.epoch();
        if !self.followed.is_empty() {
            room.audience().follow(self.id, true);
        }
        let talk = Talk {
            document: document.clone(),
            room,
            mark,
            conversation: Conversation::default(),
            epoch,
            arrived: VecDeque::new(),
            busy: false,
            place: None,
            queued: false,
            told_unavailable: false,
            told_deleted: false,
            greeted: false,
            gossip_seen: 0,
        };
        self.talks.insert(key, talk);
        self.by_document.insert(document.clone(), key);
        Some(key)
    }

    pub(super) fn talk(&mut self, key: u32) -> &mut Talk {
        self.talks
            .get_mut(&key)
            .expect("a key in use belongs to a conversation")
    }

    fn close_talk(&mut self, key: u32) {
        let Some(talk) = self.talks.remove(&key) else { return };
        self.by_document.remove(&talk.document);
        self.unknown -= usize::from(talk.told_unavailable);
        self.waiting_bytes -= talk.arrived.iter().map(|arrived| arrived.bytes).sum::<usize>();
        self.parked_bytes -= talk.conversation.parked_bytes();
        self.inbox.take_from_lane(|lane| lane.forget(key));
        self.server.rooms.leave(talk.room, self.id, Instant::now());
    }

    /// The peer is gone: leaves every room, where its people are said goodbye for.
    pub fn leave_everything(&mut self) {
        let keys: Vec<u32> = self.talks.keys().copied().collect();
        for key in keys {
            self.close_talk(key);
        }
        self.followed = Subscriptions::new(&self.server.gossip_limits());
        if let Some(peer) = self.peer.take() {
            self.server.left(&peer.id, self.id);
        }
    }

    pub(super) fn answer_unavailable(&mut self, key: u32) {
        let document = self.talk(key).document.to_string();
        self.reply_unavailable(&document);
    }

    fn reply_unavailable(&mut self, document: &str) {
        let Some(peer) = &self.peer else { return };
        let reply = Message::DocUnavailable {
            sender: self.server.peer_id.clone(),
            target: Some(peer.id.clone()),
            document: document.to_owned(),
        };
        self.replies.push_back(reply.encode());
    }

    /// Has the connection closed; its peer comes back by itself.
    pub(super) fn close(&mut self, why: Close) {
        self.closing.get_or_insert(why);
    }

    /// Says what was wrong and closes the connection.
    pub fn refuse(&mut self, why: Close, message: &str) {
        tracing::warn!(connection = %self.id, peer = Connection::peer_name(self), message, "refused");
        self.say_error(self.peer.as_ref().map(|peer| peer.id.clone()), message);
        self.closing = Some(why);
    }

    fn say_error(&mut self, target: Option<PeerId>, message: &str) {
        let error = Message::Error {
            sender: self.server.peer_id.clone(),
            target,
            message: message.to_owned(),
        };
        self.farewells.push(error.encode());
    }

    /// What the server vouches for about changes that come in here.
    pub(super) fn author(&self) -> Author {
        let device = self.peer.as_ref().map_or("", |peer| {
            peer.storage.as_ref().map_or(peer.id.as_str(), StorageId::as_str)
        });
        Author {
            time: super::super::now_ms() as u64,
            user: None,
            device: device.to_owned(),
            door: Door::Sync,
        }
    }

    /// Runs something that waits.
    pub(super) fn job(&mut self, job: impl Future<Output = Done> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }

    /// Runs something heavy on a worker thread. It goes on to its end even if the connection does not.
    pub(super) fn blocking(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        let work = tokio::task::spawn_blocking(work);
        self.job(async move { work.await.unwrap_or(Done::Panicked) });
    }

    /// Draws the conclusions of a job.
    fn conclude(&mut self, done: Done) {
        match done {
            Done::Woken => self.catch_ups -= 1,
            Done::Panicked => {
                tracing::error!(connection = %self.id, "a job panicked");
                self.closing = Some(Close::TryLater);
            }
            Done::Opened {
                key,
                bytes,
                is_request,
                opened,
            } => self.opened(key, bytes, is_request, opened),
            Done::Place { key, place } => {
                let Some(talk) = self.talks.get_mut(&key) else { return };
                talk.busy = false;
                // Without a place the store is read-only, and the next try says so.
                talk.place = place.ok();
                self.advance(key);
            }
            Done::Committed {
                key,
                bytes,
                is_request,
                message,
                result,
            } => {
                let Some(talk) = self.talks.get_mut(&key) else {
                    self.waiting_bytes -= bytes;
                    for connection in result.iter().flat_map(|commit| &commit.send_again) {
                        self.server.close(*connection, Close::TryLater);
                    }
                    return;
                };
                talk.busy = false;
                if self.committed(key, bytes, is_request, message, result) {
                    self.waiting_bytes -= bytes;
                }
                self.advance(key);
            }
            Done::CaughtUp { key, epoch, result } => {
                self.catch_ups -= 1;
                self.caught_up(key, epoch, result);
            }
        }
    }

    fn caught_up(&mut self, key: u32, epoch: u64, result: Result<CaughtUp, (NotAwake, CatchUp)>) {
        let Some(talk) = self.talks.get_mut(&key) else { return };
        self.parked_bytes -= talk.follow_epoch();
        if talk.epoch != epoch {
            return self.enqueue(key);
        }
        match result {
            Ok(done) => {
                talk.conversation.finish(done);
                self.parked_bytes += talk.conversation.parked_bytes();
            }
            Err((_, work)) => talk.conversation.give_back(work),
        }
        self.enqueue(key);
    }
}
