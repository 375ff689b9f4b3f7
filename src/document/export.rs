//! A table as a file: CSV for programs, XLSX for people.
//!
//! What is exported and then imported again is the same table; what a file cannot say is listed in `docs/table-schema.md`.
//! The caller says which rows and columns, so that a view is exported as it is seen.
//!
//! - Options go by their names; several are [joined](super::sheet::list).
//! - No cell of a table becomes a formula in a spreadsheet program.

mod csv;
mod xlsx;

use std::collections::HashMap;

use automerge::ReadDoc;

pub use csv::{Csv, CsvOptions};
pub use xlsx::{Xlsx, XlsxError};

use super::sheet::{list, number_text};
use super::table::{Cell, CellValue, Column, Number, Reading, RowEntry, TableIndex, Value, cells};

/// A table as CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub rows: usize,
    pub columns: usize,
    /// Cells that hold something no field can stand for (a list, bytes); left empty.
    pub unreadable: usize,
}

/// All rows and columns that are not deleted, in their order.
pub fn csv(document: &impl ReadDoc, index: &TableIndex, options: CsvOptions) -> Written {
    let columns: Vec<Column> = index.live_columns().cloned().collect();
    let (rows, columns_written) = (index.live().len(), columns.len());
    let (csv, mut bytes) = (Csv::new(columns, options), Vec::new());
    csv.header(&mut bytes).expect("memory does not fail");
    let unreadable = csv
        .rows(document, index.live(), &mut bytes)
        .expect("memory does not fail");
    Written {
        text: String::from_utf8(bytes).expect("made of strings"),
        rows,
        columns: columns_written,
        unreadable,
    }
}

/// Columns with what is needed to write their cells.
#[derive(Debug)]
struct Columns {
    columns: Vec<Column>,
    /// Names and places of each column's options, by id.
    options: Vec<HashMap<String, (usize, String)>>,
}

/// What stands in a field.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    Empty,
    Text(String),
    Number(Number),
    Bool(bool),
    Date(String),
    /// Something that a table has no word for.
    Unreadable,
}

impl Columns {
    fn new(columns: Vec<Column>) -> Self {
        let options = columns.iter().map(|column| {
            let options = column.options.iter().enumerate();
            options
                .map(|(at, option)| (option.id.clone(), (at, option.name.clone())))
                .collect()
        });
        Self {
            options: options.collect(),
            columns,
        }
    }

    /// The fields of a row, in the order of the columns.
    fn row(&self, document: &impl ReadDoc, row: &RowEntry) -> Vec<Content> {
        let cells = cells::row_cells(document, &row.object, &self.columns);
        let content = |(at, (_, reading)): (usize, (_, Reading))| self.content(at, reading);
        cells.into_iter().enumerate().map(content).collect()
    }

    fn content(&self, at: usize, reading: Reading) -> Content {
        let name = |id: &String| self.options[at].get(id).map_or(id.clone(), |(_, name)| name.clone());
        match reading {
            Reading::Empty => Content::Empty,
            Reading::Value(value) => match value {
                CellValue::Text(text) | CellValue::LongText(text) => Content::Text(text),
                CellValue::Number(number) => Content::Number(number),
                CellValue::Counter(number) => Content::Number(Number::Int(number)),
                CellValue::Checkbox(yes) => Content::Bool(yes),
                CellValue::Date(text) => Content::Date(text),
                CellValue::Select(id) => Content::Text(name(&id)),
                CellValue::MultiSelect(ids) => {
                    let mut named: Vec<_> = ids.iter().filter_map(|id| self.options[at].get(id)).collect();
                    named.sort();
                    Content::Text(list::join(named.into_iter().map(|(_, name)| name.as_str())))
                }
                CellValue::Link(ids) => Content::Text(list::join(ids.iter().map(String::as_str))),
            },
            Reading::Mismatch(cell) => match cell {
                Cell::Value(Value::Text(text)) => Content::Text(text),
                Cell::Value(Value::Int(number)) => Content::Number(Number::Int(number)),
                Cell::Value(Value::Float(number)) => Content::Number(Number::Float(number)),
                Cell::Value(Value::Bool(yes)) => Content::Bool(yes),
                Cell::Ids(ids) => {
                    let names: Vec<_> = ids.iter().map(name).collect();
                    Content::Text(list::join(names.iter().map(String::as_str)))
                }
                Cell::Foreign(_) => Content::Unreadable,
            },
        }
    }
}

fn written(number: Number) -> String {
    match number {
        Number::Int(number) => number.to_string(),
        Number::Float(number) => number_text(number),
    }
}
