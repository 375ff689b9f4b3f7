//! What a plan writes into the document.
//!
//! Everything was checked before; what is written here says how it lies in the document, and depends on what lies there:
//! a counter is incremented if it is one, and made if there is none yet.

use std::collections::BTreeSet;

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ScalarValue, Value as Stored};
use serde_json::Value as Json;

use super::{Stamp, text};
use crate::document::order::OrderKey;
use crate::document::table::id::ViewId;
use crate::document::table::{Column, ColumnId, Number, RowId, SelectOption, Value, columns, key, purge};

#[derive(Debug, Clone)]
pub(super) enum Write {
    Title(String),
    AddRow {
        row: RowId,
        order: OrderKey,
    },
    RowOrder {
        row: RowId,
        order: OrderKey,
    },
    MarkRow {
        row: RowId,
        stamp: Stamp,
    },
    UnmarkRow(RowId),
    Cell {
        row: RowId,
        column: ColumnId,
        write: CellWrite,
    },
    AddColumn(Column),
    ColumnField {
        column: ColumnId,
        name: &'static str,
        value: Option<ScalarValue>,
    },
    MarkColumn {
        column: ColumnId,
        stamp: Stamp,
    },
    Options {
        column: ColumnId,
        writes: Vec<OptionWrite>,
    },
    ViewPart {
        view: ViewId,
        name: &'static str,
        value: Option<Json>,
    },
    DeleteView(ViewId),
    PurgeRow {
        row: RowId,
        object: ObjId,
    },
    PurgeCell {
        row: RowId,
        column: ColumnId,
    },
    PurgeColumn(ColumnId),
}

#[derive(Debug, Clone)]
pub(super) enum CellWrite {
    Scalar(Value),
    /// Takes the key away.
    Clear,
    /// Empties a text or a map of ids, and takes away what is neither.
    Empty,
    Text(String),
    Splice {
        at: usize,
        delete: usize,
        insert: String,
    },
    Ids(BTreeSet<String>),
    Add(BTreeSet<String>),
    Remove(BTreeSet<String>),
    Counter(i64),
    Increment(i64),
}

#[derive(Debug, Clone)]
pub(super) enum OptionWrite {
    Put(SelectOption),
    Remove(String),
}

pub(super) fn write(tx: &mut impl Transactable, writes: &[Write]) -> Result<(), AutomergeError> {
    let mut writer = Writer {
        tx,
        block: None,
        row: None,
    };
    writes.iter().try_for_each(|write| writer.write(write))
}

/// Remembers the last block and row, since writes to one row follow each other.
struct Writer<'t, T> {
    tx: &'t mut T,
    block: Option<(String, ObjId)>,
    row: Option<(RowId, ObjId)>,
}

impl<T: Transactable> Writer<'_, T> {
    fn write(&mut self, write: &Write) -> Result<(), AutomergeError> {
        match write {
            Write::Title(title) => self.tx.put(ROOT, key::TITLE, title.as_str()),
            Write::AddRow { row, order } => {
                let block = self.block(row)?;
                let object = self.tx.put_object(&block, row.as_str(), ObjType::Map)?;
                self.tx.put(&object, key::ORDER, order.as_str())?;
                self.row = Some((row.clone(), object));
                Ok(())
            }
            Write::RowOrder { row, order } => {
                let row = self.row(row)?;
                self.tx.put(&row, key::ORDER, order.as_str())
            }
            Write::MarkRow { row, stamp } => {
                let row = self.row(row)?;
                self.mark(&row, stamp)
            }
            Write::UnmarkRow(row) => {
                let row = self.row(row)?;
                self.tx.delete(&row, key::DELETED)
            }
            Write::Cell { row, column, write } => {
                let row = self.row(row)?;
                self.cell(&row, column.as_str(), write)
            }
            Write::AddColumn(column) => self.add_column(column),
            Write::ColumnField { column, name, value } => {
                let column = self.column(column)?;
                self.put_or_delete(&column, name, value.clone())
            }
            Write::MarkColumn { column, stamp } => {
                let column = self.column(column)?;
                self.mark(&column, stamp)
            }
            Write::Options { column, writes } => {
                let column = self.column(column)?;
                self.options(&column, writes)
            }
            Write::ViewPart { view, name, value } => self.view_part(view, name, value.as_ref()),
            Write::DeleteView(view) => {
                let views = self.map_at(&ROOT, key::VIEWS)?;
                self.tx.delete(&views, view.as_str())
            }
            Write::PurgeRow { row, object } => {
                let block = self.block(row)?;
                self.row = None;
                purge::purge_row(self.tx, &block, row, object)
            }
            Write::PurgeCell { row, column } => {
                let row = self.row(row)?;
                purge::purge_cell(self.tx, &row, column)
            }
            Write::PurgeColumn(column) => purge::purge_column(self.tx, column),
        }
    }

    fn mark(&mut self, object: &ObjId, stamp: &Stamp) -> Result<(), AutomergeError> {
        let mark = self.tx.put_object(object, key::DELETED, ObjType::Map)?;
        self.tx.put(&mark, key::AT, stamp.at)?;
        self.tx.put(&mark, key::BY, stamp.by.as_str())
    }

    fn cell(&mut self, row: &ObjId, column: &str, write: &CellWrite) -> Result<(), AutomergeError> {
        match write {
            CellWrite::Scalar(value) => self.tx.put(row, column, scalar(value)),
            CellWrite::Clear => self.clear(row, column),
            CellWrite::Empty => match self.tx.get(row, column)? {
                Some((Stored::Object(ObjType::Text), object)) => text::replace(self.tx, &object, ""),
                Some((Stored::Object(ObjType::Map), ids)) => self.set_ids(&ids, &BTreeSet::new()),
                _ => self.clear(row, column),
            },
            CellWrite::Text(wanted) if wanted.is_empty() => self.cell(row, column, &CellWrite::Empty),
            CellWrite::Text(wanted) => {
                let object = self.text_at(row, column)?;
                text::replace(self.tx, &object, wanted)
            }
            CellWrite::Splice { at, delete, insert } => {
                let object = self.text_at(row, column)?;
                text::splice(self.tx, &object, *at, *delete, insert)
            }
            CellWrite::Ids(ids) => {
                let object = self.map_at(row, column)?;
                self.set_ids(&object, ids)
            }
            CellWrite::Add(ids) => {
                let object = self.map_at(row, column)?;
                ids.iter().try_for_each(|id| self.tx.put(&object, id.as_str(), true))
            }
            CellWrite::Remove(ids) => match columns::map(self.tx, row, column) {
                Some(object) => self.drop_ids(&object, |id| ids.contains(id)),
                None => Ok(()),
            },
            CellWrite::Counter(wanted) => match self.counter(row, column)? {
                // The difference, so that what others count meanwhile is counted.
                Counted::Counter(now) if now == *wanted => Ok(()),
                Counted::Counter(now) => self.tx.increment(row, column, wanted - now),
                Counted::Number(_) => self.tx.put(row, column, ScalarValue::counter(*wanted)),
            },
            CellWrite::Increment(by) => match self.counter(row, column)? {
                Counted::Counter(_) if *by == 0 => Ok(()),
                Counted::Counter(_) => self.tx.increment(row, column, *by),
                Counted::Number(now) => self.tx.put(row, column, ScalarValue::counter(now + by)),
            },
        }
    }

    fn clear(&mut self, row: &ObjId, column: &str) -> Result<(), AutomergeError> {
        match self.tx.get(row, column)? {
            Some(_) => self.tx.delete(row, column),
            None => Ok(()),
        }
    }

    fn counter(&self, row: &ObjId, column: &str) -> Result<Counted, AutomergeError> {
        Ok(match self.tx.get(row, column)? {
            Some((Stored::Scalar(scalar), _)) => match scalar.as_ref() {
                ScalarValue::Counter(counter) => Counted::Counter(i64::from(counter)),
                ScalarValue::Int(number) => Counted::Number(*number),
                ScalarValue::Uint(number) => Counted::Number(i64::try_from(*number).unwrap_or(0)),
                ScalarValue::F64(number) => match Number::from_f64(*number) {
                    Number::Int(number) => Counted::Number(number),
                    Number::Float(_) => Counted::Number(0),
                },
                _ => Counted::Number(0),
            },
            _ => Counted::Number(0),
        })
    }

    /// The text object of a cell; made of the scalar that is there, if there is none.
    fn text_at(&mut self, row: &ObjId, column: &str) -> Result<ObjId, AutomergeError> {
        let before = match self.tx.get(row, column)? {
            Some((Stored::Object(ObjType::Text), object)) => return Ok(object),
            Some((value, _)) => value.as_str().map(str::to_owned),
            None => None,
        };
        let object = self.tx.put_object(row, column, ObjType::Text)?;
        if let Some(before) = before {
            self.tx.splice_text(&object, 0, 0, &before)?;
        }
        Ok(object)
    }

    fn map_at(&mut self, parent: &ObjId, name: &str) -> Result<ObjId, AutomergeError> {
        match columns::map(self.tx, parent, name) {
            Some(object) => Ok(object),
            None => self.tx.put_object(parent, name, ObjType::Map),
        }
    }

    /// Adds what is missing and takes away what is too much, so that others' additions stay.
    fn set_ids(&mut self, object: &ObjId, ids: &BTreeSet<String>) -> Result<(), AutomergeError> {
        self.drop_ids(object, |id| !ids.contains(id))?;
        ids.iter().try_for_each(|id| self.tx.put(object, id.as_str(), true))
    }

    fn drop_ids(&mut self, object: &ObjId, drop: impl Fn(&str) -> bool) -> Result<(), AutomergeError> {
        let there: Vec<String> = self.tx.keys(object).filter(|id| drop(id)).collect();
        there.iter().try_for_each(|id| self.tx.delete(object, id.as_str()))
    }

    fn add_column(&mut self, column: &Column) -> Result<(), AutomergeError> {
        let columns = self.map_at(&ROOT, key::COLUMNS)?;
        let object = self.tx.put_object(&columns, column.id.as_str(), ObjType::Map)?;
        self.tx.put(&object, key::NAME, column.name.as_str())?;
        self.tx.put(&object, key::KIND, column.kind.as_str())?;
        self.tx.put(&object, key::ORDER, column.order.as_str())?;
        if let Some(width) = column.width {
            self.tx.put(&object, key::WIDTH, number(width))?;
        }
        // Made with the column, so that two people who add its first options at once both win.
        let options: Vec<_> = column.options.iter().cloned().map(OptionWrite::Put).collect();
        if column.kind.has_options() {
            self.options(&object, &options)?;
        }
        Ok(())
    }

    fn options(&mut self, column: &ObjId, writes: &[OptionWrite]) -> Result<(), AutomergeError> {
        let options = self.map_at(column, key::OPTIONS)?;
        for write in writes {
            match write {
                OptionWrite::Remove(id) => self.tx.delete(&options, id.as_str())?,
                OptionWrite::Put(option) => {
                    let object = self.map_at(&options, &option.id)?;
                    self.tx.put(&object, key::NAME, option.name.as_str())?;
                    self.tx.put(&object, key::ORDER, option.order.as_str())?;
                    let color = option.color.as_deref().map(ScalarValue::from);
                    self.put_or_delete(&object, key::COLOR, color)?;
                }
            }
        }
        Ok(())
    }

    fn view_part(&mut self, view: &ViewId, name: &str, value: Option<&Json>) -> Result<(), AutomergeError> {
        let views = self.map_at(&ROOT, key::VIEWS)?;
        let object = self.map_at(&views, view.as_str())?;
        match value {
            Some(value) => crate::document::view::put_json(self.tx, &object, name, value),
            None => self.put_or_delete(&object, name, None),
        }
    }

    fn put_or_delete(&mut self, object: &ObjId, name: &str, value: Option<ScalarValue>) -> Result<(), AutomergeError> {
        match value {
            Some(value) => self.tx.put(object, name, value),
            None if self.tx.get(object, name)?.is_some() => self.tx.delete(object, name),
            None => Ok(()),
        }
    }

    fn column(&self, id: &ColumnId) -> Result<ObjId, AutomergeError> {
        let columns = columns::map(self.tx, &ROOT, key::COLUMNS);
        let column = columns.and_then(|columns| columns::map(self.tx, &columns, id.as_str()));
        column.ok_or_else(|| missing(id.as_str()))
    }

    /// The block of a row; made if it is not there.
    fn block(&mut self, row: &RowId) -> Result<ObjId, AutomergeError> {
        if let Some((name, object)) = &self.block
            && name == row.block()
        {
            return Ok(object.clone());
        }
        let blocks = self.map_at(&ROOT, key::BLOCKS)?;
        let object = self.map_at(&blocks, row.block())?;
        self.block = Some((row.block().into(), object.clone()));
        Ok(object)
    }

    fn row(&mut self, row: &RowId) -> Result<ObjId, AutomergeError> {
        if let Some((known, object)) = &self.row
            && known == row
        {
            return Ok(object.clone());
        }
        let block = self.block(row)?;
        let object = columns::map(self.tx, &block, row.as_str()).ok_or_else(|| missing(row.as_str()))?;
        self.row = Some((row.clone(), object.clone()));
        Ok(object)
    }
}

enum Counted {
    Counter(i64),
    Number(i64),
}

/// The plan was made for another version of the document.
fn missing(id: &str) -> AutomergeError {
    AutomergeError::InvalidObjId(id.to_owned())
}

/// Pixels are whole in most documents, and a whole number is smaller.
pub(super) fn number(number: f64) -> ScalarValue {
    match Number::from_f64(number) {
        Number::Int(number) => ScalarValue::Int(number),
        Number::Float(number) => ScalarValue::F64(number),
    }
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Float(number) => ScalarValue::F64(*number),
        Value::Bool(yes) => ScalarValue::Boolean(*yes),
    }
}
