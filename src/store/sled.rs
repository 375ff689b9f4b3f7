//! The engine of a server: sled 0.34.7, made to sync. The only file that names sled.
//!
//! sled's own `flush` ends in `sync_file_range`, which neither empties the cache of the drive nor writes metadata. So
//! every sync here flushes sled and then calls `fdatasync` on a second handle of sled's `db` file: that works per inode,
//! whoever wrote. The background flusher is off; nothing but [`SledEngine::sync`] decides what is durable.
//!
//! Values must stay at 4 KiB or less: leaves of larger ones go into files under `blobs/`, which sled never syncs.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::engine::{Batch, Engine, EngineError, KeyRange, Scan, Write};

/// How long a folder may be in use before that is an error, and how long between two looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Settings of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SledOptions {
    /// The most memory for cached pages, in bytes.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: 128 << 20 }
    }
}

/// Why a data folder could not be opened; one line each, for the person who started the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("the data folder {} is not writable: {error}", folder.display())]
    NotWritable { folder: PathBuf, error: std::io::Error },
    #[error("the data folder {} has a format that this version cannot read: {reason}", folder.display())]
    OtherFormat { folder: PathBuf, reason: String },
    #[error("the data folder {} is damaged: {reason}", folder.display())]
    Damaged { folder: PathBuf, reason: String },
    #[error("the data folder {} cannot be opened: {reason}", folder.display())]
    Failed { folder: PathBuf, reason: String },
}

/// A data folder, held by this process alone.
pub struct SledEngine {
    db: sled::Db,
    /// Our own handle of the file that sled writes.
    file: File,
}

impl SledEngine {
    /// Opens the folder, making it if it is not there.
    pub fn open(folder: &Path, options: SledOptions) -> Result<Self, OpenError> {
        let not_writable = |error| OpenError::NotWritable {
            folder: folder.to_owned(),
            error,
        };
        std::fs::create_dir_all(folder).map_err(not_writable)?;
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(None);
        let db = open_patiently(folder, &config)?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(folder.join("db"))
            .map_err(not_writable)?;
        // A file is only as durable as its name: the folder and the one above it are synced once.
        sync_names(folder, &file).map_err(not_writable)?;
        Ok(Self { db, file })
    }
}

/// sled's worker threads let go of the folder a moment after its database was dropped, and a process that was killed a
/// moment after that: one of fifty restarts under load found the folder in use.
fn open_patiently(folder: &Path, config: &sled::Config) -> Result<sled::Db, OpenError> {
    let started = Instant::now();
    loop {
        match config.open().map_err(|error| open_error(folder, error)) {
            Err(OpenError::InUse(_)) if started.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
            outcome => return outcome,
        }
    }
}

fn sync_names(folder: &Path, file: &File) -> std::io::Result<()> {
    file.sync_all()?;
    File::open(folder.join("conf"))?.sync_all()?;
    File::open(folder.join("blobs"))?.sync_all()?;
    let folder = folder.canonicalize()?;
    File::open(&folder)?.sync_all()?;
    match folder.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// sled has one error for all trouble with files. Whether its lock is taken is told by the text alone.
fn open_error(folder: &Path, error: sled::Error) -> OpenError {
    let folder = folder.to_owned();
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => OpenError::InUse(folder),
        sled::Error::Io(error) => match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull => {
                OpenError::NotWritable { folder, error }
            }
            _ => OpenError::Failed {
                folder,
                reason: error.to_string(),
            },
        },
        sled::Error::Unsupported(reason) => OpenError::OtherFormat { folder, reason },
        error @ sled::Error::Corruption { .. } => OpenError::Damaged {
            folder,
            reason: error.to_string(),
        },
        error => OpenError::Failed {
            folder,
            reason: error.to_string(),
        },
    }
}

impl From<sled::Error> for EngineError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Io(error),
            error @ sled::Error::Corruption { .. } => Self::Damaged(error.to_string()),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl Engine for SledEngine {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        let mut writes = sled::Batch::default();
        for write in batch.writes() {
            match write {
                Write::Put { key, value } => writes.insert(key.as_slice(), value.as_slice()),
                Write::Delete { key } => writes.remove(key.as_slice()),
            }
        }
        Ok(self.db.apply_batch(writes)?)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.db.flush()?;
        Ok(self.file.sync_data()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.db.get(key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let pairs = self.db.range::<Vec<u8>, _>((range.start.clone(), range.end.clone()));
        Box::new(pairs.map(|pair| {
            let (key, value) = pair?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }
}
