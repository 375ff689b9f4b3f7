//! The one way in: gate, apply, append, then (once durable) announce.
//!
//! Everything here happens under the lock of the document, so that changes reach the log, the queue of the committer and
//! the document in one order. Nothing is told to anybody before the committer calls back.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use automerge::{Change, ChangeHash};
use bytes::Bytes;

use super::room::{Live, NotAwake, Room, Slot};
use crate::document::author::Author;
use crate::id::ConnectionId;
use crate::store::{Append, Place, StoredChange};
use crate::sync::aside::{Aside, Kept, TurnedAway};
use crate::sync::gate::{self, Admission, Offered, Refusal};
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
    /// Changes that there was no room to keep aside.
    pub turned_away: usize,
    /// Changes of the writer refused, and why. It goes deaf.
    pub refused: Vec<(Option<ChangeHash>, Refusal)>,
    /// The writer offered a change that is set aside for good. It is quarantined.
    pub quarantined: bool,
    /// Connections to close, so that they send again what could not be kept aside, or had to be dropped. What was at
    /// fault is then refused to the one who sent it, not to the one whose change released it.
    pub send_again: HashSet<ConnectionId>,
    /// The position that contains everything committed.
    pub end: u64,
}

impl Commit {
    /// Whether everything offered is in the document.
    pub fn took_all(&self) -> bool {
        self.aside == 0 && self.turned_away == 0 && !self.stops_hearing()
    }

    /// Whether nothing more is taken from the writer.
    pub fn stops_hearing(&self) -> bool {
        !self.refused.is_empty() || self.quarantined
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
            barred: HashSet::new(),
        };
        let poisoned = run.take_all(offered, &mut slot);
        run.forget_writer(&mut slot.aside);
        let Run { mut commit, stored, .. } = run;
        commit.end = self.log().end();
        slot.tail_changes += stored.len();
        slot.tail_bytes += stored.iter().map(|change| change.bytes.len()).sum::<usize>();
        if !stored.is_empty() {
            let (room, end) = (self.clone(), commit.end);
            let flushed = Box::new(move |result: Result<(), _>| room.flushed(end, result.is_ok()));
            self.store.append(
                place,
                Append {
                    document: self.id.clone(),
                    changes: stored,
                    flushed,
                },
            );
        }
        if poisoned {
            self.throw_away(&mut slot);
            drop(slot);
            self.audience().mark_all();
        }
        Ok(commit)
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
    /// What builds on a change that is set aside for good.
    barred: HashSet<ChangeHash>,
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
                    also: Vec::new(),
                }),
                Offered::Refused { hash, why } => {
                    self.refused.extend(hash);
                    self.commit.refused.push((hash, why));
                }
            }
        }
        while let Some(arrival) = arriving.pop_front() {
            match self.take(arrival, slot) {
                Ok(Some(committed)) => {
                    self.commit.send_again.extend(slot.aside.must_send_again(&committed));
                    let Live::Awake(document) = &slot.live else {
                        unreachable!("the lock is held")
                    };
                    for released in slot
                        .aside
                        .released_by(&committed, |dep| document.has(dep))
                        .into_iter()
                        .rev()
                    {
                        arriving.push_front(released);
                    }
                }
                Ok(None) => {}
                Err(Poisoned) => {
                    // None of these is in the document or aside any more.
                    for lost in arriving {
                        self.commit.send_again.extend(lost.senders());
                    }
                    return true;
                }
            }
        }
        false
    }

    /// A writer that is not heard any more leaves nothing behind: what it sent may build on the change that was refused,
    /// would wait for it for ever, and must not get the writer closed, who would only come back with it. One that is gone
    /// by now will send everything again.
    fn forget_writer(&mut self, aside: &mut Aside) {
        let Some(connection) = self.writer.connection else { return };
        let deaf = self.commit.stops_hearing();
        if deaf {
            self.commit.send_again.remove(&connection);
        }
        if deaf || (self.commit.aside + self.commit.turned_away > 0 && !self.room.audience().has(connection)) {
            aside.forget(connection);
        }
    }

    /// Gate, apply, append for one change. Returns its hash if it is in the document now.
    fn take(&mut self, arrival: Kept, slot: &mut Slot) -> Result<Option<ChangeHash>, Poisoned> {
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
        let bars = |hash: &ChangeHash| quarantined.contains(hash) || self.barred.contains(hash);
        if bars(&hash) || arrival.change.deps().iter().any(bars) {
            let dropped = aside.drop_dependants(&hash);
            self.barred.insert(hash);
            self.barred.extend(dropped.iter().map(|(hash, _)| hash));
            self.quarantine(&arrival);
            self.send_again(dropped.into_iter().flat_map(|(_, senders)| senders));
            return Ok(None);
        }
        if let Some(dep) = arrival.change.deps().iter().find(|dep| self.refused.contains(*dep)) {
            let why = Refusal::BuildsOnRefused(*dep);
            self.refuse(&arrival, why, aside);
            return Ok(None);
        }
        match gate::admit(document, &arrival.change, &self.room.limits.gate) {
            Admission::Known => Ok(None),
            Admission::Aside { .. } => {
                match aside.keep(arrival) {
                    Ok(()) => self.commit.aside += 1,
                    Err(TurnedAway::Outlined) => self.commit.turned_away += 1,
                    Err(TurnedAway::Entirely(senders)) => {
                        self.commit.turned_away += 1;
                        self.commit.send_again.extend(senders);
                    }
                }
                Ok(None)
            }
            Admission::Refused(why) => {
                self.refuse(&arrival, why, aside);
                Ok(None)
            }
            Admission::Ready => match document.apply(std::slice::from_ref(&arrival.change)) {
                Ok(()) => {
                    self.append(hash, arrival);
                    Ok(Some(hash))
                }
                Err(poison) => {
                    tracing::error!(document = %self.room.id, change = %hash, %poison, "a change made the library panic");
                    quarantined.insert(hash);
                    self.quarantine(&arrival);
                    Err(Poisoned)
                }
            },
        }
    }

    /// Refuses a change, and with it what is kept aside and builds on it.
    fn refuse(&mut self, arrival: &Kept, why: Refusal, aside: &mut Aside) {
        let hash = arrival.change.hash();
        let dropped = aside.drop_dependants(&hash);
        self.refused.insert(hash);
        self.refused.extend(dropped.iter().map(|(hash, _)| hash));
        self.send_again(dropped.into_iter().flat_map(|(_, senders)| senders));
        if self.is_writers(arrival) {
            self.commit.refused.push((Some(hash), why));
        }
        self.send_again(arrival.senders());
    }

    fn quarantine(&mut self, arrival: &Kept) {
        self.commit.quarantined |= self.is_writers(arrival);
        self.send_again(arrival.senders());
    }

    /// Whether the writer of this commit sent the change, now or before, and not only somebody else.
    fn is_writers(&self, kept: &Kept) -> bool {
        kept.from == self.writer.connection || kept.senders().any(|sender| Some(sender) == self.writer.connection)
    }

    /// Has everybody but the writer who sent these send them again.
    fn send_again(&mut self, senders: impl IntoIterator<Item = ConnectionId>) {
        let others = senders.into_iter().filter(|sender| Some(*sender) != self.writer.connection);
        self.commit.send_again.extend(others);
    }

    fn append(&mut self, hash: ChangeHash, arrival: Kept) {
        let Kept {
            change,
            bytes,
            author,
            from,
            also: _,
        } = arrival;
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
    }
}

/// The document can no longer be used.
struct Poisoned;

/// The heads behind a change: it takes the place of what it builds on.
fn heads_with(heads: &[ChangeHash], change: &Change) -> Vec<ChangeHash> {
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

#[cfg(test)]
mod tests;
