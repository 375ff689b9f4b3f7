//! What a room has noted beside its changes and not on disk yet: idempotency keys, and whether the document is deleted.
//!
//! Notes have numbers of their own, since they may come without a change. What was noted is decided at once and shown once
//! it is on disk: a deleted document takes nothing from the moment it is decided, and nobody is told before it is durable.
//!
//! Invariant: everything is changed under the lock of the slot, except that a flush moves `durable`.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::key::KeyId;
use crate::store::{Fate, KeyRecord, Tombstone};

/// Whether the document of a room is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The room was never awake: nobody has looked.
    Unknown,
    Not,
    /// It was deleted or restored just now, and nobody may be told: look again when the room announces something.
    Deciding,
    Deleted(Tombstone),
}

#[derive(Default)]
pub(super) struct Notes {
    /// The number of the newest note, and of the newest that is durable or still may become so.
    numbered: u64,
    newest: u64,
    durable: u64,
    /// Keys appended and not durable, with the number of their note. Bounded by the places in the queue of the store.
    keys: HashMap<KeyId, (u64, KeyRecord)>,
    /// Whether the store was asked for the fate of the document.
    known: bool,
    /// Whether it is deleted, as far as that is durable.
    shown: Option<Tombstone>,
    /// What was decided and is not durable, oldest first.
    decided: VecDeque<(u64, Option<Tombstone>)>,
}

impl Notes {
    /// The number behind which everything noted so far lies.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    pub fn is_settled(&self) -> bool {
        self.durable >= self.newest
    }

    fn next(&mut self) -> u64 {
        self.numbered += 1;
        self.newest = self.numbered;
        self.newest
    }

    /// A key was appended. Returns the number of the note.
    pub fn note_key(&mut self, id: KeyId, record: KeyRecord) -> u64 {
        let number = self.next();
        self.keys.insert(id, (number, record));
        number
    }

    /// The document was deleted or restored. Returns the number of the note.
    pub fn note_fate(&mut self, fate: &Fate) -> u64 {
        let number = self.next();
        self.decided.push_back((number, fate.tombstone().cloned()));
        number
    }

    /// What became of a key that is not durable yet.
    pub fn pending(&self, id: &KeyId) -> Option<KeyRecord> {
        self.keys.get(id).map(|(_, record)| record.clone())
    }

    /// The store was asked for the first time.
    pub fn learn(&mut self, fate: Option<Fate>) {
        if !self.known {
            self.known = true;
            self.shown = fate.and_then(|fate| fate.tombstone().cloned());
        }
    }

    pub fn is_known(&self) -> bool {
        self.known
    }

    pub fn deletion(&self) -> Deletion {
        match &self.shown {
            _ if !self.known => Deletion::Unknown,
            _ if !self.decided.is_empty() => Deletion::Deciding,
            Some(tombstone) => Deletion::Deleted(tombstone.clone()),
            None => Deletion::Not,
        }
    }

    /// The tombstone that everybody may know of.
    pub fn shown(&self) -> Option<&Tombstone> {
        self.shown.as_ref()
    }

    /// The tombstone that holds, whether or not it is on disk: for those who would change the document.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        match self.decided.back() {
            Some((_, decided)) => decided.as_ref(),
            None => self.shown.as_ref(),
        }
    }

    /// Everything up to this note is on disk.
    pub fn flushed(&mut self, number: u64) {
        self.durable = self.durable.max(number);
        self.keys.retain(|_, (pending, _)| *pending > number);
        while self.decided.front().is_some_and(|(decided, _)| *decided <= number) {
            self.shown = self.decided.pop_front().and_then(|(_, tombstone)| tombstone);
        }
    }

    /// The store failed: what is not durable will never be. Its numbers are not used again.
    pub fn roll_back(&mut self) {
        self.newest = self.durable;
        self.keys.clear();
        self.decided.clear();
    }
}

/// How an answer is made smaller than the store keeps.
pub(super) fn bounded(answer: Bytes) -> Bytes {
    match answer.len() > crate::store::MAX_ANSWER {
        true => Bytes::new(),
        false => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(at: u64) -> Tombstone {
        Tombstone { at, by: "ada".into() }
    }

    #[test]
    fn what_is_decided_holds_at_once_and_is_shown_when_it_is_durable() {
        let mut notes = Notes::default();
        assert_eq!(notes.deletion(), Deletion::Unknown);
        notes.learn(None);
        assert_eq!(notes.deletion(), Deletion::Not);
        let deleted = notes.note_fate(&Fate::Deleted(tombstone(1)));
        assert_eq!(notes.deletion(), Deletion::Deciding);
        assert_eq!((notes.tombstone(), notes.shown()), (Some(&tombstone(1)), None));
        notes.flushed(deleted);
        assert_eq!(notes.deletion(), Deletion::Deleted(tombstone(1)));
        let restored = notes.note_fate(&Fate::Restored(tombstone(2)));
        assert_eq!((notes.tombstone(), notes.shown()), (None, Some(&tombstone(1))));
        notes.flushed(restored);
        assert_eq!(notes.deletion(), Deletion::Not);
    }

    #[test]
    fn what_is_rolled_back_was_never_decided_and_its_number_is_not_used_again() {
        let mut notes = Notes::default();
        notes.learn(None);
        let first = notes.note_fate(&Fate::Deleted(tombstone(1)));
        notes.roll_back();
        assert_eq!(notes.deletion(), Deletion::Not);
        assert!(notes.is_settled());
        assert!(notes.note_fate(&Fate::Deleted(tombstone(2))) > first);
    }

    #[test]
    fn a_key_is_pending_until_its_note_is_on_disk() {
        let mut notes = Notes::default();
        let record = KeyRecord {
            digest: [7; 32],
            answer: Bytes::from_static(b"done"),
        };
        let id = KeyId { time: 1, hash: [1; 16] };
        let first = notes.note_key(id, record.clone());
        let second = notes.note_key(id, record.clone());
        notes.flushed(first);
        assert_eq!(notes.pending(&id), Some(record), "a newer note about it is on its way");
        notes.flushed(second);
        assert_eq!(notes.pending(&id), None);
    }
}
