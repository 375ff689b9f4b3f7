//! Stories of views: what they show, in which order, and what they do with what they do not understand.

use automerge::transaction::Transactable;
use automerge::{ObjType, ROOT, ReadDoc};
use roundtable::document::table::{Kind, Outcome, Place, RowId, TableEdit, ViewId};
use roundtable::document::view::{self, Evaluated, Part, View, evaluate};
use serde_json::{Value as Json, json};

use crate::edits::{every_kind, set};
use crate::replica::Replica;

/// Rows of: name, amount, done, due, state, tags, link, note, count. Named by their first cell.
fn orders() -> Replica {
    let mut ada = every_kind();
    let rows = [
        json!(["Ball", 10, true, "2026-01-31", "o1", ["o1"], ["x"], "A red ball", 1]),
        json!([
            "apple",
            2.5,
            false,
            "2026-01-31T10:00Z",
            "o2",
            ["o1", "o2"],
            null,
            null,
            2
        ]),
        json!(["Cat", null, null, null, null, null, null, null, null]),
        json!([
            "älter",
            -3,
            true,
            "2025-12-24",
            "o1",
            ["o2"],
            ["x", "y"],
            "blue BALL",
            30
        ]),
        json!(["odd", 7, true, "2026-02-01", "o1", null, null, null, null]),
    ];
    let insert = TableEdit::InsertRows {
        at: Place::End,
        rows: vec![Default::default(); 2],
    };
    ada.edit(&[insert]).unwrap();
    let mut edits = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, value) in row.as_array().unwrap().iter().enumerate() {
            edits.push(set(&ada.row(at), &ada.column(column), value.clone()));
        }
    }
    ada.edit(&edits).unwrap();
    // What came through the sync door: a text where a number should be.
    let (odd, amount) = (ada.index.live()[4].object.clone(), ada.column(1));
    ada.document
        .transact::<_, _, automerge::AutomergeError>(|tx| tx.put(&odd, amount.as_str(), "seven"))
        .unwrap();
    ada.index.follow(&ada.document).unwrap();
    ada
}

/// A view in which columns are named by their position, `@1`.
fn view(replica: &Replica, json: Json) -> View {
    View::from_json(&named(replica, json)).unwrap()
}

fn named(replica: &Replica, json: Json) -> Json {
    let mut text = json.to_string();
    for (at, column) in replica.index.columns().iter().enumerate() {
        text = text.replace(&format!("@{at}"), column.id.as_str());
    }
    serde_json::from_str(&text).unwrap()
}

fn shown(replica: &Replica, view: &View) -> (Vec<String>, Evaluated) {
    let evaluated = evaluate(&replica.document, &replica.index, view);
    let name = |row: &RowId| replica.json(row, &replica.column(0)).as_str().unwrap().to_owned();
    (evaluated.rows.iter().map(|row| name(&row.id)).collect(), evaluated)
}

fn filtered(column: usize, op: &str, value: Json) -> Vec<String> {
    let ada = orders();
    let filter = json!({ "name": "", "filter": [{ "column": format!("@{column}"), "op": op, "value": value }] });
    let (names, evaluated) = shown(&ada, &view(&ada, filter));
    assert_eq!(evaluated.skipped, [], "{op} {value}");
    names
}

#[test]
fn every_operator_finds_what_it_says() {
    let none = Json::Null;
    let cases: &[(usize, &str, Json, &[&str])] = &[
        (0, "equals", json!("Ball"), &["Ball"]),
        (0, "equals", json!("ball"), &[]),
        (0, "notEquals", json!("Ball"), &["apple", "Cat", "älter", "odd"]),
        (0, "contains", json!("AL"), &["Ball"]),
        (0, "startsWith", json!("Ä"), &["älter"]),
        (0, "anyOf", json!(["Cat", "odd"]), &["Cat", "odd"]),
        (0, "noneOf", json!(["Cat", "odd"]), &["Ball", "apple", "älter"]),
        (7, "contains", json!("ball"), &["Ball", "älter"]),
        (1, "equals", json!(10.0), &["Ball"]),
        (1, "less", json!(2.5), &["älter"]),
        (1, "lessOrEqual", json!(2.5), &["apple", "älter"]),
        (1, "greater", json!(2.5), &["Ball"]),
        (1, "greaterOrEqual", json!(2.5), &["Ball", "apple"]),
        (1, "between", json!([-3, 2.5]), &["apple", "älter"]),
        (1, "anyOf", json!([10, -3]), &["Ball", "älter"]),
        (1, "isEmpty", none.clone(), &["Cat"]),
        // What does not fit its column is not empty, and equals nothing.
        (1, "isNotEmpty", none.clone(), &["Ball", "apple", "älter", "odd"]),
        (1, "notEquals", json!(10), &["apple", "Cat", "älter", "odd"]),
        (2, "equals", json!(true), &["Ball", "älter", "odd"]),
        // An empty box is not ticked.
        (2, "equals", json!(false), &["apple", "Cat"]),
        (3, "equals", json!("2026-01-31"), &["Ball", "apple"]),
        (3, "equals", json!("2026-01-31T12:00+02:00"), &["apple"]),
        (3, "less", json!("2026-01-31"), &["älter"]),
        (3, "lessOrEqual", json!("2026-01-31"), &["Ball", "apple", "älter"]),
        (3, "greater", json!("2026-01-31"), &["odd"]),
        (3, "greater", json!("2026-01-31T09:00Z"), &["apple", "odd"]),
        (3, "between", json!(["2026-01-01", "2026-01-31"]), &["Ball", "apple"]),
        (3, "anyOf", json!(["2025-12-24", "2026-02-01"]), &["älter", "odd"]),
        (4, "equals", json!("o1"), &["Ball", "älter", "odd"]),
        (4, "anyOf", json!(["o2", "gone"]), &["apple"]),
        (4, "noneOf", json!(["o1"]), &["apple", "Cat"]),
        (5, "contains", json!("o1"), &["Ball", "apple"]),
        (5, "equals", json!(["o2", "o1"]), &["apple"]),
        (5, "anyOf", json!(["o2"]), &["apple", "älter"]),
        (5, "noneOf", json!(["o2"]), &["Ball", "Cat", "odd"]),
        (6, "contains", json!("y"), &["älter"]),
        (6, "isEmpty", none, &["apple", "Cat", "odd"]),
        (8, "greater", json!(1), &["apple", "älter"]),
    ];
    for (column, op, value, expected) in cases {
        assert_eq!(
            filtered(*column, op, value.clone()),
            *expected,
            "{op} {value} on column {column}"
        );
    }
}

#[test]
fn conditions_are_joined_by_and_and_or() {
    let ada = orders();
    let json = json!({ "name": "", "filter": [
        { "or": [
            { "column": "@1", "op": "greater", "value": 5 },
            { "and": [{ "column": "@4", "op": "equals", "value": "o1" }, { "column": "@1", "op": "less", "value": 0 }] },
            { "column": "@0", "op": "equals", "value": "Cat" },
        ] },
        { "column": "@2", "op": "equals", "value": true },
    ] });
    assert_eq!(shown(&ada, &view(&ada, json)).0, ["Ball", "älter"]);
}

#[test]
fn rows_are_sorted_by_kind_with_the_odd_and_the_empty_last() {
    let ada = orders();
    let sorted = |keys: Json| shown(&ada, &view(&ada, json!({ "name": "", "sort": keys }))).0;
    assert_eq!(
        sorted(json!([{ "column": "@0" }])),
        ["apple", "Ball", "Cat", "odd", "älter"]
    );
    assert_eq!(
        sorted(json!([{ "column": "@1" }])),
        ["älter", "apple", "Ball", "odd", "Cat"]
    );
    assert_eq!(
        sorted(json!([{ "column": "@1", "descending": true }])),
        ["Ball", "apple", "älter", "odd", "Cat"]
    );
    assert_eq!(
        sorted(json!([{ "column": "@3" }])),
        ["älter", "Ball", "apple", "odd", "Cat"]
    );
    // By state, then by count downwards; equals stay as they stand in the table.
    assert_eq!(
        sorted(json!([{ "column": "@4" }, { "column": "@8", "descending": true }])),
        ["älter", "Ball", "odd", "apple", "Cat"]
    );
    assert_eq!(
        sorted(json!([{ "column": "@2", "descending": true }])),
        ["Ball", "älter", "odd", "apple", "Cat"]
    );
    assert_eq!(
        sorted(json!([{ "column": "@5" }])),
        ["Ball", "apple", "älter", "Cat", "odd"]
    );
}

#[test]
fn groups_and_aggregates_count_what_fits() {
    let ada = orders();
    let json = json!({
        "name": "By state",
        "group": [{ "column": "@4" }],
        "sort": [{ "column": "@0", "descending": true }],
        "columns": ["@1", "@0"],
        "aggregates": [
            { "op": "count" },
            { "column": "@1", "op": "countFilled" },
            { "column": "@1", "op": "sum" },
            { "column": "@1", "op": "average" },
            { "column": "@3", "op": "min" },
            { "column": "@3", "op": "max" },
            { "column": "@8", "op": "max" },
        ],
    });
    let (names, evaluated) = shown(&ada, &view(&ada, json));
    assert_eq!(names, ["älter", "odd", "Ball", "apple", "Cat"]);
    assert_eq!(evaluated.columns, [ada.column(1), ada.column(0)]);
    let groups: Vec<_> = evaluated
        .groups
        .iter()
        .map(|group| (group.key.clone(), group.rows.clone()))
        .collect();
    assert_eq!(
        groups,
        [
            (vec![json!("o1")], 0..3),
            (vec![json!("o2")], 3..4),
            (vec![Json::Null], 4..5)
        ]
    );
    assert_eq!(
        evaluated.groups[0].totals,
        [
            json!(3),
            json!(3),
            json!(7),
            json!(3.5),
            json!("2025-12-24"),
            json!("2026-02-01"),
            json!(30)
        ]
    );
    assert_eq!(
        evaluated.groups[2].totals,
        [
            json!(1),
            json!(0),
            json!(0),
            Json::Null,
            Json::Null,
            Json::Null,
            Json::Null
        ]
    );
    assert_eq!(evaluated.totals[..3], [json!(5), json!(4), json!(9.5)]);
}

/// Ten times 0.1 is 1, and whole numbers are added exactly.
#[test]
fn sums_are_exact() {
    let mut ada = every_kind();
    let insert = TableEdit::InsertRows {
        at: Place::End,
        rows: vec![Default::default(); 7],
    };
    ada.edit(&[insert]).unwrap();
    let number = ada.column(1);
    let edits: Vec<_> = (0..10).map(|at| set(&ada.row(at), &number, json!(0.1))).collect();
    ada.edit(&edits).unwrap();
    let sum = view(
        &ada,
        json!({ "name": "", "aggregates": [{ "column": "@1", "op": "sum" }] }),
    );
    assert_eq!(shown_totals(&ada, &sum), [json!(1)]);
    let large: Vec<_> = (0..10)
        .map(|at| set(&ada.row(at), &number, json!(9_007_199_254_740_991_i64)))
        .collect();
    ada.edit(&large).unwrap();
    assert_eq!(shown_totals(&ada, &sum), [json!(90_071_992_547_409_910_i64)]);
}

fn shown_totals(replica: &Replica, view: &View) -> Vec<Json> {
    evaluate(&replica.document, &replica.index, view).totals
}

#[test]
fn a_view_is_created_changed_moved_and_deleted() {
    let mut ada = orders();
    let all = view(&ada, json!({ "name": "All", "sort": [{ "column": "@0" }] }));
    let open = view(
        &ada,
        json!({ "name": "Open", "filter": [{ "column": "@2", "op": "equals", "value": false }] }),
    );
    let outcomes = ada
        .edit(&[
            TableEdit::CreateView {
                id: None,
                view: all.clone(),
            },
            TableEdit::CreateView {
                id: Some(ViewId::parse("vOpen").unwrap()),
                view: open.clone(),
            },
        ])
        .unwrap();
    let Outcome::View(first) = outcomes[0].clone() else {
        panic!("{outcomes:?}")
    };
    let second = ViewId::parse("vOpen").unwrap();
    let names = |replica: &Replica| -> Vec<String> {
        view::read_all(&replica.document)
            .into_iter()
            .map(|stored| stored.view.name)
            .collect()
    };
    assert_eq!(names(&ada), ["All", "Open"]);
    assert_eq!(view::find(&ada.document, &first).unwrap().view, all);
    assert_eq!(view::find(&ada.document, &second).unwrap().view, open);
    // Two people change different parts: both win.
    let mut bob = ada.fork(1);
    let renamed = View {
        name: "Still open".into(),
        ..open.clone()
    };
    let sorted = View {
        sort: all.sort.clone(),
        ..open.clone()
    };
    ada.edit(&[TableEdit::ChangeView {
        id: second.clone(),
        view: renamed,
    }])
    .unwrap();
    bob.edit(&[TableEdit::ChangeView {
        id: second.clone(),
        view: sorted,
    }])
    .unwrap();
    ada.merge(&bob);
    let both = View {
        name: "Still open".into(),
        sort: all.sort.clone(),
        ..open
    };
    assert_eq!(view::find(&ada.document, &second).unwrap().view, both);
    ada.edit(&[TableEdit::MoveView {
        id: second.clone(),
        to: Place::Start,
    }])
    .unwrap();
    assert_eq!(names(&ada), ["Still open", "All"]);
    ada.edit(&[TableEdit::DeleteView(second.clone())]).unwrap();
    assert_eq!(names(&ada), ["All"]);
    assert_eq!(
        ada.edit(&[TableEdit::DeleteView(second)]).unwrap_err().to_string(),
        "edit 0: there is no view vOpen"
    );
}

#[test]
fn a_view_on_what_is_not_there_is_refused_at_writing_and_skipped_at_reading() {
    let mut ada = orders();
    let sum_of_text = view(
        &ada,
        json!({ "name": "", "aggregates": [{ "column": "@0", "op": "sum" }] }),
    );
    let error = ada
        .edit(&[TableEdit::CreateView {
            id: None,
            view: sum_of_text,
        }])
        .unwrap_err()
        .to_string();
    let column = ada.column(0);
    assert_eq!(
        error,
        format!("edit 0: the view's aggregates: sum does not apply to column {column} (\"Column 0\") of kind text")
    );
    for (filter, wrong) in [
        (
            json!({ "column": "cNone", "op": "isEmpty" }),
            "there is no column cNone",
        ),
        (
            json!({ "column": "@1", "op": "contains", "value": "1" }),
            "contains does not apply",
        ),
        (
            json!({ "column": "@1", "op": "less", "value": "1" }),
            "cannot compare with \"1\"",
        ),
        (
            json!({ "column": "@3", "op": "between", "value": ["2026-01-01"] }),
            "cannot compare with",
        ),
        (
            json!({ "column": "@4", "op": "anyOf", "value": "o1" }),
            "cannot compare with \"o1\"",
        ),
    ] {
        let view = view(&ada, json!({ "name": "", "filter": [filter] }));
        let error = ada
            .edit(&[TableEdit::CreateView { id: None, view }])
            .unwrap_err()
            .to_string();
        assert!(error.contains(wrong), "{error}");
    }
    // The column is deleted after the view was made.
    let good = view(
        &ada,
        json!({
            "name": "Good",
            "filter": [{ "or": [{ "column": "@1", "op": "greater", "value": 5 }] }],
            "sort": [{ "column": "@1" }, { "column": "@0" }],
            "columns": ["@0", "@1"],
        }),
    );
    ada.edit(&[TableEdit::CreateView {
        id: Some(ViewId::parse("v1").unwrap()),
        view: good.clone(),
    }])
    .unwrap();
    let amount = ada.column(1);
    ada.edit(&[TableEdit::DeleteColumn(amount)]).unwrap();
    let (names, evaluated) = shown(&ada, &good);
    assert_eq!(
        names,
        ["apple", "Ball", "Cat", "odd", "älter"],
        "the condition is left out, not failed"
    );
    let parts: Vec<Part> = evaluated.skipped.iter().map(|skipped| skipped.part).collect();
    assert_eq!(parts, [Part::Filter, Part::Sort, Part::Columns]);
    // It can still be renamed.
    let renamed = View {
        name: "Better".into(),
        ..good
    };
    ada.edit(&[TableEdit::ChangeView {
        id: ViewId::parse("v1").unwrap(),
        view: renamed,
    }])
    .unwrap();
}

/// A front end in JavaScript writes plain strings, and parts this program does not know.
#[test]
fn a_view_by_another_hand_is_read_as_far_as_it_goes() {
    let mut ada = orders();
    let (_, views) = ada.document.get(ROOT, "views").unwrap().unwrap();
    let column = ada.column(1);
    ada.document
        .transact::<_, _, automerge::AutomergeError>(|tx| {
            let view = tx.put_object(&views, "v1", ObjType::Map)?;
            let name = tx.put_object(&view, "name", ObjType::Text)?;
            tx.splice_text(&name, 0, 0, "Theirs")?;
            tx.put(&view, "icon", "star")?;
            let filter = tx.put_object(&view, "filter", ObjType::List)?;
            for (at, op) in ["greater", "resembles"].into_iter().enumerate() {
                let test = tx.insert_object(&filter, at, ObjType::Map)?;
                tx.put(&test, "column", column.as_str())?;
                let text = tx.put_object(&test, "op", ObjType::Text)?;
                tx.splice_text(&text, 0, 0, op)?;
                tx.put(&test, "value", 5)?;
            }
            tx.put(&views, "v2", 5)?;
            Ok(())
        })
        .unwrap();
    let stored = view::read_all(&ada.document);
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].view.name.as_str(), stored[0].view.filter.len()),
        ("Theirs", 1)
    );
    assert_eq!(stored[0].skipped.len(), 1);
    assert_eq!(shown(&ada, &stored[0].view).0, ["Ball"]);
}

#[test]
fn deleted_rows_are_not_in_a_view_and_an_empty_view_is_the_table() {
    let mut ada = orders();
    let row = ada.row(0);
    ada.edit(&[TableEdit::DeleteRows(vec![row])]).unwrap();
    let (names, evaluated) = shown(&ada, &View::default());
    assert_eq!(names, ["apple", "Cat", "älter", "odd"]);
    assert_eq!(evaluated.columns.len(), 9);
    assert_eq!((evaluated.groups.len(), evaluated.totals.len()), (0, 0));
    // A kind of a later version is shown, sorted as it comes and asked nothing.
    let _ = Kind::Other("rating".into());
}
