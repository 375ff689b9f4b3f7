//! Changes of the live door: made once, on the version that they belong to, beside what their authors had not seen.

use std::time::Instant;

use automerge::{ActorId, ChangeHash};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::author::{Author, Door};
use roundtable::document::crdt::Document;
use roundtable::document::table::conflicts::{Conflicts, conflicts};
use roundtable::document::table::{self, ColumnId, RowId, Stamp, TableIndex, cells};
use roundtable::id::ConnectionId;
use roundtable::room::live::{Accepted, Granted, Hand, NotTaken, Why, Wish, need};
use roundtable::room::{KeyRefusal, Writer};
use roundtable::store::memory::Survives;
use roundtable::sync::gate::GateLimits;
use roundtable::sync::log::Heads;
use roundtable::wire::live::change::{Ask, BatchChanges, RecordChange};
use roundtable::wire::version;
use serde_json::{Value as Json, json};

use super::{House, NOW_MS};

/// A change of these cells of a row; `more` has the other fields.
pub fn update(id: u64, row: &str, cells: Json, more: Json) -> Json {
    let cells = cells.as_object().unwrap().iter();
    let fields: Vec<_> = cells
        .map(|(column, value)| json!({ "fieldId": column, "newValue": value }))
        .collect();
    change(
        id,
        json!({ "type": "update", "recordId": row, "changes": fields }),
        more,
    )
}

pub fn change(id: u64, what: Json, more: Json) -> Json {
    let mut all = json!({ "changeId": format!("{NOW_MS}-{id}"), "tableId": "t" });
    for part in [what, more] {
        let part = part.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(part);
    }
    all
}

pub fn wish(change: Json) -> Wish {
    Wish::new(Ask::Record(RecordChange::read(change).unwrap())).unwrap()
}

pub fn batch(id: u64, items: Json, more: Json) -> Wish {
    let batch = BatchChanges::read(change(id, json!({ "changes": items }), more)).unwrap();
    Wish::new(Ask::Batch(batch)).unwrap()
}

/// A room with a table of a number (`cA`), a text (`cB`), a longtext (`cL`) and a counter (`cN`), and rows `b.r0` and on.
pub struct Desk {
    pub house: House,
}

impl Desk {
    pub fn new(rows: usize) -> Self {
        let desk = Self { house: House::new() };
        desk.edit(|tx| table::create(tx, "T").map_err(|_| automerge::AutomergeError::Fail));
        let columns = [("cA", "number"), ("cB", "text"), ("cL", "longtext"), ("cN", "counter")];
        let columns =
            columns.map(|(id, kind)| json!({ "op": "addColumn", "column": { "id": id, "name": id, "kind": kind } }));
        let rows: Vec<_> = (0..rows).map(|n| json!({ "id": format!("b.r{n}") })).collect();
        let mut items = columns.to_vec();
        items.push(json!({ "op": "insertRows", "rows": rows }));
        desk.grace(vec![batch(1_000_000, json!(items), json!({}))]);
        desk
    }

    fn edit(
        &self,
        edit: impl FnOnce(&mut automerge::transaction::Transaction<'_>) -> Result<(), automerge::AutomergeError>,
    ) {
        let place = self.house.store.try_reserve(super::need()).unwrap();
        let done = self.house.room.edit(place, &writer("server"), Instant::now(), edit);
        done.unwrap();
    }

    pub fn grant_shown(&self, who: &str, wishes: &[Wish], shown: Option<Heads>) -> Granted {
        let place = self.house.store.try_reserve(need(wishes, 10_000)).unwrap();
        let stamp = Stamp {
            at: NOW_MS as i64,
            by: who.into(),
        };
        let hand = Hand {
            writer: &writer(who),
            stamp: &stamp,
            shown,
            now: Instant::now(),
        };
        let mut rng = SmallRng::seed_from_u64(self.house.room.end());
        self.house.room.grant(place, &hand, wishes, &mut rng).unwrap()
    }

    /// What Ada asks for, who may have been away.
    pub fn ada(&self, wishes: Vec<Wish>) -> Vec<Result<Accepted, NotTaken>> {
        self.grant_shown("ada", &wishes, None).value
    }

    /// What Grace asks for, who sees everything and is refused nothing.
    pub fn grace(&self, wishes: Vec<Wish>) {
        for granted in self.grant_shown("grace", &wishes, None).value {
            granted.unwrap();
        }
    }

    /// Grace writes a cell.
    pub fn grace_writes(&self, id: u64, row: &str, column: &str, value: Json) {
        self.grace(vec![wish(update(id, row, json!({ column: value }), json!({})))]);
    }

    pub fn look<T>(&self, look: impl FnOnce(&Document, &TableIndex) -> T) -> T {
        let seen = self.house.room.look_table(Instant::now(), look);
        seen.unwrap().value.unwrap()
    }

    pub fn heads(&self) -> Vec<ChangeHash> {
        self.look(|document, _| document.heads())
    }

    /// The present version, as `base` of a change.
    pub fn base(&self) -> Json {
        json!({ "base": version::of(&self.heads()) })
    }

    pub fn cell(&self, row: &str, column: &str) -> Json {
        let (row, column) = (RowId::parse(row).unwrap(), ColumnId::parse(column).unwrap());
        self.look(|document, index| {
            let column = index.column(&column).unwrap();
            cells::cell(document.automerge(), &row, column).unwrap().to_json()
        })
    }

    pub fn conflicts(&self) -> Conflicts {
        self.look(|document, index| conflicts(document.automerge(), index))
    }

    /// All values of a cell, sorted, if there are several.
    pub fn quarrel(&self, row: &str, column: &str) -> Vec<String> {
        let listed = self.conflicts().cells.into_iter();
        let cell = listed
            .into_iter()
            .find(|cell| cell.row.as_str() == row && cell.column.as_str() == column);
        let mut values: Vec<_> = cell
            .into_iter()
            .flat_map(|cell| cell.values)
            .map(|value| value.to_json().to_string())
            .collect();
        values.sort();
        values
    }
}

pub fn writer(who: &str) -> Writer {
    let author = Author {
        time: NOW_MS,
        user: Some(who.into()),
        device: format!("{who}'s laptop"),
        door: Door::Live,
    };
    Writer {
        author,
        connection: Some(ConnectionId(1)),
    }
}

#[track_caller]
fn accepted(told: &Result<Accepted, NotTaken>) -> &Accepted {
    told.as_ref().unwrap()
}

#[track_caller]
fn refused(told: &Result<Accepted, NotTaken>) -> (&Why, &str, &str) {
    let NotTaken { why, mistake } = told.as_ref().unwrap_err();
    (why, &mistake.field, &mistake.detail)
}

#[test]
fn a_change_sent_again_is_told_again_and_not_made_again() {
    let desk = Desk::new(1);
    let add = || {
        batch(
            1,
            json!([{ "op": "incrementCell", "row": "b.r0", "column": "cN", "by": 1 }]),
            json!({}),
        )
    };
    let told = desk.ada(vec![add(), add()]);
    let (first, again) = (accepted(&told[0]).clone(), accepted(&told[1]));
    assert!(!first.replayed && again.replayed);
    assert_eq!(
        *accepted(&desk.ada(vec![add()])[0]),
        Accepted {
            replayed: true,
            ..first.clone()
        }
    );
    desk.house.committer.step();
    assert_eq!(accepted(&desk.ada(vec![add()])[0]).changes, first.changes);
    let desk = Desk {
        house: desk.house.crash(Survives::Nothing),
    };
    assert_eq!(accepted(&desk.ada(vec![add()])[0]).version, first.version);
    assert_eq!(desk.cell("b.r0", "cN"), json!(1));
    let other = wish(update(1, "b.r0", json!({ "cA": 1 }), json!({})));
    let told = desk.ada(vec![other]);
    assert_eq!(refused(&told[0]).0, &Why::Key(KeyRefusal::Reused));
}

#[test]
fn many_ids_in_one_automerge_change_are_all_remembered() {
    let desk = Desk::new(20);
    let before = desk.house.room.end();
    let all = || {
        (0..20)
            .map(|n| wish(update(n, &format!("b.r{n}"), json!({ "cA": n }), json!({}))))
            .collect::<Vec<_>>()
    };
    let told = desk.ada(all());
    assert!(told.iter().all(|told| !accepted(told).replayed));
    assert_eq!(desk.house.room.end(), before + 1);
    desk.house.committer.step();
    let desk = Desk {
        house: desk.house.crash(Survives::Nothing),
    };
    let again = desk.ada(all());
    assert!(again.iter().all(|told| accepted(told).replayed));
    assert_eq!((desk.house.room.end(), desk.cell("b.r7", "cA")), (before + 1, json!(7)));
    let authors = desk
        .house
        .store
        .authors(desk.house.room.id(), before + 1..=before + 1)
        .unwrap();
    let author = &authors[0].1.author;
    assert_eq!((author.user.as_deref(), author.door), (Some("ada"), Door::Live));
}

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
            let actors: std::collections::HashSet<_> = changes.iter().map(|change| change.actor_id().clone()).collect();
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

fn of_row(id: u64, kind: &str, row: &str, more: Json) -> Wish {
    wish(change(id, json!({ "type": kind, "recordId": row }), more))
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
    assert_eq!((why, field), (&Why::Refused, "/recordId"));
    assert!(detail.contains("no row n.new yet"), "{detail}");
}

#[test]
fn one_that_is_refused_leaves_the_others() {
    let desk = Desk::new(3);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let nowhere = json!({ "base": "00".repeat(32) });
    let told = desk.ada(vec![
        wish(update(2, "b.r0", json!({ "cA": 5 }), base.clone())),
        wish(update(3, "b.r0", json!({ "cA": "five" }), base.clone())),
        wish(update(4, "b.r0", json!({ "cB": "y", "cX": 1 }), base.clone())),
        wish(update(5, "b.r1", json!({ "cB": "y", "cA": "five" }), base.clone())),
        wish(update(6, "b.r1", json!({ "cA": 7 }), base.clone())),
        wish(update(7, "b.none", json!({ "cA": 7 }), base.clone())),
        wish(update(8, "b.r2", json!({ "cA": 8 }), nowhere)),
        wish(update(9, "b.r2", json!({ "cA": 9 }), json!({ "base": "x" }))),
        wish(change(10, json!({ "type": "create", "recordId": "b.r0" }), json!({}))),
        wish(change(
            11,
            json!({ "type": "create", "recordId": "b.r9", "changes": [
            { "fieldId": "cB", "newValue": "z" }, { "fieldId": "cA", "newValue": false }] }),
            json!({}),
        )),
        wish(change(12, json!({ "type": "create", "recordId": "b.r9" }), json!({}))),
        wish(update(13, "b.r9", json!({ "cA": 1 }), json!({}))),
    ]);
    let what: Vec<_> = told
        .iter()
        .map(|told| told.as_ref().map(|_| ()).map_err(|not| not.mistake.field.as_str()))
        .collect();
    let expected = [
        Ok(()),
        Err("/changes/0/newValue"),
        Err("/changes/1/fieldId"),
        Err("/changes/0/newValue"),
        Ok(()),
        Err("/recordId"),
        Err("/base"),
        Err("/base"),
        Err("/recordId"),
        Err("/changes/1/newValue"),
        Ok(()),
        Ok(()),
    ];
    assert_eq!(what, expected);
    assert_eq!(refused(&told[6]).0, &Why::UnknownVersion);
    assert_eq!(
        (desk.cell("b.r1", "cB"), desk.cell("b.r1", "cA")),
        (Json::Null, json!(7))
    );
    assert_eq!(
        (desk.cell("b.r9", "cB"), desk.cell("b.r9", "cA")),
        (Json::Null, json!(1))
    );
    // What was refused is not remembered: it may be sent again, put right.
    assert!(desk.ada(vec![wish(update(3, "b.r2", json!({ "cA": 5 }), json!({})))])[0].is_ok());
}

#[test]
fn a_batch_is_one_thing() {
    let desk = Desk::new(2);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    let end = desk.house.room.end();
    let told = desk.ada(vec![batch(
        2,
        json!([
            { "op": "setCell", "row": "b.r0", "column": "cA", "value": 5 },
            { "op": "setCell", "row": "b.r1", "column": "cA", "value": "five" },
        ]),
        base.clone(),
    )]);
    assert_eq!(refused(&told[0]).1, "/changes/1");
    assert_eq!(desk.house.room.end(), end);
    let told = desk.ada(vec![batch(
        3,
        json!([
            { "op": "setCell", "row": "b.r0", "column": "cA", "value": 5 },
            { "op": "renameColumn", "column": "cB", "name": "Name" },
        ]),
        base.clone(),
    )]);
    assert_eq!(
        (refused(&told[0]).0, refused(&told[0]).1),
        (&Why::VersionChanged, "/changes/1")
    );
    let told = desk.ada(vec![batch(4, json!([
        { "type": "create", "changes": [{ "fieldId": "cA", "newValue": 8 }] },
        { "type": "update", "recordId": "b.r1", "changes": [{ "fieldId": "cA", "newValue": 6 }, { "fieldId": "cB", "newValue": "y" }] },
        { "op": "setCell", "row": "b.r0", "column": "cA", "value": 5 },
    ]), base)]);
    let told = accepted(&told[0]);
    assert!(told.merged);
    assert_eq!(told.outcomes.len(), 3);
    let row = &told.outcomes[0].rows.as_ref().unwrap()[0];
    assert_eq!((desk.cell(row, "cA"), desk.cell("b.r1", "cB")), (json!(8), json!("y")));
    assert_eq!(desk.quarrel("b.r0", "cA"), ["1", "5"]);
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

#[test]
fn what_the_disk_did_not_take_is_not_told() {
    let desk = Desk::new(1);
    let base = desk.base();
    desk.grace_writes(1, "b.r0", "cA", json!(1));
    desk.house.committer.step();
    desk.house.engine.fail_sync_after(0);
    let wishes = [wish(update(2, "b.r0", json!({ "cA": 5 }), base))];
    let granted = desk.grant_shown("ada", &wishes, None);
    desk.house.committer.step();
    let saved = futures_util::FutureExt::now_or_never(desk.house.room.until_saved(granted.seen()));
    assert_eq!(saved, Some(false));
    desk.house.wake();
    assert_eq!((desk.cell("b.r0", "cA"), desk.heads().len()), (json!(1), 1));
}

#[test]
fn a_deleted_table_takes_nothing_and_tells_what_was_done() {
    let desk = Desk::new(1);
    let first = || wish(update(1, "b.r0", json!({ "cA": 1 }), json!({})));
    desk.ada(vec![first()]);
    let place = desk.house.store.try_reserve(super::need()).unwrap();
    desk.house
        .room
        .delete(place, &writer("grace"), Instant::now(), None)
        .unwrap();
    let told = desk.ada(vec![first(), wish(update(2, "b.r0", json!({ "cA": 2 }), json!({})))]);
    assert!(accepted(&told[0]).replayed);
    assert!(matches!(refused(&told[1]).0, Why::Deleted(tombstone) if tombstone.by == "grace"));
}

/// Everybody else takes the changes through their gates, and a saved document loads again.
#[test]
fn changes_of_earlier_versions_pass_the_gate_of_others() {
    let desk = Desk::new(4);
    let mut bases = Vec::new();
    for n in 0..12u64 {
        bases.push(desk.base());
        let row = format!("b.r{}", n % 4);
        desk.grace(vec![wish(update(
            n,
            &row,
            json!({ "cA": n, "cL": format!("text {n}") }),
            json!({}),
        ))]);
    }
    for (n, base) in (100..).zip(bases) {
        let row = format!("b.r{}", n % 4);
        let mine = json!({ "cA": -(n as i64), "cB": "x", "cL": format!("mine {n}"), "cN": n });
        let told = desk.ada(vec![
            wish(update(n, &row, mine, base.clone())),
            of_row(n + 100, "delete", &row, base),
        ]);
        assert!(told.iter().all(Result::is_ok), "{told:?}");
    }
    desk.look(|document, index| {
        let mut other = Document::empty(ActorId::from([7; 16]));
        for change in document.automerge().get_changes(&[]) {
            let verdict = roundtable::sync::gate::admit(&other, &change, &GateLimits::default());
            assert_eq!(verdict, roundtable::sync::gate::Admission::Ready);
            other.apply(&[change]).unwrap();
        }
        let loaded = automerge::Automerge::load(&document.save()).unwrap();
        for copy in [other.automerge(), &loaded] {
            assert_eq!(copy.get_heads(), document.heads());
            let built = TableIndex::build(copy).unwrap();
            assert_eq!(built.rows(), index.rows());
            assert_eq!(conflicts(copy, &built), conflicts(document.automerge(), index));
        }
    });
}
