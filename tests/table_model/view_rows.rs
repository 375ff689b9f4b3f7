//! Rows of a view that follow the table are the rows of the view evaluated anew, whatever is done to the table.
//!
//! Random histories of one table with many views: cells of every encoding, fitting and not, rows that come, go, move, are
//! marked, taken away and made again by other hands, whole blocks, columns and options; some of it at once on two replicas.
//!
//! One history by hand: `VIEW_ROWS_SEED=17 cargo test --test table_model view_rows`.

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::{Transactable, Transaction};
use automerge::{ActorId, Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::document::table::{ColumnId, RowId, TableIndex};
use roundtable::document::view::{View, ViewRows, evaluate, read_all};
use serde_json::json;

use crate::view_fixture::{build, put, put_cell};
use crate::view_random::{KINDS, OPTIONS, column_id, order, random_cell, random_table, random_view};

const VIEWS: usize = 8;

#[test]
fn rows_that_follow_are_the_rows_of_the_view() {
    if let Some(seed) = std::env::var("VIEW_ROWS_SEED").ok().map(|text| text.parse().unwrap()) {
        return history(seed, 30, 60);
    }
    for seed in 0..15 {
        history(seed, 30, 60);
    }
}

/// Enough rows for many to be touched at once and still be few among all.
#[test]
fn many_rows_at_once_are_put_in_their_places() {
    for seed in 1000..1002 {
        history(seed, 2_500, 8);
    }
}

/// What the changes of a step have touched.
#[derive(Default, Clone)]
struct Touched {
    rows: BTreeSet<RowId>,
    /// Rows of which only cells were written, of these columns.
    cells: BTreeMap<RowId, BTreeSet<ColumnId>>,
    columns: bool,
}

impl Touched {
    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        for (row, columns) in other.cells {
            self.cells.entry(row).or_default().extend(columns);
        }
        self.columns |= other.columns;
    }

    /// The rows that a view must hear of.
    fn of(&self, rows: &ViewRows) -> Vec<&RowId> {
        let deciding = |columns: &BTreeSet<ColumnId>| columns.iter().any(|column| rows.decides(column));
        let by_cells = self.cells.iter().filter(|(_, columns)| deciding(columns));
        self.rows.iter().chain(by_cells.map(|(row, _)| row)).collect()
    }
}

fn history(seed: u64, rows: usize, steps: usize) {
    println!("VIEW_ROWS_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut document = Automerge::new().with_actor(ActorId::from(seed.to_be_bytes()));
    let done = document.transact::<_, _, AutomergeError>(|tx| {
        build(tx, &random_table(&mut rng, rows), &random_view(&mut rng))?;
        let (_, views) = tx.get(ROOT, "views")?.expect("just made");
        (2..=VIEWS).try_for_each(|number| put(tx, &views, &format!("v{number}"), &random_view(&mut rng)))
    });
    done.unwrap();
    let views: Vec<View> = read_all(&document).into_iter().map(|stored| stored.view).collect();
    assert_eq!(views.len(), VIEWS);
    let mut index = TableIndex::build(&document).unwrap();
    let build = |document: &Automerge, index: &TableIndex| -> Vec<ViewRows> {
        views
            .iter()
            .map(|view| ViewRows::build(document, index, view))
            .collect()
    };
    let mut kept = build(&document, &index);
    for step in 0..steps {
        let before = document.clone();
        let touched = step_of(&mut document, &mut rng, seed * 1000 + step as u64);
        index.follow(&document).unwrap();
        for rows in &mut kept {
            let old = rng.random_bool(0.1).then(|| rows.clone());
            if touched.columns && !rows.follow_columns(index.columns()) {
                *rows = ViewRows::build(&document, &index, rows.view());
            } else {
                let touched = touched.of(rows);
                rows.follow(&document, &index, touched);
                if let Some(old) = &old {
                    check_old_places(&before, old, rows);
                }
            }
            check(&document, &index, rows);
        }
    }
}

fn check(document: &Automerge, index: &TableIndex, rows: &ViewRows) {
    let shown = evaluate(document, index, rows.view());
    let found: Vec<_> = rows.rows(0..usize::MAX).cloned().collect();
    assert_eq!(found, shown.rows, "{:?}", rows.view());
    assert_eq!((rows.len(), rows.is_empty()), (shown.rows.len(), shown.rows.is_empty()));
    assert_eq!(rows.columns(), shown.columns);
    assert_eq!(rows.skipped(), shown.skipped);
    assert_eq!(rows.heads(), document.get_heads());
    for (at, row) in shown.rows.iter().enumerate() {
        assert_eq!(rows.position(&row.id), Some(at));
        assert_eq!(rows.search(rows.key_at(at)), Ok(at));
        assert!(at == 0 || rows.key_at(at - 1) < rows.key_at(at));
    }
    for row in index.rows() {
        let place = rows.place(document, row);
        let at = rows.position(&row.id);
        assert_eq!(place.as_ref(), at.map(|at| rows.key_at(at)));
        assert_eq!(place.is_some(), shown.rows.contains(row));
    }
}

/// Rows asked for in the version of before have the keys that they had then.
fn check_old_places(before: &Automerge, old: &ViewRows, now: &ViewRows) {
    for row in old.rows(0..usize::MAX) {
        let at = old.position(&row.id).unwrap();
        assert_eq!(now.place(before, row).as_ref(), Some(old.key_at(at)));
    }
}

/// One step: a few edits, now and then many, now and then on two replicas that merge.
fn step_of(document: &mut Automerge, rng: &mut SmallRng, number: u64) -> Touched {
    let many = [1, 1, 2, 5, 100].choose(rng).copied().unwrap();
    let mut touched = Touched::default();
    if rng.random_bool(0.2) {
        let mut other = document.clone().with_actor(ActorId::from(number.to_be_bytes()));
        touched.add(edits(&mut other, rng, many));
        touched.add(edits(document, rng, many));
        document.merge(&mut other).unwrap();
    } else {
        touched.add(edits(document, rng, many));
    }
    touched
}

fn edits(document: &mut Automerge, rng: &mut SmallRng, count: usize) -> Touched {
    let mut touched = Touched::default();
    let done = document.transact::<_, _, AutomergeError>(|tx| {
        (0..count).try_for_each(|_| {
            touched.add(edit(tx, rng)?);
            Ok(())
        })
    });
    done.unwrap();
    touched
}

/// All rows of the document as maps, of all blocks.
fn rows_of(tx: &impl ReadDoc) -> Vec<(ObjId, RowId, ObjId)> {
    let (_, blocks) = tx.get(ROOT, "blocks").unwrap().unwrap();
    let blocks: Vec<_> = tx.map_range(&blocks, ..).map(|block| block.id()).collect();
    let inside = blocks.into_iter().flat_map(|block| {
        let rows = tx.map_range(&block, ..).map(|row| (row.key.to_string(), row.id()));
        rows.map(|(name, row)| (block.clone(), RowId::parse(&name).unwrap(), row))
            .collect::<Vec<_>>()
    });
    inside.collect()
}

fn edit(tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<Touched, AutomergeError> {
    let mut touched = Touched::default();
    let rows = rows_of(tx);
    let chosen = rows.choose(rng).cloned();
    let Some((block, id, row)) = chosen.filter(|_| rng.random_bool(0.9)) else {
        touched.rows.insert(new_row(tx, rng)?);
        return Ok(touched);
    };
    match rng.random_range(0..100) {
        0..60 => {
            let column = write_cell(tx, rng, &row)?;
            touched.cells.entry(id).or_default().insert(column);
            return Ok(touched);
        }
        60..70 => match rng.random_range(0..4) {
            0 => put(tx, &row, "deleted", &json!({ "at": 5, "by": "Eve" }))?,
            1 => tx.put(&row, "deleted", true)?,
            _ => tx.delete(&row, "deleted")?,
        },
        70..82 => tx.put(&row, "order", order(rng))?,
        82..84 => {
            let text = tx.put_object(&row, "order", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, &order(rng))?;
        }
        84..88 => tx.delete(&block, id.as_str())?,
        // The same row made anew: another object under the same name.
        88..91 => {
            let row = tx.put_object(&block, id.as_str(), ObjType::Map)?;
            tx.put(&row, "order", order(rng))?;
            write_cell(tx, rng, &row)?;
        }
        91 => {
            let (_, blocks) = tx.get(ROOT, "blocks")?.expect("a table has blocks");
            tx.delete(&blocks, id.block())?;
            let gone = rows.iter().map(|(_, id, _)| id);
            touched
                .rows
                .extend(gone.filter(|other| other.block() == id.block()).cloned());
        }
        _ => {
            touched.columns = true;
            change_column(tx, rng)?;
            return Ok(touched);
        }
    }
    touched.rows.insert(id);
    Ok(touched)
}

/// A row, in a block that is there or a new one.
fn new_row(tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<RowId, AutomergeError> {
    let (_, blocks) = tx.get(ROOT, "blocks")?.expect("a table has blocks");
    let name = *["b", "b", "b", "other", "third"].choose(rng).unwrap();
    let block = match tx.get(&blocks, name)? {
        Some((_, block)) => block,
        None => tx.put_object(&blocks, name, ObjType::Map)?,
    };
    let id = RowId::parse(&format!("{name}.n{}", rng.random_range(0..1_000_000))).unwrap();
    let row = tx.put_object(&block, id.as_str(), ObjType::Map)?;
    tx.put(&row, "order", order(rng))?;
    for _ in 0..6 {
        write_cell(tx, rng, &row)?;
    }
    Ok(id)
}

/// Writes into a cell, on top of what is there or as something else.
fn write_cell(tx: &mut Transaction<'_>, rng: &mut SmallRng, row: &ObjId) -> Result<ColumnId, AutomergeError> {
    let at = rng.random_range(0..KINDS.len());
    let (name, kind) = (column_id(at), KINDS[at]);
    let there = tx.get(row, name.as_str())?;
    match (rng.random_range(0..10), there) {
        (0, _) => tx.delete(row, name.as_str())?,
        (1, Some((value, _))) if value.is_scalar() && kind == "counter" => {
            // Only a counter counts.
            let _ = tx.increment(row, name.as_str(), 3);
        }
        (1..4, Some((automerge::Value::Object(ObjType::Text), text))) => tx.splice_text(&text, 0, 0, "b")?,
        (1..4, Some((automerge::Value::Object(ObjType::Map), ids))) => tx.put(&ids, OPTIONS[at % 3], true)?,
        (4, _) => {
            let other = KINDS.choose(rng).unwrap();
            put_cell(tx, row, &name, &random_cell(rng, other))?
        }
        _ => put_cell(tx, row, &name, &random_cell(rng, kind))?,
    }
    Ok(ColumnId::parse(&name).unwrap())
}

fn change_column(tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
    let (_, columns) = tx.get(ROOT, "columns")?.expect("a table has columns");
    let name = column_id(rng.random_range(0..KINDS.len()));
    let Some((_, column)) = tx.get(&columns, name.as_str())? else {
        return put(
            tx,
            &columns,
            &name,
            &json!({ "name": "Back", "kind": "text", "order": "a3" }),
        );
    };
    match rng.random_range(0..10) {
        0..2 => tx.put(&column, "name", "Renamed"),
        2 => tx.put(&column, "width", 120),
        3..5 => tx.put(&column, "order", order(rng)),
        5 => tx.put(&column, "kind", *KINDS.choose(rng).unwrap()),
        6 => put(tx, &column, "deleted", &json!({ "at": 1 })),
        7 if tx.get(&column, "deleted")?.is_some() => tx.delete(&column, "deleted"),
        8 if rng.random_bool(0.2) => tx.delete(&columns, name.as_str()),
        _ => change_option(tx, rng, &columns),
    }
}

/// Options of a select column change their order, their names, and come and go.
fn change_option(tx: &mut Transaction<'_>, rng: &mut SmallRng, columns: &ObjId) -> Result<(), AutomergeError> {
    let name = *["c4", "c5"].choose(rng).unwrap();
    let Some((_, column)) = tx.get(columns, name)? else {
        return Ok(());
    };
    let Some((_, options)) = tx.get(&column, "options")? else {
        return put(tx, &column, "options", &json!({ "oA": { "name": "A", "order": "a0" } }));
    };
    let id = *OPTIONS.choose(rng).unwrap();
    match tx.get(&options, id)? {
        None => put(tx, &options, id, &json!({ "name": id, "order": order(rng) })),
        Some(_) if rng.random_bool(0.1) => tx.delete(&options, id),
        Some((_, option)) if rng.random_bool(0.8) => tx.put(&option, "order", order(rng)),
        Some((_, option)) => tx.put(&option, "name", "Other"),
    }
}
