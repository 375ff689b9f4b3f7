//! What a client's task and its handles share: the session, and who waits for what.
//!
//! - One lock, for the session and the two lists beside it; never held across an await, and nothing is called under it that
//!   is not of this module's own making.
//! - Who waits looks, and is told to look again: nobody is told what has happened, so that nobody can miss it. Events are for
//!   those who want to know all the same; they may be dropped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::time::timeout;

use super::LiveError;
use super::edit::{PendingEdit, What};
use super::end::LiveEnd;
use super::event::{Event, Saved};
use super::message::Refusal;
use super::model::Scope;
use super::queue::NotKept;
use super::session::{News, Session};
use crate::id::DocumentId;

/// How a client stands with its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Connecting,
    Connected,
    /// The connection ended, or could not be made; it is tried again in a while.
    Waiting(LiveEnd),
    /// For good.
    Ended(LiveEnd),
}

pub(super) type Answer = Result<Saved, Refusal>;

pub(super) struct State {
    pub session: Session,
    /// Told whenever something of the table has changed, and when all is over.
    changed: BTreeMap<DocumentId, watch::Sender<()>>,
    /// Who waits for the answer to an edit.
    answers: HashMap<String, oneshot::Sender<Answer>>,
    leaving: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.session.fmt(f)
    }
}

#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    /// Wakes the task.
    pub wake: Notify,
    pub status: watch::Sender<Status>,
    /// Told after each answer to an edit.
    answered: watch::Sender<()>,
    events: broadcast::Sender<(DocumentId, Event)>,
}

/// What happens to one table, or to all, as it happens.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<(DocumentId, Event)>,
    only: Option<DocumentId>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, one at a time")]
pub enum Happened {
    To(DocumentId, Event),
    /// So many events were dropped, since nobody took them.
    Dropped(u64),
}

impl Board {
    pub fn new(session: Session, events: usize) -> Self {
        let state = State {
            session,
            changed: BTreeMap::new(),
            answers: HashMap::new(),
            leaving: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Notify::new(),
            status: watch::Sender::new(Status::Connecting),
            answered: watch::Sender::new(()),
            events: broadcast::Sender::new(events.max(1)),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a table: whether it was not followed before; none if there are too many.
    pub fn open(&self, id: &DocumentId, scope: Scope) -> Option<bool> {
        let mut state = self.state();
        let opened = state.session.open(id, scope, Instant::now())?;
        state.changed.entry(id.clone()).or_default();
        drop(state);
        self.wake.notify_one();
        Some(opened)
    }

    /// Does something to the session that may give it something to say, and others something to see.
    pub fn act<T>(&self, id: &DocumentId, act: impl FnOnce(&mut Session) -> T) -> T {
        let mut state = self.state();
        let done = act(&mut state.session);
        state.poke(id);
        drop(state);
        self.wake.notify_one();
        done
    }

    /// Follows a table no more.
    pub fn leave_table(&self, id: &DocumentId) {
        self.act(id, |session| session.leave(id));
        self.state().changed.remove(id);
    }

    /// Takes in an edit. Its answer comes to the receiver.
    pub fn edit(&self, id: &DocumentId, what: What) -> Result<(PendingEdit, oneshot::Receiver<Answer>), NotKept> {
        let mut state = self.state();
        let edit = state.session.edit(id, what, Instant::now())?;
        let (sender, receiver) = oneshot::channel();
        // After the end nobody answers: the sender is dropped at once.
        if !matches!(*self.status.borrow(), Status::Ended(_)) {
            state.answers.insert(edit.change_id().to_owned(), sender);
        }
        state.poke(id);
        drop(state);
        self.wake.notify_one();
        Ok((edit, receiver))
    }

    /// Takes a message in. Why there is no use in going on, if there is none.
    pub fn take(&self, text: &str) -> Result<(), LiveEnd> {
        let mut state = self.state();
        let news = state.session.take(text, Instant::now());
        let news = news.map_err(|why| LiveEnd::Broken(format!("the server sent what is no message: {why}")))?;
        let mut stop = Ok(());
        for news in news {
            match news {
                News::Welcome => self.set_status(Status::Connected),
                News::Of(id, event) => {
                    state.poke(&id);
                    // Nobody listens, or everybody.
                    let _ = self.events.send((id, event));
                }
                News::Answered(change_id, answer) => {
                    if let Some(sender) = state.answers.remove(&change_id) {
                        let _ = sender.send(answer);
                    }
                    self.answered.send_replace(());
                }
                News::Stop(end) => stop = Err(end),
            }
        }
        drop(state);
        // An answer may make room for the next edit, a welcome for everything.
        self.wake.notify_one();
        stop
    }

    pub fn events(&self, only: Option<DocumentId>) -> Events {
        Events {
            receiver: self.events.subscribe(),
            only,
        }
    }

    /// Told of what changes about a table; none if it is not followed.
    pub fn news_of(&self, id: &DocumentId) -> Option<watch::Receiver<()>> {
        self.state().changed.get(id).map(watch::Sender::subscribe)
    }

    pub async fn settled(&self, limit: Duration) -> Result<(), LiveError> {
        let mut answered = self.answered.subscribe();
        let done = async {
            loop {
                // Subscribed before looking: no lost wakeup.
                if self.state().session.queue.is_empty() {
                    return Ok(());
                }
                if let Some(end) = self.ended() {
                    return Err(LiveError::Ended(end));
                }
                let _ = answered.changed().await;
            }
        };
        let what = "answering every edit";
        timeout(limit, done)
            .await
            .map_err(|_| LiveError::TimedOut { what, limit })?
    }

    /// Sets how it stands, unless it has ended.
    pub fn set_status(&self, status: Status) {
        self.status.send_if_modified(|known| {
            let is_new = !matches!(known, Status::Ended(_)) && *known != status;
            if is_new {
                *known = status;
            }
            is_new
        });
    }

    pub fn leave(&self) {
        self.state().leaving = true;
        self.wake.notify_one();
    }

    pub fn is_leaving(&self) -> bool {
        self.state().is_leaving()
    }

    pub fn ended(&self) -> Option<LiveEnd> {
        match &*self.status.borrow() {
            Status::Ended(end) => Some(end.clone()),
            _ => None,
        }
    }

    pub async fn until_ended(&self) -> LiveEnd {
        let mut status = self.status.subscribe();
        loop {
            if let Some(end) = self.ended() {
                return end;
            }
            // We hold the sender.
            let _ = status.changed().await;
        }
    }

    /// It is over, unless it was before; wakes all who wait.
    pub fn finish(&self, end: LiveEnd) {
        self.set_status(Status::Ended(end));
        let mut state = self.state();
        state.session.disconnected();
        state.answers.clear();
        state.changed.values().for_each(|changed| changed.send_replace(()));
        drop(state);
        self.answered.send_replace(());
    }
}

impl State {
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Somebody may have to look again.
    pub fn poke(&self, id: &DocumentId) {
        if let Some(changed) = self.changed.get(id) {
            changed.send_replace(());
        }
    }
}

impl Events {
    /// The next thing that happens.
    pub async fn next(&mut self, limit: Duration) -> Result<Happened, LiveError> {
        let next = async {
            loop {
                return match self.receiver.recv().await {
                    Ok((id, _)) if self.only.as_ref().is_some_and(|only| *only != id) => continue,
                    Ok((id, event)) => Ok(Happened::To(id, event)),
                    Err(broadcast::error::RecvError::Lagged(dropped)) => Ok(Happened::Dropped(dropped)),
                    Err(broadcast::error::RecvError::Closed) => Err(LiveError::Ended(LiveEnd::Left)),
                };
            }
        };
        let what = "the next event";
        timeout(limit, next)
            .await
            .map_err(|_| LiveError::TimedOut { what, limit })?
    }
}
