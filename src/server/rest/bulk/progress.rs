//! How far bulk writes are: those under way, for everybody who waits for one or asks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use super::super::answer::Answered;
use super::super::problem::{Code, Problem};
use super::Work;
use super::routes::Done;
use crate::id::DocumentId;
use crate::key::{Key, KeyId};
use crate::room::{KeyRefusal, Keyed};

/// Where a bulk write stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::server::rest) enum State {
    Running,
    /// All of it is on disk.
    Done,
    /// The server ended meanwhile. Sent again with its key it goes on.
    Stopped,
    /// A slice was refused; what was done before stays. Sent again with its key it is tried again from there.
    Failed,
}

/// How far a bulk write is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub(in crate::server::rest) struct Progress {
    pub state: State,
    /// Changes it is cut into.
    pub slices: usize,
    /// How many of them are on disk.
    pub done: usize,
    /// Cells that all of them write.
    pub cells: usize,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Problem>)]
    pub problem: Option<serde_json::Value>,
    /// What the request is answered, once it is done: for those who did not wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Done>)]
    pub answer: Option<serde_json::Value>,
}

/// What is recorded with each slice. An answer has other fields, so the two are told apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub bulk: Progress,
    /// The version that all of it was checked against; what goes on is made of that version again.
    pub base: String,
}

impl Kept {
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("numbers and a text").into()
    }

    /// What was recorded, if it was not an answer.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// How many slices are passed over. Another version of this program may cut the same request into others, and what
    /// they hold cannot be told any more.
    pub fn goes_on(&self, work: &Work) -> Result<usize, Problem> {
        match (self.bulk.slices, self.bulk.cells) == (work.slices, work.cells) {
            true => Ok(self.bulk.done),
            false => Err(Problem::new(
                Code::Conflict,
                format!(
                    "{} of {} parts of this write are done, and it would be cut into {} now: it cannot go on",
                    self.bulk.done, self.bulk.slices, work.slices
                ),
            )),
        }
    }
}

impl Progress {
    /// What is told of a bulk write that is not under way: it has stopped where it was recorded last, or it was done.
    pub fn told(bytes: &[u8]) -> Self {
        match Kept::decode(bytes) {
            Some(kept) if kept.bulk.state == State::Failed => kept.bulk,
            Some(kept) => Self {
                state: State::Stopped,
                ..kept.bulk
            },
            None => {
                let answered: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
                let number = |name: &str| answered["body"][name].as_u64().unwrap_or(1) as usize;
                Self {
                    state: State::Done,
                    slices: number("slices"),
                    done: number("slices"),
                    cells: number("cells"),
                    problem: None,
                    answer: answered.get("body").cloned(),
                }
            }
        }
    }

    pub fn is_over(&self) -> bool {
        self.state != State::Running
    }
}

/// A bulk write under way.
pub(in crate::server::rest) struct Running {
    pub document: DocumentId,
    pub key: Key,
    /// Whether the document is made by it.
    pub is_new: bool,
    digest: [u8; 32],
    progress: watch::Sender<Progress>,
    /// Set before the progress says that it is over.
    outcome: Mutex<Option<Result<Answered, Problem>>>,
}

impl Running {
    pub fn address(&self) -> String {
        let key = utf8_percent_encode(self.key.as_str(), NON_ALPHANUMERIC);
        format!("/v1/tables/{}/bulk/{key}", self.document)
    }

    /// The progress now, and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// One more slice is on disk.
    pub fn did(&self, done: usize) {
        self.progress.send_modify(|progress| progress.done = done);
    }

    /// It is over.
    pub fn end(&self, state: State, outcome: Result<Answered, Problem>) {
        let problem = outcome.as_ref().err().map(|problem| json!(problem));
        let answer = outcome.as_ref().ok().and_then(Answered::body).cloned();
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.progress.send_modify(|progress| {
            progress.state = state;
            progress.problem = problem;
            progress.answer = answer;
        });
    }

    /// Waits for the end. The answer of one that was done, the problem of one that was not.
    pub async fn ended(&self) -> Result<Response, Problem> {
        let mut progress = self.watch();
        let _over = progress.wait_for(Progress::is_over).await;
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match outcome {
            Some(Ok(answered)) => Ok(answered.into_response()),
            Some(Err(problem)) => Err(problem),
            None => Err(Problem::new(
                Code::Busy,
                "the server is shutting down; send it again with its key",
            )),
        }
    }
}

/// How many bulk writes that have ended are remembered: one that failed before its first slice is recorded nowhere else.
const ENDED: usize = 64;

/// The bulk writes under way.
pub(in crate::server) struct Bulks {
    most: usize,
    /// A leaf.
    list: Mutex<List>,
    /// How many are under way.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct List {
    running: HashMap<(DocumentId, KeyId), Arc<Running>>,
    /// The newest last.
    ended: VecDeque<Arc<Running>>,
}

/// What became of the wish to begin one.
pub(super) enum Start {
    Begun(Arc<Running>),
    UnderWay(Arc<Running>),
}

impl Bulks {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            list: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    /// Waits until none is under way.
    pub async fn ended_all(&self) {
        let mut count = self.count.subscribe();
        let _none = count.wait_for(|count| *count == 0).await;
    }

    /// The one with this key, which must be the same request.
    pub(super) fn find(&self, document: &DocumentId, keyed: &Keyed) -> Result<Option<Arc<Running>>, Problem> {
        same(
            self.list().running.get(&(document.clone(), keyed.key.id())).cloned(),
            keyed,
        )
    }

    /// The one with this key, under way or ended lately, whatever it was asked to do.
    pub(super) fn named(&self, document: &DocumentId, key: &Key) -> Option<Arc<Running>> {
        let list = self.list();
        let ended = || {
            list.ended
                .iter()
                .rev()
                .find(|ended| ended.document == *document && ended.key == *key)
        };
        list.running.get(&(document.clone(), key.id())).or_else(ended).cloned()
    }

    pub(super) fn start(
        &self,
        document: &DocumentId,
        keyed: &Keyed,
        work: &Work,
        done: usize,
        is_new: bool,
    ) -> Result<Start, Problem> {
        let running = &mut self.list().running;
        let name = (document.clone(), keyed.key.id());
        if let Some(other) = same(running.get(&name).cloned(), keyed)? {
            return Ok(Start::UnderWay(other));
        }
        if running.len() >= self.most {
            return Err(Problem::new(
                Code::Busy,
                format!("{} bulk writes are under way already; try again", self.most),
            ));
        }
        let progress = Progress {
            state: State::Running,
            slices: work.slices,
            done,
            cells: work.cells,
            problem: None,
            answer: None,
        };
        let begun = Arc::new(Running {
            document: document.clone(),
            key: keyed.key.clone(),
            is_new,
            digest: keyed.digest,
            progress: watch::Sender::new(progress),
            outcome: Mutex::default(),
        });
        running.insert(name, begun.clone());
        self.count.send_replace(running.len());
        Ok(Start::Begun(begun))
    }

    pub(super) fn ended(&self, running: &Running) {
        let mut list = self.list();
        if let Some(ended) = list.running.remove(&(running.document.clone(), running.key.id())) {
            list.ended.push_back(ended);
            if list.ended.len() > ENDED {
                list.ended.pop_front();
            }
        }
        self.count.send_replace(list.running.len());
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same(found: Option<Arc<Running>>, keyed: &Keyed) -> Result<Option<Arc<Running>>, Problem> {
    match found {
        Some(running) if running.digest != keyed.digest => {
            Err(Problem::new(Code::KeyReused, KeyRefusal::Reused.to_string()))
        }
        found => Ok(found),
    }
}
