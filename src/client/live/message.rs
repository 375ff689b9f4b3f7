//! What a server says at the live door, as this client reads it.
//!
//! Leniently: fields, types and kinds of changes that are unknown here are passed over, so that a client lives on when
//! its server learns to say more. What it does know it reads strictly, since a table that is only half told is wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::name;
use super::people::{Cursors, Selections, TableUsers, Typings, User, UserAt, UserLeft};
use crate::document::table::RowId;
use crate::id::DocumentId;
use crate::wire::table::{Column, Made, Skipped};

/// One message of the server.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, one at a time")]
pub(super) enum Message {
    Welcome(Welcome),
    Snapshot(Box<TableSnapshot>),
    /// `record_change`, `batch_changes` and `missed_events`.
    Changes(Changes),
    Recovered(Recovered),
    Accepted(Accepted),
    Rejected(Rejected),
    OfflineDone(OfflineDone),
    Users(TableUsers),
    /// Somebody came, came back, or has another name.
    User(Come, UserAt),
    Left(UserLeft),
    Cursors(Cursors),
    Selections(Selections),
    Typings(Typings),
    Heartbeat(Heartbeat),
    Error(ErrorTold),
    /// Of a type that is unknown here.
    Unknown(String),
}

/// How somebody has come to be as they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Come {
    Joined,
    Returned,
    Changed,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome {
    pub user_id: String,
    pub device_id: String,
    #[serde(default)]
    pub color: u8,
    pub heartbeat_ms: Option<u64>,
    pub timeout_ms: Option<u64>,
    /// Milliseconds since 1970, by the server's clock.
    pub server_time: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableSnapshot {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    #[serde(default)]
    pub title: String,
    pub view_id: Option<String>,
    pub window: Option<Window>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub row_count: usize,
    pub version: String,
    #[serde(default)]
    pub users: Vec<User>,
    #[serde(default)]
    pub skipped: Vec<Skipped>,
}

/// Rows of a table or view, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
}

/// A row as it is shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    #[serde(deserialize_with = "row_id")]
    pub id: RowId,
    /// Values by the ids of their columns; empty cells are left out.
    #[serde(default)]
    pub cells: BTreeMap<String, Json>,
    /// Cells that do not fit their column, and what the column expects.
    #[serde(default)]
    pub marked: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    #[serde(default)]
    pub changes: Vec<Change>,
    pub columns: Option<Vec<Column>>,
    pub title: Option<String>,
    pub row_count: Option<usize>,
    pub version: String,
}

/// A `record_change`: the one change lies beside the fields of the message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneChange {
    #[serde(deserialize_with = "document_id")]
    table_id: DocumentId,
    row_count: Option<usize>,
    version: String,
    #[serde(flatten)]
    change: Change,
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    #[serde(rename = "type")]
    pub kind: ChangeKind,
    #[serde(deserialize_with = "row_id")]
    pub record_id: RowId,
    #[serde(default)]
    pub changes: Vec<CellChange>,
    /// Of a row that came: its place among all rows of the table or view.
    pub index: Option<usize>,
    /// Who wrote it last, as far as that is known.
    pub user_id: Option<String>,
    pub device_id: Option<String>,
    /// The name of the last edit of it, if it had one.
    #[serde(default, deserialize_with = "own_name_if_any")]
    pub change_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Create,
    Restore,
    /// It came into the view or window, or has moved.
    Enter,
    Delete,
    /// It left the view or window, or is moving.
    Leave,
    Update,
    #[serde(other)]
    Unknown,
}

/// What a cell holds now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellChange {
    pub field_id: String,
    /// `null` if it is empty.
    #[serde(default)]
    pub new_value: Json,
    /// What the column expects, if the value does not fit.
    pub marked: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recovered {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    #[serde(default)]
    pub missed_events_count: usize,
    pub version: String,
}

/// The answer to a heartbeat about a table: up to which version it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heartbeat {
    pub table_id: Option<String>,
    pub version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    #[serde(deserialize_with = "own_name")]
    pub change_id: String,
    pub record_id: Option<String>,
    pub version: String,
    #[serde(default)]
    pub merged: bool,
    #[serde(default)]
    pub replayed: bool,
    #[serde(default)]
    pub outcomes: Vec<Made>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rejected {
    #[serde(deserialize_with = "own_name")]
    pub change_id: String,
    #[serde(flatten)]
    pub why: Refusal,
}

/// Why the server did not do something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    pub code: String,
    #[serde(default)]
    pub message: String,
    /// A JSON pointer into what was sent.
    pub field: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct OfflineDone {
    #[serde(default, deserialize_with = "own_names")]
    pub applied: Vec<String>,
    #[serde(default, deserialize_with = "own_names")]
    pub merged: Vec<String>,
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorTold {
    #[serde(flatten)]
    pub why: Refusal,
    pub about: Option<String>,
    pub table_id: Option<String>,
}

#[derive(Deserialize)]
struct Kind<'t> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'t, str>,
}

#[derive(Deserialize)]
struct Of<T> {
    data: T,
}

impl Message {
    /// Reads a frame. The text is gone over twice: first for its type, which is cheap, since nothing else is kept.
    pub fn read(text: &str) -> Result<Self, String> {
        let read = || -> Result<Self, serde_json::Error> {
            let Kind { kind } = serde_json::from_str(text)?;
            Ok(match &*kind {
                "authenticated" => Self::Welcome(data(text)?),
                "table_snapshot" => Self::Snapshot(data(text)?),
                "record_change" => Self::Changes(data::<OneChange>(text)?.into()),
                "batch_changes" | "missed_events" => Self::Changes(data(text)?),
                "connection_recovered" => Self::Recovered(data(text)?),
                "change_accepted" => Self::Accepted(data(text)?),
                "change_rejected" => Self::Rejected(data(text)?),
                "offline_sync_complete" => Self::OfflineDone(data(text)?),
                "table_users" => Self::Users(data(text)?),
                "user_joined" => Self::User(Come::Joined, data(text)?),
                "user_reconnected" => Self::User(Come::Returned, data(text)?),
                "user_changed" => Self::User(Come::Changed, data(text)?),
                "user_left" => Self::Left(data(text)?),
                "cursor_position" => Self::Cursors(data(text)?),
                "selection" => Self::Selections(data(text)?),
                "typing" => Self::Typings(data(text)?),
                // It may have nothing to say.
                "heartbeat_ack" => Self::Heartbeat(data(text).unwrap_or_default()),
                "error" => Self::Error(data(text)?),
                other => Self::Unknown(other.to_owned()),
            })
        };
        read().map_err(|error| error.to_string())
    }
}

fn data<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str::<Of<T>>(text).map(|of| of.data)
}

impl From<OneChange> for Changes {
    fn from(one: OneChange) -> Self {
        Self {
            table_id: one.table_id,
            changes: vec![one.change],
            columns: None,
            title: None,
            row_count: one.row_count,
            version: one.version,
        }
    }
}

/// The name that an edit was made under, of the one that it went out under.
fn own_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let sent_as = Cow::<str>::deserialize(deserializer)?;
    Ok(name::own(&sent_as).to_owned())
}

fn own_name_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let sent_as = Option::<Cow<str>>::deserialize(deserializer)?;
    Ok(sent_as.map(|sent_as| name::own(&sent_as).to_owned()))
}

fn own_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let sent_as = Vec::<Cow<str>>::deserialize(deserializer)?;
    Ok(sent_as.iter().map(|sent_as| name::own(sent_as).to_owned()).collect())
}

fn row_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RowId, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    RowId::parse(&text).map_err(D::Error::custom)
}

pub(super) fn document_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DocumentId, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    DocumentId::parse_address(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
