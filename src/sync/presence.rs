//! Who is in a room, and what they show: one [`Roster`] per room, filled from the ephemerals that pass through it.
//!
//! The clients keep such a list themselves, but learn of a closed tab only after 45 s and of those already present only
//! when these speak again. The server knows both at once, and says so in their own language: a goodbye for whoever
//! disconnects, a snapshot of everybody for whoever comes.
//!
//! - Only what passed [`super::bindings::Bindings::may_speak`] is heard here: an echo refreshes nobody.
//! - A message is heard once: per sender and session the highest count is remembered.
//! - The people, the channels and bytes of each state, and the sessions are bounded. Who does not fit in is relayed but
//!   neither listed nor told to newcomers.
//! - Somebody the server has declared gone is remembered for a while: if a heartbeat or an update shows that they are
//!   back, the others are told their whole state again, because the client will not repeat it.

mod person;
mod state;
#[cfg(test)]
mod stories;

use crate::id::{ConnectionId, PeerId};
use crate::wire::payload::{self, Payload, Presence};
use crate::wire::repo::Ephemeral;
use bytes::Bytes;
use person::Entry;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest channel name that messages are conflated by, in bytes.
const MAX_CHANNEL_BYTES: usize = 256;

/// The JSON values made of one person's state, and of a whole roster.
const VALUES_PER_PERSON: usize = 1024;
const VALUES_PER_ROSTER: usize = 65_536;

/// How much is remembered of a room's people, and for how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// People per room, those gone not long ago included.
    pub people: usize,
    /// Names and values of one person's channels together, in bytes.
    pub state_bytes: usize,
    pub channels: usize,
    /// Sessions remembered per person.
    pub sessions: usize,
    /// When somebody not heard of is taken for gone. Clients send a heartbeat every 15 s.
    pub ttl: Duration,
    /// Whoever reports less often gets three times their own interval, but not more than this.
    pub longest_ttl: Duration,
    /// How long those who are gone are remembered.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            people: 512,
            state_bytes: 16 * 1024,
            channels: 64,
            sessions: 4,
            ttl: Duration::from_secs(45),
            longest_ttl: Duration::from_secs(600),
            linger: Duration::from_secs(120),
        }
    }
}

/// What a waiting message is replaced by: see [`Key::supersedes`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Update(Arc<str>),
    Snapshot,
    Heartbeat,
    Goodbye,
}

impl Key {
    fn of(payload: &Payload<'_>) -> Option<Self> {
        match payload {
            Payload::Presence(Presence::Update { channel, .. }) if channel.len() > MAX_CHANNEL_BYTES => None,
            Payload::Presence(Presence::Update { channel, .. }) => Some(Self::Update((*channel).into())),
            Payload::Presence(Presence::Snapshot { .. }) => Some(Self::Snapshot),
            Payload::Presence(Presence::Heartbeat) => Some(Self::Heartbeat),
            Payload::Presence(Presence::Goodbye) => Some(Self::Goodbye),
            // An array of two may be anything; only its author knows whether it can be left out.
            Payload::Awareness { .. } | Payload::Opaque => None,
        }
    }

    /// Whether a message with this key makes an older one of the same sender and document pointless. A goodbye is only
    /// superseded by a goodbye: what comes after it starts from nothing.
    pub fn supersedes(&self, older: &Key) -> bool {
        match (self, older) {
            (Self::Goodbye, _) => true,
            (_, Self::Goodbye) => false,
            (Self::Snapshot, _) => true,
            (Self::Update(newer), Self::Update(older)) => newer == older,
            (newer, older) => newer == older,
        }
    }
}

/// What becomes of an ephemeral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It goes to everybody in the room but its author and the connection that carried it.
    Relay {
        key: Option<Key>,
        /// A snapshot of the sender to be sent to the same people before it, in the server's own session.
        restored: Option<Bytes>,
    },
    /// It was heard before.
    Stale,
}

/// One person, as `GET /v1/rooms/{id}/presence` shows them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub peer_id: String,
    /// `presence`, `awareness`, or `other` for messages that only the application understands.
    pub kind: &'static str,
    /// Of the older awareness messages, which name a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Value>,
    pub state: Value,
    /// How long ago they came.
    pub present_ms: u64,
    /// How long ago anything was heard of them.
    pub seen_ms: u64,
    /// How long ago anything but a heartbeat was heard of them.
    pub idle_ms: u64,
}

/// The people of one room.
#[derive(Debug, Default)]
pub struct Roster {
    limits: Limits,
    people: HashMap<PeerId, Entry>,
}

impl Roster {
    pub fn new(limits: Limits) -> Self {
        let people = HashMap::new();
        Self { limits, people }
    }

    /// Takes in an ephemeral whose sender may speak over this connection.
    pub fn hear(&mut self, now: Instant, ephemeral: &Ephemeral, via: ConnectionId) -> Heard {
        let payload = Payload::decode(&ephemeral.data);
        let key = Key::of(&payload);
        self.make_room_for(&ephemeral.sender);
        let has_room = self.people.len() < self.limits.people;
        let entry = match self.people.get_mut(&ephemeral.sender) {
            Some(entry) => entry,
            None if has_room => self
                .people
                .entry(ephemeral.sender.clone())
                .or_insert(Entry::new(now, via)),
            None => return Heard::Relay { key, restored: None },
        };
        if !entry.count(&ephemeral.session, ephemeral.count, self.limits.sessions) {
            return Heard::Stale;
        }
        let restored = entry.hear(now, &payload, via, &self.limits);
        Heard::Relay { key, restored }
    }

    /// Whether somebody can be listed: is already, or would be.
    pub fn has_room_for(&mut self, sender: &PeerId) -> bool {
        self.make_room_for(sender);
        self.people.len() < self.limits.people || self.people.contains_key(sender)
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Forgets the one that has been gone longest if a newcomer finds the roster full.
    fn make_room_for(&mut self, sender: &PeerId) {
        if self.people.len() < self.limits.people || self.people.contains_key(sender) {
            return;
        }
        let gone = self
            .people
            .iter()
            .filter_map(|(peer, entry)| Some((entry.gone_since()?, peer)));
        if let Some((_, peer)) = gone.min() {
            let peer = peer.clone();
            self.people.remove(&peer);
        }
    }

    /// A connection has closed. Returns those who left with it and whose goodbye the server has to say.
    pub fn disconnected(&mut self, now: Instant, via: ConnectionId) -> Vec<PeerId> {
        self.lose(now, |entry| entry.via == via)
    }

    /// A peer has joined again before its old connection was closed: all that it carried stay where they are.
    pub fn moved(&mut self, from: ConnectionId, to: ConnectionId) {
        for entry in self.people.values_mut().filter(|entry| entry.via == from) {
            entry.via = to;
        }
    }

    /// Forgets those who have been silent for too long. Returns those whose goodbye the server has to say.
    pub fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        let Limits { linger, .. } = self.limits;
        self.people
            .retain(|_, entry| entry.gone_since().is_none_or(|at| now.duration_since(at) < linger));
        let limits = self.limits.clone();
        self.lose(now, |entry| entry.is_silent(now, &limits))
    }

    fn lose(&mut self, now: Instant, lost: impl Fn(&Entry) -> bool) -> Vec<PeerId> {
        let mut goodbyes = Vec::new();
        for (peer, entry) in &mut self.people {
            if entry.is_here() && lost(entry) {
                entry.lose(now);
                if entry.takes_goodbye() {
                    goodbyes.push(peer.clone());
                }
            }
        }
        goodbyes.sort();
        goodbyes
    }

    /// What a newcomer on this connection should be told of the others: a snapshot payload for each. Those who only
    /// send awareness or messages of the application's own are not among them.
    pub fn snapshots(&self, newcomer: ConnectionId) -> Vec<(PeerId, Bytes)> {
        let others = self.here().filter(|(_, entry)| entry.via != newcomer);
        let mut snapshots: Vec<_> = others
            .filter_map(|(peer, entry)| Some((peer.clone(), entry.snapshot()?)))
            .collect();
        snapshots.sort();
        snapshots
    }

    /// Everybody present, by peer id.
    pub fn people(&self, now: Instant) -> Vec<Person> {
        let mut here: Vec<_> = self.here().collect();
        here.sort_by_key(|(peer, _)| *peer);
        let mut left = VALUES_PER_ROSTER;
        let view = |(peer, entry): (&PeerId, &Entry)| {
            let mut for_this_one = left.min(VALUES_PER_PERSON);
            let before = for_this_one;
            let person = entry.view(now, peer, &mut for_this_one);
            left -= before - for_this_one;
            person
        };
        here.into_iter().map(view).collect()
    }

    /// Those who are present.
    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.here().map(|(peer, _)| peer)
    }

    /// Whether somebody is listed among those present.
    pub fn is_here(&self, peer: &PeerId) -> bool {
        self.people.get(peer).is_some_and(Entry::is_here)
    }

    /// What somebody shows in one channel of a `Presence`: one CBOR item.
    pub fn channel(&self, peer: &PeerId, name: &str) -> Option<&[u8]> {
        self.people.get(peer)?.channel(name)
    }

    fn here(&self) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.people.iter().filter(|(_, entry)| entry.is_here())
    }

    /// Whether nobody is remembered, so that the roster need not be kept.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }
}

/// Messages the server sends in the name of these peers, in a session of its own so that their own counts are left
/// alone. The session must be new for each burst; the counts begin at 1.
pub fn in_their_name(
    document: &str,
    session: &str,
    payloads: impl IntoIterator<Item = (PeerId, Bytes)>,
) -> Vec<Ephemeral> {
    let numbered = (1..).zip(payloads);
    let spoken = numbered.map(|(count, (sender, data))| Ephemeral {
        sender,
        target: None,
        document: document.to_owned(),
        count,
        session: session.to_owned(),
        data,
    });
    spoken.collect()
}

/// The goodbyes of peers that left without one.
pub fn goodbyes(document: &str, session: &str, peers: Vec<PeerId>) -> Vec<Ephemeral> {
    let goodbye = payload::goodbye();
    in_their_name(document, session, peers.into_iter().map(|peer| (peer, goodbye.clone())))
}
