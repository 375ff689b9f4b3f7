//! A table as the server has told it, kept by applying what it tells, entry by entry and in order.
//!
//! What is wanted here and not answered yet is not in it: that is laid over it to be shown ([`super::shown`]), so that what
//! the server says always meets what it said before.
//!
//! - A message applied twice does no harm: what comes is taken out first, what goes need not be there.
//! - A row costs one look-up; rows that go are taken out of the order together, so that many of them do not each walk it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::message::{CellChange, Change, ChangeKind, Changes, Row, TableSnapshot, Window};
use crate::document::table::RowId;
use crate::wire::table::{Column, Skipped};

/// What of a table is followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// A stored view; all rows in the order of the table, if there is none.
    pub view: Option<String>,
    /// All rows, if there is none.
    pub window: Option<Window>,
}

impl Scope {
    /// All rows and columns.
    pub fn whole_table() -> Self {
        Self::default()
    }

    /// So many rows, from this one on.
    pub fn rows(offset: usize, limit: usize) -> Self {
        Self {
            view: None,
            window: Some(Window { offset, limit }),
        }
    }

    /// The same rows of a stored view.
    pub fn of_view(self, view: impl Into<String>) -> Self {
        Self {
            view: Some(view.into()),
            ..self
        }
    }
}

/// What the server has told of one table.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// What it was told of.
    pub scope: Scope,
    pub title: String,
    pub columns: Arc<[Column]>,
    pub skipped: Vec<Skipped>,
    order: Vec<RowId>,
    rows: HashMap<RowId, Arc<Row>>,
    /// Of the table or view: a window does not lessen it.
    pub row_count: usize,
    /// None until there was a snapshot.
    pub version: Option<String>,
}

impl Model {
    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.order.iter().filter_map(|id| self.rows.get(id))
    }

    pub fn row(&self, id: &RowId) -> Option<&Arc<Row>> {
        self.rows.get(id)
    }

    /// Takes a snapshot in place of all that was told before. The people in it are somebody else's.
    pub fn replace(&mut self, snapshot: TableSnapshot) {
        let rows = snapshot.rows;
        *self = Self {
            scope: Scope {
                view: snapshot.view_id,
                window: snapshot.window,
            },
            title: snapshot.title,
            columns: snapshot.columns.into(),
            skipped: snapshot.skipped,
            order: rows.iter().map(|row| row.id.clone()).collect(),
            rows: rows.into_iter().map(|row| (row.id.clone(), Arc::new(row))).collect(),
            row_count: snapshot.row_count,
            version: Some(snapshot.version),
        };
    }

    /// Applies what has changed. Without a snapshot before it there is nothing that it could be applied to.
    pub fn apply(&mut self, changes: &Changes) {
        if self.version.is_none() {
            return;
        }
        if let Some(columns) = &changes.columns {
            self.set_columns(columns);
        }
        if let Some(title) = &changes.title {
            self.title.clone_from(title);
        }
        let mut gone = HashSet::new();
        for change in &changes.changes {
            match change.kind {
                ChangeKind::Delete | ChangeKind::Leave => {
                    if self.rows.remove(&change.record_id).is_some() {
                        gone.insert(change.record_id.clone());
                    }
                }
                ChangeKind::Create | ChangeKind::Restore | ChangeKind::Enter => {
                    self.take_out(&mut gone);
                    self.insert(change);
                }
                ChangeKind::Update => self.update(&change.record_id, &change.changes),
                ChangeKind::Unknown => {}
            }
        }
        self.take_out(&mut gone);
        if let Some(count) = changes.row_count {
            self.row_count = count;
        }
        self.version = Some(changes.version.clone());
    }

    /// Cells of columns that are not shown any more go: when a column comes back, its cells are told again.
    fn set_columns(&mut self, columns: &[Column]) {
        let shown: HashSet<&str> = columns.iter().map(|column| column.id.as_str()).collect();
        let is_kept = |column: &Column| shown.contains(column.id.as_str());
        if !self.columns.iter().all(is_kept) {
            for row in self.rows.values_mut() {
                let row = Arc::make_mut(row);
                row.cells.retain(|field, _| shown.contains(field.as_str()));
                row.marked.retain(|field, _| shown.contains(field.as_str()));
            }
        }
        self.columns = columns.into();
    }

    fn take_out(&mut self, gone: &mut HashSet<RowId>) {
        if !gone.is_empty() {
            self.order.retain(|id| !gone.contains(id));
            gone.clear();
        }
    }

    /// Puts a row to its place, with all its cells.
    fn insert(&mut self, change: &Change) {
        let id = &change.record_id;
        if self.rows.remove(id).is_some() {
            self.order.retain(|other| other != id);
        }
        let offset = self.scope.window.map_or(0, |window| window.offset);
        let place = change
            .index
            .map_or(self.order.len(), |index| index.saturating_sub(offset));
        self.order.insert(place.min(self.order.len()), id.clone());
        let empty = Row {
            id: id.clone(),
            cells: BTreeMap::new(),
            marked: BTreeMap::new(),
        };
        self.rows.insert(id.clone(), Arc::new(empty));
        self.update(id, &change.changes);
    }

    fn update(&mut self, id: &RowId, cells: &[CellChange]) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let row = Arc::make_mut(row);
        for cell in cells {
            match cell.new_value.is_null() {
                true => drop(row.cells.remove(&cell.field_id)),
                false => drop(row.cells.insert(cell.field_id.clone(), cell.new_value.clone())),
            }
            match &cell.marked {
                Some(expected) => drop(row.marked.insert(cell.field_id.clone(), expected.clone())),
                None => drop(row.marked.remove(&cell.field_id)),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value as Json, from_value, json};

    use super::*;

    pub const TABLE: &str = "111111111111111tXrChE";

    pub fn column(id: &str) -> Json {
        json!({ "id": id, "name": format!("name of {id}"), "kind": "text" })
    }

    /// A model of rows with a cell `cA` that holds the row's own name.
    pub fn model(window: Option<Json>, rows: &[&str]) -> Model {
        let row = |name: &&str| json!({ "id": format!("b.{name}"), "cells": { "cA": name } });
        let snapshot = json!({ "tableId": TABLE, "title": "T", "columns": [column("cA"), column("cB")], "version": "v1",
            "window": window, "rows": rows.iter().map(row).collect::<Vec<_>>(), "rowCount": 100 });
        let mut model = Model::default();
        model.replace(from_value(snapshot).unwrap());
        model
    }

    pub fn changes(changes: Json) -> Changes {
        from_value(json!({ "tableId": TABLE, "changes": changes, "version": "v2", "rowCount": 7 })).unwrap()
    }

    fn came(row: &str, index: usize) -> Json {
        let cells = json!([{ "fieldId": "cA", "newValue": row }]);
        json!({ "type": "enter", "recordId": format!("b.{row}"), "index": index, "changes": cells })
    }

    fn went(row: &str) -> Json {
        json!({ "type": "leave", "recordId": format!("b.{row}") })
    }

    fn names(model: &Model) -> String {
        let name = |row: &Arc<Row>| {
            row.cells
                .get("cA")
                .map_or("-", |name| name.as_str().unwrap())
                .to_owned()
        };
        model.rows().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rows_go_come_and_move_in_the_order_told() {
        let mut model = model(None, &["a", "b", "c", "d"]);
        let told = changes(json!([went("b"), went("d"), came("x", 0), came("d", 1), came("y", 4)]));
        model.apply(&told);
        assert_eq!(names(&model), "x d a c y");
        assert_eq!((model.version.as_deref(), model.row_count), (Some("v2"), 7));
        model.apply(&told);
        assert_eq!(names(&model), "x d a c y", "what is told twice does no harm");
    }

    #[test]
    fn places_in_a_window_are_counted_from_the_start_of_the_view() {
        let mut model = model(Some(json!({ "offset": 50, "limit": 3 })), &["a", "b", "c"]);
        model.apply(&changes(json!([went("c"), came("above", 50)])));
        assert_eq!(names(&model), "above a b");
        model.apply(&changes(json!([went("a"), came("last", 52)])));
        assert_eq!(names(&model), "above b last");
        model.apply(&changes(json!([came("far", 99), came("before", 3)])));
        assert_eq!(names(&model), "before above b last far");
    }

    #[test]
    fn cells_change_empty_and_are_marked() {
        let mut model = model(None, &["a"]);
        let update = |cells: Json| changes(json!([{ "type": "update", "recordId": "b.a", "changes": cells }]));
        let id = RowId::parse("b.a").unwrap();
        model.apply(&update(
            json!([{ "fieldId": "cB", "newValue": "x", "marked": "a number" }, { "fieldId": "cA", "newValue": null }]),
        ));
        let row = model.row(&id).unwrap().clone();
        assert_eq!((row.cells.get("cA"), &row.cells["cB"]), (None, &json!("x")));
        assert_eq!(row.marked["cB"], "a number");
        model.apply(&update(json!([{ "fieldId": "cB", "newValue": 5 }])));
        assert!(model.row(&id).unwrap().marked.is_empty());
        assert_eq!(row.cells["cB"], "x", "who looked before keeps what it was");
        let unknown = changes(
            json!([{ "type": "update", "recordId": "b.z", "changes": [] }, { "type": "twinkle", "recordId": "b.a" }]),
        );
        model.apply(&unknown);
        assert_eq!(model.rows().count(), 1);
    }

    #[test]
    fn cells_of_a_column_that_goes_are_not_there_when_it_comes_back() {
        let mut model = model(None, &["a"]);
        let columns = |list: Json| -> Changes {
            from_value(json!({ "tableId": TABLE, "columns": list, "title": "U", "version": "v3" })).unwrap()
        };
        model.apply(&columns(json!([column("cB")])));
        model.apply(&columns(json!([column("cB"), column("cA")])));
        assert_eq!((names(&model).as_str(), model.title.as_str()), ("-", "U"));
        assert_eq!(model.columns.len(), 2);
    }

    #[test]
    fn without_a_snapshot_there_is_nothing_to_apply_to() {
        let mut model = Model::default();
        model.apply(&changes(json!([came("a", 0)])));
        assert_eq!((model.rows().count(), model.version.clone()), (0, None));
    }
}
