//! The rows of a view in their order, kept while the table changes.
//!
//! Evaluating a view goes over all rows; an edit touches one. Whoever shows a view again and again keeps its rows here and
//! says which of them were touched: those are looked at again, and no others.
//!
//! - The rows are those that [`evaluate`](super::evaluate) gives for the same version; the tests hold this.
//! - Nothing is kept of cells but what rows are compared by, made comparable once and shared.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use automerge::{ChangeHash, ReadDoc};

use super::cells::Cells;
use super::compare::SortKey;
use super::key::{ById, ViewKey};
use super::prepared::Prepared;
use super::{Skipped, View};
use crate::document::sorted::{put_in, take_out};
use crate::document::table::{Column, ColumnId, Reading, RowEntry, RowId, TableIndex, cells};

/// One row that is asked for costs about as much as this many in one walk over all of them: 9 us against 3.
const ROW_BY_ROW: usize = 4;

/// The rows of a view on one version of a table.
///
/// 50,000 rows take 3.4 MiB beside the index where a view only filters, 5.3 MiB sorted by a number, 6.2 MiB by a short text,
/// 10 MiB by three columns. Building them goes over all cells of the table, 150 to 200 ms at 50,000 x 10; following one
/// touched row takes 8 to 26 us, most of it to read its cells, 500 of them 6 to 12 ms (`benches/views.rs`).
#[derive(Debug, Clone)]
pub struct ViewRows {
    view: View,
    /// The version.
    heads: Vec<ChangeHash>,
    prepared: Prepared,
    /// The columns whose cells decide which rows there are, as they were when this was built.
    deciding: Vec<Column>,
    /// Which of them rows are compared by, the one that counts most first, as positions among them.
    compared: Vec<usize>,
    /// For each of those, whether it is sorted downwards.
    descending: Arc<Vec<bool>>,
    rows: Vec<ViewKey>,
    by_id: HashSet<ById>,
}

impl ViewRows {
    /// Looks at all rows of the table once; the index must be of the document's present version. Heavy.
    pub fn build(document: &impl ReadDoc, index: &TableIndex, view: &View) -> Self {
        let prepared = Prepared::new(view, index.columns());
        let ids = prepared.deciding();
        let deciding: Vec<Column> = index
            .live_columns()
            .filter(|column| ids.contains(&column.id))
            .cloned()
            .collect();
        let keys = prepared.keys();
        let at = |id: &ColumnId| deciding.iter().position(|column| column.id == *id);
        let mut rows = Self {
            view: view.clone(),
            heads: Vec::new(),
            compared: keys.iter().filter_map(|key| at(&key.column)).collect(),
            descending: Arc::new(keys.iter().map(|key| key.descending).collect()),
            deciding,
            prepared,
            rows: Vec::new(),
            by_id: HashSet::new(),
        };
        rows.fill(document, index);
        rows
    }

    fn fill(&mut self, document: &impl ReadDoc, index: &TableIndex) {
        let mut cells = Cells::read(document, index, &self.prepared.deciding(), &self.prepared.compared());
        let rows = self.prepared.rows(&cells);
        let compared: Vec<_> = self.compared.iter().map(|at| &self.deciding[*at].id).collect();
        let mut keys = cells.take_keys(&compared);
        let key = |row: usize| {
            let values = keys
                .iter_mut()
                .map(|keys| std::mem::replace(&mut keys[row], SortKey::Empty));
            ViewKey::new(index.live()[row].clone(), values.collect(), self.descending.clone())
        };
        self.rows = rows.into_iter().map(key).collect();
        self.by_id = self.rows.iter().cloned().map(ById).collect();
        self.heads = index.heads().to_vec();
    }

    /// Brings the rows to the version of the index, which is the document's present one. `touched` are all rows that were
    /// made, marked, moved, taken away or written to since, in one of the columns that [`decide`](Self::decides); more do no
    /// harm. The columns must be those that the rows were built with, their kinds and options included, for the order of
    /// options is the order of rows: see [`follow_columns`](Self::follow_columns).
    pub fn follow<'r>(
        &mut self,
        document: &impl ReadDoc,
        index: &TableIndex,
        touched: impl IntoIterator<Item = &'r RowId>,
    ) {
        self.heads = index.heads().to_vec();
        let touched: HashSet<&RowId> = touched.into_iter().collect();
        if touched.len() * ROW_BY_ROW > index.live().len() {
            return self.fill(document, index);
        }
        let (mut gone, mut fresh) = (Vec::new(), Vec::new());
        for id in touched {
            let old = self.by_id.take(id).map(|ById(key)| key);
            let new = index.row(id).and_then(|row| self.place_shared(document, row));
            self.by_id.extend(new.clone().map(ById));
            match (old, new) {
                // It stays where it is: most cells decide nothing, and then there is no list to be moved.
                (Some(old), Some(new)) if old == new => {
                    if let Ok(at) = self.rows.binary_search(&old) {
                        self.rows[at] = new;
                    }
                }
                (old, new) => {
                    gone.extend(old);
                    fresh.extend(new);
                }
            }
        }
        gone.sort_unstable();
        fresh.sort_unstable();
        take_out(&mut self.rows, &gone, ViewKey::cmp);
        put_in(&mut self.rows, fresh, ViewKey::cmp);
    }

    /// Takes over columns that were changed since: other names, widths and places, columns that came or went. False if the
    /// rows depend on what has changed, and are to be built anew.
    #[must_use]
    pub fn follow_columns(&mut self, columns: &[Column]) -> bool {
        let prepared = Prepared::new(&self.view, columns);
        let same_options = |a: &Column, b: &Column| a.options.iter().map(|o| &o.id).eq(b.options.iter().map(|o| &o.id));
        let same = |known: &Column| {
            let now = columns.iter().find(|column| column.id == known.id);
            now.is_some_and(|now| now.deleted.is_none() && now.kind == known.kind && same_options(now, known))
        };
        let keeps = prepared.filter == self.prepared.filter
            && prepared.keys() == self.prepared.keys()
            && self.deciding.iter().all(same);
        if keeps {
            self.prepared = prepared;
        }
        keeps
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// The version that these are the rows of.
    pub fn heads(&self) -> &[ChangeHash] {
        &self.heads
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The visible columns in their order.
    pub fn columns(&self) -> &[ColumnId] {
        &self.prepared.columns
    }

    /// What of the view is not followed.
    pub fn skipped(&self) -> &[Skipped] {
        &self.prepared.skipped
    }

    /// Whether the cells of a column decide which rows there are, or in which order they stand.
    pub fn decides(&self, column: &ColumnId) -> bool {
        self.deciding.iter().any(|deciding| deciding.id == *column)
    }

    /// Some of the rows in their order; what of the range lies beyond the last row is left out.
    pub fn rows(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = &Arc<RowEntry>> {
        let end = range.end.min(self.rows.len());
        self.rows[range.start.min(end)..end].iter().map(ViewKey::row)
    }

    /// Where a row stands, if it is among them.
    pub fn position(&self, row: &RowId) -> Option<usize> {
        let ById(key) = self.by_id.get(row)?;
        self.search(key).ok()
    }

    /// The key of the row at a position, which must be less than [`len`](Self::len).
    pub fn key_at(&self, position: usize) -> &ViewKey {
        &self.rows[position]
    }

    /// Where a key stands, or would stand if its row were put in.
    pub fn search(&self, key: &ViewKey) -> Result<usize, usize> {
        self.rows.binary_search(key)
    }

    /// Where a row would stand with the cells it has in `document`, which may be another version of the one these rows were
    /// built from, with the same columns. `None` if it would not be there: it does not pass, or the entry is marked deleted.
    /// Whether the document has the row at all is for the caller to know. Reads the deciding cells of this row.
    pub fn place(&self, document: &impl ReadDoc, row: &RowEntry) -> Option<ViewKey> {
        self.place_shared(document, &Arc::new(row.clone()))
    }

    fn place_shared(&self, document: &impl ReadDoc, row: &Arc<RowEntry>) -> Option<ViewKey> {
        if row.deleted.is_some() {
            return None;
        }
        let read = |column: &Column| {
            let cell = cells::stored(document, &row.object, &column.id);
            Reading::of(&column.kind, &column.options, cell)
        };
        let readings: Vec<Reading> = self.deciding.iter().map(read).collect();
        let find = |id: &ColumnId| self.deciding.iter().position(|column| column.id == *id);
        let reading = |id: &ColumnId| find(id).map_or(&Reading::Empty, |at| &readings[at]);
        if !self.prepared.passes(&reading) {
            return None;
        }
        let values = self.compared.iter();
        let values = values.map(|at| SortKey::of(&self.deciding[*at], &readings[*at]));
        Some(ViewKey::new(row.clone(), values.collect(), self.descending.clone()))
    }
}
