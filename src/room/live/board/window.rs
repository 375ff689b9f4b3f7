//! Receivers that see some of the rows: what of the people lies in a window, and since when.
//!
//! A cursor outside the window is not sent. When one leaves it, that is told once, to those who were shown it. So the board
//! keeps for each window what lies in it, and with which revision that changed: seen through the window, a cursor that moves
//! around outside does not change at all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::frames::Cache;
use super::person::{Dated, Person};
use crate::document::table::RowId;
use crate::id::PeerId;
use crate::wire::live::presence::Placed;

/// The rows that some receivers see.
#[derive(Debug, Clone)]
pub struct Window {
    /// Never used for another window of the same room.
    pub id: u64,
    /// Goes up when the rows become others.
    pub generation: u64,
    pub rows: Arc<HashSet<RowId>>,
}

/// Whether something lies in the window, and the revision that made it so, or moved it inside.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Inside {
    is_inside: bool,
    at: u64,
}

/// Cursor, selection and typing of one person.
type Insides = [Inside; 3];

/// The board seen through one window.
#[derive(Debug)]
pub(super) struct Filter {
    generation: u64,
    rows: Arc<HashSet<RowId>>,
    /// The revision it was made with: who has seen less of it has seen nothing.
    pub since: u64,
    /// Everything up to this revision was taken in.
    upto: u64,
    /// Those of whom anything was ever inside.
    insides: HashMap<PeerId, Insides>,
    pub cache: Cache,
    /// When it was pulled last, counted in pulls.
    pub used: u64,
}

impl Filter {
    pub fn new(window: &Window, revision: u64) -> Self {
        Self {
            generation: window.generation,
            rows: window.rows.clone(),
            since: revision,
            upto: 0,
            insides: HashMap::new(),
            cache: Cache::default(),
            used: 0,
        }
    }

    /// Takes in everything since it was pulled last. Returns whether the rows became others in such a way that the next
    /// revision has something to tell.
    pub fn follow(&mut self, window: &Window, board: &BTreeMap<PeerId, Person>, revision: u64, removed: u64) -> bool {
        let is_other = window.generation > self.generation;
        if is_other {
            (self.generation, self.rows) = (window.generation, window.rows.clone());
            self.cache = Cache::default();
        }
        if self.upto == revision && !is_other {
            return false;
        }
        if removed > self.upto {
            self.insides.retain(|peer, _| board.contains_key(peer));
        }
        let look = Look {
            rows: &self.rows,
            upto: self.upto,
            next: revision + 1,
        };
        let mut has_shifted = false;
        for (peer, person) in board {
            if !is_other && !person.moved_after(self.upto) {
                continue;
            }
            let known = self.insides.get(peer).copied().unwrap_or_default();
            let insides = [
                look.at(known[CURSOR], &person.cursor),
                look.at(known[SELECTION], &person.selection),
                look.at(known[TYPING], &person.typing),
            ];
            has_shifted |= insides.iter().any(|inside| inside.at > revision);
            if insides.iter().any(|inside| inside.at > 0) {
                self.insides.insert(peer.clone(), insides);
            }
        }
        self.upto = revision;
        has_shifted
    }
}

#[cfg(test)]
impl Filter {
    pub fn held(&self) -> usize {
        self.insides.len()
    }
}

/// One look through a window at everything after `upto`.
struct Look<'f> {
    rows: &'f HashSet<RowId>,
    upto: u64,
    next: u64,
}

impl Look<'_> {
    fn at<T: Placed>(&self, known: Inside, dated: &Dated<T>) -> Inside {
        let is_inside = dated.value.as_ref().is_some_and(|value| value.is_among(self.rows));
        let was_or_is = known.is_inside || is_inside;
        let at = match dated.at > self.upto {
            true if was_or_is => dated.at,
            // It did not move: the window did.
            false if known.is_inside != is_inside => self.next,
            _ => known.at,
        };
        Inside { is_inside, at }
    }
}

pub(super) const CURSOR: usize = 0;
pub(super) const SELECTION: usize = 1;
pub(super) const TYPING: usize = 2;

/// The eyes of a receiver: a window, or none for all rows.
#[derive(Clone, Copy)]
pub(super) struct Sight<'f>(pub Option<&'f Filter>);

impl Sight<'_> {
    /// What of a value is seen, and the revision that is of.
    pub fn of<'p, T>(self, peer: &PeerId, which: usize, dated: &'p Dated<T>) -> (Option<&'p T>, u64) {
        let Some(filter) = self.0 else {
            return (dated.value.as_ref(), dated.at);
        };
        let inside = filter
            .insides
            .get(peer)
            .map_or_else(Inside::default, |insides| insides[which]);
        (dated.value.as_ref().filter(|_| inside.is_inside), inside.at)
    }
}
