//! A copy of a room's document for catching peers up, apart from the lock of the document itself.
//!
//! Receiving and generating with the library walks the history, and a first Bloom filter or a whole document is heavy
//! work. It is done here, once per version of the document, by all who ask for that version one after the other;
//! edits go on meanwhile on the live document.

use automerge::Automerge;
use automerge::sync::{Message, State, SyncDoc};

/// What the library made of one message.
#[derive(Debug, Clone)]
pub struct Reply {
    pub state: State,
    pub message: Option<Message>,
}

/// A copy of the document as it was at one position of the log.
pub struct Replica {
    document: Automerge,
    position: u64,
    /// The last first message of a peer, and the reply to it: newcomers without the document all say the same, and each
    /// would have the whole document saved anew.
    newcomer: Option<(Message, Reply)>,
}

impl Replica {
    pub fn new(document: Automerge, position: u64) -> Self {
        Self {
            document,
            position,
            newcomer: None,
        }
    }

    /// The number of the last change contained.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn document(&self) -> &Automerge {
        &self.document
    }

    pub fn has(&self, hash: &automerge::ChangeHash) -> bool {
        self.document.get_change_meta_by_hash(hash).is_some()
    }

    /// Whether these, sorted, are its heads.
    pub fn is_at(&self, heads: &[automerge::ChangeHash]) -> bool {
        self.document.get_heads() == heads
    }

    /// Gives the library a message without changes and takes its answer. A state that answers at all answers now: the
    /// library would keep silent towards an up-to-date peer, and its acknowledgement would be lost. A read-only state
    /// decides for itself: made to speak, two deaf peers would talk for ever.
    pub fn answer(&mut self, mut state: State, message: Message) -> Reply {
        debug_assert!(message.changes.is_empty(), "changes pass the gate, not the library");
        let newcomer = state == State::new();
        if newcomer
            && let Some((said, reply)) = &self.newcomer
            && *said == message
        {
            return reply.clone();
        }
        let said = newcomer.then(|| message.clone());
        self.document
            .receive_sync_message(&mut state, message)
            .expect("only changes can fail to be received");
        if !state.read_only {
            state.have_responded = false;
        }
        let reply = self.speak(state);
        if let Some(said) = said {
            self.newcomer = Some((said, reply.clone()));
        }
        reply
    }

    /// What the library says by itself in this state.
    pub fn speak(&self, mut state: State) -> Reply {
        let message = self.document.generate_sync_message(&mut state);
        Reply { state, message }
    }
}
