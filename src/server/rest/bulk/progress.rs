//! How far bulk writes are: those under way, for everybody who waits for one or asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
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
}

impl Progress {
    /// What is told of a bulk write that is not under way: it has stopped where it was recorded last, or it was done.
    pub fn told(bytes: &[u8]) -> Self {
        match Kept::decode(bytes) {
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
        format!("/v1/tables/{}/bulk/{}", self.document, self.key)
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

/// The bulk writes under way.
pub(in crate::server) struct Bulks {
    most: usize,
    /// A leaf.
    running: Mutex<HashMap<(DocumentId, KeyId), Arc<Running>>>,
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
            running: Mutex::default(),
        }
    }

    /// The one with this key, which must be the same request.
    pub(super) fn find(&self, document: &DocumentId, keyed: &Keyed) -> Result<Option<Arc<Running>>, Problem> {
        same(self.named(document, &keyed.key), keyed)
    }

    /// The one with this key, whatever it was asked to do.
    pub(super) fn named(&self, document: &DocumentId, key: &Key) -> Option<Arc<Running>> {
        self.running().get(&(document.clone(), key.id())).cloned()
    }

    pub(super) fn start(
        &self,
        document: &DocumentId,
        keyed: &Keyed,
        work: &Work,
        done: usize,
        is_new: bool,
    ) -> Result<Start, Problem> {
        let mut running = self.running();
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
        Ok(Start::Begun(begun))
    }

    pub(super) fn ended(&self, running: &Running) {
        self.running().remove(&(running.document.clone(), running.key.id()));
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(DocumentId, KeyId), Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
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
