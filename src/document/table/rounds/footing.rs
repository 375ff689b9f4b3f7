//! On which version each edit is written.

use std::collections::HashMap;
use std::rc::Rc;

use automerge::ChangeHash;

use super::{Claim, Ground, Untaken};
use crate::document::table::sight::{Saw, Spot, Touch};
use crate::document::table::{RowId, TableEdit, changed_since};

/// What an edit is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    Now,
    /// One of the versions that were found out.
    Then(usize),
}

/// As [`Footing`], with what is known of its reasons.
enum Found {
    Now,
    /// Now, or as well on the version that its author saw.
    Free,
    Then(usize),
}

/// What becomes of a change before it is planned: the footing of each edit, unless it waits or is not taken.
pub(super) type Sorted = Result<Vec<Footing>, Stop>;

#[derive(Debug)]
pub(super) enum Stop {
    Later,
    Not(Untaken),
}

impl From<Untaken> for Stop {
    fn from(why: Untaken) -> Self {
        Self::Not(why)
    }
}

/// The version that an author saw something in; none if they do not say.
type Sight = Option<Rc<[ChangeHash]>>;

/// What an edit before has done to a place.
struct Entry {
    claim: usize,
    spot: Spot,
    /// None if its change waits.
    footing: Option<Footing>,
    sight: Sight,
}

/// What the author of one change has seen.
struct Seen {
    version: Sight,
    /// What they saw of cells is what they had written themselves, in these.
    own: Vec<Spot>,
}

pub(super) struct Sorter<'s> {
    ground: Ground<'s>,
    claims: &'s [Claim<'s>],
    present: Vec<ChangeHash>,
    versions: Vec<Vec<ChangeHash>>,
    entries: HashMap<RowId, Vec<Entry>>,
    /// Rows that some change deletes, and what its author saw. What else they did to such a row goes with the deletion: were
    /// it written apart, it would look like something that the deletion did not know of.
    doomed: HashMap<&'s RowId, Vec<Option<&'s [ChangeHash]>>>,
    looks: usize,
    /// What changes before would have touched that are not taken in this message, but may be in the next.
    put_off: Vec<Spot>,
}

impl<'s> Sorter<'s> {
    pub fn new(ground: Ground<'s>, claims: &'s [Claim<'s>], looks: usize) -> Self {
        let mut doomed: HashMap<_, Vec<_>> = HashMap::new();
        for claim in claims {
            for edit in claim.edits {
                if let TableEdit::DeleteRows(rows) = edit {
                    rows.iter()
                        .for_each(|row| doomed.entry(row).or_default().push(claim.base));
                }
            }
        }
        Self {
            ground,
            claims,
            present: ground.document.get_heads(),
            versions: Vec::new(),
            entries: HashMap::new(),
            doomed,
            looks,
            put_off: Vec::new(),
        }
    }

    /// The versions found out, and how many looks are left.
    pub fn finish(self) -> (Vec<Vec<ChangeHash>>, usize) {
        (self.versions, self.looks)
    }

    /// The footings of the edits of a change. Those before it are sorted by then.
    pub fn sort(&mut self, claim: usize) -> Sorted {
        let sorted = self.try_sort(claim);
        if let Err(stop) = &sorted {
            self.forget(claim);
            let edits = self.claims[claim].edits;
            let spots = edits.iter().filter_map(Touch::all).flatten().map(|touch| touch.spot);
            match stop {
                // What comes behind it waits for it,
                Stop::Later => spots.for_each(|spot| self.enter(claim, spot, None, None)),
                // or is put off with it.
                Stop::Not(Untaken::TooManyVersions) => self.put_off.extend(spots),
                Stop::Not(_) => {}
            }
        }
        sorted
    }

    fn try_sort(&mut self, number: usize) -> Sorted {
        let claim = self.claims[number];
        let is_put_off = |touch: Touch| self.put_off.iter().any(|spot| spot.overlaps(&touch.spot));
        if claim.edits.iter().filter_map(Touch::all).flatten().any(is_put_off) {
            return Err(Untaken::TooManyVersions.into());
        }
        let seen = self.what_was_seen(&claim)?;
        let (mut footings, mut elsewhere) = (Vec::with_capacity(claim.edits.len()), None);
        let mut movable = Vec::new();
        for (edit, wish) in claim.edits.iter().enumerate() {
            let Some(touches) = Touch::all(wish) else {
                let changed = |version: &Rc<[ChangeHash]>| {
                    changed_since(self.ground.document, version, std::slice::from_ref(wish)) != Some(false)
                };
                if seen.version.as_ref().is_some_and(changed) {
                    return Err(Untaken::Changed { edit }.into());
                }
                elsewhere = elsewhere.or(Some(edit));
                footings.push(Footing::Now);
                continue;
            };
            // New rows only add.
            let adds = matches!(wish, TableEdit::InsertRows { .. });
            let (mut footing, mut is_bound) = (Footing::Now, adds);
            for touch in touches.iter().filter(|_| !adds) {
                match self.footing(number, touch, &seen)? {
                    Found::Free => {}
                    Found::Now => is_bound = true,
                    Found::Then(version) => footing = Footing::Then(version),
                }
            }
            if !is_bound && footing == Footing::Now {
                movable.push(edit);
            }
            for touch in touches {
                self.enter(number, touch.spot, Some(footing), seen.version.clone());
            }
            footings.push(footing);
        }
        match (elsewhere, footings.iter().find(|footing| **footing != Footing::Now)) {
            (Some(edit), Some(_)) => Err(Untaken::Changed { edit }.into()),
            (None, Some(Footing::Then(version))) => {
                let version = *version;
                self.keep_together(number, &seen, version, &mut footings, &movable);
                Ok(footings)
            }
            _ => Ok(footings),
        }
    }

    /// Writes what could be written on the present version as well beside what cannot: what is one change to its author is
    /// then one Automerge change.
    fn keep_together(
        &mut self,
        claim: usize,
        seen: &Seen,
        version: usize,
        footings: &mut [Footing],
        movable: &[usize],
    ) {
        let then = Footing::Then(version);
        let is_what_was_seen = seen.version.as_deref() == Some(&self.versions[version]);
        if !is_what_was_seen
            || footings
                .iter()
                .any(|footing| *footing != Footing::Now && *footing != then)
        {
            return;
        }
        for edit in movable {
            let touches = Touch::all(&self.claims[claim].edits[*edit]).unwrap_or_default();
            let was_there = |touch: &Touch| touch.was_there(self.ground.document, &self.versions[version]);
            if !touches.iter().all(was_there) {
                continue;
            }
            footings[*edit] = then;
            for touch in touches {
                let entries = self.entries.entry(touch.spot.row().clone()).or_default();
                let mut own = entries
                    .iter_mut()
                    .filter(|entry| entry.claim == claim && entry.spot == touch.spot);
                own.by_ref().for_each(|entry| entry.footing = Some(then));
            }
        }
    }

    /// The version in which the author of a change saw what they write to.
    fn what_was_seen(&mut self, claim: &Claim<'_>) -> Result<Seen, Stop> {
        if let Some(base) = claim.base {
            let unknown = |hash: &ChangeHash| self.ground.document.get_change_meta_by_hash(hash).is_none();
            if base.is_empty() || base.iter().any(unknown) {
                return Err(Untaken::UnknownVersion.into());
            }
            let mut base = base.to_vec();
            base.sort_unstable();
            return Ok(Seen {
                version: Some(base.into()),
                own: Vec::new(),
            });
        }
        let spot = |saw: &Saw| Spot::Cell(saw.row.clone(), saw.column.clone());
        let (own, open): (Vec<_>, Vec<_>) =
            (0..claim.saw.len()).partition(|saw| self.is_own(&spot(&claim.saw[*saw]), claim.turn));
        let version = match open.is_empty() {
            true => None,
            false => Some(self.version_that_shows(claim, &open)?),
        };
        let own = own.into_iter().map(|saw| spot(&claim.saw[saw])).collect();
        Ok(Seen { version, own })
    }

    /// Whether the author themself has written there, in a change before this or earlier.
    fn is_own(&self, spot: &Spot, turn: usize) -> bool {
        let entered = self.entries.get(spot.row()).into_iter().flatten();
        entered.into_iter().any(|entry| entry.spot.tells(spot)) || self.ground.own.tells(spot, turn)
    }

    /// The newest version that shows all of these cells as the author saw them: the present one, then the others in turn.
    fn version_that_shows(&mut self, claim: &Claim<'_>, open: &[usize]) -> Result<Rc<[ChangeHash]>, Stop> {
        let Ground {
            document,
            index,
            versions,
            ..
        } = self.ground;
        let mut missed = open[0];
        let candidates = std::iter::once(&self.present[..]).chain(versions.iter().map(|heads| &heads[..]));
        for (number, version) in candidates.enumerate() {
            let is_known = |hash: &ChangeHash| document.get_change_meta_by_hash(hash).is_some();
            if number > 0 && (version == self.present || version.is_empty() || !version.iter().all(is_known)) {
                continue;
            }
            let wrong = open.iter().find(|saw| {
                self.looks = self.looks.saturating_sub(1);
                !claim.saw[**saw].is_shown(document, index, version)
            });
            match wrong {
                None => return Ok(version.into()),
                Some(saw) if number == 0 => missed = *saw,
                Some(_) => {}
            }
            if self.looks == 0 {
                break;
            }
        }
        let present = claim.saw[missed].value_at(document, index, &self.present);
        Err(Untaken::Unseen { saw: missed, present }.into())
    }

    /// What an edit that touches a place is written on.
    fn footing(&mut self, claim: usize, touch: &Touch, seen: &Seen) -> Result<Found, Stop> {
        let is_own = seen.own.contains(&touch.spot);
        let (mut here, mut before, mut since, mut is_same) = (None, Vec::new(), usize::MAX, true);
        for entry in self.entries.get(touch.spot.row()).into_iter().flatten() {
            match entry.footing {
                _ if !entry.spot.overlaps(&touch.spot) => {}
                None => return Err(Stop::Later),
                Some(Footing::Then(version)) if entry.claim == claim => here = Some(version),
                Some(Footing::Now) if entry.claim == claim => {}
                Some(footing) => {
                    since = since.min(self.claims[entry.claim].turn);
                    is_same &= entry.spot == touch.spot;
                    before.push((footing, &entry.sight));
                }
            }
        }
        if let Some(version) = here {
            return Ok(Found::Then(version));
        }
        let Some((first, sight)) = before.first().copied() else {
            return self.by_itself(claim, touch, seen, is_own);
        };
        let done_between = self.ground.own.has(&touch.spot, since..self.claims[claim].turn);
        if done_between || before.iter().any(|(footing, _)| *footing != first) {
            return Err(Stop::Later);
        }
        match first {
            Footing::Now if is_own => Ok(Found::Now),
            Footing::Now => match self.by_itself(claim, touch, seen, is_own)? {
                Found::Now | Found::Free => Ok(Found::Now),
                Found::Then(_) => Err(Stop::Later),
            },
            // The author had seen the same when they made the one before; of another part of the row it may be less.
            Footing::Then(version) if is_own || (sight.is_some() && *sight == seen.version) => {
                let by_itself = match is_same {
                    true => Found::Then(version),
                    false => self.by_itself(claim, touch, seen, is_own)?,
                };
                match by_itself {
                    Found::Then(other) if other == version => Ok(by_itself),
                    _ => Err(Stop::Later),
                }
            }
            Footing::Then(_) => Err(Stop::Later),
        }
    }

    /// As [`footing`](Self::footing), where no change before has to do with it.
    fn by_itself(&mut self, claim: usize, touch: &Touch, seen: &Seen, is_own: bool) -> Result<Found, Stop> {
        let (Ground { document, own, .. }, turn) = (self.ground, self.claims[claim].turn);
        let (version, touch) = match &seen.version {
            _ if is_own => (own.alone(document, &touch.spot, turn), touch.clone()),
            None => return Ok(Found::Now),
            Some(version) if **version == *self.present => return Ok(Found::Now),
            Some(version) => (
                own.beside(document, version, touch, turn),
                self.with_its_row(touch, version),
            ),
        };
        match touch.differs(document, &version, &self.present) {
            true => self.then(version).map(Found::Then),
            false if seen.version.as_deref() == Some(&version) => Ok(Found::Free),
            false => Ok(Found::Now),
        }
    }

    /// The whole row, if another change of the same sight deletes it.
    fn with_its_row(&self, touch: &Touch, version: &[ChangeHash]) -> Touch {
        let row = touch.spot.row();
        let deletions = self.doomed.get(row);
        match deletions.is_some_and(|bases| bases.contains(&Some(version))) {
            true => Touch {
                spot: Spot::Row(row.clone()),
                adds: false,
            },
            false => touch.clone(),
        }
    }

    fn then(&mut self, version: Vec<ChangeHash>) -> Result<usize, Stop> {
        if let Some(known) = self.versions.iter().position(|known| *known == version) {
            return Ok(known);
        }
        if self.versions.len() >= self.ground.earlier_rounds {
            return Err(Untaken::TooManyVersions.into());
        }
        self.versions.push(version);
        Ok(self.versions.len() - 1)
    }

    fn enter(&mut self, claim: usize, spot: Spot, footing: Option<Footing>, sight: Sight) {
        let entry = Entry {
            claim,
            spot,
            footing,
            sight,
        };
        self.entries.entry(entry.spot.row().clone()).or_default().push(entry);
    }

    fn forget(&mut self, claim: usize) {
        for touch in self.claims[claim].edits.iter().filter_map(Touch::all).flatten() {
            if let Some(entries) = self.entries.get_mut(touch.spot.row()) {
                entries.retain(|entry| entry.claim != claim);
            }
        }
    }
}
