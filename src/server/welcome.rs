//! The sample table that a new server shows its first visitors.
//!
//! Its id is made from the storage id of the data folder, so that it is the same after every restart without being
//! remembered anywhere. Its changes go through the one way in, in one batch: it is there wholly or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use automerge::ActorId;
use uuid::Uuid;

use super::{Server, assets, now_ms};
use crate::document::author::{Author, Door};
use crate::document::import::{Import, new_document};
use crate::document::sheet::{self, Format, Hint, Limits};
use crate::document::table::Kind;
use crate::id::DocumentId;
use crate::room::{Room, Waking, Writer};
use crate::store::Need;
use crate::sync::gate::Offered;

/// Makes the sample table if the page brings one and the data folder does not have it yet.
pub(super) async fn prepare(server: &Arc<Server>) {
    if !server.config.demo {
        return;
    }
    let Some(sample) = assets::file("sample.csv") else {
        return;
    };
    let id = id_of(server.store.storage_id().as_str());
    let making = server.clone();
    let made = tokio::task::spawn_blocking(move || make(&making, &id, &sample).map(|()| id)).await;
    match made.map_err(|panic| panic.to_string()).and_then(|made| made) {
        Ok(id) => {
            server.store.drain().await;
            if server.rooms.get(&id).is_some_and(|room| room.exists()) {
                tracing::info!(document = %id, "the sample table is there");
                let _ = server.welcome.set(id);
            }
        }
        Err(error) => tracing::error!(%error, "the sample table could not be made"),
    }
}

/// The storage id turned into a document id that nobody else would choose.
fn id_of(storage: &str) -> DocumentId {
    let storage = Uuid::parse_str(storage).unwrap_or_default();
    let mut bytes = *storage.as_bytes();
    bytes.reverse();
    DocumentId::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn make(server: &Server, id: &DocumentId, sample: &[u8]) -> Result<(), String> {
    let now = Instant::now();
    let room = server.rooms.open(id, now).map_err(|error| error.to_string())?;
    match room.begin_wake(now) {
        Waking::Begun => room.wake(ActorId::random(), now),
        Waking::Awake => {}
        waking => return Err(format!("its room is {waking:?}")),
    }
    match room.exists() || room.is_withheld() {
        true => Ok(()),
        false => fill(server, &room, sample, now),
    }
}

fn fill(server: &Server, room: &Arc<Room>, sample: &[u8], now: Instant) -> Result<(), String> {
    let about: About = assets::file("sample.json")
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    let mut sheet = sheet::read(sample, Format::Csv, None, &Limits::default()).map_err(|error| error.to_string())?;
    sheet.describe(about.hints());
    let import = Import::new_table(sheet, &[]).map_err(|error| error.to_string())?;
    let title = about.title.as_deref().unwrap_or("Sample table");
    let scratch = new_document(title, import, rand::rng()).map_err(|error| error.to_string())?;
    let changes: Vec<_> = scratch
        .get_changes(&[])
        .into_iter()
        .map(|change| Offered::Change(Box::new(change)))
        .collect();
    let need = Need {
        changes: changes.len(),
        bytes: scratch.save_nocompress().len(),
    };
    let place = server.store.try_reserve(need).map_err(|error| format!("{error:?}"))?;
    let author = Author {
        time: now_ms() as u64,
        user: None,
        device: "sample".into(),
        door: Door::Server,
    };
    let commit = room
        .commit(
            place,
            changes,
            &Writer {
                author,
                connection: None,
            },
            now,
        )
        .map_err(|_| "its room fell asleep".to_owned())?;
    match commit.took_all() {
        true => Ok(()),
        false => Err(format!("the gate refused {:?}", commit.refused.first())),
    }
}

/// What the bundle says of its sample besides the file.
#[derive(Default, serde::Deserialize)]
struct About {
    title: Option<String>,
    /// By name, what a file of commas cannot say of a column.
    #[serde(default)]
    columns: BTreeMap<String, AboutColumn>,
}

#[derive(serde::Deserialize)]
struct AboutColumn {
    kind: String,
    #[serde(default)]
    options: Vec<AboutOption>,
}

#[derive(serde::Deserialize)]
struct AboutOption {
    name: String,
    color: Option<String>,
}

impl About {
    fn hints(&self) -> Vec<Hint> {
        let hint = |(name, column): (&String, &AboutColumn)| Hint {
            column: String::new(),
            name: name.clone(),
            kind: Kind::parse(&column.kind),
            width: None,
            options: column
                .options
                .iter()
                .map(|option| (option.name.clone(), option.color.clone()))
                .collect(),
        };
        self.columns.iter().map(hint).collect()
    }
}
