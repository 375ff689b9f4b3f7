//! Stories of single differences: who is told what, and what is not worth a word.

use roundtable::document::feed::{ColumnsTouched, Difference, Footprint, RowChange, Scope, Step, Window, difference};
use roundtable::document::table::{CellEdit, ColumnDraft, Kind, NewOption, NewRow, Place, RowId, TableEdit, ViewId};
use roundtable::document::view::{View, ViewRows};
use serde_json::json;

use crate::edits::{cell, every_kind, set};
use crate::replica::Replica;

pub const TABLE: Scope<'static> = Scope {
    view: None,
    window: None,
};

/// What differs of a scope after somebody has done something.
pub fn step(replica: &mut Replica, scope: &Scope<'_>, act: impl FnOnce(&mut Replica)) -> Step {
    let from = replica.document.get_heads();
    act(replica);
    let footprint = Footprint::since(&replica.document, &replica.index, &from);
    difference(&replica.document, &replica.index, scope, &from, &footprint)
}

fn told(replica: &mut Replica, scope: &Scope<'_>, edits: &[TableEdit]) -> Difference {
    match step(replica, scope, |replica| drop(replica.edit(edits).unwrap())) {
        Step::Differs(difference) => difference,
        Step::Anew => panic!("a snapshot is asked for after {edits:?}"),
    }
}

/// One entry as a short text, with rows as their places in `rows`.
fn short(rows: &[RowId], change: &RowChange) -> String {
    let name = |row: &RowId| {
        rows.iter()
            .position(|known| known == row)
            .map_or("new".into(), |at| at.to_string())
    };
    match change {
        RowChange::Gone { row, deleted: true } => format!("{} deleted", name(row)),
        RowChange::Gone { row, deleted: false } => format!("{} left", name(row)),
        RowChange::Came { row, index, how } => format!("{} {how:?} at {index}", name(&row.id)),
        RowChange::Changed { row, cells } => format!("{} in {} cells", name(&row.id), cells.len()),
    }
}

pub fn shorts(rows: &[RowId], difference: &Difference) -> Vec<String> {
    difference.rows.iter().map(|change| short(rows, change)).collect()
}

pub fn rows(replica: &Replica) -> Vec<RowId> {
    replica.index.live().iter().map(|row| row.id.clone()).collect()
}

fn insert(at: Place<RowId>) -> TableEdit {
    TableEdit::InsertRows {
        at,
        rows: vec![NewRow::default()],
    }
}

#[test]
fn a_cell_that_comes_back_to_what_it_was_is_not_worth_a_word() {
    let mut ada = every_kind();
    let (row, number, text) = (ada.row(1), ada.column(1), ada.column(7));
    ada.edit(&[set(&row, &number, json!(1)), set(&row, &text, json!("same"))])
        .unwrap();
    let from = ada.document.get_heads();
    ada.edit(&[set(&row, &number, json!(2)), set(&row, &text, json!("other"))])
        .unwrap();
    let between = ada.document.get_heads();
    ada.edit(&[set(&row, &number, json!(1))]).unwrap();
    let footprint = Footprint::since(&ada.document, &ada.index, &from);
    assert_eq!(footprint.rows[&row].cells, [number.clone(), text.clone()].into());
    let Step::Differs(found) = difference(&ada.document, &ada.index, &TABLE, &from, &footprint) else {
        panic!("a cell asks for no snapshot");
    };
    let row_entry = ada.index.row(&row).unwrap().clone();
    assert_eq!(
        found,
        Difference {
            title: None,
            columns: None,
            row_count: 3,
            row_count_changed: false,
            rows: vec![RowChange::Changed {
                row: row_entry,
                cells: vec![text],
            }],
        }
    );
    // From the version in between, it is the number alone.
    let footprint = Footprint::since(&ada.document, &ada.index, &between);
    let Step::Differs(found) = difference(&ada.document, &ada.index, &TABLE, &between, &footprint) else {
        panic!("a cell asks for no snapshot");
    };
    assert!(matches!(&found.rows[..], [RowChange::Changed { cells, .. }] if *cells == [number]));
}

#[test]
fn rows_come_and_go_by_name() {
    let mut ada = every_kind();
    let old = rows(&ada);
    let told = &mut |edit: TableEdit| {
        let found = told(&mut ada, &TABLE, &[edit]);
        (shorts(&old, &found), found.row_count, found.row_count_changed)
    };
    let is = |texts: &[&str], count: usize, changed: bool| {
        (texts.iter().map(|text| text.to_string()).collect(), count, changed)
    };
    assert_eq!(
        told(TableEdit::DeleteRows(vec![old[1].clone()])),
        is(&["1 deleted"], 2, true)
    );
    assert_eq!(
        told(TableEdit::RestoreRows(vec![old[1].clone()])),
        is(&["1 Restored at 1"], 3, true)
    );
    let to_the_end = TableEdit::MoveRows {
        rows: vec![old[0].clone()],
        to: Place::End,
    };
    assert_eq!(told(to_the_end), is(&["0 left", "0 Entered at 2"], 3, false));
    assert_eq!(told(insert(Place::Index(1))), is(&["new Created at 1"], 4, true));
}

/// Bob and Eve insert at one spot and make equal keys; whoever inserts between the two gives the later one a new key. That
/// row stands where it stood, and nobody needs to know.
#[test]
fn a_new_key_at_the_old_place_moves_nothing() {
    let mut ada = every_kind();
    let (mut bob, mut eve) = (ada.fork(1), ada.fork(2));
    let first = ada.row(0);
    bob.edit(&[insert(Place::After(first.clone()))]).unwrap();
    eve.edit(&[insert(Place::After(first))]).unwrap();
    ada.merge(&bob);
    ada.merge(&eve);
    let known = rows(&ada);
    let found = told(&mut ada, &TABLE, &[insert(Place::Index(2))]);
    assert_eq!(shorts(&known, &found), ["new Created at 2"]);
}

#[test]
fn a_window_is_told_of_rows_that_nobody_has_touched() {
    let mut ada = every_kind();
    let more = TableEdit::InsertRows {
        at: Place::End,
        rows: vec![NewRow::default(); 7],
    };
    ada.edit(&[more]).unwrap();
    let known = rows(&ada);
    let window = Scope {
        view: None,
        window: Some(Window { offset: 4, limit: 3 }),
    };
    let found = told(&mut ada, &window, &[insert(Place::Start)]);
    assert_eq!(shorts(&known, &found), ["6 left", "3 Entered at 4"]);
    assert_eq!((found.row_count, found.row_count_changed), (11, true));
    let found = told(
        &mut ada,
        &window,
        &[TableEdit::DeleteRows(vec![known[0].clone(), known[1].clone()])],
    );
    assert_eq!(
        shorts(&known, &found),
        ["3 left", "4 left", "6 Entered at 5", "7 Entered at 6"]
    );
    // What happens below it says no more than how many rows there are, and a cell outside says nothing.
    let found = told(&mut ada, &window, &[insert(Place::End)]);
    assert_eq!((shorts(&known, &found).len(), found.row_count), (0, 10));
    let number = ada.column(1);
    let found = told(
        &mut ada,
        &window,
        &[set(&known[9], &number, json!(1)), set(&known[6], &number, json!(1))],
    );
    assert_eq!(shorts(&known, &found), ["6 in 1 cells"]);
}

#[test]
fn columns_come_with_the_cells_that_they_show_in_another_way() {
    let mut ada = every_kind();
    let (row, select) = (ada.row(2), ada.column(4));
    ada.edit(&[set(&row, &select, json!("o1"))]).unwrap();
    let known = rows(&ada);
    let draft = ColumnDraft {
        id: None,
        name: "New".into(),
        kind: Kind::Text,
        width: None,
        options: vec![],
    };
    let add = TableEdit::AddColumn {
        at: Place::Start,
        column: draft,
    };
    let found = told(&mut ada, &TABLE, &[add]);
    assert_eq!(found.columns.as_ref().map(Vec::len), Some(10));
    assert_eq!(found.rows, []);
    // The option goes; the cell that holds it does not fit any more.
    let options = vec![NewOption {
        id: Some("o2".into()),
        name: "Option o2".into(),
        color: Some("red".into()),
    }];
    let column = select.clone();
    let found = told(&mut ada, &TABLE, &[TableEdit::SetOptions { column, options }]);
    assert!(found.columns.is_some());
    assert_eq!(shorts(&known, &found), ["2 in 1 cells"]);
    let found = told(&mut ada, &TABLE, &[TableEdit::DeleteColumn(select.clone())]);
    assert_eq!(
        (found.columns.map(|columns| columns.len()), found.rows),
        (Some(9), vec![])
    );
    // Cells that nobody was told of come back; cells of another kind mean something else.
    let restore = TableEdit::RestoreColumn(select.clone());
    assert_eq!(
        step(&mut ada, &TABLE, |ada| drop(ada.edit(&[restore]).unwrap())),
        Step::Anew
    );
    let column = ada.column(1);
    let kind = TableEdit::SetKind {
        column,
        kind: Kind::Checkbox,
    };
    assert_eq!(
        step(&mut ada, &TABLE, |ada| drop(ada.edit(&[kind]).unwrap())),
        Step::Anew
    );
}

/// A view with the numbers from 5 on, the largest first.
#[test]
fn a_row_enters_and_leaves_a_view_by_what_is_written_into_it() {
    let mut ada = every_kind();
    let known = rows(&ada);
    let (text, number) = (ada.column(0), ada.column(1));
    let id = ViewId::parse("vLarge").unwrap();
    let view = View::from_json(&json!({
        "name": "Large",
        "filter": [{ "column": number.as_str(), "op": "greaterOrEqual", "value": 5 }],
        "sort": [{ "column": number.as_str(), "descending": true }],
        "columns": [number.as_str()],
    }))
    .unwrap();
    let create = TableEdit::CreateView {
        id: Some(id.clone()),
        view: view.clone(),
    };
    ada.edit(&[
        create,
        set(&known[0], &number, json!(7)),
        set(&known[1], &number, json!(3)),
    ])
    .unwrap();
    let mut shown = ViewRows::build(&ada.document, &ada.index, &view);
    let mut told = |edits: &[TableEdit]| {
        let from = ada.document.get_heads();
        ada.edit(edits).unwrap();
        let footprint = Footprint::since(&ada.document, &ada.index, &from);
        shown.follow(&ada.document, &ada.index, footprint.rows.keys());
        let scope = Scope {
            view: Some((&id, &shown)),
            window: None,
        };
        match difference(&ada.document, &ada.index, &scope, &from, &footprint) {
            Step::Differs(found) => (shorts(&known, &found), found.row_count),
            Step::Anew => (vec!["anew".into()], 0),
        }
    };
    let is = |texts: &[&str], count: usize| (texts.iter().map(|text| text.to_string()).collect::<Vec<_>>(), count);
    assert_eq!(told(&[set(&known[1], &number, json!(9))]), is(&["1 Entered at 0"], 2));
    assert_eq!(told(&[set(&known[0], &number, json!(8))]), is(&["0 in 1 cells"], 2));
    assert_eq!(
        told(&[set(&known[0], &number, json!(10))]),
        is(&["0 left", "0 Entered at 0"], 2)
    );
    assert_eq!(told(&[set(&known[1], &number, json!(1))]), is(&["1 left"], 1));
    assert_eq!(
        told(&[TableEdit::DeleteRows(vec![known[0].clone()])]),
        is(&["0 deleted"], 0)
    );
    // A column that the view does not show.
    assert_eq!(told(&[set(&known[1], &text, json!("unseen"))]), is(&[], 0));
    assert_eq!(
        told(&[TableEdit::RestoreRows(vec![known[0].clone()])]),
        is(&["0 Restored at 0"], 1)
    );
    let mut renamed = view.clone();
    renamed.name = "Larger".into();
    let rename = TableEdit::ChangeView {
        id: id.clone(),
        view: renamed.clone(),
    };
    assert_eq!(told(&[rename]), is(&[], 1));
    renamed.filter.clear();
    let change = TableEdit::ChangeView {
        id: id.clone(),
        view: renamed,
    };
    assert_eq!(told(&[change]), is(&["anew"], 0));
}

#[test]
fn each_row_knows_which_change_touched_it_last() {
    let mut ada = every_kind();
    let (first, second, third) = (ada.row(0), ada.row(1), ada.row(2));
    let (number, text) = (ada.column(1), ada.column(7));
    let from = ada.document.get_heads();
    ada.edit(&[set(&first, &number, json!(1)), set(&second, &number, json!(1))])
        .unwrap();
    ada.edit(&[set(&third, &text, json!("ab"))]).unwrap();
    ada.edit(&[set(&second, &number, json!(2)), TableEdit::SetTitle("New".into())])
        .unwrap();
    let letter = CellEdit::Splice {
        at: 1,
        delete: 0,
        insert: "x".into(),
    };
    ada.edit(&[cell(&third, &text, letter)]).unwrap();
    let changes = ada.document.get_changes(&from);
    let footprint = Footprint::of_changes(&ada.document, &ada.index, &changes);
    let last = |row: &RowId| footprint.rows[row].last;
    assert_eq!([last(&first), last(&second), last(&third)], [Some(0), Some(2), Some(3)]);
    assert!(footprint.title && !footprint.everything && footprint.columns == ColumnsTouched::No);
    assert!(footprint.rows.values().all(|touch| !touch.place));
}

#[test]
fn a_version_that_nobody_had_is_no_ground_for_a_difference() {
    let mut ada = every_kind();
    let mut bob = ada.fork(1);
    let (row, number) = (ada.row(0), ada.column(1));
    bob.edit(&[set(&row, &number, json!(1))]).unwrap();
    let unknown = bob.document.get_heads();
    ada.edit(&[set(&row, &number, json!(2))]).unwrap();
    for from in [&unknown[..], &[]] {
        assert!(Footprint::since(&ada.document, &ada.index, from).everything);
    }
    let from = ada.document.get_heads();
    let same = Footprint::since(&ada.document, &ada.index, &from);
    assert_eq!(same, Footprint::default());
}
