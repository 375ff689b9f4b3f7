//! The rows that a scope goes over, at the present version: those of the table, or those of a view.
//!
//! Where a row stood at another version is found by what rows are sorted by: a key, which says where it would stand among
//! the present ones.

use std::cmp::Ordering;
use std::sync::Arc;

use automerge::ReadDoc;

use crate::document::table::{ColumnId, RowEntry, RowId, TableIndex};
use crate::document::view::{ViewKey, ViewRows};

pub(super) trait List {
    /// Where a row stands; no two rows have the same.
    type Key: Ord;

    fn len(&self) -> usize;

    /// The row at a position, which must be less than the length.
    fn row(&self, at: usize) -> &Arc<RowEntry>;

    fn position(&self, row: &RowId) -> Option<usize>;

    /// The key of a row with the cells it has in `document`; none if it is not among the rows there.
    fn key(&self, document: &impl ReadDoc, row: &Arc<RowEntry>) -> Option<Self::Key>;

    /// How many of the present rows stand before a key.
    fn before(&self, key: &Self::Key) -> usize;

    /// Whether the row at a position has this key.
    fn has(&self, at: usize, key: &Self::Key) -> bool;

    /// Whether a cell of this column has a say in where its row stands.
    fn decides(&self, column: &ColumnId) -> bool;
}

/// The live rows of the table.
pub(super) struct TableRows<'i>(pub &'i TableIndex);

/// The place of a row in the table.
pub(super) struct TableKey(Arc<RowEntry>);

impl Ord for TableKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.place().cmp(&other.0.place())
    }
}

impl PartialOrd for TableKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TableKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for TableKey {}

impl List for TableRows<'_> {
    type Key = TableKey;

    fn len(&self) -> usize {
        self.0.live().len()
    }

    fn row(&self, at: usize) -> &Arc<RowEntry> {
        &self.0.live()[at]
    }

    fn position(&self, row: &RowId) -> Option<usize> {
        self.0.position(row)
    }

    fn key(&self, _: &impl ReadDoc, row: &Arc<RowEntry>) -> Option<TableKey> {
        row.deleted.is_none().then(|| TableKey(row.clone()))
    }

    fn before(&self, key: &TableKey) -> usize {
        self.0.live().partition_point(|row| row.place() < key.0.place())
    }

    fn has(&self, at: usize, key: &TableKey) -> bool {
        self.0.live()[at].place() == key.0.place()
    }

    fn decides(&self, _: &ColumnId) -> bool {
        false
    }
}

impl List for &ViewRows {
    type Key = ViewKey;

    fn len(&self) -> usize {
        ViewRows::len(self)
    }

    fn row(&self, at: usize) -> &Arc<RowEntry> {
        self.key_at(at).row()
    }

    fn position(&self, row: &RowId) -> Option<usize> {
        ViewRows::position(self, row)
    }

    fn key(&self, document: &impl ReadDoc, row: &Arc<RowEntry>) -> Option<ViewKey> {
        self.place(document, row)
    }

    fn before(&self, key: &ViewKey) -> usize {
        self.search(key).unwrap_or_else(|at| at)
    }

    fn has(&self, at: usize, key: &ViewKey) -> bool {
        self.key_at(at) == key
    }

    fn decides(&self, column: &ColumnId) -> bool {
        ViewRows::decides(self, column)
    }
}
