//! Ephemeral messages and remote heads as they come in.

use std::time::Instant;

use bytes::Bytes;

use super::door::SyncDoor;
use crate::id::{DocumentId, PeerId, StorageId};
use crate::sync::bindings::Spoken;
use crate::wire::repo::{Ephemeral, EphemeralPeek, RemoteHeads};

impl SyncDoor {
    /// Whether an ephemeral comes back as an echo, or is somebody else's: dropped before a message is made of it.
    /// Every client echoes each ephemeral that it receives, so that most frames of a lively room end here.
    pub(super) fn is_echo(&self, peek: &EphemeralPeek<'_>) -> bool {
        let Ok(sender) = PeerId::parse(peek.sender) else {
            return false;
        };
        let spoken = self
            .server
            .bindings()
            .may_speak(Instant::now(), &sender, peek.session, self.id);
        match spoken {
            Spoken::Own | Spoken::Relayed => false,
            Spoken::Echo => {
                self.server.metrics.ignore("echo");
                true
            }
            Spoken::TooMany => {
                self.server.metrics.ignore("too-many-senders");
                true
            }
        }
    }

    /// Passes an ephemeral on to the room. It counts as having opened the document.
    pub(super) fn hear_ephemeral(&mut self, mut ephemeral: Ephemeral) {
        // A slice would keep the whole frame in every lane it waits in.
        ephemeral.data = Bytes::copy_from_slice(&ephemeral.data);
        let Ok(document) = DocumentId::parse(&ephemeral.document) else {
            return self.server.metrics.ignore("ephemeral-of-no-document");
        };
        let Some(key) = self.open(&document) else {
            return self.server.metrics.ignore("ephemeral-of-too-many-documents");
        };
        let room = self.talk(key).room.clone();
        // One look at the disk, by the first who comes to a room before anybody asked for its document.
        if let Err(error) = room.learn_fate() {
            tracing::error!(%document, %error, "whether a document is deleted could not be read");
            return self.server.metrics.ignore("ephemeral-of-a-document-that-does-not-read");
        }
        if room.is_withheld() {
            return self.server.metrics.ignore("ephemeral-of-a-deleted-document");
        }
        if room.audience().hear(Instant::now(), ephemeral, self.id) {
            self.server.metrics.ephemerals_relayed.inc();
        } else {
            self.server.metrics.ignore("ephemeral-heard-before");
        }
    }

    /// The peer wants to hear, or no longer, of the heads of these storages.
    pub(super) fn follow(&mut self, add: Vec<StorageId>, remove: &[StorageId]) {
        let is_news = !self.followed.change(add, remove).is_empty();
        let follows = !self.followed.is_empty();
        let keys: Vec<u32> = self.talks.keys().copied().collect();
        for key in keys {
            let (connection, talk) = (self.id, self.talk(key));
            talk.room.audience().follow(connection, follows);
            if is_news {
                // Told from the beginning, one document after the other as the socket takes them.
                talk.gossip_seen = 0;
                self.enqueue(key);
            }
        }
    }

    /// The peer passes on what other storages have. Heads that are not known here are not passed on.
    pub(super) fn hear_remote_heads(&mut self, document: &str, heads: Vec<(StorageId, RemoteHeads)>) {
        let Some(key) = DocumentId::parse(document)
            .ok()
            .and_then(|document| self.by_document.get(&document).copied())
        else {
            return self.server.metrics.ignore("heads-of-a-document-not-open");
        };
        let room = self.talk(key).room.clone();
        if room.is_withheld() {
            return self.server.metrics.ignore("heads-of-a-deleted-document");
        }
        let (position, durable) = (room.end(), room.durable());
        for (storage, report) in heads {
            if storage == *self.server.store.storage_id() || !report.heads.iter().all(|head| room.knows(head)) {
                continue;
            }
            room.audience()
                .told_heads(&storage, report, position, super::super::now_ms());
        }
        room.audience().believe_reports(durable);
    }
}
