//! A table with a history: what the measurements are made on.

#![allow(dead_code, reason = "each program uses its part of it")]

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, AutomergeError, Change, ObjId, ReadDoc, ScalarValue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::table::batch::{edit, slices};
use roundtable::document::table::{ColumnDraft, ColumnId, Kind, NewRow, Place, Stamp, TableEdit, TableIndex, create};
use serde_json::{Value as Json, json};

/// A table of the shape that front ends write, and the names of what is in it.
pub struct Sample {
    pub document: Automerge,
    /// The maps of the rows.
    rows: Vec<ObjId>,
    columns: Vec<ColumnId>,
    random: SmallRng,
}

impl Sample {
    /// A table with ten columns: four of short texts, four of numbers, two of checkboxes. Made as an import makes it, in
    /// changes of at most 500 cells.
    pub fn of_rows(rows: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(1);
        let columns: Vec<ColumnId> = (0..10).map(|_| ColumnId::random(&mut random)).collect();
        let mut edits: Vec<TableEdit> = columns.iter().enumerate().map(|(at, id)| column(at, id)).collect();
        let row = |_| NewRow {
            id: None,
            cells: columns
                .iter()
                .enumerate()
                .map(|(at, id)| (id.clone(), value(at, &mut random)))
                .collect(),
        };
        let rows = (0..rows).map(row).collect();
        edits.push(TableEdit::InsertRows { at: Place::End, rows });
        let mut document = Automerge::new().with_actor(actor(0));
        document
            .transact(|tx| create(tx, "Sample"))
            .expect("the document is empty");
        let mut index = TableIndex::build(&document).expect("a table");
        let stamp = Stamp {
            at: 0,
            by: String::new(),
        };
        for slice in slices(edits, &mut random) {
            let done = document.transact(|tx| edit(tx, &index, &slice, &stamp, &mut random));
            done.map_err(|failed| failed.error).expect("the edits fit the table");
            index.follow(&document).expect("a table");
        }
        Self {
            rows: index.rows().iter().map(|row| row.object.clone()).collect(),
            document,
            columns,
            random: SmallRng::seed_from_u64(2),
        }
    }

    /// Writes to one cell somewhere in the table.
    pub fn edit_a_cell(&mut self) -> Change {
        loop {
            let at = self.random.random_range(0..self.columns.len());
            let row = self.rows[self.random.random_range(0..self.rows.len())].clone();
            let wanted = value(at, &mut self.random);
            let before = self.document.get(&row, self.columns[at].as_str()).ok().flatten();
            // The cell may have this very value; then there is nothing to write.
            let value = scalar(&wanted);
            if before.is_some_and(|(before, _)| before.as_scalar() == Some(&value)) {
                continue;
            }
            let column = &self.columns[at];
            let done = self
                .document
                .transact::<_, _, AutomergeError>(|tx| tx.put(&row, column.as_str(), value));
            let hash = done.expect("the row is there").hash.expect("something was written");
            return self.document.get_change_by_hash(&hash).expect("it was just made");
        }
    }

    /// A cell somewhere in the table, as the map of its row and its key there, and a new value for it.
    pub fn next_edit(&mut self) -> (ObjId, &str, ScalarValue) {
        let at = self.random.random_range(0..self.columns.len());
        let row = self.rows[self.random.random_range(0..self.rows.len())].clone();
        let value = scalar(&value(at, &mut self.random));
        (row, self.columns[at].as_str(), value)
    }

    /// A cell of the first row, of a column of whole numbers.
    pub fn number_cell(&self) -> (ObjId, ColumnId) {
        (self.rows[0].clone(), self.columns[4].clone())
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
}

/// Sixteen bytes, as those that clients make.
fn actor(number: u64) -> ActorId {
    ActorId::from(
        u128::from(number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes(),
    )
}

/// So many rows of such a table as a file.
pub fn csv(rows: usize) -> String {
    let mut random = SmallRng::seed_from_u64(3);
    let names: Vec<_> = (0..10).map(|at| format!("Column {at}")).collect();
    let mut lines = vec![names.join(",")];
    lines.extend((0..rows).map(|_| {
        let fields = (0..10).map(|at| match value(at, &mut random) {
            Json::String(text) => text,
            other => other.to_string(),
        });
        fields.collect::<Vec<_>>().join(",")
    }));
    lines.join("\n")
}

fn column(at: usize, id: &ColumnId) -> TableEdit {
    let kind = match at {
        0..4 => Kind::Text,
        4..8 => Kind::Number,
        _ => Kind::Checkbox,
    };
    let column = ColumnDraft {
        id: Some(id.clone()),
        name: format!("Column {at}"),
        kind,
        width: None,
        options: Vec::new(),
    };
    TableEdit::AddColumn { at: Place::End, column }
}

fn value(at: usize, random: &mut SmallRng) -> Json {
    match at {
        0..4 => json!(format!("text {}", random.random_range(0..100_000))),
        4..6 => json!(random.random_range(0..1_000_000)),
        6..8 => json!(f64::from(random.random_range(0..1_000_000)) / 8.0),
        _ => json!(random.random::<bool>()),
    }
}

fn scalar(value: &Json) -> ScalarValue {
    match value {
        Json::String(text) => text.as_str().into(),
        Json::Bool(yes) => (*yes).into(),
        number => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
    }
}
