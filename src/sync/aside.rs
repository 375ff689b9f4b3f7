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
    /// Changes beyond these bounds of which only is known what they build on, at most.
    pub outlines: usize,
}

impl Default for AsideLimits {
    fn default() -> Self {
        Self {
            changes: 10_000,
            bytes: 16 << 20,
            outlines: 100_000,
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

/// What is known of a change that there was no room for: enough to ask for what is missing below it. Its sender is closed
/// only when that has come. Closed at once it would come back with the same change left out, since the same Bloom
/// filter is wrong about the same change each time, and so on for ever.
struct Outline {
    deps: Vec<ChangeHash>,
    senders: Vec<ConnectionId>,
}

/// What was dropped, and who sent it.
pub type Dropped = (ChangeHash, Vec<ConnectionId>);

/// A change that was not kept.
#[derive(Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// It is known what it builds on.
    Outlined,
    /// Nothing is known of it: its senders are to be closed, so that they send it again.
    Entirely(Vec<ConnectionId>),
}

/// The changes kept aside in one room.
pub struct Aside {
    limits: AsideLimits,
    kept: HashMap<ChangeHash, Kept>,
    outlines: HashMap<ChangeHash, Outline>,
    /// For each dependency of a change kept or outlined, those that build on it.
    dependants: HashMap<ChangeHash, Vec<ChangeHash>>,
    bytes: usize,
}

impl Aside {
    pub fn new(limits: AsideLimits) -> Self {
        Self {
            limits,
            kept: HashMap::new(),
            outlines: HashMap::new(),
            dependants: HashMap::new(),
            bytes: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.outlines.is_empty()
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a change. Beyond the bound it is given back: it is not kept, and its sender must be closed when what is missing
    /// below it has come ([`Aside::must_send_again`]), or at once if not even its outline is.
    pub fn keep(&mut self, mut kept: Kept) -> Result<(), TurnedAway> {
        let hash = kept.change.hash();
        if let Some(known) = self.kept.get_mut(&hash) {
            if let Some(again) = kept.from.filter(|again| known.senders().all(|sender| sender != *again)) {
                known.also.push(again);
            }
            return Ok(());
        }
        if self.kept.len() >= self.limits.changes || self.bytes + kept.bytes.len() > self.limits.bytes {
            return Err(self.outline(&kept));
        }
        if let Some(outline) = self.remove_outline(&hash) {
            kept.also
                .extend(outline.senders.iter().filter(|sender| Some(**sender) != kept.from));
        }
        self.bytes += kept.bytes.len();
        self.link(hash, kept.change.deps());
        self.kept.insert(hash, kept);
        Ok(())
    }

    fn outline(&mut self, kept: &Kept) -> TurnedAway {
        let hash = kept.change.hash();
        if let Some(outline) = self.outlines.get_mut(&hash) {
            let new = kept.from.filter(|sender| !outline.senders.contains(sender));
            outline.senders.extend(new);
            return TurnedAway::Outlined;
        }
        if self.outlines.len() >= self.limits.outlines {
            return TurnedAway::Entirely(kept.senders().collect());
        }
        self.link(hash, kept.change.deps());
        let outline = Outline {
            deps: kept.change.deps().to_vec(),
            senders: kept.senders().collect(),
        };
        self.outlines.insert(hash, outline);
        TurnedAway::Outlined
    }

    /// What a commit brought: the connections that are to be closed, since they sent a change that builds on it, could be
    /// taken now, and was not kept.
    pub fn must_send_again(&mut self, committed: &ChangeHash) -> Vec<ConnectionId> {
        if self.outlines.is_empty() {
            return Vec::new();
        }
        self.remove_outline(committed);
        let dependants = self.dependants.get(committed).into_iter().flatten();
        dependants
            .filter_map(|hash| self.outlines.get(hash))
            .flat_map(|outline| outline.senders.iter().copied())
            .collect()
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
        self.unlink(hash, kept.change.deps());
        Some(kept)
    }

    fn remove_outline(&mut self, hash: &ChangeHash) -> Option<Outline> {
        let outline = self.outlines.remove(hash)?;
        self.unlink(hash, &outline.deps);
        Some(outline)
    }

    fn link(&mut self, hash: ChangeHash, deps: &[ChangeHash]) {
        for dep in deps {
            self.dependants.entry(*dep).or_default().push(hash);
        }
    }

    fn unlink(&mut self, hash: &ChangeHash, deps: &[ChangeHash]) {
        for dep in deps {
            if let Some(dependants) = self.dependants.get_mut(dep) {
                dependants.retain(|dependant| dependant != hash);
                if dependants.is_empty() {
                    self.dependants.remove(dep);
                }
            }
        }
    }

    /// Drops everything that builds on a refused change: it can never become ready. Returns what was dropped.
    pub fn drop_dependants(&mut self, refused: &ChangeHash) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        let mut gone = vec![*refused];
        while let Some(hash) = gone.pop() {
            for dependant in self.dependants.get(&hash).cloned().unwrap_or_default() {
                if let Some(kept) = self.take(&dependant) {
                    dropped.push((dependant, kept.senders().collect()));
                }
                if let Some(outline) = self.remove_outline(&dependant) {
                    dropped.push((dependant, outline.senders));
                }
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
        let mut unsent = Vec::new();
        for (hash, outline) in &mut self.outlines {
            outline.senders.retain(|sender| *sender != connection);
            if outline.senders.is_empty() {
                unsent.push(*hash);
            }
        }
        for hash in unsent {
            self.remove_outline(&hash);
        }
    }

    /// Drops everything, and names the connections that sent it: only by sending again do their changes arrive.
    pub fn discard(&mut self) -> HashSet<ConnectionId> {
        self.bytes = 0;
        self.dependants.clear();
        let kept = self
            .kept
            .drain()
            .flat_map(|(_, kept)| kept.senders().collect::<Vec<_>>());
        let outlined = self.outlines.drain().flat_map(|(_, outline)| outline.senders);
        kept.chain(outlined).collect()
    }

    /// What a change that is not in the document builds on, if that is known here.
    fn deps(&self, hash: &ChangeHash) -> Option<&[ChangeHash]> {
        let kept = self.kept.get(hash).map(|kept| kept.change.deps());
        kept.or_else(|| self.outlines.get(hash).map(|outline| outline.deps.as_slice()))
    }

    /// What to ask for instead of `needed`: for a change that is kept or outlined, the hashes missing below it. Asking for
    /// the change itself is a livelock, since the peer believes that it has sent it. Sorted, each once, at most
    /// [`MOST_ASKED_FOR`].
    pub fn missing_for(&self, needed: &[ChangeHash], has: impl Fn(&ChangeHash) -> bool) -> Vec<ChangeHash> {
        let mut missing = Vec::new();
        let mut seen: HashSet<ChangeHash> = needed.iter().copied().collect();
        let mut below: Vec<ChangeHash> = seen.iter().copied().collect();
        while let Some(hash) = below.pop() {
            match self.deps(&hash) {
                Some(deps) => below.extend(deps.iter().filter(|dep| seen.insert(**dep))),
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
mod tests;
