//! Which storages have which version of a document: the remote heads that clients exchange through the server.
//!
//! It is how a client learns that Bob's laptop has an edit. Each room keeps one [`Gossip`], each connection its
//! [`Subscriptions`]; a connection pulls what is newer than it has sent, so that nothing is queued for it.
//!
//! - Of two reports on a storage the one with the newer timestamp counts, and only if it is newer.
//! - A timestamp far in the future is not believed: it would silence that storage for ever.
//! - Storages per room and subscriptions per connection are bounded; the storage updated longest ago is forgotten first.

use crate::id::StorageId;
use crate::wire::repo::RemoteHeads;
use automerge::ChangeHash;
use std::collections::{HashMap, HashSet};

/// How far ahead of ours the clock of a peer may be, in milliseconds: a day, for clocks set to the wrong zone.
const MAX_AHEAD_MS: f64 = 86_400_000.0;

/// The bounds of gossip.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Storages remembered per room.
    pub storages: usize,
    /// Storages one connection may subscribe to.
    pub subscriptions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            storages: 256,
            subscriptions: 1024,
        }
    }
}

/// What is known of one document's storages.
#[derive(Debug)]
pub struct Gossip {
    max_storages: usize,
    known: HashMap<StorageId, Known>,
    version: u64,
}

#[derive(Debug)]
struct Known {
    report: RemoteHeads,
    /// The version of the gossip that this report made.
    version: u64,
}

impl Gossip {
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_storages: limits.storages,
            known: HashMap::new(),
            version: 0,
        }
    }

    /// A report from a peer about any storage. `now_ms` is our time since 1970. Returns whether it was news.
    pub fn merge(&mut self, now_ms: f64, storage: &StorageId, report: RemoteHeads) -> bool {
        let believable = report.timestamp.is_finite() && report.timestamp <= now_ms + MAX_AHEAD_MS;
        let newer = |known: &Known| report.timestamp > known.report.timestamp;
        if !believable || !self.known.get(storage).is_none_or(newer) {
            return false;
        }
        self.put(storage, report);
        true
    }

    /// What a peer connected to us has said about its own storage, at our time `now_ms`. It is the truth: a report whose
    /// clock is ahead of ours does not stand against it. Returns whether it was news.
    pub fn learned(&mut self, now_ms: f64, storage: &StorageId, heads: Vec<ChangeHash>) -> bool {
        let known = self.known.get(storage);
        if known.is_some_and(|known| known.report.heads == heads) {
            return false;
        }
        let timestamp = known.map_or(now_ms, |known| now_ms.max(known.report.timestamp + 1.0));
        self.put(storage, RemoteHeads { heads, timestamp });
        true
    }

    fn put(&mut self, storage: &StorageId, report: RemoteHeads) {
        if self.max_storages == 0 {
            return;
        }
        if self.known.len() >= self.max_storages && !self.known.contains_key(storage) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.version);
            if let Some(oldest) = oldest.map(|(storage, _)| storage.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.version += 1;
        let version = self.version;
        self.known.insert(storage.clone(), Known { report, version });
    }

    /// Rises with everything that is news.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What became known after that version about the storages subscribed to, oldest first.
    pub fn since(&self, version: u64, subscriptions: &Subscriptions) -> Vec<(StorageId, RemoteHeads)> {
        if version >= self.version {
            return Vec::new();
        }
        let news = self
            .known
            .iter()
            .filter(|(storage, known)| known.version > version && subscriptions.has(storage));
        let mut news: Vec<_> = news.collect();
        news.sort_by_key(|(_, known)| known.version);
        news.into_iter()
            .map(|(storage, known)| (storage.clone(), known.report.clone()))
            .collect()
    }

    /// What is known now about some storages, for a connection that has just subscribed to them.
    pub fn about(&self, storages: &[StorageId]) -> Vec<(StorageId, RemoteHeads)> {
        let known = storages.iter().filter_map(|storage| self.known.get_key_value(storage));
        known
            .map(|(storage, known)| (storage.clone(), known.report.clone()))
            .collect()
    }
}

/// The storages one connection wants to hear of, in all its documents.
#[derive(Debug)]
pub struct Subscriptions {
    max: usize,
    storages: HashSet<StorageId>,
}

impl Subscriptions {
    pub fn new(limits: &Limits) -> Self {
        Self {
            max: limits.subscriptions,
            storages: HashSet::new(),
        }
    }

    /// Applies one message. Returns those that are new, whose current heads are due at once ([`Gossip::about`]); what
    /// exceeds the bound is left out.
    pub fn change(&mut self, add: Vec<StorageId>, remove: &[StorageId]) -> Vec<StorageId> {
        for storage in remove {
            self.storages.remove(storage);
        }
        let mut added = Vec::new();
        for storage in add {
            if self.storages.len() < self.max && self.storages.insert(storage.clone()) {
                added.push(storage);
            }
        }
        added
    }

    pub fn has(&self, storage: &StorageId) -> bool {
        self.storages.contains(storage)
    }

    pub fn is_empty(&self) -> bool {
        self.storages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000_000.0;

    fn storage(name: &str) -> StorageId {
        StorageId::parse(name).unwrap()
    }

    fn report(head: u8, timestamp: f64) -> RemoteHeads {
        let heads = vec![ChangeHash([head; 32])];
        RemoteHeads { heads, timestamp }
    }

    fn subscribed(names: &[&str]) -> Subscriptions {
        let mut subscriptions = Subscriptions::new(&Limits::default());
        subscriptions.change(names.iter().map(|name| storage(name)).collect(), &[]);
        subscriptions
    }

    #[test]
    fn only_a_newer_report_is_news() {
        let mut gossip = Gossip::new(&Limits::default());
        let laptop = storage("bobs-laptop");
        assert!(gossip.merge(NOW, &laptop, report(1, NOW)));
        assert!(!gossip.merge(NOW, &laptop, report(2, NOW)));
        assert!(!gossip.merge(NOW, &laptop, report(2, NOW - 1.0)));
        assert!(gossip.merge(NOW, &laptop, report(3, NOW + 1.0)));
        assert_eq!(
            gossip.about(std::slice::from_ref(&laptop)),
            [(laptop, report(3, NOW + 1.0))]
        );
    }

    #[test]
    fn a_connection_pulls_what_is_newer_than_it_has_sent_and_only_what_it_asked_for() {
        let mut gossip = Gossip::new(&Limits::default());
        gossip.merge(NOW, &storage("a"), report(1, NOW));
        gossip.merge(NOW, &storage("b"), report(2, NOW));
        let sent = gossip.version();
        assert_eq!(gossip.since(sent, &subscribed(&["a", "b", "c"])), []);
        gossip.merge(NOW, &storage("c"), report(3, NOW));
        gossip.merge(NOW, &storage("a"), report(4, NOW + 5.0));
        gossip.merge(NOW, &storage("b"), report(5, NOW + 5.0));
        let news = gossip.since(sent, &subscribed(&["a", "c"]));
        assert_eq!(
            news,
            [(storage("c"), report(3, NOW)), (storage("a"), report(4, NOW + 5.0))]
        );
    }

    /// One report dated into the next century would keep every true one out.
    #[test]
    fn a_report_from_the_future_silences_nobody() {
        let mut gossip = Gossip::new(&Limits::default());
        let laptop = storage("bobs-laptop");
        for timestamp in [NOW * 2.0, f64::INFINITY, f64::NAN] {
            assert!(!gossip.merge(NOW, &laptop, report(1, timestamp)));
        }
        assert!(gossip.merge(NOW, &laptop, report(2, NOW + 3_600_000.0)));
        assert!(gossip.learned(NOW, &laptop, report(3, 0.0).heads));
        assert!(
            !gossip.learned(NOW, &laptop, report(3, 0.0).heads),
            "nothing has changed"
        );
        assert_eq!(
            gossip.about(std::slice::from_ref(&laptop)),
            [(laptop, report(3, NOW + 3_600_001.0))]
        );
    }

    #[test]
    fn storages_are_bounded_and_the_one_updated_longest_ago_goes() {
        let limits = Limits {
            storages: 2,
            subscriptions: 2,
        };
        let mut gossip = Gossip::new(&limits);
        for name in ["a", "b"] {
            gossip.merge(NOW, &storage(name), report(1, NOW));
        }
        gossip.merge(NOW, &storage("a"), report(2, NOW + 1.0));
        gossip.merge(NOW, &storage("c"), report(3, NOW));
        let known = gossip.about(&["a", "b", "c"].map(storage));
        assert_eq!(known.len(), 2);
        assert_eq!(known[1].0, storage("c"));
    }

    #[test]
    fn subscriptions_are_bounded_and_tell_what_is_new() {
        let limits = Limits {
            storages: 2,
            subscriptions: 2,
        };
        let mut subscriptions = Subscriptions::new(&limits);
        assert_eq!(
            subscriptions
                .change(vec![storage("a"), storage("b"), storage("c")], &[])
                .len(),
            2
        );
        assert_eq!(
            subscriptions.change(vec![storage("a"), storage("c")], &[storage("b")]),
            [storage("c")]
        );
        assert!(subscriptions.has(&storage("a")) && !subscriptions.has(&storage("b")));
    }
}
