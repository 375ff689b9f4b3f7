//! Writes: one change, once for each idempotency key, on disk before it is answered.

use std::sync::Arc;
use std::time::Instant;

use automerge::transaction::Transaction;
use automerge::{AutomergeError, ChangeHash};
use axum::response::{IntoResponse, Response};

use super::super::{Server, now_ms};
use super::answer::{Answer, Answered};
use super::asked::Asked;
use super::desk::{PATIENCE, off_runtime};
use super::problem::{Code, Problem};
use super::tombstones;
use crate::document::author::{Author, Door};

use crate::document::table::{CreateError, NotATable, TableIndex};
use crate::id::DocumentId;
use crate::room::{EditError, Keyed, Once, Room, Writer};
use crate::store::{MAX_ANSWER, Need, NoPlace, Place, StoreFailure};

/// The bytes of change and of answer reserved for one edit before it is made, at least.
const EDIT_BYTES: usize = (64 << 10) + MAX_ANSWER;

impl Server {
    /// Makes one change of what `edit` does, and answers when it is on disk. The edit is given the version it is made on.
    pub(super) async fn write(
        &self,
        room: Arc<Room>,
        asked: &Asked,
        edit: impl FnOnce(&mut Transaction<'_>, &[ChangeHash]) -> Result<Answer, Refused> + Send + 'static,
    ) -> Result<Response, Problem> {
        let (place, writer, keyed) = (self.place(asked.body.len()).await?, writer(), asked.keyed());
        let editing = room.clone();
        let edited = off_runtime(move || {
            editing.edit_once(place, &writer, Instant::now(), keyed.as_ref(), edit, |answer, heads| {
                answer.at(heads).encode()
            })
        });
        self.finish(&room, edited.await?).await
    }

    /// As [`write`](Self::write), of a table: the index is of the version that is edited.
    pub(super) async fn write_table(
        &self,
        id: &DocumentId,
        asked: &Asked,
        edit: impl FnOnce(&mut Transaction<'_>, &TableIndex) -> Result<Answer, Refused> + Send + 'static,
    ) -> Result<Response, Problem> {
        let room = self.find_to_write(id, asked).await?;
        let (place, writer, keyed) = (self.place(asked.body.len()).await?, writer(), asked.keyed());
        let editing = room.clone();
        let edited = off_runtime(move || {
            editing.edit_table_once(place, &writer, Instant::now(), keyed.as_ref(), edit, |answer, heads| {
                answer.at(heads).encode()
            })
        });
        self.finish(&room, edited.await?).await
    }

    /// Makes a change beside what a request asked for: with its key, once.
    pub(super) async fn change(
        &self,
        room: &Arc<Room>,
        keyed: Option<&Keyed>,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<(), Refused> + Send + 'static,
    ) -> Result<(), Problem> {
        let (place, editing) = (self.place(0).await?, room.clone());
        let keyed = keyed.cloned();
        let edit = move |tx: &mut Transaction<'_>, _: &[ChangeHash]| edit(tx).map(|()| Answer::done());
        let edited = off_runtime(move || {
            editing.edit_once(
                place,
                &writer(),
                Instant::now(),
                keyed.as_ref(),
                edit,
                |answer, heads| answer.at(heads).encode(),
            )
        });
        self.finish(room, edited.await?).await.map(drop)
    }

    /// A place in the queue of the committer, for one change made from so many bytes of a request.
    pub(super) async fn place(&self, bytes: usize) -> Result<Place, Problem> {
        let bytes = EDIT_BYTES + 2 * bytes;
        self.reserve(Need { changes: 1, bytes }).await
    }

    /// A place in the queue of the committer.
    pub(in crate::server) async fn reserve(&self, need: Need) -> Result<Place, Problem> {
        tokio::time::timeout(PATIENCE, self.store.reserve(need))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))?
            .map_err(|error| match error {
                NoPlace::ReadOnly(reason) if matches!(*reason, StoreFailure::Closed) => {
                    Problem::new(Code::Busy, "the server is shutting down; try again")
                }
                NoPlace::ReadOnly(reason) => {
                    Problem::new(Code::ReadOnly, format!("the store takes no edits: {reason}"))
                }
                NoPlace::Full => Problem::new(Code::Busy, "the disk is behind; try again"),
            })
    }

    /// Waits for the disk, then says what came of an edit.
    async fn finish(&self, room: &Room, edited: Result<Once<Answer>, EditError<Refused>>) -> Result<Response, Problem> {
        let once = match edited {
            Ok(once) => once,
            Err(error) => return Err(self.refusal(room, error).await?),
        };
        if !self.confirmed(room, once.seen()).await? {
            return Err(Problem::new(
                Code::NotSaved,
                "the edit could not be written to the disk and was taken back",
            ));
        }
        match once {
            Once::Done(edited) => Ok(edited.value.at(&edited.heads).into_response()),
            Once::Replayed(edited) => Answered::replay(&edited.value),
        }
    }

    /// What is answered to an edit that did not happen, once that may be told.
    pub(super) async fn refusal(&self, room: &Room, error: EditError<Refused>) -> Result<Problem, Problem> {
        let (seen, problem) = match error {
            EditError::Deleted { tombstone, seen } => (seen, tombstones::gone(room.id(), &tombstone)),
            EditError::Key { why, seen } => (seen, tombstones::key_refused(why)),
            // The refusal was made from the document as it was, which may not be on disk yet.
            EditError::Refused(Refused(problem)) => (room.seen(), *problem),
            EditError::NotAwake => {
                return Ok(Problem::new(
                    Code::Busy,
                    "the document was unloaded meanwhile; try again",
                ));
            }
            EditError::Failed(why) => return Ok(Problem::new(Code::Failed, why)),
        };
        self.saved_all(room, seen).await?;
        Ok(problem)
    }
}

/// Who writes over HTTP.
pub(super) fn writer() -> Writer {
    let author = Author {
        time: now_ms() as u64,
        user: None,
        device: "http".into(),
        door: Door::Rest,
    };
    Writer {
        author,
        connection: None,
    }
}

/// Why an edit said no.
#[derive(Debug)]
pub(super) struct Refused(pub Box<Problem>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<NotATable> for Refused {
    fn from(why: NotATable) -> Self {
        Problem::new(Code::NotATable, why.to_string()).into()
    }
}

impl From<CreateError> for Refused {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Document(error) => error.into(),
            error @ (CreateError::NotEmpty | CreateError::LongTitle) => {
                Problem::new(Code::Refused, error.to_string()).into()
            }
        }
    }
}

impl From<AutomergeError> for Refused {
    fn from(error: AutomergeError) -> Self {
        Problem::new(Code::Failed, format!("the library refused the edit: {error}")).into()
    }
}
