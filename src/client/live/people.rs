//! Who is at a table, as the server tells it: everybody's devices, with their cursors, selections and what they type.
//!
//! The server says what has changed since it said last. What it says of a device that was not introduced is passed over:
//! it is introduced by the next list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::message::document_id;
use crate::id::DocumentId;

/// One device of somebody who is at a table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_id: String,
    #[serde(default)]
    pub user_name: String,
    pub avatar_url: Option<String>,
    /// 0 to 9.
    #[serde(default)]
    pub color: u8,
    pub device_id: String,
    /// `live`, `sync` or `rest`.
    #[serde(default)]
    pub door: String,
    pub cursor: Option<Cursor>,
    pub selection: Option<Selection>,
    pub typing: Option<Typing>,
}

/// Where somebody is: in a cell, and perhaps somewhere on their screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    pub record_id: String,
    pub field_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

/// A cell, as somebody points to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellName {
    pub record_id: String,
    pub field_id: String,
}

/// What somebody has selected: from one corner to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    pub from: CellName,
    pub to: CellName,
}

/// What somebody types into a cell, before it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    pub record_id: String,
    pub field_id: String,
    #[serde(default)]
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableUsers {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    pub users: Vec<User>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAt {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    pub user: User,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLeft {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    #[serde(flatten)]
    pub who: DeviceOf,
}

/// A device and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceOf {
    pub user_id: String,
    pub device_id: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cursors {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    pub cursors: Vec<CursorOf>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct CursorOf {
    #[serde(flatten)]
    pub who: DeviceOf,
    pub cursor: Option<Cursor>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selections {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    pub selections: Vec<SelectionOf>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct SelectionOf {
    #[serde(flatten)]
    pub who: DeviceOf,
    pub selection: Option<Selection>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Typings {
    #[serde(deserialize_with = "document_id")]
    pub table_id: DocumentId,
    pub typing: Vec<TypingOf>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct TypingOf {
    #[serde(flatten)]
    pub who: DeviceOf,
    pub cell: Option<Typing>,
}

impl User {
    pub fn device(&self) -> DeviceOf {
        DeviceOf {
            user_id: self.user_id.clone(),
            device_id: self.device_id.clone(),
        }
    }
}

/// Everybody at one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct People(BTreeMap<DeviceOf, User>);

impl People {
    pub fn all(&self) -> impl Iterator<Item = &User> {
        self.0.values()
    }

    pub fn replace(&mut self, users: Vec<User>) {
        self.0 = users.into_iter().map(|user| (user.device(), user)).collect();
    }

    pub fn put(&mut self, user: User) {
        self.0.insert(user.device(), user);
    }

    pub fn leave(&mut self, who: &DeviceOf) -> Option<User> {
        self.0.remove(who)
    }

    pub fn point(&mut self, cursors: Vec<CursorOf>) {
        for CursorOf { who, cursor } in cursors {
            self.set(&who, |user| user.cursor = cursor);
        }
    }

    pub fn select(&mut self, selections: Vec<SelectionOf>) {
        for SelectionOf { who, selection } in selections {
            self.set(&who, |user| user.selection = selection);
        }
    }

    pub fn type_into(&mut self, typing: Vec<TypingOf>) {
        for TypingOf { who, cell } in typing {
            self.set(&who, |user| user.typing = cell);
        }
    }

    fn set(&mut self, who: &DeviceOf, set: impl FnOnce(&mut User)) {
        if let Some(user) = self.0.get_mut(who) {
            set(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, from_value, json};

    use super::*;

    fn user(id: &str, device: &str) -> User {
        from_value(json!({ "userId": id, "userName": id, "color": 3, "deviceId": device, "door": "live" })).unwrap()
    }

    fn of<T: for<'de> Deserialize<'de>>(list: Json) -> Vec<T> {
        from_value(list).unwrap()
    }

    #[test]
    fn a_cursor_moves_with_its_device_and_goes_with_it() {
        let mut people = People::default();
        people.replace(vec![user("ada", "laptop"), user("ada", "phone")]);
        let cursor = json!({ "recordId": "b.r", "fieldId": "cA", "x": 0.5, "ahead": "of its time" });
        let moved = json!({ "userId": "ada", "deviceId": "phone", "cursor": cursor });
        people.point(of(json!([moved])));
        let at: Vec<_> = people.all().map(|user| user.cursor.is_some()).collect();
        assert_eq!(at, [false, true]);
        people.point(of(json!([{ "userId": "ada", "deviceId": "phone", "cursor": null }])));
        assert!(people.all().all(|user| user.cursor.is_none()));
        assert!(people.leave(&user("ada", "phone").device()).is_some());
        assert_eq!(people.all().count(), 1);
    }

    #[test]
    fn what_is_said_of_somebody_unknown_is_passed_over() {
        let mut people = People::default();
        people.select(of(json!([{ "userId": "eve", "deviceId": "x", "selection": null }])));
        people.type_into(of(
            json!([{ "userId": "eve", "deviceId": "x", "cell": { "recordId": "r", "fieldId": "f" } }]),
        ));
        assert_eq!(people.all().count(), 0);
        people.put(user("eve", "x"));
        people.put(User {
            user_name: "Eve".into(),
            ..user("eve", "x")
        });
        assert_eq!(
            people.all().map(|user| user.user_name.as_str()).collect::<Vec<_>>(),
            ["Eve"]
        );
    }
}
