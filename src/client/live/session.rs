//! All that a client of the live door knows and wants, over all its connections: what to say next, and what follows from
//! what it hears.
//!
//! There is no list of messages to be sent. The socket asks for the next one when it takes bytes, and it is made then: a
//! cursor that moved ten times meanwhile is said once, and a slow socket makes no queue.
//!
//! Pure: text in, text out; time, and a seed for all that is random, come in.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::json;

use super::edit::{PendingEdit, What};
use super::end::LiveEnd;
use super::event::{Event, Saved};
use super::followed::{Followed, Standing};
use super::message::Refusal;
use super::model::Scope;
use super::name::{self, Clock};
use super::people::{Cursor, Selection, Typing};
use super::queue::{Most, NotKept, Queue};
use super::shown::Table;
use crate::id::DocumentId;

/// How often a heartbeat is sent, and how long a server may be silent, until it says so itself.
const HEARTBEAT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);

/// Who somebody is at the live door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    pub name: Option<String>,
    pub avatar_url: Option<String>,
}

/// What follows from what was heard.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, one at a time")]
pub(super) enum News {
    /// The server knows who this is.
    Welcome,
    Of(DocumentId, Event),
    /// An edit has its answer.
    Answered(String, Result<Saved, Refusal>),
    /// There is no use in going on.
    Stop(LiveEnd),
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Apart,
    /// To say who this is.
    Connected,
    /// Said, and not answered since.
    Introduced(Instant),
    Welcome,
}

#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub tables: usize,
    pub queue: Most,
    /// How long an answer may take.
    pub answer: Duration,
}

#[derive(Debug)]
pub(super) struct Session {
    person: Person,
    pub(super) device: String,
    bounds: Bounds,
    phase: Phase,
    pub(super) color: u8,
    pub(super) tables: BTreeMap<DocumentId, Followed>,
    /// To be left.
    leaving: Vec<DocumentId>,
    pub(super) queue: Queue,
    pub(super) rng: SmallRng,
    pub(super) clock: Clock,
    pub(super) heartbeat: Duration,
    pub(super) silence: Duration,
    /// When a round of heartbeats began last, and which tables are left of it.
    beat: Instant,
    beats: Vec<DocumentId>,
    heard: Instant,
}

impl Session {
    pub fn new(person: Person, device: String, bounds: Bounds, seed: u64, clock: Clock, now: Instant) -> Self {
        Self {
            person,
            device,
            phase: Phase::Apart,
            color: 0,
            tables: BTreeMap::new(),
            leaving: Vec::new(),
            queue: Queue::new(bounds.queue),
            bounds,
            rng: SmallRng::seed_from_u64(seed),
            clock,
            heartbeat: HEARTBEAT,
            silence: SILENCE,
            beat: now,
            beats: Vec::new(),
            heard: now,
        }
    }

    /// Follows a table. Whether it was not followed before; none if there are too many.
    pub fn open(&mut self, id: &DocumentId, scope: Scope, now: Instant) -> Option<bool> {
        let is_full = self.tables.len() >= self.bounds.tables;
        match self.tables.entry(id.clone()) {
            Entry::Occupied(_) => Some(false),
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(free) => {
                free.insert(Followed::new(id.clone(), scope, now));
                self.leaving.retain(|other| other != id);
                Some(true)
            }
        }
    }

    pub fn table(&mut self, id: &DocumentId) -> Option<&mut Followed> {
        self.tables.get_mut(id)
    }

    /// Follows a table no more.
    pub fn leave(&mut self, id: &DocumentId) {
        let followed = self.tables.remove(id);
        let is_known = followed.is_some_and(|table| matches!(table.standing, Standing::Asked | Standing::Here));
        if is_known && self.phase == Phase::Welcome {
            self.leaving.push(id.clone());
        }
    }

    pub fn show(&mut self, id: &DocumentId, scope: Scope) {
        if let Some(table) = self.tables.get_mut(id) {
            table.show(scope);
        }
    }

    pub fn point(&mut self, id: &DocumentId, cursor: Option<Cursor>) {
        if let Some(table) = self.tables.get_mut(id) {
            table.set_cursor(cursor);
        }
    }

    pub fn select(&mut self, id: &DocumentId, selection: Option<Selection>) {
        if let Some(table) = self.tables.get_mut(id) {
            table.set_selection(selection);
        }
    }

    pub fn type_into(&mut self, id: &DocumentId, typing: Option<Typing>) {
        if let Some(table) = self.tables.get_mut(id) {
            table.set_typing(typing);
        }
    }

    /// What is shown of a table; none if it is not followed.
    pub fn shown(&mut self, id: &DocumentId) -> Option<Arc<Table>> {
        let (table, queue) = (self.tables.get_mut(id)?, &self.queue);
        Some(table.shown(queue.untold(id)))
    }

    /// Takes an edit into the queue, under a name of its own.
    pub fn edit(&mut self, id: &DocumentId, what: What, now: Instant) -> Result<PendingEdit, NotKept> {
        let table = self.shown(id).unwrap_or_default();
        let name = name::new(self.clock.at(now), &mut self.rng);
        let mut edit = PendingEdit::new(name, id.clone(), what);
        if let Some(followed) = self.tables.get_mut(id) {
            edit.what = followed.complete(edit.what, &table, &mut self.rng);
            edit.base = followed.seen_by(&edit.what);
            followed.touch();
        }
        self.queue.push(edit.clone())?;
        Ok(edit)
    }

    /// A socket is open.
    pub fn connected(&mut self, now: Instant) {
        self.phase = Phase::Connected;
        (self.beat, self.heard) = (now, now);
        self.beats.clear();
        (self.heartbeat, self.silence) = (HEARTBEAT, SILENCE);
        self.leaving.clear();
        self.queue.connected();
    }

    pub fn disconnected(&mut self) {
        self.phase = Phase::Apart;
        self.tables.values_mut().for_each(Followed::disconnected);
    }

    pub(super) fn welcome(&mut self) {
        self.phase = Phase::Welcome;
    }

    /// The server has said what time it is. What waits to be sent for the first time and would be refused for the time in
    /// its name gets a later one.
    pub(super) fn set_clock(&mut self, server_ms: u64, now: Instant) {
        self.clock = Clock::new(server_ms, now);
        self.queue.rename_untimely(self.clock.at(now));
    }

    /// Something came in, whatever it was.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The next message, if one is due.
    pub fn next_frame(&mut self, now: Instant) -> Option<String> {
        match self.phase {
            Phase::Apart | Phase::Introduced(_) => None,
            Phase::Connected => {
                self.phase = Phase::Introduced(now);
                Some(self.introduction())
            }
            Phase::Welcome => self.next_of_all(now),
        }
    }

    fn next_of_all(&mut self, now: Instant) -> Option<String> {
        if let Some(id) = self.leaving.pop() {
            let left = json!({ "type": "unsubscribe_from_table", "data": { "tableId": id.as_str() } });
            return Some(left.to_string());
        }
        let subscription = self.tables.values_mut().find_map(|table| table.subscription(now));
        let edit = subscription.or_else(|| self.queue.next(now));
        let said = edit.or_else(|| self.tables.values_mut().find_map(|table| table.presence(now)));
        said.or_else(|| self.heartbeat(now))
    }

    /// One for each table, since its answer says how far the table was told: outside of a window or view much may happen
    /// without a word.
    fn heartbeat(&mut self, now: Instant) -> Option<String> {
        if now.saturating_duration_since(self.beat) >= self.heartbeat {
            self.beat = now;
            let here = self.tables.values().filter(|table| table.standing == Standing::Here);
            self.beats = here.map(|table| table.id.clone()).collect();
            if self.beats.is_empty() {
                return Some(json!({ "type": "heartbeat" }).to_string());
            }
        }
        let id = self.beats.pop()?;
        Some(json!({ "type": "heartbeat", "data": { "tableId": id.as_str() } }).to_string())
    }

    fn introduction(&self) -> String {
        let Person { id, name, avatar_url } = &self.person;
        let mut user = json!({ "userId": id });
        if let Some(name) = name {
            user["userName"] = json!(name);
        }
        if let Some(address) = avatar_url {
            user["avatarUrl"] = json!(address);
        }
        json!({ "type": "authenticate", "data": { "user": user, "deviceId": self.device } }).to_string()
    }

    /// Why the connection is of no use any more, if it is not.
    pub fn is_dead(&self, now: Instant) -> Option<LiveEnd> {
        let broken = |why: &str| Some(LiveEnd::Broken(why.into()));
        let is_over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        match self.phase {
            Phase::Apart => None,
            Phase::Introduced(since) if is_over(since, self.bounds.answer) => {
                broken("the server did not say welcome in time")
            }
            _ if is_over(self.heard, self.silence) => broken("the server said nothing for too long"),
            _ if self
                .queue
                .oldest_sent()
                .is_some_and(|sent| is_over(sent, self.bounds.answer)) =>
            {
                broken("the server did not answer an edit in time")
            }
            _ => None,
        }
    }

    /// Shows no longer what was answered a while ago. The tables that this changes.
    pub fn settle(&mut self, now: Instant) -> Vec<DocumentId> {
        let settled = self
            .tables
            .values_mut()
            .filter_map(|table| table.forget_settled(now).then(|| table.id.clone()));
        settled.collect()
    }

    /// When to look again though nothing has happened.
    pub fn deadline(&self) -> Instant {
        let introduced = match self.phase {
            Phase::Introduced(since) => Some(since + self.bounds.answer),
            _ => None,
        };
        let answer = self.queue.oldest_sent().map(|sent| sent + self.bounds.answer);
        let tables = self.tables.values().filter_map(Followed::deadline).min();
        let more = [introduced, answer, tables, self.queue.pause()].into_iter().flatten();
        more.fold(
            (self.beat + self.heartbeat).min(self.heard + self.silence),
            Instant::min,
        )
    }
}

#[cfg(test)]
pub(super) mod tests;
