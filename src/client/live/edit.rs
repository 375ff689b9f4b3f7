//! What a program wants changed, as it waits here for the server's answer.
//!
//! An edit is named when it is made, by an id that carries its time, and once it may have been made it is always sent under
//! the same: the server makes it once. One that was never sent may get a later name first ([`super::name`]). With it goes
//! what its author saw, so that nobody is overwritten unseen: the values of the cells and the version of the table. Which of
//! the two is said is decided when it is sent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

use super::message::document_id;
use super::name;
use crate::document::table::RowId;
use crate::id::DocumentId;
use crate::wire::table::Place;

/// An edit that the server has not answered. It can be stored as JSON, and given to a client that starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingEdit {
    pub(super) change_id: String,
    /// When it got the later name that it goes out under, in milliseconds since 1970; none if it goes out under its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) named_at: Option<u64>,
    /// The server may have it. What was stored before this was noted may have been sent.
    #[serde(default = "yes")]
    pub(super) was_sent: bool,
    #[serde(serialize_with = "as_text", deserialize_with = "document_id")]
    pub(super) table_id: DocumentId,
    /// The version that its author saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum What {
    Record(RecordEdit),
    /// All of them or none.
    Batch {
        changes: Vec<BatchItem>,
    },
}

/// An edit of one record: of a row, as the wire calls it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordEdit {
    #[serde(rename = "type")]
    pub(super) kind: RecordKind,
    pub(super) record_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) changes: Vec<FieldEdit>,
    /// Where a new record is to stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Place>,
    /// Whatever is there now.
    #[serde(skip)]
    pub(super) overwrites: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordKind {
    Create,
    Update,
    Delete,
    Restore,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldEdit {
    pub field_id: String,
    /// What its author saw; `null` for an empty cell.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub old_value: Option<Json>,
    pub new_value: Json,
}

/// One of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BatchItem {
    Record(RecordEdit),
    /// Any edit that REST takes in a batch, as it is written there: `{"op": "addColumn", …}`. What it does is not shown
    /// before the server has answered.
    Op(Json),
}

/// On what grounds an edit is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grounds {
    /// The values seen in the cells: the server compares them, and knows what was sent last.
    Values,
    /// The version seen.
    Version,
}

impl RecordEdit {
    /// A new record, with these values by the ids or the unique names of their columns. It stands at the end, unless
    /// [`at`](Self::at) says otherwise.
    pub fn create<F: Into<String>>(cells: impl IntoIterator<Item = (F, Json)>) -> Self {
        // Its id is made when it is known which table it is for.
        Self::of(RecordKind::Create, String::new(), cells)
    }

    /// Other values for cells, by the ids or the unique names of their columns; `null` empties one.
    pub fn update<F: Into<String>>(row: &RowId, cells: impl IntoIterator<Item = (F, Json)>) -> Self {
        Self::of(RecordKind::Update, row.to_string(), cells)
    }

    pub fn delete(row: &RowId) -> Self {
        Self::of::<&str>(RecordKind::Delete, row.to_string(), [])
    }

    /// Takes back that a record was deleted.
    pub fn restore(row: &RowId) -> Self {
        Self::of::<&str>(RecordKind::Restore, row.to_string(), [])
    }

    fn of<F: Into<String>>(kind: RecordKind, record_id: String, cells: impl IntoIterator<Item = (F, Json)>) -> Self {
        let field = |(field, new_value): (F, Json)| FieldEdit {
            field_id: field.into(),
            old_value: None,
            new_value,
        };
        Self {
            kind,
            record_id,
            changes: cells.into_iter().map(field).collect(),
            at: None,
            overwrites: false,
        }
    }

    /// Where a new record is to stand.
    pub fn at(self, place: Place) -> Self {
        Self {
            at: Some(place),
            ..self
        }
    }

    /// Whatever is there now: what others wrote and is not shown here yet is written over. Otherwise the two are put side by
    /// side, and listed as a conflict.
    pub fn overwriting(self) -> Self {
        Self {
            overwrites: true,
            ..self
        }
    }
}

impl PendingEdit {
    /// An edit that was never sent, and whose author saw nothing.
    pub(super) fn new(change_id: String, table_id: DocumentId, what: What) -> Self {
        Self {
            change_id,
            named_at: None,
            was_sent: false,
            table_id,
            base: None,
            what,
        }
    }

    /// The name of the edit.
    pub fn change_id(&self) -> &str {
        &self.change_id
    }

    pub fn table(&self) -> &DocumentId {
        &self.table_id
    }

    /// The records it names.
    pub(super) fn records(&self) -> impl Iterator<Item = &RecordEdit> {
        let (one, many) = match &self.what {
            What::Record(record) => (Some(record), &[][..]),
            What::Batch { changes } => (None, changes.as_slice()),
        };
        let many = many.iter().filter_map(|item| match item {
            BatchItem::Record(record) => Some(record),
            BatchItem::Op(_) => None,
        });
        one.into_iter().chain(many)
    }

    /// Whether both are about one record.
    pub(super) fn shares_record(&self, other: &Self) -> bool {
        let is_same = |one: &RecordEdit| other.records().any(|record| record.record_id == one.record_id);
        self.table_id == other.table_id && self.records().any(is_same)
    }

    /// Whether it says by itself what its author saw, or there was nothing to see.
    pub(super) fn names_values(&self) -> bool {
        match &self.what {
            What::Record(record) => matches!(record.kind, RecordKind::Create | RecordKind::Update),
            What::Batch { .. } => false,
        }
    }

    /// The name that it goes out under.
    pub(super) fn sent_as(&self) -> Cow<'_, str> {
        match self.named_at {
            Some(unix_ms) => name::later(&self.change_id, unix_ms).into(),
            None => self.change_id.as_str().into(),
        }
    }

    /// As it is sent.
    pub(super) fn on(&self, grounds: Grounds) -> Sending<'_> {
        Sending {
            change_id: self.sent_as(),
            table_id: self.table_id.as_str(),
            base: self.base.as_deref().filter(|_| grounds == Grounds::Version),
            what: &self.what,
        }
    }
}

/// An edit as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sending<'e> {
    change_id: Cow<'e, str>,
    table_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'e str>,
    #[serde(flatten)]
    what: &'e What,
}

fn as_text<S: Serializer>(id: &DocumentId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

fn yes() -> bool {
    true
}

/// Tells `null` from a field that is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;
    use crate::wire::live::change::{BatchChanges, RecordChange};

    fn pending(what: What) -> PendingEdit {
        let (name, table) = ("1767225600123-a1", DocumentId::from_uuid(uuid::Uuid::from_u128(7)));
        PendingEdit {
            base: Some("ab".into()),
            ..PendingEdit::new(name.into(), table, what)
        }
    }

    fn update() -> RecordEdit {
        let field = |id: &str, old: Option<Json>| FieldEdit {
            field_id: id.into(),
            old_value: old,
            new_value: json!(5),
        };
        RecordEdit {
            kind: RecordKind::Update,
            record_id: "b.r".into(),
            changes: vec![field("cA", Some(Json::Null)), field("cB", None)],
            at: None,
            overwrites: false,
        }
    }

    #[test]
    fn an_edit_that_was_stored_is_the_same_edit() {
        let create = RecordEdit {
            kind: RecordKind::Create,
            at: Some(Place::Before("b.s".into())),
            ..update()
        };
        let op = BatchItem::Op(json!({ "op": "setTitle", "title": "Team" }));
        for what in [
            What::Record(update()),
            What::Record(create.clone()),
            What::Batch {
                changes: vec![BatchItem::Record(create), op],
            },
        ] {
            let edit = PendingEdit {
                named_at: Some(1_767_225_600_124),
                ..pending(what)
            };
            let again: PendingEdit = from_value(to_value(&edit).unwrap()).unwrap();
            assert_eq!(again, edit);
        }
    }

    /// It was stored by a program that did not note which edits it had sent.
    #[test]
    fn an_edit_of_which_it_is_not_known_may_have_been_sent() {
        let mut stored = to_value(pending(What::Record(update()))).unwrap();
        assert_eq!(stored["wasSent"], false);
        stored.as_object_mut().unwrap().remove("wasSent");
        assert!(from_value::<PendingEdit>(stored).unwrap().was_sent);
    }

    #[test]
    fn the_server_reads_what_is_sent() {
        let edit = pending(What::Record(update()));
        let read = |grounds| RecordChange::read(to_value(edit.on(grounds)).unwrap()).unwrap();
        assert_eq!(read(Grounds::Values).base, None);
        assert_eq!(read(Grounds::Version).base.as_deref(), Some("ab"));
        assert_eq!(read(Grounds::Version).digest, read(Grounds::Values).digest);
        let olds: Vec<_> = read(Grounds::Values)
            .changes
            .into_iter()
            .map(|field| field.old_value)
            .collect();
        assert_eq!(olds, [Some(Json::Null), None]);
        let op = BatchItem::Op(json!({ "op": "setTitle", "title": "Team" }));
        let delete = RecordEdit {
            kind: RecordKind::Delete,
            changes: Vec::new(),
            ..update()
        };
        let batch = pending(What::Batch {
            changes: vec![op, BatchItem::Record(delete)],
        });
        let read = BatchChanges::read(to_value(batch.on(Grounds::Version)).unwrap()).unwrap();
        assert_eq!(read.items.len(), 2);
    }
}
