//! Wishes being granted: what each has come to, and what is to be stored.

use std::collections::HashMap;
use std::sync::Arc;

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use rand::Rng;

use super::edits::Hand;
use super::wish::{Accepted, NotTaken, Why, Wish};
use crate::document::crdt::{Document, EditFailed};
use crate::document::table::rounds::{Claim, Fate, Ground, Rounds, Untaken};
use crate::document::table::sight::{Own, Spot, Touch};
use crate::document::table::value::shortened;
use crate::document::table::{Outcome, Refusal, TableEdit, TableIndex};
use crate::room::room::Room;
use crate::store::{Note, StoredChange};
use crate::wire::live::Wanted;
use crate::wire::live::change::{Ask, RecordKind};
use crate::wire::table::{Mistake, Resolver};
use crate::wire::version;

/// How far the log is gone back through in search of what an author saw.
const VERSIONS: usize = 256;

/// How many looks into versions one message may cost, about 20 us each.
const LOOKS: usize = 2_000;

/// How many versions beside the present one the wishes of a message may be written on: each costs up to 7 ms in a large
/// table.
const EARLIER_ROUNDS: usize = 16;

/// How often wishes may wait for others of their message.
const PASSES: usize = 16;

pub(super) struct Granting<'g> {
    room: &'g Arc<Room>,
    pub hand: &'g Hand<'g>,
    pub wishes: &'g [Wish],
    /// What each has come to; none while it is open.
    told: Vec<Option<Result<Accepted, NotTaken>>>,
    /// What the open ones ask for.
    open: Vec<Open>,
    /// What the client has written before, and in this message.
    own: Own,
    changes: Vec<StoredChange>,
    looks: usize,
    earlier_rounds: usize,
    passes: usize,
}

/// A wish that is to be granted.
struct Open {
    wish: usize,
    wanted: Wanted,
    base: Option<Vec<ChangeHash>>,
}

impl Open {
    fn claim(&self) -> Claim<'_> {
        Claim {
            turn: self.wish,
            edits: self.wanted.edits(),
            base: self.base.as_deref(),
            saw: self.wanted.saw(),
        }
    }
}

impl<'g> Granting<'g> {
    pub fn new(room: &'g Arc<Room>, hand: &'g Hand<'g>, wishes: &'g [Wish]) -> Self {
        let open = |wish| Open {
            wish,
            wanted: Wanted::default(),
            base: None,
        };
        Self {
            room,
            hand,
            wishes,
            told: vec![None; wishes.len()],
            open: (0..wishes.len()).map(open).collect(),
            own: Own::default(),
            changes: Vec::new(),
            looks: LOOKS,
            earlier_rounds: EARLIER_ROUNDS,
            passes: PASSES,
        }
    }

    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub fn refuse(&mut self, wish: usize, why: NotTaken) {
        self.leave(wish);
        self.told[wish] = Some(Err(why));
    }

    pub fn replay(&mut self, wish: usize, accepted: Accepted) {
        self.leave(wish);
        self.told[wish] = Some(Ok(accepted));
    }

    /// It is told with another.
    pub fn leave(&mut self, wish: usize) {
        self.open.retain(|open| open.wish != wish);
    }

    pub fn refuse_open(&mut self, why: &NotTaken) {
        for open in std::mem::take(&mut self.open) {
            self.told[open.wish] = Some(Err(why.clone()));
        }
    }

    /// Reads what is wanted, and what was wanted by those that were granted before.
    pub fn read(&mut self, document: &Document, index: &TableIndex, rng: &mut impl Rng) {
        let mut resolver = Resolver::new(document.automerge(), index.columns(), rng);
        for (turn, (wish, told)) in self.wishes.iter().zip(&self.told).enumerate() {
            // What they cannot be read as by now, they did not write to.
            if let Some(Ok(accepted)) = told
                && let Ok(wanted) = wish.ask.read(&mut resolver)
            {
                for spot in spots(wanted.edits()).chain(accepted.record.clone().map(Spot::New)) {
                    match accepted.changes[..] {
                        [only] => self.own.add(turn, spot, only),
                        ref several => self.own.add_written(document.automerge(), turn, &spot, several),
                    }
                }
            }
        }
        for Open { wish, .. } in std::mem::take(&mut self.open) {
            let ask = &self.wishes[wish].ask;
            let base = ask.base().map(|text| version::heads(text).ok_or_else(unknown_version));
            let wanted = ask.read(&mut resolver).map_err(|why| NotTaken::new(Why::Refused, why));
            match wanted.and_then(|wanted| Ok((wanted, base.transpose()?))) {
                Ok((wanted, base)) => self.open.push(Open { wish, wanted, base }),
                Err(why) => self.told[wish] = Some(Err(why)),
            }
        }
    }

    /// Sorts the open ones into rounds.
    pub fn sort(&mut self, document: &Document, index: &TableIndex, rng: &mut impl Rng) -> Rounds {
        let claims: Vec<_> = self.open.iter().map(Open::claim).collect();
        let looks = claims.iter().any(|claim| claim.base.is_none() && !claim.saw.is_empty());
        let mut versions = Vec::new();
        if looks {
            versions.extend(self.hand.shown.clone());
            versions.extend(self.room.log().versions(VERSIONS));
        }
        let ground = Ground {
            document: document.automerge(),
            index,
            versions: &versions,
            own: &self.own,
            earlier_rounds: self.earlier_rounds,
        };
        Rounds::of(ground, &claims, self.looks, self.hand.stamp, rng)
    }

    /// Writes the rounds. What waits stays open. An error is the library's; the document can then not be used.
    pub fn write(&mut self, document: &mut Document, rounds: Rounds) -> Result<(), String> {
        let Rounds { rounds, fates, looks } = rounds;
        let now = rounds.len() - 1;
        let mut changes: Vec<Option<ChangeHash>> = Vec::with_capacity(rounds.len());
        for (number, round) in rounds.iter().enumerate() {
            let key = self.only_key(&fates, number);
            let time = (self.hand.writer.author.time / 1000) as i64;
            let before = document.heads();
            let write = |tx: &mut Transaction<'_>| round.plan.write(tx);
            let made = match &round.at {
                _ if round.plan.is_empty() => Ok(((), None)),
                Some(version) => document.edit_at(time, None, version, write),
                None => document.edit(time, None, write),
            };
            let (_, change) = made.map_err(|failed: EditFailed<automerge::AutomergeError>| failed.to_string())?;
            changes.push(change.as_ref().map(|change| change.hash()));
            let made = change.map(|change| self.room.log_made(&before, &change, self.hand.writer, key));
            self.changes.extend(made);
        }
        (self.looks, self.passes) = (looks, self.passes - 1);
        self.earlier_rounds = self.earlier_rounds.saturating_sub(now);
        for (open, fate) in std::mem::take(&mut self.open).into_iter().zip(fates) {
            match fate {
                Fate::Taken { outcomes, rounds } => {
                    for (edit, round) in open.wanted.edits().iter().zip(&rounds) {
                        if let Some(change) = changes[*round] {
                            spots(std::slice::from_ref(edit)).for_each(|spot| self.own.add(open.wish, spot, change));
                        }
                    }
                    let merged = rounds.iter().any(|round| *round != now);
                    let mut changes: Vec<_> = rounds.into_iter().filter_map(|round| changes[round]).collect();
                    changes.sort_unstable();
                    changes.dedup();
                    self.told[open.wish] = Some(Ok(self.accepted(&open, &outcomes, merged, changes)));
                }
                Fate::Later if self.passes == 0 => self.told[open.wish] = Some(Err(too_entangled())),
                Fate::Later => self.open.push(open),
                Fate::Not(why) => self.told[open.wish] = Some(Err(not_taken(&open.wanted, &why))),
            }
        }
        Ok(())
    }

    /// The id of the wish that a round is of, if it is of one.
    fn only_key(&self, fates: &[Fate], number: usize) -> Option<Arc<str>> {
        let is_in = |fate: &Fate| matches!(fate, Fate::Taken { rounds, .. } if rounds.contains(&number));
        let mut all = self.open.iter().zip(fates).filter(|(_, fate)| is_in(fate));
        let (only, _) = all.next()?;
        let key = &self.wishes[only.wish].keyed.key;
        all.next().is_none().then(|| key.as_str().into())
    }

    fn accepted(&self, open: &Open, outcomes: &[Outcome], merged: bool, changes: Vec<ChangeHash>) -> Accepted {
        let is_create = matches!(&self.wishes[open.wish].ask, Ask::Record(change) if change.kind == RecordKind::Create);
        let made = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Rows(rows) => rows.first().cloned(),
            _ => None,
        });
        Accepted {
            record: made.filter(|_| is_create),
            outcomes: open.wanted.made(outcomes),
            merged,
            replayed: false,
            // Put right when all is written.
            version: Default::default(),
            changes,
        }
    }

    /// What is to go to the disk: also if not all could be written.
    pub fn take_stored(&mut self) -> (Vec<StoredChange>, Vec<Note>) {
        let heads = self.room.log().heads();
        let (time, mut notes) = (self.hand.writer.author.time, Vec::new());
        for (wish, told) in self.wishes.iter().zip(&mut self.told) {
            if let Some(Ok(accepted)) = told
                && !accepted.replayed
            {
                accepted.version = heads.clone();
                notes.extend(self.room.note_key(&wish.keyed, accepted.encode(), time));
            }
        }
        (std::mem::take(&mut self.changes), notes)
    }

    /// What came of each; `twice` names those that are told with another.
    pub fn told(mut self, twice: &HashMap<usize, usize>) -> Vec<Result<Accepted, NotTaken>> {
        for (again, first) in twice {
            self.told[*again] = self.told[*first].clone().map(|told| {
                told.map(|accepted| Accepted {
                    replayed: true,
                    ..accepted
                })
            });
        }
        let all: Option<Vec<_>> = self.told.into_iter().collect();
        all.expect("none is open")
    }
}

fn spots(edits: &[TableEdit]) -> impl Iterator<Item = Spot> + '_ {
    edits.iter().filter_map(Touch::all).flatten().map(|touch| touch.spot)
}

fn unknown_version() -> NotTaken {
    let why = "the table never had the version that this is based on";
    NotTaken::new(Why::UnknownVersion, Mistake::new("/base", why))
}

fn too_entangled() -> NotTaken {
    let why = "too much of what was sent with this has to do with it: send it again by itself";
    NotTaken::new(Why::TooLarge, Mistake::new("", why))
}

fn not_taken(wanted: &Wanted, why: &Untaken) -> NotTaken {
    match why {
        Untaken::Refused(refused) => {
            let is_record = matches!(*refused.why, Refusal::NoRow(_) | Refusal::NoRowThen(_)) && !wanted.is_batch();
            let why = match is_record {
                true => Why::NotFound,
                false => Why::Refused,
            };
            NotTaken::new(why, wanted.mistake(refused))
        }
        Untaken::UnknownVersion => unknown_version(),
        Untaken::TooManyVersions => {
            let why = format!(
                "what was sent is based on more than {EARLIER_ROUNDS} earlier versions of the table, which is as many as are taken at \
                 once: send the rest again"
            );
            NotTaken::new(Why::Later, Mistake::new("/base", why))
        }
        Untaken::Changed { edit } => {
            let why = "what this changes is not what it was in the version it is based on; only cells, and whether rows are \
                       deleted, can be written beside what others have changed since";
            NotTaken::new(Why::VersionChanged, Mistake::new(wanted.place(*edit), why))
        }
        Untaken::Unseen { saw, present } => {
            let old = wanted
                .saw()
                .get(*saw)
                .map_or_else(String::new, |saw| shortened(&saw.value));
            let why = match present {
                Some(present) => format!(
                    "the cell shows {} now, and was not {old} in any version that is still at hand",
                    shortened(present)
                ),
                None => "the row or column of this cell is not in the table any more".into(),
            };
            NotTaken::new(Why::VersionChanged, Mistake::new(wanted.saw_at(*saw), why))
        }
    }
}
