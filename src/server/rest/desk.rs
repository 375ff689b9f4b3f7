//! From a request to a room and back: waking the document, waiting for a place and for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::transaction::Transaction;
use automerge::{ActorId, AutomergeError};

use super::super::{Server, now_ms};
use super::problem::{Code, Problem};
use super::tombstones;
use crate::document::author::{Author, Door};
use crate::document::crdt::Document;
use crate::id::DocumentId;
use crate::room::{EditError, Edited, Room, Seen, Waking, Writer};
use crate::store::{Need, NoPlace, Place};

/// A request that could not be served by then is told to come back.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of change reserved for one edit before it is made.
const EDIT_BYTES: usize = 64 << 10;

impl Server {
    /// The room of a document, awake. A document that was never stored is not found.
    pub(super) async fn find(&self, id: &DocumentId) -> Result<Arc<Room>, Problem> {
        let room = self.room_awake(id).await?;
        match tombstones::deletion(&room).await? {
            Some(tombstone) => Err(tombstones::gone(id, &tombstone)),
            None if room.exists() => Ok(room),
            None => Err(Problem::new(Code::NotFound, format!("there is no document {id}"))),
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

    /// Makes one change of what `edit` does. It is on disk when this returns.
    pub(super) async fn edit<T: Send + 'static>(
        &self,
        room: Arc<Room>,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<Edited<T>, Problem> {
        let (place, writer) = (self.place().await?, writer());
        let editing = room.clone();
        let edited = off_runtime(move || editing.edit(place, &writer, Instant::now(), edit)).await?;
        let edited = match edited {
            Ok(edited) => edited,
            Err(EditError::Refused(Refused(problem))) => {
                // The refusal was made from the document as it was, which may not be on disk yet.
                self.saved(&room, room.end(), room.epoch()).await?;
                return Err(*problem);
            }
            Err(EditError::Deleted { tombstone, seen }) => {
                self.saved_all(&room, seen).await?;
                return Err(tombstones::gone(room.id(), &tombstone));
            }
            Err(EditError::Key { why, seen }) => {
                self.saved_all(&room, seen).await?;
                return Err(tombstones::key_refused(why));
            }
            Err(EditError::NotAwake) => {
                return Err(Problem::new(
                    Code::Busy,
                    "the document was unloaded meanwhile; try again",
                ));
            }
            Err(EditError::Failed(why)) => return Err(Problem::new(Code::Failed, why)),
        };
        match self.saved(&room, edited.position, edited.epoch).await? {
            true => Ok(edited),
            false => Err(Problem::new(
                Code::NotSaved,
                "the edit could not be written to the disk and was taken back",
            )),
        }
    }

    /// A place in the queue of the committer for one edit.
    pub(super) async fn place(&self) -> Result<Place, Problem> {
        let need = Need {
            changes: 1,
            bytes: EDIT_BYTES,
        };
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

    /// Waits until all of this is on disk. False if it was rolled back.
    pub(super) async fn saved_all(&self, room: &Room, seen: Seen) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_saved(seen))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
    }

    /// Waits until what was seen or done is on disk. False if it was rolled back.
    async fn saved(&self, room: &Room, position: u64, epoch: u64) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_durable(position, epoch))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
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
pub(super) struct Refused(pub Box<Problem>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<AutomergeError> for Refused {
    fn from(error: AutomergeError) -> Self {
        Problem::new(Code::Failed, format!("the library refused the edit: {error}")).into()
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
