//! Random histories: eight people edit one table through the interface that all doors use, and merge in random pairs.
//!
//! Held at every step: an edit does on its author's copy what it says, also among equal order keys; a refused batch
//! leaves nothing; the index that follows is the one built anew. Held at the end, after everybody has merged with
//! everybody: all see the same rows in the same order, and the [`Ledger`](crate::ledger) finds everything in its place.

use automerge::{ObjId, ReadDoc, ScalarValue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::order::OrderKey;
use roundtable::document::table::{CellEdit, Kind, Outcome, Place, RowId, Table, TableEdit};

use crate::batch::{Batch, Marked};
use crate::ledger::{Before, Ledger, is_letter};
use crate::replica::Replica;

const REPLICAS: usize = 8;
const OPERATIONS: usize = 220;

/// What a person does, as an undo remembers it: cells with what they held.
type Done = Vec<(crate::ledger::CellName, serde_json::Value)>;

#[test]
fn a_hundred_thousand_random_operations_lose_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("TABLE_MODEL_SEED") {
        println!("{} operations in the history of seed {seed}", told(seed));
        return;
    }
    let total = number("TABLE_MODEL_OPERATIONS").unwrap_or(100_000) as usize;
    // Two threads take the seeds in turn; which histories are run does not depend on which is faster.
    let halves = [0, 1].map(|first| std::thread::spawn(move || histories(first, total / 2)));
    let done = halves.map(|half| half.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    println!(
        "{} operations in {} histories",
        done[0].0 + done[1].0,
        done[0].1 + done[1].1
    );
}

/// Histories of every second seed until there were so many operations; how many of both.
fn histories(first: u64, total: usize) -> (usize, usize) {
    let (mut operations, mut histories) = (0, 0);
    for seed in (first..).step_by(2) {
        operations += told(seed);
        histories += 1;
        if operations >= total {
            break;
        }
    }
    (operations, histories)
}

/// One history; its seed is named when it fails.
fn told(seed: u64) -> usize {
    let guard = Told(seed);
    let made = history(seed);
    assert!(made >= 200, "seed {seed}: a history of {made} operations is too short");
    std::mem::forget(guard);
    made
}

/// Names the seed of a history that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!(
            "the history of seed {} failed: TABLE_MODEL_SEED={} repeats it",
            self.0, self.0
        );
    }
}

fn history(seed: u64) -> usize {
    let mut rng = SmallRng::seed_from_u64(seed);
    let kinds = [
        Kind::Text,
        Kind::Number,
        Kind::Checkbox,
        Kind::Link,
        Kind::LongText,
        Kind::Counter,
    ];
    let first = Replica::new(seed, &kinds, 6);
    let mut ledger = Ledger::default();
    first.index.rows().iter().for_each(|row| ledger.row_added(&row.id));
    first
        .index
        .columns()
        .iter()
        .for_each(|column| ledger.column_added(&column.id));
    let mut replicas: Vec<Replica> = (0..REPLICAS as u8).map(|number| first.fork(number + 1)).collect();
    let mut undo: Vec<Done> = vec![Vec::new(); REPLICAS];

    let mut operations = 0;
    while operations < OPERATIONS {
        let who = rng.random_range(0..REPLICAS);
        operations += step(&mut replicas[who], &mut ledger, &mut undo[who]);
        if rng.random_bool(0.25) {
            merge(&mut replicas, who, rng.random_range(0..REPLICAS));
        }
        if rng.random_bool(0.01) {
            replicas[who].check_index();
        }
    }
    for other in 1..REPLICAS {
        merge(&mut replicas, 0, other);
    }
    for other in 1..REPLICAS {
        merge(&mut replicas, other, 0);
    }
    check(&replicas, &ledger);
    operations
}

fn merge(replicas: &mut [Replica], into: usize, from: usize) {
    if into != from {
        let [into, from] = replicas.get_disjoint_mut([into, from]).unwrap();
        into.merge(from);
    }
}

/// One change of a few operations by one person.
fn step(replica: &mut Replica, ledger: &mut Ledger, undo: &mut Done) -> usize {
    let mut batch = Batch::default();
    if replica.rng.random_bool(0.04) {
        take_back(replica, &mut batch, undo);
    } else {
        for _ in 0..replica.rng.random_range(1..=10) {
            batch.add(replica, ledger);
        }
    }
    if replica.rng.random_bool(0.02) {
        refuse(replica, &batch.edits);
    }
    let marks_before: Vec<_> = batch.marks.iter().map(|(marked, _)| marks(replica, marked)).collect();
    let outcomes = replica
        .edit(&batch.edits)
        .unwrap_or_else(|refused| panic!("{refused} in {:?}", batch.edits));

    for ((marked, deleted), before) in batch.marks.iter().zip(marks_before) {
        let name = match marked {
            Marked::Row(row) => row.as_str(),
            Marked::Column(column) => column.as_str(),
        };
        let after = marks(replica, marked);
        assert_eq!(!after.is_empty(), *deleted, "whether {name} is deleted");
        ledger.marked(name, before, after);
    }
    for outcome in &outcomes {
        match outcome {
            Outcome::Rows(rows) => rows.iter().for_each(|row| ledger.row_added(row)),
            Outcome::Column(column) => ledger.column_added(column),
            _ => {}
        }
    }
    for stand in &batch.stands {
        let rows = match &outcomes[stand.edit] {
            Outcome::Rows(rows) => rows,
            _ => &stand.rows,
        };
        check_stand(replica, rows, &stand.after, &stand.before);
    }
    let new_cells = std::mem::take(&mut batch.new_cells);
    for (edit, number, column, value) in new_cells {
        let Outcome::Rows(rows) = &outcomes[edit] else {
            panic!("{:?}", outcomes[edit]);
        };
        let cell = (rows[number].clone(), column);
        ledger.wrote(replica, &cell, Before::nothing(replica, &cell), &value);
    }
    undo.clear();
    for (cell, before, meant) in batch.cells {
        undo.push((cell.clone(), before.json().clone()));
        ledger.wrote(replica, &cell, before, &meant);
    }
    batch.operations
}

/// Sets the cells of the last change to what they were, as an undo does, where that is still a value of their kind.
fn take_back(replica: &Replica, batch: &mut Batch, undo: &mut Done) {
    batch.operations += usize::from(!undo.is_empty());
    for (cell, value) in undo.drain(..) {
        let (row, column) = (replica.index.row(&cell.0), replica.index.column(&cell.1));
        let there =
            row.is_some_and(|row| row.deleted.is_none()) && column.is_some_and(|column| column.deleted.is_none());
        if !there {
            continue;
        }
        let column = column.unwrap();
        let before = Before::look(replica, &cell);
        let value = match (&column.kind, value.as_str(), before.json().as_str()) {
            // Letters that were taken out are not put back: they would be others that look the same.
            (Kind::LongText, Some(old), Some(now)) => {
                let kept = |letter: &char| !is_letter(letter) || old.contains(*letter);
                serde_json::json!(now.chars().filter(kept).collect::<String>())
            }
            (Kind::LongText, _, _) => continue,
            _ => value,
        };
        let value = if value == "" { serde_json::Value::Null } else { value };
        let fits = roundtable::document::table::CellValue::from_json(&column.kind, &column.options, &value);
        if fits.is_ok() {
            batch.push(cell, before, CellEdit::Set(value.clone()), value);
        }
    }
}

/// A batch with one wrong edit at its end is refused wholly.
fn refuse(replica: &mut Replica, edits: &[TableEdit]) {
    let heads = replica.document.get_heads();
    let nowhere = RowId::parse("no.where").unwrap();
    let wrong = TableEdit::MoveRows {
        rows: vec![nowhere],
        to: Place::End,
    };
    let edits: Vec<_> = edits.iter().cloned().chain([wrong]).collect();
    let refused = replica.edit(&edits).unwrap_err();
    assert_eq!(refused.edit, edits.len() - 1, "{refused}");
    assert_eq!(replica.document.get_heads(), heads);
}

/// The marks on a row or column, all that are visible.
fn marks(replica: &Replica, marked: &Marked) -> Vec<ObjId> {
    let object = match marked {
        Marked::Row(row) => replica.index.row(row).unwrap().object.clone(),
        Marked::Column(column) => {
            let (_, columns) = replica.document.get(automerge::ROOT, "columns").unwrap().unwrap();
            replica.document.get(&columns, column.as_str()).unwrap().unwrap().1
        }
    };
    replica
        .stored(&object, "deleted")
        .into_iter()
        .map(|(_, id)| id)
        .collect()
}

/// The rows stand next to each other, right after the one and right before the other.
fn check_stand(replica: &Replica, rows: &[RowId], after: &Option<RowId>, before: &Option<RowId>) {
    let at = replica.index.position(&rows[0]).expect("a row that was just placed");
    let live: Vec<&RowId> = replica.index.live().iter().map(|row| &row.id).collect();
    assert_eq!(
        &live[at..at + rows.len()],
        rows.iter().collect::<Vec<_>>(),
        "rows stand apart"
    );
    assert_eq!(at.checked_sub(1).map(|at| live[at]), after.as_ref(), "the row before");
    assert_eq!(live.get(at + rows.len()).copied(), before.as_ref(), "the row after");
}

fn check(replicas: &[Replica], ledger: &Ledger) {
    let first = &replicas[0];
    let table = Table::read(&first.document).unwrap();
    assert_eq!(table.strange, []);
    for replica in &replicas[1..] {
        assert_eq!(replica.document.get_heads(), first.document.get_heads());
        assert_eq!(replica.index.rows(), first.index.rows(), "rows or their order differ");
        assert_eq!(
            replica.index.columns(),
            first.index.columns(),
            "columns or their order differ"
        );
    }
    first.check_index();
    let last = Table::read(&replicas[REPLICAS - 1].document).unwrap();
    assert_eq!(last, table);
    let orders = first.index.rows().iter().map(|row| row.order.to_string());
    for order in orders.chain(first.index.columns().iter().map(|column| column.order.clone())) {
        OrderKey::parse(&order).unwrap();
    }
    let read: Vec<&RowId> = table.rows.iter().map(|row| &row.id).collect();
    assert_eq!(read, first.index.rows().iter().map(|row| &row.id).collect::<Vec<_>>());
    ledger.check(first);
    // No scalar stands where a mark should.
    for row in first.index.rows() {
        for (value, _) in first.stored(&row.object, "deleted") {
            assert!(!matches!(value.as_scalar(), Some(ScalarValue::Boolean(_))));
        }
    }
}
