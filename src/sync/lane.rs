//! The ephemerals waiting for one connection, over all its documents: bounded, newest wins.
//!
//! It exists so that presence never delays a document frame and never piles up behind a slow socket: what a newer
//! message makes pointless is taken out, and what is too much is dropped, oldest first.
//!
//! - Messages leave in the order they came in. A client drops a message whose count is lower than the highest it has
//!   seen of that sender and session, in whatever document: so a superseded message is removed and the newer one put
//!   at the end, never in its place.
//! - Entries and bytes are bounded; a sender in excess loses its own messages before anybody else's.

use super::presence::Key;
use crate::id::PeerId;
use crate::wire::repo::Ephemeral;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much may wait for one connection.
#[derive(Debug, Clone)]
pub struct Limits {
    pub entries: usize,
    /// Of payload; the rest of a message is bounded by the length of names.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1024,
            bytes: 1024 * 1024,
        }
    }
}

/// One waiting message. The number stands for its document, as the connection counts them.
#[derive(Debug)]
struct Waiting {
    document: u32,
    key: Option<Key>,
    ephemeral: Arc<Ephemeral>,
}

type Speaker = (u32, PeerId);

/// The lane of one connection.
#[derive(Debug, Default)]
pub struct Lane {
    limits: Limits,
    /// By the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    /// What waits of each sender in each document, in order of arrival. No list is empty.
    by_speaker: HashMap<Speaker, Vec<u64>>,
    bytes: usize,
    arrivals: u64,
    dropped: u64,
}

impl Lane {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Puts a message at the end, and takes out those of the same sender and document that it makes pointless.
    pub fn push(&mut self, document: u32, key: Option<Key>, ephemeral: Arc<Ephemeral>) {
        let speaker = (document, ephemeral.sender.clone());
        if let Some(key) = &key {
            self.remove_superseded(&speaker, key);
        }
        let size = ephemeral.data.len();
        if size > self.limits.bytes || self.limits.entries == 0 {
            self.dropped += 1;
            return;
        }
        while self.waiting.len() >= self.limits.entries || self.bytes + size > self.limits.bytes {
            self.drop_oldest(&speaker);
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.bytes += size;
        self.by_speaker.entry(speaker).or_default().push(arrival);
        let waiting = Waiting {
            document,
            key,
            ephemeral,
        };
        self.waiting.insert(arrival, waiting);
    }

    /// The next message and the number of its document.
    pub fn pop(&mut self) -> Option<(u32, Arc<Ephemeral>)> {
        let arrival = *self.waiting.first_key_value()?.0;
        let first = self.take_out(arrival)?;
        Some((first.document, first.ephemeral))
    }

    /// Discards what waits of a document that the connection has left or may no longer read.
    pub fn forget(&mut self, document: u32) {
        let speakers = self.by_speaker.extract_if(|(place, _), _| *place == document);
        for arrival in speakers.flat_map(|(_, arrivals)| arrivals).collect::<Vec<_>>() {
            if let Some(waiting) = self.waiting.remove(&arrival) {
                self.bytes -= waiting.ephemeral.data.len();
            }
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many messages were dropped for want of room; superseded ones are not counted.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn remove_superseded(&mut self, speaker: &Speaker, key: &Key) {
        let Some(arrivals) = self.by_speaker.get(speaker) else {
            return;
        };
        let pointless = |arrival: &&u64| {
            let waiting = self.waiting.get(arrival).and_then(|waiting| waiting.key.as_ref());
            waiting.is_some_and(|waiting| key.supersedes(waiting))
        };
        for arrival in arrivals.iter().filter(pointless).copied().collect::<Vec<_>>() {
            self.take_out(arrival);
        }
    }

    fn drop_oldest(&mut self, of: &Speaker) {
        let own = self.by_speaker.get(of).and_then(|arrivals| arrivals.first());
        let oldest = own.or_else(|| self.waiting.first_key_value().map(|(arrival, _)| arrival));
        if let Some(arrival) = oldest.copied() {
            self.take_out(arrival);
            self.dropped += 1;
        }
    }

    fn take_out(&mut self, arrival: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&arrival)?;
        self.bytes -= waiting.ephemeral.data.len();
        let speaker = (waiting.document, waiting.ephemeral.sender.clone());
        if let Some(arrivals) = self.by_speaker.get_mut(&speaker) {
            arrivals.retain(|other| *other != arrival);
            if arrivals.is_empty() {
                self.by_speaker.remove(&speaker);
            }
        }
        Some(waiting)
    }
}
