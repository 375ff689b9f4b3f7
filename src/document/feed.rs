//! What those who watch a table are told: how what they hold differs from what it is now.
//!
//! A subscriber holds a scope of the table (all of it, a stored view, a window of rows) at some version. When the document
//! has moved on, a [`Footprint`] names what the changes have touched, and [`difference`] says how the scope has come to
//! differ, in steps that are applied one by one. Nothing is kept for a subscriber: the old side is read from the document's
//! own history, by taking the touched rows back to where they stood.
//!
//! - Whoever holds the scope as it was and applies a [`Difference`] holds the scope as it is; the tests hold this.
//! - What is the same at both versions is left out, however often it has changed in between.
//! - One changed cell costs no walk over the rows.

mod columns;
mod difference;
mod footprint;
mod list;
mod movement;
mod place;

use std::collections::HashMap;
use std::sync::Arc;

use super::table::{Column, ColumnId, RowEntry, RowId, TableIndex, ViewId};
use super::view::{View, ViewRows};

pub use difference::{Compared, difference};
pub use footprint::{ColumnsTouched, Footprint, Touch};

/// Rows of a list from one place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
}

/// What of a table is watched.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'v> {
    /// A stored view, and its rows at the present version; all live rows and columns in the order of the table, if there
    /// is none.
    pub view: Option<(&'v ViewId, &'v ViewRows)>,
    /// All rows, if there is none.
    pub window: Option<Window>,
}

/// How to bring a scope to the present version.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Differs(Difference),
    /// What differs is too much or has another meaning now: a snapshot is due.
    Anew,
}

/// What of a scope differs between two versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// If it is another one.
    pub title: Option<String>,
    /// All visible columns, if any of them, or their order, is not what it was. Cells of those that were not visible
    /// before are empty until a row says otherwise.
    pub columns: Option<Vec<Column>>,
    /// The rows of the table or view; a window does not lessen them.
    pub row_count: usize,
    pub row_count_changed: bool,
    /// In the order in which they are to be applied: those gone, those that came by ascending index, those changed.
    pub rows: Vec<RowChange>,
}

/// How one row of a scope differs. A row that has moved is gone and came.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    Gone {
        row: RowId,
        /// It is marked, or not there any more; otherwise it has left the view or window, or has moved.
        deleted: bool,
    },
    Came {
        row: Arc<RowEntry>,
        /// Among all rows of the table or view.
        index: usize,
        how: Came,
    },
    Changed {
        row: Arc<RowEntry>,
        /// The visible columns in which it shows something else.
        cells: Vec<ColumnId>,
    },
}

/// Why a row is in a scope in which it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was not in the table.
    Created,
    /// It was marked as deleted.
    Restored,
    /// It came into the view or window, or has moved.
    Entered,
}

impl Scope<'_> {
    /// The visible columns in their order.
    pub fn columns<'i>(&self, index: &'i TableIndex) -> Vec<&'i Column> {
        visible(self.view.map(|(_, rows)| rows.view()), index.columns())
    }

    /// How many rows the table or view has.
    pub fn row_count(&self, index: &TableIndex) -> usize {
        self.view.map_or(index.live().len(), |(_, rows)| rows.len())
    }
}

/// What is visible of these columns: those a view names, in its order, or all that are not deleted.
fn visible<'c>(view: Option<&View>, columns: &'c [Column]) -> Vec<&'c Column> {
    let live = columns.iter().filter(|column| column.deleted.is_none());
    match view.and_then(|view| view.columns.as_ref()) {
        Some(ids) => {
            let by_id: HashMap<&ColumnId, &Column> = live.map(|column| (&column.id, column)).collect();
            ids.iter().filter_map(|id| by_id.get(id).copied()).collect()
        }
        None => live.collect(),
    }
}
