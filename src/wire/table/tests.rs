use automerge::Automerge;
use automerge::transaction::Transactable;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::table::batch::{EditFailed, edit};
use crate::document::table::{CellEdit, ColumnId, RowId, Stamp, TableEdit, TableIndex, create};

/// A table with two columns of one name and one of another, and one row.
struct Sample {
    document: Automerge,
    /// How often it was edited: the seed of the next edit.
    edits: u64,
}

impl Sample {
    fn new() -> Self {
        let mut document = Automerge::new();
        document.transact(|tx| create(tx, "T")).unwrap();
        let mut sample = Self { document, edits: 3 };
        sample
            .edit(json!([
                { "op": "insertRows", "rows": [{}] },
                { "op": "addColumn", "column": { "id": "cA", "name": "Amount", "kind": "number" } },
                { "op": "addColumn", "column": { "id": "cB", "name": "Twice", "kind": "text" } },
                { "op": "addColumn", "column": { "id": "cC", "name": "Twice", "kind": "text" } },
            ]))
            .unwrap();
        sample
    }

    fn index(&self) -> TableIndex {
        TableIndex::build(&self.document).unwrap()
    }

    fn read(&self, edits: &Json) -> Result<Wishes, Mistake> {
        let edits: Vec<Edit> = serde_json::from_value(edits.clone()).unwrap();
        let (index, mut rng) = (self.index(), SmallRng::seed_from_u64(2));
        let mut resolver = Resolver::new(&self.document, index.columns(), &mut rng);
        for (number, edit) in edits.iter().enumerate() {
            resolver.add(edit, &format!("/edits/{number}"))?;
        }
        Ok(resolver.finish())
    }

    /// Reads edits and does them.
    fn edit(&mut self, edits: Json) -> Result<Vec<Made>, Mistake> {
        let (wishes, index) = (self.read(&edits)?, self.index());
        let stamp = Stamp {
            at: 1,
            by: "Ada".into(),
        };
        self.edits += 1;
        let mut rng = SmallRng::seed_from_u64(self.edits);
        let done = self
            .document
            .transact(|tx| edit(tx, &index, &wishes.edits, &stamp, &mut rng));
        match done {
            Ok(done) => Ok(done.result.iter().map(Made::from).collect()),
            Err(failure) => match failure.error {
                EditFailed::Refused(refused) => Err(wishes.mistake(&refused)),
                other => panic!("{other}"),
            },
        }
    }

    fn row(&self) -> RowId {
        self.index().live()[0].id.clone()
    }
}

fn json_of(value: impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}

#[test]
fn a_column_is_named_by_its_id_or_by_a_name_that_only_it_has() {
    let sample = Sample::new();
    let names = Names::of(sample.index().columns());
    assert_eq!(names.find("cB").unwrap().as_str(), "cB");
    assert_eq!(names.find("Amount").unwrap().as_str(), "cA");
    assert_eq!(
        names.find("Twice").unwrap_err().to_string(),
        "2 columns are called \"Twice\": name the one you mean by its id (cB, cC)"
    );
    assert_eq!(
        names.find("amount").unwrap_err().to_string(),
        "there is no column \"amount\"; there are \"Amount\" (cA), \"Twice\" (cB), \"Twice\" (cC)"
    );
    assert!(names.is_unique("Amount") && !names.is_unique("Twice") && !names.is_unique("cA"));
}

/// Somebody calls a column as another's id: the id counts.
#[test]
fn an_id_goes_before_a_name() {
    let mut sample = Sample::new();
    sample
        .edit(json!([{ "op": "renameColumn", "column": "cB", "name": "cA" }]))
        .unwrap();
    let names = Names::of(sample.index().columns());
    assert_eq!(names.find("cA").unwrap().as_str(), "cA");
    assert!(!names.is_unique("cA"));
}

#[test]
fn edits_of_a_list_know_what_those_before_them_do_to_names() {
    let sample = Sample::new();
    let row = sample.row();
    let read = sample.read(&json!([
        { "op": "renameColumn", "column": "cB", "name": "Once" },
        { "op": "setCell", "row": row.as_str(), "column": "Twice", "value": "c" },
        { "op": "deleteColumn", "column": "Once" },
        { "op": "addColumn", "column": { "name": "Once", "kind": "text" } },
        { "op": "setCell", "row": row.as_str(), "column": "Once", "value": "new" },
        { "op": "restoreColumn", "column": "cB" },
    ]));
    let edits = read.unwrap().edits;
    let TableEdit::AddColumn { column, .. } = &edits[3] else {
        panic!("{edits:?}")
    };
    let written = |edit: &TableEdit| match edit {
        TableEdit::Cell { column, .. } => column.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(written(&edits[1]).as_str(), "cC");
    assert_eq!(Some(written(&edits[4])), column.id);
    let last = json!({ "op": "renameColumn", "column": "Once", "name": "x" });
    let ambiguous = sample.read(&json!([
        { "op": "renameColumn", "column": "cB", "name": "Once" },
        { "op": "renameColumn", "column": "cC", "name": "Once" },
        last,
    ]));
    assert_eq!(ambiguous.unwrap_err().field, "/edits/2/column");
}

#[test]
fn a_refusal_points_to_the_field_it_is_about() {
    let mut sample = Sample::new();
    let row = sample.row();
    let cell = |value: Json| json!({ "op": "setCell", "row": row.as_str(), "column": "Amount", "value": value });
    for (edits, field) in [
        (json!([cell(json!(1)), cell(json!("x"))]), "/edits/1"),
        (
            json!([{ "op": "insertRows", "rows": [{}, { "cells": { "Amount": "x" } }] }]),
            "/edits/0/rows/1/cells/Amount",
        ),
        (
            json!([{ "op": "insertRows", "rows": [{ "id": "b.1", "cells": { "cA": "x" } }] }]),
            "/edits/0/rows/0/cells/cA",
        ),
        (
            json!([{ "op": "insertRows", "rows": [{ "id": row.as_str() }] }]),
            "/edits/0/rows/0/id",
        ),
        (
            json!([{ "op": "insertRows", "rows": [{ "cells": { "a~b": 1 } }] }]),
            "/edits/0/rows/0/cells/a~0b",
        ),
        (
            json!([{ "op": "moveRows", "rows": [row.as_str()], "to": { "after": "x" } }]),
            "/edits/0/to/after",
        ),
        (
            json!([{ "op": "createView", "view": { "name": "x", "group": [{ "column": "Twice" }] } }]),
            "/edits/0/view/group/0/column",
        ),
        (
            json!([{ "op": "changeView", "view": "v1", "change": { "sort": 5 } }]),
            "/edits/0/view",
        ),
    ] {
        let mistake = sample.edit(edits.clone()).unwrap_err();
        assert_eq!(mistake.field, field, "{edits}: {mistake:?}");
    }
}

#[test]
fn a_view_keeps_ids_and_changes_by_parts() {
    let mut sample = Sample::new();
    let made = sample
        .edit(json!([
            { "op": "createView", "view": { "id": "v1", "name": "V", "sort": [{ "column": "Amount" }], "columns": ["Amount"] } },
            { "op": "changeView", "view": "v1", "change": { "columns": null, "name": "W" } },
            { "op": "changeView", "view": "v1", "change": { "filter": [{ "and": [{ "column": "Amount", "op": "isEmpty" }] }] } },
        ]))
        .unwrap();
    assert_eq!(json_of(&made), json!([{ "view": "v1" }, {}, {}]));
    let stored = crate::document::view::read_all(&sample.document);
    assert_eq!(
        json_of(View::from(&stored[0])),
        json!({
            "id": "v1", "name": "W", "sort": [{ "column": "cA" }],
            "filter": [{ "and": [{ "column": "cA", "op": "isEmpty" }] }],
        })
    );
}

#[test]
fn a_row_shows_what_it_holds_and_marks_what_does_not_fit() {
    let mut sample = Sample::new();
    let row = sample.row();
    let cell =
        |column: &str, value: Json| json!({ "op": "setCell", "row": row.as_str(), "column": column, "value": value });
    sample
        .edit(json!([cell("cA", json!(3.0)), cell("cB", json!("b"))]))
        .unwrap();
    let object = sample.index().live()[0].object.clone();
    sample
        .document
        .transact::<_, _, automerge::AutomergeError>(|tx| tx.put(&object, "cC", 5))
        .unwrap();
    let index = sample.index();
    let names = Names::of(index.columns());
    let shown = Shown::by_name(index.columns(), &names).row(&sample.document, &index.live()[0]);
    assert_eq!(
        json_of(&shown),
        json!({ "id": row.as_str(), "cells": { "Amount": 3, "cB": "b", "cC": 5 }, "marked": { "cC": "a text of at most 1048576 bytes, without NUL" } })
    );
    // Straight to text, in the order of the columns.
    assert!(
        serde_json::to_string(&shown)
            .unwrap()
            .contains(r#""cells":{"Amount":3,"cB":"b","cC":5}"#)
    );
    let shown = Shown::by_id(index.column(&ColumnId::parse("cB").unwrap())).row(&sample.document, &index.live()[0]);
    assert_eq!(json_of(&shown), json!({ "id": row.as_str(), "cells": { "cB": "b" } }));
}

#[test]
fn what_is_sent_has_no_unknown_fields_and_null_is_not_nothing() {
    for wrong in [
        json!({ "op": "setTitle", "title": "x", "titel": "y" }),
        json!({ "op": "insertRows", "rows": [{ "cell": {} }] }),
        json!({ "op": "addColumn", "column": { "name": "x", "kind": "text", "colour": "red" } }),
        json!({ "op": "setCell", "row": "b.r", "column": "cA" }),
        json!({ "op": "purgeRows", "rows": [] }),
        json!({ "op": "moveRows", "rows": [], "to": "middle" }),
    ] {
        assert!(serde_json::from_value::<Edit>(wrong.clone()).is_err(), "{wrong}");
    }
    let patch = |json: Json| serde_json::from_value::<ColumnPatch>(json).unwrap().width;
    assert_eq!(patch(json!({})), None);
    assert_eq!(patch(json!({ "width": null })), Some(None));
    assert_eq!(patch(json!({ "width": 90 })), Some(Some(90.0)));
}

#[test]
fn the_weight_of_edits_is_counted_in_cells() {
    let weigh = |json: Json| cells(&serde_json::from_value::<Vec<Edit>>(json).unwrap());
    assert_eq!(
        weigh(json!([{ "op": "insertRows", "rows": [{}, { "cells": { "a": 1, "b": 2 } }] }])),
        3
    );
    assert_eq!(
        weigh(json!([{ "op": "deleteRows", "rows": ["a", "b"] }, { "op": "setTitle", "title": "x" }])),
        7
    );
    assert_eq!(
        weigh(
            json!([{ "op": "addColumn", "column": { "name": "x", "kind": "select", "options": [{ "name": "a" }] } }])
        ),
        4
    );
}

#[test]
fn one_cell_is_patched_in_every_way() {
    let sample = Sample::new();
    let (index, mut rng) = (sample.index(), SmallRng::seed_from_u64(4));
    let mut resolver = Resolver::new(&sample.document, index.columns(), &mut rng);
    let (row, column) = (sample.row(), ColumnId::parse("cA").unwrap());
    for patch in [
        json!({ "set": null }),
        json!({ "increment": -2 }),
        json!({ "splice": { "at": 1 } }),
        json!({ "add": ["b", "a"] }),
        json!({ "remove": [] }),
    ] {
        resolver.patch_cell(&row, &column, &serde_json::from_value(patch).unwrap());
    }
    let read = resolver.finish().edits.into_iter().map(|edit| match edit {
        TableEdit::Cell { edit, .. } => edit,
        other => panic!("{other:?}"),
    });
    let splice = CellEdit::Splice {
        at: 1,
        delete: 0,
        insert: String::new(),
    };
    let ids = ["a".to_owned(), "b".to_owned()].into();
    let expected = [
        CellEdit::Set(Json::Null),
        CellEdit::Increment(-2),
        splice,
        CellEdit::Add(ids),
        CellEdit::Remove(Default::default()),
    ];
    assert_eq!(read.collect::<Vec<_>>(), expected);
}
