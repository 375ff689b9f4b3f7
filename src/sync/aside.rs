//! Changes that came before their dependencies, kept until those arrive.
//!
//! A Bloom filter has false positives, so a peer may leave out a change that its next one builds on. What builds on
//! it is kept here, with its author, neither logged nor announced, until a commit brings what is missing.
//!
//! Invariant: what is kept was sent by a connection that is still there and still heard. Whoever sent a change believes
//! that it has arrived and does not send it again over that connection; so when a change is dropped, the other connections
//! that sent it must be closed.

use std::collections::{HashMap, HashSet};

use automerge::{Change, ChangeHash};
use bytes::Bytes;

use crate::document::author::Author;
use crate::id::ConnectionId;

/// The most hashes asked for in one message. The rest is asked for when these have come.
pub const MOST_ASKED_FOR: usize = 10_000;

/// How much a room keeps aside.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsideLimits {
    /// Changes, at most.
    pub changes: usize,
    /// Bytes of changes, at most.
    pub bytes: usize,
}

impl Default for AsideLimits {
    fn default() -> Self {
        Self {
            changes: 10_000,
            bytes: 16 << 20,
        }
    }
}

/// One change that waits, as it came in.
#[derive(Debug, Clone)]
pub struct Kept {
    pub change: Change,
    pub bytes: Bytes,
    pub author: Author,
    pub from: Option<ConnectionId>,
    /// Other connections that sent it while it was kept.
    pub also: Vec<ConnectionId>,
}

impl Kept {
    /// The connections that sent it.
    pub fn senders(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.from.into_iter().chain(self.also.iter().copied())
    }
}

/// The changes kept aside in one room.
pub struct Aside {
    limits: AsideLimits,
    kept: HashMap<ChangeHash, Kept>,
    /// For each dependency of a kept change, the kept changes that build on it.
    dependants: HashMap<ChangeHash, Vec<ChangeHash>>,
    bytes: usize,
}

impl Aside {
    pub fn new(limits: AsideLimits) -> Self {
        Self {
            limits,
            kept: HashMap::new(),
            dependants: HashMap::new(),
            bytes: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a change, unless the bound is reached: then it is given back, and its sender must send it again.
    pub fn keep(&mut self, kept: Kept) -> Result<(), Box<Kept>> {
        let hash = kept.change.hash();
        if let Some(known) = self.kept.get_mut(&hash) {
            if let Some(again) = kept.from.filter(|again| known.senders().all(|sender| sender != *again)) {
                known.also.push(again);
            }
            return Ok(());
        }
        if self.kept.len() >= self.limits.changes || self.bytes + kept.bytes.len() > self.limits.bytes {
            return Err(Box::new(kept));
        }
        self.bytes += kept.bytes.len();
        for dep in kept.change.deps() {
            self.dependants.entry(*dep).or_default().push(hash);
        }
        self.kept.insert(hash, kept);
        Ok(())
    }

    /// Takes out the changes that build on `committed` and lack nothing any more.
    pub fn released_by(&mut self, committed: &ChangeHash, has: impl Fn(&ChangeHash) -> bool) -> Vec<Kept> {
        let dependants = self.dependants.get(committed).cloned().unwrap_or_default();
        let ready = |kept: &Kept| kept.change.deps().iter().all(&has);
        dependants
            .iter()
            .filter(|hash| self.kept.get(hash).is_some_and(ready))
            .copied()
            .collect::<Vec<_>>()
            .iter()
            .filter_map(|hash| self.take(hash))
            .collect()
    }

    fn take(&mut self, hash: &ChangeHash) -> Option<Kept> {
        let kept = self.kept.remove(hash)?;
        self.bytes -= kept.bytes.len();
        for dep in kept.change.deps() {
            if let Some(dependants) = self.dependants.get_mut(dep) {
                dependants.retain(|dependant| dependant != hash);
                if dependants.is_empty() {
                    self.dependants.remove(dep);
                }
            }
        }
        Some(kept)
    }

    /// Drops everything that builds on a refused change: it can never become ready. Returns what was dropped.
    pub fn drop_dependants(&mut self, refused: &ChangeHash) -> Vec<Kept> {
        let mut dropped = Vec::new();
        let mut gone = vec![*refused];
        while let Some(hash) = gone.pop() {
            for dependant in self.dependants.get(&hash).cloned().unwrap_or_default() {
                dropped.extend(self.take(&dependant));
                gone.push(dependant);
            }
        }
        dropped
    }

    /// A connection is gone, or is not heard any more: drops what it alone sent. It would perhaps wait here for ever.
    pub fn forget(&mut self, connection: ConnectionId) {
        let mut its_own = Vec::new();
        for (hash, kept) in &mut self.kept {
            kept.also.retain(|sender| *sender != connection);
            if kept.from == Some(connection) {
                match kept.also.pop() {
                    Some(other) => kept.from = Some(other),
                    None => its_own.push(*hash),
                }
            }
        }
        for hash in its_own {
            self.take(&hash);
        }
    }

    /// Drops everything, and names the connections that sent it: only by sending again do their changes arrive.
    pub fn discard(&mut self) -> HashSet<ConnectionId> {
        self.bytes = 0;
        self.dependants.clear();
        self.kept
            .drain()
            .flat_map(|(_, kept)| kept.senders().collect::<Vec<_>>())
            .collect()
    }

    /// What to ask for instead of `needed`: for a change that is kept, the hashes missing below it. Asking for the change
    /// itself is a livelock, since the peer believes that it has sent it. Sorted, each once, at most [`MOST_ASKED_FOR`].
    pub fn missing_for(&self, needed: &[ChangeHash], has: impl Fn(&ChangeHash) -> bool) -> Vec<ChangeHash> {
        let mut missing = Vec::new();
        let mut seen: HashSet<ChangeHash> = needed.iter().copied().collect();
        let mut below: Vec<ChangeHash> = seen.iter().copied().collect();
        while let Some(hash) = below.pop() {
            match self.kept.get(&hash) {
                Some(kept) => below.extend(kept.change.deps().iter().filter(|dep| seen.insert(**dep))),
                None if !has(&hash) => missing.push(hash),
                None => {}
            }
        }
        missing.sort_unstable();
        missing.truncate(MOST_ASKED_FOR);
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{Automerge, ROOT};

    fn chain(length: i64) -> Vec<Change> {
        let mut document = Automerge::new();
        for n in 0..length {
            document
                .transact::<_, _, automerge::AutomergeError>(|tx| tx.put(ROOT, "n", n))
                .unwrap();
        }
        document.get_changes(&[])
    }

    fn kept(change: &Change) -> Kept {
        let author = Author {
            time: 0,
            user: None,
            device: "ada".into(),
            door: crate::document::author::Door::Sync,
        };
        Kept {
            change: change.clone(),
            bytes: change.raw_bytes().to_vec().into(),
            author,
            from: Some(ConnectionId(1)),
            also: Vec::new(),
        }
    }

    #[test]
    fn a_commit_releases_what_waited_for_it_one_link_at_a_time() {
        let chain = chain(4);
        let mut aside = Aside::new(AsideLimits::default());
        for change in &chain[1..] {
            aside.keep(kept(change)).unwrap();
        }
        let asked = aside.missing_for(&[chain[3].hash()], |_| false);
        assert_eq!(
            asked,
            [chain[0].hash()],
            "the hash below is asked for, not the head itself"
        );

        let mut has = vec![chain[0].hash()];
        for (before, expected) in chain.iter().zip(&chain[1..]) {
            let released = aside.released_by(&before.hash(), |hash| has.contains(hash));
            assert_eq!(
                released.iter().map(|kept| kept.change.hash()).collect::<Vec<_>>(),
                [expected.hash()]
            );
            has.push(expected.hash());
        }
        assert!(aside.is_empty() && aside.bytes == 0 && aside.dependants.is_empty());
    }

    #[test]
    fn what_builds_on_a_refused_change_goes_with_it() {
        let chain = chain(4);
        let mut aside = Aside::new(AsideLimits::default());
        for change in &chain[1..] {
            aside.keep(kept(change)).unwrap();
        }
        assert_eq!(aside.drop_dependants(&chain[1].hash()).len(), 2);
        assert_eq!(aside.len(), 1);
    }

    /// What a connection had sent stayed for ever when it went: it filled the bound, so that others were turned away, and
    /// kept the room from being closed.
    #[test]
    fn what_a_connection_alone_sent_goes_with_it() {
        let chain = chain(3);
        let mut aside = Aside::new(AsideLimits::default());
        aside.keep(kept(&chain[1])).unwrap();
        aside.keep(kept(&chain[2])).unwrap();
        aside
            .keep(Kept {
                from: Some(ConnectionId(2)),
                ..kept(&chain[2])
            })
            .unwrap();
        aside.forget(ConnectionId(1));
        assert_eq!(aside.missing_for(&[chain[1].hash()], |_| false), [chain[1].hash()]);
        assert_eq!(
            aside.missing_for(&[chain[2].hash()], |_| false),
            [chain[1].hash()],
            "another one sent it as well"
        );
        aside.forget(ConnectionId(2));
        assert!(aside.is_empty() && aside.bytes == 0 && aside.dependants.is_empty());
    }

    #[test]
    fn the_bound_gives_a_change_back_and_the_senders_are_named() {
        let chain = chain(3);
        let mut aside = Aside::new(AsideLimits {
            changes: 1,
            ..AsideLimits::default()
        });
        aside.keep(kept(&chain[1])).unwrap();
        assert!(aside.keep(kept(&chain[2])).is_err());
        assert_eq!(aside.discard(), HashSet::from([ConnectionId(1)]));
        assert!(aside.is_empty());
    }
}
