//! The random test of changes from offline: nothing that was accepted is missing unless somebody who had seen it wrote there
//! again, and nobody who had seen nothing takes anything away.
//!
//! Grace is always there and sees everything. Ada is away: she sends messages of changes based on what she last saw, on
//! older versions, on values, or on nothing; the answers are lost now and then, and she sends all of it again with more.
//! Beside them stands a model of single cells: which of the values written there nobody has overwritten who had seen them.
//!
//! More by hand, all histories or one: `OFFLINE_SEEDS=5000 cargo test --test room offline`, `OFFLINE_SEED=17 ...`.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, ChangeHash, ReadDoc};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::document::crdt::Document;
use roundtable::document::table::{RowId, cells};
use roundtable::room::live::{Accepted, NotTaken, Wish};
use roundtable::store::memory::Survives;
use roundtable::wire::version;
use serde_json::{Value as Json, json};

use super::desk::{Desk, change, update, wish};

const ROWS: usize = 4;
const COLUMNS: [&str; 2] = ["cA", "cC"];

type Cell = (String, &'static str);

/// What Ada says she has seen.
#[derive(Debug, Clone)]
enum Saw {
    Nothing,
    Version(Vec<ChangeHash>),
    Value(Option<i64>),
}

/// One change that Ada has made and was not told of.
#[derive(Debug, Clone)]
struct Made {
    id: u64,
    cell: Cell,
    /// Another cell of the row that it writes as well.
    also: Option<Cell>,
    what: What,
    saw: Saw,
    accepted: bool,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Writes(i64),
    Marks(&'static str),
}

#[derive(Default)]
struct Figures {
    accepted: usize,
    merged: usize,
    replayed: usize,
    refused: usize,
    conflicts: usize,
}

struct World {
    desk: Desk,
    random: SmallRng,
    next: u64,
    /// The values of each cell that nobody has overwritten who had seen them.
    alive: BTreeMap<Cell, BTreeSet<i64>>,
    /// All versions there were.
    versions: Vec<Vec<ChangeHash>>,
    waiting: Vec<Made>,
    /// The version that Ada saw last.
    seen: Vec<ChangeHash>,
    figures: Figures,
}

impl World {
    fn new(seed: u64) -> Self {
        let desk = Desk::new(ROWS);
        desk.grace(vec![super::desk::batch(
            900_000,
            json!([{ "op": "addColumn", "column": { "id": "cC", "name": "cC", "kind": "number" } }]),
            json!({}),
        )]);
        let seen = desk.heads();
        Self {
            desk,
            random: SmallRng::seed_from_u64(seed),
            next: 1,
            alive: BTreeMap::new(),
            versions: vec![seen.clone()],
            waiting: Vec::new(),
            seen,
            figures: Figures::default(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn any_cell(&mut self) -> Cell {
        let row = format!("b.r{}", self.random.random_range(0..ROWS));
        (row, COLUMNS.choose(&mut self.random).copied().unwrap())
    }

    fn note_version(&mut self) {
        let heads = self.desk.heads();
        if self.versions.last() != Some(&heads) {
            self.versions.push(heads);
        }
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..40 => self.grace_writes(),
            40..46 => self.grace_marks(),
            46..80 => self.ada_changes(),
            80..94 => self.ada_sends(),
            94..97 => self.ada_looks(),
            _ => self.disk(),
        }
        self.note_version();
    }

    fn grace_writes(&mut self) {
        let ((row, column), id) = (self.any_cell(), self.number());
        let wrote = self.desk.grant_shown(
            "grace",
            &[wish(update(id, &row, json!({ column: id }), json!({})))],
            None,
        );
        // She sees what is there, and takes its place; unless the row is deleted.
        if wrote.value[0].is_ok() {
            self.alive.insert((row, column), BTreeSet::from([id as i64]));
        }
    }

    fn grace_marks(&mut self) {
        let (row, id) = (self.any_cell().0, self.number());
        let kind = ["delete", "restore", "restore"].choose(&mut self.random).unwrap();
        self.desk.grace(vec![wish(change(
            id,
            json!({ "type": kind, "recordId": row }),
            json!({}),
        ))]);
    }

    /// Ada changes a cell where she is, or goes over to what she has changed before.
    fn ada_changes(&mut self) {
        let cell = match self.waiting.choose(&mut self.random) {
            Some(before) if self.random.random_bool(0.3) => before.cell.clone(),
            _ => self.any_cell(),
        };
        let id = self.number();
        // What stands for a version is looked for before the marks of the same message are written.
        let of_row = |made: &&Made| made.cell.0 == cell.0;
        let is_marked = self
            .waiting
            .iter()
            .filter(of_row)
            .any(|made| matches!(made.what, What::Marks(_)));
        let is_by_value = self
            .waiting
            .iter()
            .filter(of_row)
            .any(|made| matches!(made.saw, Saw::Value(_)));
        let what = match self.random.random_range(0..8) {
            0 if !is_by_value => What::Marks(["delete", "restore", "restore"].choose(&mut self.random).unwrap()),
            _ => What::Writes(id as i64),
        };
        let saw = match self.random.random_range(0..10) {
            0 => Saw::Nothing,
            1 => Saw::Version(self.versions.choose(&mut self.random).unwrap().clone()),
            2..5 if !is_marked && matches!(what, What::Writes(_)) => Saw::Value(self.shown(&cell, &self.seen)),
            _ => Saw::Version(self.seen.clone()),
        };
        let is_double = !matches!(saw, Saw::Value(_)) && self.random.random_bool(0.3);
        let other = COLUMNS.iter().find(|column| **column != cell.1);
        let also = (cell.0.clone(), *other.unwrap());
        self.waiting.push(Made {
            id,
            also: Some(also).filter(|_| is_double),
            cell,
            what,
            saw,
            accepted: false,
        });
    }

    fn ada_looks(&mut self) {
        if self.waiting.is_empty() {
            self.seen = self.desk.heads();
        }
    }

    fn wish(made: &Made) -> Wish {
        let (row, column) = &made.cell;
        let mut wanted = match made.what {
            What::Writes(value) => {
                let columns = [Some(*column), made.also.as_ref().map(|also| also.1)];
                let fields = columns
                    .iter()
                    .flatten()
                    .map(|id| json!({ "fieldId": id, "newValue": value }));
                json!({ "type": "update", "recordId": row, "changes": fields.collect::<Vec<_>>() })
            }
            What::Marks(kind) => json!({ "type": kind, "recordId": row }),
        };
        match &made.saw {
            Saw::Nothing => {}
            Saw::Version(heads) => wanted["base"] = version::of(heads).into(),
            Saw::Value(value) => wanted["changes"][0]["oldValue"] = value.map_or(Json::Null, Json::from),
        }
        wish(change(made.id, wanted, json!({})))
    }

    fn ada_sends(&mut self) {
        let before = self.alive.clone();
        let message: Vec<_> = self.waiting.iter().map(Self::wish).collect();
        let seen: Vec<_> = self.waiting.iter().map(|made| self.what_was_seen(made)).collect();
        let told = self.desk.ada(message);
        self.check_refusals(&told);
        let stands_on: Vec<_> = told
            .iter()
            .map(|told| self.stands_on(told.as_ref().ok().and_then(|accepted| accepted.changes.first())))
            .collect();
        let mut own: BTreeMap<Cell, BTreeSet<i64>> = BTreeMap::new();
        for (((made, seen), told), stands_on) in self.waiting.iter_mut().zip(seen).zip(&told).zip(stands_on) {
            let accepted = match told {
                Err(why) => {
                    self.figures.refused += 1;
                    assert!(!made.accepted, "{why}");
                    continue;
                }
                Ok(accepted) => accepted,
            };
            assert_eq!(made.accepted, accepted.replayed, "it was done twice");
            made.accepted = true;
            self.figures.accepted += usize::from(!accepted.replayed);
            self.figures.replayed += usize::from(accepted.replayed);
            self.figures.merged += usize::from(accepted.merged && !accepted.replayed);
            let What::Writes(value) = made.what else { continue };
            for (cell, seen) in std::iter::once(&made.cell).chain(&made.also).zip(seen) {
                let written = own.entry(cell.clone()).or_default();
                if !accepted.replayed {
                    let goes = |value: &i64| match &made.saw {
                        Saw::Nothing => true,
                        // What she saw is what she had written.
                        Saw::Value(_) if !written.is_empty() => written.contains(value),
                        Saw::Value(shown) => {
                            let (shows, values) = &stands_on[cell];
                            assert_eq!(shows, shown, "{made:?} was written on what she had not seen");
                            values.contains(value)
                        }
                        Saw::Version(_) => seen.contains(value) || written.contains(value),
                    };
                    let alive = self.alive.entry(cell.clone()).or_default();
                    alive.retain(|value| !goes(value));
                    alive.insert(value);
                }
                written.insert(value);
            }
        }
        let what: Vec<_> = self.waiting.iter().zip(&told).collect();
        self.check(&format!("of {what:#?}\nbefore: {before:?}"));
        if self.random.random_bool(0.6) {
            // She was told.
            self.waiting.clear();
            if self.random.random_bool(0.7) {
                self.seen = self.desk.heads();
            }
        }
    }

    /// Who names a version in which the row was there is refused nothing, unless they deleted the row themselves.
    fn check_refusals(&self, told: &[Result<Accepted, NotTaken>]) {
        for (number, (made, told)) in self.waiting.iter().zip(told).enumerate() {
            let (Saw::Version(base), Err(why)) = (&made.saw, told) else {
                continue;
            };
            let row = &made.cell.0;
            let deletes = |other: &Made| other.cell.0 == *row && matches!(other.what, What::Marks("delete"));
            let object = self.object(row);
            let was_live = self.desk.look(|document, _| {
                let mark = document.automerge().get_at(&object, "deleted", base).unwrap();
                mark.is_none()
            });
            assert!(
                !was_live || self.waiting[..number].iter().any(deletes),
                "{made:?}: {why}"
            );
        }
    }

    /// The values that the author of a change has seen in the version that they name, by cell.
    fn what_was_seen(&self, made: &Made) -> Vec<BTreeSet<i64>> {
        let seen = |cell| match &made.saw {
            Saw::Version(heads) => self.values(cell, heads),
            Saw::Nothing | Saw::Value(_) => BTreeSet::new(),
        };
        std::iter::once(&made.cell).chain(&made.also).map(seen).collect()
    }

    /// What each cell shows and holds in the version that a change was written on.
    fn stands_on(&self, change: Option<&ChangeHash>) -> BTreeMap<Cell, (Option<i64>, BTreeSet<i64>)> {
        let Some(hash) = change else { return BTreeMap::new() };
        let change = self
            .desk
            .look(|document, _| document.automerge().get_change_by_hash(hash));
        let version = change.unwrap().deps().to_vec();
        let rows = (0..ROWS).map(|row| format!("b.r{row}"));
        let cells = rows.flat_map(|row| COLUMNS.map(|column| (row.clone(), column)));
        cells
            .map(|cell| {
                let what = (self.shown(&cell, &version), self.values(&cell, &version));
                (cell, what)
            })
            .collect()
    }

    fn object(&self, row: &str) -> automerge::ObjId {
        let row = RowId::parse(row).unwrap();
        self.desk
            .look(|document, _| cells::row_object(document.automerge(), &row))
            .unwrap()
    }

    fn values(&self, (row, column): &Cell, heads: &[ChangeHash]) -> BTreeSet<i64> {
        let object = self.object(row);
        self.desk.look(|document, _| {
            let all = document.automerge().get_all_at(&object, *column, heads).unwrap();
            all.iter().filter_map(|(value, _)| value.as_i64()).collect()
        })
    }

    fn shown(&self, (row, column): &Cell, heads: &[ChangeHash]) -> Option<i64> {
        let object = self.object(row);
        self.desk.look(|document, _| {
            let shown = document.automerge().get_at(&object, *column, heads).unwrap();
            shown.and_then(|(value, _)| value.as_i64())
        })
    }

    /// Every cell holds the values that nobody has overwritten who had seen them, and no others.
    fn check(&mut self, after: &str) {
        let heads = self.desk.heads();
        for row in 0..ROWS {
            for column in COLUMNS {
                let cell = (format!("b.r{row}"), column);
                let expected = self.alive.get(&cell).cloned().unwrap_or_default();
                self.figures.conflicts += usize::from(expected.len() > 1);
                assert_eq!(self.values(&cell, &heads), expected, "{cell:?} {after}");
            }
        }
    }

    fn disk(&mut self) {
        self.desk.house.committer.step();
        if self.random.random_bool(0.3) {
            self.desk = self.desk.crash(Survives::Nothing);
        }
    }
}

#[test]
fn nothing_that_was_accepted_is_lost_and_nobody_is_overwritten_unseen() {
    let number = |name: &str| std::env::var(name).ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = match number("OFFLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("OFFLINE_SEEDS").unwrap_or(100),
    };
    let mut all = Figures::default();
    for seed in seeds {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..80 {
            world.step();
        }
        world.check("in the end");
        world.desk.look(|document, _| {
            let mut other = Document::empty(ActorId::from([7; 16]));
            for change in document.automerge().get_changes(&[]) {
                other.apply(&[change]).unwrap();
            }
            assert_eq!(other.heads(), document.heads());
        });
        all.accepted += world.figures.accepted;
        all.merged += world.figures.merged;
        all.replayed += world.figures.replayed;
        all.refused += world.figures.refused;
        all.conflicts += world.figures.conflicts;
    }
    let Figures {
        accepted,
        merged,
        replayed,
        refused,
        conflicts,
    } = all;
    println!(
        "{accepted} accepted, {merged} of them merged, {replayed} told again, {refused} refused, {conflicts} conflicts"
    );
}
