//! Stories of people who did something to the same thing at the same time.

use roundtable::document::table::conflicts::{ColumnConflict, Conflicts, RowConflict, conflicts};
use roundtable::document::table::{Cell, CellEdit, TableEdit, Value};
use serde_json::json;

use crate::edits::{cell, every_kind, set};
use crate::replica::Replica;

fn found(replica: &Replica) -> Conflicts {
    conflicts(&replica.document, &replica.index)
}

#[test]
fn a_cell_written_twice_at_once_is_listed_until_somebody_writes_it_again() {
    let mut ada = every_kind();
    let (row, other, column) = (ada.row(0), ada.row(1), ada.column(0));
    let mut bob = ada.fork(1);
    ada.edit(&[set(&row, &column, json!("Ada's")), set(&other, &column, json!("same"))])
        .unwrap();
    bob.edit(&[set(&row, &column, json!("Bob's")), set(&other, &column, json!("same"))])
        .unwrap();
    ada.merge(&bob);
    let listed = found(&ada);
    assert_eq!(listed.cells.len(), 1, "the same value twice is no conflict: {listed:?}");
    let conflict = &listed.cells[0];
    assert_eq!((&conflict.row, &conflict.column), (&row, &column));
    let shown = ada.json(&row, &column);
    assert_eq!(conflict.values[0].to_json(), shown);
    let both: std::collections::BTreeSet<String> =
        conflict.values.iter().map(|cell| cell.to_json().to_string()).collect();
    assert_eq!(both.len(), 2);
    ada.edit(&[set(&row, &column, shown)]).unwrap();
    assert_eq!(found(&ada), Conflicts::default());
}

#[test]
fn two_who_begin_a_counter_at_once_are_listed() {
    let mut ada = every_kind();
    let (row, counter) = (ada.row(0), ada.column(8));
    let mut bob = ada.fork(1);
    ada.edit(&[cell(&row, &counter, CellEdit::Increment(1))]).unwrap();
    bob.edit(&[cell(&row, &counter, CellEdit::Increment(2))]).unwrap();
    ada.merge(&bob);
    assert_eq!(found(&ada).cells[0].values.len(), 2);
    // Emptied and set in one batch, it is one counter again.
    ada.edit(&[cell(&row, &counter, CellEdit::Clear), set(&row, &counter, json!(3))])
        .unwrap();
    assert_eq!(found(&ada), Conflicts::default());
    assert_eq!(ada.json(&row, &counter), json!(3));
}

/// Bob writes into a row and a column that Ada deletes meanwhile. Cells he did not touch, and those he wrote before, are
/// not listed.
#[test]
fn a_write_into_what_somebody_deletes_meanwhile_is_listed() {
    let mut ada = every_kind();
    let (row, other, quiet) = (ada.row(0), ada.row(1), ada.row(2));
    let (name, number, text, counter) = (ada.column(0), ada.column(1), ada.column(7), ada.column(8));
    ada.edit(&[
        set(&row, &name, json!("before")),
        set(&row, &text, json!("before")),
        set(&row, &counter, json!(1)),
        set(&quiet, &name, json!("before")),
        set(&quiet, &number, json!(1)),
    ])
    .unwrap();
    let mut bob = ada.fork(1);
    ada.edit(&[
        TableEdit::DeleteRows(vec![row.clone(), quiet]),
        TableEdit::DeleteColumn(number.clone()),
    ])
    .unwrap();
    bob.edit(&[
        cell(
            &row,
            &text,
            CellEdit::Splice {
                at: 6,
                delete: 0,
                insert: "!".into(),
            },
        ),
        cell(&row, &counter, CellEdit::Increment(1)),
        set(&other, &number, json!(5)),
    ])
    .unwrap();
    ada.merge(&bob);
    let listed = found(&ada);
    let mark = ada.index.row(&row).unwrap().deleted.clone().unwrap();
    let mut columns = vec![text, counter];
    columns.sort();
    assert_eq!(
        listed.rows,
        [RowConflict {
            row: row.clone(),
            mark: mark.clone(),
            columns
        }]
    );
    assert_eq!(
        listed.columns,
        [ColumnConflict {
            column: number.clone(),
            mark,
            rows: vec![other.clone()]
        }]
    );
    assert_eq!(listed.cells, []);
    // One restore brings it back, and it is no conflict any more.
    ada.edit(&[
        TableEdit::RestoreRows(vec![row.clone()]),
        TableEdit::RestoreColumn(number.clone()),
    ])
    .unwrap();
    assert_eq!(found(&ada), Conflicts::default());
    assert_eq!(ada.json(&other, &number), json!(5));
    // Deleted again by somebody who has seen the writes: no conflict.
    ada.edit(&[TableEdit::DeleteRows(vec![row])]).unwrap();
    assert_eq!(found(&ada), Conflicts::default());
}

#[test]
fn a_write_by_somebody_who_knew_of_the_deletion_is_no_conflict() {
    use automerge::transaction::Transactable;
    let mut ada = every_kind();
    let (row, name) = (ada.row(0), ada.column(0));
    ada.edit(&[TableEdit::DeleteRows(vec![row.clone()])]).unwrap();
    let object = ada.index.row(&row).unwrap().object.clone();
    // Through the sync door nobody is held back.
    ada.document
        .transact::<_, _, automerge::AutomergeError>(|tx| tx.put(&object, name.as_str(), "on purpose"))
        .unwrap();
    ada.index.follow(&ada.document).unwrap();
    assert_eq!(found(&ada), Conflicts::default());
}

#[test]
fn values_of_different_kinds_are_all_shown() {
    let mut ada = every_kind();
    let (row, column) = (ada.row(0), ada.column(1));
    let mut bob = ada.fork(1);
    ada.edit(&[set(&row, &column, json!(5))]).unwrap();
    bob.edit(&[
        TableEdit::SetKind {
            column: column.clone(),
            kind: roundtable::document::table::Kind::LongText,
        },
        set(&row, &column, json!("five")),
    ])
    .unwrap();
    ada.merge(&bob);
    let listed = found(&ada);
    let values = &listed.cells[0].values;
    assert!(values.contains(&Cell::Value(Value::Int(5))) && values.contains(&Cell::Value(Value::Text("five".into()))));
}
