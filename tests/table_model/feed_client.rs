//! A client that watches a table without a CRDT: it holds what it was shown, and does what it is told.

use std::collections::BTreeMap;

use automerge::{Automerge, ReadDoc};
use roundtable::document::feed::{Difference, RowChange, Window};
use roundtable::document::table::{Column, ColumnId, Reading, RowEntry, RowId, TableIndex, ViewId, cells};
use roundtable::document::view::{self, evaluate};
use serde_json::{Value as Json, json};

/// What is watched.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    pub view: Option<ViewId>,
    pub window: Option<Window>,
}

/// What a client holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub title: String,
    pub columns: Vec<Json>,
    pub row_count: usize,
    pub rows: Vec<(RowId, Cells)>,
}

/// Cells that are not empty: what they show, and whether it fits.
type Cells = BTreeMap<ColumnId, (Json, bool)>;

impl Held {
    /// What a snapshot shows; none if the view is not there. Made without anything that differences are made with.
    pub fn snapshot(document: &Automerge, index: &TableIndex, watched: &Watched) -> Option<Self> {
        let (all, columns): (Vec<_>, Vec<ColumnId>) = match &watched.view {
            None => (
                index.live().to_vec(),
                index.live_columns().map(|column| column.id.clone()).collect(),
            ),
            Some(id) => {
                let shown = evaluate(document, index, &view::find(document, id)?.view);
                (shown.rows, shown.columns)
            }
        };
        let columns: Vec<&Column> = columns.iter().map(|id| index.column(id).unwrap()).collect();
        let window = watched.window.unwrap_or(Window {
            offset: 0,
            limit: usize::MAX,
        });
        let shown = all.iter().skip(window.offset).take(window.limit);
        Some(Self {
            title: index.title().to_owned(),
            columns: columns.iter().map(|column| shown_column(column)).collect(),
            row_count: all.len(),
            rows: shown
                .map(|row| (row.id.clone(), shown_cells(document, row, &columns)))
                .collect(),
        })
    }

    /// Does what it is told, entry by entry. Panics on what makes no sense to somebody who holds this.
    pub fn apply(
        &mut self,
        document: &Automerge,
        columns: &[&Column],
        window: Option<Window>,
        difference: &Difference,
    ) {
        let offset = window.map_or(0, |window| window.offset);
        if let Some(title) = &difference.title {
            assert_ne!(*title, self.title);
            self.title = title.clone();
        }
        if let Some(columns) = &difference.columns {
            let columns: Vec<Json> = columns.iter().map(shown_column).collect();
            assert_ne!(columns, self.columns);
            self.columns = columns;
            let visible = |id: &ColumnId| self.columns.iter().any(|column| column["id"] == id.as_str());
            for (_, cells) in &mut self.rows {
                cells.retain(|id, _| visible(id));
            }
        }
        assert_eq!(difference.row_count_changed, difference.row_count != self.row_count);
        self.row_count = difference.row_count;
        let mut stage = 0;
        for change in &difference.rows {
            let (next, row) = match change {
                RowChange::Gone { row, .. } => (1, row),
                RowChange::Came { row, .. } => (2, &row.id),
                RowChange::Changed { row, .. } => (3, &row.id),
            };
            assert!(next >= stage, "those gone come first, those changed last");
            stage = next;
            let at = self.rows.iter().position(|(known, _)| known == row);
            match (change, at) {
                (RowChange::Gone { .. }, Some(at)) => {
                    self.rows.remove(at);
                }
                (RowChange::Came { row, index, .. }, None) => {
                    let cells = shown_cells(document, row, columns);
                    self.rows.insert(index - offset, (row.id.clone(), cells));
                }
                (RowChange::Changed { row, cells }, Some(at)) => {
                    let now = shown_cells(document, row, columns);
                    for id in cells {
                        assert!(columns.iter().any(|column| column.id == *id), "{id} is not visible");
                        let held = &mut self.rows[at].1;
                        let new = now.get(id).cloned();
                        assert_ne!(held.get(id), new.as_ref(), "{} {id} is what it was", row.id);
                        match new {
                            Some(value) => held.insert(id.clone(), value),
                            None => held.remove(id),
                        };
                    }
                }
                (told, at) => panic!("{told:?} of a row held at {at:?}"),
            }
        }
    }
}

fn shown_column(column: &Column) -> Json {
    let option = |option: &roundtable::document::table::SelectOption| json!([option.id, option.name, option.color]);
    let options: Vec<Json> = column.options.iter().map(option).collect();
    json!({
        "id": column.id.as_str(),
        "name": column.name,
        "kind": column.kind.as_str(),
        "width": column.width,
        "options": options,
    })
}

fn shown_cells(document: &impl ReadDoc, row: &RowEntry, columns: &[&Column]) -> Cells {
    let readings = cells::row_cells(document, &row.object, columns.iter().copied());
    let filled = readings.into_iter().filter(|(_, reading)| !reading.is_empty());
    filled
        .map(|(id, reading)| (id, (reading.to_json(), !matches!(reading, Reading::Mismatch(_)))))
        .collect()
}
