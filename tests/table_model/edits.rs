//! Stories of single edits: what they refuse, where things end up, and what two people keep who do not know of each other.

use automerge::transaction::Transactable;
use automerge::{ObjType, ReadDoc, ScalarValue};
use roundtable::document::table::batch::{EditFailed, edit, slices};
use roundtable::document::table::cells;
use roundtable::document::table::{
    Cell, CellEdit, ColumnDraft, ColumnId, Kind, NewOption, NewRow, Outcome, Place, Reading, RowId, TableEdit,
    TableIndex, Value,
};
use serde_json::{Value as Json, json};

use crate::replica::Replica;

pub const EVERY_KIND: [Kind; 9] = [
    Kind::Text,
    Kind::Number,
    Kind::Checkbox,
    Kind::Date,
    Kind::Select,
    Kind::MultiSelect,
    Kind::Link,
    Kind::LongText,
    Kind::Counter,
];

/// A table with a column of every kind, options `o1` and `o2`, and three empty rows.
pub fn every_kind() -> Replica {
    let mut ada = Replica::new(1, &EVERY_KIND, 3);
    let options = ["o1", "o2"].map(|id| NewOption {
        id: Some(id.into()),
        name: format!("Option {id}"),
        color: Some("red".into()),
    });
    for at in [4, 5] {
        let column = ada.column(at);
        let options = options.to_vec();
        ada.edit(&[TableEdit::SetOptions { column, options }]).unwrap();
    }
    ada
}

pub fn set(row: &RowId, column: &ColumnId, value: Json) -> TableEdit {
    cell(row, column, CellEdit::Set(value))
}

pub fn cell(row: &RowId, column: &ColumnId, edit: CellEdit) -> TableEdit {
    TableEdit::Cell {
        row: row.clone(),
        column: column.clone(),
        edit,
    }
}

fn refused(replica: &mut Replica, edits: &[TableEdit]) -> String {
    let heads = replica.document.get_heads();
    let error = replica.edit(edits).unwrap_err().to_string();
    assert_eq!(replica.document.get_heads(), heads);
    error
}

#[test]
fn a_value_of_every_kind_is_written_read_and_emptied() {
    let mut ada = every_kind();
    let row = ada.row(0);
    let values = [
        json!("Zoë"),
        json!(-12.5),
        json!(false),
        json!("2026-01-31T10:00:00+02:00"),
        json!("o2"),
        json!(["o1", "o2"]),
        json!(["b.1", "https://example.org"]),
        json!("two\nlines"),
        json!(-3),
    ];
    let edits: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(at, value)| set(&row, &ada.column(at), value.clone()))
        .collect();
    ada.edit(&edits).unwrap();
    assert_eq!(ada.document.get_changes(&[]).len(), 5, "a batch is one change");
    let reading = cells::row(&ada.document, &row, ada.index.live_columns()).unwrap();
    let read: Vec<Json> = reading.cells.iter().map(|(_, reading)| reading.to_json()).collect();
    assert_eq!(read, values);
    assert_eq!(reading.mismatches().count(), 0);
    // The same in a row that is inserted with its values.
    let cells = values
        .iter()
        .enumerate()
        .map(|(at, value)| (ada.column(at), value.clone()))
        .collect();
    let inserted = TableEdit::InsertRows {
        at: Place::Start,
        rows: vec![NewRow { id: None, cells }],
    };
    ada.edit(&[inserted]).unwrap();
    let reading = cells::row(&ada.document, &ada.row(0), ada.index.live_columns()).unwrap();
    assert!(reading.cells.iter().map(|(_, reading)| reading.to_json()).eq(values));
    // Emptied, by null or by a clear.
    for (at, _) in EVERY_KIND.iter().enumerate() {
        let column = ada.column(at);
        let edit = if at % 2 == 0 {
            CellEdit::Clear
        } else {
            CellEdit::Set(Json::Null)
        };
        ada.edit(&[cell(&row, &column, edit)]).unwrap();
        assert_eq!(ada.reading(&row, &column), Reading::Empty);
    }
}

#[test]
fn a_wrong_value_is_refused_by_name_and_nothing_of_its_batch_stays() {
    let mut ada = every_kind();
    let (row, number) = (ada.row(1), ada.column(1));
    let good = set(&row, &ada.column(0), json!("good"));
    let wrong = set(&row, &number, json!("12"));
    assert_eq!(
        refused(&mut ada, &[good, wrong]),
        format!(
            "edit 1: row {row}, column {number} (\"Column 1\"): expected a number, whole ones up to 9007199254740991, \
             found \"12\""
        )
    );
    let rows = vec![
        NewRow::default(),
        NewRow {
            id: None,
            cells: vec![(ada.column(2), json!("yes"))],
        },
    ];
    let error = refused(&mut ada, &[TableEdit::InsertRows { at: Place::End, rows }]);
    assert!(error.contains("row 1 of the new rows"), "{error}");
    assert!(error.ends_with("expected true or false, found \"yes\""), "{error}");
    for (at, edit) in [
        (0, CellEdit::Increment(1)),
        (1, CellEdit::Add(["o1".into()].into())),
        (5, CellEdit::Add(["o3".into()].into())),
        (
            6,
            CellEdit::Splice {
                at: 0,
                delete: 0,
                insert: "x".into(),
            },
        ),
        (
            7,
            CellEdit::Splice {
                at: 1,
                delete: 0,
                insert: "x".into(),
            },
        ),
        (
            7,
            CellEdit::Splice {
                at: 0,
                delete: usize::MAX,
                insert: "x".into(),
            },
        ),
        (8, CellEdit::Increment(i64::MAX)),
        (8, CellEdit::Set(json!(1.5))),
    ] {
        let column = ada.column(at);
        refused(&mut ada, &[cell(&row, &column, edit)]);
    }
}

#[test]
fn what_is_deleted_takes_nothing_until_it_is_restored() {
    let mut ada = every_kind();
    let (row, column) = (ada.row(0), ada.column(0));
    ada.edit(&[
        set(&row, &column, json!("kept")),
        TableEdit::DeleteRows(vec![row.clone()]),
    ])
    .unwrap();
    assert_eq!(ada.index.live().len(), 2);
    let mark = ada.index.row(&row).unwrap().deleted.clone().unwrap();
    assert_eq!((mark.at, mark.by), (Some(ada.stamp.at), Some(ada.stamp.by.clone())));
    assert_eq!(
        refused(&mut ada, &[set(&row, &column, json!("x"))]),
        format!("edit 0: row {row} is deleted; restore it first")
    );
    ada.edit(&[
        TableEdit::RestoreRows(vec![row.clone()]),
        TableEdit::DeleteColumn(column.clone()),
    ])
    .unwrap();
    assert_eq!(
        refused(&mut ada, &[set(&row, &column, json!("x"))]),
        format!("edit 0: column {column} is deleted; restore it first")
    );
    ada.edit(&[TableEdit::RestoreColumn(column.clone())]).unwrap();
    assert_eq!(ada.json(&row, &column), json!("kept"));
}

/// Each sees what those before it in the batch will have done.
#[test]
fn edits_of_one_batch_build_on_each_other() {
    let mut ada = every_kind();
    let column = ColumnId::parse("cNew").unwrap();
    let row = RowId::parse("mine.1").unwrap();
    let draft = ColumnDraft {
        id: Some(column.clone()),
        name: "Count".into(),
        kind: Kind::Counter,
        width: None,
        options: vec![],
    };
    let rows = vec![NewRow {
        id: Some(row.clone()),
        cells: vec![(column.clone(), json!(40))],
    }];
    let (first, second) = (ada.row(0), ada.row(1));
    let outcomes = ada
        .edit(&[
            TableEdit::AddColumn {
                at: Place::Start,
                column: draft,
            },
            TableEdit::InsertRows {
                at: Place::After(first.clone()),
                rows,
            },
            cell(&row, &column, CellEdit::Increment(2)),
            TableEdit::MoveRows {
                rows: vec![second.clone()],
                to: Place::Before(row.clone()),
            },
            TableEdit::SetKind {
                column: column.clone(),
                kind: Kind::LongText,
            },
            cell(
                &first,
                &column,
                CellEdit::Splice {
                    at: 0,
                    delete: 0,
                    insert: "ab".into(),
                },
            ),
            cell(
                &first,
                &column,
                CellEdit::Splice {
                    at: 1,
                    delete: 1,
                    insert: "cd".into(),
                },
            ),
            TableEdit::SetTitle("Done".into()),
        ])
        .unwrap();
    assert_eq!(outcomes[0], Outcome::Column(column.clone()));
    assert_eq!(outcomes[1], Outcome::Rows(vec![row.clone()]));
    let order: Vec<RowId> = ada.index.live().iter().map(|row| row.id.clone()).collect();
    assert_eq!(order[..3], [first.clone(), second, row.clone()]);
    assert_eq!(ada.column(0), column);
    // The counter stands in a text column now: kept, and marked.
    assert_eq!(
        ada.reading(&row, &column),
        Reading::Mismatch(Cell::Value(Value::Int(42)))
    );
    assert_eq!(ada.json(&first, &column), json!("acd"));
    assert_eq!(ada.index.title(), "Done");
}

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
    assert_eq!(ada.position(&last), 2);
}

#[test]
fn places_that_are_not_there_are_refused() {
    let mut ada = every_kind();
    let row = ada.row(0);
    let insert = |at| TableEdit::InsertRows {
        at,
        rows: vec![NewRow::default()],
    };
    assert_eq!(
        refused(&mut ada, &[insert(Place::Index(4))]),
        "edit 0: rows: 4 is beyond the end, there are 3"
    );
    let nowhere = RowId::parse("no.where").unwrap();
    assert_eq!(
        refused(&mut ada, &[insert(Place::After(nowhere))]),
        "edit 0: there is no row no.where"
    );
    let to_itself = TableEdit::MoveRows {
        rows: vec![row.clone()],
        to: Place::After(row.clone()),
    };
    refused(&mut ada, &[to_itself]);
    let twice = TableEdit::MoveRows {
        rows: vec![row.clone(), row.clone()],
        to: Place::End,
    };
    refused(&mut ada, &[twice]);
    let taken = NewRow {
        id: Some(row),
        cells: vec![],
    };
    refused(
        &mut ada,
        &[TableEdit::InsertRows {
            at: Place::End,
            rows: vec![taken],
        }],
    );
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
    let block = ada.index.block_rows(beside.id_block()).unwrap();
    assert_eq!(block, 128);
    ada.check_index();
}

/// The rest of a row id before its dot.
trait InBlock {
    fn id_block(&self) -> &str;
}

impl InBlock for RowId {
    fn id_block(&self) -> &str {
        self.block()
    }
}

impl Replica {
    fn position(&self, row: &RowId) -> usize {
        self.index.position(row).unwrap()
    }
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
