//! Edits of a table that is there, as many as one likes in one Automerge change.
//!
//! An edit names things by id or by where a person sees them, and says nothing of how they lie in the document. A
//! [`Plan`] checks a whole list of edits against one version of the document, in order, each seeing what those before it
//! will have done; only then is anything written. So a list is applied wholly or not at all, and a refusal says which
//! edit was refused and why.
//!
//! Time, author and randomness are arguments. Ids are random alone, so that two who add at once never make the same.

mod cells;
mod columns;
mod lane;
mod overlay;
mod planning;
mod refusal;
mod rows;
mod slices;
mod text;
mod views;
mod write;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ChangeHash, ReadDoc};
use rand::Rng;
use serde_json::Value as Json;

use super::id::ViewId;
use super::options::NewOption;
use super::{Cell, Column, ColumnId, Kind, RowId, TableIndex};
use crate::document::view::View;
pub use columns::MAX_COLUMNS;
use lane::Lane;
use overlay::Overlay;
pub use planning::{Mark, Planning};
use refusal::short;
pub use refusal::{MAX_NAME_BYTES, Refusal, Refused, RowRef};
pub use slices::{Cutter, MAX_SLICE_BYTES, slices};
use write::Write;

/// A place in a list. Places count and name what is there before the edit, without what it moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<I> {
    Start,
    End,
    /// Before what a person sees at this position; the length of the list stands for its end.
    Index(usize),
    Before(I),
    After(I),
}

/// A row to be inserted; values as JSON, by the kinds of their columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewRow {
    /// An id made by the caller, who thereby also chooses the block.
    pub id: Option<RowId>,
    pub cells: Vec<(ColumnId, Json)>,
}

/// What is to be done to one cell.
#[derive(Debug, Clone, PartialEq)]
pub enum CellEdit {
    /// Makes this its value; `null` empties it. What merges is changed by the difference: the letters of a longtext, the
    /// ids of a multiselect or link, the amount of a counter.
    Set(Json),
    Clear,
    /// Adds to a counter; an empty one counts from 0.
    Increment(i64),
    /// Replaces `delete` characters (Unicode code points) of a longtext, from the one at `at`.
    Splice {
        at: usize,
        delete: usize,
        insert: String,
    },
    /// Adds ids to a multiselect or link.
    Add(BTreeSet<String>),
    /// Removes ids from a multiselect or link; those that are not there are no error.
    Remove(BTreeSet<String>),
}

/// A column to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDraft {
    /// An id made by the caller, so that edits of the same list can name the column.
    pub id: Option<ColumnId>,
    pub name: String,
    pub kind: Kind,
    /// Pixels.
    pub width: Option<f64>,
    pub options: Vec<NewOption>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TableEdit {
    SetTitle(String),
    InsertRows {
        at: Place<RowId>,
        rows: Vec<NewRow>,
    },
    Cell {
        row: RowId,
        column: ColumnId,
        edit: CellEdit,
    },
    /// The rows stand at the new place in the order given here.
    MoveRows {
        rows: Vec<RowId>,
        to: Place<RowId>,
    },
    /// Marks rows; those that are marked already stay as they are.
    DeleteRows(Vec<RowId>),
    RestoreRows(Vec<RowId>),
    AddColumn {
        at: Place<ColumnId>,
        column: ColumnDraft,
    },
    RenameColumn {
        column: ColumnId,
        name: String,
    },
    /// None for the width the front end gives it.
    ResizeColumn {
        column: ColumnId,
        width: Option<f64>,
    },
    /// Cells stay as they are; those that do not fit the new kind are marked by readers.
    SetKind {
        column: ColumnId,
        kind: Kind,
    },
    /// The whole list as it is to be, in order: options not in it go, those without an id are new.
    SetOptions {
        column: ColumnId,
        options: Vec<NewOption>,
    },
    /// Adds options behind those that are there by then.
    AddOptions {
        column: ColumnId,
        options: Vec<NewOption>,
    },
    MoveColumn {
        column: ColumnId,
        to: Place<ColumnId>,
    },
    DeleteColumn(ColumnId),
    RestoreColumn(ColumnId),
    CreateView {
        id: Option<ViewId>,
        view: View,
    },
    /// Writes the parts of the view that differ.
    ChangeView {
        id: ViewId,
        view: View,
    },
    MoveView {
        id: ViewId,
        to: Place<ViewId>,
    },
    DeleteView(ViewId),
    /// Removes a deleted row for good; see [`purge`](super::purge).
    PurgeRow(RowId),
    /// Empties a deleted column's cells in these rows.
    PurgeCells {
        column: ColumnId,
        rows: Vec<RowId>,
    },
    /// Removes a deleted column for good.
    PurgeColumn(ColumnId),
}

/// Who deletes, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub at: i64,
    /// How the author calls themself.
    pub by: String,
}

/// What an edit has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Rows(Vec<RowId>),
    Column(ColumnId),
    /// The ids of the column's options, in order.
    Options(Vec<String>),
    View(ViewId),
}

/// Edits that were checked and can be written.
#[derive(Debug, Clone)]
pub struct Plan {
    writes: Vec<Write>,
    outcomes: Vec<Outcome>,
}

impl Plan {
    /// Checks a list of edits against the document and says what to write.
    ///
    /// The index must be of this very document's present version: what it says is not looked up again.
    pub fn new(
        document: &impl ReadDoc,
        index: &TableIndex,
        edits: &[TableEdit],
        stamp: &Stamp,
        rng: &mut impl Rng,
    ) -> Result<Self, Refused> {
        let mut planner = Planner::new(document, index, stamp, rng);
        let mut outcomes = Vec::with_capacity(edits.len());
        for (number, edit) in edits.iter().enumerate() {
            let outcome = planner.plan(edit).map_err(|why| Refused {
                edit: number,
                why: Box::new(why),
            })?;
            outcomes.push(outcome);
        }
        Ok(Self {
            writes: planner.writes,
            outcomes,
        })
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// What each edit makes, in their order.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Writes the plan into a transaction on the version it was made for. An error is the library's; the transaction
    /// must then be rolled back.
    pub fn write(&self, tx: &mut impl Transactable) -> Result<(), AutomergeError> {
        write::write(tx, &self.writes)
    }
}

/// Why [`edit`] did nothing.
#[derive(Debug, thiserror::Error)]
pub enum EditFailed {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the index is of another version than the transaction, or the transaction has begun to write")]
    Stale,
    #[error("the document did not take the edit: {0}")]
    Document(#[from] AutomergeError),
}

/// Plans and writes in one go, as the whole of one transaction. After an error the transaction must be rolled back.
pub fn edit(
    tx: &mut impl Transactable,
    index: &TableIndex,
    edits: &[TableEdit],
    stamp: &Stamp,
    rng: &mut impl Rng,
) -> Result<Vec<Outcome>, EditFailed> {
    if tx.pending_ops() > 0 || !is_on(&tx.base_heads(), index.heads()) {
        return Err(EditFailed::Stale);
    }
    let plan = Plan::new(tx, index, edits, stamp, rng)?;
    plan.write(tx)?;
    Ok(plan.outcomes)
}

/// Whether a transaction with these base heads is on this version. Behind the heads the library names its actor's own last
/// change as well, where others have built on it: every edit of the server that followed somebody else's was taken for stale.
fn is_on(base: &[ChangeHash], heads: &[ChangeHash]) -> bool {
    base.starts_with(heads) && base.len() <= heads.len() + 1
}

/// The document as it will be after the edits planned so far: the index and the document, and what differs from them.
struct Planner<'a, D, R> {
    document: &'a D,
    index: &'a TableIndex,
    stamp: &'a Stamp,
    rng: R,
    /// The document is shown as it was, while the index is of the present version. See [`Planning::then`].
    is_earlier: bool,
    writes: Vec<Write>,
    /// The order of rows, made when the first edit asks for it: most lists of edits only write cells.
    lane: Option<Lane<'a, RowId>>,
    /// Rows do not all stand where the index says; see [`Planner::place_rows`](Self::place_rows).
    is_placed: bool,
    /// Rows that are new, deleted, restored or purged, by whether they are live; none for a purged one.
    rows: Overlay<RowId, Option<bool>>,
    /// How many rows blocks hold, where that differs from the index.
    blocks: Overlay<Arc<str>, usize>,
    /// All columns in order; none as long as they are as in the index. Of an earlier version those asked for so far.
    columns: Option<Vec<Column>>,
    /// Where each column stands among them, if they are many.
    column_places: OnceCell<HashMap<ColumnId, usize>>,
    /// Cells written by edits before; none for one that is empty.
    cells: Overlay<(RowId, ColumnId), Option<Cell>>,
    /// All views in order, read when the first edit asks for them.
    views: Option<views::Views>,
}

impl<'a, D: ReadDoc, R: Rng> Planner<'a, D, R> {
    fn new(document: &'a D, index: &'a TableIndex, stamp: &'a Stamp, rng: R) -> Self {
        Self {
            document,
            index,
            stamp,
            rng,
            is_earlier: false,
            writes: Vec::new(),
            lane: None,
            is_placed: false,
            rows: Overlay::lasting(),
            blocks: Overlay::lasting(),
            columns: None,
            column_places: OnceCell::new(),
            cells: Overlay::lasting(),
            views: None,
        }
    }

    /// One whose edits can be taken back.
    fn revocable(self) -> Self {
        Self {
            rows: Overlay::revocable(),
            blocks: Overlay::revocable(),
            cells: Overlay::revocable(),
            ..self
        }
    }

    fn plan(&mut self, edit: &TableEdit) -> Result<Outcome, Refusal> {
        match edit {
            TableEdit::SetTitle(title) => {
                short("title", title)?;
                self.writes.push(Write::Title(title.clone()));
                Ok(Outcome::Done)
            }
            TableEdit::InsertRows { at, rows } => self.insert_rows(at, rows),
            TableEdit::Cell { row, column, edit } => self.edit_cell(row, column, edit),
            TableEdit::MoveRows { rows, to } => self.move_rows(rows, to),
            TableEdit::DeleteRows(rows) => self.delete_rows(rows),
            TableEdit::RestoreRows(rows) => self.restore_rows(rows),
            TableEdit::AddColumn { at, column } => self.add_column(at, column),
            TableEdit::RenameColumn { column, name } => self.rename_column(column, name),
            TableEdit::ResizeColumn { column, width } => self.resize_column(column, *width),
            TableEdit::SetKind { column, kind } => self.set_kind(column, kind),
            TableEdit::SetOptions { column, options } => self.set_options(column, options),
            TableEdit::AddOptions { column, options } => self.add_options(column, options),
            TableEdit::MoveColumn { column, to } => self.move_column(column, to),
            TableEdit::DeleteColumn(column) => self.delete_column(column),
            TableEdit::RestoreColumn(column) => self.restore_column(column),
            TableEdit::CreateView { id, view } => self.create_view(id.as_ref(), view),
            TableEdit::ChangeView { id, view } => self.change_view(id, view),
            TableEdit::MoveView { id, to } => self.move_view(id, to),
            TableEdit::DeleteView(id) => self.delete_view(id),
            TableEdit::PurgeRow(row) => self.purge_row(row),
            TableEdit::PurgeCells { column, rows } => self.purge_cells(column, rows),
            TableEdit::PurgeColumn(column) => self.purge_column(column),
        }
    }
}
