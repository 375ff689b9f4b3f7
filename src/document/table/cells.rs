//! Rows and cells read straight from the document.
//!
//! A row's id names its block, so one row is three lookups away and needs no index: a few microseconds.

use std::collections::HashMap;

use automerge::{ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, ValueRef};

use super::value::Reading;
use super::{Cell, Column, ColumnId, Deleted, RowId, Value, columns, key};

/// One row with the cells of the columns asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RowReading {
    pub id: RowId,
    pub deleted: Option<Deleted>,
    /// In the order of the columns asked for; empty cells are among them.
    pub cells: Vec<(ColumnId, Reading)>,
}

impl RowReading {
    /// The columns whose cells hold what their kind does not say.
    pub fn mismatches(&self) -> impl Iterator<Item = &ColumnId> {
        self.cells
            .iter()
            .filter(|(_, reading)| matches!(reading, Reading::Mismatch(_)))
            .map(|(column, _)| column)
    }
}

/// The map of a row, deleted or not; `None` if there is no such row.
pub fn row_object(document: &impl ReadDoc, row: &RowId) -> Option<ObjId> {
    let blocks = columns::map(document, &ROOT, key::BLOCKS)?;
    let block = columns::map(document, &blocks, row.block())?;
    columns::map(document, &block, row.as_str())
}

/// A row and its cells; `None` if there is no such row.
pub fn row<'c>(
    document: &impl ReadDoc,
    row: &RowId,
    columns: impl IntoIterator<Item = &'c Column>,
) -> Option<RowReading> {
    let object = row_object(document, row)?;
    Some(RowReading {
        id: row.clone(),
        deleted: columns::deleted(document, &object),
        cells: row_cells(document, &object, columns),
    })
}

/// The cells of a row whose map is known, for instance from an index. The map is walked once, which is three times as fast
/// as asking for each of ten cells.
pub fn row_cells<'c>(
    document: &impl ReadDoc,
    row: &ObjId,
    columns: impl IntoIterator<Item = &'c Column>,
) -> Vec<(ColumnId, Reading)> {
    let mut found: HashMap<String, Cell> = document
        .map_range(row, ..)
        .filter_map(|entry| {
            let cell = read(document, &entry.value, || entry.id())?;
            Some((entry.key.into_owned(), cell))
        })
        .collect();
    let reading = |column: &Column| {
        let cell = found.remove(column.id.as_str());
        (column.id.clone(), Reading::of(&column.kind, &column.options, cell))
    };
    columns.into_iter().map(reading).collect()
}

/// One cell as its column shows it; `None` if there is no such row.
pub fn cell(document: &impl ReadDoc, row: &RowId, column: &Column) -> Option<Reading> {
    let object = row_object(document, row)?;
    let cell = stored(document, &object, &column.id);
    Some(Reading::of(&column.kind, &column.options, cell))
}

/// What a row's map holds under a column's id.
pub(in crate::document) fn stored(document: &impl ReadDoc, row: &ObjId, column: &ColumnId) -> Option<Cell> {
    let name = column.as_str().to_owned();
    let entry = document.map_range(row, name.clone()..=name).next()?;
    read(document, &entry.value, || entry.id())
}

/// What an entry of a row's map holds, whatever the column's kind.
pub(in crate::document) fn read(
    document: &impl ReadDoc,
    value: &ValueRef<'_>,
    id: impl FnOnce() -> ObjId,
) -> Option<Cell> {
    match value {
        ValueRef::Scalar(ScalarValueRef::Null) => None,
        ValueRef::Scalar(scalar) => Some(plain(scalar).map_or(Cell::Foreign(unread(scalar)), Cell::Value)),
        ValueRef::Object(ObjType::Text) => {
            let text = document.text(id()).unwrap_or_default();
            Some(Cell::Value(Value::Text(text)))
        }
        ValueRef::Object(ObjType::Map) => {
            let ids = document
                .map_range(id(), ..)
                .filter(|entry| entry.value == ValueRef::Scalar(ScalarValueRef::Boolean(true)));
            Some(Cell::Ids(ids.map(|entry| entry.key.into_owned()).collect()))
        }
        ValueRef::Object(_) => Some(Cell::Foreign("a list")),
    }
}

/// A scalar as a value, if a table has one for it.
pub(super) fn plain(scalar: &ScalarValueRef<'_>) -> Option<Value> {
    match scalar {
        ScalarValueRef::Str(text) => Some(Value::Text(text.to_string())),
        ScalarValueRef::Int(number) | ScalarValueRef::Counter(number) => Some(Value::Int(*number)),
        ScalarValueRef::Uint(number) => Some(i64::try_from(*number).map_or(Value::Float(*number as f64), Value::Int)),
        ScalarValueRef::F64(number) => Some(Value::Float(*number)),
        ScalarValueRef::Boolean(yes) => Some(Value::Bool(*yes)),
        _ => None,
    }
}

pub(super) fn unread(scalar: &ScalarValueRef<'_>) -> &'static str {
    match scalar {
        ScalarValueRef::Bytes(_) => "bytes",
        ScalarValueRef::Timestamp(_) => "a timestamp",
        _ => "an unknown scalar",
    }
}
