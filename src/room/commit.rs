//! The one way in: gate, apply, append, then (once durable) announce.
//!
//! Everything here happens under the lock of the document, so that changes reach the log, the queue of the committer and
//! the document in one order. Nothing is told to anybody before the committer calls back.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use automerge::{Change, ChangeHash};
use bytes::Bytes;

use super::room::{Live, NotAwake, Room, Slot};
use crate::document::author::Author;
use crate::document::crdt::{Document, MAX_TEXT_BATCH};
use crate::id::ConnectionId;
use crate::store::{Append, Place, StoredChange};
use crate::sync::aside::Kept;
use crate::sync::gate::{self, Admission, Ahead, Offered, Refusal};
use crate::sync::log::Heads;

/// Who offers the changes of a commit.
#[derive(Debug, Clone)]
pub struct Writer {
    pub author: Author,
    pub connection: Option<ConnectionId>,
}

/// What became of the changes offered.
#[derive(Debug, Default)]
pub struct Commit {
    /// Changes that are in the document now, those that were kept aside before included.
    pub committed: usize,
    /// Changes kept aside, since something before them is missing.
    pub aside: usize,
    /// Changes refused, and why. Their sender goes deaf.
    pub refused: Vec<(Option<ChangeHash>, Refusal)>,
    /// A change was offered that is set aside for good. Its sender is quarantined.
    pub quarantined: bool,
    /// Connections to close, so that they send again what could not be kept aside.
    pub send_again: HashSet<ConnectionId>,
    /// The position that contains everything committed.
    pub end: u64,
}

impl Commit {
    /// Whether everything offered is in the document.
    pub fn took_all(&self) -> bool {
        self.aside == 0 && self.refused.is_empty() && !self.quarantined && self.send_again.is_empty()
    }
}

impl Room {
    /// Takes the changes that pass the gate. `place` was reserved before, so that nothing can fail after apply. A document
    /// that is not awake gives everything back.
    pub fn commit(
        self: &Arc<Self>,
        place: Place,
        offered: Vec<Offered>,
        writer: &Writer,
        now: Instant,
    ) -> Result<Commit, (NotAwake, Place, Vec<Offered>)> {
        let mut slot = self.slot();
        slot.last_use = now;
        let started = Instant::now();
        let Slot {
            live: Live::Awake(document),
            ..
        } = &mut *slot
        else {
            return Err((NotAwake, place, offered));
        };
        let heads = document.heads();
        let mut run = Run {
            room: self,
            writer,
            commit: Commit::default(),
            heads,
            stored: Vec::new(),
            refused: HashSet::new(),
        };
        let poisoned = run.take_all(offered, &mut slot);
        let Run { mut commit, stored, .. } = run;
        commit.end = self.log().end();
        if !stored.is_empty() {
            let micros = started.elapsed().as_micros() as u64 / stored.len() as u64;
            self.commit_micros.store(micros, Ordering::Relaxed);
        }
        self.queue(&mut slot, place, stored, commit.end);
        if poisoned {
            self.throw_away(&mut slot);
            drop(slot);
            self.announce();
        }
        Ok(commit)
    }
}

impl Room {
    /// Queues what was applied and logged for the disk, up to the position `end`.
    pub(super) fn queue(self: &Arc<Self>, slot: &mut Slot, place: Place, stored: Vec<StoredChange>, end: u64) {
        if stored.is_empty() {
            return;
        }
        slot.tail_changes += stored.len();
        slot.tail_bytes += stored.iter().map(|change| change.bytes.len()).sum::<usize>();
        let room = self.clone();
        let flushed = Box::new(move |result: Result<(), _>| room.flushed(end, result.is_ok()));
        let document = self.id.clone();
        self.store.append(
            place,
            Append {
                document,
                changes: stored,
                flushed,
            },
        );
    }
}

/// One commit under way.
struct Run<'a> {
    room: &'a Room,
    writer: &'a Writer,
    commit: Commit,
    heads: Vec<ChangeHash>,
    stored: Vec<StoredChange>,
    refused: HashSet<ChangeHash>,
}

impl Run<'_> {
    /// Takes one change after the other; each may release others that were kept aside. True if the document is poisoned.
    fn take_all(&mut self, offered: Vec<Offered>, slot: &mut Slot) -> bool {
        let mut arriving: VecDeque<Kept> = VecDeque::with_capacity(offered.len());
        for offer in offered {
            match offer {
                Offered::Change(change) => arriving.push_back(Kept {
                    bytes: Bytes::copy_from_slice(change.raw_bytes()),
                    change: *change,
                    author: self.writer.author.clone(),
                    from: self.writer.connection,
                }),
                Offered::Refused { hash, why } => {
                    self.refused.extend(hash);
                    self.commit.refused.push((hash, why));
                }
            }
        }
        while let Some(arrival) = arriving.pop_front() {
            let committed = match self.take(arrival, &mut arriving, slot) {
                Ok(committed) => committed,
                Err(Poisoned) => return true,
            };
            let Live::Awake(document) = &slot.live else {
                unreachable!("the lock is held")
            };
            for hash in committed {
                for released in slot.aside.released_by(&hash, |dep| document.has(dep)).into_iter().rev() {
                    arriving.push_front(released);
                }
            }
        }
        false
    }

    /// Gate, apply, append for one change, and for those behind it that are applied together with it. Returns the hashes
    /// that are in the document now.
    fn take(
        &mut self,
        arrival: Kept,
        arriving: &mut VecDeque<Kept>,
        slot: &mut Slot,
    ) -> Result<Vec<ChangeHash>, Poisoned> {
        let Slot {
            live: Live::Awake(document),
            aside,
            quarantined,
            ..
        } = slot
        else {
            unreachable!("the lock is held")
        };
        let hash = arrival.change.hash();
        if quarantined.contains(&hash) || arrival.change.deps().iter().any(|dep| quarantined.contains(dep)) {
            self.commit.quarantined = true;
            return Ok(Vec::new());
        }
        if let Some(dep) = arrival.change.deps().iter().find(|dep| self.refused.contains(*dep)) {
            let why = Refusal::BuildsOnRefused(*dep);
            self.refuse(hash, why, aside);
            return Ok(Vec::new());
        }
        match gate::admit(document, &arrival.change, &self.room.limits.gate) {
            Admission::Known => Ok(Vec::new()),
            Admission::Aside { .. } => {
                match aside.keep(arrival) {
                    Ok(()) => self.commit.aside += 1,
                    Err(kept) => self.commit.send_again.extend(kept.from),
                }
                Ok(Vec::new())
            }
            Admission::Refused(why) => {
                self.refuse(hash, why, aside);
                Ok(Vec::new())
            }
            Admission::Ready => {
                let (run, ahead) = self.run_from(arrival, arriving, document);
                match document.apply(ahead.changes()) {
                    Ok(()) => Ok(run.into_iter().map(|kept| self.append(kept)).collect()),
                    Err(poison) => {
                        tracing::error!(document = %self.room.id, %poison, "the library could not apply a change");
                        quarantined.extend(poison.changes);
                        self.commit.quarantined = true;
                        Err(Poisoned)
                    }
                }
            }
        }
    }

    /// The change, and those right behind it that the library takes in one go: a run on one text object costs as much as
    /// its first keystroke alone.
    fn run_from(&self, first: Kept, arriving: &mut VecDeque<Kept>, document: &Document) -> (Vec<Kept>, Ahead) {
        let mut ahead = Ahead::default();
        let text = match arriving.is_empty() {
            true => None,
            false => document.the_only_text(&first.change),
        };
        ahead.push(first.change.clone());
        let mut run = vec![first];
        while let (Some(text), Some(next)) = (&text, arriving.front()) {
            let joins = run.len() < MAX_TEXT_BATCH
                && document.the_only_text(&next.change).as_ref() == Some(text)
                && gate::admit_after(document, &ahead, &next.change, &self.room.limits.gate) == Admission::Ready;
            if !joins {
                break;
            }
            ahead.push(next.change.clone());
            run.extend(arriving.pop_front());
        }
        (run, ahead)
    }

    fn refuse(&mut self, hash: ChangeHash, why: Refusal, aside: &mut crate::sync::aside::Aside) {
        self.refused.insert(hash);
        self.refused
            .extend(aside.drop_dependants(&hash).iter().map(|kept| kept.change.hash()));
        self.commit.refused.push((Some(hash), why));
    }

    fn append(&mut self, arrival: Kept) -> ChangeHash {
        let Kept {
            change,
            bytes,
            author,
            from,
        } = arrival;
        let hash = change.hash();
        self.heads = heads_with(&self.heads, &change);
        let heads: Heads = self.heads.as_slice().into();
        let number = self.room.log().append(hash, bytes.clone(), heads, from);
        self.stored.push(StoredChange {
            number,
            hash: hash.0,
            bytes,
            author,
        });
        self.commit.committed += 1;
        hash
    }
}

/// The document can no longer be used.
struct Poisoned;

/// The heads behind a change: it takes the place of what it builds on.
pub(super) fn heads_with(heads: &[ChangeHash], change: &Change) -> Vec<ChangeHash> {
    let mut heads: Vec<ChangeHash> = heads
        .iter()
        .filter(|head| !change.deps().contains(head))
        .copied()
        .collect();
    let hash = change.hash();
    let at = heads.partition_point(|head| *head < hash);
    heads.insert(at, hash);
    heads
}
