//! The state of one connection: its peer, and the documents it has open.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::Message as WsMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::Server;
use super::super::lifeline::Lifeline;
use super::super::socket::{Connection, End};
use super::jobs::{Done, Job};
use super::talk::Talk;
use crate::document::author::{Author, Door};
use crate::id::{ConnectionId, DocumentId, PeerId, StorageId};
use crate::room::inbox::{Close, Inbox, Mark};
use crate::sync::conversation::Conversation;
use crate::sync::gossip::Subscriptions;

/// The peer at the other end, after its join.
pub(super) struct Joined {
    pub id: PeerId,
    pub storage: Option<StorageId>,
    /// The storage, if it outlives the peer: only then its heads mean anything to others.
    pub lasting_storage: Option<StorageId>,
}

/// One connection. Only its own task touches it.
pub(super) struct SyncDoor {
    pub server: Arc<Server>,
    pub id: ConnectionId,
    pub inbox: Arc<Inbox>,
    pub lifeline: Arc<Lifeline>,
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
    pub jobs: FuturesUnordered<Job>,
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
    pub closing: Option<Close>,
    pub farewells: Vec<Bytes>,
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

    /// Has the connection closed; its peer comes back by itself.
    pub(super) fn close(&mut self, why: Close) {
        self.closing.get_or_insert(why);
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
}
