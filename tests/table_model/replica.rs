//! One person's copy of a table, with the index that follows it.

use automerge::{ActorId, Automerge, ObjId, ReadDoc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::table::batch::{edit, slices};
use roundtable::document::table::cells;
use roundtable::document::table::{
    self, ColumnDraft, ColumnId, Kind, NewRow, Outcome, Place, Plan, Reading, Refused, RowId, Stamp, TableEdit,
    TableIndex,
};
use serde_json::Value as Json;

pub struct Replica {
    pub document: Automerge,
    pub index: TableIndex,
    pub rng: SmallRng,
    pub stamp: Stamp,
}

impl Replica {
    /// A table with the columns and empty rows given.
    pub fn new(seed: u64, kinds: &[Kind], rows: usize) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let column = |(number, kind): (usize, &Kind)| TableEdit::AddColumn {
            at: Place::End,
            column: ColumnDraft {
                id: None,
                name: format!("Column {number}"),
                kind: kind.clone(),
                width: None,
                options: Vec::new(),
            },
        };
        let mut edits: Vec<_> = kinds.iter().enumerate().map(column).collect();
        edits.push(TableEdit::InsertRows {
            at: Place::End,
            rows: vec![NewRow::default(); rows],
        });
        let mut document = Automerge::new().with_actor(actor(seed, 0));
        document.transact(|tx| table::create(tx, "Model")).unwrap();
        let mut index = TableIndex::build(&document).unwrap();
        for slice in slices(edits, &mut rng) {
            let done = document.transact(|tx| edit(tx, &index, &slice, &stamp(0), &mut rng));
            done.map_err(|failed| failed.error).unwrap();
            index.follow(&document).unwrap();
        }
        Self {
            document,
            index,
            rng,
            stamp: stamp(0),
        }
    }

    /// Another person with the same table.
    pub fn fork(&self, number: u8) -> Self {
        let mut rng = self.rng.clone();
        for _ in 0..number {
            rng.random::<u64>();
        }
        let seed = rng.random();
        Self {
            document: self.document.clone().with_actor(actor(seed, number)),
            index: self.index.clone(),
            rng: SmallRng::seed_from_u64(seed),
            stamp: stamp(number),
        }
    }

    /// Does edits as one change.
    pub fn edit(&mut self, edits: &[TableEdit]) -> Result<Vec<Outcome>, Refused> {
        let plan = Plan::new(&self.document, &self.index, edits, &self.stamp, &mut self.rng)?;
        self.document.transact(|tx| plan.write(tx)).unwrap();
        self.index.follow(&self.document).unwrap();
        Ok(plan.outcomes().to_vec())
    }

    pub fn merge(&mut self, other: &Self) {
        let changes = self.document.get_changes_added(&other.document);
        self.document.apply_changes(changes.iter().cloned()).unwrap();
        self.index.follow_changes(&self.document, &changes).unwrap();
    }

    pub fn column(&self, at: usize) -> ColumnId {
        self.index.live_columns().nth(at).unwrap().id.clone()
    }

    pub fn row(&self, at: usize) -> RowId {
        self.index.live()[at].id.clone()
    }

    pub fn reading(&self, row: &RowId, column: &ColumnId) -> Reading {
        cells::cell(&self.document, row, self.index.column(column).unwrap()).unwrap()
    }

    pub fn json(&self, row: &RowId, column: &ColumnId) -> Json {
        self.reading(row, column).to_json()
    }

    /// What lies under a key of a row, all of it: the operations and what they made.
    pub fn stored(&self, object: &ObjId, name: &str) -> Vec<(automerge::Value<'_>, ObjId)> {
        self.document.get_all(object, name).unwrap()
    }

    /// The index that follows is the index that is built anew.
    pub fn check_index(&self) {
        let built = TableIndex::build(&self.document).unwrap();
        assert_eq!(self.index.heads(), built.heads());
        assert_eq!(self.index.title(), built.title());
        assert_eq!(self.index.columns(), built.columns());
        assert_eq!(self.index.rows(), built.rows());
        assert_eq!(self.index.live(), built.live());
        for row in built.rows() {
            assert_eq!(self.index.row(&row.id), Some(row));
            assert_eq!(self.index.block_rows(row.id.block()), built.block_rows(row.id.block()));
        }
        for (at, row) in built.live().iter().enumerate() {
            assert_eq!(self.index.position(&row.id), Some(at));
        }
    }
}

fn actor(seed: u64, number: u8) -> ActorId {
    let bytes: Vec<u8> = seed.to_be_bytes().into_iter().chain([number]).collect();
    ActorId::from(bytes)
}

fn stamp(number: u8) -> Stamp {
    Stamp {
        at: 1_700_000_000_000 + i64::from(number),
        by: format!("person {number}"),
    }
}
