//! What must hold, held apart from the code under test.
//!
//! The order of what is durable comes from the author records in the store, read after each sync that succeeded; what was
//! shown comes from the frames themselves.

use std::collections::HashSet;

use automerge::sync::Message;
use automerge::{ActorId, Change, ChangeHash};
use bytes::Bytes;
use roundtable::document::crdt::Document;
use roundtable::id::DocumentId;
use roundtable::store::Store;
use roundtable::sync::conversation::Hearing;

use super::client::Client;
use super::door::Door;

#[derive(Default)]
pub struct Oracle {
    /// The hash of each change that is durable, by number, from 1 on.
    numbers: Vec<ChangeHash>,
    durable: HashSet<ChangeHash>,
    /// Everything that was ever shown to anybody.
    shown: HashSet<ChangeHash>,
    /// Every honest change.
    made: Vec<ChangeHash>,
    /// Those that all Bloom filters are wrong about.
    unlucky: Vec<ChangeHash>,
    /// Changes that must never get in.
    forbidden: HashSet<ChangeHash>,
    /// Changes in the store that do not load.
    spoilt: HashSet<ChangeHash>,
    /// Frames looked at lately: observers share them.
    looked_at: Vec<Bytes>,
}

impl Oracle {
    pub fn durable(&self) -> usize {
        self.numbers.len()
    }

    pub fn durable_set(&self) -> &HashSet<ChangeHash> {
        &self.durable
    }

    pub fn known(&self) -> &[ChangeHash] {
        &self.made
    }

    pub fn made(&mut self, hash: ChangeHash) {
        self.made.push(hash);
    }

    pub fn unlucky(&self) -> &[ChangeHash] {
        &self.unlucky
    }

    pub fn make_unlucky(&mut self, hash: ChangeHash) {
        self.unlucky.push(hash);
    }

    pub fn forbid(&mut self, hash: ChangeHash) {
        self.forbidden.insert(hash);
    }

    pub fn spoilt(&mut self, hash: ChangeHash) {
        self.spoilt.insert(hash);
    }

    /// A sync has succeeded: reads what is new. The numbers go on without a hole.
    pub fn flushed(&mut self, store: &Store, document: &DocumentId) {
        let first = self.numbers.len() as u64 + 1;
        for (number, record) in store
            .authors(document, first..=u64::MAX)
            .expect("what is durable reads")
        {
            assert_eq!(number, self.numbers.len() as u64 + 1, "the numbers have no hole");
            let hash = ChangeHash(record.hash);
            assert!(
                self.spoilt.contains(&hash) || !self.forbidden.contains(&hash),
                "change {hash}, which is to be refused, was stored"
            );
            assert!(self.durable.insert(hash), "change {hash} is stored twice");
            self.numbers.push(hash);
        }
    }

    /// A frame leaves the server: everything in it is durable.
    pub fn shown(&mut self, frame: &Bytes) {
        if self.looked_at.iter().any(|seen| seen.as_ptr() == frame.as_ptr()) {
            return;
        }
        if self.looked_at.len() == 4 {
            self.looked_at.remove(0);
        }
        self.looked_at.push(frame.clone());
        let message = Message::decode(frame).expect("the server sends what decodes");
        let mut shown = message.heads;
        // Several changes in one chunk, or a whole document, are all below the heads, and what is durable has no hole.
        let changes = message.changes.iter().filter_map(|chunk| Change::try_from(chunk).ok());
        shown.extend(changes.map(|change| change.hash()));
        for hash in shown {
            assert!(self.durable.contains(&hash), "{hash} is shown and not durable");
            self.shown.insert(hash);
        }
    }

    /// The server is back: what was durable has the numbers it had, and what was shown is there.
    pub fn restarted(&mut self, store: &Store, document: &DocumentId) {
        let before = std::mem::take(&mut self.numbers);
        self.durable.clear();
        self.looked_at.clear();
        self.flushed(store, document);
        assert!(
            self.numbers.starts_with(&before),
            "what was durable is lost or has another number"
        );
        let loaded = load(store, document);
        for hash in &self.shown {
            assert!(loaded.has(hash), "{hash} was shown and is lost");
        }
    }

    /// What is stored loads to the heads of the live room.
    pub fn check_reload(&self, store: &Store, document: &DocumentId, heads: &[ChangeHash]) {
        let loaded = load(store, document);
        assert_eq!(
            loaded.heads(),
            heads,
            "the store loads to other heads than those of the room"
        );
        for hash in self.forbidden.iter() {
            assert!(!loaded.has(hash), "a change that is to be refused got in");
        }
    }

    pub fn check_heads(&self, clients: &[Client], heads: &[ChangeHash]) {
        for hash in heads {
            assert!(self.durable.contains(hash), "the room's head {hash} is not durable");
        }
        // Who has the same heads has the same changes: one of them is enough.
        if let Some(client) = clients.iter().find(|client| client.document.get_heads() == heads) {
            for hash in &self.shown {
                assert!(client.has(hash), "{hash} was shown and is not in the common document");
            }
        }
    }
}

fn load(store: &Store, document: &DocumentId) -> Document {
    let actor = ActorId::from([0; 16]);
    match store.load(document, None).expect("what is durable reads") {
        None => Document::empty(actor),
        Some(stored) => {
            let snapshot = stored.snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
            let tail = stored.tail.iter().map(|(_, bytes)| bytes);
            Document::load(actor, snapshot, tail)
                .expect("what is durable loads")
                .document
        }
    }
}

/// After all is quiet: an open client stands where the server stands and knows it; every other one has at least all that
/// the server has.
pub fn check_client(door: &Door, client: &Client, heads: &[ChangeHash]) {
    let who = door.client;
    if door.told_unavailable {
        assert!(heads.is_empty(), "client {who} still waits for what is there");
        return;
    }
    let hearing = door.conversation.hearing();
    assert_eq!(door.holds_back(), 0, "messages of client {who} were never looked at");
    assert!(
        !door.conversation.due(door.room.durable()),
        "client {who} waits for the library"
    );
    for head in heads {
        assert!(client.has(head), "client {who} ({hearing:?}) lacks {head}");
    }
    assert_eq!(
        client.state.their_heads.as_deref(),
        Some(heads),
        "client {who} ({hearing:?}) was not told what the server has"
    );
    if hearing == Hearing::Deaf {
        assert!(
            client.state.is_peer_read_only(),
            "client {who} was not told that nothing is taken"
        );
    }
    if hearing == Hearing::Open {
        assert_eq!(
            client.document.get_heads(),
            heads,
            "client {who} has other heads than the server"
        );
        assert_eq!(
            door.conversation.cursor(),
            Some(door.room.durable()),
            "client {who} is not caught up"
        );
    }
}
