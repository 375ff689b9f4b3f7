//! From a request to a room and back: waking the document, looking at it, waiting for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::ActorId;

use super::super::Server;
use super::problem::{Code, Problem};
use super::tombstones;
use crate::document::crdt::Document;
use crate::document::table::{NotATable, TableIndex};
use crate::id::DocumentId;
use crate::room::{Edited, Room, Seen, TableReading, Waking};

/// A request that could not be served by then is told to come back.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

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

    /// Waits until all of this is on disk. False if it was rolled back.
    pub(super) async fn saved_all(&self, room: &Room, seen: Seen) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_saved(seen))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
    }

    /// Waits until what was seen or done is on disk. False if it was rolled back.
    pub(super) async fn saved(&self, room: &Room, position: u64, epoch: u64) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_durable(position, epoch))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
    }
}

fn is_table<T>(id: &DocumentId, seen: Edited<Result<T, NotATable>>) -> Result<Edited<T>, Problem> {
    seen.transpose()
        .map_err(|why| Problem::new(Code::NotATable, format!("document {id}: {why}")))
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
