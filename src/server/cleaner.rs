//! Clean-up of tables: rows and columns that were deleted long ago go for good.
//!
//! A mark keeps everything that was deleted in the document, for everybody to carry along. After the retention time it is
//! purged: looked for on a copy, taken away in slices that queue behind people. Only tables that are awake are looked at;
//! one that nobody opens costs nobody anything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::AutomergeError;
use automerge::transaction::Transaction;

use super::{Server, now_ms};
use crate::document::author::{Author, Door};
use crate::document::table::batch::{self, EditFailed};
use crate::document::table::{NotATable, Stamp, TableEdit, TableIndex, check_root, purge};
use crate::id::DocumentId;
use crate::room::{EditError, Room, Writer};
use crate::store::Need;

/// How often it looks for tables that have woken up, at most and at least.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The bytes of change reserved for one slice.
const SLICE_BYTES: usize = 256 << 10;

pub(super) async fn run(server: Arc<Server>) {
    let times = server.config.tables.clone();
    let mut ticks = tokio::time::interval(times.clean_every.clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut cleaned: HashMap<DocumentId, Instant> = HashMap::new();
    loop {
        ticks.tick().await;
        let awake = server.rooms.awake();
        cleaned
            .retain(|document, at| at.elapsed() < times.clean_every && awake.iter().any(|room| room.id() == document));
        for room in awake {
            if cleaned.contains_key(room.id()) {
                continue;
            }
            cleaned.insert(room.id().clone(), Instant::now());
            match clean(&server, &room, times.retention).await {
                Ok(0) => {}
                Ok(edits) => tracing::info!(document = %room.id(), edits, "purged what was deleted long ago"),
                Err(why) => tracing::warn!(document = %room.id(), %why, "a table could not be cleaned up wholly"),
            }
        }
    }
}

/// Purges what was marked longer ago than the retention time. Returns how many edits that took.
async fn clean(server: &Server, room: &Arc<Room>, retention: Duration) -> Result<usize, String> {
    let before = now_ms() as i64 - i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let looking = room.clone();
    let edits = tokio::task::spawn_blocking(move || expired(&looking, before));
    let edits = edits.await.map_err(|panic| panic.to_string())?;
    let count = edits.len();
    let slices = batch::slices(edits, &mut rand::rng());
    for slice in slices {
        purge_slice(server, room, slice).await?;
    }
    Ok(count)
}

/// What is to be purged, found on a copy. Nothing in a document that is no table, or not awake. Looking keeps nobody awake:
/// a clean-up more often than documents fall asleep once kept all of them in memory.
fn expired(room: &Room, before: i64) -> Vec<TableEdit> {
    let copy = room.glance(|document| check_root(document.automerge()).is_ok().then(|| document.replica()));
    let Ok(Some(copy)) = copy else {
        return Vec::new();
    };
    match TableIndex::build(&copy) {
        Ok(index) => purge::expired(&copy, &index, before),
        Err(_) => Vec::new(),
    }
}

async fn purge_slice(server: &Server, room: &Arc<Room>, slice: Vec<TableEdit>) -> Result<(), String> {
    let need = Need {
        changes: 1,
        bytes: SLICE_BYTES,
    };
    let place = server.store.reserve(need).await.map_err(|error| error.to_string())?;
    let author = Author {
        time: now_ms() as u64,
        user: None,
        device: "clean-up".into(),
        door: Door::Server,
    };
    let stamp = Stamp {
        at: author.time as i64,
        by: author.device.clone(),
    };
    let writer = Writer {
        author,
        connection: None,
    };
    let turn = room.bulk_turn().await;
    let editing = room.clone();
    let purge = move |tx: &mut Transaction<'_>, index: &TableIndex| {
        batch::edit(tx, index, &slice, &stamp, &mut rand::rng()).map_err(Unpurged::from)
    };
    let edited = tokio::task::spawn_blocking(move || editing.edit_table(place, &writer, Instant::now(), purge));
    let edited = edited.await.map_err(|panic| panic.to_string())?;
    drop(turn);
    match edited {
        Ok(edited) => match room.until_durable(edited.position, edited.epoch).await {
            true => Ok(()),
            false => Err("the disk failed".into()),
        },
        // Asleep, deleted or restored meanwhile: the next look finds what is left.
        Err(
            EditError::NotAwake
            | EditError::Deleted { .. }
            | EditError::Refused(Unpurged::Edit(EditFailed::Refused(_))),
        ) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, thiserror::Error)]
enum Unpurged {
    #[error(transparent)]
    Edit(#[from] EditFailed),
    #[error(transparent)]
    NotATable(#[from] NotATable),
}

impl From<AutomergeError> for Unpurged {
    fn from(error: AutomergeError) -> Self {
        Self::Edit(error.into())
    }
}
