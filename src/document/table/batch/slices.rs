//! Long lists of edits, cut into changes of the size that suits everybody.
//!
//! A change of more than about 500 cells makes the sync protocol ship whole documents for single edits, and holds up the
//! people who type meanwhile. A slice is planned when its turn comes, on what the document is by then.

use rand::Rng;

use super::{NewRow, Place, TableEdit};
use crate::document::table::{BLOCK_ROWS, BlockId, CHANGE_CELLS, RowId};

/// How many cells' worth of work an edit is.
fn weight(edit: &TableEdit) -> usize {
    match edit {
        TableEdit::InsertRows { rows, .. } => rows.iter().map(row_weight).sum(),
        TableEdit::MoveRows { rows, .. } | TableEdit::RestoreRows(rows) => rows.len(),
        // A mark is three operations.
        TableEdit::DeleteRows(rows) => 3 * rows.len(),
        TableEdit::PurgeCells { rows, .. } => rows.len(),
        TableEdit::PurgeRow(_) => 10,
        TableEdit::SetOptions { options, .. } => 1 + 3 * options.len(),
        _ => 1,
    }
}

fn row_weight(row: &NewRow) -> usize {
    row.cells.len().max(1)
}

/// Cuts edits into lists of at most [`CHANGE_CELLS`] cells each, in order. Rows to be inserted get ids here, in blocks of
/// their own if they are many, so that those of the next slice can follow those of this one. One row is never cut.
pub fn slices(edits: Vec<TableEdit>, rng: &mut impl Rng) -> Vec<Vec<TableEdit>> {
    let mut slices: Vec<Vec<TableEdit>> = Vec::new();
    let mut filled = CHANGE_CELLS;
    for edit in edits.into_iter().flat_map(|edit| pieces(edit, rng)) {
        let weight = weight(&edit);
        match slices.last_mut() {
            Some(slice) if filled + weight <= CHANGE_CELLS => {
                slice.push(edit);
                filled += weight;
            }
            _ => {
                slices.push(vec![edit]);
                filled = weight;
            }
        }
    }
    slices
}

/// One edit, cut if it is too large for a change.
fn pieces(edit: TableEdit, rng: &mut impl Rng) -> Vec<TableEdit> {
    if weight(&edit) <= CHANGE_CELLS {
        return vec![edit];
    }
    match edit {
        TableEdit::InsertRows { at, rows } => cut_rows(at, rows, rng),
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
        other => vec![other],
    }
}

fn chunks(rows: Vec<RowId>, size: usize, make: impl Fn(Vec<RowId>) -> TableEdit) -> Vec<TableEdit> {
    rows.chunks(size).map(|part| make(part.to_vec())).collect()
}

fn cut_rows(at: Place<RowId>, mut rows: Vec<NewRow>, rng: &mut impl Rng) -> Vec<TableEdit> {
    let mut block = (BlockId::random(rng), 0);
    for row in rows.iter_mut().filter(|row| row.id.is_none()) {
        if block.1 == BLOCK_ROWS {
            block = (BlockId::random(rng), 0);
        }
        row.id = Some(RowId::random(&block.0, rng));
        block.1 += 1;
    }
    let mut made = Vec::new();
    let mut place = at;
    let mut part: Vec<NewRow> = Vec::new();
    let mut filled = 0;
    let mut close = |part: &mut Vec<NewRow>| {
        let rows = std::mem::take(part);
        let last = rows.last().and_then(|row| row.id.clone());
        let next = last.map_or(Place::End, Place::After);
        let at = std::mem::replace(&mut place, next);
        made.push(TableEdit::InsertRows { at, rows });
    };
    for row in rows {
        let weight = row_weight(&row);
        if filled + weight > CHANGE_CELLS && !part.is_empty() {
            close(&mut part);
            filled = 0;
        }
        filled += weight;
        part.push(row);
    }
    close(&mut part);
    made
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
        let weights: Vec<usize> = slices.iter().map(|slice| slice.iter().map(weight).sum()).collect();
        assert_eq!(weights, [1, 500, 500, 201]);
        let (TableEdit::InsertRows { at, rows }, TableEdit::InsertRows { at: next, .. }) =
            (&slices[1][0], &slices[2][0])
        else {
            panic!("{slices:?}");
        };
        assert_eq!(at, &Place::Start);
        assert_eq!(next, &Place::After(rows[49].id.clone().unwrap()));
    }
}
