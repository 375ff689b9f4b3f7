//! What somebody wants done to a table, and how it is written into the document.
//!
//! An edit names things by id and says nothing of how they lie in the document; one list of edits becomes one Automerge
//! change. Importing, and later every door that edits tables, speak in these.
//!
//! A list is applied wholly or, on an error, must be rolled back with its transaction.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ScalarValue, Value as Stored};

use super::{ColumnId, Kind, RowId, SCHEMA_VERSION, Value, key};
use crate::document::order::OrderKey;

#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Makes an empty document a table without columns and rows.
    CreateTable {
        title: String,
    },
    AddColumn {
        id: ColumnId,
        name: String,
        kind: Kind,
        order: OrderKey,
    },
    /// Adds a row, and its block if it is the first in it.
    AddRow {
        id: RowId,
        order: OrderKey,
    },
    SetCell {
        row: RowId,
        column: ColumnId,
        value: Value,
    },
}

/// Why an edit could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("the document is not empty, a table cannot be made of it")]
    NotEmpty,
    #[error("the document is no table: {0:?} is not a map")]
    NoTable(&'static str),
    #[error("there is already a column {0}")]
    ColumnExists(ColumnId),
    #[error("there is already a row {0}")]
    RowExists(RowId),
    #[error("there is no row {0}")]
    NoRow(RowId),
    #[error("the document did not take the edit: {0}")]
    Document(#[from] AutomergeError),
}

/// Writes edits, in order, into one transaction.
pub fn apply<'a>(tx: &mut impl Transactable, edits: impl IntoIterator<Item = &'a Edit>) -> Result<(), EditError> {
    let mut writer = Writer {
        tx,
        block: None,
        row: None,
    };
    edits.into_iter().try_for_each(|edit| writer.write(edit))
}

/// Remembers the last block and row, since edits of one row follow each other.
struct Writer<'t, T> {
    tx: &'t mut T,
    block: Option<(String, ObjId)>,
    row: Option<(RowId, ObjId)>,
}

impl<T: Transactable> Writer<'_, T> {
    fn write(&mut self, edit: &Edit) -> Result<(), EditError> {
        match edit {
            Edit::CreateTable { title } => self.create(title),
            Edit::AddColumn { id, name, kind, order } => {
                let columns = self.root_map(key::COLUMNS)?;
                if self.tx.get(&columns, id.as_str())?.is_some() {
                    return Err(EditError::ColumnExists(id.clone()));
                }
                let column = self.tx.put_object(&columns, id.as_str(), ObjType::Map)?;
                self.tx.put(&column, key::NAME, name.as_str())?;
                self.tx.put(&column, key::KIND, kind.as_str())?;
                self.tx.put(&column, key::ORDER, order.as_str())?;
                Ok(())
            }
            Edit::AddRow { id, order } => {
                let block = self.block(id)?;
                if self.tx.get(&block, id.as_str())?.is_some() {
                    return Err(EditError::RowExists(id.clone()));
                }
                let row = self.tx.put_object(&block, id.as_str(), ObjType::Map)?;
                self.tx.put(&row, key::ORDER, order.as_str())?;
                self.row = Some((id.clone(), row));
                Ok(())
            }
            Edit::SetCell { row, column, value } => {
                let row = self.row(row)?;
                self.tx.put(&row, column.as_str(), scalar(value))?;
                Ok(())
            }
        }
    }

    fn create(&mut self, title: &str) -> Result<(), EditError> {
        if self.tx.keys(ROOT).next().is_some() {
            return Err(EditError::NotEmpty);
        }
        self.tx.put(ROOT, key::TYPE, key::TABLE)?;
        self.tx
            .put(ROOT, key::SCHEMA_VERSION, ScalarValue::Int(SCHEMA_VERSION as i64))?;
        self.tx.put(ROOT, key::TITLE, title)?;
        for map in [key::COLUMNS, key::BLOCKS, key::VIEWS] {
            self.tx.put_object(ROOT, map, ObjType::Map)?;
        }
        Ok(())
    }

    fn root_map(&self, name: &'static str) -> Result<ObjId, EditError> {
        self.map(&ROOT, name)?.ok_or(EditError::NoTable(name))
    }

    fn map(&self, parent: &ObjId, name: &str) -> Result<Option<ObjId>, EditError> {
        Ok(match self.tx.get(parent, name)? {
            Some((Stored::Object(ObjType::Map), id)) => Some(id),
            _ => None,
        })
    }

    /// The block of a row; made if it is not there.
    fn block(&mut self, row: &RowId) -> Result<ObjId, EditError> {
        if let Some((name, id)) = &self.block
            && name == row.block()
        {
            return Ok(id.clone());
        }
        let blocks = self.root_map(key::BLOCKS)?;
        let id = match self.map(&blocks, row.block())? {
            Some(id) => id,
            None => self.tx.put_object(&blocks, row.block(), ObjType::Map)?,
        };
        self.block = Some((row.block().into(), id.clone()));
        Ok(id)
    }

    fn row(&mut self, row: &RowId) -> Result<ObjId, EditError> {
        if let Some((known, id)) = &self.row
            && known == row
        {
            return Ok(id.clone());
        }
        let blocks = self.root_map(key::BLOCKS)?;
        let found = match self.map(&blocks, row.block())? {
            Some(block) => self.map(&block, row.as_str())?,
            None => None,
        };
        let id = found.ok_or_else(|| EditError::NoRow(row.clone()))?;
        self.row = Some((row.clone(), id.clone()));
        Ok(id)
    }
}

/// Text goes in as a scalar, which costs half of what a text object does; see `docs/table-schema.md` on cells.
fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Float(number) => ScalarValue::F64(*number),
        Value::Bool(yes) => ScalarValue::Boolean(*yes),
    }
}
