//! One person on the board: what they show, and with which revision each part of it changed.

use std::ops::BitOrAssign;
use std::time::Instant;

use super::Source;
use crate::id::PeerId;
use crate::wire::cbor::Raw;
use crate::wire::live::presence::{CURSOR, Cursor, Door, Id, SELECTION, Selection, TYPING, Typing, USER, Who};

/// Channels, as a set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Shown(u8);

impl Shown {
    const WHO: u8 = 1;
    const CURSOR: u8 = 2;
    const SELECTION: u8 = 4;
    const TYPING: u8 = 8;
    pub const ALL: Self = Self(15);

    /// Channels that the live door does not know of are nothing.
    pub fn of_channel(name: &str) -> Self {
        Self(match name {
            USER => Self::WHO,
            CURSOR => Self::CURSOR,
            SELECTION => Self::SELECTION,
            TYPING => Self::TYPING,
            _ => 0,
        })
    }

    fn has(self, channel: u8) -> bool {
        self.0 & channel != 0
    }
}

impl BitOrAssign for Shown {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A value and the revision it is of.
#[derive(Debug, PartialEq)]
pub(super) struct Dated<T> {
    pub value: Option<T>,
    pub at: u64,
}

impl<T: PartialEq> Dated<T> {
    fn set(&mut self, value: Option<T>, next: u64) {
        if self.value != value {
            *self = Self { value, at: next };
        }
    }
}

#[derive(Debug)]
pub(super) struct Person {
    pub who: Who,
    pub device: Id,
    pub door: Door,
    pub came: u64,
    /// When they were back after a broken connection, when they changed their name or colour: revisions, 0 for never.
    pub back: u64,
    pub renamed: u64,
    /// The revision that took them off the list without a word.
    pub lost: u64,
    /// They are off the list. Until then they may be back.
    pub away_until: Option<Instant>,
    pub cursor: Dated<Cursor>,
    pub selection: Dated<Selection>,
    pub typing: Dated<Typing>,
}

fn read<T>(peer: &PeerId, source: &Source<'_>, channel: &str, from: impl Fn(Raw<'_>) -> Option<T>) -> Option<T> {
    from(Raw::parse(source.roster.channel(peer, channel)?).ok()?)
}

impl Person {
    /// Somebody on the roster, if they show who they are.
    pub fn read(peer: &PeerId, source: &Source<'_>, at: u64) -> Option<Self> {
        let who = read(peer, source, USER, Who::from_channel)?;
        let (device, door) = match (peer.is_live(), peer.is_agent()) {
            (true, _) => (source.lives.device_of(peer)?.clone(), Door::Live),
            (_, true) => (Id::of_peer(peer), Door::Rest),
            _ => (Id::of_peer(peer), Door::Sync),
        };
        let mut person = Self {
            who,
            device,
            door,
            came: at,
            back: 0,
            renamed: 0,
            lost: 0,
            away_until: None,
            cursor: Dated { value: None, at },
            selection: Dated { value: None, at },
            typing: Dated { value: None, at },
        };
        person.follow_places(peer, Shown::ALL, source, at);
        Some(person)
    }

    /// Takes in what they show now. Returns false if they are no longer who they were.
    pub fn follow(&mut self, peer: &PeerId, mut shown: Shown, source: &Source<'_>, next: u64) -> bool {
        if self.away_until.take().is_some() {
            self.back = next;
            shown = Shown::ALL;
        }
        if shown.has(Shown::WHO) {
            match read(peer, source, USER, Who::from_channel) {
                Some(who) if who.id == self.who.id => {
                    if who != self.who {
                        (self.who, self.renamed) = (who, next);
                    }
                }
                _ => return false,
            }
        }
        self.follow_places(peer, shown, source, next);
        true
    }

    fn follow_places(&mut self, peer: &PeerId, shown: Shown, source: &Source<'_>, next: u64) {
        if shown.has(Shown::CURSOR) {
            self.cursor.set(read(peer, source, CURSOR, Cursor::from_channel), next);
        }
        if shown.has(Shown::SELECTION) {
            self.selection
                .set(read(peer, source, SELECTION, Selection::from_channel), next);
        }
        if shown.has(Shown::TYPING) {
            self.typing.set(read(peer, source, TYPING, Typing::from_channel), next);
        }
    }

    /// They are gone without a word: nothing of what they did is shown any more.
    pub fn lose(&mut self, until: Instant, next: u64) {
        (self.away_until, self.lost) = (Some(until), next);
        self.cursor.set(None, next);
        self.selection.set(None, next);
        self.typing.set(None, next);
    }

    pub fn moved_after(&self, revision: u64) -> bool {
        self.cursor.at.max(self.selection.at).max(self.typing.at) > revision
    }

    /// Whether anything about them is of this revision.
    pub fn is_of(&self, revision: u64) -> bool {
        let dates = [
            self.came,
            self.back,
            self.renamed,
            self.cursor.at,
            self.selection.at,
            self.typing.at,
        ];
        dates.contains(&revision)
    }
}
