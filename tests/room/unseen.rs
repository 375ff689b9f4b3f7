//! What authors had not seen: nobody is overwritten without knowing, and nobody is taken to disagree with themself.

use std::collections::HashSet;

use roundtable::document::table::conflicts::Conflicts;
use roundtable::document::table::{ColumnId, RowId};
use roundtable::room::live::{Why, Wish};
use roundtable::sync::log::Heads;
use serde_json::{Value as Json, json};

use super::desk::{Desk, accepted, batch, change, of_row, refused, update, wish};

#[test]
fn what_is_as_its_author_saw_it_is_written_on_the_present_version() {
    let desk = Desk::new(2);
    let base = desk.base();
    desk.grace_writes(1, "b.r1", "cA", json!(1));
    let told = desk.ada(vec![wish(update(2, "b.r0", json!({ "cA": 5 }), base))]);
    assert!(!accepted(&told[0]).merged);
    assert_eq!((desk.heads().len(), desk.conflicts()), (1, Conflicts::default()));
    assert_eq!(desk.cell("b.r0", "cA"), json!(5));
}

#[test]
fn what_others_have_changed_meanwhile_is_not_overwritten_unseen() {
    let desk = Desk::new(1);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let told = desk.ada(vec![wish(update(2, "b.r0", json!({ "cA": 5, "cB": "x" }), base))]);
    assert!(accepted(&told[0]).merged);
    assert_eq!(desk.quarrel("b.r0", "cA"), ["1", "5"]);
    assert_eq!((desk.cell("b.r0", "cB"), desk.heads().len()), (json!("x"), 2));
    // Without a word of what was seen it overwrites, as everywhere.
    desk.ada(vec![wish(update(3, "b.r0", json!({ "cA": 6 }), json!({})))]);
    assert_eq!((desk.quarrel("b.r0", "cA").len(), desk.heads().len()), (0, 1));
}

/// Two hundred changes by themselves on one old version would leave two hundred heads, and as many actors.
#[test]
fn changes_of_a_day_offline_are_one_automerge_change() {
    let desk = Desk::new(200);
    let base = desk.base();
    for n in 0..200 {
        desk.grace_writes(n, &format!("b.r{n}"), "cA", json!(-1));
    }
    let actors = |desk: &Desk| {
        desk.look(|document, _| {
            let changes = document.automerge().get_changes(&[]);
            let actors: HashSet<_> = changes.iter().map(|change| change.actor_id().clone()).collect();
            actors.len()
        })
    };
    let before = actors(&desk);
    let message = |from: u64| -> Vec<_> {
        (0..200)
            .map(|n| wish(update(from + n, &format!("b.r{n}"), json!({ "cA": n }), base.clone())))
            .collect()
    };
    let told = desk.ada(message(1_000));
    assert!(told.iter().all(|told| accepted(told).merged));
    assert!(desk.heads().len() <= 2 && actors(&desk) <= before + 1);
    assert_eq!(desk.conflicts().cells.len(), 200);
    // And one more for each message, at most, as long as its author learns nothing.
    desk.ada(message(2_000));
    assert!(desk.heads().len() <= 3 && actors(&desk) <= before + 2);
}

#[test]
fn an_author_has_seen_what_they_wrote_before_in_the_same_message() {
    let desk = Desk::new(2);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let told = desk.ada(vec![
        wish(update(2, "b.r0", json!({ "cA": 5 }), base.clone())),
        wish(update(3, "b.r1", json!({ "cA": 5 }), base.clone())),
        wish(update(4, "b.r0", json!({ "cA": 6 }), base.clone())),
        wish(update(5, "b.r1", json!({ "cA": 6 }), base)),
    ]);
    let merged: Vec<_> = told.iter().map(|told| accepted(told).merged).collect();
    assert_eq!(merged, [true, false, true, false]);
    assert_eq!(desk.quarrel("b.r0", "cA"), ["1", "6"]);
    assert_eq!(desk.cell("b.r1", "cA"), json!(6));
    assert_eq!(desk.conflicts().cells.len(), 1);
}

/// Ada's first sending was taken, but the line broke before she was told. She goes on from what she knows.
#[test]
fn an_author_has_seen_what_they_wrote_in_an_earlier_sending() {
    let desk = Desk::new(3);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let first = || {
        (0..3u64)
            .map(|n| wish(update(10 + n, &format!("b.r{n}"), json!({ "cA": 5 }), base.clone())))
            .collect::<Vec<_>>()
    };
    desk.ada(first());
    desk.grace_writes(2, "b.r2", "cA", json!(2));
    let mut message = first();
    message.extend((0..3u64).map(|n| wish(update(20 + n, &format!("b.r{n}"), json!({ "cA": 6 }), base.clone()))));
    let told = desk.ada(message);
    let what: Vec<_> = told
        .iter()
        .map(|told| (accepted(told).replayed, accepted(told).merged))
        .collect();
    assert_eq!(what[..3], [(true, true), (true, false), (true, false)]);
    // In the first row she and Grace disagree since the first sending, in the last since Grace saw what she sent.
    assert_eq!(what[3..], [(false, true), (false, false), (false, true)]);
    assert_eq!(desk.quarrel("b.r0", "cA"), ["1", "6"]);
    assert_eq!(
        (desk.cell("b.r1", "cA"), desk.quarrel("b.r1", "cA").len()),
        (json!(6), 0)
    );
    assert_eq!(desk.quarrel("b.r2", "cA"), ["2", "6"]);
}

fn field(column: &str, old: Json, new: Json) -> Json {
    json!({ "fieldId": column, "oldValue": old, "newValue": new })
}

fn replace(id: u64, row: &str, fields: Json) -> Wish {
    wish(change(
        id,
        json!({ "type": "update", "recordId": row, "changes": fields }),
        json!({}),
    ))
}

#[test]
fn an_old_value_stands_for_the_version_that_showed_it() {
    let desk = Desk::new(1);
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let told = desk.ada(vec![replace(2, "b.r0", json!([field("cA", json!(1.0), json!(2))]))]);
    assert!(!accepted(&told[0]).merged, "it shows it still");
    desk.grace_writes(3, "b.r0", "cA", json!(3));
    desk.house.committer.step();
    let told = desk.ada(vec![replace(4, "b.r0", json!([field("cA", json!(2), json!(4))]))]);
    assert!(accepted(&told[0]).merged);
    assert_eq!(desk.quarrel("b.r0", "cA"), ["3", "4"]);
    let told = desk.ada(vec![replace(5, "b.r0", json!([field("cA", json!(77), json!(5))]))]);
    let (why, field_of, detail) = refused(&told[0]);
    assert_eq!((why, field_of), (&Why::VersionChanged, "/changes/0/oldValue"));
    assert!(detail.contains("shows 4") && detail.contains("77"), "{detail}");
    // Both together were never there.
    let both = json!([field("cA", json!(3), json!(5)), field("cB", json!("x"), json!("y"))]);
    let told = desk.ada(vec![replace(6, "b.r0", both)]);
    assert_eq!(refused(&told[0]).0, &Why::VersionChanged);
}

#[test]
fn an_old_value_is_looked_for_where_the_connection_last_looked() {
    let desk = Desk::new(1);
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let shown: Heads = desk.heads().into();
    for n in 0..300 {
        desk.grace_writes(10 + n, "b.r0", "cB", json!(format!("{n}")));
    }
    desk.grace_writes(2, "b.r0", "cA", json!(2));
    for n in 0..300 {
        desk.grace_writes(1_000 + n, "b.r0", "cB", json!(format!("{n}")));
    }
    desk.house.committer.step();
    let late = |id| replace(id, "b.r0", json!([field("cA", json!(1), json!(3))]));
    assert_eq!(refused(&desk.ada(vec![late(3)])[0]).0, &Why::VersionChanged);
    let told = desk.grant_shown("ada", &[late(4)], Some(shown)).value;
    assert!(accepted(&told[0]).merged);
    assert_eq!(desk.quarrel("b.r0", "cA"), ["2", "3"]);
}

/// Typing: each change has the one before it as its old value, and Grace has typed as well.
#[test]
fn old_values_of_one_message_may_be_its_own() {
    let desk = Desk::new(2);
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    desk.house.committer.step();
    desk.grace_writes(2, "b.r0", "cA", json!(100));
    let typed = |row: &str, from: u64, old: Json| -> Vec<_> {
        let olds = std::iter::once(old).chain((11..).map(|n| json!(n)));
        (11..15)
            .zip(olds)
            .map(|(n, old)| replace(from + n, row, json!([field("cA", old, json!(n))])))
            .collect()
    };
    let mut message = typed("b.r0", 1_000, json!(1));
    message.extend(typed("b.r1", 2_000, Json::Null));
    let told = desk.ada(message);
    let merged: Vec<_> = told.iter().map(|told| accepted(told).merged).collect();
    assert_eq!(merged, [[true; 4], [false; 4]].concat());
    assert_eq!(desk.quarrel("b.r0", "cA"), ["100", "14"]);
    assert_eq!(desk.cell("b.r1", "cA"), json!(14));
}

#[test]
fn a_write_into_what_was_deleted_meanwhile_is_kept_and_listed() {
    let desk = Desk::new(2);
    let base = desk.base();
    desk.grace(vec![of_row(1, "delete", "b.r0", json!({}))]);
    desk.grace(vec![batch(
        2,
        json!([{ "op": "deleteColumn", "column": "cB" }]),
        json!({}),
    )]);
    let told = desk.ada(vec![
        wish(update(3, "b.r0", json!({ "cA": 5 }), base.clone())),
        wish(update(4, "b.r1", json!({ "cB": "x" }), base)),
        wish(update(5, "b.r0", json!({ "cA": 6 }), json!({}))),
    ]);
    assert!(accepted(&told[0]).merged && accepted(&told[1]).merged);
    let (why, field, detail) = refused(&told[2]);
    assert_eq!((why, field), (&Why::Refused, "/recordId"), "{detail}");
    let listed = desk.conflicts();
    assert_eq!(listed.rows[0].columns, [ColumnId::parse("cA").unwrap()]);
    assert_eq!(listed.columns[0].rows, [RowId::parse("b.r1").unwrap()]);
    desk.grace(vec![of_row(6, "restore", "b.r0", json!({}))]);
    assert_eq!(desk.cell("b.r0", "cA"), json!(5));
}

#[test]
fn a_row_deleted_while_others_wrote_into_it_is_listed() {
    let desk = Desk::new(2);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cB", json!("new"));
    let told = desk.ada(vec![
        wish(update(2, "b.r0", json!({ "cA": 5 }), base.clone())),
        of_row(3, "delete", "b.r0", base.clone()),
        of_row(4, "delete", "b.r1", base),
    ]);
    let merged: Vec<_> = told.iter().map(|told| accepted(told).merged).collect();
    assert_eq!(merged, [true, true, false]);
    let listed = desk.conflicts().rows;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].columns,
        [ColumnId::parse("cB").unwrap()],
        "what she wrote herself she knew of"
    );
}

#[test]
fn a_record_made_offline_is_filled_in_the_same_message_and_the_next() {
    let desk = Desk::new(1);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let create = || {
        wish(change(
            2,
            json!({ "type": "create", "recordId": "n.new" }),
            base.clone(),
        ))
    };
    let told = desk.ada(vec![
        create(),
        wish(update(3, "n.new", json!({ "cA": 1 }), base.clone())),
    ]);
    assert_eq!(accepted(&told[0]).record, RowId::parse("n.new").ok());
    assert!(told.iter().all(|told| !accepted(told).merged));
    let told = desk.ada(vec![
        create(),
        wish(update(4, "n.new", json!({ "cA": 2, "cB": "x" }), base.clone())),
    ]);
    assert!(accepted(&told[0]).replayed && !accepted(&told[1]).merged);
    desk.grace_writes(5, "n.new", "cA", json!(9));
    let told = desk.ada(vec![
        create(),
        wish(update(6, "n.new", json!({ "cA": 3 }), base.clone())),
    ]);
    assert!(accepted(&told[1]).merged);
    assert_eq!(desk.quarrel("n.new", "cA"), ["3", "9"]);
    // Without the record of its making, nobody knows how she can have seen it.
    let told = desk.ada(vec![wish(update(7, "n.new", json!({ "cA": 3 }), base))]);
    let (why, field, detail) = refused(&told[0]);
    assert_eq!((why, field), (&Why::NotFound, "/recordId"));
    assert!(detail.contains("no row n.new yet"), "{detail}");
}

#[test]
fn letters_and_steps_of_both_are_kept() {
    let desk = Desk::new(1);
    desk.grace(vec![wish(update(
        1,
        "b.r0",
        json!({ "cL": "one two", "cN": 5 }),
        json!({}),
    ))]);
    let base = desk.base();
    desk.grace(vec![wish(update(
        2,
        "b.r0",
        json!({ "cL": "one two three", "cN": 7 }),
        json!({}),
    ))]);
    let told = desk.ada(vec![
        wish(update(
            3,
            "b.r0",
            json!({ "cL": "zero one two", "cN": 6 }),
            base.clone(),
        )),
        batch(
            4,
            json!([{ "op": "spliceCell", "row": "b.r0", "column": "cL", "at": 0, "insert": "> " }]),
            base,
        ),
    ]);
    assert!(told.iter().all(|told| accepted(told).merged));
    assert_eq!(desk.cell("b.r0", "cL"), json!("> zero one two three"));
    assert_eq!(
        (desk.cell("b.r0", "cN"), desk.conflicts()),
        (json!(8), Conflicts::default())
    );
}

/// One change became two: one cell on the version its author saw, the other on the present one, where she had written before.
/// The second stands on what Grace had done to the first cell, which she has not seen for that.
#[test]
fn what_stands_below_a_part_of_a_change_is_not_seen_in_another_part() {
    let desk = Desk::new(1);
    let base = desk.base();
    let first = || wish(update(1, "b.r0", json!({ "cA": 5 }), base.clone()));
    desk.ada(vec![first()]);
    desk.grace_writes(2, "b.r0", "cB", json!("hers"));
    let second = || wish(update(3, "b.r0", json!({ "cA": 6, "cB": "mine" }), base.clone()));
    let told = desk.ada(vec![first(), second()]);
    assert_eq!(accepted(&told[1]).changes.len(), 2);
    assert_eq!(
        (desk.cell("b.r0", "cA"), desk.quarrel("b.r0", "cA").len()),
        (json!(6), 0)
    );
    let told = desk.ada(vec![
        first(),
        second(),
        wish(update(4, "b.r0", json!({ "cB": "mine too" }), base.clone())),
    ]);
    assert!(accepted(&told[2]).merged);
    assert_eq!(desk.quarrel("b.r0", "cB"), [r#""hers""#, r#""mine too""#]);
}
