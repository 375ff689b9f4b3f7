//! The channels of the sync door's `Presence` in which the same is said: `user`, `cursor`, `selection`, `typing`.
//!
//! Their values are CBOR of a stranger's making. Whatever has not the shape of its channel counts as nothing shown.

use serde_json::{Map, Value, json};

use super::{COLORS, MAX_AVATAR_BYTES, MAX_NAME_CHARS, MAX_TYPING_CHARS, color_of, cut};
use super::{Cell, Cursor, Id, Selection, Typing};
use crate::wire::cbor::Raw;
use crate::wire::json::to_cbor;

pub const USER: &str = "user";
pub const CURSOR: &str = "cursor";
pub const SELECTION: &str = "selection";
pub const TYPING: &str = "typing";

/// Who somebody says they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Who {
    pub id: Id,
    pub name: String,
    pub avatar_url: Option<String>,
    pub color: u8,
}

impl Who {
    /// Somebody who has chosen no colour. Without a name they go by their id.
    pub fn new(id: Id, name: Option<&str>, avatar_url: Option<&str>) -> Self {
        let name = name.map(|name| cut(name.trim(), MAX_NAME_CHARS));
        let avatar_url = avatar_url.filter(|url| is_picture(url));
        Self {
            color: color_of(id.as_str()),
            name: name.filter(|name| !name.is_empty()).unwrap_or(id.as_str()).to_owned(),
            avatar_url: avatar_url.map(str::to_owned),
            id,
        }
    }

    /// Reads a `user` channel. A person's page says `id`; a program over HTTP says `userId`, and its colour is CSS.
    pub fn from_channel(value: Raw<'_>) -> Option<Self> {
        let id = id_of(value, "id").or_else(|| id_of(value, "userId"))?;
        let text = |key| Some(String::from_utf8_lossy(value.get(key)?.text_bytes()?));
        let mut who = Self::new(id, text("name").as_deref(), text("avatarUrl").as_deref());
        let color = value.get("color").and_then(Raw::whole);
        if let Some(color) = color.filter(|color| *color < u64::from(COLORS)) {
            who.color = color as u8;
        }
        Some(who)
    }

    pub fn to_channel(&self) -> Vec<u8> {
        let mut user = json!({ "id": self.id.as_str(), "name": self.name, "color": self.color });
        if let Some(url) = &self.avatar_url {
            user["avatarUrl"] = url.as_str().into();
        }
        to_cbor(&user)
    }
}

/// Whether an address is one that a front end may load: a page shows pictures of strangers.
pub fn is_picture(address: &str) -> bool {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    is_web && address.len() <= MAX_AVATAR_BYTES
}

impl Cell {
    fn from_channel(value: Raw<'_>) -> Option<Self> {
        Some(Self {
            record_id: id_of(value, "row")?,
            field_id: id_of(value, "column")?,
        })
    }

    fn to_json(&self) -> Value {
        place(&self.record_id, &self.field_id).into()
    }
}

impl Cursor {
    pub fn from_channel(value: Raw<'_>) -> Option<Self> {
        let Cell { record_id, field_id } = Cell::from_channel(value)?;
        let number = |key| {
            let number = value.get(key).and_then(Raw::float);
            number.filter(|number| number.is_finite())
        };
        Some(Self {
            record_id,
            field_id,
            x: number("x"),
            y: number("y"),
        })
    }

    pub fn to_channel(&self) -> Vec<u8> {
        let mut cursor = place(&self.record_id, &self.field_id);
        for (key, number) in [("x", self.x), ("y", self.y)] {
            cursor.extend(number.map(|number| (key.to_owned(), number.into())));
        }
        to_cbor(&cursor.into())
    }
}

impl Selection {
    pub fn from_channel(value: Raw<'_>) -> Option<Self> {
        Some(Self {
            from: Cell::from_channel(value.get("from")?)?,
            to: Cell::from_channel(value.get("to")?)?,
        })
    }

    pub fn to_channel(&self) -> Vec<u8> {
        to_cbor(&json!({ "from": self.from.to_json(), "to": self.to.to_json() }))
    }
}

impl Typing {
    pub fn from_channel(value: Raw<'_>) -> Option<Self> {
        let Cell { record_id, field_id } = Cell::from_channel(value)?;
        let text = value.get("text").and_then(Raw::text_bytes).unwrap_or_default();
        Some(Self {
            record_id,
            field_id,
            text: cut(&String::from_utf8_lossy(text), MAX_TYPING_CHARS).to_owned(),
        })
    }

    pub fn to_channel(&self) -> Vec<u8> {
        let mut typing = place(&self.record_id, &self.field_id);
        typing.insert("text".into(), cut(&self.text, MAX_TYPING_CHARS).into());
        to_cbor(&typing.into())
    }
}

fn id_of(value: Raw<'_>, key: &str) -> Option<Id> {
    Id::parse(value.get(key)?.text()?).ok()
}

fn place(record: &Id, field: &Id) -> Map<String, Value> {
    let ids = [("row", record), ("column", field)];
    ids.map(|(key, id)| (key.to_owned(), id.as_str().into()))
        .into_iter()
        .collect()
}
