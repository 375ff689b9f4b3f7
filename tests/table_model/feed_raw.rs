//! Stories of what is told when front ends write past our edits: blocks, rows and columns made or taken away by hand.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjType, ROOT, ReadDoc};
use roundtable::document::feed::{RowChange, Step};
use serde_json::json;

use crate::edits::{every_kind, set};
use crate::feed_stories::{TABLE, rows, shorts, step};
use crate::replica::Replica;

fn raw(replica: &mut Replica, write: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>) {
    replica.document.transact(write).unwrap();
    replica.index.follow(&replica.document).unwrap();
}

/// As plain JavaScript strings are written: the order is a text object, and a move changes letters of it.
#[test]
fn a_row_moves_by_the_letters_of_its_order() {
    let mut ada = every_kind();
    let known = rows(&ada);
    let object = ada.index.row(&known[0]).unwrap().object.clone();
    let order = ada.index.row(&known[0]).unwrap().order.to_string();
    let mut text = None;
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| {
            let made = tx.put_object(&object, "order", ObjType::Text)?;
            tx.splice_text(&made, 0, 0, &order)?;
            text = Some(made);
            Ok(())
        });
    });
    assert!(matches!(found, Step::Differs(found) if found.rows.is_empty()));
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| tx.splice_text(text.as_ref().unwrap(), 1, 1, "zzz"));
    });
    let Step::Differs(found) = found else {
        panic!("a move asks for no snapshot");
    };
    assert_eq!(shorts(&known, &found), ["0 left", "0 Entered at 2"]);
}

/// A front end wrote into a column before there was one.
#[test]
fn a_column_that_comes_late_brings_its_cells() {
    let mut ada = every_kind();
    let known = rows(&ada);
    let object = ada.index.row(&known[1]).unwrap().object.clone();
    raw(&mut ada, |tx| tx.put(&object, "cLate", "early"));
    let (_, columns) = ada.document.get(ROOT, "columns").unwrap().unwrap();
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| {
            let column = tx.put_object(&columns, "cLate", ObjType::Map)?;
            tx.put(&column, "kind", "text")
        });
    });
    let Step::Differs(found) = found else {
        panic!("a new column asks for no snapshot");
    };
    assert_eq!(found.columns.as_ref().map(Vec::len), Some(10));
    assert_eq!(shorts(&known, &found), ["1 in 1 cells"]);
}

/// Somebody takes a whole block away, or puts another in its place; a block that is new takes nothing away.
#[test]
fn only_a_block_that_was_there_moves_everything() {
    let mut ada = every_kind();
    let known = rows(&ada);
    let (_, blocks) = ada.document.get(ROOT, "blocks").unwrap().unwrap();
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| {
            let block = tx.put_object(&blocks, "fresh", ObjType::Map)?;
            let row = tx.put_object(&block, "fresh.1", ObjType::Map)?;
            tx.put(&row, "order", "a0V")
        });
    });
    let Step::Differs(found) = found else {
        panic!("a new block asks for no snapshot");
    };
    assert_eq!(shorts(&known, &found), ["new Created at 1"]);
    // Two who make a block of one name at once: one loses its rows.
    let mut bob = ada.fork(1);
    for (replica, order) in [(&mut ada, "a1"), (&mut bob, "a2")] {
        raw(replica, |tx| {
            let block = tx.put_object(&blocks, "both", ObjType::Map)?;
            let row = tx.put_object(&block, "both.1", ObjType::Map)?;
            tx.put(&row, "order", order)
        });
    }
    assert_eq!(step(&mut ada, &TABLE, |ada| ada.merge(&bob)), Step::Anew);
    let other = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| tx.put_object(&blocks, "fresh", ObjType::Map).map(|_| ()));
    });
    assert_eq!(other, Step::Anew);
    let gone = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| tx.delete(&blocks, known[0].block()))
    });
    assert_eq!(gone, Step::Anew);
    assert_eq!(rows(&ada).len(), 1);
}

/// A row that is not there any more, and one that was put in its place under its name.
#[test]
fn a_row_in_the_place_of_another_is_compared_cell_by_cell() {
    let mut ada = every_kind();
    let known = rows(&ada);
    let (text, number, checkbox) = (ada.column(0), ada.column(1), ada.column(2));
    ada.edit(&[
        set(&known[1], &text, json!("same")),
        set(&known[1], &number, json!(1)),
        set(&known[1], &checkbox, json!(true)),
    ])
    .unwrap();
    let (_, blocks) = ada.document.get(ROOT, "blocks").unwrap().unwrap();
    let (_, block) = ada.document.get(&blocks, known[1].block()).unwrap().unwrap();
    let order = ada.index.row(&known[1]).unwrap().order.to_string();
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| {
            let row = tx.put_object(&block, known[1].as_str(), ObjType::Map)?;
            tx.put(&row, "order", order)?;
            tx.put(&row, text.as_str(), "same")?;
            tx.put(&row, number.as_str(), 2)
        });
    });
    let Step::Differs(found) = found else {
        panic!("a row asks for no snapshot");
    };
    let expected = [number, checkbox];
    assert!(matches!(&found.rows[..], [RowChange::Changed { row, cells }] if row.id == known[1] && *cells == expected));
    let found = step(&mut ada, &TABLE, |ada| {
        raw(ada, |tx| tx.delete(&block, known[1].as_str()))
    });
    let Step::Differs(found) = found else {
        panic!("a row asks for no snapshot");
    };
    assert_eq!(shorts(&known, &found), ["1 deleted"]);
}
