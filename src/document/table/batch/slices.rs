//! Long lists of edits, cut into changes of the size that suits everybody.
//!
//! A change of more than about 500 cells makes the sync protocol ship whole documents for single edits, and holds up the
//! people who type meanwhile. A slice is planned when its turn comes, on what the document is by then.
//!
//! - A slice has at most [`CHANGE_CELLS`] cells and [`MAX_SLICE_BYTES`] of values, unless a single value is larger.
//! - The same edits and the same randomness make the same slices, ids included: what was interrupted can go on.

use std::collections::VecDeque;

use rand::Rng;
use serde_json::Value as Json;

use super::{CellEdit, NewRow, Place, TableEdit};
use crate::document::table::{BLOCK_ROWS, BlockId, CHANGE_CELLS, ColumnId, RowId};

/// The most bytes of values in one slice; a single value may be larger.
pub const MAX_SLICE_BYTES: usize = 256 * 1024;

/// How much work an edit is: in cells, and in bytes of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weight {
    cells: usize,
    bytes: usize,
}

impl Weight {
    fn cells(cells: usize) -> Self {
        Self { cells, bytes: 0 }
    }

    fn of(edit: &TableEdit) -> Self {
        match edit {
            TableEdit::InsertRows { rows, .. } => Self::of_rows(rows),
            TableEdit::Cell { edit, .. } => Self {
                cells: 1,
                bytes: match edit {
                    CellEdit::Set(json) => bytes_of(json),
                    CellEdit::Splice { insert, .. } => insert.len(),
                    CellEdit::Add(ids) | CellEdit::Remove(ids) => ids.iter().map(String::len).sum(),
                    CellEdit::Clear | CellEdit::Increment(_) => 0,
                },
            },
            TableEdit::MoveRows { rows, .. } | TableEdit::RestoreRows(rows) => Self::cells(rows.len()),
            // A mark is three operations.
            TableEdit::DeleteRows(rows) => Self::cells(3 * rows.len()),
            TableEdit::PurgeCells { rows, .. } => Self::cells(rows.len()),
            TableEdit::PurgeRow(_) => Self::cells(10),
            TableEdit::SetOptions { options, .. } | TableEdit::AddOptions { options, .. } => {
                Self::cells(1 + 3 * options.len())
            }
            TableEdit::AddColumn { column, .. } => Self::cells(1 + 3 * column.options.len()),
            _ => Self::cells(1),
        }
    }

    fn of_rows(rows: &[NewRow]) -> Self {
        rows.iter().map(Self::of_row).fold(Self::default(), Self::plus)
    }

    fn of_row(row: &NewRow) -> Self {
        let cells = row.cells.iter().map(|(_, json)| Self::of_value(json));
        let all = cells.fold(Self::default(), Self::plus);
        Self {
            cells: all.cells.max(1),
            ..all
        }
    }

    fn of_value(json: &Json) -> Self {
        Self {
            cells: 1,
            bytes: bytes_of(json),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cells: self.cells + other.cells,
            bytes: self.bytes + other.bytes,
        }
    }

    fn fits(self) -> bool {
        self.cells <= CHANGE_CELLS && self.bytes <= MAX_SLICE_BYTES
    }
}

fn bytes_of(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(bytes_of).sum(),
        Json::Object(fields) => fields.iter().map(|(name, value)| name.len() + bytes_of(value)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
    }
}

/// Cuts a stream of edits and of new rows into slices, as they come.
#[derive(Debug)]
pub struct Cutter {
    done: VecDeque<Vec<TableEdit>>,
    open: Vec<TableEdit>,
    filled: Weight,
    /// Where the next row goes: behind the last one.
    place: Place<RowId>,
    /// Whether the last edit of the open slice takes the next row as well.
    joins: bool,
    /// The block being filled, and how many rows it has got.
    block: Option<(BlockId, usize)>,
}

impl Cutter {
    /// The rows given to [`row`](Self::row) go to this place, one behind the other, in blocks of their own.
    pub fn new(rows_at: Place<RowId>) -> Self {
        Self {
            done: VecDeque::new(),
            open: Vec::new(),
            filled: Weight::default(),
            place: rows_at,
            joins: false,
            block: None,
        }
    }

    /// The next slice that is full.
    pub fn full(&mut self) -> Option<Vec<TableEdit>> {
        self.done.pop_front()
    }

    /// Ends the slice that is being filled.
    pub fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push_back(std::mem::take(&mut self.open));
        }
        self.filled = Weight::default();
        self.joins = false;
    }

    /// An edit that is not cut itself.
    pub fn edit(&mut self, edit: TableEdit) {
        let weight = Weight::of(&edit);
        self.make_room(weight);
        self.open.push(edit);
        self.joins = false;
    }

    /// A row behind those before. A row that is too large for a slice is inserted with its first cells, and gets the
    /// others by edits in the slices that follow.
    pub fn row(&mut self, mut row: NewRow, rng: &mut impl Rng) {
        let id = match row.id.take() {
            Some(id) => id,
            None => self.new_id(rng),
        };
        row.id = Some(id.clone());
        let rest = Self::cut(&mut row);
        self.make_room(Weight::of_row(&row));
        match self.open.last_mut() {
            Some(TableEdit::InsertRows { rows, .. }) if self.joins => rows.push(row),
            _ => self.open.push(TableEdit::InsertRows {
                at: self.place.clone(),
                rows: vec![row],
            }),
        }
        self.joins = true;
        self.place = Place::After(id.clone());
        for (column, json) in rest {
            self.edit(TableEdit::Cell {
                row: id.clone(),
                column,
                edit: CellEdit::Set(json),
            });
        }
    }

    /// Takes off the cells that are too much for one slice.
    fn cut(row: &mut NewRow) -> Vec<(ColumnId, Json)> {
        let mut filled = Weight::default();
        let fits = |(_, json): &&(ColumnId, Json)| {
            filled = filled.plus(Weight::of_value(json));
            filled.fits() || filled.cells == 1
        };
        let kept = row.cells.iter().take_while(fits).count();
        row.cells.split_off(kept)
    }

    fn make_room(&mut self, weight: Weight) {
        if !self.open.is_empty() && !self.filled.plus(weight).fits() {
            self.close();
        }
        self.filled = self.filled.plus(weight);
    }

    fn new_id(&mut self, rng: &mut impl Rng) -> RowId {
        let (block, rows) = match self.block.take() {
            Some((block, rows)) if rows < BLOCK_ROWS => (block, rows),
            _ => (BlockId::random(rng), 0),
        };
        let id = RowId::random(&block, rng);
        self.block = Some((block, rows + 1));
        id
    }
}

/// Cuts edits into slices, in order. Rows to be inserted get ids here, in blocks of their own if they are many, so that
/// those of the next slice can follow those of this one.
pub fn slices(edits: Vec<TableEdit>, rng: &mut impl Rng) -> Vec<Vec<TableEdit>> {
    let mut cutter = Cutter::new(Place::End);
    for edit in edits {
        match edit {
            TableEdit::InsertRows { at, rows } if !Weight::of_rows(&rows).fits() => {
                (cutter.place, cutter.joins, cutter.block) = (at, false, None);
                rows.into_iter().for_each(|row| cutter.row(row, rng));
            }
            edit => pieces(edit).into_iter().for_each(|piece| cutter.edit(piece)),
        }
    }
    cutter.close();
    cutter.done.into()
}

/// One edit, cut if it is too large for a change.
fn pieces(edit: TableEdit) -> Vec<TableEdit> {
    if Weight::of(&edit).fits() {
        return vec![edit];
    }
    match edit {
        TableEdit::MoveRows { rows, to } => {
            let mut to = to;
            let move_part = |part: &[RowId]| {
                let part = part.to_vec();
                let next = part.last().cloned().map_or(Place::End, Place::After);
                TableEdit::MoveRows {
                    rows: part,
                    to: std::mem::replace(&mut to, next),
                }
            };
            rows.chunks(CHANGE_CELLS).map(move_part).collect()
        }
        TableEdit::DeleteRows(rows) => chunks(rows, CHANGE_CELLS / 3, TableEdit::DeleteRows),
        TableEdit::RestoreRows(rows) => chunks(rows, CHANGE_CELLS, TableEdit::RestoreRows),
        TableEdit::PurgeCells { column, rows } => chunks(rows, CHANGE_CELLS, |rows| TableEdit::PurgeCells {
            column: column.clone(),
            rows,
        }),
        TableEdit::AddOptions { column, options } => options
            .chunks(CHANGE_CELLS / 4)
            .map(|part| TableEdit::AddOptions {
                column: column.clone(),
                options: part.to_vec(),
            })
            .collect(),
        other => vec![other],
    }
}

fn chunks(rows: Vec<RowId>, size: usize, make: impl Fn(Vec<RowId>) -> TableEdit) -> Vec<TableEdit> {
    rows.chunks(size).map(|part| make(part.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};
    use serde_json::json;

    use super::*;
    use crate::document::table::ColumnId;

    #[test]
    fn many_rows_become_slices_that_follow_each_other() {
        let column = ColumnId::parse("c1").unwrap();
        let row = NewRow {
            id: None,
            cells: vec![(column.clone(), json!(1)); 10],
        };
        let edits = vec![
            TableEdit::SetTitle("Import".into()),
            TableEdit::InsertRows {
                at: Place::Start,
                rows: vec![row; 120],
            },
            TableEdit::DeleteColumn(column),
        ];
        let slices = slices(edits, &mut SmallRng::seed_from_u64(1));
        let weights: Vec<usize> = slices
            .iter()
            .map(|slice| slice.iter().map(|edit| Weight::of(edit).cells).sum())
            .collect();
        assert_eq!(weights, [491, 500, 211]);
        let (TableEdit::InsertRows { at, rows }, TableEdit::InsertRows { at: next, .. }) =
            (&slices[0][1], &slices[1][0])
        else {
            panic!("{slices:?}");
        };
        assert_eq!(at, &Place::Start);
        assert_eq!(next, &Place::After(rows[48].id.clone().unwrap()));
    }
}
