//! One server and its clients, moved step by step from a seed: no thread, no clock, no chance but the seed's.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::{Automerge, ChangeHash};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::{ConnectionId, DocumentId, PeerId, StorageId};
use roundtable::room::inbox::{Inbox, Mark};
use roundtable::room::{RoomLimits, Rooms};
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Append, Committer, Need, Progress, Store, StoreLimits, StoredChange};
use roundtable::sync::aside::AsideLimits;
use roundtable::sync::bindings::Bindings;
use roundtable::sync::gate::GateLimits;
use roundtable::sync::lane::Lane;
use roundtable::sync::log::LogLimits;

use super::client::{Client, REFUSED_OPS, Up, actor, with_chunk, with_false_positives};
use super::door::{self, Counts, Door, Hall, Job};
use super::oracle::Oracle;
use crate::{detail, trace};

pub const CLIENTS: usize = 8;
pub const STEPS: u64 = 300;

/// The longest log a room has here, in changes.
const LOG: usize = 24;

/// What differs from seed to seed besides chance.
#[derive(Debug, Clone)]
struct Weather {
    /// The longest a message takes, in steps.
    latency: u64,
    /// How likely the committer works in a step.
    flush: f64,
    /// How likely a message carries a false positive made on purpose.
    false_positive: f64,
    slowness: u64,
    edits: f64,
    rooms: RoomLimits,
    store: StoreLimits,
}

impl Weather {
    fn of(rng: &mut SmallRng) -> Self {
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        let rooms = RoomLimits {
            sleep_after: Duration::from_secs(one_of(&[0, 0, 2, 8]) as u64),
            compact_changes: one_of(&[3, 10, 10_000]),
            log: LogLimits {
                changes: one_of(&[1, 2, 3, 6, LOG]),
                frame_bytes: one_of(&[1, 300, 1 << 20]),
                ..LogLimits::default()
            },
            aside: AsideLimits {
                changes: one_of(&[1, 2, 4, 8, 64]),
                ..AsideLimits::default()
            },
            gate: GateLimits {
                change_ops: REFUSED_OPS as u64,
                ..GateLimits::default()
            },
            ..RoomLimits::default()
        };
        let store = StoreLimits {
            queue_changes: one_of(&[2, 6, 1000]),
            batch_changes: one_of(&[1, 3, 1000]),
            ..StoreLimits::default()
        };
        Self {
            latency: one_of(&[0, 1, 4, 12]) as u64,
            slowness: one_of(&[0, 1, 4]) as u64,
            flush: [0.15, 0.5, 1.0][one_of(&[0, 1, 2])],
            false_positive: [0.0, 0.05, 0.3][one_of(&[0, 1, 2])],
            edits: [0.05, 0.11][one_of(&[0, 1])],
            rooms,
            store,
        }
    }
}

/// What runs until it crashes or is shut down.
struct Server {
    engine: MemoryEngine,
    committer: Committer,
    rooms: Rooms,
    doors: BTreeMap<ConnectionId, Door>,
    failing: bool,
    /// A failure was ordered.
    doomed: bool,
}

pub struct World {
    document: DocumentId,
    weather: Weather,
    server: Server,
    pub hall: Hall,
    pub clients: Vec<Client>,
    oracle: Oracle,
    connections: u64,
    /// Chunks no honest client makes.
    forged: Vec<Vec<u8>>,
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

fn open(engine: &MemoryEngine, weather: &Weather) -> (Store, Committer, Rooms) {
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
        let settled_after = world.settle();
        world.check_settled();
        trace!("step {}: one more edit", world.hall.step);
        world.one_more_edit();
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

    fn step(&mut self) {
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
                }) => {
                    if let Some(door) = self.server.doors.get_mut(&connection) {
                        door.commit_done(message, is_request, result, &mut self.hall);
                    }
                }
                _ => {}
            }
        }
    }

    fn flush(&mut self) -> Progress {
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
                let frame = match hall.rng.random_bool(self.weather.false_positive) {
                    true => falsified(&frame, oracle, &self.clients[door.client], &mut hall.rng).into(),
                    false => frame,
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
                let Some((_, frame)) = door.down.pop_front_if(|(at, _)| *at <= self.hall.step) else {
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

    fn send(&mut self, client: usize, up: Option<Up>) {
        let Some(mut up) = up else { return };
        let connection = self.clients[client].connection.expect("only who is connected sends");
        self.hall.counts.up += 1;
        detail!(
            "step {}: client {client} -> {connection}: {}",
            self.hall.step,
            told(&up.data)
        );
        if self.hall.rng.random_bool(self.weather.false_positive) {
            let everything: Vec<_> = self.oracle.known().to_vec();
            let lacks = |hash: &&ChangeHash| !self.clients[client].has(hash);
            let extra = some_of(everything.iter().filter(lacks).copied().collect(), &mut self.hall.rng);
            up.data = with_false_positives(&up.data, &everything, &extra).unwrap_or(up.data);
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
    fn disconnect(&mut self, connection: ConnectionId) {
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

    fn event(&mut self) {
        let who = self.hall.rng.random_range(0..CLIENTS);
        let step = self.hall.step;
        if self.hall.rng.random_bool(self.weather.edits) {
            return self.edit(who);
        }
        match self.hall.rng.random_range(0..1000) {
            0..40 => {
                if let Some(connection) = self.clients[who].connection {
                    trace!("step {step}: client {who} loses its connection");
                    self.disconnect(connection);
                }
            }
            40..90 => {
                let until = step + self.hall.rng.random_range(5..60);
                if let Some(connection) = self.clients[who].connection {
                    trace!("step {step}: the socket of client {who} takes nothing until {until}");
                    self.server.doors.get_mut(&connection).expect("connected").blocked_until = until;
                }
            }
            90..190 => {
                self.server.rooms.sweep(self.hall.now);
            }
            190..230 => self.compact(),
            230..250 => self.clients[who].save_document(),
            250..270 => self.clients[who].save_state(),
            270..278 => self.new_page(who),
            278..288 => self.fail_soon(),
            288..292 => self.restart(true),
            292..296 => self.restart(false),
            296..302 => {
                if let Some(hash) = self.clients[who].make_refused_change() {
                    trace!("step {step}: client {who} makes {hash:?}, which will be refused");
                    self.oracle.forbid(hash);
                    self.sends_soon(who);
                }
            }
            302..310 => self.inject(who),
            _ => {}
        }
    }

    fn edit(&mut self, who: usize) {
        let count = match self.hall.rng.random_range(0..100) {
            0..70 => 1,
            70..95 => 3,
            _ => 10,
        };
        for _ in 0..count {
            if let Some(hash) = self.clients[who].edit(&mut self.hall.rng) {
                self.edits += 1;
                self.oracle.made(hash);
                trace!("step {}: client {who} makes {hash:?}", self.hall.step);
            }
        }
        self.sends_soon(who);
    }

    fn sends_soon(&mut self, who: usize) {
        let at = self.hall.step + self.hall.rng.random_range(1..4);
        self.clients[who].sends_at.get_or_insert(at);
    }

    fn new_page(&mut self, who: usize) {
        if let Some(connection) = self.clients[who].connection {
            self.disconnect(connection);
        }
        let client = &mut self.clients[who];
        match who > 0 && self.hall.rng.random_bool(0.3) {
            true => client.start_over(&mut self.hall.rng),
            false if !client.reload(&mut self.hall.rng) => return,
            false => {}
        }
        trace!("step {}: client {who} loads its page anew", self.hall.step);
    }

    /// A message is bent on its way: a change whose checksum is wrong, or a change with the number of another one.
    fn inject(&mut self, who: usize) {
        let Some(connection) = self.clients[who].connection else {
            return;
        };
        let forged = match self.hall.rng.random_range(0..3) {
            0 => self.clients[who].torn_change(),
            1 if !self.forged.is_empty() => {
                let index = self.hall.rng.random_range(0..self.forged.len());
                Some(self.forged[index].clone())
            }
            _ => self.forge(who),
        };
        let door = self.server.doors.get_mut(&connection).expect("it is connected");
        if let (Some(chunk), Some((_, up))) = (forged, door.up.back_mut())
            && let Some(bent) = with_chunk(&up.data, chunk)
        {
            trace!("step {}: a message of client {who} is bent", self.hall.step);
            up.data = bent;
        }
    }

    fn forge(&mut self, who: usize) -> Option<Vec<u8>> {
        let change = self.clients[who].forge_duplicate(self.oracle.durable_set(), &mut self.hall.rng)?;
        self.oracle.forbid(change.hash());
        self.forged.push(change.raw_bytes().to_vec());
        self.forged.last().cloned()
    }

    fn compact(&mut self) {
        for room in self.server.rooms.due_for_compaction() {
            if let Some(compaction) = room.begin_compaction() {
                trace!("step {}: compaction at {}", self.hall.step, room.end());
                self.hall.job(Job::Compact(compaction));
            }
        }
    }

    fn fail_soon(&mut self) {
        let good = self.hall.rng.random_range(0..4);
        self.server.doomed = true;
        match self.hall.rng.random_bool(0.5) {
            true => self.server.engine.fail_apply_after(good),
            false => self.server.engine.fail_sync_after(good),
        }
    }

    /// The server ends, in order or by a crash that loses what was not synced (or not), and starts anew.
    fn restart(&mut self, crash: bool) {
        if !crash {
            while !matches!(self.flush(), Progress::Idle | Progress::Ended) {}
        }
        trace!(
            "step {}: the server {}",
            self.hall.step,
            if crash { "crashes" } else { "restarts" }
        );
        for connection in self.server.doors.keys().copied().collect::<Vec<_>>() {
            self.disconnect(connection);
        }
        self.hall.jobs.clear();
        self.hall.close.clear();
        let survives = match self.hall.rng.random_range(0..4) {
            0 => Survives::Everything,
            1 => Survives::First(1),
            _ => Survives::Nothing,
        };
        let engine = self.server.engine.crash(survives);
        let (store, committer, rooms) = open(&engine, &self.weather);
        self.hall.store = store;
        self.server = Server {
            engine,
            committer,
            rooms,
            doors: BTreeMap::new(),
            failing: false,
            doomed: false,
        };
        self.restarts += 1;
        self.oracle.restarted(&self.hall.store, &self.document);
        if self.hall.rng.random_bool(0.2) {
            self.spoil();
        }
    }

    /// A change that does not load lies in the store, as one that an earlier version let in.
    fn spoil(&mut self) {
        let number = self.oracle.durable() as u64 + 1;
        if number == 1 {
            return;
        }
        let author = self.hall.rng.random_range(0..CLIENTS);
        let Some(bytes) = self.forge(author) else { return };
        let hash = automerge::Change::try_from(&bytes[..]).expect("it is a change").hash();
        // Only what the store has below it can have been let in.
        let need = Need {
            changes: 1,
            bytes: bytes.len(),
        };
        let change = StoredChange {
            number,
            hash: hash.0,
            bytes: bytes.into(),
            author: roundtable::document::author::Author {
                time: 0,
                user: None,
                device: "an earlier version".into(),
                door: roundtable::document::author::Door::Sync,
            },
        };
        let place = self.hall.store.try_reserve(need).ok().expect("nothing waits yet");
        trace!("step {}: {hash:?} lies spoilt in the store", self.hall.step);
        self.hall.store.append(
            place,
            Append {
                document: self.document.clone(),
                changes: vec![change],
                flushed: Box::new(|_| ()),
            },
        );
        self.oracle.spoilt(hash);
        self.flush();
    }

    /// From here on nothing goes wrong any more.
    fn heal(&mut self) {
        trace!("step {}: everything is healed", self.hall.step);
        self.weather.flush = 1.0;
        self.weather.false_positive = 0.0;
        // A server whose disk failed is started anew by who looks after it; here perhaps only now.
        if self.server.failing || self.server.doomed {
            self.restart(true);
        }
        for client in &mut self.clients {
            client.returns_at = client.returns_at.min(self.hall.step + 1);
        }
        for door in self.server.doors.values_mut() {
            door.blocked_until = 0;
        }
    }

    fn is_quiet(&self) -> bool {
        self.hall.jobs.is_empty()
            && self.hall.close.is_empty()
            && self.server.doors.values().all(Door::is_quiet)
            && self
                .clients
                .iter()
                .all(|client| client.connection.is_some() && client.sends_at.is_none())
    }

    /// Goes on until nobody has anything to say. Returns after how many steps.
    fn settle(&mut self) -> u64 {
        let (began, said) = (self.hall.step, self.hall.counts.up + self.hall.counts.down);
        // Each change that is still to come is told to everybody, who answers; so is what lies in the log; and everybody
        // may have a few more things to find out.
        let to_come = self.oracle.known().len().saturating_sub(self.oracle.durable());
        let bound = (2 * CLIENTS * (to_come + LOG + 12)) as u64;
        loop {
            self.step();
            let steps = self.hall.step - began;
            let messages = self.hall.counts.up + self.hall.counts.down - said;
            assert!(steps < 1500, "no quiet after {steps} steps and {messages} messages");
            assert!(messages < bound, "no quiet after {messages} messages in {steps} steps");
            if self.is_quiet() && self.flush() == Progress::Idle && self.is_quiet() {
                return steps;
            }
        }
    }

    fn server_heads(&self) -> Vec<ChangeHash> {
        let room = self.server.rooms.get(&self.document).expect("clients are in it");
        room.durable_heads().to_vec()
    }

    fn check_settled(&mut self) {
        let heads = self.server_heads();
        for door in self.server.doors.values() {
            let client = &self.clients[door.client];
            super::oracle::check_client(door, client, &heads);
        }
        for index in 0..self.clients.len() {
            let more = self.clients[index].generate();
            assert!(
                more.is_none(),
                "client {index} has something to say after all was quiet"
            );
        }
        self.oracle.check_heads(&self.clients, &heads);
    }

    /// In the settled state an edit takes the short way: everybody is told once and answers at most once.
    fn one_more_edit(&mut self) {
        self.server.rooms.sweep(self.hall.now + Duration::from_secs(3600));
        let open = self
            .server
            .doors
            .values()
            .find(|door| door.conversation.hearing() == roundtable::sync::conversation::Hearing::Open);
        let Some(writer) = open.map(|door| door.client) else {
            return;
        };
        let said = self.hall.counts.up + self.hall.counts.down;
        if self.clients[writer]
            .edit(&mut self.hall.rng)
            .map(|hash| self.oracle.made(hash))
            .is_none()
        {
            return;
        }
        self.sends_soon(writer);
        self.settle();
        let messages = self.hall.counts.up + self.hall.counts.down - said;
        assert!(messages <= 2 * CLIENTS as u64 + 2, "one edit took {messages} messages");
        self.check_settled();
    }
}

fn some_of(mut hashes: Vec<ChangeHash>, rng: &mut SmallRng) -> Vec<ChangeHash> {
    let wanted = rng.random_range(1..4);
    while hashes.len() > wanted {
        hashes.swap_remove(rng.random_range(0..hashes.len()));
    }
    hashes
}

/// The same frame claiming to hold a change or two that only the client has: it will leave them out of its next message.
fn falsified(frame: &[u8], oracle: &Oracle, client: &Client, rng: &mut SmallRng) -> Vec<u8> {
    let durable: &HashSet<ChangeHash> = oracle.durable_set();
    let only_here = |hash: &ChangeHash| !durable.contains(hash) && client.has(hash);
    let extra = some_of(
        oracle.known().iter().filter(|hash| only_here(hash)).copied().collect(),
        rng,
    );
    with_false_positives(frame, oracle.known(), &extra).unwrap_or_else(|| frame.to_vec())
}

/// A message in short.
fn told(data: &[u8]) -> String {
    let message = automerge::sync::Message::decode(data).expect("all messages decode");
    let short = |hashes: &[ChangeHash]| {
        hashes
            .iter()
            .map(|hash| hash.to_string()[..6].to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let have: Vec<String> = message.have.iter().map(|have| short(&have.last_sync)).collect();
    let changes = message
        .changes
        .iter()
        .map(|chunk| automerge::Change::try_from(chunk).map(|change| change.hash()));
    let changes: Vec<String> = changes
        .map(|hash| hash.map_or("?".into(), |hash| hash.to_string()[..6].to_owned()))
        .collect();
    format!(
        "heads [{}] need [{}] have {have:?} changes {changes:?} flags {:?}",
        short(&message.heads),
        short(&message.need),
        message.flags
    )
}
