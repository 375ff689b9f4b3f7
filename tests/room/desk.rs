//! A room with a table, and two people who write through the live door: Ada, who may have been away, and Grace.

use std::time::Instant;

use automerge::ChangeHash;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::author::{Author, Door};
use roundtable::document::crdt::Document;
use roundtable::document::table::conflicts::{Conflicts, conflicts};
use roundtable::document::table::{self, ColumnId, RowId, Stamp, TableIndex, cells};
use roundtable::id::ConnectionId;
use roundtable::room::Writer;
use roundtable::room::live::{Accepted, Granted, Hand, NotTaken, Why, Wish, need};
use roundtable::store::memory::Survives;
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

    /// The desk after a crash of the machine.
    pub fn crash(&self, survives: Survives) -> Self {
        Self {
            house: House::on(self.house.engine.crash(survives), self.house.limits),
        }
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
pub fn accepted(told: &Result<Accepted, NotTaken>) -> &Accepted {
    told.as_ref().unwrap()
}

#[track_caller]
pub fn refused(told: &Result<Accepted, NotTaken>) -> (&Why, &str, &str) {
    let NotTaken { why, mistake } = told.as_ref().unwrap_err();
    (why, &mistake.field, &mistake.detail)
}

pub fn of_row(id: u64, kind: &str, row: &str, more: Json) -> Wish {
    wish(change(id, json!({ "type": kind, "recordId": row }), more))
}
