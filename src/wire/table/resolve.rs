//! From what was sent to edits of the model.
//!
//! Edits are read in order, each knowing what those before it will have done: a column that is added may be named by those
//! that follow. Where each edit was sent is kept, so that a refusal of the model names the field that is to blame.

use std::collections::HashMap;

use automerge::ReadDoc;
use rand::Rng;
use serde_json::Value as Json;

use super::{Edit, Mistake, Names, NewColumn, NewRow, NewView, Place, ViewParts, Wishes, step};
use crate::document::table::batch;
use crate::document::table::{self, CellEdit, ColumnDraft, ColumnId, Refusal, RowId, TableEdit, ViewId};
use crate::document::view::{self, Part};

/// Reads edits against one version of a table.
pub struct Resolver<'a, D, R> {
    document: &'a D,
    rng: &'a mut R,
    names: Names,
    /// Views as the edits read so far will have left them.
    views: HashMap<ViewId, view::View>,
    wishes: Wishes,
}

impl<'a, D: ReadDoc, R: Rng> Resolver<'a, D, R> {
    pub fn new(document: &'a D, columns: &[table::Column], rng: &'a mut R) -> Self {
        Self {
            document,
            rng,
            names: Names::of(columns),
            views: HashMap::new(),
            wishes: Wishes::default(),
        }
    }

    /// The version that the edits are read against.
    pub fn document(&self) -> &D {
        self.document
    }

    pub fn finish(self) -> Wishes {
        self.wishes
    }

    /// What was read since the last call: the edits of the next one begin with nothing before them.
    pub(in crate::wire) fn take(&mut self) -> Wishes {
        std::mem::take(&mut self.wishes)
    }

    /// How many edits were read.
    pub(in crate::wire) fn edits(&self) -> usize {
        self.wishes.edits.len()
    }

    /// The next edit, which was sent at this place.
    pub fn add(&mut self, edit: &Edit, place: &str) -> Result<(), Mistake> {
        let edit = self.read(edit).map_err(|mistake| mistake.under(place))?;
        self.push(edit, place.to_owned());
        Ok(())
    }

    pub(in crate::wire) fn push(&mut self, edit: TableEdit, place: String) {
        self.wishes.edits.push(edit);
        self.wishes.places.push(place);
    }

    pub(in crate::wire) fn column(&mut self, text: &str) -> Result<ColumnId, Mistake> {
        let id = self.names.find(text).map_err(|why| Mistake::new("", why))?;
        if id.as_str() != text && !self.wishes.spelled.contains_key(&id) {
            self.wishes.spelled.insert(id.clone(), text.to_owned());
        }
        Ok(id)
    }

    /// One edit as the model has it. Places of mistakes are within the edit.
    fn read(&mut self, edit: &Edit) -> Result<TableEdit, Mistake> {
        Ok(match edit {
            Edit::SetTitle { title } => TableEdit::SetTitle(title.clone()),
            Edit::InsertRows { rows, at } => self.insert_rows(rows, at.as_ref())?,
            Edit::SetCell { row, column, value } => self.cell(row, column, CellEdit::Set(value.clone()))?,
            Edit::IncrementCell { row, column, by } => self.cell(row, column, CellEdit::Increment(*by))?,
            Edit::SpliceCell {
                row,
                column,
                at,
                delete,
                insert,
            } => {
                let (at, delete, insert) = (*at, *delete, insert.clone());
                self.cell(row, column, CellEdit::Splice { at, delete, insert })?
            }
            Edit::AddIds { row, column, ids } => self.cell(row, column, CellEdit::Add(ids.clone()))?,
            Edit::RemoveIds { row, column, ids } => self.cell(row, column, CellEdit::Remove(ids.clone()))?,
            Edit::MoveRows { rows, to } => TableEdit::MoveRows {
                rows: row_ids(rows)?,
                to: to.read(RowId::parse).map_err(|mistake| mistake.under("/to"))?,
            },
            Edit::DeleteRows { rows } => TableEdit::DeleteRows(row_ids(rows)?),
            Edit::RestoreRows { rows } => TableEdit::RestoreRows(row_ids(rows)?),
            Edit::AddColumn { column } => self.add_column(column).map_err(|mistake| mistake.under("/column"))?,
            // One edit has one outcome.
            Edit::CreateView {
                view: NewView { at: Some(_), .. },
            } => {
                return Err(Mistake::new("/view/at", "in a batch, a view is moved by moveView"));
            }
            Edit::CreateView { view } => self.create_view(view).map_err(|mistake| mistake.under("/view"))?,
            Edit::ChangeView { view, change } => self.changed_view(view, change)?,
            Edit::MoveView { view, to } => TableEdit::MoveView {
                id: view_id(view, "/view")?,
                to: to.read(ViewId::parse).map_err(|mistake| mistake.under("/to"))?,
            },
            Edit::DeleteView { view } => TableEdit::DeleteView(view_id(view, "/view")?),
            of_a_column => self.column_edit(of_a_column)?,
        })
    }

    fn column_edit(&mut self, edit: &Edit) -> Result<TableEdit, Mistake> {
        let (Edit::RenameColumn { column: name, .. }
        | Edit::ResizeColumn { column: name, .. }
        | Edit::SetKind { column: name, .. }
        | Edit::SetOptions { column: name, .. }
        | Edit::MoveColumn { column: name, .. }
        | Edit::DeleteColumn { column: name }
        | Edit::RestoreColumn { column: name }) = edit
        else {
            unreachable!("the other edits are read before");
        };
        let column = self.column(name).map_err(|mistake| mistake.under("/column"))?;
        Ok(match edit {
            Edit::RenameColumn { name, .. } => {
                self.names.named(&column, name);
                let name = name.clone();
                TableEdit::RenameColumn { column, name }
            }
            Edit::ResizeColumn { width, .. } => TableEdit::ResizeColumn { column, width: *width },
            Edit::SetKind { kind, .. } => TableEdit::SetKind {
                column,
                kind: (*kind).into(),
            },
            Edit::SetOptions { options, .. } => TableEdit::SetOptions {
                column,
                options: options.iter().map(Into::into).collect(),
            },
            Edit::MoveColumn { to, .. } => {
                let to = self.column_place(to).map_err(|mistake| mistake.under("/to"))?;
                TableEdit::MoveColumn { column, to }
            }
            Edit::DeleteColumn { .. } => {
                self.names.deleted(&column);
                TableEdit::DeleteColumn(column)
            }
            _ => {
                self.names.restored(&column);
                TableEdit::RestoreColumn(column)
            }
        })
    }

    fn cell(&mut self, row: &str, column: &str, edit: CellEdit) -> Result<TableEdit, Mistake> {
        Ok(TableEdit::Cell {
            row: row_id(row, "/row")?,
            column: self.column(column).map_err(|mistake| mistake.under("/column"))?,
            edit,
        })
    }

    pub(super) fn insert_rows(&mut self, new: &[NewRow], at: Option<&Place>) -> Result<TableEdit, Mistake> {
        let at = at
            .unwrap_or(&Place::End)
            .read(RowId::parse)
            .map_err(|mistake| mistake.under("/at"))?;
        let mut rows = Vec::with_capacity(new.len());
        for (number, row) in new.iter().enumerate() {
            let place = || format!("/rows/{number}");
            let id = match &row.id {
                Some(id) => Some(row_id(id, "/id").map_err(|mistake| mistake.under(&place()))?),
                None => None,
            };
            let mut cells = Vec::with_capacity(row.cells.len());
            for (name, json) in &row.cells {
                let column = self.column(name);
                let column = column.map_err(|mistake| mistake.under(&format!("{}/cells{}", place(), step(name))))?;
                cells.push((column, json.clone()));
            }
            rows.push(table::NewRow { id, cells });
        }
        Ok(TableEdit::InsertRows { at, rows })
    }

    pub(super) fn add_column(&mut self, new: &NewColumn) -> Result<TableEdit, Mistake> {
        let at = self.column_place(new.at.as_ref().unwrap_or(&Place::End));
        let at = at.map_err(|mistake| mistake.under("/at"))?;
        // The id is made here, so that the edits behind this one find the column by its name.
        let id = match &new.id {
            Some(id) => ColumnId::parse(id).map_err(|bad| Mistake::new("/id", bad))?,
            None => ColumnId::random(self.rng),
        };
        self.names.named(&id, &new.name);
        let column = ColumnDraft {
            id: Some(id),
            name: new.name.clone(),
            kind: new.kind.into(),
            width: new.width,
            options: new.options.iter().map(Into::into).collect(),
        };
        Ok(TableEdit::AddColumn { at, column })
    }

    pub(super) fn column_place(&mut self, place: &Place) -> Result<batch::Place<ColumnId>, Mistake> {
        place.read(|text| self.names.find(text))
    }

    pub(super) fn create_view(&mut self, new: &NewView) -> Result<TableEdit, Mistake> {
        let name = Json::from(new.name.as_str());
        let lists = [
            (Part::Filter, &new.filter),
            (Part::Sort, &new.sort),
            (Part::Columns, &new.columns),
            (Part::Group, &new.group),
            (Part::Aggregates, &new.aggregates),
        ];
        let lists = lists.into_iter().filter_map(|(part, json)| Some((part, json.clone()?)));
        let parts = std::iter::once((Part::Name, name)).chain(lists).collect();
        let view = self.names.view(&view::View::default(), parts)?;
        let id = match &new.id {
            Some(id) => view_id(id, "/id")?,
            None => ViewId::random(self.rng),
        };
        self.views.insert(id.clone(), view.clone());
        Ok(TableEdit::CreateView { id: Some(id), view })
    }

    /// A change of a view within a batch; where the view stands is an edit of its own.
    fn changed_view(&mut self, view: &str, change: &ViewParts) -> Result<TableEdit, Mistake> {
        let view = view_id(view, "/view")?;
        if change.at.is_some() {
            return Err(Mistake::new("/change/at", "in a batch, a view is moved by moveView"));
        }
        self.change_view(&view, change)
            .map_err(|mistake| match mistake.field.as_str() {
                "/view" => mistake,
                _ => mistake.under("/change"),
            })
    }

    pub(super) fn change_view(&mut self, id: &ViewId, change: &ViewParts) -> Result<TableEdit, Mistake> {
        let before = match self.views.get(id) {
            Some(view) => view.clone(),
            None => match view::find(self.document, id) {
                Some(stored) => stored.view,
                None => return Err(Mistake::new("/view", Refusal::NoView(id.clone()))),
            },
        };
        let parts = [
            (Part::Name, change.name.as_deref().map(Json::from)),
            (Part::Filter, change.filter.clone()),
            (Part::Sort, change.sort.clone()),
            (Part::Columns, change.columns.clone()),
            (Part::Group, change.group.clone()),
            (Part::Aggregates, change.aggregates.clone()),
        ];
        let parts = parts.into_iter().filter_map(|(part, json)| Some((part, json?)));
        let view = self.names.view(&before, parts.collect())?;
        self.views.insert(id.clone(), view.clone());
        Ok(TableEdit::ChangeView { id: id.clone(), view })
    }
}

fn row_id(text: &str, place: &str) -> Result<RowId, Mistake> {
    RowId::parse(text).map_err(|bad| Mistake::new(place, bad))
}

fn row_ids(rows: &[String]) -> Result<Vec<RowId>, Mistake> {
    let read =
        |(at, text): (usize, &String)| RowId::parse(text).map_err(|bad| Mistake::new(format!("/rows/{at}"), bad));
    rows.iter().enumerate().map(read).collect()
}

fn view_id(text: &str, place: &str) -> Result<ViewId, Mistake> {
    ViewId::parse(text).map_err(|bad| Mistake::new(place, bad))
}
