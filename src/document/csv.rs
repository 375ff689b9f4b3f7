//! CSV text to a new table, and a table to CSV text.
//!
//! People's first table is a file they already have. A file is read wholly, checked and typed before anything of it is
//! handed on, so that a bad line 40,000 leaves no half table behind; every complaint names the line to look at.
//!
//! - Lines are counted as an editor counts them: `\n`, `\r\n` and a lone `\r` each end one.
//! - The first record names the columns. Blank lines are no rows.
//! - Nothing that a person would miss is changed: what only looks like a number (`007`, `+49 17...`, an id of 19 digits)
//!   stays text.

mod encoding;
mod kinds;
mod records;

use std::collections::HashSet;

use super::table::{Cell, Column, NewColumn, NewTable, Row, Table, Value};

pub use kinds::number_text;

/// Why a file is not taken. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
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
    #[error("line {line}: this would be row {row}; a table takes {limit} rows", row = limit + 1)]
    TooManyRows { line: usize, limit: usize },
    #[error("line {line}: {found} columns; a table takes {limit}")]
    TooManyColumns { line: usize, found: usize, limit: usize },
    #[error("line {line}: a field of {found} bytes; a cell takes {limit}")]
    FieldTooLong { line: usize, found: usize, limit: usize },
}

/// What one imported table may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole file.
    pub bytes: usize,
    pub rows: usize,
    pub columns: usize,
    /// Bytes of one field as it stands in the file.
    pub field_bytes: usize,
}

impl Default for Limits {
    /// One document carries about 50,000 rows of ten columns well.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            rows: 50_000,
            columns: 1_000,
            field_bytes: 64 * 1024,
        }
    }
}

/// Reads a whole file: UTF-8, or UTF-16 with a byte order mark; comma, semicolon or tab; column kinds guessed from all
/// rows.
pub fn read(title: &str, bytes: &[u8], limits: &Limits) -> Result<NewTable, CsvError> {
    if bytes.len() > limits.bytes {
        return Err(CsvError::TooLarge {
            found: bytes.len(),
            limit: limits.bytes,
        });
    }
    let text = encoding::decode(bytes)?;
    let delimiter = records::guess_delimiter(&text);
    check(&text, delimiter, limits)?;

    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut lines = reader
        .records()
        .map(|record| record.expect("UTF-8 in memory cannot fail to be read"));
    let names = column_names(&lines.next().ok_or(CsvError::Empty)?);
    let lines: Vec<csv::StringRecord> = lines.collect();

    let kinds: Vec<_> = (0..names.len())
        .map(|column| kinds::guess(lines.iter().filter_map(|line| line.get(column))))
        .collect();
    let rows = lines
        .iter()
        .map(|line| {
            line.iter()
                .zip(&kinds)
                .map(|(field, kind)| kinds::value(field, kind))
                .collect()
        })
        .collect();
    let columns = names
        .into_iter()
        .zip(kinds)
        .map(|(name, kind)| NewColumn { name, kind })
        .collect();
    Ok(NewTable {
        title: title.into(),
        columns,
        rows,
    })
}

/// Finds everything wrong with the shape of the file before a field is taken out of it.
fn check(text: &str, delimiter: u8, limits: &Limits) -> Result<(), CsvError> {
    let mut records = records::Records::new(text, delimiter);
    let first = records.next().ok_or(CsvError::Empty)??;
    let (line, expected) = (first.line, first.fields);
    if expected > limits.columns {
        return Err(CsvError::TooManyColumns {
            line,
            found: expected,
            limit: limits.columns,
        });
    }
    for (row, record) in std::iter::once(Ok(first)).chain(records).enumerate() {
        let record = record?;
        let line = record.line;
        if record.fields != expected {
            return Err(CsvError::Ragged {
                line,
                expected,
                found: record.fields,
            });
        }
        if row > limits.rows {
            return Err(CsvError::TooManyRows {
                line,
                limit: limits.rows,
            });
        }
        if record.longest > limits.field_bytes {
            return Err(CsvError::FieldTooLong {
                line,
                found: record.longest,
                limit: limits.field_bytes,
            });
        }
    }
    Ok(())
}

/// Column names: an empty one becomes `Column 3`, a repeated one `Amount 2`, until no two are equal.
fn column_names(header: &csv::StringRecord) -> Vec<String> {
    let given: HashSet<&str> = header.iter().map(str::trim).collect();
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(header.len());
    for (index, name) in header.iter().map(str::trim).enumerate() {
        let base = if name.is_empty() {
            format!("Column {}", index + 1)
        } else {
            name.to_string()
        };
        let mut unique = base.clone();
        let mut count = 2;
        // A made name gives way to one that a later column was really given.
        while taken.contains(&unique) || (unique != name && given.contains(unique.as_str())) {
            unique = format!("{base} {count}");
            count += 1;
        }
        taken.insert(unique.clone());
        names.push(unique);
    }
    names
}

/// A table as CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// UTF-8 without a byte order mark, commas, lines ended by `\n`; the first line holds the column names.
    pub text: String,
    pub rows: usize,
    pub columns: usize,
    /// Cells that hold something no CSV field can stand for (a list, bytes); left empty.
    pub unreadable: usize,
}

/// Writes the rows and columns that are not deleted, in their order.
pub fn write(table: &Table) -> Written {
    let columns: Vec<&Column> = table.live_columns().collect();
    let rows: Vec<&Row> = table.live_rows().collect();
    let mut unreadable = 0;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut line = |fields: Vec<String>| {
        // A table whose columns are all deleted has nothing to write.
        if !fields.is_empty() {
            writer
                .write_record(fields)
                .expect("all records are equally long and memory does not fail");
        }
    };
    line(columns.iter().map(|column| column.name.clone()).collect());
    for row in &rows {
        let fields = columns.iter().map(|column| match row.cells.get(&column.id) {
            None => String::new(),
            Some(Cell::Value(value)) => value_text(value),
            Some(Cell::Ids(ids)) => ids.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
            Some(Cell::Foreign(_)) => {
                unreadable += 1;
                String::new()
            }
        });
        line(fields.collect());
    }
    let bytes = writer.into_inner().expect("memory does not fail");
    let text = String::from_utf8(bytes).expect("made of strings");
    Written {
        text,
        rows: rows.len(),
        columns: columns.len(),
        unreadable,
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number_text(*number),
        Value::Bool(yes) => yes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Kind;
    use super::*;

    fn imported(bytes: impl AsRef<[u8]>) -> Result<NewTable, CsvError> {
        read("Test", bytes.as_ref(), &Limits::default())
    }

    /// The message a person gets to read.
    fn complaint(bytes: impl AsRef<[u8]>) -> String {
        imported(bytes).unwrap_err().to_string()
    }

    fn names(table: &NewTable) -> Vec<&str> {
        table.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn kinds_are_guessed_from_all_rows() {
        let table = imported(
            "name,amount,paid,due,code,note\nAda,12,true,2026-01-31,007,\n\"Grace, H.\",-0.5,FALSE,2026-02-01T10:00:00Z,12,\n,,,,,\n",
        )
        .unwrap();
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                Kind::Text,
                Kind::Number,
                Kind::Checkbox,
                Kind::Date,
                Kind::Text,
                Kind::Text
            ]
        );
        let text = |text: &str| Some(Value::Text(text.into()));
        assert_eq!(
            table.rows[1],
            [
                text("Grace, H."),
                Some(Value::Float(-0.5)),
                Some(Value::Bool(false)),
                text("2026-02-01T10:00:00Z"),
                text("12"),
                None
            ]
        );
        assert_eq!(table.rows[2], vec![None; 6]);
    }

    #[test]
    fn every_line_end_and_a_last_line_without_one() {
        for text in [
            "a,b\n1,2\n3,4",
            "a,b\r\n1,2\r\n3,4\r\n",
            "a,b\r1,2\r3,4\r",
            "\n\na,b\n\n1,2\n\n3,4\n\n",
        ] {
            assert_eq!(imported(text).unwrap().rows.len(), 2, "{text:?}");
        }
    }

    #[test]
    fn utf8_with_a_mark_and_utf16_both_ways_round() {
        let text = "name,city\nZoë,Köln 🏙\n";
        let marked = format!("\u{feff}{text}");
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let plain = imported(text).unwrap();
        assert_eq!(names(&plain), ["name", "city"]);
        for bytes in [marked.into_bytes(), little, big] {
            assert_eq!(imported(&bytes), Ok(plain.clone()));
        }
    }

    #[test]
    fn the_delimiter_is_found() {
        for text in ["a;b;c\n1,5;2,5;x\n", "a\tb\tc\n1,5\t2\t\"x;y\"\n", "a,b,c\n1,2,x;y\n"] {
            assert_eq!(imported(text).unwrap().columns.len(), 3, "{text:?}");
        }
        assert_eq!(names(&imported("only\n1\n2\n").unwrap()), ["only"]);
    }

    #[test]
    fn other_encodings_are_refused_with_the_line() {
        assert_eq!(
            complaint(b"name,city\nAda,London\nZo\xEB,K\xF6ln\n"),
            "line 3: not UTF-8 (byte 0xEB); save the file as UTF-8 and try again"
        );
        assert_eq!(
            complaint(b"\xFF\xFEa\0\n\0\x00\xD8b\0"),
            "line 2: not UTF-16, although the file starts with its byte order mark"
        );
        assert_eq!(
            complaint(b"a\0,\0b\0\n\0"),
            "line 1: a zero byte; this is no text, or UTF-16 without a byte order mark"
        );
    }

    #[test]
    fn a_ragged_row_is_refused_with_its_line_and_counts() {
        assert_eq!(
            complaint("a,b\n1,2\n\n3\n"),
            "line 4: 1 fields, but the first line has 2"
        );
        assert_eq!(
            complaint("a,b\r\n\"x\r\ny\",2\r\n1,2,3\r\n"),
            "line 4: 3 fields, but the first line has 2"
        );
    }

    #[test]
    fn an_open_quote_is_refused_with_the_line_it_was_opened_on() {
        assert_eq!(
            complaint("a,b\n1,2\n3,\"4\n5,6\n7,8\n"),
            "line 3: a quote is opened here and never closed"
        );
        assert_eq!(
            complaint("a,b\n1,\"2\n3,4\n5,\"6\"\n"),
            "line 2: the quote opened here is closed on line 4, but more text follows before the next field"
        );
        // A quote inside a field is a character like any other: inches.
        assert_eq!(
            imported("size,n\n5\" pipe,1\n").unwrap().rows[0][0],
            Some(Value::Text("5\" pipe".into()))
        );
    }

    #[test]
    fn nothing_in_the_file_is_an_error_and_a_header_alone_is_not() {
        for bytes in ["", "\u{feff}", "\n\r\n\n"] {
            assert_eq!(complaint(bytes), "the file is empty");
        }
        assert_eq!(imported("a,b").unwrap().rows.len(), 0);
    }

    #[test]
    fn column_names_are_filled_in_and_made_unique() {
        let table = imported("Amount,,Amount,Amount 2, Amount ,Column 2\n1,2,3,4,5,6\n").unwrap();
        assert_eq!(
            names(&table),
            ["Amount", "Column 2 2", "Amount 3", "Amount 2", "Amount 4", "Column 2"]
        );
    }

    #[test]
    fn each_limit_is_named_with_the_line_that_hits_it() {
        let limits = Limits {
            bytes: 40,
            rows: 2,
            columns: 2,
            field_bytes: 5,
        };
        let complaint = |text: &str| read("Test", text.as_bytes(), &limits).unwrap_err().to_string();
        assert_eq!(
            complaint("a\n1\n2\n3\n"),
            "line 4: this would be row 3; a table takes 2 rows"
        );
        assert_eq!(complaint(&"x".repeat(41)), "the file has 41 bytes; an import takes 40");
        assert_eq!(complaint("a,b,c\n"), "line 1: 3 columns; a table takes 2");
        assert_eq!(complaint("a\nabcdef\n"), "line 2: a field of 6 bytes; a cell takes 5");
    }
}
