//! The server's side of one connection, as `server::connection` has it, without tasks: what there is a job, is one here,
//! and is done some steps later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use automerge::sync::Message;
use bytes::Bytes;
use rand::Rng;
use rand::rngs::SmallRng;
use roundtable::document::author::{Author, Door as Way};
use roundtable::id::ConnectionId;
use roundtable::room::inbox::{Inbox, Mark};
use roundtable::room::room::NotAwake;
use roundtable::room::{Commit, Room, SteppedCompaction, Waking, Writer, need_of};
use roundtable::store::{Need, NoPlace, Place, Store};
use roundtable::sync::conversation::{CatchUp, CaughtUp, Conversation, Heard, Hearing};
use roundtable::sync::gate::{self, GateLimits, Offered, Opened};

use super::client::{Up, actor};

type Committed = Result<Commit, (NotAwake, Place, Vec<Offered>)>;

/// Work away from the connection, and what became of it.
pub enum Job {
    Wake(Arc<Room>),
    Compact(SteppedCompaction),
    CatchUp {
        connection: ConnectionId,
        epoch: u64,
        room: Arc<Room>,
        work: CatchUp,
    },
    CaughtUp {
        connection: ConnectionId,
        epoch: u64,
        result: Result<CaughtUp, (NotAwake, CatchUp)>,
    },
    Commit {
        connection: ConnectionId,
        room: Arc<Room>,
        place: Place,
        changes: Vec<Offered>,
        message: Message,
        is_request: bool,
    },
    Committed {
        connection: ConnectionId,
        message: Message,
        is_request: bool,
        result: Committed,
    },
}

/// What happened, to see that a simulation is not about nothing.
#[derive(Default, Clone, Copy, Debug)]
pub struct Counts {
    pub up: u64,
    pub down: u64,
    pub catch_ups: u64,
    pub wakes: u64,
    pub compactions: u64,
    pub committed: u64,
    pub aside: u64,
    pub refused: u64,
    pub quarantined: u64,
    pub sent_again: u64,
    pub no_place: u64,
    pub read_only: u64,
    pub unavailable: u64,
    pub epochs: u64,
}

/// What all connections share.
pub struct Hall {
    pub store: Store,
    pub gate: GateLimits,
    pub rng: SmallRng,
    pub now: Instant,
    pub step: u64,
    /// The longest a job takes, in steps.
    pub slowness: u64,
    pub jobs: VecDeque<(u64, Job)>,
    /// Connections to close.
    pub close: Vec<ConnectionId>,
    pub counts: Counts,
}

impl Hall {
    pub fn job(&mut self, job: Job) {
        let at = self.step + self.rng.random_range(0..=self.slowness);
        self.jobs.push_back((at, job));
    }
}

struct Arrived {
    is_request: bool,
    stage: Stage,
}

enum Stage {
    Raw(Bytes),
    Opened(Opened),
}

enum Next {
    Go,
    Wait,
}

pub struct Door {
    pub id: ConnectionId,
    pub client: usize,
    pub inbox: Arc<Inbox>,
    mark: Arc<Mark>,
    pub room: Arc<Room>,
    pub conversation: Conversation,
    epoch: u64,
    arrived: VecDeque<Arrived>,
    busy: bool,
    place: Option<Place>,
    /// The committer's queue is full; a place is waited for.
    waits_for: Option<Need>,
    queued: bool,
    /// Nobody had the document; the peer waits until somebody has.
    pub told_unavailable: bool,
    /// The socket takes nothing before this step.
    pub blocked_until: u64,
    /// On their way, with the step of arrival.
    pub up: VecDeque<(u64, Up)>,
    pub down: VecDeque<(u64, Bytes)>,
}

impl Door {
    pub fn new(id: ConnectionId, client: usize, inbox: Arc<Inbox>, mark: Arc<Mark>, room: Arc<Room>) -> Self {
        Self {
            id,
            client,
            inbox,
            mark,
            epoch: room.epoch(),
            room,
            conversation: Conversation::default(),
            arrived: VecDeque::new(),
            busy: false,
            place: None,
            waits_for: None,
            queued: false,
            told_unavailable: false,
            blocked_until: 0,
            up: VecDeque::new(),
            down: VecDeque::new(),
        }
    }

    /// Whether nothing is under way here. Whoever then still lacks something lacks it for ever.
    pub fn is_quiet(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && !self.busy && !self.queued
    }

    pub fn holds_back(&self) -> usize {
        self.arrived.len()
    }

    /// Looks into the inbox.
    pub fn look(&mut self, hall: &mut Hall) {
        for _ in self.inbox.take().marked {
            self.mark.clear();
            self.advance(hall);
        }
        if let Some(need) = self.waits_for {
            // As `Done::Place`: without a place the store is read-only, and the next try says so.
            match hall.store.try_reserve(need) {
                Err(NoPlace::Full) => return,
                place => self.place = place.ok(),
            }
            self.waits_for = None;
            self.busy = false;
            self.advance(hall);
        }
    }

    pub fn receive(&mut self, up: Up, hall: &mut Hall) {
        self.arrived.push_back(Arrived {
            is_request: up.is_request,
            stage: Stage::Raw(up.data.into()),
        });
        self.advance(hall);
    }

    fn follow_epoch(&mut self, hall: &mut Hall) {
        let epoch = self.room.epoch();
        if self.epoch != epoch {
            self.epoch = epoch;
            self.conversation.restart();
            if self.room.is_read_only() {
                self.conversation.turn_deaf(Hearing::Deaf);
            }
            hall.counts.epochs += 1;
        }
    }

    fn advance(&mut self, hall: &mut Hall) {
        loop {
            if self.told_unavailable && self.room.exists() {
                self.told_unavailable = false;
            }
            if self.busy {
                break;
            }
            self.follow_epoch(hall);
            let Some(arrived) = self.arrived.pop_front() else { break };
            match self.take(arrived, hall) {
                Next::Go => {}
                Next::Wait => break,
            }
        }
        self.queued = true;
    }

    fn put_back(&mut self, opened: Opened, is_request: bool) -> Next {
        self.arrived.push_front(Arrived {
            is_request,
            stage: Stage::Opened(opened),
        });
        Next::Wait
    }

    fn take(&mut self, arrived: Arrived, hall: &mut Hall) -> Next {
        let is_request = arrived.is_request;
        let opened = match arrived.stage {
            Stage::Opened(opened) => opened,
            Stage::Raw(data) => gate::open(&data, &hall.gate).expect("clients send what decodes"),
        };
        let listens = self.conversation.hearing() == Hearing::Open && !opened.changes.is_empty();
        if listens || (is_request && !self.room.exists()) {
            match self.room.begin_wake(hall.now) {
                Waking::Awake => {}
                Waking::Failed(reason) => panic!("the document does not load: {reason}"),
                waking => {
                    if waking == Waking::Begun {
                        hall.job(Job::Wake(self.room.clone()));
                    }
                    return self.put_back(opened, is_request);
                }
            }
        }
        if listens {
            return self.commit(opened, is_request, hall);
        }
        if !opened.message.heads.is_empty() {
            self.told_unavailable = false;
        } else if is_request && !self.room.exists() {
            hall.counts.unavailable += 1;
            self.told_unavailable = true;
        }
        let committed = opened.changes.is_empty();
        self.hear(opened.message, committed);
        Next::Go
    }

    fn commit(&mut self, opened: Opened, is_request: bool, hall: &mut Hall) -> Next {
        let Opened { message, changes } = opened;
        let need = need_of(&changes);
        let place = match self.place.take().map_or_else(|| hall.store.try_reserve(need), Ok) {
            Ok(place) => place,
            Err(NoPlace::ReadOnly(_)) => {
                hall.counts.read_only += 1;
                self.conversation.turn_deaf(Hearing::Deaf);
                self.hear(message, false);
                return Next::Go;
            }
            Err(NoPlace::Full) => {
                hall.counts.no_place += 1;
                self.busy = true;
                self.waits_for = Some(need);
                return self.put_back(Opened { message, changes }, is_request);
            }
        };
        if changes.len() <= 4 && hall.rng.random_bool(0.8) {
            let result = self.room.commit(place, changes, &writer(self.id), hall.now);
            return match self.committed(message, is_request, result, hall) {
                true => Next::Go,
                false => Next::Wait,
            };
        }
        self.busy = true;
        let (connection, room) = (self.id, self.room.clone());
        hall.job(Job::Commit {
            connection,
            room,
            place,
            changes,
            message,
            is_request,
        });
        Next::Wait
    }

    pub fn commit_done(&mut self, message: Message, is_request: bool, result: Committed, hall: &mut Hall) {
        self.busy = false;
        self.committed(message, is_request, result, hall);
        self.advance(hall);
    }

    fn committed(&mut self, message: Message, is_request: bool, result: Committed, hall: &mut Hall) -> bool {
        let commit = match result {
            Ok(commit) => commit,
            Err((_, place, changes)) => {
                self.place = Some(place);
                self.put_back(Opened { message, changes }, is_request);
                self.mark.set();
                return false;
            }
        };
        hall.counts.committed += commit.committed as u64;
        hall.counts.aside += commit.aside as u64;
        hall.counts.refused += u64::from(!commit.refused.is_empty());
        hall.counts.quarantined += u64::from(commit.quarantined);
        hall.counts.sent_again += commit.send_again.len() as u64;
        if !commit.refused.is_empty() {
            self.conversation.turn_deaf(Hearing::Deaf);
        } else if commit.quarantined {
            self.conversation.turn_deaf(Hearing::Quarantined);
        }
        hall.close.extend(&commit.send_again);
        let took_all = commit.took_all();
        self.hear(message, took_all);
        true
    }

    fn hear(&mut self, message: Message, committed: bool) {
        let room = self.room.clone();
        if self.conversation.hear(message, committed, |hash| room.knows(hash)) == Heard::CatchUp {
            self.queued = true;
        }
    }

    /// What the socket is given next.
    pub fn next_frame(&mut self, hall: &mut Hall) -> Option<Bytes> {
        if !std::mem::take(&mut self.queued) {
            return None;
        }
        self.follow_epoch(hall);
        let frame = self.room.pull(&mut self.conversation, self.id);
        match frame {
            Some(_) => self.queued = true,
            None => self.begin_catch_up(hall),
        }
        frame
    }

    fn begin_catch_up(&mut self, hall: &mut Hall) {
        if self.busy || self.told_unavailable || !self.conversation.due(self.room.durable()) {
            return;
        }
        match self.room.begin_wake(hall.now) {
            Waking::Awake => {}
            Waking::Begun => return hall.job(Job::Wake(self.room.clone())),
            Waking::UnderWay => return,
            Waking::Failed(reason) => panic!("the document does not load: {reason}"),
        }
        let Some(work) = self.conversation.begin() else { return };
        hall.counts.catch_ups += 1;
        let (connection, epoch, room) = (self.id, self.epoch, self.room.clone());
        hall.job(Job::CatchUp {
            connection,
            epoch,
            room,
            work,
        });
    }

    pub fn caught_up(&mut self, epoch: u64, result: Result<CaughtUp, (NotAwake, CatchUp)>, hall: &mut Hall) {
        self.follow_epoch(hall);
        self.queued = true;
        if self.epoch != epoch {
            return;
        }
        match result {
            Ok(done) => self.conversation.finish(done),
            Err((_, work)) => self.conversation.give_back(work),
        }
    }
}

/// Does a job of the server itself, or the part of one that happens away from its connection. What is left is for the
/// connection.
pub fn run(job: Job, hall: &mut Hall) -> Option<Job> {
    match job {
        Job::Wake(room) => {
            hall.counts.wakes += 1;
            room.wake(actor(&mut hall.rng), hall.now);
        }
        Job::Compact(compaction) => match compaction.step(hall.now) {
            Some(compaction) => hall.job(Job::Compact(compaction)),
            None => hall.counts.compactions += 1,
        },
        Job::CatchUp {
            connection,
            epoch,
            room,
            work,
        } => {
            let result = room.catch_up(work);
            hall.job(Job::CaughtUp {
                connection,
                epoch,
                result,
            });
        }
        Job::Commit {
            connection,
            room,
            place,
            changes,
            message,
            is_request,
        } => {
            let result = room.commit(place, changes, &writer(connection), hall.now);
            hall.job(Job::Committed {
                connection,
                message,
                is_request,
                result,
            });
        }
        done => return Some(done),
    }
    None
}

fn writer(connection: ConnectionId) -> Writer {
    Writer {
        author: Author {
            time: 0,
            user: None,
            device: "simulated".into(),
            door: Way::Sync,
        },
        connection: Some(connection),
    }
}
