//! A table with a history: what the measurements are made on.

#![allow(dead_code, reason = "each program uses its part of it")]

use automerge::{ActorId, Automerge, Change, ReadDoc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::table::{ColumnId, Edit, Kind, NewColumn, NewTable, RowId, Value, apply};

/// A table of the shape that front ends write, and the names of what is in it.
pub struct Sample {
    pub document: Automerge,
    rows: Vec<RowId>,
    columns: Vec<ColumnId>,
    random: SmallRng,
}

impl Sample {
    /// A table with ten columns: four of short texts, four of numbers, two of checkboxes. Made as an import makes it, in
    /// changes of at most 500 cells.
    pub fn of_rows(rows: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(1);
        let new = NewTable {
            title: "Sample".into(),
            columns: (0..10).map(column).collect(),
            rows: (0..rows)
                .map(|_| (0..10).map(|at| Some(value(at, &mut random))).collect())
                .collect(),
        };
        let mut sample = Self {
            document: Automerge::new().with_actor(actor(0)),
            rows: Vec::with_capacity(rows),
            columns: Vec::new(),
            random: SmallRng::seed_from_u64(2),
        };
        for edits in new.into_changes(&mut random) {
            for edit in &edits {
                match edit {
                    Edit::AddRow { id, .. } => sample.rows.push(id.clone()),
                    Edit::AddColumn { id, .. } => sample.columns.push(id.clone()),
                    Edit::CreateTable { .. } | Edit::SetCell { .. } => {}
                }
            }
            sample.write(&edits);
        }
        sample
    }

    /// Writes to one cell somewhere in the table.
    pub fn edit_a_cell(&mut self) -> Change {
        loop {
            let at = self.random.random_range(0..self.columns.len());
            let edit = Edit::SetCell {
                row: self.rows[self.random.random_range(0..self.rows.len())].clone(),
                column: self.columns[at].clone(),
                value: value(at, &mut self.random),
            };
            // The cell may have this very value; then there is nothing to write.
            if let Some(change) = self.write(&[edit]) {
                return change;
            }
        }
    }

    /// Edits single cells until the table has this many changes, each by one of so many people in turn.
    pub fn grow_to(&mut self, changes: u64, people: u64) {
        for number in self.changes()..changes {
            self.become_person(number % people);
            self.edit_a_cell();
        }
    }

    /// Lets the next edits be those of this person.
    pub fn become_person(&mut self, number: u64) {
        self.document.set_actor(actor(number + 1));
    }

    pub fn changes(&self) -> u64 {
        self.document.stats().num_changes
    }

    fn write(&mut self, edits: &[Edit]) -> Option<Change> {
        let done = self.document.transact(|tx| apply(tx, edits));
        let hash = done.expect("the edits fit the table").hash?;
        self.document.get_change_by_hash(&hash)
    }
}

/// Sixteen bytes, as those that clients make.
fn actor(number: u64) -> ActorId {
    ActorId::from(
        u128::from(number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes(),
    )
}

fn column(at: usize) -> NewColumn {
    let kind = match at {
        0..4 => Kind::Text,
        4..8 => Kind::Number,
        _ => Kind::Checkbox,
    };
    NewColumn {
        name: format!("Column {at}"),
        kind,
    }
}

fn value(at: usize, random: &mut SmallRng) -> Value {
    match at {
        0..4 => Value::Text(format!("text {}", random.random_range(0..100_000))),
        4..6 => Value::Int(random.random_range(0..1_000_000)),
        6..8 => Value::Float(f64::from(random.random_range(0..1_000_000)) / 8.0),
        _ => Value::Bool(random.random()),
    }
}
