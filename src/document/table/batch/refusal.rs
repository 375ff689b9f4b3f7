//! Why edits are refused.
//!
//! Each reason names what it is about, so that a person can put it right: the row, the column and its name, the value.

use std::fmt;

use automerge::AutomergeError;

use crate::document::order::OrderError;
use crate::document::table::{ColumnId, Kind, RowId, ViewId};
use crate::document::view::BadView;

/// The most bytes a title, a name or a colour may have.
pub const MAX_NAME_BYTES: usize = 1024;

/// Which edit of the list was refused, counted from 0, and why. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("edit {edit}: {why}")]
pub struct Refused {
    pub edit: usize,
    pub why: Box<Refusal>,
}

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no row {0}")]
    NoRow(RowId),
    #[error("row {0} is deleted; restore it first")]
    RowDeleted(RowId),
    #[error("row {0} is not deleted")]
    RowLive(RowId),
    #[error("there is already a row {0}, or there was one")]
    RowExists(RowId),
    #[error("there is no column {0}")]
    NoColumn(ColumnId),
    #[error("column {0} is deleted; restore it first")]
    ColumnDeleted(ColumnId),
    #[error("column {0} is not deleted")]
    ColumnLive(ColumnId),
    #[error("column {0} still has cells")]
    ColumnFilled(ColumnId),
    #[error("there is already a column {0}, or there was one")]
    ColumnExists(ColumnId),
    #[error("row {row}, column {column} ({name:?}): expected {expected}, found {found}")]
    WrongValue {
        row: RowRef,
        column: ColumnId,
        name: String,
        kind: Kind,
        expected: &'static str,
        /// The value as JSON, shortened.
        found: String,
    },
    #[error("row {row}, column {column} ({name:?}): a {kind} cell takes no {edit}")]
    WrongEdit {
        row: RowId,
        column: ColumnId,
        name: String,
        kind: &'static str,
        edit: &'static str,
    },
    #[error("row {row}, column {column}: the text has {length} characters, there is nothing at {at} to {end}")]
    OutOfText {
        row: RowId,
        column: ColumnId,
        length: usize,
        at: usize,
        end: usize,
    },
    #[error("{what}: {index} is beyond the end, there are {length}")]
    OutOfList {
        what: &'static str,
        index: usize,
        length: usize,
    },
    #[error("{0} is moved itself, nothing can be placed next to it")]
    AnchorMoves(String),
    #[error("{0} is named twice")]
    Twice(String),
    #[error("a {what} has at most {limit} {unit}")]
    TooMuch {
        what: &'static str,
        limit: usize,
        unit: &'static str,
    },
    #[error("a column of kind {0:?} cannot be made, this program does not know the kind")]
    UnknownKind(String),
    #[error("a column of kind {0} has no options")]
    NoOptions(&'static str),
    #[error("{0:?} cannot be the id of an option")]
    BadOption(String),
    #[error("a width is a positive number of pixels up to 10000")]
    BadWidth,
    #[error("only cells, and whether rows are deleted, can be written beside what others have changed since")]
    NotEarlier,
    #[error("there is no view {0}")]
    NoView(ViewId),
    #[error("there is already a view {0}")]
    ViewExists(ViewId),
    #[error(transparent)]
    View(#[from] BadView),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the document could not be read: {0}")]
    Document(#[from] AutomergeError),
}

/// A row in a message: one that is there, or the nth of those an edit inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowRef {
    Id(RowId),
    New(usize),
}

impl fmt::Display for RowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::New(index) => write!(f, "{index} of the new rows"),
        }
    }
}

/// Bounds what people call things.
pub(super) fn short(what: &'static str, text: &str) -> Result<(), Refusal> {
    match text.len() <= MAX_NAME_BYTES {
        true => Ok(()),
        false => Err(Refusal::TooMuch {
            what,
            limit: MAX_NAME_BYTES,
            unit: "bytes",
        }),
    }
}
