//! What each kind of frame does to a connection, and what is answered at once.

use bytes::Bytes;

use super::super::socket::Connection;
use super::door::{Joined, SyncDoor};
use super::talk::{Arrived, Stage};
use crate::id::{DocumentId, PeerId};
use crate::room::inbox::Close;
use crate::wire::repo::{Found, Message, PROTOCOL_VERSION, PeerMetadata};

/// What a waiting message costs beside its frame, in bytes.
const WAITING_MESSAGE_BYTES: usize = 256;

impl SyncDoor {
    /// Takes one binary frame.
    pub(super) fn take_frame(&mut self, frame: Bytes) {
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
}
