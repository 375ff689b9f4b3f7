//! Changes that come in at the live door: one, a batch, or what has waited while a client was offline.
//!
//! All of them go one way. What was done before is told again; of the rest the table says on which version each is written
//! (see [`Rounds`]), and each round becomes one Automerge change. All of it happens under one lock, goes to the disk in one
//! batch, and is recorded there under the id of each change.
//!
//! - A change is made once, however often it is sent.
//! - One that is refused leaves the others. Refusals are made from the present version: they are told, as all else, once it
//!   is on disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rand::Rng;

use super::granting::Granting;
use super::wish::{Accepted, NotTaken, Why, Wish};
use crate::document::table::Stamp;
use crate::key::KeyId;
use crate::room::commit::Writer;
use crate::room::edit::Edited;
use crate::room::keys::{KeyRefusal, Known};
use crate::room::room::{Live, Room, Slot};
use crate::store::{Need, Place};
use crate::sync::log::Heads;
use crate::wire::table::Mistake;

/// The most Automerge changes that the wishes of one message become: one for each version that they are written on.
const ROUNDS: usize = 64;

/// What is reserved for an Automerge change and for what is recorded of a wish, in bytes, beside what they are made from.
const ROUND_BYTES: usize = 4 << 10;
const WISH_BYTES: usize = 1 << 10;

/// Who writes, and what they were shown.
#[derive(Debug, Clone)]
pub struct Hand<'a> {
    pub writer: &'a Writer,
    /// Who deletes, and when.
    pub stamp: &'a Stamp,
    /// The version that the connection was sent last.
    pub shown: Option<Heads>,
    pub now: Instant,
}

/// Why nothing can be said of wishes.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The document is asleep: wake it and try again.
    #[error("the document is asleep")]
    NotAwake,
    /// The library failed and the document is loaded anew, or the disk could not be read.
    #[error("the document could not take the edits: {0}")]
    Failed(String),
}

/// What came of each wish. To be told once [`Edited::seen`] is on disk.
pub type Granted = Edited<Vec<Result<Accepted, NotTaken>>>;

/// The place in the queue of the committer that wishes take, which came in a message of so many bytes.
pub fn need(wishes: &[Wish], bytes: usize) -> Need {
    let changes = wishes.len().min(ROUNDS);
    Need {
        changes,
        bytes: 2 * bytes + changes * ROUND_BYTES + wishes.len() * WISH_BYTES,
    }
}

impl Room {
    /// Grants the wishes of one client about this table, in their order, each once. `place` is for what they [`need`].
    pub fn grant(
        self: &Arc<Self>,
        place: Place,
        hand: &Hand<'_>,
        wishes: &[Wish],
        rng: &mut impl Rng,
    ) -> Result<Granted, NotDone> {
        let _here = self.turns.interactive();
        let mut slot = self.slot();
        slot.last_use = hand.now;
        let mut granting = Granting::new(self, hand, wishes);
        let twice = self.tell_what_is_known(&slot, &mut granting)?;
        if granting.is_open() {
            self.forget_gone(&mut slot);
            let done = self.grant_open(&mut slot, &mut granting, rng);
            let (changes, notes) = granting.take_stored();
            self.queue(&mut slot, place, changes, notes);
            if let Err(why) = done {
                return Err(match why {
                    NotDone::Failed(why) => {
                        tracing::error!(document = %self.id, %why, "a change of the live door made the library fail");
                        self.throw_away(&mut slot);
                        drop(slot);
                        self.announce();
                        NotDone::Failed(why)
                    }
                    asleep => asleep,
                });
            }
        }
        Ok(self.edited(granting.told(&twice)))
    }

    fn grant_open(
        self: &Arc<Self>,
        slot: &mut Slot,
        granting: &mut Granting<'_>,
        rng: &mut impl Rng,
    ) -> Result<(), NotDone> {
        // The lock is given back before the room is looked at again.
        let tombstone = self.notes().tombstone().cloned();
        if let Some(tombstone) = tombstone {
            let why = Mistake::new("", "the table is deleted");
            granting.refuse_open(&NotTaken::new(Why::Deleted(tombstone), why));
            return Ok(());
        }
        let Slot { live, table, .. } = slot;
        let Live::Awake(document) = live else {
            return Err(NotDone::NotAwake);
        };
        match table.follow(document) {
            // Not held any longer: while it is, whoever follows makes a copy of it.
            Ok(index) => granting.read(document, &index, rng),
            Err(why) => {
                let why = NotTaken::new(Why::NotATable, Mistake::new("", why));
                granting.refuse_open(&why);
                return Ok(());
            }
        }
        while granting.is_open() {
            let index = table.follow(document).map_err(|why| NotDone::Failed(why.to_string()))?;
            let rounds = granting.sort(document, &index, rng);
            granting.write(document, rounds).map_err(NotDone::Failed)?;
        }
        Ok(())
    }

    /// Tells what came of wishes that were granted before. Returns those that the message has twice, by the first of them.
    fn tell_what_is_known(&self, slot: &Slot, granting: &mut Granting<'_>) -> Result<HashMap<usize, usize>, NotDone> {
        let (mut first, mut twice): (HashMap<KeyId, usize>, _) = (HashMap::new(), HashMap::new());
        let now_ms = granting.hand.writer.author.time;
        for (number, wish) in granting.wishes.iter().enumerate() {
            match first.get(&wish.keyed.key.id()) {
                Some(before) if granting.wishes[*before].keyed.digest == wish.keyed.digest => {
                    twice.insert(number, *before);
                    granting.leave(number);
                    continue;
                }
                Some(_) => {
                    granting.refuse(number, key_refused(KeyRefusal::Reused));
                    continue;
                }
                None => drop(first.insert(wish.keyed.key.id(), number)),
            }
            match self.known(slot, &wish.keyed, now_ms).map_err(NotDone::Failed)? {
                Known::New => {}
                Known::Refused(why) => granting.refuse(number, key_refused(why)),
                Known::Done(recorded) => match Accepted::replay(&recorded, || self.log().heads()) {
                    Some(accepted) => granting.replay(number, accepted),
                    None => return Err(NotDone::Failed("what was told of a change does not read".into())),
                },
            }
        }
        Ok(twice)
    }
}

fn key_refused(why: KeyRefusal) -> NotTaken {
    NotTaken::new(Why::Key(why), Mistake::new("/changeId", why))
}
