//! One person in one room: what they said last, and whether they are still there.

use super::state::{State, readable};
use super::{Limits, Person};
use crate::id::{ConnectionId, PeerId};
use crate::wire::payload::{Payload, Presence};
use bytes::Bytes;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A sender this room has heard, present or gone not long ago.
#[derive(Debug)]
pub(super) struct Entry {
    pub via: ConnectionId,
    /// When they came.
    since: Instant,
    /// When anything was heard of them.
    seen: Instant,
    /// When anything but a heartbeat was heard of them.
    active: Instant,
    /// How often they report when nothing happens, as far as it was observed.
    interval: Option<Duration>,
    shown: Shown,
    /// The highest count of the sessions heard last, the latest at the end.
    sessions: Vec<(Box<str>, u64)>,
    gone: Option<Gone>,
}

/// What kind of presence somebody shows.
#[derive(Debug)]
enum Shown {
    /// Ephemerals of the application's own making.
    Other,
    /// `[userId, state]`.
    Awareness { user: Box<[u8]>, state: Box<[u8]> },
    /// The `Presence` class, heartbeats only so far.
    Beating,
    /// The `Presence` class.
    Presence(State),
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    at: Instant,
    /// Not by a goodbye of their own. Their state is kept: a client that reconnects goes on with heartbeats and updates
    /// and does not repeat it, yet the others were told to forget it.
    silently: bool,
}

impl Entry {
    pub fn new(now: Instant, via: ConnectionId) -> Self {
        Self {
            via,
            since: now,
            seen: now,
            active: now,
            interval: None,
            shown: Shown::Other,
            sessions: Vec::new(),
            gone: None,
        }
    }

    pub fn is_here(&self) -> bool {
        self.gone.is_none()
    }

    pub fn gone_since(&self) -> Option<Instant> {
        self.gone.map(|gone| gone.at)
    }

    /// Whether the others' `Presence` knows of them, so that a goodbye is due. Applications that use their own messages
    /// might stumble over one.
    pub fn takes_goodbye(&self) -> bool {
        matches!(self.shown, Shown::Beating | Shown::Presence(_))
    }

    /// Remembers a count; false if this or a higher one of the session was heard before.
    pub fn count(&mut self, session: &str, count: u64, max_sessions: usize) -> bool {
        if let Some(place) = self.sessions.iter().position(|(known, _)| **known == *session) {
            if count <= self.sessions[place].1 {
                return false;
            }
            self.sessions[place].1 = count;
            self.sessions[place..].rotate_left(1);
            return true;
        }
        if self.sessions.len() >= max_sessions.max(1) {
            self.sessions.remove(0);
        }
        self.sessions.push((session.into(), count));
        true
    }

    /// Takes in a message. Returns the snapshot to be sent to the others before it, where the server had told them to
    /// forget this person and the message does not say everything.
    pub fn hear(&mut self, now: Instant, payload: &Payload<'_>, via: ConnectionId, limits: &Limits) -> Option<Bytes> {
        let gone = self.gone.take();
        let beat = matches!(payload, Payload::Presence(Presence::Heartbeat));
        if gone.is_none() && via == self.via && (beat || matches!(payload, Payload::Awareness { .. })) {
            self.interval = Some(now.duration_since(self.seen));
        }
        if gone.is_some_and(|gone| !gone.silently) {
            self.since = now;
        }
        (self.via, self.seen) = (via, now);
        if !beat {
            self.active = now;
        }
        let returned = gone.is_some_and(|gone| gone.silently);
        self.show(now, payload, returned, limits);
        match (payload, &self.shown) {
            (Payload::Presence(Presence::Heartbeat | Presence::Update { .. }), Shown::Presence(state)) if returned => {
                Some(state.snapshot())
            }
            _ => None,
        }
    }

    fn show(&mut self, now: Instant, payload: &Payload<'_>, returned: bool, limits: &Limits) {
        let Limits {
            channels, state_bytes, ..
        } = *limits;
        match payload {
            Payload::Opaque => {}
            Payload::Awareness { user, state } => {
                let fits = user.encoded().len() + state.encoded().len() <= state_bytes;
                if !self.takes_goodbye() && fits {
                    self.shown = Shown::Awareness {
                        user: user.encoded().into(),
                        state: state.encoded().into(),
                    };
                }
            }
            Payload::Presence(Presence::Heartbeat) => {
                if !self.takes_goodbye() {
                    self.shown = Shown::Beating;
                }
            }
            Payload::Presence(Presence::Goodbye) => {
                self.shown = Shown::Other;
                self.gone = Some(Gone {
                    at: now,
                    silently: false,
                });
            }
            Payload::Presence(Presence::Update { channel, value }) => {
                self.state().set(channel, *value, channels, state_bytes);
            }
            Payload::Presence(Presence::Snapshot { state }) => {
                // The others were told to forget the old state, and merge this one into nothing.
                if returned {
                    self.shown = Shown::Other;
                }
                for (channel, value) in state {
                    self.state().set(channel, *value, channels, state_bytes);
                }
                self.state();
            }
        }
    }

    fn state(&mut self) -> &mut State {
        if !matches!(self.shown, Shown::Presence(_)) {
            self.shown = Shown::Presence(State::default());
        }
        match &mut self.shown {
            Shown::Presence(state) => state,
            _ => unreachable!("it was just set"),
        }
    }

    /// Marks them as gone without a word of their own.
    pub fn lose(&mut self, now: Instant) {
        self.gone = Some(Gone {
            at: now,
            silently: true,
        });
    }

    pub fn is_silent(&self, now: Instant, limits: &Limits) -> bool {
        let thrice = self.interval.map_or(Duration::ZERO, |interval| interval * 3);
        now.duration_since(self.seen) >= thrice.min(limits.longest_ttl).max(limits.ttl)
    }

    /// What tells a newcomer of them.
    pub fn snapshot(&self) -> Option<Bytes> {
        match &self.shown {
            Shown::Presence(state) => Some(state.snapshot()),
            _ => None,
        }
    }

    pub fn channel(&self, name: &str) -> Option<&[u8]> {
        match &self.shown {
            Shown::Presence(state) => state.get(name),
            _ => None,
        }
    }

    /// How they look over HTTP. `left` values may be made of their state.
    pub fn view(&self, now: Instant, peer: &PeerId, left: &mut usize) -> Person {
        let (kind, user_id, state) = match &self.shown {
            Shown::Other => ("other", None, Value::Null),
            Shown::Awareness { user, state } => ("awareness", Some(readable(user, left)), readable(state, left)),
            Shown::Beating => ("presence", None, Value::Null),
            Shown::Presence(state) => ("presence", None, state.to_json(left)),
        };
        let since = |then| now.duration_since(then).as_millis() as u64;
        Person {
            peer_id: peer.as_str().to_owned(),
            kind,
            user_id,
            state,
            present_ms: since(self.since),
            seen_ms: since(self.seen),
            idle_ms: since(self.active),
        }
    }
}
