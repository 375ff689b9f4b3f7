//! Saved views of a table: which rows, in which order, which columns, in which groups, with which sums.
//!
//! A view lies in the document as plain maps and lists (`docs/table-schema.md`, "Views"), so that every front end can read
//! and write it. Reading is lenient: what this program does not know is left out and named, never the whole view.
//! Writing is strict. A view is evaluated against an index and its document, and changes neither.
//!
//! - [`stored`]: between the document and JSON;
//! - [`parse`]: between JSON and these types;
//! - [`compare`]: the order and equality of values, kind by kind;
//! - [`filter`]: conditions, and which operators a kind has;
//! - [`aggregate`]: counts, sums and the like;
//! - [`prepared`]: what of a view a table's columns allow; [`cells`]: the cells that it asks for;
//! - [`evaluate`]: all of it on a table, once;
//! - [`rows`]: its rows, kept while the table changes; [`key`]: where each of them stands.

mod aggregate;
mod cells;
mod compare;
mod evaluate;
mod filter;
mod key;
mod parse;
mod prepared;
mod rows;
mod stored;

use std::fmt;

use serde_json::Value as Json;

use super::table::ColumnId;

pub use aggregate::AggregateOp;
pub use evaluate::{Evaluated, Group, evaluate};
pub use filter::Op;
pub use key::ViewKey;
pub use rows::ViewRows;
pub(super) use stored::put_json;
pub use stored::{StoredView, find, read_all};

/// The longest list in a view, and the most conditions in a filter.
pub const MAX_ITEMS: usize = 200;

/// How deep conditions may be nested.
pub const MAX_DEPTH: usize = 8;

/// The most columns a view groups by.
pub const MAX_GROUPS: usize = 3;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    pub name: String,
    /// All of these must hold.
    pub filter: Vec<Filter>,
    /// The first key counts most.
    pub sort: Vec<Sort>,
    /// The visible columns in their order; none for all columns of the table.
    pub columns: Option<Vec<ColumnId>>,
    /// Rows of the same values stand together; the first column counts most.
    pub group: Vec<Sort>,
    pub aggregates: Vec<Aggregate>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Test(Condition),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub column: ColumnId,
    pub op: Op,
    /// What the operator compares with: one value, a list for `anyOf`, `noneOf` and `between`, `null` for the others.
    pub value: Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub column: ColumnId,
    pub descending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// None only for the count of rows.
    pub column: Option<ColumnId>,
    pub op: AggregateOp,
}

/// A part of a view, as its key in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Name,
    Filter,
    Sort,
    Columns,
    Group,
    Aggregates,
}

impl Part {
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::Filter,
        Self::Sort,
        Self::Columns,
        Self::Group,
        Self::Aggregates,
    ];

    pub fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::Columns => "columns",
            Self::Group => "group",
            Self::Aggregates => "aggregates",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Something in a view that is not followed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub part: Part,
    pub why: String,
}

/// A view that is not written because of this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the view's {}: {}", .0.part, .0.why)]
pub struct BadView(pub Skipped);
