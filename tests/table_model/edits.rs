//! Stories of single edits: what they do, what they refuse, and where things end up.

use roundtable::document::table::cells;
use roundtable::document::table::{
    Cell, CellEdit, ColumnDraft, ColumnId, Kind, NewOption, NewRow, Outcome, Place, Reading, RowId, TableEdit, Value,
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

pub fn refused(replica: &mut Replica, edits: &[TableEdit]) -> String {
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
