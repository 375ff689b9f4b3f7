//! What the live door tells its clients.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::wire::table::{Column, Made, Row, Skipped};

/// One message of the server.
#[derive(Debug, Serialize)]
pub struct Told<'t, T> {
    #[serde(rename = "type")]
    pub kind: &'t str,
    pub data: T,
}

/// A message as a text frame.
pub fn text(kind: &str, data: &impl Serialize) -> String {
    let told = Told { kind, data };
    serde_json::to_string(&told).expect("what is told consists of texts, numbers, lists and maps with text keys")
}

/// The answer to `authenticate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome<'t> {
    pub user_id: &'t str,
    pub user_name: &'t str,
    pub device_id: &'t str,
    pub color: u8,
    /// How often a client is to send a heartbeat, and when one not heard of is taken for gone.
    pub heartbeat_ms: u64,
    pub timeout_ms: u64,
    /// Milliseconds since 1970, by the clock that the ids of changes are held against.
    pub server_time: u64,
}

/// What a change of a table is to those who follow it: `record_change`, `batch_changes` and `missed_events`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes<'t> {
    pub table_id: &'t str,
    /// Of `missed_events`: the version that these lead from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'t str>,
    pub changes: Vec<RecordChanged>,
    /// All columns, if one of them has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many rows the table or view has, if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<usize>,
    /// The version these lead to.
    pub version: &'t str,
}

/// What became of one row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordChanged {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub record_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Cell>,
    /// Where it stands now among the rows of the table or view, if it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Who wrote it last, as far as that is known.
    #[serde(serialize_with = "shared")]
    pub user_id: Option<Arc<str>>,
    #[serde(serialize_with = "shared")]
    pub device_id: Option<Arc<str>>,
    /// The last of the changes that made it so, where its author named it.
    #[serde(serialize_with = "shared", skip_serializing_if = "Option::is_none")]
    pub change_id: Option<Arc<str>>,
}

/// What a cell holds now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    pub field_id: String,
    pub new_value: Json,
    /// What the column expects, if the value does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marked: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordChange<'t> {
    table_id: &'t str,
    #[serde(flatten)]
    change: &'t RecordChanged,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<usize>,
    version: &'t str,
}

impl Changes<'_> {
    /// Whether there is nothing to be told.
    pub fn is_nothing(&self) -> bool {
        self.changes.is_empty() && self.columns.is_none() && self.title.is_none() && self.row_count.is_none()
    }

    /// The frame for those who follow: `record_change` if it is one row's alone.
    pub fn followed(&self) -> String {
        match self.changes.as_slice() {
            [change] if self.columns.is_none() && self.title.is_none() => {
                let (table_id, row_count, version) = (self.table_id, self.row_count, self.version);
                let one = RecordChange {
                    table_id,
                    change,
                    row_count,
                    version,
                };
                text("record_change", &one)
            }
            _ => text("batch_changes", self),
        }
    }

    /// The frame for one who comes back.
    pub fn missed(&self) -> String {
        text("missed_events", self)
    }
}

/// What a snapshot shows beside those who are there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<'t> {
    pub table_id: &'t str,
    pub title: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_id: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub row_count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    pub version: &'t str,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
}

impl Snapshot<'_> {
    /// The frame up to the list of users, which is put behind it: they come and go while the table stays as it is.
    pub fn without_users(&self) -> String {
        let mut frame = text("table_snapshot", self);
        frame.truncate(frame.len() - 2);
        frame.push_str(",\"users\":");
        frame
    }

    /// Puts the users, a JSON list, behind a frame that lacks them.
    pub fn with_users(without: &str, users: &str) -> String {
        format!("{without}{users}}}}}")
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovered<'t> {
    pub table_id: &'t str,
    pub missed_events_count: usize,
    pub version: &'t str,
}

/// A change is on disk.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted<'t> {
    pub change_id: &'t str,
    pub table_id: &'t str,
    /// Of a row that was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<&'t str>,
    pub version: &'t str,
    pub durable: bool,
    /// It was written beside what its author had not seen.
    #[serde(skip_serializing_if = "is_false")]
    pub merged: bool,
    /// It had been accepted before.
    #[serde(skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// Of a batch: what each of its edits has made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<&'t [Made]>,
}

/// A change was not made, and will not be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    pub change_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_id: Option<String>,
    pub code: &'static str,
    pub message: String,
    /// A JSON pointer into the data of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What became of changes made without a connection.
#[derive(Debug, Serialize)]
pub struct OfflineDone<'t> {
    pub applied: &'t [String],
    pub merged: &'t [String],
    pub rejected: &'t [Rejected],
    /// By change: the row that it created.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub created: &'t std::collections::BTreeMap<String, String>,
    /// The version of each table that contains them.
    pub versions: &'t std::collections::BTreeMap<String, String>,
    pub durable: bool,
}

/// Something that was asked for and is not done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTold {
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The type of the message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_id: Option<String>,
}

#[expect(clippy::ref_option, reason = "as serde asks for it")]
fn shared<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}
