//! A difference as the messages tell it: rows with their values, who wrote them, the version they lead to.

use std::collections::HashSet;
use std::sync::Arc;

use automerge::Automerge;

use super::trail::Who;
use crate::document::feed::{Came, Difference, RowChange, Scope, Window};
use crate::document::table::{Column, ColumnId, Reading, RowEntry, RowId, TableIndex, cells};
use crate::wire::live::{Cell, Changes, RecordChanged};

/// What a difference is told about.
pub(super) struct Telling<'t> {
    pub table: &'t str,
    pub document: &'t Automerge,
    pub index: &'t TableIndex,
    pub scope: &'t Scope<'t>,
    /// The version that is told.
    pub version: &'t str,
}

impl<'t> Telling<'t> {
    /// The difference as a message.
    pub fn tell(&self, difference: Difference, from: Option<&'t str>, who: impl Fn(&RowId) -> Who) -> Changes<'t> {
        let columns = self.scope.columns(self.index);
        let row = |change: RowChange| self.row(change, &columns, &who);
        let changes: Vec<_> = difference.rows.into_iter().map(row).collect();
        Changes {
            table_id: self.table,
            from,
            changes,
            columns: difference
                .columns
                .map(|columns| columns.iter().map(Into::into).collect()),
            title: difference.title,
            row_count: difference.row_count_changed.then_some(difference.row_count),
            version: self.version,
        }
    }

    fn row(&self, change: RowChange, columns: &[&Column], who: &impl Fn(&RowId) -> Who) -> RecordChanged {
        let (kind, row, cells, index) = match change {
            RowChange::Gone { row, deleted: true } => ("delete", row, Vec::new(), None),
            RowChange::Gone { row, deleted: false } => ("leave", row, Vec::new(), None),
            RowChange::Came { row, index, how } => {
                let kind = match how {
                    Came::Created => "create",
                    Came::Restored => "restore",
                    Came::Entered => "enter",
                };
                (kind, row.id.clone(), self.filled(&row, columns), Some(index))
            }
            RowChange::Changed { row, cells } => ("update", row.id.clone(), self.cells(&row, &cells), None),
        };
        let Who { user, device, change } = who(&row);
        RecordChanged {
            kind,
            record_id: row.to_string(),
            changes: cells,
            index,
            user_id: user,
            device_id: device,
            change_id: change,
        }
    }

    /// The cells of a row that hold something.
    fn filled(&self, row: &RowEntry, columns: &[&Column]) -> Vec<Cell> {
        let readings = cells::row_cells(self.document, &row.object, columns.iter().copied());
        let filled = columns
            .iter()
            .zip(readings)
            .filter(|(_, (_, reading))| !reading.is_empty());
        filled.map(|(column, (_, reading))| cell(column, &reading)).collect()
    }

    /// These cells of a row, empty ones included.
    fn cells(&self, row: &RowEntry, ids: &[ColumnId]) -> Vec<Cell> {
        let columns: Vec<_> = ids.iter().filter_map(|id| self.index.column(id)).collect();
        let readings = cells::row_cells(self.document, &row.object, columns.iter().copied());
        columns
            .iter()
            .zip(readings)
            .map(|(column, (_, reading))| cell(column, &reading))
            .collect()
    }
}

fn cell(column: &Column, reading: &Reading) -> Cell {
    Cell {
        field_id: column.id.to_string(),
        new_value: reading.to_json(),
        marked: matches!(reading, Reading::Mismatch(_)).then(|| column.kind.expects()),
    }
}

/// The rows of a scope, in their order.
pub(super) fn rows_of<'r>(
    scope: &Scope<'r>,
    index: &'r TableIndex,
) -> Box<dyn ExactSizeIterator<Item = &'r Arc<RowEntry>> + 'r> {
    let all = scope.row_count(index);
    let Window { offset, limit } = scope.window.unwrap_or(Window { offset: 0, limit: all });
    let range = offset.min(all)..offset.saturating_add(limit).min(all);
    match scope.view {
        Some((_, view)) => Box::new(view.rows(range)),
        None => Box::new(index.live()[range].iter()),
    }
}

/// The ids of these rows.
pub(super) fn rows_shown(scope: &Scope<'_>, index: &TableIndex) -> HashSet<RowId> {
    rows_of(scope, index).map(|row| row.id.clone()).collect()
}
