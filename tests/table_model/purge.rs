//! Stories of clean-up: what goes, what is left behind, and who finds it.

use automerge::Automerge;
use roundtable::document::table::batch::slices;
use roundtable::document::table::purge::{Orphan, expired, orphans};
use roundtable::document::table::{Cell, CellEdit, NewRow, Place, TableEdit, TableIndex, Value};
use serde_json::json;

use crate::edits::{cell, every_kind, set};
use crate::replica::Replica;

fn purge(replica: &mut Replica, before: i64) -> usize {
    let edits = expired(&replica.document, &replica.index, before);
    let slices = slices(edits, &mut replica.rng);
    for slice in &slices {
        replica.edit(slice).unwrap();
    }
    slices.len()
}

#[test]
fn what_was_marked_long_ago_goes_and_what_was_marked_lately_stays() {
    let mut ada = every_kind();
    let (old, new, kept) = (ada.row(0), ada.row(1), ada.row(2));
    let column = ada.column(0);
    let edits: Vec<_> = [&old, &new, &kept].map(|row| set(row, &column, json!("x"))).into();
    ada.edit(&edits).unwrap();
    let long_ago = ada.stamp.at;
    ada.edit(&[
        TableEdit::DeleteRows(vec![old.clone()]),
        TableEdit::DeleteColumn(column.clone()),
    ])
    .unwrap();
    ada.stamp.at += 1000;
    ada.edit(&[TableEdit::DeleteRows(vec![new.clone()])]).unwrap();
    assert_eq!(purge(&mut ada, long_ago), 0, "what was marked at that moment stays");
    assert_eq!(purge(&mut ada, long_ago + 1), 1);
    ada.check_index();
    assert!(ada.index.row(&old).is_none() && ada.index.row(&new).is_some());
    assert!(ada.index.column(&column).is_none());
    assert_eq!(purge(&mut ada, long_ago + 1), 0);
    assert_eq!(orphans(&ada.document, &ada.index), []);
    // What was purged does not come back under its old name.
    let again = NewRow {
        id: Some(old),
        cells: vec![],
    };
    assert!(
        ada.edit(&[TableEdit::InsertRows {
            at: Place::End,
            rows: vec![again]
        }])
        .is_err()
    );
    // What is not deleted is not purged.
    assert!(ada.edit(&[TableEdit::PurgeRow(kept)]).is_err());
    let live = ada.column(0);
    assert!(ada.edit(&[TableEdit::PurgeColumn(live)]).is_err());
}

/// Bob was offline when the row he wrote into was deleted, and still was when it was purged.
#[test]
fn later_writes_into_what_was_purged_are_listed() {
    let mut ada = every_kind();
    let (row, other) = (ada.row(0), ada.row(1));
    let (name, tags, text, counter) = (ada.column(0), ada.column(5), ada.column(7), ada.column(8));
    let fill = |row| {
        [
            set(row, &name, json!("old")),
            set(row, &tags, json!(["o1"])),
            set(row, &text, json!("old")),
            set(row, &counter, json!(3)),
        ]
    };
    ada.edit(&[fill(&row), fill(&other)].concat()).unwrap();
    let mut bob = ada.fork(1);
    ada.edit(&[
        TableEdit::DeleteRows(vec![row.clone()]),
        TableEdit::DeleteColumn(text.clone()),
    ])
    .unwrap();
    purge(&mut ada, i64::MAX);
    assert_eq!(orphans(&ada.document, &ada.index), []);

    bob.edit(&[
        set(&row, &name, json!("late")),
        cell(&row, &tags, CellEdit::Add(["o2".into()].into())),
        cell(
            &row,
            &text,
            CellEdit::Splice {
                at: 3,
                delete: 0,
                insert: "er".into(),
            },
        ),
        cell(
            &other,
            &text,
            CellEdit::Splice {
                at: 0,
                delete: 3,
                insert: "new".into(),
            },
        ),
    ])
    .unwrap();
    ada.merge(&bob);
    ada.check_index();
    let orphan =
        |row: &roundtable::document::table::RowId, column: &roundtable::document::table::ColumnId, cell| Orphan {
            row: row.clone(),
            column: column.clone(),
            cell,
        };
    let words = |text: &str| Cell::Value(Value::Text(text.into()));
    let mut expected = vec![
        orphan(&row, &name, words("late")),
        orphan(&row, &tags, Cell::Ids(["o2".to_owned()].into())),
        orphan(&row, &text, words("er")),
        orphan(&other, &text, words("new")),
    ];
    expected.sort_by(|a, b| (&a.row, &a.column).cmp(&(&b.row, &b.column)));
    assert_eq!(orphans(&ada.document, &ada.index), expected);
    // Also after saving and loading, which is how a server sees them.
    let loaded = Automerge::load(&ada.document.save()).unwrap();
    let index = TableIndex::build(&loaded).unwrap();
    assert_eq!(orphans(&loaded, &index), expected);
}

/// Two servers clean up at once, each for the first time: neither list is lost.
#[test]
fn two_who_purge_at_once_both_leave_their_ids() {
    let mut ada = every_kind();
    let (first, second) = (ada.row(0), ada.row(1));
    let name = ada.column(0);
    let mut bob = ada.fork(1);
    let mut eve = ada.fork(2);
    ada.edit(&[TableEdit::DeleteRows(vec![first.clone()])]).unwrap();
    bob.edit(&[TableEdit::DeleteRows(vec![second.clone()])]).unwrap();
    purge(&mut ada, i64::MAX);
    purge(&mut bob, i64::MAX);
    eve.edit(&[set(&first, &name, json!("1")), set(&second, &name, json!("2"))])
        .unwrap();
    ada.merge(&bob);
    ada.merge(&eve);
    assert_eq!(orphans(&ada.document, &ada.index).len(), 2);
    ada.check_index();
}

/// The cells of a deleted column are emptied in changes of the size that suits everybody.
#[test]
fn a_long_column_is_purged_in_slices() {
    let mut ada = every_kind();
    let column = ada.column(1);
    let rows: Vec<NewRow> = (0..1200)
        .map(|at| NewRow {
            id: None,
            cells: vec![(column.clone(), json!(at))],
        })
        .collect();
    for slice in slices(vec![TableEdit::InsertRows { at: Place::End, rows }], &mut ada.rng) {
        ada.edit(&slice).unwrap();
    }
    ada.edit(&[TableEdit::DeleteColumn(column.clone())]).unwrap();
    assert!(
        ada.edit(&[TableEdit::PurgeColumn(column.clone())]).is_err(),
        "its cells would be lost unseen"
    );
    assert_eq!(purge(&mut ada, i64::MAX), 3);
    assert!(ada.index.column(&column).is_none());
    assert_eq!(orphans(&ada.document, &ada.index), []);
}
