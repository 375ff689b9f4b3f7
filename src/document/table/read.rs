//! A document read as a table.
//!
//! Front ends write into the same document in their own ways: plain JavaScript strings arrive as text objects, numbers
//! as integers or floats, and a later version adds what this one does not know. All that is read. What is not a table at
//! all is an error that says so; a single odd entry is left out and named, since refusing a whole table for one bad cell
//! would take everybody's work away.
//!
//! The document is walked once, front to back, which is twenty times faster than asking for each row.

use std::collections::HashMap;

use automerge::iter::{DocItem, Span};
use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, Value as Stored, ValueRef};

use super::cells::{plain, unread};
use super::{Cell, Column, ColumnId, Deleted, Row, RowId, SCHEMA_VERSION, Table, Value, columns, key};

/// How many strange places are named.
pub const MAX_STRANGE: usize = 100;

/// Why a document cannot be read as a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATable {
    #[error("the document is no table: it has no \"type\"")]
    NoType,
    #[error("the document is no table: its \"type\" is {0:?}")]
    OtherType(String),
    #[error("the table has schemaVersion {0}; this program reads versions up to {SCHEMA_VERSION}")]
    NewerVersion(u64),
    #[error("the document calls itself a table, but {0:?} is not {1}")]
    Malformed(&'static str, &'static str),
}

/// A place in the document that has no meaning in a table, as keys from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strange {
    pub path: String,
    pub why: &'static str,
}

impl Table {
    /// Reads the table as the document shows it now.
    pub fn read(document: &Automerge) -> Result<Self, NotATable> {
        check_root(document)?;
        let mut reader = Reader::default();
        let columns = columns::read(document, |strange| reader.strange.push(strange));
        reader.strange.truncate(MAX_STRANGE);
        reader.places.insert(ROOT, Place::Root);
        for found in document.iter() {
            match &found.item {
                DocItem::Map(entry) => reader.entry(&found.obj, &entry.key, &entry.value, || entry.id()),
                DocItem::Text(Span::Text { text, .. }) => reader.text(&found.obj, text.as_str()),
                DocItem::Text(_) | DocItem::List(_) => {}
            }
        }
        Ok(reader.finish(columns))
    }
}

/// The few things without which nothing else has a meaning. Quick, whatever the document holds.
pub fn check_root(document: &Automerge) -> Result<(), NotATable> {
    let get = |name| document.get(ROOT, name).ok().flatten();
    match get(key::TYPE) {
        None => return Err(NotATable::NoType),
        Some(kind) => match string(document, kind) {
            Some(kind) if kind == key::TABLE => {}
            Some(kind) => return Err(NotATable::OtherType(kind)),
            None => return Err(NotATable::Malformed(key::TYPE, "a text")),
        },
    }
    let version =
        get(key::SCHEMA_VERSION).and_then(|(value, _)| value.as_u64().or_else(|| value.as_i64()?.try_into().ok()));
    match version {
        Some(version) if version > SCHEMA_VERSION => return Err(NotATable::NewerVersion(version)),
        Some(_) => {}
        None => return Err(NotATable::Malformed(key::SCHEMA_VERSION, "a number")),
    }
    for name in [key::COLUMNS, key::BLOCKS] {
        if !matches!(get(name), Some((Stored::Object(ObjType::Map), _))) {
            return Err(NotATable::Malformed(name, "a map"));
        }
    }
    Ok(())
}

fn string(document: &Automerge, (value, id): (Stored<'_>, ObjId)) -> Option<String> {
    match value {
        Stored::Object(ObjType::Text) => document.text(id).ok(),
        value => value.as_str().map(str::to_string),
    }
}

/// What an object of the document is to the rows of a table. Rows go by their index in the reader.
#[derive(Clone)]
enum Place {
    Root,
    Blocks,
    Block(String),
    Row(usize),
    Mark(usize),
    Ids(usize, ColumnId),
    /// A text object, to be put where a scalar would have gone.
    Text(Slot),
}

/// A place in the table that a single text goes to.
#[derive(Clone)]
enum Slot {
    Title,
    Order(usize),
    DeletedBy(usize),
    Cell(usize, ColumnId),
}

#[derive(Default)]
struct Reader {
    places: HashMap<ObjId, Place>,
    title: String,
    rows: Vec<Row>,
    strange: Vec<Strange>,
}

impl Reader {
    /// One entry of a map. Objects come after the entry that holds them, so that their place is known by then.
    fn entry(&mut self, map: &ObjId, name: &str, value: &ValueRef<'_>, id: impl FnOnce() -> ObjId) {
        let Some(place) = self.places.get(map).cloned() else {
            return;
        };
        let inside = match (place, value) {
            (Place::Root, value) => self.root_entry(name, value),
            (Place::Blocks, ValueRef::Object(ObjType::Map)) => Some(Place::Block(name.into())),
            (Place::Blocks, _) => self.odd(format!("blocks/{name}"), "not a map"),
            (Place::Block(block), ValueRef::Object(ObjType::Map)) => self.row(&block, name),
            (Place::Block(block), _) => self.odd(format!("blocks/{block}/{name}"), "not a map"),
            (Place::Row(row), value) => self.row_entry(row, name, value),
            (Place::Mark(row), value) => self.mark_entry(row, name, value),
            (Place::Ids(row, column), value) => {
                let there = *value == ValueRef::Scalar(ScalarValueRef::Boolean(true));
                if let (Some(Cell::Ids(ids)), true) = (self.rows[row].cells.get_mut(&column), there) {
                    ids.insert(name.into());
                }
                None
            }
            (Place::Text(_), _) => None,
        };
        if let (Some(place), ValueRef::Object(_)) = (inside, value) {
            self.places.insert(id(), place);
        }
    }

    /// Each of these says what the object behind the entry will be, if it is one and matters.
    fn root_entry(&mut self, name: &str, value: &ValueRef<'_>) -> Option<Place> {
        match name {
            key::BLOCKS => Some(Place::Blocks),
            key::TITLE => self.string(Slot::Title, value),
            _ => None,
        }
    }

    fn row(&mut self, block: &str, name: &str) -> Option<Place> {
        match RowId::parse(name) {
            Ok(id) if id.block() == block => {
                self.rows.push(Row {
                    id,
                    order: String::new(),
                    cells: HashMap::new(),
                    deleted: None,
                });
                Some(Place::Row(self.rows.len() - 1))
            }
            _ => self.odd(format!("blocks/{block}/{name}"), "not a row id of this block"),
        }
    }

    fn row_entry(&mut self, row: usize, name: &str, value: &ValueRef<'_>) -> Option<Place> {
        match name {
            key::ORDER => return self.string(Slot::Order(row), value),
            key::DELETED => return self.mark(row, value),
            _ => {}
        }
        let Ok(column) = ColumnId::parse(name) else { return None };
        let (cell, place) = match value {
            ValueRef::Object(ObjType::Text) => (
                Cell::Value(Value::Text(String::new())),
                Some(Place::Text(Slot::Cell(row, column.clone()))),
            ),
            ValueRef::Object(ObjType::Map) => (Cell::Ids(Default::default()), Some(Place::Ids(row, column.clone()))),
            ValueRef::Object(_) => (Cell::Foreign("a list"), None),
            ValueRef::Scalar(ScalarValueRef::Null) => return None,
            ValueRef::Scalar(scalar) => (plain(scalar).map_or(Cell::Foreign(unread(scalar)), Cell::Value), None),
        };
        self.rows[row].cells.insert(column, cell);
        place
    }

    /// Anything but `false` and nothing marks: a later version may write its marks in another way.
    fn mark(&mut self, row: usize, value: &ValueRef<'_>) -> Option<Place> {
        if matches!(
            value,
            ValueRef::Scalar(ScalarValueRef::Null | ScalarValueRef::Boolean(false))
        ) {
            return None;
        }
        self.rows[row].deleted = Some(Deleted::default());
        Some(Place::Mark(row))
    }

    fn mark_entry(&mut self, row: usize, name: &str, value: &ValueRef<'_>) -> Option<Place> {
        match (name, value) {
            (key::BY, value) => return self.string(Slot::DeletedBy(row), value),
            (key::AT, ValueRef::Scalar(scalar)) => {
                let at = match plain(scalar) {
                    Some(Value::Int(at)) => Some(at),
                    Some(Value::Float(at)) => Some(at as i64),
                    _ => None,
                };
                if let Some(mark) = &mut self.rows[row].deleted {
                    mark.at = at;
                }
            }
            _ => {}
        }
        None
    }

    /// A text, whichever way it is stored: a scalar goes to its slot now, a text object when its letters come.
    fn string(&mut self, slot: Slot, value: &ValueRef<'_>) -> Option<Place> {
        match value {
            ValueRef::Object(ObjType::Text) => Some(Place::Text(slot)),
            ValueRef::Scalar(ScalarValueRef::Str(text)) => {
                self.append(&slot, text);
                None
            }
            _ => None,
        }
    }

    /// One run of letters of a text object; marks and blocks cut a text into several.
    fn text(&mut self, object: &ObjId, run: &str) {
        if let Some(Place::Text(slot)) = self.places.get(object) {
            let slot = slot.clone();
            self.append(&slot, run);
        }
    }

    fn append(&mut self, slot: &Slot, run: &str) {
        match slot {
            Slot::Title => self.title.push_str(run),
            Slot::Order(row) => self.rows[*row].order.push_str(run),
            Slot::DeletedBy(row) => {
                if let Some(mark) = &mut self.rows[*row].deleted {
                    mark.by.get_or_insert_default().push_str(run);
                }
            }
            Slot::Cell(row, column) => {
                if let Some(Cell::Value(Value::Text(text))) = self.rows[*row].cells.get_mut(column) {
                    text.push_str(run);
                }
            }
        }
    }

    fn odd(&mut self, path: String, why: &'static str) -> Option<Place> {
        if self.strange.len() < MAX_STRANGE {
            self.strange.push(Strange {
                path: path.chars().take(200).collect(),
                why,
            });
        }
        None
    }

    fn finish(mut self, columns: Vec<Column>) -> Table {
        // `String` and the ids compare as bytes.
        self.rows.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
        Table {
            title: self.title,
            columns,
            rows: self.rows,
            strange: self.strange,
        }
    }
}
