//! Random batches of edits, and what they are meant to do.
//!
//! A batch touches each row, column and cell once, so that what its author saw is what stood there before it.

use std::collections::{BTreeSet, HashSet};

use rand::Rng;
use rand::seq::IndexedRandom;
use roundtable::document::table::{CellEdit, ColumnDraft, ColumnId, Kind, NewRow, Place, RowId, TableEdit};
use serde_json::{Value as Json, json};

use crate::ledger::{Before, CellName, Ledger};
use crate::replica::Replica;
use crate::values::{TAGS, options, random_ids, random_kind, random_value, strings};

/// Where rows must stand after a batch: in this order, next to each other, beside these.
pub struct Stand {
    pub edit: usize,
    pub rows: Vec<RowId>,
    pub after: Option<RowId>,
    pub before: Option<RowId>,
}

#[derive(Default)]
pub struct Batch {
    pub edits: Vec<TableEdit>,
    /// Cells with what they were and what they are meant to be.
    pub cells: Vec<(CellName, Before, Json)>,
    /// Values of new rows, by edit and position.
    pub new_cells: Vec<(usize, usize, ColumnId, Json)>,
    pub stands: Vec<Stand>,
    /// Rows and columns with whether they are meant to be deleted.
    pub marks: Vec<(Marked, bool)>,
    touched_rows: HashSet<RowId>,
    touched_columns: HashSet<ColumnId>,
    /// A list that moves rows about can hold one such edit, whose outcome is then checked.
    ordered: bool,
    pub operations: usize,
}

pub enum Marked {
    Row(RowId),
    Column(ColumnId),
}

impl Batch {
    /// Adds one random operation.
    pub fn add(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        let before = self.edits.len();
        self.try_to_add(replica, ledger);
        self.operations += usize::from(self.edits.len() > before);
    }

    fn try_to_add(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        match replica.rng.random_range(0..100) {
            0..8 => self.insert(replica, ledger, 1, 3),
            8..9 => self.insert(replica, ledger, 10, 25),
            9..17 => self.move_rows(replica),
            17..23 => self.delete_rows(replica),
            23..29 => self.restore_rows(replica),
            29..30 => self.paste(replica, ledger),
            33..34 => self.add_column(replica, ledger),
            34..36 => self.delete_column(replica),
            36..39 => self.restore_column(replica),
            39..43 => self.change_column(replica, ledger),
            43..44 => {
                let title = TableEdit::SetTitle(format!("Title {}", ledger.number()));
                self.edits.push(title);
            }
            _ => self.edit_cell(replica, ledger),
        }
    }

    fn insert(&mut self, replica: &mut Replica, ledger: &mut Ledger, least: usize, most: usize) {
        if std::mem::replace(&mut self.ordered, true) || replica.index.rows().len() > 400 {
            return;
        }
        let (at, after, before) = place(replica, &HashSet::new());
        let count = replica.rng.random_range(least..=most);
        let columns = self.free_columns(replica);
        let mut rows = Vec::new();
        for number in 0..count {
            let mut row = NewRow::default();
            for (column, kind, _) in &columns {
                if replica.rng.random_bool(0.25) {
                    let value = random_value(replica, ledger, kind, column);
                    if !value.is_null() {
                        self.new_cells
                            .push((self.edits.len(), number, column.clone(), value.clone()));
                    }
                    row.cells.push((column.clone(), value));
                }
            }
            rows.push(row);
        }
        self.stands.push(Stand {
            edit: self.edits.len(),
            rows: Vec::new(),
            after,
            before,
        });
        self.edits.push(TableEdit::InsertRows { at, rows });
    }

    fn move_rows(&mut self, replica: &mut Replica) {
        if std::mem::replace(&mut self.ordered, true) {
            return;
        }
        let rows = self.some_rows(replica, 3);
        if rows.is_empty() {
            return;
        }
        let (to, after, before) = place(replica, &rows.iter().cloned().collect());
        self.stands.push(Stand {
            edit: self.edits.len(),
            rows: rows.clone(),
            after,
            before,
        });
        self.edits.push(TableEdit::MoveRows { rows, to });
    }

    fn delete_rows(&mut self, replica: &mut Replica) {
        // What rows stand beside is looked at afterwards; they must still be there.
        if std::mem::replace(&mut self.ordered, true) || replica.index.live().len() < 5 {
            return;
        }
        let rows = self.some_rows(replica, 3);
        self.marks
            .extend(rows.iter().map(|row| (Marked::Row(row.clone()), true)));
        self.edits.push(TableEdit::DeleteRows(rows));
    }

    fn restore_rows(&mut self, replica: &mut Replica) {
        let deleted = replica.index.rows().iter().filter(|row| row.deleted.is_some());
        let deleted: Vec<RowId> = deleted.map(|row| row.id.clone()).collect();
        if std::mem::replace(&mut self.ordered, true) {
            return;
        }
        if let Some(row) = deleted.choose(&mut replica.rng)
            && self.touched_rows.insert(row.clone())
        {
            self.marks.push((Marked::Row(row.clone()), false));
            self.edits.push(TableEdit::RestoreRows(vec![row.clone()]));
        }
    }

    /// Many cells side by side.
    fn paste(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        let columns = self.free_columns(replica);
        let live = replica.index.live();
        if live.is_empty() || columns.is_empty() {
            return;
        }
        let from = replica.rng.random_range(0..live.len());
        let rows: Vec<RowId> = live[from..].iter().take(12).map(|row| row.id.clone()).collect();
        for row in rows {
            for (column, kind, _) in &columns {
                if self.cells.len() < 40 {
                    let value = random_value(replica, ledger, kind, column);
                    self.set(replica, (row.clone(), column.clone()), value);
                }
            }
        }
    }

    fn edit_cell(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        let columns = self.free_columns(replica);
        let Some((column, kind, _)) = columns.choose(&mut replica.rng).cloned() else {
            return;
        };
        let rows: Vec<RowId> = self.some_rows(replica, 1);
        let Some(row) = rows.first() else { return };
        self.touched_rows.remove(row);
        let cell = (row.clone(), column.clone());
        if self.is_touched(&cell) {
            return;
        }
        let fits = replica.reading(row, &column);
        let fits = fits.is_empty() || fits.value().is_some();
        let small = fits && replica.rng.random_bool(0.8);
        match (&kind, small) {
            (Kind::LongText, true) => self.splice(replica, ledger, cell),
            (Kind::Counter, true) => {
                let step = replica.rng.random_range(-3..=5);
                let before = Before::look(replica, &cell);
                let meant = json!(before.json().as_i64().unwrap_or(0) + step);
                self.push(cell, before, CellEdit::Increment(step), meant);
            }
            (Kind::MultiSelect | Kind::Link, true) => self.change_ids(replica, cell),
            _ => {
                let value = random_value(replica, ledger, &kind, &column);
                self.set(replica, cell, value);
            }
        }
    }

    fn splice(&mut self, replica: &mut Replica, ledger: &mut Ledger, cell: CellName) {
        let before = Before::look(replica, &cell);
        let text: Vec<char> = before.json().as_str().unwrap_or_default().chars().collect();
        let at = replica.rng.random_range(0..=text.len());
        let delete = replica.rng.random_range(0..=(text.len() - at).min(2));
        let insert: String = (0..replica.rng.random_range(1..4)).map(|_| ledger.letter()).collect();
        let meant: String = text[..at]
            .iter()
            .copied()
            .chain(insert.chars())
            .chain(text[at + delete..].iter().copied())
            .collect();
        // The whole text instead, as a front end without a sense for letters sends it.
        let edit = match replica.rng.random_bool(0.25) {
            true => CellEdit::Set(json!(meant)),
            false => CellEdit::Splice { at, delete, insert },
        };
        self.push(cell, before, edit, json!(meant));
    }

    fn change_ids(&mut self, replica: &mut Replica, cell: CellName) {
        let ids: BTreeSet<String> = random_ids(replica, &cell.1).into_iter().collect();
        let before = Before::look(replica, &cell);
        let old: BTreeSet<String> = strings(before.json());
        if ids.is_empty() {
            return;
        }
        let (edit, new): (_, BTreeSet<String>) = match replica.rng.random_bool(0.6) {
            true => (CellEdit::Add(ids.clone()), old.union(&ids).cloned().collect()),
            false => (CellEdit::Remove(ids.clone()), old.difference(&ids).cloned().collect()),
        };
        let meant = if new.is_empty() { Json::Null } else { json!(new) };
        self.push(cell, before, edit, meant);
    }

    fn set(&mut self, replica: &Replica, cell: CellName, value: Json) {
        if self.is_touched(&cell) {
            return;
        }
        let before = Before::look(replica, &cell);
        let edit = match value.is_null() {
            true => CellEdit::Clear,
            false => CellEdit::Set(value.clone()),
        };
        self.push(cell, before, edit, value);
    }

    pub fn push(&mut self, cell: CellName, before: Before, edit: CellEdit, meant: Json) {
        let (row, column) = cell.clone();
        self.edits.push(TableEdit::Cell { row, column, edit });
        self.cells.push((cell, before, meant));
    }

    fn is_touched(&self, cell: &CellName) -> bool {
        self.touched_rows.contains(&cell.0) || self.cells.iter().any(|(other, _, _)| other == cell)
    }

    fn add_column(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        if replica.index.columns().len() > 14 {
            return;
        }
        let kind = random_kind(replica);
        let options = match kind.has_options() {
            true => options(&TAGS[..3]),
            false => Vec::new(),
        };
        let column = ColumnDraft {
            id: None,
            name: format!("Column {}", ledger.number()),
            kind,
            width: Some(120.0),
            options,
        };
        let free = self.free_columns(replica);
        let at = match (free.choose(&mut replica.rng), replica.rng.random_range(0..3)) {
            (Some((neighbour, _, _)), 0) => Place::Before(neighbour.clone()),
            (Some((neighbour, _, _)), 1) => Place::After(neighbour.clone()),
            // Others may be deleted in the same batch, but never so many.
            (_, _) => Place::Index(replica.rng.random_range(0..=2)),
        };
        self.edits.push(TableEdit::AddColumn { at, column });
    }

    fn delete_column(&mut self, replica: &mut Replica) {
        let columns = self.free_columns(replica);
        if columns.len() < 4 || !self.cells.is_empty() || !self.new_cells.is_empty() {
            return;
        }
        let (column, _, _) = columns.choose(&mut replica.rng).unwrap().clone();
        self.touched_columns.insert(column.clone());
        self.marks.push((Marked::Column(column.clone()), true));
        self.edits.push(TableEdit::DeleteColumn(column));
    }

    fn restore_column(&mut self, replica: &mut Replica) {
        let deleted = replica.index.columns().iter().filter(|column| column.deleted.is_some());
        let deleted: Vec<ColumnId> = deleted.map(|column| column.id.clone()).collect();
        if let Some(column) = deleted.choose(&mut replica.rng)
            && self.touched_columns.insert(column.clone())
        {
            self.marks.push((Marked::Column(column.clone()), false));
            self.edits.push(TableEdit::RestoreColumn(column.clone()));
        }
    }

    fn change_column(&mut self, replica: &mut Replica, ledger: &mut Ledger) {
        let columns = self.free_columns(replica);
        let used: HashSet<ColumnId> = self.cells.iter().map(|((_, column), _, _)| column.clone()).collect();
        let free: Vec<_> = columns.iter().filter(|(column, _, _)| !used.contains(column)).collect();
        let Some((column, kind, _)) = free.choose(&mut replica.rng).copied().cloned() else {
            return;
        };
        if !self.new_cells.is_empty() {
            return;
        }
        self.touched_columns.insert(column.clone());
        let edit = match replica.rng.random_range(0..4) {
            0 => TableEdit::RenameColumn {
                column,
                name: format!("Name {}", ledger.number()),
            },
            1 => TableEdit::ResizeColumn {
                column,
                width: Some(f64::from(replica.rng.random_range(40..400))),
            },
            2 => {
                let to = match replica.rng.random_bool(0.5) {
                    true => Place::Start,
                    false => Place::End,
                };
                TableEdit::MoveColumn { column, to }
            }
            _ if kind.has_options() => TableEdit::SetOptions {
                column,
                options: options(&TAGS[..replica.rng.random_range(1..=6)]),
            },
            _ => TableEdit::SetKind {
                column,
                kind: random_kind(replica),
            },
        };
        self.edits.push(edit);
    }

    /// Live rows that the batch does nothing else to, taken for it.
    fn some_rows(&mut self, replica: &mut Replica, most: usize) -> Vec<RowId> {
        let count = replica.rng.random_range(1..=most);
        let live = replica.index.live();
        let mut rows = Vec::new();
        for _ in 0..count {
            let Some(row) = live.choose(&mut replica.rng) else {
                break;
            };
            let used = self.cells.iter().any(|((other, _), _, _)| *other == row.id);
            let anchor = |id: &Option<RowId>| id.as_ref() == Some(&row.id);
            let anchors = self
                .stands
                .iter()
                .any(|stand| anchor(&stand.after) || anchor(&stand.before));
            if !used && !anchors && self.touched_rows.insert(row.id.clone()) {
                rows.push(row.id.clone());
            }
        }
        rows
    }

    fn free_columns(&self, replica: &Replica) -> Vec<(ColumnId, Kind, usize)> {
        let live = replica.index.live_columns();
        let free = live.filter(|column| !self.touched_columns.contains(&column.id));
        free.map(|column| (column.id.clone(), column.kind.clone(), column.options.len()))
            .collect()
    }
}

/// A place for rows, and the live rows that will stand beside them; `moved` will not be there any more.
fn place(replica: &mut Replica, moved: &HashSet<RowId>) -> (Place<RowId>, Option<RowId>, Option<RowId>) {
    let live: Vec<RowId> = replica
        .index
        .live()
        .iter()
        .map(|row| row.id.clone())
        .filter(|row| !moved.contains(row))
        .collect();
    let at = match replica.rng.random_range(0..6) {
        0 => 0,
        1 => live.len(),
        _ => replica.rng.random_range(0..=live.len()),
    };
    let (after, before) = (at.checked_sub(1).map(|at| live[at].clone()), live.get(at).cloned());
    let place = match (replica.rng.random_range(0..3), &after, &before) {
        (0, Some(after), _) => Place::After(after.clone()),
        (1, _, Some(before)) => Place::Before(before.clone()),
        (_, None, _) => Place::Start,
        (_, _, None) => Place::End,
        _ => Place::Index(at),
    };
    (place, after, before)
}
