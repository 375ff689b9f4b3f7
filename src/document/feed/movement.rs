//! Which rows a window shows, before and after some of them have moved.
//!
//! The present list is there; the old one is not. But they differ by the rows that moved, the *movers*, and by nothing
//! else: all others stand in the same order in both, and where one of them stood follows from how many movers stood
//! before it. So two windows are compared by counting, without the old list being made.
//!
//! - Positions count rows of a whole list, not of a window.
//! - The others are numbered without the movers, the same at both versions.

use std::ops::Range;
use std::sync::Arc;

use super::Window;
use super::list::List;
use crate::document::table::{RowEntry, RowId};

/// A row that is not among the rows, or not at the same place, at both versions.
pub(super) struct Mover<K> {
    pub row: RowId,
    /// The row as it was; none if it was not in the table.
    pub was: Option<Arc<RowEntry>>,
    /// Where it stood.
    pub then: Option<K>,
    /// The position where it stands.
    pub now: Option<usize>,
}

/// What becomes of a mover in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was not shown and is not.
    Unseen,
    Gone,
    Came,
    /// It was shown and is, at another place among those that stay.
    Moved,
    /// It was shown and is, between the same rows.
    Stays,
}

/// How the windows of two versions differ.
#[derive(Debug)]
pub(super) struct Movement {
    /// Of each mover.
    pub fates: Vec<Fate>,
    /// Where the movers stand, ascending.
    now: Vec<usize>,
    /// The others that were shown, and those that are, by their numbers.
    shown_then: Range<usize>,
    shown_now: Range<usize>,
}

impl Movement {
    pub fn new<L: List>(list: &L, movers: &[Mover<L::Key>], window: Option<Window>) -> Self {
        let mut now: Vec<usize> = movers.iter().filter_map(|mover| mover.now).collect();
        now.sort_unstable();
        let others = list.len() - now.len();

        let mut stood: Vec<usize> = (0..movers.len()).filter(|at| movers[*at].then.is_some()).collect();
        stood.sort_unstable_by(|a, b| movers[*a].then.cmp(&movers[*b].then));
        // Of each mover the number of others before it, and its position, in the old list.
        let mut then: Vec<Option<(usize, usize)>> = vec![None; movers.len()];
        for (rank, at) in stood.iter().enumerate() {
            if let Some(key) = &movers[*at].then {
                let before = list.before(key);
                let others = before - now.partition_point(|position| *position < before);
                then[*at] = Some((others, others + rank));
            }
        }
        let positions: Vec<usize> = stood
            .iter()
            .filter_map(|at| then[*at])
            .map(|(_, position)| position)
            .collect();

        let window = Window::range(window);
        let is_in = |position: usize| window.contains(&position);
        let mut fates: Vec<Fate> = Vec::with_capacity(movers.len());
        for (mover, then) in movers.iter().zip(&then) {
            let was_shown = then.is_some_and(|(_, position)| is_in(position));
            let is_shown = mover.now.is_some_and(is_in);
            fates.push(match (was_shown, is_shown) {
                (false, false) => Fate::Unseen,
                (true, false) => Fate::Gone,
                (false, true) => Fate::Came,
                (true, true) => Fate::Moved,
            });
        }
        let mut movement = Self {
            fates,
            shown_then: numbers(&window, &positions, others),
            shown_now: numbers(&window, &now, others),
            now,
        };
        movement.let_stay(
            stood
                .into_iter()
                .filter_map(|at| Some((at, then[at]?.0, movers[at].now?))),
        );
        movement
    }

    /// Of the movers that were shown and are, given in the order in which they stood with the number of others before them
    /// and their positions now: those stay that have passed none of the others that stay, and as many as have not passed
    /// each other.
    fn let_stay(&mut self, stood: impl Iterator<Item = (usize, usize, usize)>) {
        let staying = self.stay();
        let before = |others: usize| others.clamp(staying.start, staying.end);
        let between_the_same = stood.filter(|(at, then, position)| {
            let now = self.others_before(*position);
            self.fates[*at] == Fate::Moved && before(*then) == before(now)
        });
        let between_the_same: Vec<(usize, usize)> = between_the_same.map(|(at, _, position)| (at, position)).collect();
        for at in ascending(&between_the_same) {
            self.fates[at] = Fate::Stays;
        }
    }

    /// How many others stand before a position.
    fn others_before(&self, position: usize) -> usize {
        position - self.now.partition_point(|mover| *mover < position)
    }

    /// The numbers of the others that were shown and are.
    fn stay(&self) -> Range<usize> {
        let start = self.shown_then.start.max(self.shown_now.start);
        start..self.shown_then.end.min(self.shown_now.end).max(start)
    }

    /// Whether one of the others, at this position, was shown and is.
    pub fn stays(&self, position: usize) -> bool {
        self.stay().contains(&self.others_before(position))
    }

    /// The others that were shown and are not, by their present positions.
    pub fn left(&self) -> impl Iterator<Item = usize> {
        without(&self.shown_then, &self.shown_now).flat_map(|numbers| self.positions(numbers))
    }

    /// The others that are shown and were not, by their present positions, ascending.
    pub fn entered(&self) -> impl Iterator<Item = usize> {
        without(&self.shown_now, &self.shown_then).flat_map(|numbers| self.positions(numbers))
    }

    /// The others that were shown and are, by their present positions, ascending.
    pub fn staying(&self) -> impl Iterator<Item = usize> {
        self.positions(self.stay())
    }

    /// Where the others of these numbers stand.
    fn positions(&self, numbers: Range<usize>) -> impl Iterator<Item = usize> {
        let mut passed = 0;
        numbers.map(move |number| {
            while self.now.get(passed).is_some_and(|mover| *mover <= number + passed) {
                passed += 1;
            }
            number + passed
        })
    }
}

impl Window {
    /// The positions it covers; all, if there is none.
    fn range(window: Option<Self>) -> Range<usize> {
        window.map_or(0..usize::MAX, |window| {
            window.offset..window.offset.saturating_add(window.limit)
        })
    }
}

/// The numbers of the others within a window over a list in which the movers have these positions.
fn numbers(window: &Range<usize>, movers: &[usize], others: usize) -> Range<usize> {
    let number = |position: usize| {
        let position = position.min(others + movers.len());
        position - movers.partition_point(|mover| *mover < position)
    };
    number(window.start)..number(window.end)
}

/// What of a range is not in another.
fn without(range: &Range<usize>, other: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    [
        range.start..range.end.min(other.start),
        range.start.max(other.end)..range.end,
    ]
    .into_iter()
}

/// Of things with positions, a longest run of those whose positions ascend.
fn ascending(things: &[(usize, usize)]) -> Vec<usize> {
    // For each length, the thing that ends the run of that length at the lowest position; and for each thing the one
    // before it in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(things.len());
    for (at, (_, position)) in things.iter().enumerate() {
        let length = ends.partition_point(|end| things[*end].1 < *position);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let last = ends.last().copied();
    std::iter::successors(last, |at| before[*at])
        .map(|at| things[at].0)
        .collect()
}

#[cfg(test)]
mod tests {
    use automerge::ReadDoc;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::document::table::ColumnId;

    /// Rows with their keys, in order.
    struct Numbers(Vec<(usize, RowId)>);

    impl List for Numbers {
        type Key = (usize, RowId);

        fn len(&self) -> usize {
            self.0.len()
        }

        fn row(&self, _: usize) -> &Arc<RowEntry> {
            unreachable!("movements are found by positions alone")
        }

        fn position(&self, row: &RowId) -> Option<usize> {
            self.0.iter().position(|(_, id)| id == row)
        }

        fn key(&self, _: &impl ReadDoc, _: &Arc<RowEntry>) -> Option<Self::Key> {
            None
        }

        fn before(&self, key: &Self::Key) -> usize {
            self.0.partition_point(|row| row < key)
        }

        fn has(&self, at: usize, key: &Self::Key) -> bool {
            self.0[at] == *key
        }

        fn decides(&self, _: &ColumnId) -> bool {
            false
        }
    }

    fn id(number: usize) -> RowId {
        RowId::parse(&format!("b.{number}")).unwrap()
    }

    fn shown(list: &Numbers, window: Window) -> Vec<RowId> {
        let rows = list.0.iter().skip(window.offset).take(window.limit);
        rows.map(|(_, id)| id.clone()).collect()
    }

    /// The window as it was, with those taken out that are gone and those put in that came, is the window as it is; and
    /// those that stay are as many as can stay.
    #[test]
    fn a_window_becomes_the_other_by_what_is_gone_and_came() {
        for seed in 0..2_000 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let rows = rng.random_range(0..14);
            let keys = |rng: &mut SmallRng| rng.random_bool(0.8).then(|| rng.random_range(0..20));
            let old: Vec<Option<usize>> = (0..rows).map(|_| keys(&mut rng)).collect();
            let new = old.iter().map(|old| match rng.random_bool(0.4) {
                true => keys(&mut rng),
                false => *old,
            });
            let new: Vec<Option<usize>> = new.collect();
            let list = |keys: &[Option<usize>]| {
                let rows = keys.iter().enumerate();
                let mut rows: Vec<_> = rows.filter_map(|(at, key)| Some(((*key)?, id(at)))).collect();
                rows.sort();
                Numbers(rows)
            };
            let (then, now) = (list(&old), list(&new));
            let movers = (0..rows).filter(|at| old[*at] != new[*at]).map(|at| Mover {
                row: id(at),
                was: None,
                then: old[at].map(|key| (key, id(at))),
                now: now.position(&id(at)),
            });
            let movers: Vec<_> = movers.collect();
            let window = Window {
                offset: rng.random_range(0..6),
                limit: rng.random_range(0..8),
            };
            let movement = Movement::new(&now, &movers, Some(window));

            let of = |wanted: [Fate; 2]| {
                let movers = movers.iter().zip(&movement.fates);
                movers
                    .filter(move |(_, fate)| wanted.contains(fate))
                    .map(|(mover, _)| mover)
            };
            let mut held = shown(&then, window);
            if held == shown(&now, window) {
                let seen = movement
                    .fates
                    .iter()
                    .filter(|fate| !matches!(fate, Fate::Unseen | Fate::Stays));
                assert_eq!(seen.count(), 0, "seed {seed}: nothing differs");
            }
            let gone = of([Fate::Gone, Fate::Moved]).map(|mover| mover.row.clone());
            for row in gone.chain(movement.left().map(|at| now.0[at].1.clone())) {
                let at = held.iter().position(|held| *held == row);
                held.remove(at.unwrap_or_else(|| panic!("seed {seed}: {row} is gone but was not shown")));
            }
            for at in 0..now.len() {
                let (_, row) = &now.0[at];
                let is_mover = movers.iter().any(|mover| mover.row == *row);
                let stays = held.contains(row);
                if !is_mover {
                    assert_eq!(movement.stays(at), stays, "seed {seed}: {row}");
                    assert_eq!(movement.staying().any(|other| other == at), stays, "seed {seed}: {row}");
                }
            }
            let came = of([Fate::Came, Fate::Moved]).filter_map(|mover| mover.now);
            let mut came: Vec<usize> = came.chain(movement.entered()).collect();
            came.sort_unstable();
            for at in came {
                held.insert(at - window.offset, now.0[at].1.clone());
            }
            assert_eq!(held, shown(&now, window), "seed {seed}");
        }
    }

    #[test]
    fn of_rows_that_change_places_the_longest_run_stays() {
        let now = [4, 0, 1, 2, 3].into_iter().enumerate();
        let things: Vec<(usize, usize)> = now.collect();
        let mut stay = ascending(&things);
        stay.sort_unstable();
        assert_eq!(stay, [1, 2, 3, 4]);
        assert!(ascending(&[]).is_empty());
    }
}
