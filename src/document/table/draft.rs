//! A whole new table, as the series of changes that make it.
//!
//! A table is never written as one change: if a peer lacks more than a third of a document's changes, the sync protocol
//! ships the whole document for the next edit of a single cell. Changes of at most 500 cells also stay small frames and
//! small jobs for everybody who applies them.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjType, ROOT, ScalarValue};
use rand::Rng;

use super::batch::MAX_NAME_BYTES;
use super::{BLOCK_ROWS, BlockId, CHANGE_CELLS, ColumnId, Edit, Kind, RowId, SCHEMA_VERSION, Value, key};
use crate::document::order::{self, OrderKey};

/// Makes an empty document a table of this title without columns and rows.
pub fn create(tx: &mut impl Transactable, title: &str) -> Result<(), CreateError> {
    if title.len() > MAX_NAME_BYTES {
        return Err(CreateError::LongTitle);
    }
    if tx.keys(ROOT).next().is_some() {
        return Err(CreateError::NotEmpty);
    }
    tx.put(ROOT, key::TYPE, key::TABLE)?;
    tx.put(ROOT, key::SCHEMA_VERSION, ScalarValue::Int(SCHEMA_VERSION as i64))?;
    tx.put(ROOT, key::TITLE, title)?;
    for map in [key::COLUMNS, key::BLOCKS, key::VIEWS] {
        tx.put_object(ROOT, map, ObjType::Map)?;
    }
    Ok(())
}

/// Why a document was not made a table.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the document is not empty, a table cannot be made of it")]
    NotEmpty,
    #[error("a title has at most {MAX_NAME_BYTES} bytes")]
    LongTitle,
    #[error("the document did not take the table: {0}")]
    Document(#[from] AutomergeError),
}

/// Bounds the rows of a change where rows have few cells or none.
const CHANGE_EDITS: usize = 2 * CHANGE_CELLS;

/// Bounds the text of a change, in bytes.
const CHANGE_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    pub name: String,
    pub kind: Kind,
}

/// A table that is in no document yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTable {
    pub title: String,
    pub columns: Vec<NewColumn>,
    /// One entry per column; an empty cell is none.
    pub rows: Vec<Vec<Option<Value>>>,
}

impl NewTable {
    /// The changes that make the table in an empty document, each a list of edits to be applied in one transaction.
    /// They are made one at a time, so that the caller can send one while the next is still to come.
    pub fn into_changes<R: Rng>(self, mut rng: R) -> impl Iterator<Item = Vec<Edit>> {
        let mut order = Order::default();
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut opening = vec![Edit::CreateTable { title: self.title }];
        for NewColumn { name, kind } in self.columns {
            let id = ColumnId::random(&mut rng);
            columns.push(id.clone());
            opening.push(Edit::AddColumn {
                id,
                name,
                kind,
                order: order.next(),
            });
        }
        let rows = Rows {
            columns,
            rows: self.rows.into_iter(),
            order: Order::default(),
            block: None,
            rng,
        };
        // The first change makes a table of it, with all columns: whoever sees the document sees a table.
        std::iter::once(opening).chain(Changes {
            edits: rows.flatten().peekable(),
        })
    }
}

/// Order keys one after the other, from the start of a list.
#[derive(Default)]
struct Order {
    last: Option<OrderKey>,
}

impl Order {
    fn next(&mut self) -> OrderKey {
        let next = order::between(self.last.as_ref(), None).expect("there is always room at the end");
        self.last = Some(next.clone());
        next
    }
}

/// The edits of one row after the other, cut into blocks.
struct Rows<R> {
    columns: Vec<ColumnId>,
    rows: std::vec::IntoIter<Vec<Option<Value>>>,
    order: Order,
    /// The block being filled, and how many rows it has.
    block: Option<(BlockId, usize)>,
    rng: R,
}

impl<R: Rng> Iterator for Rows<R> {
    type Item = Vec<Edit>;

    fn next(&mut self) -> Option<Vec<Edit>> {
        let cells = self.rows.next()?;
        let (block, filled) = match self.block.take() {
            Some((block, filled)) if filled < BLOCK_ROWS => (block, filled),
            _ => (BlockId::random(&mut self.rng), 0),
        };
        let row = RowId::random(&block, &mut self.rng);
        self.block = Some((block, filled + 1));
        let mut edits = vec![Edit::AddRow {
            id: row.clone(),
            order: self.order.next(),
        }];
        for (column, value) in self.columns.iter().zip(cells) {
            if let Some(value) = value {
                edits.push(Edit::SetCell {
                    row: row.clone(),
                    column: column.clone(),
                    value,
                });
            }
        }
        Some(edits)
    }
}

/// Cuts a stream of edits into changes.
struct Changes<I: Iterator<Item = Edit>> {
    edits: std::iter::Peekable<I>,
}

impl<I: Iterator<Item = Edit>> Iterator for Changes<I> {
    type Item = Vec<Edit>;

    fn next(&mut self) -> Option<Vec<Edit>> {
        let mut change = Vec::new();
        let (mut cells, mut bytes) = (0, 0);
        while let Some(edit) = self.edits.peek() {
            let (more_cells, more_bytes) = match edit {
                Edit::SetCell {
                    value: Value::Text(text),
                    ..
                } => (1, text.len()),
                Edit::SetCell { .. } => (1, 0),
                _ => (0, 0),
            };
            let fits =
                cells + more_cells <= CHANGE_CELLS && bytes + more_bytes <= CHANGE_BYTES && change.len() < CHANGE_EDITS;
            if !fits && !change.is_empty() {
                break;
            }
            cells += more_cells;
            bytes += more_bytes;
            change.extend(self.edits.next());
        }
        (!change.is_empty()).then_some(change)
    }
}
