//! Who is in a room: the connections that have its document open, the people they speak for, and what storages have.
//!
//! Presence is pushed into the bounded lane of each connection of the sync door; documents are only marked and pulled, and so
//! is the presence that is shown at the live door ([`super::live`]). Everybody is on one roster. What the server says in somebody's name (a goodbye when a connection closes, a snapshot for a newcomer) goes out in a session of
//! its own, so that the counts of the real author are left alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::ChangeHash;

use super::agents::Agents;
use super::inbox::Mark;
use super::live::{Board, Ended, Lives, Shown};
use crate::id::{ConnectionId, DocumentId, PeerId, StorageId};
use crate::sync::bindings::OwnSessions;
use crate::sync::gossip::{self, Gossip, Subscriptions};
use crate::sync::presence::{self, Heard, Key, Person, Roster};
use crate::wire::repo::{Ephemeral, RemoteHeads};

/// The bounds of presence and gossip in one room.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudienceLimits {
    /// People remembered, those gone not long ago included.
    pub people: usize,
    /// Names and values of one person's channels together, in bytes.
    pub state_bytes: usize,
    /// When somebody not heard of is taken for gone. Clients send a heartbeat every 15 s.
    #[serde(with = "humantime_serde")]
    pub presence_ttl: Duration,
    /// Cursors and the like are told at the live door once in this time at most; more seldom where many listen.
    #[serde(with = "humantime_serde")]
    pub tick: Duration,
    /// Whoever is back within this time after a broken connection has not left.
    #[serde(with = "humantime_serde")]
    pub return_within: Duration,
    /// Storages whose heads are remembered.
    pub storages: usize,
}

impl Default for AudienceLimits {
    fn default() -> Self {
        let (presence, gossip) = (presence::Limits::default(), gossip::Limits::default());
        Self {
            people: presence.people,
            state_bytes: presence.state_bytes,
            presence_ttl: presence.ttl,
            tick: Duration::from_millis(50),
            return_within: Duration::from_secs(5),
            storages: gossip.storages,
        }
    }
}

/// A connection that has the document open.
pub(super) struct Present {
    pub peer: PeerId,
    pub mark: Arc<Mark>,
    pub listens: Listens,
}

/// How a connection learns of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listens {
    /// Ephemerals are pushed into its lane. `told_of_others` says whether it was told of them since it first spoke: before
    /// that its page may not have listened yet.
    ToEphemerals { told_of_others: bool },
    /// It pulls from the board.
    ToBoard,
}

/// What a storage is said to have, until everything that was here when it was said is durable.
enum Report {
    /// By the peer whose storage it is.
    Own(Vec<ChangeHash>),
    /// By somebody else.
    Told(RemoteHeads),
}

pub struct Audience {
    pub(super) document: DocumentId,
    pub(super) sessions: Arc<OwnSessions>,
    pub(super) present: HashMap<ConnectionId, Present>,
    /// The newest connection of each peer.
    pub(super) by_peer: HashMap<PeerId, ConnectionId>,
    pub(super) roster: Roster,
    /// The programs that are present over HTTP.
    pub(super) agents: Agents,
    /// The people at the live door.
    pub(super) lives: Lives,
    /// What is told at the live door.
    pub(super) board: Board,
    gossip: Gossip,
    /// Reports that wait for a position, the newest of each storage.
    reports: HashMap<StorageId, (u64, f64, Report)>,
    max_reports: usize,
    /// The connections that follow some storage.
    followers: HashSet<ConnectionId>,
}

impl Audience {
    pub fn new(document: DocumentId, limits: &AudienceLimits, sessions: Arc<OwnSessions>) -> Self {
        let presence = presence::Limits {
            people: limits.people,
            state_bytes: limits.state_bytes,
            ttl: limits.presence_ttl,
            ..presence::Limits::default()
        };
        let gossip = gossip::Limits {
            storages: limits.storages,
            ..gossip::Limits::default()
        };
        Self {
            lives: Lives::default(),
            board: Board::new(document.clone(), limits),
            document,
            sessions,
            present: HashMap::new(),
            by_peer: HashMap::new(),
            roster: Roster::new(presence),
            agents: Agents::default(),
            gossip: Gossip::new(&gossip),
            reports: HashMap::new(),
            max_reports: limits.storages,
            followers: HashSet::new(),
        }
    }

    /// Whether nobody is here, neither over a connection nor over HTTP.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty() && self.agents.is_empty()
    }

    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// A connection has opened the document. If it takes the place of an older one of the same peer, the people whom
    /// that one carried stay where they are.
    pub fn enter(&mut self, peer: PeerId, mark: Arc<Mark>) {
        let told_of_others = false;
        self.admit(peer, mark, Listens::ToEphemerals { told_of_others });
    }

    pub(super) fn admit(&mut self, peer: PeerId, mark: Arc<Mark>, listens: Listens) {
        let connection = mark.inbox().connection();
        if let Some(older) = self.by_peer.insert(peer.clone(), connection)
            && older != connection
        {
            self.roster.moved(older, connection);
        }
        self.present.insert(connection, Present { peer, mark, listens });
    }

    /// The peer that has the document open over a connection.
    pub fn peer_of(&self, connection: ConnectionId) -> Option<&PeerId> {
        self.present.get(&connection).map(|present| &present.peer)
    }

    pub fn has(&self, connection: ConnectionId) -> bool {
        self.present.contains_key(&connection)
    }

    /// A connection has left; the people who were heard over it have gone with it.
    pub fn leave(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(present) = self.present.remove(&connection) {
            if self.by_peer.get(&present.peer) == Some(&connection) {
                self.by_peer.remove(&present.peer);
            }
            if present.listens == Listens::ToBoard {
                self.forget_live(&present.peer, connection);
            }
        }
        self.followers.remove(&connection);
        let gone = self.roster.disconnected(now, connection);
        self.say_goodbye(gone, Ended::Lost(now));
    }

    /// Forgets those who were silent for too long.
    pub fn expire(&mut self, now: Instant) {
        let gone = self.roster.expire(now);
        gone.iter().for_each(|peer| self.agents.forget(peer));
        self.say_goodbye(gone, Ended::Left);
    }

    fn say_goodbye(&mut self, gone: Vec<PeerId>, ended: Ended) {
        if gone.is_empty() {
            return;
        }
        gone.iter().for_each(|peer| self.board.note_end(peer, ended));
        for goodbye in presence::goodbyes(self.document.as_str(), &self.sessions.next(), gone) {
            self.push(Arc::new(goodbye), Some(Key::Goodbye), None);
        }
    }

    /// Tells every connection of the sync door that there is something to look at. Those at the live door are told once what
    /// they are to be told is made.
    pub fn mark_all(&self) {
        for present in self
            .present
            .values()
            .filter(|present| present.listens != Listens::ToBoard)
        {
            present.mark.set();
        }
    }

    /// Takes an ephemeral whose sender may speak over this connection, and passes it on. Returns whether it was new.
    pub fn hear(&mut self, now: Instant, ephemeral: Ephemeral, via: ConnectionId) -> bool {
        let Heard::Relay { key, restored } = self.roster.hear(now, &ephemeral, via) else {
            return false;
        };
        self.note(&ephemeral.sender, key.as_ref(), restored.is_some());
        if let Some(state) = restored {
            let again = [(ephemeral.sender.clone(), state)];
            for snapshot in presence::in_their_name(self.document.as_str(), &self.sessions.next(), again) {
                self.push(Arc::new(snapshot), Some(Key::Snapshot), Some(via));
            }
        }
        self.push(Arc::new(ephemeral), key, Some(via));
        if let Some(Present {
            listens: Listens::ToEphemerals { told_of_others },
            ..
        }) = self.present.get_mut(&via)
            && !std::mem::replace(told_of_others, true)
        {
            self.tell_of_others(via);
        }
        true
    }

    /// Notes for the board that somebody has said something, if anybody looks at it.
    fn note(&mut self, sender: &PeerId, key: Option<&Key>, is_back: bool) {
        if !self.board.is_watched() {
            return;
        }
        match key {
            Some(Key::Goodbye) => self.board.note_end(sender, Ended::Left),
            // Who does not fit on the roster is heard, but not listed.
            _ if !self.roster.is_here(sender) => {}
            _ if is_back => self.board.note_shown(sender, Shown::ALL),
            Some(Key::Snapshot) => self.board.note_shown(sender, Shown::ALL),
            Some(Key::Update(channel)) => self.board.note_shown(sender, Shown::of_channel(channel)),
            Some(Key::Heartbeat) | None => self.board.note_sign(sender),
        }
    }

    /// Sends a newcomer the state of everybody else, which it would otherwise wait for.
    pub fn tell_of_others(&self, newcomer: ConnectionId) {
        let Some(present) = self.present.get(&newcomer) else {
            return;
        };
        let snapshots = self.roster.snapshots(newcomer);
        if snapshots.is_empty() {
            return;
        }
        let session = self.sessions.next();
        for snapshot in presence::in_their_name(self.document.as_str(), &session, snapshots) {
            present
                .mark
                .inbox()
                .lane(|lane| lane.push(present.mark.key(), Some(Key::Snapshot), Arc::new(snapshot)));
        }
    }

    /// Puts a message into the lane of everybody but its author and the connection it came over.
    pub(super) fn push(&self, ephemeral: Arc<Ephemeral>, key: Option<Key>, via: Option<ConnectionId>) {
        for (connection, present) in &self.present {
            let is_deaf = present.listens == Listens::ToBoard;
            if is_deaf || Some(*connection) == via || present.peer == ephemeral.sender {
                continue;
            }
            let (document, key, ephemeral) = (present.mark.key(), key.clone(), ephemeral.clone());
            present.mark.inbox().lane(|lane| lane.push(document, key, ephemeral));
        }
    }

    /// Everybody present.
    pub fn people(&self, now: Instant) -> Vec<Person> {
        self.roster.people(now)
    }

    /// Says whether a connection follows any storage.
    pub fn follow(&mut self, connection: ConnectionId, follows: bool) {
        match follows {
            true => self.followers.insert(connection),
            false => self.followers.remove(&connection),
        };
    }

    /// A peer has said which heads its own storage has. Passed on when `position` is durable.
    pub fn own_heads(&mut self, storage: &StorageId, heads: Vec<ChangeHash>, position: u64, now_ms: f64) {
        self.report(storage, (position, now_ms, Report::Own(heads)));
    }

    /// Somebody has passed on which heads a storage has. Passed on when `position` is durable.
    pub fn told_heads(&mut self, storage: &StorageId, report: RemoteHeads, position: u64, now_ms: f64) {
        self.report(storage, (position, now_ms, Report::Told(report)));
    }

    fn report(&mut self, storage: &StorageId, report: (u64, f64, Report)) {
        if self.reports.len() < self.max_reports || self.reports.contains_key(storage) {
            self.reports.insert(storage.clone(), report);
        }
    }

    /// Believes the reports that waited for what is durable now, and marks those who follow a storage if one was news.
    pub fn believe_reports(&mut self, durable: u64) {
        let mut news = false;
        let ripe = self.reports.extract_if(|_, (position, _, _)| *position <= durable);
        for (storage, (_, now_ms, report)) in ripe {
            news |= match report {
                Report::Own(heads) => self.gossip.learned(now_ms, &storage, heads),
                Report::Told(heads) => self.gossip.merge(now_ms, &storage, heads),
            };
        }
        if news {
            for present in self
                .followers
                .iter()
                .filter_map(|connection| self.present.get(connection))
            {
                present.mark.set();
            }
        }
    }

    /// What became known of the storages followed since `seen`, which is moved on.
    pub fn news_since(&self, seen: &mut u64, followed: &Subscriptions) -> Vec<(StorageId, RemoteHeads)> {
        let news = self.gossip.since(*seen, followed);
        *seen = self.gossip.version();
        news
    }
}
