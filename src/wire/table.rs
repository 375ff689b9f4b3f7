//! Tables as JSON: what a program sends and gets, whichever door it uses.
//!
//! The shapes of rows, columns, views and edits, and the way from them to [`TableEdit`]s and back. A program names a column
//! by its id or by its name; which column that is, is decided here, against the version of the table that is edited.
//!
//! - A name that is not there, or that several columns have, is a [`Mistake`]: it names the field, as a JSON pointer into
//!   what was sent, and says what there is.
//! - What is sent may have no field that is unknown here: a misspelt one would be lost without a word.
//! - Nothing here knows of HTTP: the live door speaks the same shapes.
//!
//! [`TableEdit`]: crate::document::table::TableEdit

mod column;
mod edit;
mod made;
mod names;
mod request;
mod resolve;
mod row;
mod view;
mod wishes;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::table::batch;

pub use column::{Choice, Column, KindName, Mark};
pub use edit::{
    CellPatch, ColumnPatch, Edit, InsertRows, NewChoice, NewColumn, NewRow, NewView, Splice, ViewParts, cells,
};
pub use made::Made;
pub use names::{Names, Unnamed};
pub use resolve::Resolver;
pub use row::{Row, Shown};
pub use view::{Aggregate, Filter, Grouping, Skipped, SortKey, View};
pub use wishes::Wishes;

/// What was sent and cannot be done: where it stands, and why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Mistake {
    /// A JSON pointer into what was sent; empty for all of it.
    pub field: String,
    pub detail: String,
}

impl Mistake {
    pub fn new(field: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self {
            field: field.into(),
            detail: detail.to_string(),
        }
    }

    /// The same mistake, of something that stands inside a larger thing.
    pub fn under(mut self, place: &str) -> Self {
        self.field.insert_str(0, place);
        self
    }
}

/// One step of a JSON pointer (RFC 6901), escaped.
pub fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A place among rows, columns or views: what is there already counts, without what is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    Start,
    End,
    /// Before what stands at this position, counted from 0.
    Index(usize),
    /// Before the one of this id.
    Before(String),
    /// After the one of this id.
    After(String),
}

impl Place {
    /// The same place for the model; `find` reads the id of a neighbour.
    pub(in crate::wire) fn read<I, E: fmt::Display>(
        &self,
        find: impl Fn(&str) -> Result<I, E>,
    ) -> Result<batch::Place<I>, Mistake> {
        Ok(match self {
            Self::Start => batch::Place::Start,
            Self::End => batch::Place::End,
            Self::Index(index) => batch::Place::Index(*index),
            Self::Before(id) => batch::Place::Before(find(id).map_err(|why| Mistake::new("/before", why))?),
            Self::After(id) => batch::Place::After(find(id).map_err(|why| Mistake::new("/after", why))?),
        })
    }
}

#[cfg(test)]
mod tests;
