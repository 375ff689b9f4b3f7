//! Writes that carry an idempotency key: done once, however often they are sent.
//!
//! Whether a key is known is asked under the lock of the document, before anything is done: what was appended a moment ago
//! is found in the room, what was appended before that in the store. The store forgets keys, so that a key must be younger
//! than everything forgotten to count as new.

use bytes::Bytes;

use super::edit::Edited;
use super::notes::bounded;
use super::room::{Room, Slot};
use super::seen::Seen;
use crate::key::{AHEAD_MS, KEPT_MS, Key, KeyId};
use crate::store::{KeyRecord, Note};

/// The key of a request, and what tells the request from any other with the same key.
#[derive(Debug, Clone)]
pub struct Keyed {
    pub key: Key,
    pub digest: [u8; 32],
    /// What the request has come to before, if it goes on: the answer recorded last, which must still be the one. None for a
    /// request that begins. Of two that go on from the same place one goes on, the other is told what that has come to.
    pub after: Option<Bytes>,
}

impl Keyed {
    /// A request that is to be done if its key is new.
    pub fn new(key: Key, digest: [u8; 32]) -> Self {
        let after = None;
        Self { key, digest, after }
    }

    /// The same request, going on from the answer that was recorded last.
    pub fn going_on(&self, after: Bytes) -> Self {
        let after = Some(after);
        Self { after, ..self.clone() }
    }
}

/// Why a request is not done on account of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("this idempotency key was used for another request")]
    Reused,
    /// Not known, and too old to be known to be new.
    #[error("this idempotency key is older than what is remembered; whether it was used cannot be told")]
    Expired,
    #[error("the time of this idempotency key is more than five minutes ahead of this server's clock")]
    Ahead,
}

/// What is known of a key.
pub(super) enum Known {
    New,
    /// The answer recorded.
    Done(Bytes),
    Refused(KeyRefusal),
}

/// What a write with a key has come to.
#[derive(Debug, Clone)]
pub enum Once<T> {
    Done(Edited<T>),
    /// It was done before; this is the answer of then, to be given once it is on disk. Empty if it was too long to be kept.
    Replayed(Edited<Bytes>),
}

impl<T> Once<T> {
    /// What must be on disk before anything is answered.
    pub fn seen(&self) -> Seen {
        match self {
            Once::Done(edited) => edited.seen(),
            Once::Replayed(edited) => edited.seen(),
        }
    }
}

impl Room {
    /// What a request with this key has come to, if it was sent before. To be told once [`Edited::seen`] is on disk. Reads
    /// the disk; `now_ms` is the server's clock.
    pub fn recall(&self, keyed: &Keyed, now_ms: u64) -> Result<Option<Edited<Bytes>>, RecallError> {
        let slot = self.slot();
        match self.known(&slot, keyed, now_ms).map_err(RecallError::Failed)? {
            Known::New => Ok(None),
            Known::Done(answer) => Ok(Some(self.edited(answer))),
            Known::Refused(why) => Err(RecallError::Refused { why, seen: self.seen() }),
        }
    }

    /// What was recorded last under a key, whatever the request was. To be told once it is on disk.
    pub fn kept(&self, id: &KeyId) -> Result<Option<Edited<Bytes>>, String> {
        let _slot = self.slot();
        let pending = self.notes().pending(id);
        let record = match pending {
            Some(record) => Some(record),
            None => self.store.key(&self.id, id).map_err(|error| error.to_string())?,
        };
        Ok(record.map(|record| self.edited(record.answer)))
    }

    /// Whether a request may be done: called under the lock, before it is.
    pub(super) fn known(&self, slot: &Slot, keyed: &Keyed, now_ms: u64) -> Result<Known, String> {
        let id = keyed.key.id();
        let pending = self.notes().pending(&id);
        let record = match pending {
            Some(record) => Some(record),
            // The engine goes on showing what it failed to write, so that nothing can be told any more.
            None if slot.rolled_back => return Err("the store has failed; what became of the key is not known".into()),
            None => self.store.key(&self.id, &id).map_err(|error| error.to_string())?,
        };
        Ok(match (record, &keyed.after) {
            (Some(record), _) if record.digest != keyed.digest => Known::Refused(KeyRefusal::Reused),
            (Some(record), Some(after)) if record.answer == *after => Known::New,
            (Some(record), _) => Known::Done(record.answer),
            (None, _) if id.time > now_ms.saturating_add(AHEAD_MS) => Known::Refused(KeyRefusal::Ahead),
            (None, None) if !self.is_forgotten(keyed, now_ms)? => Known::New,
            (None, _) => Known::Refused(KeyRefusal::Expired),
        })
    }

    fn is_forgotten(&self, keyed: &Keyed, now_ms: u64) -> Result<bool, String> {
        let time = keyed.key.time();
        let floor = || self.store.key_floor(&self.id).map_err(|error| error.to_string());
        Ok(time.saturating_add(KEPT_MS) < now_ms || time <= floor()?)
    }

    /// The note of a key, and its number. None in a document without a change, which is not stored: nothing was done.
    pub(super) fn note_key(&self, keyed: &Keyed, answer: Bytes, now_ms: u64) -> Option<Note> {
        if self.log().end() == 0 {
            return None;
        }
        let (id, length) = (keyed.key.id(), answer.len());
        let record = KeyRecord {
            digest: keyed.digest,
            answer: bounded(answer),
        };
        if record.answer.len() < length {
            tracing::warn!(document = %self.id, key = %keyed.key, bytes = length, "an answer is too long to be kept");
        }
        self.notes().note_key(id, record.clone());
        Some(Note::Key {
            id,
            record,
            now: now_ms,
        })
    }
}

/// Why it cannot be told what a request has come to.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    #[error("{why}")]
    Refused { why: KeyRefusal, seen: Seen },
    #[error("what became of the idempotency key could not be read: {0}")]
    Failed(String),
}
