//! How the server speaks for those who have no socket at the sync door: programs over HTTP, people at the live door.
//!
//! An unmodified client drops a message whose count it has seen in the sender's session, so every voice counts its own
//! messages in a session of its own. All such sessions are the server's: an echo of them is known for one.

use bytes::Bytes;

use crate::id::{DocumentId, PeerId};
use crate::sync::bindings::OwnSessions;
use crate::wire::repo::Ephemeral;

/// CBOR's null: what is no longer shown. A client merges what it is told into what it knows.
pub(super) const NULL: &[u8] = &[0xf6];

#[derive(Debug)]
pub(super) struct Voice {
    session: String,
    count: u64,
}

impl Voice {
    pub fn new(sessions: &OwnSessions) -> Self {
        Self {
            session: sessions.next(),
            count: 0,
        }
    }

    /// The next message in the name of this peer.
    pub fn says(&mut self, document: &DocumentId, sender: &PeerId, data: Bytes) -> Ephemeral {
        self.count += 1;
        Ephemeral {
            sender: sender.clone(),
            target: None,
            document: document.to_string(),
            count: self.count,
            session: self.session.clone(),
            data,
        }
    }
}
