//! Stories of what two people keep who do not know of each other, and of cells that are not what their column says.

use automerge::transaction::Transactable;
use automerge::{ObjType, ScalarValue};
use roundtable::document::table::cells;
use roundtable::document::table::{
    CellEdit, ColumnId, Kind, NewOption, NewRow, Outcome, Place, Reading, RowId, TableEdit,
};
use serde_json::{Value as Json, json};

use crate::edits::{EVERY_KIND, cell, every_kind, refused, set};
use crate::replica::Replica;

#[test]
fn changing_a_kind_keeps_every_cell() {
    let mut ada = every_kind();
    let (row, text) = (ada.row(0), ada.column(0));
    let other = ada.row(1);
    ada.edit(&[
        set(&row, &text, json!("12 apples")),
        set(&other, &text, json!("2026-01-31")),
    ])
    .unwrap();
    for kind in EVERY_KIND.iter().filter(|kind| **kind != Kind::Text) {
        ada.edit(&[TableEdit::SetKind {
            column: text.clone(),
            kind: kind.clone(),
        }])
        .unwrap();
        assert_eq!(ada.json(&row, &text), json!("12 apples"), "{kind:?}");
        let fits = matches!(kind, Kind::LongText);
        assert_eq!(ada.reading(&row, &text).value().is_some(), fits, "{kind:?}");
    }
    ada.edit(&[TableEdit::SetKind {
        column: text.clone(),
        kind: Kind::LongText,
    }])
    .unwrap();
    // The scalar becomes a text that merges, with its letters.
    ada.edit(&[cell(
        &row,
        &text,
        CellEdit::Splice {
            at: 3,
            delete: 0,
            insert: "red ".into(),
        },
    )])
    .unwrap();
    assert_eq!(ada.json(&row, &text), json!("12 red apples"));
    ada.edit(&[TableEdit::SetKind {
        column: text.clone(),
        kind: Kind::Date,
    }])
    .unwrap();
    assert!(ada.reading(&other, &text).value().is_some());
    let unknown = TableEdit::SetKind {
        column: text,
        kind: Kind::Other("rating".into()),
    };
    refused(&mut ada, &[unknown]);
}

/// Bob and Eve insert at the same spot offline and make equal keys; Ada puts a row between the two.
#[test]
fn a_row_goes_between_two_of_equal_order() {
    let mut ada = every_kind();
    let (mut bob, mut eve) = (ada.fork(1), ada.fork(2));
    let anchor = ada.row(0);
    let insert = |replica: &mut Replica, at: Place<RowId>| match replica
        .edit(&[TableEdit::InsertRows {
            at,
            rows: vec![NewRow::default()],
        }])
        .unwrap()
        .remove(0)
    {
        Outcome::Rows(mut rows) => rows.remove(0),
        other => panic!("{other:?}"),
    };
    let theirs = [
        insert(&mut bob, Place::After(anchor.clone())),
        insert(&mut eve, Place::After(anchor.clone())),
    ];
    ada.merge(&bob);
    ada.merge(&eve);
    let orders: Vec<_> = theirs
        .iter()
        .map(|row| ada.index.row(row).unwrap().order.clone())
        .collect();
    assert_eq!(orders[0], orders[1]);
    let (low, high) = (ada.row(1), ada.row(2));
    for at in [Place::Before(high.clone()), Place::After(low.clone()), Place::Index(2)] {
        let mut ada = ada.fork(3);
        let new = insert(&mut ada, at);
        let order: Vec<RowId> = ada.index.live()[..4].iter().map(|row| row.id.clone()).collect();
        assert_eq!(order, [anchor.clone(), low.clone(), new, high.clone()]);
    }
    // A move between them as well.
    let last = ada.row(4);
    ada.edit(&[TableEdit::MoveRows {
        rows: vec![last.clone()],
        to: Place::Index(2),
    }])
    .unwrap();
    assert_eq!(ada.index.position(&last).unwrap(), 2);
}

#[test]
fn letters_ids_and_steps_of_two_people_add_up() {
    let mut ada = every_kind();
    let row = ada.row(0);
    let (tags, text, counter) = (ada.column(5), ada.column(7), ada.column(8));
    ada.edit(&[
        set(&row, &tags, json!(["o1"])),
        set(&row, &text, json!("The cat sat.")),
        set(&row, &counter, json!(10)),
    ])
    .unwrap();
    let mut bob = ada.fork(1);
    ada.edit(&[
        cell(&row, &tags, CellEdit::Add(["o2".into()].into())),
        set(&row, &text, json!("The black cat sat.")),
        cell(&row, &counter, CellEdit::Increment(5)),
    ])
    .unwrap();
    bob.edit(&[
        set(&row, &tags, Json::Null),
        cell(
            &row,
            &text,
            CellEdit::Splice {
                at: 11,
                delete: 1,
                insert: " down!".into(),
            },
        ),
        // A counter that is set moves by the difference.
        set(&row, &counter, json!(7)),
    ])
    .unwrap();
    ada.merge(&bob);
    assert_eq!(ada.json(&row, &tags), json!(["o2"]));
    assert_eq!(ada.json(&row, &text), json!("The black cat sat down!"));
    assert_eq!(ada.json(&row, &counter), json!(12));
    // A text that is emptied keeps what somebody else writes into it meanwhile.
    let mut bob = ada.fork(2);
    ada.edit(&[cell(&row, &text, CellEdit::Clear)]).unwrap();
    bob.edit(&[cell(
        &row,
        &text,
        CellEdit::Splice {
            at: 3,
            delete: 0,
            insert: "!".into(),
        },
    )])
    .unwrap();
    ada.merge(&bob);
    assert_eq!(ada.json(&row, &text), json!("!"));
}

#[test]
fn a_long_text_is_replaced_without_a_day_of_comparing() {
    let mut ada = every_kind();
    let (row, text) = (ada.row(0), ada.column(7));
    let (before, after) = ("ab".repeat(20_000), format!("a{}", "xyz".repeat(20_000)));
    ada.edit(&[set(&row, &text, json!(before))]).unwrap();
    ada.edit(&[set(&row, &text, json!(after))]).unwrap();
    assert_eq!(ada.json(&row, &text), json!(after));
}

#[test]
fn options_keep_their_ids_and_their_order() {
    let mut ada = every_kind();
    let (row, select) = (ada.row(0), ada.column(4));
    let option = |id: Option<&str>, name: &str| NewOption {
        id: id.map(str::to_owned),
        name: name.into(),
        color: None,
    };
    ada.edit(&[set(&row, &select, json!("o1"))]).unwrap();
    let mut bob = ada.fork(1);
    let names = |replica: &Replica| -> Vec<String> {
        let column = replica.index.column(&select).unwrap();
        column.options.iter().map(|option| option.name.clone()).collect()
    };
    let options = vec![
        option(Some("o2"), "Two"),
        option(None, "New"),
        option(Some("o1"), "Option o1"),
    ];
    let outcome = ada
        .edit(&[TableEdit::SetOptions {
            column: select.clone(),
            options,
        }])
        .unwrap();
    let Outcome::Options(ids) = &outcome[0] else {
        panic!("{outcome:?}")
    };
    assert_eq!((ids[0].as_str(), ids[2].as_str()), ("o2", "o1"));
    assert_eq!(names(&ada), ["Two", "New", "Option o1"]);
    let options = vec![
        option(Some("o1"), "One"),
        option(Some("o2"), "Option o2"),
        option(Some("o9"), "Nine"),
    ];
    bob.edit(&[TableEdit::SetOptions {
        column: select.clone(),
        options,
    }])
    .unwrap();
    ada.merge(&bob);
    bob.merge(&ada);
    assert_eq!(names(&ada), names(&bob));
    assert_eq!(names(&ada).len(), 4, "{:?}", names(&ada));
    assert_eq!(ada.json(&row, &select), json!("o1"));
    // An option that goes leaves the cells that hold it, marked.
    ada.edit(&[TableEdit::SetOptions {
        column: select.clone(),
        options: vec![option(Some("o2"), "Two")],
    }])
    .unwrap();
    assert!(matches!(ada.reading(&row, &select), Reading::Mismatch(_)));
    assert_eq!(ada.json(&row, &select), json!("o1"));
    let on_text = TableEdit::SetOptions {
        column: ada.column(0),
        options: vec![option(None, "x")],
    };
    refused(&mut ada, &[on_text]);
}

/// A front end in JavaScript: plain strings as text objects, numbers where texts should be, lists.
#[test]
fn what_came_through_the_sync_door_is_kept_and_marked() {
    let mut ada = every_kind();
    let row = ada.row(0);
    let object = ada.index.row(&row).unwrap().object.clone();
    let columns: Vec<ColumnId> = (0..9).map(|at| ada.column(at)).collect();
    ada.document
        .transact::<_, _, automerge::AutomergeError>(|tx| {
            let text = tx.put_object(&object, columns[0].as_str(), ObjType::Text)?;
            tx.splice_text(&text, 0, 0, "plain")?;
            tx.put(&object, columns[1].as_str(), "a text")?;
            tx.put(&object, columns[2].as_str(), ScalarValue::Null)?;
            tx.put(&object, columns[3].as_str(), 5)?;
            tx.put_object(&object, columns[6].as_str(), ObjType::List)?;
            tx.put(&object, columns[8].as_str(), 4)?;
            Ok(())
        })
        .unwrap();
    ada.index.follow(&ada.document).unwrap();
    let reading = cells::row(&ada.document, &row, ada.index.live_columns()).unwrap();
    let mismatches: Vec<_> = reading.mismatches().cloned().collect();
    assert_eq!(mismatches, [columns[1].clone(), columns[3].clone(), columns[6].clone()]);
    let json: Vec<Json> = reading.cells.iter().map(|(_, reading)| reading.to_json()).collect();
    assert_eq!(json[..4], [json!("plain"), json!("a text"), Json::Null, json!(5)]);
    // A plain number in a counter column counts on as a counter.
    ada.edit(&[cell(&row, &columns[8], CellEdit::Increment(1))]).unwrap();
    assert_eq!(ada.json(&row, &columns[8]), json!(5));
    // What does not fit cannot be built upon, but replaced.
    let add = cell(&row, &columns[6], CellEdit::Add(["x".into()].into()));
    refused(&mut ada, &[add]);
    ada.edit(&[set(&row, &columns[6], json!(["x"])), set(&row, &columns[1], json!(1))])
        .unwrap();
    assert_eq!(ada.json(&row, &columns[6]), json!(["x"]));
}

/// A text that was emptied leaves its object; when the column then becomes a counter, the cell is empty, not wrong.
#[test]
fn an_emptied_cell_of_another_kind_is_empty() {
    let ada = every_kind();
    let row = ada.row(0);
    for (at, full) in [(7, json!("text")), (6, json!(["x"]))] {
        let column = ada.column(at);
        for (kind, edit, after) in [
            (Kind::Counter, CellEdit::Increment(2), json!(2)),
            (Kind::Link, CellEdit::Add(["y".into()].into()), json!(["y"])),
            (
                Kind::LongText,
                CellEdit::Splice {
                    at: 0,
                    delete: 0,
                    insert: "z".into(),
                },
                json!("z"),
            ),
        ] {
            let mut bob = ada.fork(at as u8);
            bob.edit(&[set(&row, &column, full.clone())]).unwrap();
            bob.edit(&[cell(&row, &column, CellEdit::Clear)]).unwrap();
            bob.edit(&[TableEdit::SetKind {
                column: column.clone(),
                kind,
            }])
            .unwrap();
            assert_eq!(bob.reading(&row, &column), Reading::Empty);
            bob.edit(&[cell(&row, &column, edit)]).unwrap();
            assert_eq!(bob.json(&row, &column), after);
        }
    }
}
