//! Who made a change, as far as the server can vouch for it.
//!
//! Every change is stored together with one of these, so that "who wrote this cell" has an answer that no peer can
//! forge: a change's own actor id is chosen by the client, this record is not.

use serde::{Deserialize, Serialize};

/// The way in a change took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// The automerge-repo protocol at `/sync`.
    Sync,
    /// JSON frames at `/live`.
    Live,
    /// HTTP at `/v1`.
    Rest,
    /// The server itself: the sample table.
    Server,
}

/// The author record of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Milliseconds since 1970, by the server's clock, when the change came in.
    pub time: u64,
    /// The user: authenticated, or at the live door as its client says. None where nobody had to say who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the change came from: the storage id of the peer, else its peer id; at the live door the id of the device.
    pub device: String,
    pub door: Door,
}
