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

use super::{Cell, Column, ColumnId, Deleted, Kind, Row, RowId, SCHEMA_VERSION, Table, Value, key};

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
        reader.places.insert(ROOT, Place::Root);
        for found in document.iter() {
            match &found.item {
                DocItem::Map(entry) => reader.entry(&found.obj, &entry.key, &entry.value, || entry.id()),
                DocItem::Text(Span::Text { text, .. }) => reader.text(&found.obj, text.as_str()),
                DocItem::Text(_) | DocItem::List(_) => {}
            }
        }
        Ok(reader.finish())
    }
}

/// The few things without which nothing else has a meaning.
fn check_root(document: &Automerge) -> Result<(), NotATable> {
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

/// What an object of the document is to the table. Columns and rows go by their index in the reader.
#[derive(Clone)]
enum Place {
    Root,
    Columns,
    Column(usize),
    Blocks,
    Block(String),
    Row(usize),
    Mark(Thing),
    Ids(usize, ColumnId),
    /// A text object, to be put where a scalar would have gone.
    Text(Slot),
}

/// What can be deleted.
#[derive(Clone, Copy)]
enum Thing {
    Column(usize),
    Row(usize),
}

/// A place in the table that a single text goes to.
#[derive(Clone)]
enum Slot {
    Title,
    ColumnName(usize),
    ColumnKind(usize),
    Order(Thing),
    DeletedBy(Thing),
    Cell(usize, ColumnId),
}

#[derive(Default)]
struct Reader {
    places: HashMap<ObjId, Place>,
    title: String,
    columns: Vec<Column>,
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
            (Place::Columns, ValueRef::Object(ObjType::Map)) => self.column(name),
            (Place::Columns, _) => self.odd(format!("columns/{name}"), "not a map"),
            (Place::Column(column), value) => self.column_entry(column, name, value),
            (Place::Blocks, ValueRef::Object(ObjType::Map)) => Some(Place::Block(name.into())),
            (Place::Blocks, _) => self.odd(format!("blocks/{name}"), "not a map"),
            (Place::Block(block), ValueRef::Object(ObjType::Map)) => self.row(&block, name),
            (Place::Block(block), _) => self.odd(format!("blocks/{block}/{name}"), "not a map"),
            (Place::Row(row), value) => self.row_entry(row, name, value),
            (Place::Mark(thing), value) => self.mark_entry(thing, name, value),
            (Place::Ids(row, column), value) => {
                if let (Some(Cell::Ids(ids)), Some(true)) = (self.rows[row].cells.get_mut(&column), boolean(value)) {
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
        match (name, value) {
            (key::COLUMNS, _) => Some(Place::Columns),
            (key::BLOCKS, _) => Some(Place::Blocks),
            (key::TITLE, _) => self.string(Slot::Title, value),
            _ => None,
        }
    }

    fn column(&mut self, name: &str) -> Option<Place> {
        let Ok(id) = ColumnId::parse(name) else {
            return self.odd(format!("columns/{name}"), "not a column id");
        };
        let (order, name) = (String::new(), String::new());
        self.columns.push(Column {
            id,
            name,
            kind: Kind::Text,
            order,
            width: None,
            deleted: None,
        });
        Some(Place::Column(self.columns.len() - 1))
    }

    fn column_entry(&mut self, column: usize, name: &str, value: &ValueRef<'_>) -> Option<Place> {
        match name {
            key::NAME => self.string(Slot::ColumnName(column), value),
            key::KIND => self.string(Slot::ColumnKind(column), value),
            key::ORDER => self.string(Slot::Order(Thing::Column(column)), value),
            key::DELETED => self.mark(Thing::Column(column), value),
            key::WIDTH => {
                self.columns[column].width = match plain(value) {
                    Some(Value::Int(width)) => Some(width as f64),
                    Some(Value::Float(width)) => Some(width),
                    _ => None,
                };
                None
            }
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
            key::ORDER => return self.string(Slot::Order(Thing::Row(row)), value),
            key::DELETED => return self.mark(Thing::Row(row), value),
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
            ValueRef::Scalar(scalar) => (plain(value).map_or(Cell::Foreign(unread(scalar)), Cell::Value), None),
        };
        self.rows[row].cells.insert(column, cell);
        place
    }

    /// Anything but `false` and nothing marks: a later version may write its marks in another way.
    fn mark(&mut self, thing: Thing, value: &ValueRef<'_>) -> Option<Place> {
        if matches!(
            value,
            ValueRef::Scalar(ScalarValueRef::Null | ScalarValueRef::Boolean(false))
        ) {
            return None;
        }
        *self.deleted(thing) = Some(Deleted::default());
        Some(Place::Mark(thing))
    }

    fn mark_entry(&mut self, thing: Thing, name: &str, value: &ValueRef<'_>) -> Option<Place> {
        match name {
            key::BY => return self.string(Slot::DeletedBy(thing), value),
            key::AT => {
                let at = match plain(value) {
                    Some(Value::Int(at)) => Some(at),
                    Some(Value::Float(at)) => Some(at as i64),
                    _ => None,
                };
                if let Some(mark) = self.deleted(thing) {
                    mark.at = at;
                }
            }
            _ => {}
        }
        None
    }

    fn deleted(&mut self, thing: Thing) -> &mut Option<Deleted> {
        match thing {
            Thing::Column(column) => &mut self.columns[column].deleted,
            Thing::Row(row) => &mut self.rows[row].deleted,
        }
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
            Slot::ColumnName(column) => self.columns[*column].name.push_str(run),
            Slot::ColumnKind(column) => {
                let known = match &self.columns[*column].kind {
                    Kind::Other(begun) => begun.as_str(),
                    _ => "",
                };
                self.columns[*column].kind = Kind::Other(format!("{known}{run}"));
            }
            Slot::Order(Thing::Column(column)) => self.columns[*column].order.push_str(run),
            Slot::Order(Thing::Row(row)) => self.rows[*row].order.push_str(run),
            Slot::DeletedBy(thing) => {
                if let Some(mark) = self.deleted(*thing) {
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

    fn finish(mut self) -> Table {
        for column in &mut self.columns {
            if let Kind::Other(name) = &column.kind {
                column.kind = Kind::parse(name);
            }
        }
        // `String` and the ids compare as bytes.
        self.columns.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
        self.rows.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
        Table {
            title: self.title,
            columns: self.columns,
            rows: self.rows,
            strange: self.strange,
        }
    }
}

fn boolean(value: &ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Scalar(ScalarValueRef::Boolean(yes)) => Some(*yes),
        _ => None,
    }
}

/// A scalar as a value, if a table has one for it.
fn plain(value: &ValueRef<'_>) -> Option<Value> {
    let ValueRef::Scalar(scalar) = value else { return None };
    match scalar {
        ScalarValueRef::Str(text) => Some(Value::Text(text.to_string())),
        ScalarValueRef::Int(number) | ScalarValueRef::Counter(number) => Some(Value::Int(*number)),
        ScalarValueRef::Uint(number) => Some(i64::try_from(*number).map_or(Value::Float(*number as f64), Value::Int)),
        ScalarValueRef::F64(number) => Some(Value::Float(*number)),
        ScalarValueRef::Boolean(yes) => Some(Value::Bool(*yes)),
        _ => None,
    }
}

fn unread(scalar: &ScalarValueRef<'_>) -> &'static str {
    match scalar {
        ScalarValueRef::Bytes(_) => "bytes",
        ScalarValueRef::Timestamp(_) => "a timestamp",
        _ => "an unknown scalar",
    }
}
