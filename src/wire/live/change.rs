//! Changes of records, as clients of the live door send them: one, a batch, or a list that waited while they were offline.
//!
//! They come as JSON that was parsed already. What is malformed is told by its field. In a list of offline changes only the
//! one that is malformed is lost to it, since the others have waited as long; but one without an id cannot be answered, and
//! then the whole message is what is wrong.
//!
//! - A change has a digest of what it asks for, without the grounds on which it is asked: the same change may be sent again
//!   with another base, and is still the same.

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::wire::read::{self, Unread, read_object};
use crate::wire::table::{Edit, Place, cells};

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordChange {
    /// Its idempotency key.
    pub change_id: String,
    pub table_id: String,
    #[serde(rename = "type")]
    pub kind: RecordKind,
    pub record_id: Option<String>,
    #[serde(default, deserialize_with = "read::objects")]
    pub changes: Vec<FieldChange>,
    /// The version that its author saw.
    pub base: Option<String>,
    /// Where a new record is to stand; the end, if it is not given.
    pub at: Option<Place>,
    #[serde(skip)]
    pub digest: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordKind {
    Create,
    Update,
    Delete,
    Restore,
}

/// One cell of a record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldChange {
    /// The id of a column, or its name where only one column has it.
    pub field_id: String,
    /// What its author saw; `null` for an empty cell.
    #[serde(default, deserialize_with = "given")]
    pub old_value: Option<Json>,
    /// `null` empties the cell.
    pub new_value: Json,
}

/// Many changes of one table: all of them or none.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchChanges {
    pub change_id: String,
    pub table_id: String,
    pub items: Vec<BatchItem>,
    pub base: Option<String>,
    pub digest: [u8; 32],
}

/// One of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchItem {
    /// An edit as REST has it.
    Edit(Edit),
    Record(RecordItem),
}

/// A change of a record within a batch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordItem {
    #[serde(rename = "type")]
    pub kind: RecordKind,
    pub record_id: Option<String>,
    #[serde(default, deserialize_with = "read::objects")]
    pub changes: Vec<FieldChange>,
    pub at: Option<Place>,
}

/// A change of a list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub change_id: String,
    pub why: Unread,
}

/// What is asked for under one id.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    Record(RecordChange),
    Batch(BatchChanges),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Batch {
    change_id: String,
    table_id: String,
    changes: Vec<Json>,
    base: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offline {
    changes: Vec<Json>,
}

impl RecordChange {
    /// Reads the data of a `record_change`.
    pub fn read(data: Json) -> Result<Self, Unread> {
        let digest = digest(&data);
        let read: Self = read_object(data)?;
        Ok(Self { digest, ..read })
    }

    /// Reads the data of a `sync_offline_changes`: its changes, in order.
    pub fn read_offline(data: Json) -> Result<Vec<Result<Self, Malformed>>, Unread> {
        let Offline { changes } = read_object(data)?;
        let mut read = Vec::with_capacity(changes.len());
        for (number, change) in changes.into_iter().enumerate() {
            let id = change.get("changeId").and_then(Json::as_str).map(str::to_owned);
            read.push(match (Self::read(change), id) {
                (Ok(change), _) => Ok(change),
                (Err(why), None) => return Err(under(why, number)),
                (Err(why), Some(change_id)) => Err(Malformed {
                    change_id,
                    why: under(why, number),
                }),
            });
        }
        Ok(read)
    }

    /// How many cells' worth of work it is.
    pub fn cells(&self) -> usize {
        weight(self.kind, self.changes.len())
    }
}

impl BatchChanges {
    /// Reads the data of a `batch_changes`.
    pub fn read(data: Json) -> Result<Self, Unread> {
        let digest = digest(&data);
        let Batch {
            change_id,
            table_id,
            changes,
            base,
        } = read_object(data)?;
        let items = changes.into_iter().enumerate().map(|(number, item)| {
            let read = match item.get("op") {
                Some(_) => read_object(item).map(BatchItem::Edit),
                None => read_object(item).map(BatchItem::Record),
            };
            read.map_err(|why| under(why, number))
        });
        Ok(Self {
            items: items.collect::<Result<_, _>>()?,
            change_id,
            table_id,
            base,
            digest,
        })
    }

    /// How many cells' worth of work it is.
    pub fn cells(&self) -> usize {
        let of = |item: &BatchItem| match item {
            BatchItem::Edit(edit) => cells(std::slice::from_ref(edit)),
            BatchItem::Record(record) => weight(record.kind, record.changes.len()),
        };
        self.items.iter().map(of).sum()
    }
}

impl Ask {
    pub fn change_id(&self) -> &str {
        match self {
            Self::Record(change) => &change.change_id,
            Self::Batch(batch) => &batch.change_id,
        }
    }

    pub fn table_id(&self) -> &str {
        match self {
            Self::Record(change) => &change.table_id,
            Self::Batch(batch) => &batch.table_id,
        }
    }

    /// The version that its author saw.
    pub fn base(&self) -> Option<&str> {
        match self {
            Self::Record(change) => change.base.as_deref(),
            Self::Batch(batch) => batch.base.as_deref(),
        }
    }

    /// What tells it from any other change with the same id.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Record(change) => change.digest,
            Self::Batch(batch) => batch.digest,
        }
    }

    /// How many cells' worth of work it is.
    pub fn cells(&self) -> usize {
        match self {
            Self::Record(change) => change.cells(),
            Self::Batch(batch) => batch.cells(),
        }
    }
}

/// A mark is three operations.
fn weight(kind: RecordKind, cells: usize) -> usize {
    match kind {
        RecordKind::Create | RecordKind::Update => cells.max(1),
        RecordKind::Delete => 3,
        RecordKind::Restore => 1,
    }
}

fn under(why: Unread, number: usize) -> Unread {
    match why {
        Unread::Field { field, why } => Unread::Field {
            field: format!("/changes/{number}{field}"),
            why,
        },
        other => other,
    }
}

/// Of what is asked for: without the id, the table (it may go by several names) and what its author saw.
fn digest(data: &Json) -> [u8; 32] {
    let mut asked = data.clone();
    if let Some(fields) = asked.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "changeId" | "tableId" | "base"));
    }
    forget_old_values(&mut asked);
    if let Some(items) = asked.get_mut("changes").and_then(Json::as_array_mut) {
        items.iter_mut().for_each(forget_old_values);
    }
    // The keys of an object are sorted, so that their order in the message means nothing.
    Sha256::digest(asked.to_string()).into()
}

fn forget_old_values(record: &mut Json) {
    let fields = record.get_mut("changes").and_then(Json::as_array_mut);
    for field in fields.into_iter().flatten().filter_map(Json::as_object_mut) {
        field.remove("oldValue");
    }
}

/// Tells `null` from a field that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(extra: Json) -> Json {
        let mut change = json!({ "changeId": "1767225600-1", "tableId": "t", "type": "update", "recordId": "b.r",
            "changes": [{ "fieldId": "cA", "newValue": 5 }] });
        let more = extra.as_object().unwrap().clone();
        change.as_object_mut().unwrap().extend(more);
        change
    }

    fn field(why: Unread) -> String {
        match why {
            Unread::Field { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn null_is_a_value_and_nothing_is_not() {
        let seen = |field: Json| RecordChange::read(change(json!({ "changes": [field] })));
        let empty = seen(json!({ "fieldId": "cA", "oldValue": null, "newValue": null })).unwrap();
        assert_eq!(empty.changes[0].old_value, Some(Json::Null));
        let unknown = seen(json!({ "fieldId": "cA", "newValue": 1 })).unwrap();
        assert_eq!(unknown.changes[0].old_value, None);
        assert!(seen(json!({ "fieldId": "cA" })).is_err());
        let misspelt = seen(json!({ "fieldId": "cA", "newvalue": 1 })).unwrap_err();
        assert!(misspelt.to_string().contains("newvalue"), "{misspelt}");
        assert_eq!(field(misspelt), "/changes/0/newvalue");
    }

    /// A client that was offline learns a newer version before it sends its changes again.
    #[test]
    fn a_change_stays_the_same_whatever_its_author_saw() {
        let first = RecordChange::read(change(json!({}))).unwrap();
        let again = json!({ "base": "00", "tableId": "base/name",
            "changes": [{ "newValue": 5, "oldValue": 4, "fieldId": "cA" }] });
        assert_eq!(RecordChange::read(change(again)).unwrap().digest, first.digest);
        for other in [
            json!({ "recordId": "b.s" }),
            json!({ "type": "create" }),
            json!({ "changes": [{ "fieldId": "cA", "newValue": 6 }] }),
        ] {
            assert_ne!(RecordChange::read(change(other)).unwrap().digest, first.digest);
        }
        let batch = |old: Json| {
            let fields = json!([{ "fieldId": "cA", "oldValue": old, "newValue": 5 }]);
            let items = json!([{ "type": "update", "recordId": "b.r", "changes": fields }]);
            let data = json!({ "changeId": "1767225600-1", "tableId": "t", "changes": items });
            BatchChanges::read(data).unwrap().digest
        };
        assert_eq!(batch(json!(1)), batch(json!(2)));
    }

    #[test]
    fn one_that_is_malformed_leaves_the_others_of_a_list() {
        let list = json!({ "changes": [change(json!({})), change(json!({ "typ": 1 })), change(json!({}))] });
        let read = RecordChange::read_offline(list).unwrap();
        let malformed = read[1].clone().unwrap_err();
        assert_eq!(malformed.change_id, "1767225600-1");
        assert_eq!(field(malformed.why), "/changes/1/typ");
        assert!(read[0].is_ok() && read[2].is_ok());
        let nameless = json!({ "changes": [change(json!({})), { "type": "update" }] });
        assert!(field(RecordChange::read_offline(nameless).unwrap_err()).starts_with("/changes/1"));
    }

    #[test]
    fn a_batch_takes_edits_and_records() {
        let items = json!([
            { "op": "setCell", "row": "b.r", "column": "cA", "value": 1 },
            { "type": "create", "changes": [{ "fieldId": "cA", "newValue": 1 }, { "fieldId": "cB", "newValue": 2 }] },
            { "type": "delete", "recordId": "b.r" },
        ]);
        let data = |items: Json| json!({ "changeId": "1767225600-1", "tableId": "t", "changes": items });
        let batch = BatchChanges::read(data(items)).unwrap();
        assert!(matches!(batch.items[0], BatchItem::Edit(Edit::SetCell { .. })));
        assert!(matches!(&batch.items[1], BatchItem::Record(record) if record.kind == RecordKind::Create));
        assert_eq!(batch.cells(), 1 + 2 + 3);
        let wrong = json!([{ "op": "setCell", "row": "b.r", "column": "cA", "valu": 1 }]);
        assert!(field(BatchChanges::read(data(wrong)).unwrap_err()).starts_with("/changes/0"));
    }
}
