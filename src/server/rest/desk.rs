//! From a request to a room and back: waking the document, looking at it, waiting for the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::ActorId;
use tokio::sync::Semaphore;

use super::super::Server;
use super::asked::Asked;
use super::problem::{Code, Problem};
use super::tombstones;
use crate::document::crdt::Document;
use crate::document::table::{NotATable, TableIndex};
use crate::id::DocumentId;
use crate::room::{Edited, Room, Seen, TableReading, Views, Waking};

/// A request that could not be served by then is told to come back. The tests of this crate wait for it to pass.
pub(super) const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

impl Server {
    /// The room of a document, awake. A document that was never stored is not found.
    pub(in crate::server) async fn find(&self, id: &DocumentId) -> Result<Arc<Room>, Problem> {
        let room = self.room_awake(id).await?;
        match tombstones::deletion(&room).await? {
            Some(tombstone) => Err(tombstones::gone(id, &tombstone)),
            None if room.exists() => Ok(room),
            None => Err(Problem::new(Code::NotFound, format!("there is no document {id}"))),
        }
    }

    /// The room of a document that is to be written to, awake. What was done under a key before is told also if the document
    /// was deleted meanwhile, so that with a key the room itself says that it is deleted.
    pub(super) async fn find_to_write(&self, id: &DocumentId, asked: &Asked) -> Result<Arc<Room>, Problem> {
        match self.find(id).await {
            Err(problem) if problem.code == Code::Deleted && asked.keyed().is_some() => self.room_awake(id).await,
            found => found,
        }
    }

    /// The room of a document that may not exist yet, awake.
    pub(in crate::server) async fn room_awake(&self, id: &DocumentId) -> Result<Arc<Room>, Problem> {
        let room = self
            .rooms
            .open(id, Instant::now())
            .map_err(|error| Problem::new(Code::Busy, error.to_string()))?;
        let waking = tokio::time::timeout(PATIENCE, wake(&self.loads, &room)).await;
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
        self.look_views(id, move |document, index, _| look(document, index))
            .await
    }

    /// As [`look_table`](Self::look_table), with the views of the table that are at hand.
    pub(super) async fn look_views<T: Send + 'static>(
        &self,
        id: &DocumentId,
        look: impl Fn(&Document, &TableIndex, &mut Views<'_>) -> T + Send + Sync + 'static,
    ) -> Result<Edited<T>, Problem> {
        let look = Arc::new(look);
        loop {
            let room = self.find(id).await?;
            let (reading, looking) = (room.clone(), look.clone());
            let look = move || {
                let look =
                    |document: &Document, index: &TableIndex, views: &mut Views<'_>| looking(document, index, views);
                reading.look_views(Instant::now(), look)
            };
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

    /// Waits until an edit that was made is on disk. False if it was rolled back. One that is still waiting stays in the
    /// queue: told to try again, its client would do it twice.
    pub(in crate::server) async fn confirmed(&self, room: &Room, made: Seen) -> Result<bool, Problem> {
        let why = "the edit is made but not yet confirmed on disk; send it again only with its Idempotency-Key";
        tokio::time::timeout(PATIENCE, room.until_saved(made))
            .await
            .map_err(|_| Problem::new(Code::NotConfirmed, why))
    }

    /// Waits until what was seen or done is on disk. False if it was rolled back.
    pub(in crate::server) async fn saved(&self, room: &Room, position: u64, epoch: u64) -> Result<bool, Problem> {
        tokio::time::timeout(PATIENCE, room.until_durable(position, epoch))
            .await
            .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
    }
}

fn is_table<T>(id: &DocumentId, seen: Edited<Result<T, NotATable>>) -> Result<Edited<T>, Problem> {
    seen.transpose()
        .map_err(|why| Problem::new(Code::NotATable, format!("document {id}: {why}")))
}

async fn wake(loads: &Arc<Semaphore>, room: &Arc<Room>) -> Result<(), Problem> {
    loop {
        match room.begin_wake(Instant::now()) {
            // Somebody is in the slot who has not found the document awake either, but asks for it as we do. What there is
            // in a room that was never opened nobody knows: it would look as if there was no such document.
            Waking::Awake if !room.is_opened() => {
                room.until(|room| (room.is_opened() || room.is_settled()).then_some(()))
                    .await;
            }
            Waking::Awake => return Ok(()),
            Waking::Failed(reason) => {
                return Err(Problem::new(
                    Code::Failed,
                    format!("the document cannot be loaded: {reason}"),
                ));
            }
            Waking::Begun => {
                let (waking, loads) = (room.clone(), loads.clone());
                // A task of its own: a load that was begun goes on to its end even if this request does not.
                let loading = tokio::spawn(async move {
                    let turn = loads.acquire_owned().await;
                    let load = move || {
                        waking.wake(ActorId::random(), Instant::now());
                        drop(turn);
                    };
                    off_runtime(load).await
                });
                loading.await.map_err(|_| failed_over())??;
            }
            Waking::UnderWay => room.until(|room| room.is_settled().then_some(())).await,
        }
    }
}

/// Runs heavy work on a worker thread.
pub(in crate::server) async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| failed_over())
}

/// A task that worked for a request panicked.
pub(super) fn failed_over() -> Problem {
    Problem::new(Code::Failed, "the server failed over this request; the log says more")
}

#[cfg(test)]
mod tests {
    use automerge::ROOT;
    use automerge::transaction::{Transactable, Transaction};

    use super::super::write::Refused;
    use super::*;
    use crate::server::config::Config;
    use crate::store::memory::MemoryEngine;
    use crate::store::{Store, StoreLimits};

    fn server(engine: &MemoryEngine) -> Arc<Server> {
        let (store, committer) = Store::open(Arc::new(engine.clone()), StoreLimits::default()).unwrap();
        std::thread::spawn(move || committer.run());
        Server::new(Config::default(), store)
    }

    fn some_document() -> DocumentId {
        DocumentId::from_uuid(uuid::Uuid::from_u128(1))
    }

    async fn put(server: &Server, room: &Arc<Room>, value: i64) -> Result<(), Problem> {
        let edit = move |tx: &mut Transaction<'_>| tx.put(ROOT, "n", value).map_err(Refused::from);
        server.change(room, None, edit).await
    }

    /// Requests loaded documents all at once, whatever `rooms.loads` said. One that gives up waiting for its turn leaves the
    /// load to its task, and the next request finds the document.
    #[tokio::test]
    async fn loading_a_document_takes_its_turn() {
        let server = server(&MemoryEngine::new());
        let all = server.config.rooms.loads as u32;
        let turns = server.loads.clone().acquire_many_owned(all).await.unwrap();
        let waited = server.room_awake(&some_document()).await.err();
        assert_eq!(waited.map(|problem| problem.code), Some(Code::Busy));
        let room = server.rooms.open(&some_document(), Instant::now()).unwrap();
        assert!(!room.is_opened());
        drop(turns);
        room.until(|room| room.is_opened().then_some(())).await;
    }

    /// The disk was slow, and the client was told to try again: it did, and had its edit twice.
    #[tokio::test]
    async fn an_edit_that_waits_for_the_disk_is_said_to_be_made() {
        let engine = MemoryEngine::new();
        let server = server(&engine);
        let room = server.room_awake(&some_document()).await.unwrap();
        engine.hold_syncs();
        let unconfirmed = put(&server, &room, 1).await.unwrap_err();
        assert_eq!((unconfirmed.code, unconfirmed.status), (Code::NotConfirmed, 503));
        assert!(!room.exists() && room.end() == 1);
        let read = server.saved_all(&room, room.seen()).await.unwrap_err();
        assert_eq!(read.code, Code::Busy);
        engine.release_syncs();
    }

    /// Writes of the last moment were told that the store had failed for good.
    #[tokio::test]
    async fn a_server_that_shuts_down_is_busy() {
        let server = server(&MemoryEngine::new());
        let room = server.room_awake(&some_document()).await.unwrap();
        server.store.close();
        assert_eq!(put(&server, &room, 1).await.unwrap_err().code, Code::Busy);
    }
}
