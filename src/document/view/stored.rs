//! Views in the document: `views` at the root, a map by view id.
//!
//! Each part of a view is one key, replaced as a whole: two people who change the filter at once get one of the two
//! filters, not a mixture that neither of them wanted.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, ScalarValueRef, ValueRef};
use serde_json::{Value as Json, json};

use super::{Part, Skipped, View};
use crate::document::table::{Number, ViewId};

/// A view as the document holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredView {
    pub id: ViewId,
    /// The order text as it stands.
    pub order: String,
    pub view: View,
    /// What this program did not understand.
    pub skipped: Vec<Skipped>,
}

/// All views by (order as bytes, id).
pub fn read_all(document: &impl ReadDoc) -> Vec<StoredView> {
    let Some(views) = views(document) else {
        return Vec::new();
    };
    let mut found: Vec<StoredView> = document
        .map_range(&views, ..)
        .filter(|entry| matches!(entry.value, ValueRef::Object(ObjType::Map)))
        .filter_map(|entry| Some(read(document, ViewId::parse(&entry.key).ok()?, &entry.id())))
        .collect();
    found.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
    found
}

pub fn find(document: &impl ReadDoc, id: &ViewId) -> Option<StoredView> {
    let views = views(document)?;
    match document.get(&views, id.as_str()).ok().flatten()? {
        (automerge::Value::Object(ObjType::Map), object) => Some(read(document, id.clone(), &object)),
        _ => None,
    }
}

fn views(document: &impl ReadDoc) -> Option<ObjId> {
    match document.get(ROOT, "views").ok().flatten()? {
        (automerge::Value::Object(ObjType::Map), object) => Some(object),
        _ => None,
    }
}

fn read(document: &impl ReadDoc, id: ViewId, object: &ObjId) -> StoredView {
    let json = get_json(document, &ValueRef::Object(ObjType::Map), object, 0);
    let order = json.get("order").and_then(Json::as_str).unwrap_or_default().to_owned();
    let (view, skipped) = View::read(&json);
    StoredView {
        id,
        order,
        view,
        skipped,
    }
}

/// Objects deeper than this are not read: conditions nest less deep, and somebody else wrote them.
const MAX_DEPTH: usize = 4 * super::MAX_DEPTH;

/// Any value of the document as JSON; text of either encoding is a string.
fn get_json(document: &impl ReadDoc, value: &ValueRef<'_>, object: &ObjId, depth: usize) -> Json {
    match value {
        ValueRef::Object(_) if depth > MAX_DEPTH => Json::Null,
        ValueRef::Object(ObjType::Text) => json!(document.text(object).unwrap_or_default()),
        ValueRef::Object(ObjType::Map | ObjType::Table) => {
            let entries = document.map_range(object, ..).map(|entry| {
                let value = get_json(document, &entry.value, &entry.id(), depth + 1);
                (entry.key.into_owned(), value)
            });
            Json::Object(entries.collect())
        }
        ValueRef::Object(ObjType::List) => document
            .list_range(object, ..)
            .map(|entry| get_json(document, &entry.value, &entry.id(), depth + 1))
            .collect(),
        ValueRef::Scalar(scalar) => match scalar {
            ScalarValueRef::Str(text) => json!(text),
            ScalarValueRef::Int(number) | ScalarValueRef::Counter(number) => json!(number),
            ScalarValueRef::Uint(number) => json!(number),
            ScalarValueRef::F64(number) => Number::Float(*number).to_json(),
            ScalarValueRef::Boolean(yes) => json!(yes),
            _ => Json::Null,
        },
    }
}

/// Writes JSON under a key, in place of what was there.
pub(in crate::document) fn put_json(
    tx: &mut impl Transactable,
    map: &ObjId,
    key: &str,
    json: &Json,
) -> Result<(), AutomergeError> {
    match json {
        Json::Array(items) => {
            let list = tx.put_object(map, key, ObjType::List)?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| insert_json(tx, &list, at, item))
        }
        Json::Object(entries) => {
            let object = tx.put_object(map, key, ObjType::Map)?;
            entries
                .iter()
                .try_for_each(|(key, item)| put_json(tx, &object, key, item))
        }
        scalar => tx.put(map, key, scalar_of(scalar)),
    }
}

fn insert_json(tx: &mut impl Transactable, list: &ObjId, at: usize, json: &Json) -> Result<(), AutomergeError> {
    match json {
        Json::Array(items) => {
            let inner = tx.insert_object(list, at, ObjType::List)?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| insert_json(tx, &inner, at, item))
        }
        Json::Object(entries) => {
            let object = tx.insert_object(list, at, ObjType::Map)?;
            entries
                .iter()
                .try_for_each(|(key, item)| put_json(tx, &object, key, item))
        }
        scalar => tx.insert(list, at, scalar_of(scalar)),
    }
}

fn scalar_of(json: &Json) -> ScalarValue {
    match json {
        Json::String(text) => ScalarValue::Str(text.as_str().into()),
        Json::Bool(yes) => ScalarValue::Boolean(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(number) => ScalarValue::Int(number),
            None => ScalarValue::F64(number.as_f64().unwrap_or_default()),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => ScalarValue::Null,
    }
}

impl StoredView {
    /// The parts in which the stored view differs from another.
    pub fn differs<'v>(&'v self, other: &'v View) -> impl Iterator<Item = Part> + 'v {
        let odd = |part: &Part| self.skipped.iter().any(|skipped| skipped.part == *part);
        Part::ALL
            .into_iter()
            .filter(move |part| odd(part) || self.view.part(*part) != other.part(*part))
    }
}
