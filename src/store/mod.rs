//! The store: documents as numbered changes and snapshots, durable before anybody is told.
//!
//! Rooms append changes and are called back once these are flushed and synced; one committer serves all of them. Reading
//! gives what is durable and nothing else.
//!
//! - [`engine`]: what lies below: atomic batches of bytes, one sync, ordered reads; [`sled`] and [`memory`] are engines.
//! - [`layout`]: keys and values of a document.
//! - [`queue`]: the bounded way to the committer. [`committer`]: one batch, one sync, then the callbacks.
//! - [`load`]: reading. [`snapshot`]: compaction. [`notes`]: idempotency keys and tombstones.
//!
//! Invariants:
//! - *Absent is not failed.* A document that was never stored is `None`; anything that is there and does not read is an
//!   error that names what was found.
//! - What [`Store::load`], [`Store::authors`], [`Store::fate`] and [`Store::documents`] return survives a power loss. A batch that the
//!   engine shows but has not synced, or failed to sync, is left out.
//! - After the first failed write the store is read-only until the process starts anew. Reads go on.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use crate::id::{DocumentId, StorageId};
use crate::key::KeyId;

pub mod committer;
pub mod engine;
pub mod layout;
pub mod load;
pub mod memory;
pub mod notes;
mod plan;
pub mod queue;
pub mod sled;
pub mod snapshot;
mod unsynced;

pub use committer::{AuthorRecord, Committer, Progress};
pub use load::{Listed, Page, Snapshot, Stored};
pub use notes::{Fate, KeyRecord, MAX_ANSWER, Note, Tombstone};
pub use queue::{Append, Flushed, Gauges, Need, NoPlace, Place, StoreLimits, StoredChange};
pub use snapshot::{SnapshotError, SnapshotWrite, Step};

use engine::{Batch, Engine, EngineError};
use layout::{Damage, FORMAT, Kind, meta_key, open_small, put_small};
use notes::NoteReader;
use queue::{Item, Queue, Work};
use unsynced::Unsynced;

/// Why something that is stored could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the engine could not read: {0}")]
    Engine(#[from] EngineError),
    #[error("the data folder has format {found}, written by a newer version; this one knows formats up to {FORMAT}")]
    NewerFormat { found: u64 },
    #[error("the data folder holds data but no format version: it is not a folder of this server")]
    NoFormat,
    #[error("the {what} of the data folder is damaged: {damage}")]
    DamagedFolder { what: &'static str, damage: Damage },
    #[error("document {document}: {kind} {number} is damaged: {damage}")]
    Damaged {
        document: DocumentId,
        kind: Kind,
        number: u64,
        damage: Damage,
    },
    #[error("document {document}: {kind} {expected} is missing{}", found_instead(*found))]
    Missing {
        document: DocumentId,
        kind: Kind,
        expected: u64,
        /// What was found where it should be; none at the end of what is stored.
        found: Option<u64>,
    },
    #[error("document {document}: there are values but no last commit number")]
    NoLastNumber { document: DocumentId },
    #[error("document {document}: a key of an unknown shape")]
    StrangeKey { document: DocumentId },
    #[error("document {document}: changes up to {snapshot} were compacted, the state at {upto} is not stored")]
    Compacted {
        document: DocumentId,
        upto: u64,
        snapshot: u64,
    },
    #[error("a document key does not read: {0}")]
    DocumentKey(Damage),
}

fn found_instead(found: Option<u64>) -> String {
    match found {
        Some(found) => format!(", {found} comes in its place"),
        None => ", nothing follows".into(),
    }
}

/// Why changes did not become durable. All but the last three are for good: the store takes nothing until restart.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    #[error("a write failed: {0}")]
    Apply(#[source] EngineError),
    #[error("writing to the disk failed: {0}")]
    Sync(#[source] EngineError),
    #[error("the store is closed")]
    Closed,
    #[error("the committer is gone")]
    NoCommitter,
    /// This append alone is refused.
    #[error("document {document}: change {found} was appended where {expected} comes next")]
    NotNext {
        document: DocumentId,
        expected: u64,
        found: u64,
    },
    /// This append alone is refused.
    #[error("what is stored of the document could not be read: {0}")]
    Read(#[source] StoreError),
    /// This append alone is refused: one before it in the same batch was, since the document could not be read.
    #[error("document {0} could not be read just before")]
    Unreadable(DocumentId),
}

/// Whether the store takes changes.
#[derive(Debug, Clone)]
pub enum Status {
    Writable,
    /// Until the process starts anew.
    ReadOnly(Arc<StoreFailure>),
}

/// What the handles, the committer and the snapshot writers share.
struct Shared {
    engine: Arc<dyn Engine>,
    queue: Arc<Queue>,
    unsynced: Unsynced,
    limits: StoreLimits,
    storage_id: StorageId,
    /// The documents of which a snapshot is being written. A leaf.
    snapshots: Mutex<HashSet<DocumentId>>,
}

/// Closes the queue when the last handle goes, so that the committer's thread ends.
struct CloseOnDrop(Arc<Queue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A handle on the stored documents; cheap to clone. Reads block and belong on a worker thread.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    _close: Arc<CloseOnDrop>,
}

impl Store {
    /// Opens what is in `engine`. A new one gets the format version and a random storage id.
    pub fn open(engine: Arc<dyn Engine>, limits: StoreLimits) -> Result<(Store, Committer), StoreError> {
        let id = StorageId::parse(&uuid::Uuid::new_v4().to_string()).expect("the text of a UUID is a short name");
        Self::open_as(engine, limits, id)
    }

    /// Like [`Store::open`], but a new engine gets the storage id given. One that has an id keeps it.
    pub fn open_as(
        engine: Arc<dyn Engine>,
        limits: StoreLimits,
        new_id: StorageId,
    ) -> Result<(Store, Committer), StoreError> {
        let storage_id = prepare(&*engine, new_id)?;
        let queue = Arc::new(Queue::new(limits));
        let shared = Arc::new(Shared {
            engine,
            queue: queue.clone(),
            unsynced: Unsynced::default(),
            limits,
            storage_id,
            snapshots: Mutex::default(),
        });
        let store = Store {
            shared: shared.clone(),
            _close: Arc::new(CloseOnDrop(queue)),
        };
        Ok((store, Committer::new(shared)))
    }

    /// The id of this data folder: made once, the same after every restart.
    pub fn storage_id(&self) -> &StorageId {
        &self.shared.storage_id
    }

    pub fn status(&self) -> Status {
        match self.shared.queue.failure() {
            Some(reason) => Status::ReadOnly(reason.clone()),
            None => Status::Writable,
        }
    }

    pub fn gauges(&self) -> &Gauges {
        &self.shared.queue.gauges
    }

    /// A place in the queue, or why there is none right now.
    pub fn try_reserve(&self, need: Need) -> Result<Place, NoPlace> {
        self.shared.queue.try_reserve(need)
    }

    /// Waits for a place in the queue, first come, first served. Fails only when the store takes nothing any more.
    pub async fn reserve(&self, need: Need) -> Result<Place, NoPlace> {
        self.shared.queue.reserve(need).await
    }

    /// Queues changes for the committer. Never fails and never blocks: the place was reserved before. What goes wrong
    /// from here on is told to the callback.
    pub fn append(&self, place: Place, append: Append) {
        let Append {
            document,
            changes,
            notes,
            flushed,
        } = append;
        self.shared.queue.push(Item {
            work: Work::Append {
                document,
                changes,
                notes,
            },
            flushed,
            place: Some(place),
        });
    }

    /// The newest snapshot that contains nothing above `upto`, and every change behind it up to `upto` or the last
    /// durable one. `None` if the document was never stored, or has nothing durable up to there.
    pub fn load(&self, document: &DocumentId, upto: Option<u64>) -> Result<Option<Stored>, StoreError> {
        load::Reader::new(&self.shared, document).load(upto.unwrap_or(u64::MAX))
    }

    /// Who made the changes of these numbers, as far as they are durable. Nothing for a document that is not stored.
    pub fn authors(
        &self,
        document: &DocumentId,
        numbers: RangeInclusive<u64>,
    ) -> Result<Vec<(u64, AuthorRecord)>, StoreError> {
        load::Reader::new(&self.shared, document).authors(numbers)
    }

    /// At most `limit` stored documents in a fixed order, behind `after`.
    pub fn documents(&self, which: Listed, after: Option<&DocumentId>, limit: usize) -> Result<Page, StoreError> {
        load::documents(&self.shared, which, after, limit)
    }

    /// Whether the document is deleted, or was before: none if it never was. As far as it is durable.
    pub fn fate(&self, document: &DocumentId) -> Result<Option<Fate>, StoreError> {
        NoteReader::new(&self.shared, document).durable_fate()
    }

    /// What became of the write with this key. What was appended and is not on disk yet may be seen already: the room
    /// that appended it knows.
    pub fn key(&self, document: &DocumentId, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        NoteReader::new(&self.shared, document).key(id)
    }

    /// The time of the youngest key that was forgotten; 0 if none was. Asked after [`Store::key`] found nothing, it says
    /// for sure whether the key may have been known.
    pub fn key_floor(&self, document: &DocumentId) -> Result<u64, StoreError> {
        Ok(NoteReader::new(&self.shared, document).key_count()?.floor)
    }

    /// Writes a snapshot and deletes the changes it contains. Blocks until all of it is synced, so it needs a committer
    /// on another thread. `verify` gets the bytes as they were read back and says whether they load to the right heads.
    pub fn write_snapshot(
        &self,
        document: &DocumentId,
        snapshot: Snapshot,
        verify: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), SnapshotError> {
        self.begin_snapshot(document, snapshot, verify)?.run()
    }

    /// Like [`Store::write_snapshot`], one batch at a time: see [`SnapshotWrite::step`].
    pub fn begin_snapshot<V: FnOnce(&[u8]) -> bool>(
        &self,
        document: &DocumentId,
        snapshot: Snapshot,
        verify: V,
    ) -> Result<SnapshotWrite<V>, SnapshotError> {
        SnapshotWrite::begin(&self.shared, document, snapshot, verify)
    }

    /// Waits until everything queued so far is flushed or has failed, and its callbacks have returned.
    pub async fn drain(&self) {
        self.shared.queue.drained().await;
    }

    /// No new places from here on. The committer ends once those given out are used or dropped and the queue is empty.
    pub fn close(&self) {
        self.shared.queue.close();
    }
}

const FORMAT_KEY: &str = "format";
const STORAGE_ID_KEY: &str = "storage-id";

/// Checks the format, or makes a new engine a store. Returns its storage id.
fn prepare(engine: &dyn Engine, new_id: StorageId) -> Result<StorageId, StoreError> {
    let damaged = |what| move |damage| StoreError::DamagedFolder { what, damage };
    let (format_key, id_key) = (meta_key(FORMAT_KEY), meta_key(STORAGE_ID_KEY));
    let Some(format) = engine.get(&format_key)? else {
        if engine.scan(&engine::KeyRange::all()).next().transpose()?.is_some() {
            return Err(StoreError::NoFormat);
        }
        // One batch: there is no folder with a format and without an id.
        let mut batch = Batch::default();
        put_small(&mut batch, format_key, &FORMAT.to_be_bytes());
        put_small(&mut batch, id_key, new_id.as_str().as_bytes());
        engine.apply(&batch)?;
        engine.sync()?;
        return Ok(new_id);
    };
    let payload = open_small(&format_key, &format).map_err(damaged("format version"))?;
    let found = number(payload).map_err(damaged("format version"))?;
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found });
    }
    let id = engine.get(&id_key)?.ok_or_else(|| {
        let damage = Damage::MissingPiece { expected: 0 };
        damaged("storage id")(damage)
    })?;
    let text = open_small(&id_key, &id).map_err(damaged("storage id"))?;
    String::from_utf8(text.to_vec())
        .map_err(|error| error.to_string())
        .and_then(|text| StorageId::parse(&text).map_err(|error| error.to_string()))
        .map_err(|error| damaged("storage id")(Damage::Record(error)))
}

/// Reads a number that fills its record.
fn number(payload: &[u8]) -> Result<u64, Damage> {
    let bytes = payload
        .try_into()
        .map_err(|_| Damage::Record(format!("a number of {} bytes", payload.len())))?;
    Ok(u64::from_be_bytes(bytes))
}
