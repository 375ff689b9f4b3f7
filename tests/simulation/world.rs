//! One server and its clients, moved step by step from a seed: no thread, no clock, no chance but the seed's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::{Automerge, ChangeHash};
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::{ConnectionId, DocumentId, PeerId, StorageId};
use roundtable::room::Rooms;
use roundtable::room::inbox::{Inbox, Mark};
use roundtable::store::memory::MemoryEngine;
use roundtable::store::{Committer, Progress, Store};
use roundtable::sync::bindings::Bindings;
use roundtable::sync::lane::Lane;

use super::client::{Client, Up, actor};
use super::door::{self, Counts, Door, Hall, Job};
use super::oracle::Oracle;
use super::weather::Weather;
use super::wire::{told, with_false_positives};
use crate::{detail, trace};

pub const CLIENTS: usize = 8;
pub const STEPS: u64 = 300;

/// What runs until it crashes or is shut down.
pub struct Server {
    pub engine: MemoryEngine,
    pub committer: Committer,
    pub rooms: Rooms,
    pub doors: BTreeMap<ConnectionId, Door>,
    pub failing: bool,
    /// A failure was ordered.
    pub doomed: bool,
}

pub struct World {
    pub document: DocumentId,
    pub weather: Weather,
    pub server: Server,
    pub hall: Hall,
    pub clients: Vec<Client>,
    pub oracle: Oracle,
    connections: u64,
    /// Chunks no honest client makes.
    pub forged: Vec<Vec<u8>>,
    pub restarts: u64,
    pub reconnects: u64,
    pub edits: u64,
}

/// What one seed came to.
pub struct Outcome {
    pub counts: Counts,
    pub restarts: u64,
    pub reconnects: u64,
    pub edits: u64,
    pub changes: usize,
    pub settled_after: u64,
    /// What the run ended with: the same for the same seed.
    pub heads: Vec<ChangeHash>,
}

pub fn open(engine: &MemoryEngine, weather: &Weather) -> (Store, Committer, Rooms) {
    let storage = StorageId::parse("simulated").expect("a short name");
    let (store, committer) =
        Store::open_as(Arc::new(engine.clone()), weather.store, storage).expect("what was synced opens");
    let sessions = Bindings::new(Default::default(), "sim").own_sessions();
    let rooms = Rooms::new(store.clone(), weather.rooms.clone(), 4, sessions);
    (store, committer, rooms)
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let weather = Weather::of(&mut rng);
        trace!("{weather:?}");
        let engine = MemoryEngine::new();
        let (store, committer, rooms) = open(&engine, &weather);
        let clients = Self::first_clients(&mut rng);
        Self {
            document: DocumentId::from_uuid(uuid::Uuid::from_u128(7)),
            server: Server {
                engine,
                committer,
                rooms,
                doors: BTreeMap::new(),
                failing: false,
                doomed: false,
            },
            hall: Hall {
                store,
                gate: weather.rooms.gate.clone(),
                rng,
                now: Instant::now(),
                step: 0,
                slowness: weather.slowness,
                jobs: VecDeque::new(),
                close: Vec::new(),
                counts: Counts::default(),
            },
            weather,
            clients,
            oracle: Oracle::default(),
            connections: 0,
            forged: Vec::new(),
            restarts: 0,
            reconnects: 0,
            edits: 0,
        }
    }

    /// One has made the table; some have a copy of it already, the others have nothing.
    fn first_clients(rng: &mut SmallRng) -> Vec<Client> {
        let mut first = Client::new(Automerge::new().with_actor(actor(rng)), true);
        first.create();
        let saved = first.document.save();
        let mut clients = vec![first];
        for _ in 1..CLIENTS {
            let document = match rng.random_bool(0.3) {
                true => Automerge::load(&saved).expect("saved just now"),
                false => Automerge::new(),
            };
            let mut client = Client::new(document.with_actor(actor(rng)), rng.random_bool(0.7));
            client.returns_at = rng.random_range(0..30);
            clients.push(client);
        }
        clients
    }

    /// The whole story of one seed.
    pub fn run(seed: u64) -> Outcome {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
            world.event();
        }
        world.heal();
        world.live_with_the_failed_disk();
        let settled_after = world.settle();
        world.check_settled();
        trace!("step {}: more edits", world.hall.step);
        world.more_edits();
        world
            .oracle
            .check_reload(&world.hall.store, &world.document, &world.server_heads());
        Outcome {
            counts: world.hall.counts,
            restarts: world.restarts,
            reconnects: world.reconnects,
            edits: world.edits,
            changes: world.oracle.durable(),
            settled_after,
            heads: world.server_heads(),
        }
    }

    pub fn step(&mut self) {
        self.hall.step += 1;
        self.hall.now += Duration::from_secs(1);
        self.do_jobs();
        if self.hall.rng.random_bool(self.weather.flush) {
            self.flush();
        }
        self.close_what_is_to_be_closed();
        self.serve();
        self.close_what_is_to_be_closed();
        self.move_clients();
    }

    fn do_jobs(&mut self) {
        for _ in 0..self.hall.jobs.len() {
            let (at, job) = self.hall.jobs.pop_front().expect("counted just now");
            if at > self.hall.step {
                self.hall.jobs.push_back((at, job));
                continue;
            }
            match door::run(job, &mut self.hall) {
                Some(Job::CaughtUp {
                    connection,
                    epoch,
                    result,
                }) => {
                    if let Some(door) = self.server.doors.get_mut(&connection) {
                        door.caught_up(epoch, result, &mut self.hall);
                    }
                }
                Some(Job::Committed {
                    connection,
                    message,
                    is_request,
                    result,
                }) => match self.server.doors.get_mut(&connection) {
                    Some(door) => door.commit_done(message, is_request, result, &mut self.hall),
                    None => self
                        .hall
                        .close
                        .extend(result.iter().flat_map(|commit| &commit.send_again)),
                },
                _ => {}
            }
        }
    }

    pub fn flush(&mut self) -> Progress {
        let progress = self.server.committer.step();
        match progress {
            Progress::Flushed { .. } => self.oracle.flushed(&self.hall.store, &self.document),
            Progress::Failed { items } => {
                trace!("step {}: the flush of {items} items failed", self.hall.step);
                self.server.failing = true;
            }
            Progress::Idle | Progress::Ended => {}
        }
        progress
    }

    fn close_what_is_to_be_closed(&mut self) {
        for connection in std::mem::take(&mut self.hall.close) {
            trace!("step {}: {connection} is closed to send again", self.hall.step);
            self.disconnect(connection);
        }
    }

    /// Lets every connection take what has arrived and write what its socket takes.
    fn serve(&mut self) {
        let Self {
            server, hall, oracle, ..
        } = self;
        for door in server.doors.values_mut() {
            door.look(hall);
            while door.up.front().is_some_and(|(at, _)| *at <= hall.step) {
                let (_, up) = door.up.pop_front().expect("looked at just now");
                door.receive(up, hall);
            }
            door.look(hall);
            if door.blocked_until > hall.step {
                continue;
            }
            while let Some(frame) = door.next_frame(hall) {
                hall.counts.down += 1;
                oracle.shown(&frame);
                detail!(
                    "step {}: {} -> client {}: {}",
                    hall.step,
                    door.id,
                    door.client,
                    told(&frame)
                );
                let soonest = door.down.back().map_or(0, |(at, _)| *at);
                let at = soonest.max(hall.step + hall.rng.random_range(0..=self.weather.latency));
                let frame = match oracle.unlucky() {
                    [] => frame,
                    unlucky => with_false_positives(&frame, oracle.known(), unlucky).map_or(frame, Bytes::from),
                };
                door.down.push_back((at, frame));
            }
        }
    }

    fn move_clients(&mut self) {
        for index in 0..self.clients.len() {
            let Some(connection) = self.clients[index].connection else {
                if self.clients[index].returns_at <= self.hall.step {
                    self.connect(index);
                }
                continue;
            };
            loop {
                let door = self.server.doors.get_mut(&connection).expect("it is connected");
                let due = door.down.front().is_some_and(|(at, _)| *at <= self.hall.step);
                let Some((_, frame)) = due.then(|| door.down.pop_front()).flatten() else {
                    break;
                };
                let client = &mut self.clients[index];
                let before = client.document.get_heads();
                client
                    .receive(&frame)
                    .expect("an honest client takes what the server sends");
                if client.document.get_heads() != before {
                    let later = self.hall.step + 1;
                    client.sends_at.get_or_insert(later);
                }
                let answer = client.generate();
                self.send(index, answer);
            }
            if self.clients[index].sends_at.is_some_and(|at| at <= self.hall.step) {
                self.clients[index].sends_at = None;
                let more = self.clients[index].generate();
                self.send(index, more);
            }
        }
    }

    pub fn send(&mut self, client: usize, up: Option<Up>) {
        let Some(mut up) = up else { return };
        let connection = self.clients[client].connection.expect("only who is connected sends");
        self.hall.counts.up += 1;
        detail!(
            "step {}: client {client} -> {connection}: {}",
            self.hall.step,
            told(&up.data)
        );
        if !self.oracle.unlucky().is_empty() {
            let bent = with_false_positives(&up.data, self.oracle.known(), self.oracle.unlucky());
            up.data = bent.unwrap_or(up.data);
        }
        let door = self.server.doors.get_mut(&connection).expect("it is connected");
        let soonest = door.up.back().map_or(0, |(at, _)| *at);
        let at = soonest.max(self.hall.step + 1 + self.hall.rng.random_range(0..=self.weather.latency));
        door.up.push_back((at, up));
    }

    fn connect(&mut self, client: usize) {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let inbox = Inbox::new(id, Lane::new(Default::default()));
        let mark = Mark::new(inbox.clone(), 0);
        let peer = PeerId::parse(&format!("peer-{client}")).expect("a short name");
        let rooms = &self.server.rooms;
        let room = rooms
            .enter(&self.document, &peer, &mark, self.hall.now)
            .expect("there is one room");
        self.server.doors.insert(id, Door::new(id, client, inbox, mark, room));
        let hello = self.clients[client].connect(id);
        trace!("step {}: client {client} connects as {id}", self.hall.step);
        self.send(client, hello);
    }

    /// The socket is gone, and everything that was on its way.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        let Some(door) = self.server.doors.remove(&connection) else {
            return;
        };
        self.reconnects += 1;
        let client = &mut self.clients[door.client];
        client.connection = None;
        client.returns_at = self.hall.step + self.hall.rng.random_range(1..20);
        let Door { id, room, .. } = door;
        self.server.rooms.leave(room, id, self.hall.now);
    }
}
