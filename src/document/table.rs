//! A table, as it lies in an Automerge document.
//!
//! One shape is read and written by front ends in JavaScript, by import and export, and by every door of the server;
//! `docs/table-schema.md` is its public page. This module holds the words for it; its parts are:
//!
//! - [`id`]: names of columns, blocks and rows;
//! - [`create`]: a table that is still empty;
//! - [`read`]: a document read as a table, however a front end has written it;
//! - [`index`]: where rows and columns stand, for one version of the document; [`cells`]: one row or cell of it;
//! - [`rounds`]: changes of one author that come together, on the versions they belong to;
//! - [`batch`]: edits of a table that is there; [`purge`]: what was deleted long ago goes for good;
//! - [`touched`]: whether what an edit writes to has changed since its author looked; [`sight`]: what they had seen;
//! - [`conflicts`]: what people did to the same thing at once;
//! - [`value`] and [`number`]: what a cell holds by the kind of its column, and over JSON.

pub mod batch;
pub mod cells;
mod columns;
pub mod conflicts;
mod create;
pub mod date;
pub mod id;
pub mod index;
mod number;
pub mod options;
pub mod purge;
pub mod read;
pub mod rounds;
pub mod sight;
pub mod touched;
pub mod value;

use std::collections::{BTreeSet, HashMap};

pub use batch::{
    CellEdit, ColumnDraft, Cutter, MAX_SLICE_BYTES, NewRow, Outcome, Place, Plan, Refusal, Refused, Stamp, TableEdit,
};
pub use create::{CreateError, create};
pub use id::{BlockId, ColumnId, RowId, ViewId};
pub use index::{RowEntry, TableIndex};
pub use number::Number;
pub use options::{NewOption, SelectOption};
pub use read::{NotATable, Strange, check_root};
pub use touched::changed_since;
pub use value::{CellValue, Reading, WrongValue};

/// What `schemaVersion` says; a document with a larger one is not touched.
pub const SCHEMA_VERSION: u64 = 1;

/// How many rows a block is filled with. A target, not an invariant: see `docs/table-schema.md` on blocks.
pub const BLOCK_ROWS: usize = 128;

/// The largest change that imports, pastes and fills are cut into, in cells. Fewer and larger changes make the sync
/// protocol ship the whole document for one edit.
pub const CHANGE_CELLS: usize = 500;

/// The names the document's maps have for things. Columns of a row start with `c`, so they never meet these.
pub(crate) mod key {
    pub const TYPE: &str = "type";
    pub const TABLE: &str = "table";
    pub const SCHEMA_VERSION: &str = "schemaVersion";
    pub const TITLE: &str = "title";
    pub const COLUMNS: &str = "columns";
    pub const BLOCKS: &str = "blocks";
    pub const VIEWS: &str = "views";
    pub const NAME: &str = "name";
    pub const KIND: &str = "kind";
    pub const ORDER: &str = "order";
    pub const WIDTH: &str = "width";
    pub const DELETED: &str = "deleted";
    pub const AT: &str = "at";
    pub const BY: &str = "by";
    pub const OPTIONS: &str = "options";
    pub const COLOR: &str = "color";
    pub const PURGED: &str = "purged";
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Checkbox,
    Date,
    Select,
    MultiSelect,
    Link,
    LongText,
    Counter,
    /// A kind of a later version or another program; its cells are read by what they hold.
    Other(String),
}

impl Kind {
    const NAMED: [(&str, Kind); 9] = [
        ("text", Kind::Text),
        ("number", Kind::Number),
        ("checkbox", Kind::Checkbox),
        ("date", Kind::Date),
        ("select", Kind::Select),
        ("multiselect", Kind::MultiSelect),
        ("link", Kind::Link),
        ("longtext", Kind::LongText),
        ("counter", Kind::Counter),
    ];

    pub fn parse(text: &str) -> Self {
        let known = Self::NAMED.into_iter().find(|(name, _)| *name == text);
        known.map_or_else(|| Self::Other(text.into()), |(_, kind)| kind)
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => known.name(),
        }
    }

    /// The name of a known kind; that of text for an unknown one, which is shown as text.
    pub fn name(&self) -> &'static str {
        let known = Self::NAMED.iter().find(|(_, kind)| kind == self);
        known.map_or("text", |(name, _)| name)
    }

    pub fn has_options(&self) -> bool {
        matches!(self, Self::Select | Self::MultiSelect)
    }
}

/// A plain value: what a cell that does not merge holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// What a cell holds; an empty cell is absent.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text of either encoding, a number, a counter's value or a truth value.
    Value(Value),
    /// The ids of a multiselect or link cell.
    Ids(BTreeSet<String>),
    /// Something a table has no word for; named here, kept in the document.
    Foreign(&'static str),
}

/// The mark of a deleted row or column. Both parts are claims of whoever deleted it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Milliseconds since 1970.
    pub at: Option<i64>,
    pub by: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub id: ColumnId,
    pub name: String,
    pub kind: Kind,
    /// The order text as it stands; other programs may have written one that is no [`OrderKey`](super::order::OrderKey).
    pub order: String,
    /// Pixels.
    pub width: Option<f64>,
    /// Of a select or multiselect column; sorted by (order as bytes, id).
    pub options: Vec<SelectOption>,
    pub deleted: Option<Deleted>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: RowId,
    /// As with columns: the text as it stands.
    pub order: String,
    /// Cells of deleted and of unknown columns are among them.
    pub cells: HashMap<ColumnId, Cell>,
    pub deleted: Option<Deleted>,
}

/// A table as one version of its document shows it. Deleted rows and columns are among the others, marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub title: String,
    /// Sorted by (order as bytes, id).
    pub columns: Vec<Column>,
    /// Sorted by (order as bytes, id).
    pub rows: Vec<Row>,
    /// Places in the document that have no meaning in a table; at most [`read::MAX_STRANGE`] of them are named.
    pub strange: Vec<Strange>,
}

/// All columns of a document as it is now, deleted ones among them, by (order as bytes, id). An index knows them already; this
/// is for what a transaction has written.
pub fn columns_of(document: &impl automerge::ReadDoc) -> Vec<Column> {
    columns::read(document, |_| {})
}

/// The title of a document, in the version that is read.
pub(in crate::document) fn title_of(document: &impl automerge::ReadDoc) -> String {
    columns::string(document, &automerge::ROOT, key::TITLE).unwrap_or_default()
}

impl Table {
    /// The columns a person sees.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.deleted.is_none())
    }

    /// The rows a person sees.
    pub fn live_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.deleted.is_none())
    }
}
