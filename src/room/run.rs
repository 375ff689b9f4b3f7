//! One commit under way: each change through the gate into the document and the log, those that it releases behind it.
//!
//! Whoever sent a change believes that it has arrived, and over this connection does not send it again. So a change that is
//! dropped here either makes its sender deaf (it was at fault) or has it closed (it was not), never neither.

use std::collections::{HashSet, VecDeque};

use automerge::{Change, ChangeHash};
use bytes::Bytes;

use super::commit::{Commit, Writer};
use super::room::{Live, Room, Slot};
use crate::document::crdt::{Document, MAX_TEXT_BATCH};
use crate::id::ConnectionId;
use crate::store::StoredChange;
use crate::sync::aside::{Aside, Kept, TurnedAway};
use crate::sync::gate::{self, Admission, Ahead, Offered, Refusal};
use crate::sync::log::{Heads, Logged};

pub(super) struct Run<'a> {
    room: &'a Room,
    writer: &'a Writer,
    commit: Commit,
    heads: Vec<ChangeHash>,
    stored: Vec<StoredChange>,
    refused: HashSet<ChangeHash>,
    /// What builds on a change that is set aside for good.
    barred: HashSet<ChangeHash>,
}

/// The document can no longer be used.
struct Poisoned;

impl<'a> Run<'a> {
    pub fn new(room: &'a Room, writer: &'a Writer, heads: Vec<ChangeHash>) -> Self {
        Self {
            room,
            writer,
            commit: Commit::default(),
            heads,
            stored: Vec::new(),
            refused: HashSet::new(),
            barred: HashSet::new(),
        }
    }

    /// What came of it, and what is to be stored.
    pub fn into_parts(self) -> (Commit, Vec<StoredChange>) {
        (self.commit, self.stored)
    }

    /// Takes one change after the other; each may release others that were kept aside. True if the document is poisoned.
    pub fn take_all(&mut self, offered: Vec<Offered>, slot: &mut Slot) -> bool {
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
            let Ok(committed) = self.take(arrival, &mut arriving, slot) else {
                // None of these is in the document or aside any more.
                self.commit.send_again.extend(arriving.iter().flat_map(Kept::senders));
                return true;
            };
            let Live::Awake(document) = &slot.live else {
                unreachable!("the lock is held")
            };
            for hash in committed {
                self.commit.send_again.extend(slot.aside.must_send_again(&hash));
                for released in slot.aside.released_by(&hash, |dep| document.has(dep)).into_iter().rev() {
                    arriving.push_front(released);
                }
            }
        }
        false
    }

    /// A writer that is not heard any more leaves nothing behind: what it sent may build on the change that was refused,
    /// would wait for it for ever, and must not get the writer closed, who would only come back with it. One that is gone
    /// by now will send everything again.
    pub fn forget_writer(&mut self, aside: &mut Aside) {
        let Some(connection) = self.writer.connection else {
            return;
        };
        let deaf = self.commit.stops_hearing();
        if deaf {
            self.commit.send_again.remove(&connection);
        }
        if deaf || (self.commit.aside + self.commit.turned_away > 0 && !self.room.audience().has(connection)) {
            aside.forget(connection);
        }
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
            singly,
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
            return Ok(Vec::new());
        }
        if let Some(dep) = arrival.change.deps().iter().find(|dep| self.refused.contains(*dep)) {
            let why = Refusal::BuildsOnRefused(*dep);
            self.refuse(&arrival, why, aside);
            return Ok(Vec::new());
        }
        match gate::admit(document, &arrival.change, &self.room.limits.gate) {
            Admission::Known => Ok(Vec::new()),
            Admission::Aside { .. } => {
                match aside.keep(arrival) {
                    Ok(()) => self.commit.aside += 1,
                    Err(TurnedAway::Outlined) => self.commit.turned_away += 1,
                    Err(TurnedAway::Entirely(senders)) => {
                        self.commit.turned_away += 1;
                        self.commit.send_again.extend(senders);
                    }
                }
                Ok(Vec::new())
            }
            Admission::Refused(why) => {
                self.refuse(&arrival, why, aside);
                Ok(Vec::new())
            }
            Admission::Ready => {
                let (run, ahead) = match *singly {
                    true => alone(arrival),
                    false => self.run_from(arrival, arriving, document, quarantined),
                };
                let Err(poison) = document.apply(ahead.changes()) else {
                    return Ok(run.into_iter().map(|kept| self.append(kept)).collect());
                };
                tracing::error!(document = %self.room.id(), %poison, "the library could not apply a change");
                match &run[..] {
                    [only] => {
                        quarantined.insert(only.change.hash());
                        self.quarantine(only);
                    }
                    // One of them is at fault. Sent again and applied one by one, it will be found.
                    several => {
                        *singly = true;
                        self.commit.send_again.extend(several.iter().flat_map(Kept::senders));
                    }
                }
                Err(Poisoned)
            }
        }
    }

    /// The change, and those right behind it that the library takes in one go: a run on one text object costs as much as
    /// its first keystroke alone.
    fn run_from(
        &self,
        first: Kept,
        arriving: &mut VecDeque<Kept>,
        document: &Document,
        quarantined: &HashSet<ChangeHash>,
    ) -> (Vec<Kept>, Ahead) {
        let text = match arriving.is_empty() {
            true => None,
            false => document.the_only_text(&first.change),
        };
        let (mut run, mut ahead) = alone(first);
        while let (Some(text), Some(next)) = (&text, arriving.front()) {
            let joins = run.len() < MAX_TEXT_BATCH
                && !quarantined.contains(&next.change.hash())
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
        let others = senders
            .into_iter()
            .filter(|sender| Some(*sender) != self.writer.connection);
        self.commit.send_again.extend(others);
    }

    fn append(&mut self, arrival: Kept) -> ChangeHash {
        let Kept {
            change,
            bytes,
            author,
            from,
            also: _,
        } = arrival;
        let hash = change.hash();
        self.heads = heads_with(&self.heads, &change);
        let heads: Heads = self.heads.as_slice().into();
        let number = self.room.log().append(Logged {
            hash,
            bytes: bytes.clone(),
            heads,
            from,
            author: &author,
            key: None,
        });
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

/// A run of one.
fn alone(kept: Kept) -> (Vec<Kept>, Ahead) {
    let mut ahead = Ahead::default();
    ahead.push(kept.change.clone());
    (vec![kept], ahead)
}

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
