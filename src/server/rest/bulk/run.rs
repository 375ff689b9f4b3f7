//! A bulk write under way: slice after slice, each when its turn has come, each on disk before the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::super::super::{Server, now_ms};
use super::super::answer::{Answer, Answered};
use super::super::desk::off_runtime;
use super::super::problem::{Code, Problem};
use super::super::write::{Refused, writer};
use super::progress::{Kept, Progress, Running, State};
use super::{Slice, Work};
use crate::document::table::batch::{self, EditFailed};
use crate::document::table::{Stamp, TableIndex, create};
use crate::room::{EditError, Keyed, Once, Room};
use crate::sync::log::Heads;

/// The bytes of change reserved for one slice; a slice with one large value takes more, and the store takes it as it is.
const SLICE_BYTES: usize = 512 << 10;

pub(super) struct Run {
    pub server: Arc<Server>,
    pub room: Arc<Room>,
    pub keyed: Keyed,
    /// The version that all of it was checked against.
    pub base: String,
    pub running: Arc<Running>,
    /// What the file or the body takes of the budget of all bodies.
    pub _receiving: Vec<OwnedSemaphorePermit>,
}

/// Takes the run off the list of those under way, also when it panics.
struct Listed(Arc<Server>, Arc<Running>);

impl Drop for Listed {
    fn drop(&mut self) {
        if !self.1.watch().borrow().is_over() {
            let problem = Problem::new(Code::Failed, "the server failed over this request; the log says more");
            self.1.end(State::Stopped, Err(problem));
        }
        self.0.bulks.ended(&self.1);
    }
}

impl Run {
    /// Goes on behind what was done before, of which `before` is the record.
    pub async fn run(self, work: Work, mut before: Option<Bytes>) {
        let _listed = Listed(self.server.clone(), self.running.clone());
        match self.slices(work, &mut before).await {
            Ok(answered) => self.running.end(State::Done, Ok(answered)),
            Err((state, problem)) => {
                if state == State::Failed {
                    self.record_failure(before, &problem).await;
                }
                tracing::info!(document = %self.room.id(), key = %self.keyed.key, why = %problem.detail, "a bulk write ended early");
                self.running.end(state, Err(problem));
            }
        }
    }

    /// `before` is what was recorded last, whatever comes of it.
    async fn slices(&self, work: Work, before: &mut Option<Bytes>) -> Result<Answered, (State, Problem)> {
        let Work {
            slices,
            cells,
            make,
            about,
        } = work;
        let stopped = |why: &str| (State::Stopped, Problem::new(Code::Busy, why));
        let done_before = self.running.watch().borrow().done;
        let mut make = make.enumerate().skip(done_before);
        loop {
            // Making a slice of an import takes about a millisecond.
            let made = off_runtime(move || {
                let next = make.next();
                (next, make)
            });
            let (next, rest) = made.await.map_err(|problem| (State::Failed, problem))?;
            make = rest;
            let Some((number, slice)) = next else { break };
            if self.server.draining.load(Ordering::Acquire) {
                return Err(stopped(
                    "the server is shutting down; send the request again with its key",
                ));
            }
            let keep = self.record(number + 1, slices, cells, &about);
            let recorded = self.slice(slice, before.clone(), keep).await?;
            if let Ok(answered) = serde_json::from_slice(&recorded) {
                self.running.did(slices);
                return Ok(answered);
            }
            self.running.did(number + 1);
            *before = Some(recorded);
        }
        Err((
            State::Failed,
            Problem::new(Code::Failed, "there was nothing left to do"),
        ))
    }

    /// What is recorded with a slice: how far it is, and with the last one the answer.
    fn record(
        &self,
        done: usize,
        slices: usize,
        cells: usize,
        about: &Map<String, Value>,
    ) -> Arc<impl Fn(&Heads) -> Bytes + Send + Sync + 'static> {
        let kept = Kept {
            bulk: Progress {
                state: State::Running,
                slices,
                done,
                cells,
                problem: None,
                answer: None,
            },
            base: self.base.clone(),
        };
        let mut body = about.clone();
        let id = self.room.id();
        body.extend([
            ("table".to_owned(), json!(id.to_string())),
            ("url".to_owned(), json!(id.url())),
            ("key".to_owned(), json!(self.keyed.key.as_str())),
            ("slices".to_owned(), json!(slices)),
            ("cells".to_owned(), json!(cells)),
        ]);
        let answer = match self.running.is_new {
            true => Answer::created(body, format!("/v1/tables/{id}")),
            false => Answer::ok(body),
        };
        Arc::new(move |heads: &Heads| match done == slices {
            true => answer.at(heads).encode(),
            false => kept.encode(),
        })
    }

    /// Records under the key why a slice was refused, so that those who ask later are told.
    async fn record_failure(&self, before: Option<Bytes>, problem: &Problem) {
        let progress = self.running.watch().borrow().clone();
        let failed = Kept {
            bulk: Progress {
                state: State::Failed,
                problem: Some(json!(problem)),
                ..progress
            },
            base: self.base.clone(),
        };
        let keyed = match before {
            Some(before) => self.keyed.going_on(before),
            None => self.keyed.clone(),
        };
        let Ok(place) = self.server.place(0).await else { return };
        let recording = self.room.clone();
        let recorded = off_runtime(move || recording.record(place, &writer(), &keyed, failed.encode())).await;
        if let Ok(Ok(once)) = recorded {
            let _saved = self.server.saved_all(&self.room, once.seen()).await;
        }
    }

    /// One slice, when its turn has come. Returns what was recorded with it, once that is on disk.
    async fn slice(
        &self,
        slice: Slice,
        before: Option<Bytes>,
        keep: Arc<impl Fn(&Heads) -> Bytes + Send + Sync + 'static>,
    ) -> Result<Bytes, (State, Problem)> {
        let refused = |problem: Problem| match problem.code {
            // Not now, but perhaps later.
            Code::Busy => (State::Stopped, problem),
            _ => (State::Failed, problem),
        };
        let keyed = match before {
            Some(before) => self.keyed.going_on(before),
            None => self.keyed.clone(),
        };
        let place = self
            .server
            .place(SLICE_BYTES)
            .await
            .map_err(|problem| (State::Stopped, problem))?;
        let turn = self.room.bulk_turn().await;
        let began = tokio::time::Instant::now();
        let room = self.server.room_awake(self.room.id()).await.map_err(refused)?;
        let (editing, keeping) = (room.clone(), keep.clone());
        let edited = off_runtime(move || match slice {
            Slice::Table { title } => {
                let make = |tx: &mut Transaction<'_>, _: &[ChangeHash]| create(tx, &title).map_err(Refused::from);
                let kept = |(): &(), heads: &Heads| keeping(heads);
                editing.edit_once(place, &writer(), Instant::now(), Some(&keyed), make, kept)
            }
            Slice::Edits(edits) => {
                let stamp = Stamp {
                    at: now_ms() as i64,
                    by: "http".into(),
                };
                // Ids were drawn when the slice was made; what is left to chance is where new rows find a block.
                let mut rng = SmallRng::from_os_rng();
                let edit = |tx: &mut Transaction<'_>, index: &TableIndex| {
                    batch::edit(tx, index, &edits, &stamp, &mut rng)
                        .map(|_| ())
                        .map_err(unedited)
                };
                let kept = |(): &(), heads: &Heads| keeping(heads);
                editing.edit_table_once(place, &writer(), Instant::now(), Some(&keyed), edit, kept)
            }
        });
        let edited = edited.await.map_err(refused)?;
        let recorded = self.recorded(&room, edited, &*keep).await;
        // The turn is kept for its time: a browser takes longer over these cells than the server, and what people type
        // waits behind them there.
        if !room.audience().is_empty() {
            tokio::time::sleep_until(began + self.server.config.rest.bulk_pace).await;
        }
        drop(turn);
        recorded
    }

    /// Waits until the slice is on disk. What was recorded with it is made of the same version again.
    async fn recorded(
        &self,
        room: &Room,
        edited: Result<Once<()>, EditError<Refused>>,
        keep: impl Fn(&Heads) -> Bytes,
    ) -> Result<Bytes, (State, Problem)> {
        let once = match edited {
            Ok(once) => once,
            Err(error) => {
                let state = match error {
                    EditError::NotAwake => State::Stopped,
                    _ => State::Failed,
                };
                let problem = self.server.refusal(room, error).await;
                return Err((state, problem.unwrap_or_else(|problem| problem)));
            }
        };
        let saved = self.server.confirmed(room, once.seen()).await;
        if !saved.map_err(|problem| (State::Stopped, problem))? {
            let why = "a slice could not be written to the disk and was taken back";
            return Err((State::Stopped, Problem::new(Code::NotSaved, why)));
        }
        match once {
            Once::Done(edited) => Ok(keep(&edited.heads)),
            // The same request came twice, and the other one was done between our looking and our beginning.
            Once::Replayed(edited) if Kept::decode(&edited.value).is_none() => Ok(edited.value),
            Once::Replayed(_) => Err((
                State::Stopped,
                Problem::new(
                    Code::Busy,
                    "the same request has got further elsewhere; send it again with its key",
                ),
            )),
        }
    }
}

fn unedited(failed: EditFailed) -> Refused {
    match failed {
        EditFailed::Refused(refused) => {
            let problem = Problem::new(Code::Refused, refused.to_string());
            problem.into()
        }
        EditFailed::Document(error) => error.into(),
        EditFailed::Stale => Problem::new(Code::Failed, EditFailed::Stale.to_string()).into(),
    }
}
