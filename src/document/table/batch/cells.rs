//! Planning what happens to cells.

use std::collections::BTreeSet;

use automerge::ReadDoc;
use rand::Rng;
use serde_json::{Value as Json, json};

use super::write::{CellWrite, Write};
use super::{CellEdit, Outcome, Planner, Refusal, RowRef};
use crate::document::table::value::{MAX_IDS, MAX_SAFE, is_link, shortened};
use crate::document::table::{Cell, CellValue, Column, ColumnId, Kind, Number, RowId, Value, cells};

impl<D: ReadDoc, R: Rng> Planner<'_, D, R> {
    pub(super) fn edit_cell(&mut self, row: &RowId, column: &ColumnId, edit: &CellEdit) -> Result<Outcome, Refusal> {
        self.live_row(row)?;
        let column = self.live_column(column)?.clone();
        let (write, cell) = match edit {
            CellEdit::Set(json) => set(&column, RowRef::Id(row.clone()), json)?,
            CellEdit::Clear => (emptied(&column.kind), None),
            CellEdit::Increment(by) => self.increment(row, &column, *by)?,
            CellEdit::Splice { at, delete, insert } => self.splice(row, &column, *at, *delete, insert)?,
            CellEdit::Add(ids) => self.add(row, &column, ids)?,
            CellEdit::Remove(ids) => self.remove(row, &column, ids)?,
        };
        self.put(row, &column.id, write, cell);
        Ok(Outcome::Done)
    }

    /// A cell of a row that the same list of edits inserts.
    pub(super) fn set_new_cell(
        &mut self,
        row: &RowId,
        name: RowRef,
        column: &ColumnId,
        json: &Json,
    ) -> Result<(), Refusal> {
        if self.cells.contains_key(&(row.clone(), column.clone())) {
            return Err(Refusal::Twice(format!("column {column} of row {name}")));
        }
        // Not copied: a column may have a thousand options, and this is done for every cell of an import.
        let (write, cell) = set(self.live_column(column)?, name, json)?;
        // An empty cell has no key; in a new row there is nothing to take away.
        if cell.is_some() {
            self.put(row, column, write, cell);
        }
        Ok(())
    }

    fn put(&mut self, row: &RowId, column: &ColumnId, write: CellWrite, cell: Option<Cell>) {
        self.writes.push(Write::Cell {
            row: row.clone(),
            column: column.clone(),
            write,
        });
        self.cells.insert((row.clone(), column.clone()), cell);
    }

    /// What the cell holds after the edits planned so far.
    fn current(&self, row: &RowId, column: &ColumnId) -> Option<Cell> {
        if let Some(cell) = self.cells.get(&(row.clone(), column.clone())) {
            return cell.clone().filter(|cell| !cell.is_empty());
        }
        let object = match self.is_earlier {
            true => cells::row_object(self.document, row)?,
            false => self.index.row(row)?.object.clone(),
        };
        // An emptied text or map of ids may be left from when the column was of another kind.
        cells::stored(self.document, &object, column).filter(|cell| !cell.is_empty())
    }

    fn increment(&self, row: &RowId, column: &Column, by: i64) -> Result<(CellWrite, Option<Cell>), Refusal> {
        if column.kind != Kind::Counter {
            return Err(wrong_edit(row, column, "increment"));
        }
        let before = match self.current(row, &column.id) {
            None => 0,
            Some(Cell::Value(Value::Int(number))) => number,
            Some(Cell::Value(Value::Float(number))) => match Number::from_f64(number) {
                Number::Int(number) => number,
                Number::Float(_) => return Err(misfit(row, column, &Cell::Value(Value::Float(number)))),
            },
            Some(other) => return Err(misfit(row, column, &other)),
        };
        let after = before
            .checked_add(by)
            .filter(|sum| sum.unsigned_abs() <= MAX_SAFE as u64);
        let after = after.ok_or_else(|| wrong_value(RowRef::Id(row.clone()), column, format!("{before} + {by}")))?;
        Ok((CellWrite::Increment(by), Some(Cell::Value(Value::Int(after)))))
    }

    fn splice(
        &self,
        row: &RowId,
        column: &Column,
        at: usize,
        delete: usize,
        insert: &str,
    ) -> Result<(CellWrite, Option<Cell>), Refusal> {
        if column.kind != Kind::LongText {
            return Err(wrong_edit(row, column, "splice"));
        }
        let before = match self.current(row, &column.id) {
            None => String::new(),
            Some(Cell::Value(Value::Text(text))) => text,
            Some(other) => return Err(misfit(row, column, &other)),
        };
        let length = before.chars().count();
        let end = at.saturating_add(delete);
        if end > length {
            return Err(Refusal::OutOfText {
                row: row.clone(),
                column: column.id.clone(),
                length,
                at,
                end,
            });
        }
        let after: String = before
            .chars()
            .take(at)
            .chain(insert.chars())
            .chain(before.chars().skip(end))
            .collect();
        let write = CellWrite::Splice {
            at,
            delete,
            insert: insert.into(),
        };
        Ok((write, Some(Cell::Value(Value::Text(after)))))
    }

    fn add(&self, row: &RowId, column: &Column, ids: &BTreeSet<String>) -> Result<(CellWrite, Option<Cell>), Refusal> {
        let mut after = self.current_ids(row, column, "ids")?;
        let fits = ids.iter().all(|id| match column.kind {
            Kind::MultiSelect => column.options.iter().any(|option| option.id == *id),
            _ => is_link(id),
        });
        after.extend(ids.iter().cloned());
        if !fits || after.len() > MAX_IDS {
            return Err(wrong_value(RowRef::Id(row.clone()), column, shortened(&json!(ids))));
        }
        Ok((CellWrite::Add(ids.clone()), Some(Cell::Ids(after))))
    }

    fn remove(
        &self,
        row: &RowId,
        column: &Column,
        ids: &BTreeSet<String>,
    ) -> Result<(CellWrite, Option<Cell>), Refusal> {
        let mut after = self.current_ids(row, column, "ids")?;
        after.retain(|id| !ids.contains(id));
        Ok((CellWrite::Remove(ids.clone()), Some(Cell::Ids(after))))
    }

    fn current_ids(&self, row: &RowId, column: &Column, edit: &'static str) -> Result<BTreeSet<String>, Refusal> {
        if !matches!(column.kind, Kind::MultiSelect | Kind::Link) {
            return Err(wrong_edit(row, column, edit));
        }
        match self.current(row, &column.id) {
            None => Ok(BTreeSet::new()),
            Some(Cell::Ids(ids)) => Ok(ids),
            Some(other) => Err(misfit(row, column, &other)),
        }
    }
}

/// A whole value: how it is written, and what the cell then holds.
fn set(column: &Column, row: RowRef, json: &Json) -> Result<(CellWrite, Option<Cell>), Refusal> {
    let value = CellValue::from_json(&column.kind, &column.options, json)
        .map_err(|wrong| wrong_value(row, column, wrong.found))?;
    let Some(value) = value else {
        return Ok((emptied(&column.kind), None));
    };
    Ok(match value {
        CellValue::Text(text) | CellValue::Date(text) | CellValue::Select(text) => scalar(Value::Text(text)),
        CellValue::Number(Number::Int(number)) => scalar(Value::Int(number)),
        CellValue::Number(Number::Float(number)) => scalar(Value::Float(number)),
        CellValue::Checkbox(yes) => scalar(Value::Bool(yes)),
        CellValue::MultiSelect(ids) | CellValue::Link(ids) => (CellWrite::Ids(ids.clone()), Some(Cell::Ids(ids))),
        CellValue::LongText(text) => (
            CellWrite::Text(text.clone()),
            Some(Cell::Value(Value::Text(text))).filter(|cell| !cell.is_empty()),
        ),
        CellValue::Counter(number) => (CellWrite::Counter(number), Some(Cell::Value(Value::Int(number)))),
    })
}

fn scalar(value: Value) -> (CellWrite, Option<Cell>) {
    (CellWrite::Scalar(value.clone()), Some(Cell::Value(value)))
}

/// Emptying what merges keeps the object, so that what others add to it at the same time is not lost with it.
fn emptied(kind: &Kind) -> CellWrite {
    match kind {
        Kind::LongText | Kind::MultiSelect | Kind::Link => CellWrite::Empty,
        _ => CellWrite::Clear,
    }
}

fn wrong_value(row: RowRef, column: &Column, found: String) -> Refusal {
    Refusal::WrongValue {
        row,
        column: column.id.clone(),
        name: column.name.clone(),
        kind: column.kind.clone(),
        expected: column.kind.expects(),
        found,
    }
}

/// The cell holds something that this edit cannot build on.
fn misfit(row: &RowId, column: &Column, cell: &Cell) -> Refusal {
    wrong_value(RowRef::Id(row.clone()), column, shortened(&cell.to_json()))
}

fn wrong_edit(row: &RowId, column: &Column, edit: &'static str) -> Refusal {
    let known = match &column.kind {
        Kind::Other(_) => "unknown",
        kind => kind.name(),
    };
    Refusal::WrongEdit {
        row: row.clone(),
        column: column.id.clone(),
        name: column.name.clone(),
        kind: known,
        edit,
    }
}
