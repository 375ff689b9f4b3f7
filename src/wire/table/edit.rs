//! What a program may send to change a table.
//!
//! One enum for all edits of a batch; the requests that do one thing have the same parts as their bodies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::{Aggregate, Filter, KindName, Place, SortKey};
use crate::document::table;

/// One edit of a batch.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "camelCase", deny_unknown_fields)]
pub enum Edit {
    SetTitle {
        #[schema(max_length = 1024)]
        title: String,
    },
    /// Inserts rows, in this order.
    InsertRows {
        rows: Vec<NewRow>,
        /// The end of the table, if it is not given.
        at: Option<Place>,
    },
    /// Makes this the value of a cell; `null` empties it.
    SetCell {
        row: String,
        column: String,
        value: Json,
    },
    /// Adds to a counter; an empty one counts from 0.
    IncrementCell {
        row: String,
        column: String,
        by: i64,
    },
    /// Replaces characters of a longtext.
    SpliceCell {
        row: String,
        column: String,
        /// The first character, counted from 0 in Unicode code points.
        at: usize,
        #[serde(default)]
        delete: usize,
        #[serde(default)]
        insert: String,
    },
    /// Adds ids to a multiselect or link.
    AddIds {
        row: String,
        column: String,
        ids: BTreeSet<String>,
    },
    /// Takes ids from a multiselect or link.
    RemoveIds {
        row: String,
        column: String,
        ids: BTreeSet<String>,
    },
    /// The rows stand at the new place in the order given.
    MoveRows {
        rows: Vec<String>,
        to: Place,
    },
    DeleteRows {
        rows: Vec<String>,
    },
    RestoreRows {
        rows: Vec<String>,
    },
    AddColumn {
        column: NewColumn,
    },
    RenameColumn {
        column: String,
        #[schema(max_length = 1024)]
        name: String,
    },
    /// `null` for the width that the front end gives it.
    ResizeColumn {
        column: String,
        #[schema(exclusive_minimum = 0, maximum = 10_000)]
        width: Option<f64>,
    },
    /// Cells stay as they are; those that do not fit are marked.
    SetKind {
        column: String,
        kind: KindName,
    },
    /// The whole list as it is to be: options that are not in it go.
    SetOptions {
        column: String,
        #[schema(max_items = 1000)]
        options: Vec<NewChoice>,
    },
    MoveColumn {
        column: String,
        to: Place,
    },
    DeleteColumn {
        column: String,
    },
    RestoreColumn {
        column: String,
    },
    CreateView {
        view: NewView,
    },
    /// Replaces the parts of a view that are given.
    ChangeView {
        view: String,
        change: ViewParts,
    },
    MoveView {
        view: String,
        to: Place,
    },
    DeleteView {
        view: String,
    },
}

/// Rows to be inserted, in this order.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertRows {
    pub rows: Vec<NewRow>,
    /// The end of the table, if it is not given.
    pub at: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRow {
    /// An id of your own making: two parts of `A-Z a-z 0-9 _ -`, with a dot between them.
    #[schema(
        pattern = r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$",
        example = "Yw0pLk3a.9fQ2mZx1"
    )]
    pub id: Option<String>,
    /// Values by the id or the unique name of their column.
    #[serde(default)]
    pub cells: BTreeMap<String, Json>,
}

/// What is to be done to one cell.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CellPatch {
    /// Makes this its value; `null` empties it.
    Set(Json),
    /// Adds to a counter; an empty one counts from 0.
    Increment(i64),
    Splice(Splice),
    /// Adds ids to a multiselect or link.
    Add(BTreeSet<String>),
    /// Takes ids from a multiselect or link.
    Remove(BTreeSet<String>),
}

/// Replaces characters of a longtext.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Splice {
    /// The first character, counted from 0 in Unicode code points.
    pub at: usize,
    #[serde(default)]
    pub delete: usize,
    #[serde(default)]
    pub insert: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewColumn {
    /// An id of your own making: `c` and more of `A-Z a-z 0-9 _ -`.
    #[schema(pattern = "^c[A-Za-z0-9_-]{1,64}$", example = "c4Tz81bQx")]
    pub id: Option<String>,
    #[schema(max_length = 1024, example = "Amount")]
    pub name: String,
    pub kind: KindName,
    /// Pixels.
    #[schema(exclusive_minimum = 0, maximum = 10_000)]
    pub width: Option<f64>,
    /// Of a select or multiselect.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub options: Vec<NewChoice>,
    /// The end, if it is not given.
    pub at: Option<Place>,
}

/// An option of a select or multiselect column, as it is to be.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChoice {
    /// The id of an option that is there, to keep it or change it; a new one gets an id if it brings none.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", example = "o7Hq2LmWz")]
    pub id: Option<String>,
    #[schema(max_length = 1024, example = "Open")]
    pub name: String,
    #[schema(max_length = 1024, example = "green")]
    pub color: Option<String>,
}

/// What is to change of a column; what is not given stays.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnPatch {
    #[schema(max_length = 1024)]
    pub name: Option<String>,
    pub kind: Option<KindName>,
    /// Pixels; `null` for the width that the front end gives it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, maximum = 10_000)]
    pub width: Option<Option<f64>>,
    /// The whole list as it is to be: options that are not in it go.
    #[schema(max_items = 1000)]
    pub options: Option<Vec<NewChoice>>,
    pub at: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// An id of your own making.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", example = "vK3nB0xYd")]
    pub id: Option<String>,
    #[schema(max_length = 1024, example = "Open items")]
    pub name: String,
    #[schema(value_type = Option<Vec<Filter>>, max_items = 200)]
    pub filter: Option<Json>,
    #[schema(value_type = Option<Vec<SortKey>>, max_items = 200)]
    pub sort: Option<Json>,
    /// The visible columns in their order; all of them if it is not given.
    #[schema(value_type = Option<Vec<String>>)]
    pub columns: Option<Json>,
    #[schema(value_type = Option<Vec<SortKey>>, max_items = 3)]
    pub group: Option<Json>,
    #[schema(value_type = Option<Vec<Aggregate>>, max_items = 200)]
    pub aggregates: Option<Json>,
    /// The end, if it is not given. In a batch, a view is moved by `moveView`.
    pub at: Option<Place>,
}

/// Parts of a view that are to be replaced; `null` takes one away.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewParts {
    #[schema(max_length = 1024)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Filter>>, max_items = 200)]
    pub filter: Option<Json>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<SortKey>>, max_items = 200)]
    pub sort: Option<Json>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub columns: Option<Json>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<SortKey>>, max_items = 3)]
    pub group: Option<Json>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Aggregate>>, max_items = 200)]
    pub aggregates: Option<Json>,
    /// Where the view is to stand. In a batch, a view is moved by `moveView`.
    pub at: Option<Place>,
}

/// Tells `null` from a field that is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// How many cells' worth of work these edits are: what decides whether they may be one change.
pub fn cells(edits: &[Edit]) -> usize {
    edits.iter().map(Edit::cells).sum()
}

impl Edit {
    fn cells(&self) -> usize {
        match self {
            Self::InsertRows { rows, .. } => weight(rows),
            Self::MoveRows { rows, .. } | Self::RestoreRows { rows } => rows.len(),
            // A mark is three operations, as is an option.
            Self::DeleteRows { rows } => 3 * rows.len(),
            Self::SetOptions { options, .. } => 1 + 3 * options.len(),
            Self::AddColumn { column } => column.cells(),
            _ => 1,
        }
    }
}

impl InsertRows {
    /// How many cells' worth of work it is to insert these rows.
    pub fn cells(&self) -> usize {
        weight(&self.rows)
    }
}

fn weight(rows: &[NewRow]) -> usize {
    rows.iter().map(|row| row.cells.len().max(1)).sum()
}

impl NewColumn {
    /// How many cells' worth of work it is to add the column.
    pub fn cells(&self) -> usize {
        1 + 3 * self.options.len()
    }
}

impl From<InsertRows> for Edit {
    fn from(InsertRows { rows, at }: InsertRows) -> Self {
        Self::InsertRows { rows, at }
    }
}

impl From<&NewChoice> for table::NewOption {
    fn from(choice: &NewChoice) -> Self {
        Self {
            id: choice.id.clone(),
            name: choice.name.clone(),
            color: choice.color.clone(),
        }
    }
}
