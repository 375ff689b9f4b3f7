//! A sheet as edits of a table: a new one, rows behind those of a table, or changes to rows that have a key.
//!
//! Everything is checked before the first edit is handed out: kinds, options, keys, sizes. What was checked is then cut into
//! [slices](Slices), each for a change of its own, made one at a time: a million cells never lie in memory as edits.
//!
//! - The same file, choices, version of the table and randomness make the same slices, ids included. An import that was
//!   interrupted goes on by making them again, on the version it began with, and passing over those that are stored. (On a
//!   later version new columns are found by their names and changed cells differ no more: other slices.)
//! - All ids are drawn while slices are made, in their order.

mod choices;
mod document;
mod options;
mod rows;
mod slices;

use std::collections::HashMap;

use serde_json::json;

pub use choices::{BadChoices, Choice, choices};
pub use document::{MakeError, new_document};
pub use rows::Blank;
pub use slices::{Slice, Slices};

use super::sheet::{At, Limits, Sheet, convert};
use super::table::batch::{MAX_COLUMNS, MAX_NAME_BYTES};
use super::table::options::MAX_OPTIONS;
use super::table::value::shortened;
use super::table::{Column, ColumnId, Kind, RowId, TableIndex};
use automerge::ReadDoc;
use options::OptionNames;
use rows::Rows;

/// Why a file is not imported. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("{at}, column {column:?}: expected {expected}, found {found}")]
    WrongValue {
        at: At,
        /// The name of the column in the file.
        column: String,
        kind: &'static str,
        expected: &'static str,
        /// The field, shortened.
        found: String,
    },
    #[error("the table has no column of the name of these columns of the file: {0:?}; map or skip them")]
    Unmatched(Vec<String>),
    #[error("the table has several columns of the name {0:?}; say which by its id")]
    Ambiguous(String),
    #[error("there is no column {0}")]
    NoColumn(ColumnId),
    #[error("column {0} is deleted; restore it first")]
    ColumnDeleted(ColumnId),
    #[error("a new table has no column {0} yet")]
    NoTable(ColumnId),
    #[error("two columns of the file, {0:?} and {1:?}, go into the same column of the table")]
    Twice(String, String),
    #[error("{found} columns are mapped, but the file has {there}")]
    TooManyChoices { found: usize, there: usize },
    #[error("a column of kind {0:?} cannot be imported into, this program does not know the kind")]
    UnknownKind(String),
    #[error("column {0}: a name has at most {MAX_NAME_BYTES} bytes")]
    LongName(usize),
    #[error("the table would have {found} columns; it takes {limit}")]
    TooManyColumns { found: usize, limit: usize },
    #[error("the table would have {found} rows; an import fills it up to {limit}")]
    TooManyRows { found: usize, limit: usize },
    #[error("{at}, column {column:?}: this would be one option more than the {MAX_OPTIONS} that a column takes")]
    TooManyOptions { at: At, column: String },
    #[error("no column of the file goes into the key column {0:?}")]
    NoKey(String),
    #[error("column {column:?} cannot be the key: a {kind} column does not tell rows apart")]
    KeyKind { column: String, kind: &'static str },
    #[error("{at}: the key in column {column:?} is empty")]
    EmptyKey { at: At, column: String },
    #[error("{at}: the key {key} stands on {first} already")]
    KeyTwice {
        at: At,
        first: At,
        /// As JSON, shortened.
        key: String,
    },
    #[error("{at}: the key {key} is that of two rows of the table, {} and {}", rows.0, rows.1)]
    KeyOfTwoRows {
        at: At,
        key: String,
        rows: Box<(RowId, RowId)>,
    },
}

/// What becomes of one column of the file.
#[derive(Debug, Clone)]
enum Target {
    Skip,
    New {
        name: String,
        kind: Kind,
        width: Option<f64>,
    },
    Existing(ColumnId),
}

/// One column of the file that is taken.
#[derive(Debug, Clone)]
struct Source {
    /// Its number in the file.
    at: usize,
    target: Target,
    kind: Kind,
    /// Of a select or multiselect column.
    options: OptionNames,
}

/// How much an import writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    pub slices: usize,
    /// Cells that are written.
    pub cells: usize,
    pub columns: usize,
    pub new_rows: usize,
    /// Rows of the table of which at least one cell changes.
    pub changed_rows: usize,
}

/// An import that was checked.
#[derive(Debug, Clone)]
pub struct Import {
    sheet: Sheet,
    sources: Vec<Source>,
    rows: Rows,
    size: Size,
}

impl Import {
    /// All of a sheet as the content of a table that is still empty. What is not chosen is named and typed as the file
    /// says, or else as its fields are.
    pub fn new_table(sheet: Sheet, choices: &[Choice]) -> Result<Self, ImportError> {
        let targets = choices::new_table(&sheet, choices)?;
        Self::checked(sheet, targets, &[], Rows::AllNew)
    }

    /// The records as rows behind those of the table. Columns without a choice go into the column of their name.
    pub fn append(sheet: Sheet, index: &TableIndex, choices: &[Choice], limits: &Limits) -> Result<Self, ImportError> {
        let targets = choices::existing(&sheet, index, choices)?;
        room(index, &targets, sheet.rows(), limits)?;
        Self::checked(sheet, targets, index.columns(), Rows::AllNew)
    }

    /// Records whose key a row of the table has change the cells of that row that differ; the others become rows behind
    /// those of the table.
    pub fn update(
        sheet: Sheet,
        document: &impl ReadDoc,
        index: &TableIndex,
        key: &ColumnId,
        blank: Blank,
        choices: &[Choice],
        limits: &Limits,
    ) -> Result<Self, ImportError> {
        let targets = choices::existing(&sheet, index, choices)?;
        let sources = sources(&sheet, targets.clone(), index.columns())?;
        let rows = rows::matched(&sheet, &sources, document, index, key, blank)?;
        room(index, &targets, rows.fresh(sheet.rows()), limits)?;
        Self::checked(sheet, targets, index.columns(), rows)
    }

    /// Makes all slices once, for their number and for what is wrong with any field.
    fn checked(sheet: Sheet, targets: Vec<Target>, columns: &[Column], rows: Rows) -> Result<Self, ImportError> {
        let sources = sources(&sheet, targets, columns)?;
        slices::measured(Self {
            sheet,
            sources,
            rows,
            size: Size::default(),
        })
    }

    pub fn size(&self) -> Size {
        self.size
    }

    pub fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// The edits, one slice after the other.
    pub fn slices<R: rand::Rng>(self, rng: R) -> Slices<R> {
        Slices::new(self, rng)
    }
}

/// The columns that are taken, with the options that their fields bring.
fn sources(sheet: &Sheet, targets: Vec<Target>, columns: &[Column]) -> Result<Vec<Source>, ImportError> {
    let by_id: HashMap<&ColumnId, &Column> = columns.iter().map(|column| (&column.id, column)).collect();
    let mut sources = Vec::new();
    for (at, target) in targets.into_iter().enumerate() {
        let there = match &target {
            Target::Existing(id) => by_id.get(id).copied(),
            Target::Skip | Target::New { .. } => None,
        };
        let kind = match (&target, there) {
            (Target::Skip, _) => continue,
            (Target::New { kind, .. }, _) => kind.clone(),
            (Target::Existing(_), Some(column)) => column.kind.clone(),
            (Target::Existing(id), None) => return Err(ImportError::NoColumn(id.clone())),
        };
        if let Kind::Other(name) = &kind {
            return Err(ImportError::UnknownKind(name.chars().take(80).collect()));
        }
        let options = OptionNames::new(there, sheet.hint(at).filter(|_| there.is_none() && kind.has_options()));
        sources.push(Source {
            at,
            target,
            kind,
            options,
        });
    }
    options::collect(sheet, &mut sources)?;
    Ok(sources)
}

fn room(index: &TableIndex, targets: &[Target], fresh_rows: usize, limits: &Limits) -> Result<(), ImportError> {
    let fresh = targets
        .iter()
        .filter(|target| matches!(target, Target::New { .. }))
        .count();
    let (columns, rows) = (index.columns().len() + fresh, index.rows().len() + fresh_rows);
    if fresh > 0 && columns > MAX_COLUMNS {
        return Err(ImportError::TooManyColumns {
            found: columns,
            limit: MAX_COLUMNS,
        });
    }
    if fresh_rows > 0 && rows > limits.rows {
        return Err(ImportError::TooManyRows {
            found: rows,
            limit: limits.rows,
        });
    }
    Ok(())
}

/// A field that its column does not take.
fn wrong(sheet: &Sheet, row: usize, column: usize, kind: &Kind) -> ImportError {
    let found = convert::text(&sheet.field(row, column)).unwrap_or_default();
    ImportError::WrongValue {
        at: sheet.at(row),
        column: sheet.names()[column].clone(),
        kind: kind.name(),
        expected: convert::expected(kind),
        found: shortened(&json!(found)),
    }
}
