//! A table as CSV text, some rows at a time.
//!
//! Spreadsheet programs run what begins like a formula, and a table is filled by strangers. So such a text gets an
//! apostrophe before it, which an import takes away again. Numbers are never touched.

use std::io::{self, Write};
use std::sync::Arc;

use automerge::ReadDoc;

use super::{Columns, Content, written};
use crate::document::sheet::is_formula;
use crate::document::table::{Column, RowEntry};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CsvOptions {
    /// Texts as they are, for programs: also those that a spreadsheet program would run.
    pub raw: bool,
    /// A byte order mark first, for programs that take a file without one for another encoding.
    pub mark: bool,
}

/// Writes UTF-8, commas, and lines ended by `\n`. Writing needs nothing of what was written before: rows can be written in
/// pieces, each into a buffer of its own.
#[derive(Debug)]
pub struct Csv {
    columns: Columns,
    options: CsvOptions,
}

impl Csv {
    /// Of these columns, in this order.
    pub fn new(columns: Vec<Column>, options: CsvOptions) -> Self {
        Self {
            columns: Columns::new(columns),
            options,
        }
    }

    /// The line that names the columns.
    pub fn header(&self, mut out: impl Write) -> io::Result<()> {
        // A name that begins with a mark of its own would be taken for the file's.
        let named_so = |column: &Column| column.name.starts_with('\u{feff}');
        if self.options.mark || self.columns.columns.first().is_some_and(named_so) {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let names = self.columns.columns.iter().map(|column| self.safe(column.name.clone()));
        let mut writer = csv::Writer::from_writer(out);
        if !self.columns.columns.is_empty() {
            writer.write_record(names)?;
        }
        writer.flush()
    }

    /// A line for each row. How many cells hold something that no field can stand for; they are left empty.
    pub fn rows(&self, document: &impl ReadDoc, rows: &[Arc<RowEntry>], out: impl Write) -> io::Result<usize> {
        let mut unreadable = 0;
        let mut writer = csv::Writer::from_writer(out);
        // A table whose columns are all deleted has nothing to write.
        for row in rows.iter().filter(|_| !self.columns.columns.is_empty()) {
            for content in self.columns.row(document, row) {
                writer.write_field(match content {
                    Content::Empty => String::new(),
                    Content::Text(text) => self.safe(text),
                    Content::Number(number) => written(number),
                    Content::Bool(yes) => yes.to_string(),
                    Content::Date(text) => text,
                    Content::Unreadable => {
                        unreadable += 1;
                        String::new()
                    }
                })?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()?;
        Ok(unreadable)
    }

    fn safe(&self, text: String) -> String {
        match !self.options.raw && is_formula(&text) {
            true => format!("'{text}"),
            false => text,
        }
    }
}
