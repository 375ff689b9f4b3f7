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
        // In the order in which they stood, those that have passed none of the others.
        let between_the_same = stood.into_iter().filter_map(|at| {
            let position = movers[at].now?;
            let others = position - now.partition_point(|other| *other < position);
            (fates[at] == Fate::Moved && then[at]?.0 == others).then_some((at, position))
        });
        let between_the_same: Vec<(usize, usize)> = between_the_same.collect();
        for at in ascending(&between_the_same) {
            fates[at] = Fate::Stays;
        }
        Self {
            fates,
            shown_then: numbers(&window, &positions, others),
            shown_now: numbers(&window, &now, others),
            now,
        }
    }

    /// Whether one of the others, at this position, was shown and is.
    pub fn stays(&self, position: usize) -> bool {
        let number = position - self.now.partition_point(|mover| *mover < position);
        self.shown_then.contains(&number) && self.shown_now.contains(&number)
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
        let start = self.shown_then.start.max(self.shown_now.start);
        self.positions(start..self.shown_then.end.min(self.shown_now.end))
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
