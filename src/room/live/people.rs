//! The people at the live door: they are on the roster, and the server speaks for them at the sync door.
//!
//! An unmodified client sees them as it sees any other: a snapshot when they come, an update of a channel when they move, a
//! heartbeat when they do not, a goodbye when they go. What they see of the others is on the [`Board`](super::Board).
//!
//! - One device of a user is one peer. A newer connection of the same device takes the place of the older one, whose end
//!   then changes nothing.
//! - Somebody is known here exactly as long as a connection of theirs has the document open. When they were silent for so
//!   long that the roster gave them up, the next sign of life shows all of them again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::board::{Frames, Source, Told, Window};
use crate::id::{ConnectionId, PeerId};
use crate::room::audience::{Audience, Listens};
use crate::room::inbox::Mark;
use crate::room::voice::{NULL, Voice};
use crate::wire::live::presence::{CURSOR, Cursor, Id, SELECTION, Selection, TYPING, Typing, USER, Who};
use crate::wire::payload;

/// Signs of life are not passed on more often than this: clients give each other up after 45 s.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Somebody at the live door, as they said who they are.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveUser {
    pub who: Who,
    pub device: Id,
}

impl LiveUser {
    /// The id under which this device of theirs is present.
    pub fn peer(&self) -> PeerId {
        PeerId::of_live(self.who.id.as_str(), self.device.as_str())
    }
}

/// What somebody shows of what they do.
#[derive(Debug, Clone, PartialEq)]
pub enum Showing {
    Cursor(Option<Cursor>),
    Selection(Option<Selection>),
    Typing(Option<Typing>),
}

/// How somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// They said so: a close frame with 1000 or without a code, or an end of the subscription.
    Left,
    /// Any other end. They may be back within `room.audience.return_within`.
    Lost,
}

/// The people at the live door of one room.
#[derive(Debug, Default)]
pub struct Lives(HashMap<PeerId, Live>);

#[derive(Debug)]
struct Live {
    device: Id,
    /// The newest connection.
    connection: ConnectionId,
    voice: Voice,
    /// When the server spoke for them last.
    spoke: Instant,
    /// Their channels, as CBOR.
    user: Vec<u8>,
    cursor: Vec<u8>,
    selection: Vec<u8>,
    typing: Vec<u8>,
}

impl Lives {
    /// What somebody calls their device.
    pub(super) fn device_of(&self, peer: &PeerId) -> Option<&Id> {
        self.0.get(peer).map(|live| &live.device)
    }
}

impl Live {
    fn snapshot(&self) -> Bytes {
        let channels = [
            (USER, &self.user),
            (CURSOR, &self.cursor),
            (SELECTION, &self.selection),
            (TYPING, &self.typing),
        ];
        payload::snapshot(channels.into_iter().map(|(name, value)| (name, value.as_slice())))
    }

    /// Sets a channel. Returns whether it showed something else before.
    fn set(&mut self, channel: &str, value: &[u8]) -> bool {
        let shown = match channel {
            USER => &mut self.user,
            CURSOR => &mut self.cursor,
            SELECTION => &mut self.selection,
            _ => &mut self.typing,
        };
        let is_news = shown != value;
        if is_news {
            value.clone_into(shown);
        }
        is_news
    }
}

impl Showing {
    fn to_channel(&self) -> (&'static str, Vec<u8>) {
        let null = || NULL.to_vec();
        match self {
            Self::Cursor(cursor) => (CURSOR, cursor.as_ref().map_or_else(null, Cursor::to_channel)),
            Self::Selection(selection) => (SELECTION, selection.as_ref().map_or_else(null, Selection::to_channel)),
            Self::Typing(typing) => (TYPING, typing.as_ref().map_or_else(null, Typing::to_channel)),
        }
    }
}

impl Audience {
    /// Somebody at the live door has opened the document: everybody is told of them, and their connection is marked whenever
    /// there is something to pull. Called again for a connection that is here, it says under which name it goes now.
    pub fn enter_live(&mut self, now: Instant, user: &LiveUser, mark: Arc<Mark>) {
        let (peer, connection) = (user.peer(), mark.inbox().connection());
        let is_here = self
            .present
            .get(&connection)
            .is_some_and(|present| present.peer == peer);
        self.admit(peer.clone(), mark, Listens::ToBoard);
        if is_here {
            return self.rename_live(now, connection, user);
        }
        let live = Live {
            device: user.device.clone(),
            connection,
            voice: Voice::new(&self.sessions),
            spoke: now,
            user: user.who.to_channel(),
            cursor: NULL.to_vec(),
            selection: NULL.to_vec(),
            typing: NULL.to_vec(),
        };
        self.lives.0.insert(peer.clone(), live);
        self.say_all(now, &peer);
        self.count_receivers();
    }

    /// Somebody goes by another name.
    pub fn rename_live(&mut self, now: Instant, connection: ConnectionId, user: &LiveUser) {
        self.say_channel(now, connection, USER, &user.who.to_channel());
    }

    /// Somebody moves, selects or types. Over a connection that has not opened the document, or has been replaced, nobody
    /// says anything.
    pub fn show_live(&mut self, now: Instant, connection: ConnectionId, showing: &Showing) {
        let (channel, value) = showing.to_channel();
        self.say_channel(now, connection, channel, &value);
    }

    /// A sign of life. It is passed on once in a while, so it may be given with each message of a client.
    pub fn heartbeat_live(&mut self, now: Instant, connection: ConnectionId) {
        let Some((peer, live)) = self.live_over(connection) else {
            return;
        };
        let seldom = HEARTBEAT.min(self.roster.limits().ttl / 4);
        if now.duration_since(live.spoke) >= seldom || !self.roster.is_here(&peer) {
            self.say(now, &peer, payload::heartbeat());
        }
    }

    /// Somebody at the live door has closed the document, or their connection has ended.
    pub fn leave_live(&mut self, now: Instant, connection: ConnectionId, how: Leaving) {
        if let (Leaving::Left, Some((peer, _))) = (how, self.live_over(connection))
            && self.roster.is_here(&peer)
        {
            self.say(now, &peer, payload::goodbye());
        }
        self.leave(connection, now);
    }

    /// A connection that listened to the board is no longer present.
    pub(in crate::room) fn forget_live(&mut self, peer: &PeerId, connection: ConnectionId) {
        if self.lives.0.get(peer).is_some_and(|live| live.connection == connection) {
            self.lives.0.remove(peer);
        }
        self.count_receivers();
    }

    /// When [`Audience::tick`] is due: perhaps at once, in the past even.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.board.due(now)
    }

    /// Whether anybody at the live door has the document open.
    pub fn is_watched(&self) -> bool {
        self.board.is_watched()
    }

    /// The user that somebody shows, while anybody at the live door listens.
    pub fn user_of(&self, peer: &PeerId) -> Option<&str> {
        self.board.user_of(peer)
    }

    /// Rings when a tick may be due earlier than was said before.
    pub fn presence_alarm(&self) -> Arc<Notify> {
        self.board.alarm()
    }

    /// Closes what was said since the last tick into one revision, and marks those at the live door if there is anything to
    /// pull. Returns whether there is.
    pub fn tick(&mut self, now: Instant) -> bool {
        let source = Source {
            roster: &self.roster,
            lives: &self.lives,
        };
        let has_news = self.board.tick(now, &source);
        if has_news {
            let receivers = self
                .present
                .values()
                .filter(|present| present.listens == Listens::ToBoard);
            receivers.for_each(|present| present.mark.set());
        }
        has_news
    }

    /// What a receiver is not told yet of the people here: see [`Board::pull`](super::Board::pull).
    pub fn pull(&mut self, window: Option<&Window>, told: &mut Told) -> Frames {
        self.board.pull(window, told)
    }

    /// Everybody who is here, as a JSON list: what a receiver that begins is told.
    pub fn users(&mut self, window: Option<&Window>, told: &mut Told) -> Arc<str> {
        self.board.users(window, told)
    }

    /// Nobody looks through this window any more.
    pub fn forget_window(&mut self, id: u64) {
        self.board.forget_window(id);
    }

    fn count_receivers(&mut self) {
        let receivers = self
            .present
            .values()
            .filter(|present| present.listens == Listens::ToBoard)
            .count();
        let source = Source {
            roster: &self.roster,
            lives: &self.lives,
        };
        self.board.watched_by(receivers, &source);
        if receivers == 0 {
            // Who waits for the next tick need not wait any more.
            self.board.alarm().notify_one();
        }
    }

    fn live_over(&self, connection: ConnectionId) -> Option<(PeerId, &Live)> {
        let present = self.present.get(&connection)?;
        let live = self.lives.0.get(&present.peer)?;
        (live.connection == connection).then(|| (present.peer.clone(), live))
    }

    fn say_channel(&mut self, now: Instant, connection: ConnectionId, channel: &str, value: &[u8]) {
        let Some((peer, _)) = self.live_over(connection) else {
            return;
        };
        let live = self.lives.0.get_mut(&peer).expect("it was found just now");
        match live.set(channel, value) {
            true => self.say(now, &peer, payload::update(channel, value)),
            false => self.heartbeat_live(now, connection),
        }
    }

    /// Says something in somebody's name; all of them, where the roster does not have them.
    fn say(&mut self, now: Instant, peer: &PeerId, data: Bytes) {
        match self.roster.is_here(peer) {
            true => self.speak_for_live(now, peer, data),
            false => self.say_all(now, peer),
        }
    }

    /// Shows all of somebody. Nothing is said of those whom the roster has no room for: nobody would say goodbye for them.
    fn say_all(&mut self, now: Instant, peer: &PeerId) {
        if let Some(live) = self.lives.0.get(peer)
            && self.roster.has_room_for(peer)
        {
            let snapshot = live.snapshot();
            self.speak_for_live(now, peer, snapshot);
        }
    }

    fn speak_for_live(&mut self, now: Instant, peer: &PeerId, data: Bytes) {
        if let Some(live) = self.lives.0.get_mut(peer) {
            live.spoke = now;
            let (connection, ephemeral) = (live.connection, live.voice.says(&self.document, peer, data));
            self.hear(now, ephemeral, connection);
        }
    }
}
