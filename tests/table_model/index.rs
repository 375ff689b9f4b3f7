//! Stories of the index, of blocks, and of edits planned on one version and written on another.

use automerge::transaction::Transactable;
use automerge::{ObjType, ReadDoc};
use roundtable::document::table::batch::{EditFailed, edit, slices};
use roundtable::document::table::{NewRow, Outcome, Place, TableEdit, TableIndex};
use serde_json::json;

use crate::edits::{every_kind, set};

#[test]
fn an_edit_on_another_version_is_refused() {
    let mut ada = every_kind();
    let old = ada.index.clone();
    let (row, column) = (ada.row(0), ada.column(0));
    ada.edit(&[set(&row, &column, json!("x"))]).unwrap();
    let mut tx = ada.document.transaction();
    let stale = edit(
        &mut tx,
        &old,
        &[set(&row, &column, json!("y"))],
        &ada.stamp,
        &mut ada.rng,
    );
    assert!(matches!(stale, Err(EditFailed::Stale)));
    let done = edit(
        &mut tx,
        &ada.index,
        &[set(&row, &column, json!("y"))],
        &ada.stamp,
        &mut ada.rng,
    );
    assert_eq!(done.unwrap(), [Outcome::Done]);
    let again = edit(
        &mut tx,
        &ada.index,
        &[set(&row, &column, json!("z"))],
        &ada.stamp,
        &mut ada.rng,
    );
    assert!(
        matches!(again, Err(EditFailed::Stale)),
        "the first edit is not in the index yet"
    );
    tx.commit();
    assert_eq!(ada.json(&row, &column), json!("y"));
}

/// Blocks are filled to about 128 rows and then a new one is begun; a large import is cut and stays in order.
#[test]
fn rows_fill_blocks_and_imports_come_in_slices() {
    let mut ada = every_kind();
    let number = ada.column(1);
    let rows: Vec<NewRow> = (0..1300)
        .map(|at| NewRow {
            id: None,
            cells: vec![(number.clone(), json!(at))],
        })
        .collect();
    let first = ada.row(0);
    let import = TableEdit::InsertRows {
        at: Place::After(first),
        rows,
    };
    let slices = slices(vec![import], &mut ada.rng);
    assert_eq!(slices.len(), 3);
    for slice in &slices {
        ada.edit(slice).unwrap();
    }
    assert_eq!(ada.index.live().len(), 1303);
    for at in [0, 499, 500, 1299] {
        assert_eq!(ada.json(&ada.row(at + 1), &number), json!(at));
    }
    let largest = ada
        .index
        .rows()
        .iter()
        .filter_map(|row| ada.index.block_rows(row.id.block()))
        .max();
    assert_eq!(largest, Some(128));
    // One by one they go into the block beside them, as long as it has room.
    let beside = ada.row(1302);
    for _ in 0..200 {
        ada.edit(&[TableEdit::InsertRows {
            at: Place::End,
            rows: vec![NewRow::default()],
        }])
        .unwrap();
    }
    let block = ada.index.block_rows(beside.block()).unwrap();
    assert_eq!(block, 128);
    ada.check_index();
}

/// Front ends may write an order as a text object, replace a row, or take an entry away.
#[test]
fn an_index_follows_whatever_others_write() {
    let mut ada = every_kind();
    let (row, other) = (ada.row(0), ada.row(1));
    let object = ada.index.row(&row).unwrap().object.clone();
    let (_, blocks) = ada.document.get(automerge::ROOT, "blocks").unwrap().unwrap();
    let (_, block) = ada.document.get(&blocks, row.block()).unwrap().unwrap();
    let mut step = |edit: &mut dyn FnMut(&mut automerge::transaction::Transaction<'_>)| {
        ada.document
            .transact::<_, _, automerge::AutomergeError>(|tx| {
                edit(tx);
                Ok(())
            })
            .unwrap();
        ada.index.follow(&ada.document).unwrap();
        ada.check_index();
    };
    let mut text = None;
    step(&mut |tx| {
        let order = tx.put_object(&object, "order", ObjType::Text).unwrap();
        tx.splice_text(&order, 0, 0, "a5").unwrap();
        text = Some(order);
    });
    step(&mut |tx| tx.splice_text(text.as_ref().unwrap(), 1, 1, "9").unwrap());
    step(&mut |tx| tx.put(&object, "deleted", true).unwrap());
    step(&mut |tx| tx.put(&object, "deleted", false).unwrap());
    step(&mut |tx| tx.delete(&block, other.as_str()).unwrap());
    step(&mut |tx| {
        let row = tx.put_object(&block, other.as_str(), ObjType::Map).unwrap();
        tx.put(&row, "order", "a0").unwrap();
    });
    step(&mut |tx| {
        let block = tx.put_object(&blocks, "new", ObjType::Map).unwrap();
        tx.put_object(&block, "new.1", ObjType::Map).unwrap();
        tx.put(&block, "odd", 1).unwrap();
    });
    step(&mut |tx| {
        let title = tx.put_object(automerge::ROOT, "title", ObjType::Text).unwrap();
        tx.splice_text(&title, 0, 0, "Plain").unwrap();
        text = Some(title);
    });
    step(&mut |tx| tx.splice_text(text.as_ref().unwrap(), 5, 0, " text").unwrap());
    step(&mut |tx| tx.put(&blocks, row.block(), 1).unwrap());
    assert_eq!(ada.index.title(), "Plain text");
    assert_eq!(ada.index.live().len(), 1);
    assert!(TableIndex::build(&automerge::Automerge::new()).is_err());
}
