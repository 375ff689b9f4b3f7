//! Requests that do one thing: a patch of a row, a cell, a column or a view, or a new one of these.
//!
//! What such a request asks for is a short list of edits, each of which stands in a field of the request.

use std::collections::HashSet;

use automerge::ReadDoc;
use rand::Rng;
use serde_json::Value as Json;

use super::{CellPatch, ColumnPatch, Mistake, NewColumn, NewRow, NewView, Place, Resolver, ViewParts, step};
use crate::document::table::{CellEdit, ColumnId, RowId, TableEdit, ViewId};

impl<D: ReadDoc, R: Rng> Resolver<'_, D, R> {
    /// Cells of a row by their columns, sent at `/cells`.
    pub fn set_cells<'c>(
        &mut self,
        row: &RowId,
        cells: impl IntoIterator<Item = (&'c String, &'c Json)>,
    ) -> Result<(), Mistake> {
        let mut named = HashSet::new();
        for (name, json) in cells {
            let place = format!("/cells{}", step(name));
            let column = self.column(name).map_err(|mistake| mistake.under(&place))?;
            if !named.insert(column.clone()) {
                return Err(Mistake::new(place, format!("column {column} is named twice")));
            }
            let edit = TableEdit::Cell {
                row: row.clone(),
                column,
                edit: CellEdit::Set(json.clone()),
            };
            self.push(edit, place);
        }
        Ok(())
    }

    pub fn patch_cell(&mut self, row: &RowId, column: &ColumnId, patch: &CellPatch) {
        let (edit, place) = match patch {
            CellPatch::Set(json) => (CellEdit::Set(json.clone()), "/set"),
            CellPatch::Increment(by) => (CellEdit::Increment(*by), "/increment"),
            CellPatch::Splice(splice) => {
                let edit = CellEdit::Splice {
                    at: splice.at,
                    delete: splice.delete,
                    insert: splice.insert.clone(),
                };
                (edit, "/splice")
            }
            CellPatch::Add(ids) => (CellEdit::Add(ids.clone()), "/add"),
            CellPatch::Remove(ids) => (CellEdit::Remove(ids.clone()), "/remove"),
        };
        let edit = TableEdit::Cell {
            row: row.clone(),
            column: column.clone(),
            edit,
        };
        self.push(edit, place.to_owned());
    }

    /// A row goes to another place, sent at `/at`.
    pub fn move_row(&mut self, row: &RowId, to: &Place) -> Result<(), Mistake> {
        let to = to.read(RowId::parse).map_err(|mistake| mistake.under("/at"))?;
        let rows = vec![row.clone()];
        self.push(TableEdit::MoveRows { rows, to }, "/at".into());
        Ok(())
    }

    /// Columns and rows of a new table, sent at `/columns` and `/rows`.
    pub fn new_table(&mut self, columns: &[NewColumn], rows: &[NewRow]) -> Result<(), Mistake> {
        for (number, column) in columns.iter().enumerate() {
            let place = format!("/columns/{number}");
            let edit = self.add_column(column).map_err(|mistake| mistake.under(&place))?;
            self.push(edit, place);
        }
        if !rows.is_empty() {
            let edit = self.insert_rows(rows, None)?;
            self.push(edit, String::new());
        }
        Ok(())
    }

    /// A new column, sent as a whole.
    pub fn new_column(&mut self, new: &NewColumn) -> Result<(), Mistake> {
        let edit = self.add_column(new)?;
        self.push(edit, String::new());
        Ok(())
    }

    pub fn patch_column(&mut self, column: &ColumnId, patch: &ColumnPatch) -> Result<(), Mistake> {
        let id = || column.clone();
        if let Some(name) = patch.name.clone() {
            self.push(TableEdit::RenameColumn { column: id(), name }, "/name".into());
        }
        if let Some(kind) = patch.kind {
            let kind = kind.into();
            self.push(TableEdit::SetKind { column: id(), kind }, "/kind".into());
        }
        if let Some(width) = patch.width {
            self.push(TableEdit::ResizeColumn { column: id(), width }, "/width".into());
        }
        if let Some(options) = &patch.options {
            let options = options.iter().map(Into::into).collect();
            self.push(TableEdit::SetOptions { column: id(), options }, "/options".into());
        }
        if let Some(at) = &patch.at {
            let to = self.column_place(at).map_err(|mistake| mistake.under("/at"))?;
            self.push(TableEdit::MoveColumn { column: id(), to }, "/at".into());
        }
        Ok(())
    }

    pub fn patch_view(&mut self, view: &ViewId, parts: &ViewParts) -> Result<(), Mistake> {
        let edit = self.change_view(view, parts)?;
        self.push(edit, String::new());
        if let Some(at) = &parts.at {
            let to = at.read(ViewId::parse).map_err(|mistake| mistake.under("/at"))?;
            let id = view.clone();
            self.push(TableEdit::MoveView { id, to }, "/at".into());
        }
        Ok(())
    }

    /// A new view, at its place among the views: two edits.
    pub fn new_view(&mut self, new: &NewView) -> Result<(), Mistake> {
        let mut new = new.clone();
        let at = new.at.take();
        let edit = self.create_view(&new)?;
        let TableEdit::CreateView { id: Some(id), .. } = &edit else {
            unreachable!("a view gets its id here")
        };
        let id = id.clone();
        self.push(edit, String::new());
        if let Some(at) = at {
            let to = at.read(ViewId::parse).map_err(|mistake| mistake.under("/at"))?;
            self.push(TableEdit::MoveView { id, to }, "/at".into());
        }
        Ok(())
    }
}
