//! Who is at a table and what they do, as the live door says it: users, cursors, selections, typing.
//!
//! The same people speak at the sync door through the channels of a `Presence`; `presence/channels.rs` is the way between
//! the two. What is read here comes from strangers: ids, names and texts have bounds, and every message has its shape.
//!
//! What the server sends is made once and shared by all who receive it. So it names the receiver as well, where the
//! receiver is one of those concerned: a client leaves out what carries its own `deviceId`.

mod channels;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::document::table::RowId;
use crate::id::PeerId;
use crate::wire::read;

pub use channels::{CURSOR, SELECTION, TYPING, USER, Who, is_picture};

/// The colours people are told apart by: 0 to 9, indices into a palette of the front end's.
pub const COLORS: u32 = 10;

/// The longest id of a user, a device, a record or a field that is shown, in characters.
pub const MAX_ID_CHARS: usize = 256;

/// The longest name that is shown; what is longer is cut.
pub const MAX_NAME_CHARS: usize = 256;

/// The longest address of a picture, in bytes; a longer one is left out.
pub const MAX_AVATAR_BYTES: usize = 2048;

/// What others see of a cell while it is typed; what is longer is cut.
pub const MAX_TYPING_CHARS: usize = 200;

/// The id of a user, a device, a record or a field as somebody said it: 1 to [`MAX_ID_CHARS`] characters. Whether there is
/// such a thing is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(Arc<str>);

/// Why a text is no [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID_CHARS} characters, not {0}")]
pub struct NotAnId(usize);

impl Id {
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        match text.chars().count() {
            1..=MAX_ID_CHARS => Ok(Self(text.into())),
            length => Err(NotAnId(length)),
        }
    }

    /// What a peer without a device id of its own goes by; peer ids have a bound of their own.
    pub fn of_peer(peer: &PeerId) -> Self {
        Self(peer.as_str().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Id {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        Self::parse(&text)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The colour of a user who chose none: FNV-1a of the id's UTF-16 units. The demo page has the same function (`colorOf`),
/// so that a person has one colour everywhere.
pub fn color_of(user_id: &str) -> u8 {
    let hash = user_id.encode_utf16().fold(2_166_136_261_u32, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(16_777_619)
    });
    (hash % COLORS) as u8
}

/// The first characters of a text.
fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cell {
    pub record_id: Id,
    pub field_id: Id,
}

/// Where somebody is: in a cell, and perhaps somewhere on their screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cursor {
    pub record_id: Id,
    pub field_id: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

/// What somebody has selected: from one corner to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    #[serde(deserialize_with = "read::object")]
    pub from: Cell,
    #[serde(deserialize_with = "read::object")]
    pub to: Cell,
}

/// What somebody types into a cell, before it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Typing {
    pub record_id: Id,
    pub field_id: Id,
    #[serde(default)]
    pub text: String,
}

/// What is somewhere in a table, so that it concerns those who see the rows around it.
pub trait Placed {
    fn is_among(&self, rows: &HashSet<RowId>) -> bool;
}

impl Placed for Cursor {
    fn is_among(&self, rows: &HashSet<RowId>) -> bool {
        rows.contains(self.record_id.as_str())
    }
}

/// A selection is seen by those who see one of its ends.
impl Placed for Selection {
    fn is_among(&self, rows: &HashSet<RowId>) -> bool {
        rows.contains(self.from.record_id.as_str()) || rows.contains(self.to.record_id.as_str())
    }
}

impl Placed for Typing {
    fn is_among(&self, rows: &HashSet<RowId>) -> bool {
        rows.contains(self.record_id.as_str())
    }
}

/// The way somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    Live,
    Sync,
    Rest,
}

/// One device of a user, with all it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User<'m> {
    pub user_id: &'m str,
    pub user_name: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<&'m str>,
    pub color: u8,
    pub device_id: &'m str,
    pub door: Door,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'m Cursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<&'m Selection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<&'m Typing>,
}

/// Where one device's cursor is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CursorOf<'m> {
    pub user_id: &'m str,
    pub device_id: &'m str,
    pub cursor: Option<&'m Cursor>,
}

/// What one device has selected now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectionOf<'m> {
    pub user_id: &'m str,
    pub device_id: &'m str,
    pub selection: Option<&'m Selection>,
}

/// What one device types now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypingOf<'m> {
    pub user_id: &'m str,
    pub device_id: &'m str,
    pub cell: Option<&'m Typing>,
}

/// What the server says of the people at a table. It is a frame as it stands: `{"type": …, "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(
    tag = "type",
    content = "data",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Message<'m> {
    /// Everybody, in place of whoever was known before.
    TableUsers {
        table_id: &'m str,
        users: Vec<User<'m>>,
    },
    UserJoined {
        table_id: &'m str,
        user: User<'m>,
    },
    /// Somebody whose connection broke is back, before they were said to have left.
    UserReconnected {
        table_id: &'m str,
        user: User<'m>,
    },
    /// Somebody who is here goes by another name, picture or colour.
    UserChanged {
        table_id: &'m str,
        user: User<'m>,
    },
    UserLeft {
        table_id: &'m str,
        user_id: &'m str,
        device_id: &'m str,
    },
    CursorPosition {
        table_id: &'m str,
        cursors: Vec<CursorOf<'m>>,
    },
    Selection {
        table_id: &'m str,
        selections: Vec<SelectionOf<'m>>,
    },
    Typing {
        table_id: &'m str,
        typing: Vec<TypingOf<'m>>,
    },
}
