//! Lists of edits planned together: they come to the same as one after the other, those that are refused included.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::document::table::batch::Planning;
use roundtable::document::table::{Kind, NewRow, Place, RowId, TableEdit, TableIndex, cells};
use serde_json::json;

use crate::edits::set;
use crate::replica::Replica;

/// Rows that may be there, by few enough names that edits meet.
fn row(random: &mut SmallRng) -> RowId {
    RowId::parse(&format!("b.r{}", random.random_range(0..10))).unwrap()
}

fn rows(random: &mut SmallRng) -> Vec<RowId> {
    (0..random.random_range(1..3)).map(|_| row(random)).collect()
}

fn place(random: &mut SmallRng) -> Place<RowId> {
    match random.random_range(0..5) {
        0 => Place::Start,
        1 => Place::End,
        2 => Place::Index(random.random_range(0..8)),
        3 => Place::Before(row(random)),
        _ => Place::After(row(random)),
    }
}

fn any_edit(replica: &Replica, random: &mut SmallRng) -> TableEdit {
    let column = replica.column(random.random_range(0..2));
    match random.random_range(0..10) {
        0..4 => {
            let value = *[5, 6, 7].choose(random).unwrap();
            let new = NewRow {
                id: Some(row(random)),
                // Of a text column it is refused.
                cells: vec![(column, json!(value))],
            };
            let rows = vec![new];
            let at = place(random);
            TableEdit::InsertRows { at, rows }
        }
        4 | 5 => TableEdit::MoveRows {
            rows: rows(random),
            to: place(random),
        },
        6 => TableEdit::DeleteRows(rows(random)),
        7 => TableEdit::RestoreRows(rows(random)),
        _ => set(&row(random), &column, json!(random.random_range(0..9))),
    }
}

#[test]
fn lists_planned_together_come_to_the_same_as_one_after_the_other() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..300 {
        println!("seed {seed}");
        let random = &mut SmallRng::seed_from_u64(seed);
        let base = Replica::new(seed, &[Kind::Number, Kind::Number, Kind::Text], 3);
        let (mut apart, mut together) = (base.fork(1), base.fork(2));
        together.stamp = apart.stamp.clone();
        let lists: Vec<Vec<_>> = (0..30)
            .map(|_| {
                (0..random.random_range(1..4))
                    .map(|_| any_edit(&base, random))
                    .collect()
            })
            .collect();
        let mut planning = Planning::now(&together.document, &together.index, &together.stamp, &mut together.rng);
        for list in &lists {
            let (one, all) = (apart.edit(list), planning.plan_all(list));
            match (one, all) {
                (Ok(one), Ok(all)) => {
                    assert_eq!(one, all, "{list:?}");
                    taken += 1;
                }
                (Err(one), Err(all)) => {
                    assert_eq!(one.to_string(), all.to_string(), "{list:?}");
                    refused += 1;
                }
                (one, all) => panic!("{list:?} comes to {one:?}, with others to {all:?}"),
            }
        }
        let before = together.document.get_changes(&[]).len();
        let plan = planning.finish();
        together.document.transact(|tx| plan.write(tx)).unwrap();
        assert!(together.document.get_changes(&[]).len() <= before + 1);
        together.index.follow(&together.document).unwrap();
        assert_eq!(shown(&together), shown(&apart));
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 1_000 && refused > 1_000, "the test is about nothing");
}

/// The rows in order: their ids, orders, marks and cells.
fn shown(replica: &Replica) -> Vec<String> {
    let built = TableIndex::build(&replica.document).unwrap();
    let row = |row: &std::sync::Arc<roundtable::document::table::RowEntry>| {
        let cells = cells::row(&replica.document, &row.id, replica.index.columns()).unwrap();
        format!("{} {} {:?} {:?}", row.id, row.order, row.deleted, cells.cells)
    };
    built.rows().iter().map(row).collect()
}
