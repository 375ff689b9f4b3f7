//! What a connection writes next: replies, then documents in turn, then what storages have, then presence.
//!
//! Called only while the socket takes bytes. A document frame is never dropped or reordered; presence waits for all of
//! them and may be dropped; an answer that needs the library is begun here, so that none is made for a socket that takes
//! nothing.

use bytes::Bytes;

use super::door::SyncDoor;
use super::jobs::Done;
use crate::room::Waking;
use crate::wire::repo::{self, Message, ephemeral_frame, sync_frame};

impl SyncDoor {
    /// Lets a document write when its turn comes.
    pub(super) fn enqueue(&mut self, key: u32) {
        let Some(talk) = self.talks.get_mut(&key) else { return };
        if !std::mem::replace(&mut talk.queued, true) {
            self.turn.push_back(key);
        }
    }

    /// The next frame, if there is one.
    pub(super) fn next_frame(&mut self) -> Option<Bytes> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(reply);
        }
        if self.has_room_for_answers() {
            self.undefer();
        }
        while let Some(key) = self.turn.pop_front() {
            let Some(talk) = self.talks.get_mut(&key) else { continue };
            talk.queued = false;
            if let Some(frame) = self.document_frame(key) {
                self.enqueue(key);
                return Some(frame);
            }
            if self.pass_on_news(key) {
                return self.replies.pop_front();
            }
        }
        // Looking at the documents may have made one.
        self.replies.pop_front().or_else(|| self.presence_frame())
    }

    fn document_frame(&mut self, key: u32) -> Option<Bytes> {
        let talk = self.talks.get_mut(&key)?;
        self.parked_bytes -= talk.follow_epoch();
        if talk.told_deleted {
            // What was made before, or was being made, is not said any more.
            self.parked_bytes -= talk.conversation.discard_parked();
            return None;
        }
        if talk.room.is_withheld() {
            return None;
        }
        let parked = talk.conversation.parked_bytes();
        let data = talk.room.pull(&mut talk.conversation, self.id);
        self.parked_bytes -= parked - talk.conversation.parked_bytes();
        if talk.conversation.cursor().is_some() && !std::mem::replace(&mut talk.greeted, true) {
            talk.room.audience().tell_of_others(self.id);
        }
        match data {
            Some(data) => {
                let peer = self.peer.as_ref()?;
                Some(sync_frame(&self.server.peer_id, &peer.id, &talk.document, &data))
            }
            None => {
                self.begin_catch_up(key);
                None
            }
        }
    }

    /// Has the library make the next answer, if it is its turn and there is room for one.
    fn begin_catch_up(&mut self, key: u32) {
        let Some(talk) = self.talks.get(&key) else { return };
        if talk.busy || talk.told_unavailable || !talk.conversation.due(talk.room.durable()) {
            return;
        }
        if !self.has_room_for_answers() {
            self.deferred.push_back(key);
            return;
        }
        let talk = self.talk(key);
        match talk.room.begin_wake(std::time::Instant::now()) {
            Waking::Awake => {}
            Waking::Begun => return self.wake(key),
            Waking::UnderWay => return,
            Waking::Failed(_) => return self.answer_unavailable(key),
        }
        let Some(work) = talk.conversation.begin() else { return };
        let (room, epoch) = (talk.room.clone(), talk.epoch);
        self.catch_ups += 1;
        self.server.metrics.catch_ups.inc();
        self.blocking(move || Done::CaughtUp {
            key,
            epoch,
            result: room.catch_up(work),
        });
    }

    /// Answers that wait for the disk or the socket take memory, and those being made will.
    fn has_room_for_answers(&self) -> bool {
        let limits = &self.server.config.sync;
        self.catch_ups < limits.catch_ups && self.parked_bytes <= limits.parked_bytes
    }

    /// An answer was made, sent or discarded: those that waited for room may go on.
    fn undefer(&mut self) {
        while let Some(key) = self.deferred.pop_front() {
            self.enqueue(key);
        }
    }

    /// Queues what became known about the storages this connection follows.
    fn pass_on_news(&mut self, key: u32) -> bool {
        if self.followed.is_empty() {
            return false;
        }
        let Some(talk) = self.talks.get_mut(&key).filter(|talk| !talk.room.is_withheld()) else {
            return false;
        };
        let news = talk.room.audience().news_since(&mut talk.gossip_seen, &self.followed);
        let document = talk.document.clone();
        self.queue_news(&document, news)
    }

    pub(super) fn queue_news(
        &mut self,
        document: &crate::id::DocumentId,
        news: Vec<(crate::id::StorageId, repo::RemoteHeads)>,
    ) -> bool {
        let Some(peer) = &self.peer else { return false };
        let before = self.replies.len();
        for (storage, heads) in news {
            // A client knows its own storage best.
            if peer.storage.as_ref() == Some(&storage) {
                continue;
            }
            let message = Message::RemoteHeadsChanged {
                sender: self.server.peer_id.clone(),
                target: Some(peer.id.clone()),
                document: document.to_string(),
                heads: vec![(storage, heads)],
            };
            self.replies.push_back(message.encode());
        }
        self.replies.len() > before
    }

    fn presence_frame(&mut self) -> Option<Bytes> {
        let peer = self.peer.as_ref()?;
        let (_, ephemeral) = self.inbox.take_from_lane(|lane| lane.pop())?;
        Some(ephemeral_frame(&ephemeral, &peer.id))
    }
}
