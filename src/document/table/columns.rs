//! The columns of a document, read leniently.
//!
//! Columns are few and asked for by every edit and every read, so they are read apart from the rows.

use automerge::{ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, Value as Stored, ValueRef};

use super::options::SelectOption;
use super::read::Strange;
use super::{Column, ColumnId, Deleted, Kind, key};

/// All columns, deleted ones among them, by (order as bytes, id). What is no column is reported to `odd`.
pub(super) fn read(document: &impl ReadDoc, mut odd: impl FnMut(Strange)) -> Vec<Column> {
    let Some(columns) = map(document, &ROOT, key::COLUMNS) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in document.map_range(&columns, ..) {
        let mut strange = |why| {
            odd(Strange {
                path: format!("columns/{}", entry.key).chars().take(200).collect(),
                why,
            });
        };
        match (&entry.value, ColumnId::parse(&entry.key)) {
            (ValueRef::Object(ObjType::Map), Ok(id)) => found.push(column(document, id, &entry.id())),
            (ValueRef::Object(ObjType::Map), Err(_)) => strange("not a column id"),
            _ => strange("not a map"),
        }
    }
    found.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
    found
}

/// One column, deleted or not.
pub(super) fn one(document: &impl ReadDoc, id: &ColumnId) -> Option<Column> {
    let columns = map(document, &ROOT, key::COLUMNS)?;
    let object = map(document, &columns, id.as_str())?;
    Some(column(document, id.clone(), &object))
}

/// One walk over the column's map: asking for each of its keys takes three times as long.
fn column(document: &impl ReadDoc, id: ColumnId, object: &ObjId) -> Column {
    let mut column = Column {
        id,
        name: String::new(),
        kind: Kind::Text,
        order: String::new(),
        width: None,
        options: Vec::new(),
        deleted: None,
    };
    for entry in document.map_range(object, ..) {
        let text = || string_of(document, &entry.value, || entry.id());
        match &*entry.key {
            key::NAME => column.name = text().unwrap_or_default(),
            key::KIND => column.kind = text().map_or(Kind::Text, |kind| Kind::parse(&kind)),
            key::ORDER => column.order = text().unwrap_or_default(),
            key::WIDTH => column.width = number(document, object, key::WIDTH),
            key::OPTIONS => column.options = options(document, object),
            key::DELETED => column.deleted = deleted(document, object),
            _ => {}
        }
    }
    column
}

fn options(document: &impl ReadDoc, column: &ObjId) -> Vec<SelectOption> {
    let Some(options) = map(document, column, key::OPTIONS) else {
        return Vec::new();
    };
    let mut found: Vec<_> = document
        .map_range(&options, ..)
        .filter(|entry| matches!(entry.value, ValueRef::Object(ObjType::Map)))
        .map(|entry| {
            let object = entry.id();
            SelectOption {
                id: entry.key.into_owned(),
                name: string(document, &object, key::NAME).unwrap_or_default(),
                color: string(document, &object, key::COLOR),
                order: string(document, &object, key::ORDER).unwrap_or_default(),
            }
        })
        .collect();
    found.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
    found
}

/// The mark on a row or column. Anything but `false` and nothing marks: a later version may write its marks in another way.
pub(super) fn deleted(document: &impl ReadDoc, object: &ObjId) -> Option<Deleted> {
    match document.get(object, key::DELETED).ok().flatten()? {
        (Stored::Object(ObjType::Map), mark) => Some(Deleted {
            at: number(document, &mark, key::AT).map(|at| at as i64),
            by: string(document, &mark, key::BY),
        }),
        (Stored::Scalar(scalar), _) if scalar.is_null() || scalar.as_bool() == Some(false) => None,
        _ => Some(Deleted::default()),
    }
}

/// The map under a key.
pub(super) fn map(document: &impl ReadDoc, parent: &ObjId, name: &str) -> Option<ObjId> {
    match document.get(parent, name).ok().flatten()? {
        (Stored::Object(ObjType::Map), id) => Some(id),
        _ => None,
    }
}

/// The text under a key, whichever way it is stored.
pub(super) fn string(document: &impl ReadDoc, parent: &ObjId, name: &str) -> Option<String> {
    match document.get(parent, name).ok().flatten()? {
        (Stored::Object(ObjType::Text), text) => document.text(text).ok(),
        (value, _) => value.as_str().map(str::to_owned),
    }
}

/// The text an entry of a walk holds, whichever way it is stored.
pub(super) fn string_of(document: &impl ReadDoc, value: &ValueRef<'_>, id: impl FnOnce() -> ObjId) -> Option<String> {
    match value {
        ValueRef::Object(ObjType::Text) => document.text(id()).ok(),
        ValueRef::Scalar(ScalarValueRef::Str(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn number(document: &impl ReadDoc, parent: &ObjId, name: &str) -> Option<f64> {
    let (value, _) = document.get(parent, name).ok().flatten()?;
    value
        .as_f64()
        .or_else(|| value.as_i64().map(|number| number as f64))
        .or_else(|| value.as_u64().map(|number| number as f64))
}
