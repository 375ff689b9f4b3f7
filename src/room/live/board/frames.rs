//! From the board to frames: what is newer than a receiver has seen, made once for all who have seen the same.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;

use super::window::{self, Filter, Sight, Window};
use super::{Board, Person};
use crate::id::PeerId;
use crate::wire::live::presence::{CursorOf, Message, SelectionOf, TypingOf, User};

/// JSON text frames, in the order in which they are to be sent.
pub type Frames = Arc<[Utf8Bytes]>;

/// Where more than this came, left or changed their name, everybody is told anew: it is shorter.
const MOST_EVENTS: usize = 64;

/// The ranges of one revision that frames are kept for.
const MOST_RANGES: usize = 8;

/// The windows followed beside those that receivers may have open: they change theirs as they scroll.
const SPARE_WINDOWS: usize = 16;

/// What a receiver was told: through which window, up to which revision. A receiver that begins with a fresh one, or looks
/// through another window, is told of everybody.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    window: Option<u64>,
    revision: u64,
}

/// Frames of the newest revision, by where they begin.
#[derive(Debug, Default)]
pub(super) struct Cache {
    revision: u64,
    made: Vec<(Option<u64>, Frames)>,
    /// The list of everybody, and its revision.
    users: Option<(u64, Arc<str>)>,
}

impl Cache {
    fn get(&self, from: Option<u64>, revision: u64) -> Option<Frames> {
        let made = self
            .made
            .iter()
            .find(|(begin, _)| self.revision == revision && *begin == from);
        made.map(|(_, frames)| frames.clone())
    }

    fn put(&mut self, from: Option<u64>, revision: u64, frames: Frames) {
        if self.revision != revision {
            self.made.clear();
            self.revision = revision;
        }
        if self.made.len() >= MOST_RANGES {
            self.made.remove(0);
        }
        self.made.push((from, frames));
    }
}

impl Board {
    /// What a receiver is not told yet, and marks it as told. Those who see all rows give no window. After a pull through a
    /// window of a new generation a tick may be due that was not before.
    pub fn pull(&mut self, window: Option<&Window>, told: &mut Told) -> Frames {
        let id = window.map(|window| window.id);
        let known = (told.window == id).then_some(told.revision);
        let revision = self.revision;
        *told = Told { window: id, revision };
        let since = window.map_or(0, |window| self.look_through(window)).max(self.remembers);
        let from = known.filter(|known| (since..=revision).contains(known));
        if from == Some(revision) {
            return Frames::default();
        }
        let filter = id.and_then(|id| self.windows.get(&id));
        let cache = filter.map_or(&self.whole, |filter| &filter.cache);
        if let Some(frames) = cache.get(from, revision) {
            return frames;
        }
        let frames = self.frames(Sight(filter), from);
        let cache = match id.and_then(|id| self.windows.get_mut(&id)) {
            Some(filter) => &mut filter.cache,
            None => &mut self.whole,
        };
        cache.put(from, revision, frames.clone());
        frames
    }

    /// Everybody who is here, as a JSON list. A receiver that begins with it pulls what comes after.
    pub fn users(&mut self, window: Option<&Window>, told: &mut Told) -> Arc<str> {
        let (id, revision) = (window.map(|window| window.id), self.revision);
        if let Some(window) = window {
            self.look_through(window);
        }
        *told = Told { window: id, revision };
        let filter = id.and_then(|id| self.windows.get(&id));
        let cache = filter.map_or(&self.whole, |filter| &filter.cache);
        if let Some((_, users)) = cache.users.as_ref().filter(|(made, _)| *made == revision) {
            return users.clone();
        }
        let here = self.people.iter().filter(|(_, person)| person.away_until.is_none());
        let users: Vec<_> = here.map(|(peer, person)| user(Sight(filter), peer, person)).collect();
        let users: Arc<str> = serde_json::to_string(&users)
            .expect("no map in it has keys other than text")
            .into();
        let cache = match id.and_then(|id| self.windows.get_mut(&id)) {
            Some(filter) => &mut filter.cache,
            None => &mut self.whole,
        };
        cache.users = Some((revision, users.clone()));
        users
    }

    /// Nobody looks through this window any more.
    pub fn forget_window(&mut self, id: u64) {
        self.windows.remove(&id);
    }

    /// Brings the filter of a window up to date. Returns the revision it was made with.
    fn look_through(&mut self, window: &Window) -> u64 {
        self.pulls += 1;
        let filter = self
            .windows
            .entry(window.id)
            .or_insert_with(|| Filter::new(window, self.revision));
        filter.used = self.pulls;
        let has_shifted = filter.follow(window, &self.people, self.revision, self.removed);
        let since = filter.since;
        if has_shifted && !std::mem::replace(&mut self.shifted, true) {
            self.alarm.notify_one();
        }
        if self.windows.len() > self.receivers + SPARE_WINDOWS {
            // Each receiver has one open at most: the one pulled longest ago is nobody's, or its receiver is far behind.
            let oldest = self
                .windows
                .iter()
                .min_by_key(|(_, filter)| filter.used)
                .map(|(id, _)| *id);
            oldest.map(|id| self.windows.remove(&id));
        }
        since
    }

    fn frames(&self, sight: Sight<'_>, from: Option<u64>) -> Frames {
        let news = from.map(|from| self.news(sight, from));
        let messages = news.filter(|(events, _)| events.len() <= MOST_EVENTS);
        let messages = messages.map_or_else(
            || vec![self.everybody(sight)],
            |(events, places)| events.into_iter().map(|(_, event)| event).chain(places).collect(),
        );
        messages.iter().map(frame).collect()
    }

    fn everybody(&self, sight: Sight<'_>) -> Message<'_> {
        let here = self.people.iter().filter(|(_, person)| person.away_until.is_none());
        Message::TableUsers {
            table_id: self.table.as_str(),
            users: here.map(|(peer, person)| user(sight, peer, person)).collect(),
        }
    }

    /// Who came, left or changed their name after a revision, in that order; and where those are that were there before.
    fn news(&self, sight: Sight<'_>, from: u64) -> (Vec<(u64, Message<'_>)>, Vec<Message<'_>>) {
        let table_id = self.table.as_str();
        let known = |came: u64| came <= from;
        let left = self.departed.iter().filter(|gone| gone.at > from && known(gone.came));
        let mut events: Vec<_> = left
            .map(|gone| {
                let (user_id, device_id) = (gone.user.as_str(), gone.device.as_str());
                (
                    gone.at,
                    Message::UserLeft {
                        table_id,
                        user_id,
                        device_id,
                    },
                )
            })
            .collect();
        let (mut cursors, mut selections, mut typing) = (Vec::new(), Vec::new(), Vec::new());
        for (peer, person) in &self.people {
            let user = || user(sight, peer, person);
            match person.away_until {
                // Never listed for this receiver, or shown as gone already.
                Some(_) if !known(person.came) || known(person.lost) => continue,
                Some(_) => {}
                None if !known(person.came) => {
                    events.push((person.came, Message::UserJoined { table_id, user: user() }));
                    continue;
                }
                None if person.back > from => {
                    events.push((person.back, Message::UserReconnected { table_id, user: user() }));
                    continue;
                }
                None if person.renamed > from => {
                    events.push((person.renamed, Message::UserChanged { table_id, user: user() }));
                    continue;
                }
                None => {}
            }
            let (user_id, device_id) = (person.who.id.as_str(), person.device.as_str());
            let (cursor, at) = sight.of(peer, window::CURSOR, &person.cursor);
            cursors.extend((at > from).then_some(CursorOf {
                user_id,
                device_id,
                cursor,
            }));
            let (selection, at) = sight.of(peer, window::SELECTION, &person.selection);
            selections.extend((at > from).then_some(SelectionOf {
                user_id,
                device_id,
                selection,
            }));
            let (cell, at) = sight.of(peer, window::TYPING, &person.typing);
            typing.extend((at > from).then_some(TypingOf {
                user_id,
                device_id,
                cell,
            }));
        }
        events.sort_by_key(|(at, _)| *at);
        let mut places = Vec::new();
        if !cursors.is_empty() {
            places.push(Message::CursorPosition { table_id, cursors });
        }
        if !selections.is_empty() {
            places.push(Message::Selection { table_id, selections });
        }
        if !typing.is_empty() {
            places.push(Message::Typing { table_id, typing });
        }
        (events, places)
    }
}

fn user<'b>(sight: Sight<'_>, peer: &PeerId, person: &'b Person) -> User<'b> {
    User {
        user_id: person.who.id.as_str(),
        user_name: &person.who.name,
        avatar_url: person.who.avatar_url.as_deref(),
        color: person.who.color,
        device_id: person.device.as_str(),
        door: person.door,
        cursor: sight.of(peer, window::CURSOR, &person.cursor).0,
        selection: sight.of(peer, window::SELECTION, &person.selection).0,
        typing: sight.of(peer, window::TYPING, &person.typing).0,
    }
}

fn frame(message: &Message<'_>) -> Utf8Bytes {
    serde_json::to_string(message)
        .expect("no map in it has keys other than text")
        .into()
}
