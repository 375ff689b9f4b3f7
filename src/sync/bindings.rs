//! Which connection may speak for which sender of ephemerals, server-wide.
//!
//! Every JavaScript client sends each ephemeral it receives back to where it came from, under the author's id, and a
//! client behind a SharedWorker rightly sends under an id that is not its connection's. Both look alike. What tells them
//! apart is the way: the author's messages come from where the author was first heard.
//!
//! - A peer that joined speaks for itself over its newest connection, and nobody else speaks for it.
//! - Any other sender is bound to the peer that carried it first: to the peer and not to its connection, so that tabs
//!   behind a worker are heard again as soon as their worker is back.
//! - Everything else is an echo. It changes nothing here: an echo keeps no binding alive.
//! - Bindings outlive their connection by [`Limits::linger`], so that an echo that was under way brings no ghost. The
//!   messages the server makes itself are known by their session, for ever.
//! - Nobody but the server speaks for a program that is present over HTTP, or for somebody at the live door.

use crate::id::{ConnectionId, PeerId};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How much is remembered, and for how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a binding holds after its connection has closed, or after a carried sender was last heard.
    pub linger: Duration,
    /// The senders one peer may carry beside itself.
    pub carried_per_peer: usize,
    /// The closed peers remembered; beyond it the one that closed first is forgotten.
    pub closed_peers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(120),
            carried_per_peer: 64,
            closed_peers: 16_384,
        }
    }
}

/// What [`Bindings::may_speak`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// The peer of this connection speaks for itself.
    Own,
    /// It carries the messages of another, as a SharedWorker does for its tabs.
    Relayed,
    /// It sends back what it received, or speaks for somebody who is heard elsewhere: drop it and count it.
    Echo,
    /// It carries more senders than it may: drop it and count it.
    TooMany,
}

/// The bindings of one server.
#[derive(Debug)]
pub struct Bindings {
    limits: Limits,
    /// What the session ids of the server's own messages begin with.
    own_sessions: String,
    connections: HashMap<ConnectionId, PeerId>,
    peers: HashMap<PeerId, Peer>,
    /// Senders that did not join, and who carries them.
    carried: HashMap<PeerId, Carried>,
    /// When peers closed, oldest first. An entry is void if the peer has joined again since.
    closed: VecDeque<(Instant, PeerId)>,
}

/// A peer that joined.
#[derive(Debug)]
struct Peer {
    connection: ConnectionId,
    closed: Option<Instant>,
    /// How many senders it carries.
    carries: usize,
}

#[derive(Debug)]
struct Carried {
    by: PeerId,
    heard: Instant,
}

/// Session ids for what the server says in the name of others: a new one for each burst.
#[derive(Debug)]
pub struct OwnSessions {
    prefix: String,
    bursts: AtomicU64,
}

impl OwnSessions {
    /// A session id that was never given out before.
    pub fn next(&self) -> String {
        format!("{}{}", self.prefix, self.bursts.fetch_add(1, Ordering::Relaxed))
    }
}

impl Bindings {
    /// `token` tells this server's own messages from those of every other process: it should be random.
    pub fn new(limits: Limits, token: &str) -> Self {
        Self {
            limits,
            own_sessions: format!("srv-{token}-"),
            connections: HashMap::new(),
            peers: HashMap::new(),
            carried: HashMap::new(),
            closed: VecDeque::new(),
        }
    }

    /// The sessions that these bindings know for the server's own. There is one such source per server.
    pub fn own_sessions(&self) -> OwnSessions {
        OwnSessions {
            prefix: self.own_sessions.clone(),
            bursts: AtomicU64::new(0),
        }
    }

    /// A peer has joined over this connection, and is heard there and nowhere else from now on.
    pub fn joined(&mut self, now: Instant, peer: &PeerId, connection: ConnectionId) {
        // A connection speaks for one peer; a second join is refused elsewhere, but must not leave the first behind.
        self.closed(now, connection);
        if let Some(carried) = self.carried.remove(peer)
            && let Some(carrier) = self.peers.get_mut(&carried.by)
        {
            carrier.carries -= 1;
        }
        let known = self.peers.entry(peer.clone()).or_insert(Peer {
            connection,
            closed: None,
            carries: 0,
        });
        self.connections.remove(&known.connection);
        known.connection = connection;
        known.closed = None;
        self.connections.insert(connection, peer.clone());
    }

    /// A connection has closed. One that a newer connection of its peer has replaced changes nothing.
    pub fn closed(&mut self, now: Instant, connection: ConnectionId) {
        let Some(peer) = self.connections.remove(&connection) else {
            return;
        };
        let known = self.peers.get_mut(&peer).expect("a connection belongs to a peer");
        known.closed = Some(now);
        self.closed.push_back((now, peer));
        while self.closed.len() > self.limits.closed_peers {
            self.forget_first_closed();
        }
    }

    /// Whether an ephemeral of this sender and session, arriving over this connection, is the author's.
    pub fn may_speak(&mut self, now: Instant, sender: &PeerId, session: &str, via: ConnectionId) -> Spoken {
        let Some(carrier) = self.connections.get(&via) else {
            return Spoken::Echo;
        };
        if session.starts_with(&self.own_sessions) || sender.is_spoken_for() {
            return Spoken::Echo;
        }
        if sender == carrier {
            return Spoken::Own;
        }
        if self.peers.contains_key(sender) {
            return Spoken::Echo;
        }
        if let Some(carried) = self.carried.get_mut(sender) {
            return match carried.by == *carrier {
                true => {
                    carried.heard = now;
                    Spoken::Relayed
                }
                false => Spoken::Echo,
            };
        }
        let peer = self.peers.get_mut(carrier).expect("a connection belongs to a peer");
        if peer.carries >= self.limits.carried_per_peer {
            return Spoken::TooMany;
        }
        peer.carries += 1;
        let carried = Carried {
            by: carrier.clone(),
            heard: now,
        };
        self.carried.insert(sender.clone(), carried);
        Spoken::Relayed
    }

    /// Forgets what has lingered long enough.
    pub fn expire(&mut self, now: Instant) {
        let linger = self.limits.linger;
        while self
            .closed
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= linger)
        {
            self.forget_first_closed();
        }
        let peers = &mut self.peers;
        self.carried.retain(|_, carried| {
            let keep = now.duration_since(carried.heard) < linger;
            if !keep && let Some(carrier) = peers.get_mut(&carried.by) {
                carrier.carries -= 1;
            }
            keep
        });
    }

    /// How many peers and carried senders are remembered.
    pub fn len(&self) -> usize {
        self.peers.len() + self.carried.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget_first_closed(&mut self) {
        let Some((at, peer)) = self.closed.pop_front() else {
            return;
        };
        if self.peers.get(&peer).is_none_or(|known| known.closed != Some(at)) {
            return;
        }
        let gone = self.peers.remove(&peer);
        if gone.is_some_and(|gone| gone.carries > 0) {
            self.carried.retain(|_, carried| carried.by != peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(peer: &str) -> PeerId {
        PeerId::parse(peer).unwrap()
    }

    #[test]
    fn peers_that_come_and_go_do_not_pile_up() {
        let limits = Limits {
            closed_peers: 10,
            ..Limits::default()
        };
        let mut bindings = Bindings::new(limits, "7f3a");
        let now = Instant::now();
        for number in 0..1000 {
            let (peer, connection) = (id(&format!("peer-{number}")), ConnectionId(number));
            bindings.joined(now, &peer, connection);
            bindings.may_speak(now, &id(&format!("tab-{number}")), "s", connection);
            bindings.closed(now, connection);
        }
        assert_eq!(bindings.len(), 20);
        bindings.expire(now + Duration::from_secs(120));
        assert!(bindings.is_empty());
    }

    /// A connection that never joined has no name to speak under.
    #[test]
    fn nobody_speaks_before_joining_or_after_closing() {
        let mut bindings = Bindings::new(Limits::default(), "7f3a");
        let (now, ada, via) = (Instant::now(), id("ada"), ConnectionId(1));
        assert_eq!(bindings.may_speak(now, &ada, "s", via), Spoken::Echo);
        bindings.joined(now, &ada, via);
        assert_eq!(bindings.may_speak(now, &ada, "s", via), Spoken::Own);
        bindings.closed(now, via);
        assert_eq!(bindings.may_speak(now, &ada, "s", via), Spoken::Echo);
    }

    #[test]
    fn a_second_join_on_one_connection_leaves_nothing_behind() {
        let mut bindings = Bindings::new(Limits::default(), "7f3a");
        let (now, via) = (Instant::now(), ConnectionId(1));
        bindings.joined(now, &id("ada"), via);
        bindings.joined(now, &id("grace"), via);
        assert_eq!(bindings.may_speak(now, &id("grace"), "s", via), Spoken::Own);
        bindings.closed(now, via);
        bindings.expire(now + Duration::from_secs(120));
        assert!(bindings.is_empty());
        assert!(bindings.connections.is_empty() && bindings.closed.is_empty());
    }

    /// The end of Ada's first connection is still remembered when she is back: it must not take her binding along.
    #[test]
    fn ada_stays_bound_when_the_end_of_her_former_connection_expires() {
        let mut bindings = Bindings::new(Limits::default(), "7f3a");
        let (now, ada, grace) = (Instant::now(), id("ada"), id("grace"));
        bindings.joined(now, &ada, ConnectionId(1));
        bindings.joined(now, &grace, ConnectionId(2));
        bindings.closed(now, ConnectionId(1));
        bindings.joined(now, &ada, ConnectionId(3));
        let later = now + Duration::from_secs(120);
        bindings.expire(later);
        assert_eq!(bindings.may_speak(later, &ada, "s", ConnectionId(2)), Spoken::Echo);
        assert_eq!(bindings.may_speak(later, &ada, "s", ConnectionId(3)), Spoken::Own);
    }

    #[test]
    fn nobody_speaks_for_a_program_that_is_present_over_http_or_for_somebody_at_the_live_door() {
        let mut bindings = Bindings::new(Limits::default(), "7f3a");
        let (now, via) = (Instant::now(), ConnectionId(1));
        bindings.joined(now, &id("grace"), via);
        for peer in [PeerId::of_agent("7").unwrap(), PeerId::of_live("ada", "laptop")] {
            assert_eq!(bindings.may_speak(now, &peer, "s", via), Spoken::Echo);
        }
        assert_eq!(bindings.len(), 1);
    }

    /// The session of another server's messages is nobody's here: a client connected to both may carry them over.
    #[test]
    fn only_its_own_sessions_are_the_servers_own() {
        let mut bindings = Bindings::new(Limits::default(), "7f3a");
        let (now, via) = (Instant::now(), ConnectionId(1));
        bindings.joined(now, &id("grace"), via);
        let own = bindings.own_sessions().next();
        assert_eq!(bindings.may_speak(now, &id("ada"), &own, via), Spoken::Echo);
        assert_eq!(bindings.may_speak(now, &id("ada"), "srv-other-3", via), Spoken::Relayed);
    }
}
