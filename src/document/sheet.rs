//! A sheet: names, and records of fields, whichever kind of file they stood in.
//!
//! People's first table is a file they already have. A file is read wholly and checked before anything of it is handed
//! on, so that a bad line 40,000 leaves no half table behind; every complaint names the line or row to look at.
//!
//! - The first record names the columns. Blank lines are no records.
//! - Nothing that a person would miss is changed: what only looks like a number (`007`, an id of 19 digits) stays text.
//! - A field is a slice of one long text or a number of eight bytes: a million fields take 16 MB besides their text.
//! - What a file says about itself is believed only up to the [`Limits`].

mod builder;
pub mod convert;
mod csv;
mod encoding;
mod kinds;
pub mod list;
mod preview;
mod records;
pub(super) mod xlsx;

use std::fmt;

use super::table::Kind;
use builder::{Entry, Tag};
pub use kinds::{number, number_text};
pub use preview::{ColumnPreview, Preview, SAMPLES};

/// What kind of file a sheet is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
}

impl Format {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    /// By how the file begins: an XLSX file is a ZIP archive, and no text begins like one.
    pub fn guess(bytes: &[u8]) -> Self {
        match bytes.starts_with(b"PK\x03\x04") {
            true => Self::Xlsx,
            false => Self::Csv,
        }
    }
}

/// What one file may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole file; also the bytes of text that all cells of an XLSX file show together.
    pub bytes: usize,
    /// Bytes of an XLSX file's parts when they are inflated, together.
    pub inflated_bytes: usize,
    pub rows: usize,
    /// At most 65,535 are ever taken.
    pub columns: usize,
    /// Fields that are not empty.
    pub cells: usize,
    /// Bytes of one field.
    pub field_bytes: usize,
}

impl Default for Limits {
    /// One document carries about 50,000 rows of ten columns well.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            inflated_bytes: 256 * 1024 * 1024,
            rows: 50_000,
            columns: 10_000,
            cells: 1_000_000,
            field_bytes: 1024 * 1024,
        }
    }
}

/// Where in the file a record stands, counted from 1 as an editor or a spreadsheet program shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// The line a CSV record begins on.
    Line(usize),
    /// The row of a spreadsheet.
    Row(usize),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    #[error("the file is empty")]
    Empty,
    #[error("the file has {found} bytes; an import takes {limit}")]
    TooLarge { found: usize, limit: usize },
    #[error("line {line}: not UTF-8 (byte 0x{byte:02X}); save the file as UTF-8 and try again")]
    NotUtf8 { line: usize, byte: u8 },
    #[error("line {line}: not UTF-16, although the file starts with its byte order mark")]
    NotUtf16 { line: usize },
    #[error("line {line}: a zero byte; this is no text, or UTF-16 without a byte order mark")]
    ZeroByte { line: usize },
    #[error("line {line}: a quote is opened here and never closed")]
    QuoteLeftOpen { line: usize },
    #[error(
        "line {opened}: the quote opened here is closed on line {line}, but more text follows before the next field"
    )]
    TextAfterQuote { opened: usize, line: usize },
    #[error("line {line}: {found} fields, but the first line has {expected}")]
    Ragged { line: usize, expected: usize, found: usize },
    #[error("{at}: this would be row {row} of the table; a table takes {limit} rows", row = limit + 1)]
    TooManyRows { at: At, limit: usize },
    #[error("{at}: {found} columns; a table takes {limit}")]
    TooManyColumns { at: At, found: usize, limit: usize },
    #[error("{at}: more than {limit} filled cells up to here; an import takes no more")]
    TooManyCells { at: At, limit: usize },
    #[error("{at}: a field of {found} bytes; a cell takes {limit}")]
    FieldTooLong { at: At, found: usize, limit: usize },
    #[error("{at}: more than {limit} bytes of text in the cells up to here; an import takes no more")]
    TooMuchText { at: At, limit: usize },
    #[error("the file grows to more than {limit} bytes when it is unpacked")]
    Inflates { limit: usize },
    #[error("not an XLSX file: {0}")]
    NotXlsx(String),
    #[error("the workbook is damaged: {part}: {why}")]
    Damaged { part: String, why: String },
    #[error("there is no sheet {wanted:?}; there are {there:?}")]
    NoSheet { wanted: String, there: Vec<String> },
}

/// One field of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    Empty,
    /// As it stands in a CSV file, where a number looks like a text.
    Written(&'a str),
    /// Certainly a text.
    Text(&'a str),
    Number(f64),
    Bool(bool),
    /// ISO 8601, a day or a day and a time.
    Date(&'a str),
    /// What a formula failed with, such as `#DIV/0!`. It holds no value and counts as empty.
    Error(&'a str),
}

/// A column as the file itself describes it: an exported workbook brings what cells cannot say.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// The id of the column in the table that was exported.
    pub column: String,
    pub name: String,
    pub kind: Kind,
    pub width: Option<f64>,
    /// Names and colours of the options, in order.
    pub options: Vec<(String, Option<String>)>,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Sheet {
    format: Format,
    /// All sheets of the workbook.
    sheets: Vec<String>,
    /// The one that was read.
    sheet: Option<String>,
    /// No two are equal.
    names: Vec<String>,
    rows: Vec<builder::Row>,
    entries: Vec<Entry>,
    text: String,
    /// One per column, where the file says so.
    hints: Vec<Option<Hint>>,
}

/// Reads a file. A CSV file is UTF-8, or UTF-16 with a byte order mark, and parted by comma, semicolon or tab. Of an XLSX
/// file the sheet of this name is read, or the first.
pub fn read(bytes: &[u8], format: Format, sheet: Option<&str>, limits: &Limits) -> Result<Sheet, SheetError> {
    if bytes.len() > limits.bytes {
        return Err(SheetError::TooLarge {
            found: bytes.len(),
            limit: limits.bytes,
        });
    }
    match format {
        Format::Csv => csv::read(bytes, limits),
        Format::Xlsx => xlsx::read(bytes, sheet, limits),
    }
}

impl Sheet {
    pub fn format(&self) -> Format {
        self.format
    }

    /// The names of all sheets in the file; none in a CSV file.
    pub fn sheets(&self) -> &[String] {
        &self.sheets
    }

    /// The name of the sheet that was read.
    pub fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    /// The names of the columns: an empty one became `Column 3`, a repeated one `Amount 2`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many records follow the one that names the columns.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many fields are not empty.
    pub fn cells(&self) -> usize {
        self.entries.len()
    }

    /// Where a record stands in the file.
    pub fn at(&self, row: usize) -> At {
        at(self.format, self.rows[row].line as usize)
    }

    /// The fields of a record that are not empty, by column.
    pub fn fields(&self, row: usize) -> impl Iterator<Item = (usize, Field<'_>)> {
        let entries = &self.entries[self.range(row)];
        entries
            .iter()
            .map(|entry| (usize::from(entry.column), self.shown(entry)))
    }

    pub fn field(&self, row: usize, column: usize) -> Field<'_> {
        let entries = &self.entries[self.range(row)];
        let found = entries.binary_search_by(|entry| usize::from(entry.column).cmp(&column));
        found.map_or(Field::Empty, |found| self.shown(&entries[found]))
    }

    /// What the file says about a column.
    pub fn hint(&self, column: usize) -> Option<&Hint> {
        self.hints.get(column)?.as_ref()
    }

    /// The kinds of all columns: what the file says where its fields agree with it, and otherwise what the fields are.
    pub fn kinds(&self) -> Vec<Kind> {
        kinds::of(self)
    }

    /// What a person wants to see before importing.
    pub fn preview(&self) -> Preview {
        preview::of(self)
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].end as usize);
        start..self.rows[row].end as usize
    }

    fn shown(&self, entry: &Entry) -> Field<'_> {
        let text = || {
            let (start, length) = entry.span();
            &self.text[start..start + length]
        };
        match entry.tag {
            Tag::Written => Field::Written(text()),
            Tag::Text => Field::Text(text()),
            Tag::Date => Field::Date(text()),
            Tag::Error => Field::Error(text()),
            Tag::Number => Field::Number(f64::from_bits(entry.payload)),
            Tag::Bool => Field::Bool(entry.payload != 0),
        }
    }
}

fn at(format: Format, line: usize) -> At {
    match format {
        Format::Csv => At::Line(line),
        Format::Xlsx => At::Row(line),
    }
}

/// Text that a spreadsheet program would take for a formula is written with an apostrophe before it; so is text that
/// begins with apostrophes and then so, that it can be told apart. True of what follows such an apostrophe.
pub fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
}
