//! Changes of the live door: made once, whole or not at all, and told when they are on disk.

use std::time::Instant;

use automerge::ActorId;
use roundtable::document::author::Door;
use roundtable::document::crdt::Document;
use roundtable::document::table::TableIndex;
use roundtable::document::table::conflicts::conflicts;
use roundtable::room::KeyRefusal;
use roundtable::room::live::{Accepted, Why};
use roundtable::store::memory::Survives;
use roundtable::sync::gate::{self, Admission, GateLimits};
use serde_json::{Value as Json, json};

use super::desk::{Desk, accepted, batch, change, of_row, refused, update, wish, writer};

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
    let desk = desk.crash(Survives::Nothing);
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
    let desk = desk.crash(Survives::Nothing);
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
            let verdict = gate::admit(&other, &change, &GateLimits::default());
            assert_eq!(verdict, Admission::Ready);
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
