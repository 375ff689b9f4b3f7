//! A row as JSON, written straight from what the document holds.
//!
//! A page has thousands of cells: they are serialized from their readings, without a tree of values in between.

use std::sync::Arc;

use automerge::ReadDoc;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{Mark, Names};
use crate::document::table::{self, Cell, CellValue, Number, Reading, RowEntry, Value, cells};

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Row {
    #[schema(value_type = String, example = "Yw0pLk3a.9fQ2mZx1")]
    pub id: table::RowId,
    /// Values by column; empty cells are left out.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    pub cells: Cells,
    /// Cells that do not fit their column, and what the column expects. They are given as what they hold.
    #[serde(skip_serializing_if = "Marked::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, String>, required = false)]
    pub marked: Marked,
    /// Who deleted it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted: Option<Mark>,
}

/// The columns that are shown, and what their cells are called.
#[derive(Debug, Clone)]
pub struct Shown(Vec<Field>);

/// A column that is shown.
#[derive(Debug, Clone)]
pub struct Field {
    pub column: table::Column,
    pub key: Arc<str>,
}

impl Shown {
    /// Cells by the ids of their columns.
    pub fn by_id<'c>(columns: impl IntoIterator<Item = &'c table::Column>) -> Self {
        Self::with(columns, |column| column.id.as_str())
    }

    /// Cells by the names of their columns; by the id where the name is not unique.
    pub fn by_name<'c>(columns: impl IntoIterator<Item = &'c table::Column>, names: &Names) -> Self {
        Self::with(columns, |column| match names.is_unique(&column.name) {
            true => &column.name,
            false => column.id.as_str(),
        })
    }

    fn with<'c>(columns: impl IntoIterator<Item = &'c table::Column>, key: impl Fn(&table::Column) -> &str) -> Self {
        let field = |column: &table::Column| Field {
            key: key(column).into(),
            column: column.clone(),
        };
        Self(columns.into_iter().map(field).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A row with the cells of these columns.
    pub fn row(&self, document: &impl ReadDoc, row: &RowEntry) -> Row {
        let columns = self.0.iter().map(|field| &field.column);
        let readings = cells::row_cells(document, &row.object, columns);
        let (mut cells, mut marked) = (Vec::with_capacity(readings.len()), Vec::new());
        for (field, (_, reading)) in self.0.iter().zip(readings) {
            if let Reading::Mismatch(_) = reading {
                marked.push((field.key.clone(), field.column.kind.expects()));
            }
            if !reading.is_empty() {
                cells.push((field.key.clone(), reading));
            }
        }
        Row {
            id: row.id.clone(),
            cells: Cells(cells),
            marked: Marked(marked),
            deleted: row.deleted.as_ref().map(Mark::from),
        }
    }
}

/// The cells of a row that are not empty, in the order of the columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells(Vec<(Arc<str>, Reading)>);

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, reading)| (&**key, AsJson(reading))))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Marked(Vec<(Arc<str>, &'static str)>);

impl Marked {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Marked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, expected) in &self.0 {
            map.serialize_entry(&**key, expected)?;
        }
        map.end()
    }
}

/// A reading as [`Reading::to_json`] has it, without the value in between.
struct AsJson<'r>(&'r Reading);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Reading::Empty => serializer.serialize_unit(),
            Reading::Value(value) => match value {
                CellValue::Text(text) | CellValue::LongText(text) | CellValue::Date(text) | CellValue::Select(text) => {
                    serializer.serialize_str(text)
                }
                CellValue::Number(value) => number(*value, serializer),
                CellValue::Checkbox(yes) => serializer.serialize_bool(*yes),
                CellValue::MultiSelect(ids) | CellValue::Link(ids) => serializer.collect_seq(ids),
                CellValue::Counter(number) => serializer.serialize_i64(*number),
            },
            Reading::Mismatch(cell) => match cell {
                Cell::Value(Value::Text(text)) => serializer.serialize_str(text),
                Cell::Value(Value::Int(number)) => serializer.serialize_i64(*number),
                Cell::Value(Value::Float(value)) => number(Number::Float(*value), serializer),
                Cell::Value(Value::Bool(yes)) => serializer.serialize_bool(*yes),
                Cell::Ids(ids) => serializer.collect_seq(ids),
                Cell::Foreign(_) => serializer.serialize_unit(),
            },
        }
    }
}

/// A whole float is written as a whole number; what JSON has no number for is `null`.
fn number<S: Serializer>(number: Number, serializer: S) -> Result<S::Ok, S::Error> {
    let number = match number {
        Number::Float(float) => Number::from_f64(float),
        whole => whole,
    };
    match number {
        Number::Int(number) => serializer.serialize_i64(number),
        Number::Float(number) => serializer.serialize_f64(number),
    }
}

impl Serialize for table::RowId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
