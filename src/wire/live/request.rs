//! What a client of the live door asks for.

use serde::Deserialize;
use serde_json::Value as Json;

use super::change::{BatchChanges, Malformed, RecordChange};
use super::presence::{Cursor, Selection, Typing};
use crate::key::MAX_KEY;
use crate::wire::read::{self, Unread};

/// The longest name of a message's type that an answer repeats.
const MAX_NAME: usize = 64;

/// One message of a client.
#[derive(Debug, Clone)]
pub enum Request {
    Authenticate(Authenticate),
    Subscribe(Subscribe),
    Unsubscribe(TableName),
    Recover(Recover),
    Record(RecordChange),
    Batch(BatchChanges),
    /// Those that could be read, and those that could not.
    Offline(Vec<Result<RecordChange, Malformed>>),
    Cursor(ShowCursor),
    Selection(ShowSelection),
    Typing(ShowTyping),
    Heartbeat(Heartbeat),
}

/// Who somebody is: by a token, or as they say themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authenticate {
    pub token: Option<String>,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub user: Option<UserClaim>,
    /// What tells this page or program from the others of the same user; made by the server if it is not given.
    pub device_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserClaim {
    pub user_id: String,
    pub user_name: Option<String>,
    pub avatar_url: Option<String>,
}

/// Rows of a table or view, counted from 0.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowClaim {
    pub offset: usize,
    pub limit: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscribe {
    pub table_id: String,
    pub view_id: Option<String>,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub window: Option<WindowClaim>,
    /// The version that the client has.
    pub since: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recover {
    pub table_id: String,
    pub view_id: Option<String>,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub window: Option<WindowClaim>,
    pub last_version: String,
}

/// A table by its id, its `automerge:` address, or as `base/name`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableName {
    pub table_id: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowCursor {
    pub table_id: String,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub cursor: Option<Cursor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowSelection {
    pub table_id: String,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub selection: Option<Selection>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowTyping {
    pub table_id: String,
    #[serde(default, deserialize_with = "read::optional_object")]
    pub cell: Option<Typing>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Heartbeat {
    pub table_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    data: Option<Json>,
}

/// Why a frame is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    #[error("the frame is not a message: {0}")]
    NotAMessage(Unread),
    #[error("there is no message of type {0:?}")]
    UnknownType(String),
    #[error("{why}")]
    Data {
        /// The type of the message.
        about: String,
        why: Unread,
        /// The change that cannot be read, where it can be told which one it was.
        change: Option<String>,
    },
}

impl Request {
    /// Reads a frame of at most so many values.
    pub fn read(frame: &[u8], values: usize) -> Result<Self, NotARequest> {
        // A list would pass for an object whose fields it has in order.
        let Frame { kind, data } = match frame.trim_ascii_start().first() {
            Some(b'[') => Err(Unread::not_an_object()),
            _ => read::read(frame, values),
        }
        .map_err(NotARequest::NotAMessage)?;
        let data = data.unwrap_or_else(|| Json::Object(Default::default()));
        let change = data.get("changeId").and_then(Json::as_str);
        let change = change.map(|id| id.chars().take(MAX_KEY).collect());
        let read = match kind.as_str() {
            "authenticate" => read::read_object(data).map(Self::Authenticate),
            "subscribe_to_table" => read::read_object(data).map(Self::Subscribe),
            "unsubscribe_from_table" => read::read_object(data).map(Self::Unsubscribe),
            "recover_connection" => read::read_object(data).map(Self::Recover),
            "record_change" => RecordChange::read(data).map(Self::Record),
            "batch_changes" => BatchChanges::read(data).map(Self::Batch),
            "sync_offline_changes" => RecordChange::read_offline(data).map(Self::Offline),
            "cursor_position" => read::read_object(data).map(Self::Cursor),
            "selection" => read::read_object(data).map(Self::Selection),
            "typing" => read::read_object(data).map(Self::Typing),
            "heartbeat" => read::read_object(data).map(Self::Heartbeat),
            _ => return Err(NotARequest::UnknownType(short(&kind))),
        };
        read.map_err(|why| NotARequest::Data {
            about: kind,
            why,
            change,
        })
    }

    /// The type of the message.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authenticate(_) => "authenticate",
            Self::Subscribe(_) => "subscribe_to_table",
            Self::Unsubscribe(_) => "unsubscribe_from_table",
            Self::Recover(_) => "recover_connection",
            Self::Record(_) => "record_change",
            Self::Batch(_) => "batch_changes",
            Self::Offline(_) => "sync_offline_changes",
            Self::Cursor(_) => "cursor_position",
            Self::Selection(_) => "selection",
            Self::Typing(_) => "typing",
            Self::Heartbeat(_) => "heartbeat",
        }
    }

    /// The table it is about, as the client names it.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Authenticate(_) | Self::Offline(_) => None,
            Self::Subscribe(Subscribe { table_id, .. })
            | Self::Unsubscribe(TableName { table_id })
            | Self::Recover(Recover { table_id, .. })
            | Self::Cursor(ShowCursor { table_id, .. })
            | Self::Selection(ShowSelection { table_id, .. })
            | Self::Typing(ShowTyping { table_id, .. }) => Some(table_id),
            Self::Record(change) => Some(&change.table_id),
            Self::Batch(batch) => Some(&batch.table_id),
            Self::Heartbeat(Heartbeat { table_id }) => table_id.as_deref(),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
