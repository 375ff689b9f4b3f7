//! From a request to a room and back: waking the document, waiting for a place and for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::transaction::Transaction;
use automerge::{ActorId, AutomergeError};
use axum::response::Response;

use super::super::{Server, now_ms};
use super::answer::Answer;
use super::asked::Asked;
use super::problem::{Code, Problem};
use crate::document::author::{Author, Door};
use crate::document::crdt::Document;
use crate::document::table::{NotATable, TableIndex};
use crate::id::DocumentId;
use crate::room::{EditError, Edited, Room, TableReading, Waking, Writer};
use crate::store::{Need, NoPlace, Place};

/// A request that could not be served by then is told to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of change reserved for one edit before it is made.
const EDIT_BYTES: usize = 64 << 10;

impl Server {
    /// The room of a document, awake. A document that was never stored is not found.
    pub(super) async fn find(&self, id: &DocumentId) -> Result<Arc<Room>, Problem> {
        let room = self.room_awake(id).await?;
        match room.exists() {
            true => Ok(room),
            false => Err(Problem::new(Code::NotFound, format!("there is no document {id}"))),
        }
    }

    /// The room of a document that may not exist yet, awake.
    pub(super) async fn room_awake(&self, id: &DocumentId) -> Result<Arc<Room>, Problem> {
        let room = self
            .rooms
            .open(id, Instant::now())
            .map_err(|error| Problem::new(Code::Busy, error.to_string()))?;
        let waking = tokio::time::timeout(PATIENCE, wake(&room)).await;
        waking.map_err(|_| Problem::new(Code::Busy, "the document takes long to load; try again"))??;
        Ok(room)
    }

    /// Reads from a document. What is read is on disk when this returns.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        id: &DocumentId,
        look: impl Fn(&Document) -> T + Send + Sync + 'static,
    ) -> Result<Edited<T>, Problem> {
        let look = Arc::new(look);
        loop {
            let room = self.find(id).await?;
            let (reading, looking) = (room.clone(), look.clone());
            let seen = off_runtime(move || reading.look(Instant::now(), |document| looking(document))).await?;
            // Fallen asleep in between: once more.
            let Ok(seen) = seen else { continue };
            if self.saved(&room, seen.position, seen.epoch).await? {
                return Ok(seen);
            }
        }
    }

    /// Reads from a table. What is read is on disk when this returns.
    pub(super) async fn look_table<T: Send + 'static>(
        &self,
        id: &DocumentId,
        look: impl Fn(&Document, &TableIndex) -> T + Send + Sync + 'static,
    ) -> Result<Edited<T>, Problem> {
        let look = Arc::new(look);
        loop {
            let room = self.find(id).await?;
            let (reading, looking) = (room.clone(), look.clone());
            let look = move || reading.look_table(Instant::now(), |document, index| looking(document, index));
            // Fallen asleep in between: once more.
            let Ok(seen) = off_runtime(look).await? else { continue };
            if self.saved(&room, seen.position, seen.epoch).await? {
                return is_table(id, seen);
            }
        }
    }

    /// A copy of a table for work that goes over all of its rows. What is in it is on disk when this returns.
    pub(super) async fn read_table(&self, id: &DocumentId) -> Result<Edited<Arc<TableReading>>, Problem> {
        loop {
            let room = self.find(id).await?;
            let reading = room.clone();
            let Ok(seen) = off_runtime(move || reading.read_table(Instant::now())).await? else {
                continue;
            };
            if self.saved(&room, seen.position, seen.epoch).await? {
                return is_table(id, seen);
            }
        }
    }

    /// Makes one change of what `edit` does, once for each key, and answers when it is on disk.
    pub(super) async fn write(
        &self,
        room: Arc<Room>,
        asked: &Asked,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<Answer, Refused> + Send + 'static,
    ) -> Result<Response, Problem> {
        let _ = asked.digest;
        let (place, writer) = (self.place(EDIT_BYTES).await?, writer());
        let editing = room.clone();
        let edited = off_runtime(move || editing.edit(place, &writer, Instant::now(), edit)).await?;
        self.finish(&room, edited).await
    }

    /// As [`write`](Self::write), of a table: the index is of the version that is edited.
    pub(super) async fn write_table(
        &self,
        id: &DocumentId,
        asked: &Asked,
        edit: impl FnOnce(&mut Transaction<'_>, &TableIndex) -> Result<Answer, Refused> + Send + 'static,
    ) -> Result<Response, Problem> {
        let _ = asked.digest;
        let room = self.find(id).await?;
        let (place, writer) = (self.place(EDIT_BYTES.max(2 * asked.body.len())).await?, writer());
        let editing = room.clone();
        let edited = off_runtime(move || editing.edit_table(place, &writer, Instant::now(), edit)).await?;
        self.finish(&room, edited).await
    }

    /// A place in the queue of the disk, for one change of about so many bytes.
    async fn place(&self, bytes: usize) -> Result<Place, Problem> {
        self.reserve(Need { changes: 1, bytes }).await
    }

    /// A place in the queue of the disk.
    pub(super) async fn reserve(&self, need: Need) -> Result<Place, Problem> {
        tokio::time::timeout(PATIENCE, self.store.reserve(need))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))?
            .map_err(|error| match error {
                NoPlace::ReadOnly(reason) => {
                    Problem::new(Code::ReadOnly, format!("the store takes no edits: {reason}"))
                }
                NoPlace::Full => Problem::new(Code::Busy, "the disk is behind; try again"),
            })
    }

    /// Waits for the disk, then says what came of an edit.
    pub(super) async fn finish(
        &self,
        room: &Room,
        edited: Result<Edited<Answer>, EditError<Refused>>,
    ) -> Result<Response, Problem> {
        let edited = match edited {
            Ok(edited) => edited,
            Err(EditError::Refused(Refused(problem))) => {
                // The refusal was made from the document as it was, which may not be on disk yet.
                self.saved(room, room.end(), room.epoch()).await?;
                return Err(*problem);
            }
            Err(EditError::NotAwake) => {
                return Err(Problem::new(
                    Code::Busy,
                    "the document was unloaded meanwhile; try again",
                ));
            }
            Err(EditError::Failed(why)) => return Err(Problem::new(Code::Failed, why)),
        };
        match self.saved(room, edited.position, edited.epoch).await? {
            true => Ok(edited.value.into_response(&edited.heads)),
            false => Err(Problem::new(
                Code::NotSaved,
                "the edit could not be written to the disk and was taken back",
            )),
        }
    }

    /// Waits until what was seen or done is on disk. False if it was rolled back.
    pub(super) async fn saved(&self, room: &Room, position: u64, epoch: u64) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_durable(position, epoch))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
    }
}

/// Why an edit said no.
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

impl From<AutomergeError> for Refused {
    fn from(error: AutomergeError) -> Self {
        Problem::new(Code::Failed, format!("the library refused the edit: {error}")).into()
    }
}

fn is_table<T>(id: &DocumentId, seen: Edited<Result<T, NotATable>>) -> Result<Edited<T>, Problem> {
    let Edited {
        value,
        position,
        epoch,
        heads,
    } = seen;
    let value = value.map_err(|why| Problem::new(Code::NotATable, format!("document {id}: {why}")))?;
    Ok(Edited {
        value,
        position,
        epoch,
        heads,
    })
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

async fn wake(room: &Arc<Room>) -> Result<(), Problem> {
    loop {
        match room.begin_wake(Instant::now()) {
            Waking::Awake => return Ok(()),
            Waking::Failed(reason) => {
                return Err(Problem::new(
                    Code::Failed,
                    format!("the document cannot be loaded: {reason}"),
                ));
            }
            Waking::Begun => {
                let waking = room.clone();
                off_runtime(move || waking.wake(ActorId::random(), Instant::now())).await?;
            }
            Waking::UnderWay => room.until(|room| room.is_settled().then_some(())).await,
        }
    }
}

/// Runs heavy work on a worker thread.
pub(super) async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::new(Code::Failed, "the server failed over this request; the log says more"))
}
