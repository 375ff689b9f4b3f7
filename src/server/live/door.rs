//! The state of one connection of the live door, and the order in which it works.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::{Message, Utf8Bytes};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::super::Server;
use super::super::lifeline::Lifeline;
use super::super::rest::Problem;
use super::super::socket::{Connection, End};
use super::answers::Answer;
use super::editing::Edited;
use super::following::Subscription;
use super::queue::Queue;
use super::session::Session;
use super::showing::Followed;
use crate::id::{ConnectionId, DocumentId};
use crate::room::inbox::{Close, Inbox};
use crate::room::live::{Brought, NotShown};
use crate::wire::live::{ErrorTold, NotARequest, Request, text};
use crate::wire::read::Unread;

/// What a job has come to.
pub(super) enum Done {
    /// A subscription is there, or is not; `table` as the client calls it.
    Followed {
        table: String,
        followed: Result<Followed, ErrorTold>,
    },
    /// What a subscription has missed since it fell behind.
    CaughtUp {
        key: u32,
        brought: Result<Brought, NotShown>,
    },
    /// An edit is made and waits for the disk, or is not.
    Edited(Box<Edited>),
    Answer(Answer),
    /// The job panicked: a bug in us or in the library, which costs this connection.
    Panicked,
}

pub(super) type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

/// One connection. Only its own task touches it.
pub(super) struct LiveDoor {
    pub server: Arc<Server>,
    pub id: ConnectionId,
    pub inbox: Arc<Inbox>,
    pub lifeline: Arc<Lifeline>,
    /// Who it is, once it said so.
    pub session: Option<Session>,
    pub subscriptions: HashMap<u32, Subscription>,
    pub by_table: HashMap<DocumentId, u32>,
    /// What the client calls tables that it has named, and their ids.
    pub names: HashMap<String, DocumentId>,
    pub next_key: u32,
    /// Subscriptions that may have something to write, each once.
    pub turn: VecDeque<u32>,
    /// Requests that wait for others.
    pub queue: Queue,
    /// Of the request that is being done.
    pub frame_bytes: usize,
    /// Answers that wait for the disk, or for what they are told behind.
    pub unconfirmed: usize,
    pub answers: Vec<Answer>,
    /// Frames that are no subscription's: bounded, since reading stops at a number of them.
    replies: VecDeque<Utf8Bytes>,
    replies_bytes: usize,
    /// When it last counted as a sign of life that something came.
    pub alive: Option<Instant>,
    jobs: FuturesUnordered<Job>,
    closing: Option<Close>,
}

/// However a connection ends, a panic included, its rooms and its device are free again.
impl Drop for LiveDoor {
    fn drop(&mut self) {
        self.leave_everything(&End::Gone);
        self.server.disconnected(self.id);
    }
}

impl LiveDoor {
    pub fn new(server: Arc<Server>, lifeline: Arc<Lifeline>) -> Self {
        Self {
            id: lifeline.inbox.connection(),
            inbox: lifeline.inbox.clone(),
            server,
            lifeline,
            session: None,
            subscriptions: HashMap::new(),
            by_table: HashMap::new(),
            names: HashMap::new(),
            next_key: 0,
            turn: VecDeque::new(),
            queue: Queue::default(),
            frame_bytes: 0,
            unconfirmed: 0,
            answers: Vec::new(),
            replies: VecDeque::new(),
            replies_bytes: 0,
            alive: None,
            jobs: FuturesUnordered::new(),
            closing: None,
        }
    }

    fn take(&mut self, frame: &Utf8Bytes) {
        self.sign_of_life();
        match Request::read(frame.as_bytes(), self.server.config.live.message_values) {
            // What somebody does is out of date when it has waited.
            Ok(request) if self.is_at_once(&request) => self.do_request(request),
            Ok(request) => {
                self.queue.push(request, frame.len());
                self.go_on();
            }
            Err(not) => self.tell_malformed(not),
        }
    }

    /// Whether a request is done before those that wait: it tells what somebody does at a table that is followed.
    fn is_at_once(&self, request: &Request) -> bool {
        let is_presence = matches!(request, Request::Cursor(_) | Request::Selection(_) | Request::Typing(_));
        let is_followed = request.table().is_some_and(|table| self.subscribed(table).is_some());
        self.session.is_some() && is_presence && is_followed
    }

    /// Whether answers may be added to those that wait for the socket.
    fn has_room_for_answers(&self) -> bool {
        let limits = &self.server.config.live;
        self.replies.len() < limits.replies && self.replies_bytes <= limits.replies_bytes
    }

    /// Does what waits and can be done.
    pub fn go_on(&mut self) {
        while self.closing.is_none()
            && self.has_room_for_answers()
            && let Some((request, bytes)) = self.queue.next()
        {
            self.frame_bytes = bytes;
            self.do_request(request);
        }
    }

    fn do_request(&mut self, request: Request) {
        if self.session.is_none() && !matches!(request, Request::Authenticate(_)) {
            let why = "say who you are first: authenticate";
            return self.tell_error("not-authenticated", why, request.name(), request.table());
        }
        match request {
            Request::Authenticate(claim) => self.authenticate(claim),
            Request::Subscribe(asked) => self.subscribe(asked),
            Request::Unsubscribe(table) => self.unsubscribe(&table.table_id),
            Request::Recover(asked) => self.recover(asked),
            Request::Record(change) => self.record(change),
            Request::Batch(batch) => self.batch(batch),
            Request::Offline(changes) => self.offline(changes),
            Request::Cursor(shown) => self.show_cursor(shown),
            Request::Selection(shown) => self.show_selection(shown),
            Request::Typing(shown) => self.show_typing(shown),
            Request::Heartbeat(beat) => self.heartbeat(&beat),
        }
    }

    /// Runs something that waits.
    pub fn job(&mut self, job: impl Future<Output = Done> + Send + 'static) {
        // A task of its own: it goes on to its end even if the connection does not, and a panic in it is seen.
        let task = tokio::spawn(job);
        self.jobs
            .push(Box::pin(async move { task.await.unwrap_or(Done::Panicked) }));
    }

    pub fn enqueue(&mut self, key: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(&key)
            && !std::mem::replace(&mut subscription.queued, true)
        {
            self.turn.push_back(key);
        }
    }

    pub fn tell(&mut self, kind: &str, data: &impl Serialize) {
        self.say(text(kind, data).into());
    }

    pub fn say(&mut self, frame: Utf8Bytes) {
        self.replies_bytes += frame.len();
        self.replies.push_back(frame);
    }

    fn next_reply(&mut self) -> Option<Utf8Bytes> {
        let reply = self.replies.pop_front()?;
        self.replies_bytes -= reply.len();
        self.go_on();
        Some(reply)
    }

    pub fn tell_error(&mut self, code: &'static str, why: impl Into<String>, about: &'static str, table: Option<&str>) {
        let error = ErrorTold {
            code,
            message: why.into(),
            field: None,
            about: Some(about.to_owned()),
            table_id: table.map(|table| table.chars().take(256).collect()),
        };
        self.tell("error", &error);
    }

    fn tell_malformed(&mut self, not: NotARequest) {
        self.server.metrics.ignore("live-malformed");
        let message = not.to_string();
        let code = match &not {
            NotARequest::UnknownType(_) => "unknown-type",
            NotARequest::NotAMessage(Unread::TooMany { .. }) => "too-large",
            NotARequest::NotAMessage(_) | NotARequest::Data { .. } => "bad-message",
        };
        let (about, change, field) = match not {
            NotARequest::Data { about, change, why } => (Some(about), change, why.field()),
            NotARequest::NotAMessage(why) => (None, None, why.field()),
            NotARequest::UnknownType(_) => (None, None, None),
        };
        if let Some(change_id) = change {
            return self.reject(change_id, None, code, message, field);
        }
        let error = ErrorTold {
            code,
            message,
            field,
            about,
            table_id: None,
        };
        self.tell("error", &error);
    }

    pub fn close(&mut self, why: Close) {
        self.closing.get_or_insert(why);
    }

    fn leave_everything(&mut self, end: &End) {
        // Not told: what they would have to be told behind is not told any more. Whoever has no answer sends the edit again.
        self.answers.clear();
        let keys: Vec<u32> = self.subscriptions.keys().copied().collect();
        let clean = matches!(end, End::Left(None | Some(1000 | 1005)));
        for key in keys {
            self.leave_table(key, clean);
        }
        if let Some(session) = self.session.take() {
            self.server.left(&session.peer, self.id);
        }
    }
}

impl Connection for LiveDoor {
    type Done = Done;

    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn peer_name(&self) -> &str {
        self.session.as_ref().map_or("", |session| session.peer.as_str())
    }

    fn look(&mut self, key: u32) {
        if let Some(subscription) = self.subscriptions.get(&key) {
            // Cleared before looking, so that what happens meanwhile sets it again (lost wakeup).
            subscription.following.mark.clear();
            self.enqueue(key);
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Text(frame) => self.take(&frame),
            _ => self.close(Close::NotText),
        }
    }

    fn is_reading(&self) -> bool {
        let limits = &self.server.config.live;
        self.queue.len() < limits.waiting
            && self.queue.bytes() <= limits.message_bytes
            && self.unconfirmed < limits.unconfirmed
            && self.has_room_for_answers()
    }

    fn next_message(&mut self) -> Option<Message> {
        if let Some(reply) = self.next_reply() {
            return Some(Message::Text(reply));
        }
        while let Some(key) = self.turn.pop_front() {
            let Some(subscription) = self.subscriptions.get_mut(&key) else {
                continue;
            };
            subscription.queued = false;
            if let Some(frame) = self.next_of(key) {
                self.enqueue(key);
                return Some(Message::Text(frame));
            }
            // Following a table may have ended with a word of its own.
            if let Some(reply) = self.next_reply() {
                return Some(Message::Text(reply));
            }
        }
        None
    }

    async fn next_job(&mut self) -> Done {
        match self.jobs.next().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Followed { table, followed } => {
                self.queue.followed(&table);
                self.followed(followed);
            }
            Done::CaughtUp { key, brought } => self.caught_up(key, brought),
            Done::Edited(edited) => {
                self.queue.edited();
                self.edited(*edited);
            }
            Done::Answer(answer) => self.answer(answer),
            Done::Panicked => {
                tracing::error!(connection = %self.id, "a job panicked");
                self.close(Close::TryLater);
            }
        }
        self.go_on();
    }

    fn closing(&self) -> Option<Close> {
        self.closing
    }

    fn leave(&mut self, end: &End) {
        self.leave_everything(end);
    }

    fn farewells(&mut self) -> Vec<Message> {
        self.replies.drain(..).map(Message::Text).collect()
    }
}

/// A problem as the live door tells it.
pub(super) fn error_of(problem: &Problem, about: &'static str, table: &str) -> ErrorTold {
    ErrorTold {
        code: problem.code.name(),
        message: problem.detail.clone(),
        field: problem.field.clone(),
        about: Some(about.to_owned()),
        table_id: Some(table.chars().take(256).collect()),
    }
}
