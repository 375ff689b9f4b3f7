//! What receivers at the live door are told of the people in a room: one board, pulled by revision.
//!
//! The roster pushes each word into the lanes of the sync door. Here many words become few: what changed since the last tick
//! is one revision, and a receiver asks for what is newer than it has seen. Whoever asks for the same gets the same bytes.
//!
//! - While nobody at the live door has the document open, nothing is noted and nothing is read. When the first comes, the
//!   roster is read once.
//! - What is said between two ticks is only noted; the tick reads the newest of it, so a hundred moves are one.
//! - Whoever left silently stays listed, showing nothing, until [`AudienceLimits::return_within`] is over.
//! - The board holds at most as many people as the roster, and as many of those who left. A receiver that is behind what it
//!   remembers is told of everybody anew.
//!
//! Nothing here looks at a clock: somebody asks [`Board::due`] and ticks. [`Audience::presence_alarm`] rings when the answer
//! may have become an earlier one.
//!
//! [`Audience::presence_alarm`]: crate::room::audience::Audience::presence_alarm

mod frames;
mod person;
mod window;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::people::Lives;
use crate::id::{DocumentId, PeerId};
use crate::room::audience::AudienceLimits;
use crate::sync::presence::Roster;
use crate::wire::live::presence::Id;
use frames::Cache;
use person::Person;
use window::Filter;

pub use frames::{Frames, Told};
pub use person::Shown;
pub use window::Window;

/// What a tick may cost: where a thousand listen, each of them is told twice a second.
const PER_RECEIVER: Duration = Duration::from_micros(500);

/// How somebody ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// They said goodbye, or were silent for too long.
    Left,
    /// Their connection ended at this time; they may be back.
    Lost(Instant),
}

/// What was heard of somebody since the last tick.
#[derive(Debug, Default)]
struct Note {
    shown: Shown,
    /// Unless they were heard again since.
    ended: Option<Ended>,
}

/// Somebody who left, for receivers that knew them.
#[derive(Debug)]
struct Departed {
    user: Id,
    device: Id,
    came: u64,
    /// The revision they left with.
    at: u64,
}

/// Where the board reads what people show.
pub(in crate::room) struct Source<'a> {
    pub roster: &'a Roster,
    pub lives: &'a Lives,
}

#[derive(Debug)]
pub struct Board {
    table: DocumentId,
    most: usize,
    tick: Duration,
    return_within: Duration,
    receivers: usize,
    people: BTreeMap<PeerId, Person>,
    /// In the order in which they left.
    departed: VecDeque<Departed>,
    noted: BTreeMap<PeerId, Note>,
    revision: u64,
    /// Receivers that have not seen this revision are told of everybody anew: who left before is forgotten.
    remembers: u64,
    /// When somebody was taken off the list last.
    removed: u64,
    ticked: Option<Instant>,
    windows: HashMap<u64, Filter>,
    /// The rows of a window became others, so that other cursors are in it.
    shifted: bool,
    pulls: u64,
    /// Frames for those who see all rows.
    whole: Cache,
    alarm: Arc<Notify>,
}

impl Board {
    pub fn new(table: DocumentId, limits: &AudienceLimits) -> Self {
        Self {
            table,
            most: limits.people,
            tick: limits.tick,
            return_within: limits.return_within,
            receivers: 0,
            people: BTreeMap::new(),
            departed: VecDeque::new(),
            noted: BTreeMap::new(),
            revision: 1,
            remembers: 1,
            removed: 0,
            ticked: None,
            windows: HashMap::new(),
            shifted: false,
            pulls: 0,
            whole: Cache::default(),
            alarm: Arc::default(),
        }
    }

    /// Whether anybody at the live door has the document open.
    pub fn is_watched(&self) -> bool {
        self.receivers > 0
    }

    /// The user that somebody shows.
    pub(super) fn user_of(&self, peer: &PeerId) -> Option<&str> {
        self.people.get(peer).map(|person| person.who.id.as_str())
    }

    pub(super) fn alarm(&self) -> Arc<Notify> {
        self.alarm.clone()
    }

    /// So many at the live door have the document open now. The first of them has the roster read, the last the board wiped.
    pub(super) fn watched_by(&mut self, receivers: usize, source: &Source<'_>) {
        let were = std::mem::replace(&mut self.receivers, receivers);
        if were == 0 && receivers > 0 {
            for peer in source.roster.peers() {
                self.people
                    .extend(Person::read(peer, source, self.revision).map(|person| (peer.clone(), person)));
            }
        } else if were > 0 && receivers == 0 {
            self.wipe();
        }
    }

    fn wipe(&mut self) {
        self.revision += 1;
        self.remembers = self.revision;
        self.people.clear();
        self.departed.clear();
        self.noted.clear();
        self.windows.clear();
        self.shifted = false;
        self.whole = Cache::default();
    }

    /// Somebody on the roster has shown these channels.
    pub(in crate::room) fn note_shown(&mut self, peer: &PeerId, shown: Shown) {
        if !self.is_watched() || shown == Shown::default() {
            return;
        }
        let note = self.note(peer);
        note.shown |= shown;
        if note.ended.take().is_some() {
            // What they showed before does not hold any more.
            note.shown = Shown::ALL;
        }
    }

    /// Somebody on the roster has given a sign of life that shows nothing.
    pub(in crate::room) fn note_sign(&mut self, peer: &PeerId) {
        let is_away = self.people.get(peer).is_some_and(|person| person.away_until.is_some());
        if is_away || self.noted.get(peer).is_some_and(|note| note.ended.is_some()) {
            self.note_shown(peer, Shown::ALL);
        }
    }

    /// Somebody is on the roster no longer.
    pub(in crate::room) fn note_end(&mut self, peer: &PeerId, ended: Ended) {
        if self.people.contains_key(peer) || self.noted.contains_key(peer) {
            self.note(peer).ended = Some(ended);
        }
    }

    fn note(&mut self, peer: &PeerId) -> &mut Note {
        if self.noted.is_empty() {
            self.alarm.notify_one();
        }
        self.noted.entry(peer.clone()).or_default()
    }

    /// When the next tick is due: perhaps at once, in the past even.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        if !self.is_watched() {
            return None;
        }
        let interval = self
            .tick
            .max(PER_RECEIVER * self.receivers.try_into().unwrap_or(u32::MAX));
        let earliest = self.ticked.map_or(now, |ticked| ticked + interval);
        if !self.noted.is_empty() || self.shifted {
            return Some(earliest);
        }
        let gone = self.people.values().filter_map(|person| person.away_until).min();
        gone.map(|until| until.max(earliest))
    }

    /// Takes in what was noted, and gives up those who are not back in time. Returns whether there is anything to pull.
    pub(super) fn tick(&mut self, now: Instant, source: &Source<'_>) -> bool {
        if !self.is_watched() {
            return false;
        }
        self.ticked = Some(now);
        let next = self.revision + 1;
        let mut changed = std::mem::take(&mut self.shifted);
        let noted = std::mem::take(&mut self.noted).into_iter();
        let (here, gone): (Vec<_>, Vec<_>) = noted.partition(|(peer, _)| source.roster.is_here(peer));
        // Those who are gone make room for those who came.
        for (peer, note) in gone {
            changed |= match note.ended {
                Some(Ended::Lost(at)) => self.lose(&peer, at + self.return_within, next),
                _ => self.remove(&peer, next),
            };
        }
        for (peer, note) in here {
            changed |= self.follow(peer, note.shown, source, next);
        }
        let is_over = |person: &Person| person.away_until.is_some_and(|until| until <= now);
        let over = self.people.iter().filter(|(_, person)| is_over(person));
        for peer in over.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            changed |= self.remove(&peer, next);
        }
        if changed {
            self.revision = next;
        }
        changed
    }

    /// Brings one person up to what the roster has of them.
    fn follow(&mut self, peer: PeerId, shown: Shown, source: &Source<'_>, next: u64) -> bool {
        let Some(known) = self.people.get_mut(&peer) else {
            return self.list(peer, source, next);
        };
        if known.follow(&peer, shown, source, next) {
            return known.is_of(next);
        }
        // Nobody any more, or somebody else.
        self.remove(&peer, next);
        self.list(peer, source, next);
        true
    }

    fn list(&mut self, peer: PeerId, source: &Source<'_>, next: u64) -> bool {
        let Some(person) = Person::read(&peer, source, next) else {
            return false;
        };
        if self.people.len() >= self.most {
            // The roster has given somebody's place away who may still be back.
            let away = self
                .people
                .iter()
                .filter_map(|(peer, person)| Some((person.away_until?, peer)));
            let Some(first) = away.min().map(|(_, peer)| peer.clone()) else {
                return false;
            };
            self.remove(&first, next);
        }
        self.people.insert(peer, person);
        true
    }

    fn lose(&mut self, peer: &PeerId, until: Instant, next: u64) -> bool {
        let Some(person) = self.people.get_mut(peer) else {
            return false;
        };
        person.lose(until, next);
        // They are off the list even if they showed nothing.
        true
    }

    fn remove(&mut self, peer: &PeerId, next: u64) -> bool {
        let Some(person) = self.people.remove(peer) else {
            return false;
        };
        self.removed = next;
        self.departed.push_back(Departed {
            user: person.who.id,
            device: person.device,
            came: person.came,
            at: next,
        });
        while self.departed.len() > self.most {
            self.remembers = self.departed.pop_front().map_or(next, |oldest| oldest.at);
        }
        true
    }
}

#[cfg(test)]
impl Board {
    /// How many people are held, and how many who left.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.people.len(), self.departed.len())
    }

    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Of how many people anything is held for a window.
    pub(super) fn inside(&self, window: u64) -> usize {
        self.windows[&window].held()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.held() == (0, 0) && self.noted.is_empty() && self.windows.is_empty()
    }
}
