//! What everybody did, kept beside the documents.
//!
//! An operation that puts something under a key has an id, and replaces what its author saw there. At the end exactly
//! those operations may be visible that nobody who saw them replaced; a text holds every letter that somebody put into it
//! and nobody took out, and a counter has counted every step. The ledger knows what was *meant*: that an edit of a
//! longtext goes into the text that is there, for instance, is held against the document when it is written down.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use automerge::{ObjId, ObjType, ReadDoc, ScalarValue, Value};
use roundtable::document::table::{ColumnId, Kind, RowId};
use serde_json::{Value as Json, json};

use crate::replica::Replica;

pub type CellName = (RowId, ColumnId);

/// What an operation made in a cell.
enum Made {
    Scalar(Json),
    Text {
        put: HashSet<char>,
        taken: HashSet<char>,
    },
    /// The operations that put ids into the map.
    Ids {
        put: HashMap<ObjId, String>,
        taken: HashSet<ObjId>,
    },
    Counter(i64),
}

#[derive(Default)]
pub struct Ledger {
    rows: HashSet<RowId>,
    columns: HashSet<ColumnId>,
    cells: HashMap<ObjId, (CellName, Made)>,
    marks: HashMap<ObjId, String>,
    /// Operations that somebody who saw them has replaced.
    replaced: HashSet<ObjId>,
    next: u32,
    /// What was written into each cell, kept when a single history is told.
    story: HashMap<CellName, Vec<String>>,
}

/// A cell before an edit: what somebody sees who is about to change it.
pub struct Before {
    shown: Option<(Shape, ObjId)>,
    visible: Vec<ObjId>,
    counters: Vec<ObjId>,
    ids: BTreeMap<String, Vec<ObjId>>,
    json: Json,
    kind: Kind,
}

#[derive(PartialEq, Clone, Copy)]
enum Shape {
    Text,
    Map,
    Counter,
    Scalar,
}

fn shape(value: &Value<'_>) -> Shape {
    match value {
        Value::Object(ObjType::Text) => Shape::Text,
        Value::Object(_) => Shape::Map,
        Value::Scalar(scalar) if matches!(scalar.as_ref(), ScalarValue::Counter(_)) => Shape::Counter,
        Value::Scalar(_) => Shape::Scalar,
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let visible: Vec<String> = self.visible.iter().map(ObjId::to_string).collect();
        let counters: Vec<String> = self.counters.iter().map(ObjId::to_string).collect();
        write!(
            f,
            "{} of kind {:?} (values {visible:?}, counters {counters:?})",
            self.json, self.kind
        )
    }
}

impl Before {
    pub fn look(replica: &Replica, (row, column): &CellName) -> Self {
        let object = &replica.index.row(row).unwrap().object;
        let stored = replica.stored(object, column.as_str());
        let shown = replica.document.get(object, column.as_str()).unwrap();
        let shown = shown.map(|(value, id)| (shape(&value), id));
        let mut ids: BTreeMap<String, Vec<ObjId>> = BTreeMap::new();
        if let Some((Shape::Map, map)) = &shown {
            for name in replica.document.keys(map) {
                let all = replica.stored(map, &name).into_iter().map(|(_, id)| id).collect();
                ids.insert(name, all);
            }
        }
        let counter = |(value, id): &(Value<'_>, ObjId)| (shape(value) == Shape::Counter).then(|| id.clone());
        Self {
            shown,
            counters: stored.iter().filter_map(counter).collect(),
            visible: stored.into_iter().map(|(_, id)| id).collect(),
            ids,
            json: replica.json(row, column),
            kind: replica.index.column(column).unwrap().kind.clone(),
        }
    }

    /// A cell of a row that was not there yet.
    pub fn nothing(replica: &Replica, (_, column): &CellName) -> Self {
        Self {
            shown: None,
            visible: Vec::new(),
            counters: Vec::new(),
            ids: BTreeMap::new(),
            json: Json::Null,
            kind: replica.index.column(column).unwrap().kind.clone(),
        }
    }

    pub fn json(&self) -> &Json {
        &self.json
    }
}

impl Ledger {
    /// A number nobody had before.
    pub fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// A letter nobody had before, a character of its own in every encoding.
    pub fn letter(&mut self) -> char {
        char::from_u32(0x20000 + self.number()).expect("there are 40,000 of them")
    }

    pub fn row_added(&mut self, row: &RowId) {
        assert!(self.rows.insert(row.clone()), "row {row} was made twice");
    }

    pub fn column_added(&mut self, column: &ColumnId) {
        assert!(self.columns.insert(column.clone()), "column {column} was made twice");
    }

    /// A mark, before and after somebody sets it or takes it away. `name` is of the row or column.
    pub fn marked(&mut self, name: &str, before: Vec<ObjId>, after: Vec<ObjId>) {
        self.replaced
            .extend(before.iter().filter(|mark| !after.contains(mark)).cloned());
        for mark in after {
            self.marks.entry(mark).or_insert_with(|| name.to_owned());
        }
    }

    /// A cell after somebody has made it `meant` (null: empty), by setting it or by a smaller edit.
    pub fn wrote(&mut self, replica: &Replica, cell: &CellName, before: Before, meant: &Json) {
        assert_eq!(
            replica.json(&cell.0, &cell.1),
            *meant,
            "{cell:?} of kind {:?}",
            before.kind
        );
        let after = Before::look(replica, cell);
        if std::env::var_os("TABLE_MODEL_SEED").is_some() {
            let line = format!("{}: {before} -> {after}, meant {meant}", replica.stamp.by);
            self.story.entry(cell.clone()).or_default().push(line);
        }
        let (old, new) = (before.shown.clone(), after.shown.clone());
        let merges = match before.kind {
            Kind::LongText => Some(Shape::Text),
            Kind::MultiSelect | Kind::Link => Some(Shape::Map),
            Kind::Counter => Some(Shape::Counter),
            _ => None,
        };
        let emptied_counter = before.kind == Kind::Counter && meant.is_null();
        // Emptying leaves the object that is there, whichever of the two.
        let emptied = meant.is_null() && matches!(merges, Some(Shape::Text | Shape::Map));
        if let (Some((shape, id)), false) = (&old, emptied_counter)
            && (Some(*shape) == merges || emptied && matches!(shape, Shape::Text | Shape::Map))
        {
            let there = new.as_ref().map(|(_, id)| id);
            assert_eq!(there, Some(id), "{cell:?}: what merges was replaced instead of changed");
            return self.changed(*shape, id.clone(), before, &after);
        }
        if old == new && before.visible == after.visible {
            // The same value again is no operation.
            return;
        }
        // The value that is shown, written again over a conflict, is no new operation; only the others go.
        self.replaced
            .extend(before.visible.iter().filter(|id| !after.visible.contains(id)).cloned());
        if old == new {
            return;
        }
        if let Some((shape, id)) = new {
            let made = match shape {
                Shape::Scalar => Made::Scalar(meant.clone()),
                Shape::Counter => Made::Counter(meant.as_i64().unwrap()),
                Shape::Text => Made::Text {
                    put: letters(meant),
                    taken: HashSet::new(),
                },
                Shape::Map => Made::Ids {
                    put: after
                        .ids
                        .into_iter()
                        .flat_map(|(name, ids)| ids.into_iter().map(move |id| (id, name.clone())))
                        .collect(),
                    taken: HashSet::new(),
                },
            };
            self.cells.insert(id, (cell.clone(), made));
        }
    }

    /// Something that merges was changed in place.
    fn changed(&mut self, shape: Shape, id: ObjId, before: Before, after: &Before) {
        if shape == Shape::Counter {
            let step = after.json.as_i64().unwrap() - before.json.as_i64().unwrap();
            // A step goes to every counter that is seen, and replaces what is none.
            let gone = |id: &&ObjId| !after.visible.contains(id);
            self.replaced.extend(before.visible.iter().filter(gone).cloned());
            for counter in &before.counters {
                match &mut self.cells.get_mut(counter).unwrap().1 {
                    Made::Counter(count) => *count += step,
                    _ => panic!("a counter was written down as something else"),
                }
            }
            return;
        }
        match &mut self.cells.get_mut(&id).unwrap().1 {
            Made::Text { put, taken } => {
                let (old, new) = (letters(&before.json), letters(&after.json));
                put.extend(new.difference(&old));
                taken.extend(old.difference(&new));
            }
            Made::Ids { put, taken } => {
                for (name, ids) in &after.ids {
                    put.extend(ids.iter().map(|id| (id.clone(), name.clone())));
                }
                let still: HashSet<&ObjId> = after.ids.values().flatten().collect();
                taken.extend(before.ids.into_values().flatten().filter(|id| !still.contains(id)));
            }
            Made::Scalar(_) | Made::Counter(_) => panic!("an object was written down as something else"),
        }
    }

    /// Everything is where it belongs, after everybody has merged with everybody.
    pub fn check(&self, replica: &Replica) {
        let rows: HashSet<RowId> = replica.index.rows().iter().map(|row| row.id.clone()).collect();
        assert_eq!(rows, self.rows, "rows");
        let columns: HashSet<ColumnId> = replica.index.columns().iter().map(|column| column.id.clone()).collect();
        assert_eq!(columns, self.columns, "columns");

        let standing = self.marks.iter().filter(|(mark, _)| !self.replaced.contains(mark));
        let deleted: BTreeSet<&str> = standing.map(|(_, name)| name.as_str()).collect();
        let rows = replica
            .index
            .rows()
            .iter()
            .filter(|row| row.deleted.is_some())
            .map(|row| row.id.as_str());
        let columns = replica.index.columns().iter().filter(|column| column.deleted.is_some());
        let marked: BTreeSet<&str> = rows.chain(columns.map(|column| column.id.as_str())).collect();
        assert_eq!(marked, deleted, "what is deleted");

        let mut expected: HashMap<&CellName, HashSet<&ObjId>> = HashMap::new();
        for (id, (cell, _)) in self.cells.iter().filter(|(id, _)| !self.replaced.contains(id)) {
            expected.entry(cell).or_default().insert(id);
        }
        for row in replica.index.rows() {
            for name in replica.document.keys(&row.object).filter(|name| name.starts_with('c')) {
                let cell = (row.id.clone(), ColumnId::parse(&name).unwrap());
                assert!(self.columns.contains(&cell.1), "a cell in no column: {cell:?}");
                let stored = replica.stored(&row.object, &name);
                let there: HashSet<&ObjId> = stored.iter().map(|(_, id)| id).collect();
                if expected.get(&cell) != Some(&there) {
                    eprintln!("{cell:?}: {:#?}", self.story.get(&cell));
                }
                assert_eq!(expected.remove(&cell).as_ref(), Some(&there), "the values of {cell:?}");
                let (value, id) = replica.document.get(&row.object, name.as_str()).unwrap().unwrap();
                self.check_value(replica, &cell, &value, &id);
            }
        }
        assert!(expected.is_empty(), "cells that are gone: {:?}", expected.keys());
    }

    fn check_value(&self, replica: &Replica, cell: &CellName, value: &Value<'_>, id: &ObjId) {
        let document = &replica.document;
        match &self.cells[id].1 {
            Made::Scalar(json) => {
                let found = match value.as_scalar() {
                    Some(ScalarValue::Str(text)) => json!(text.as_str()),
                    Some(ScalarValue::Int(number)) => json!(number),
                    Some(ScalarValue::F64(number)) => json!(number),
                    Some(ScalarValue::Boolean(yes)) => json!(yes),
                    other => panic!("{cell:?} holds {other:?}"),
                };
                assert_eq!(found, *json, "{cell:?}");
            }
            Made::Counter(count) => assert_eq!(value.as_i64(), Some(*count), "the counter {cell:?}"),
            Made::Text { put, taken } => {
                let text = document.text(id).unwrap();
                let found: HashSet<char> = text.chars().filter(is_letter).collect();
                assert_eq!(
                    found.len(),
                    text.chars().filter(is_letter).count(),
                    "a letter twice in {cell:?}"
                );
                assert_eq!(found, put.difference(taken).copied().collect(), "the text {cell:?}");
            }
            Made::Ids { put, taken } => {
                let found: BTreeSet<String> = document.keys(id).collect();
                let standing = put.iter().filter(|(id, _)| !taken.contains(id));
                assert_eq!(
                    found,
                    standing.map(|(_, name)| name.clone()).collect(),
                    "the ids {cell:?}"
                );
            }
        }
    }
}

/// The letters that are told apart; what a longtext has from a time when its column was of another kind is not.
fn letters(text: &Json) -> HashSet<char> {
    text.as_str().unwrap_or_default().chars().filter(is_letter).collect()
}

pub fn is_letter(letter: &char) -> bool {
    u32::from(*letter) > 0x20000
}
