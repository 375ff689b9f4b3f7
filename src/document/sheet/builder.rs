//! A sheet while it is read.
//!
//! Limits are checked before anything is kept, so that no file makes this larger than they allow.

use std::collections::{HashMap, HashSet};

use super::{At, Format, Hint, Limits, Sheet, SheetError, at, number_text};

/// What the payload of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Written,
    Text,
    Date,
    Error,
    Number,
    Bool,
}

/// A field that is not empty. Sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Start and length of a text, or the bits of a number.
    pub payload: u64,
    pub column: u16,
    pub tag: Tag,
}

impl Entry {
    pub fn span(&self) -> (usize, usize) {
        ((self.payload >> 32) as usize, (self.payload & 0xffff_ffff) as usize)
    }
}

/// A record: where it stands in the file, and where its entries end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub line: u32,
    pub end: u32,
}

/// Start and length of a text within the sheet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

pub(super) struct Builder<'l> {
    format: Format,
    limits: &'l Limits,
    header: Option<Vec<(u16, String)>>,
    rows: Vec<Row>,
    entries: Vec<Entry>,
    text: String,
    /// Bytes that all fields hold together; texts that several fields share are counted for each.
    shown: usize,
    line: usize,
    /// Columns that have a name or a field.
    width: usize,
}

impl<'l> Builder<'l> {
    pub fn new(format: Format, limits: &'l Limits) -> Self {
        Self {
            format,
            limits,
            header: None,
            rows: Vec::new(),
            entries: Vec::new(),
            text: String::new(),
            shown: 0,
            line: 0,
            width: 0,
        }
    }

    /// A builder for another sheet of the same file. It has the texts that both share until they are
    /// [given back](Self::give_back).
    pub fn beside(&mut self) -> Self {
        Self {
            text: std::mem::take(&mut self.text),
            ..Self::new(self.format, self.limits)
        }
    }

    pub fn give_back(&mut self, text: String) {
        self.text = text;
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn field_bytes(&self) -> usize {
        self.limits.field_bytes
    }

    fn at(&self) -> At {
        at(self.format, self.line)
    }

    pub fn begin_row(&mut self, line: usize) {
        self.line = line;
    }

    /// Keeps a text that no field shows yet.
    pub fn store(&mut self, text: &str) -> Result<Span, SheetError> {
        let span = (u32::try_from(self.text.len()), u32::try_from(text.len()));
        let too_much = SheetError::TooMuchText {
            at: self.at(),
            limit: self.limits.bytes,
        };
        let (Ok(start), Ok(length)) = span else {
            return Err(too_much);
        };
        if text.len() > self.limits.field_bytes {
            return Err(SheetError::FieldTooLong {
                at: self.at(),
                found: text.len(),
                limit: self.limits.field_bytes,
            });
        }
        self.text.push_str(text);
        Ok(Span { start, length })
    }

    /// A text of the record that was begun.
    pub fn text(&mut self, column: usize, tag: Tag, text: &str) -> Result<(), SheetError> {
        let span = self.store(text)?;
        self.span(column, tag, span)
    }

    /// A text that is kept already.
    pub fn span(&mut self, column: usize, tag: Tag, span: Span) -> Result<(), SheetError> {
        if span.length == 0 {
            return Ok(());
        }
        self.shown += span.length as usize;
        // In a CSV file each field has bytes of its own.
        if self.format == Format::Xlsx && self.shown > self.limits.bytes {
            return Err(SheetError::TooMuchText {
                at: self.at(),
                limit: self.limits.bytes,
            });
        }
        self.entry(column, tag, u64::from(span.start) << 32 | u64::from(span.length))
    }

    pub fn number(&mut self, column: usize, number: f64) -> Result<(), SheetError> {
        self.entry(column, Tag::Number, number.to_bits())
    }

    pub fn bool(&mut self, column: usize, yes: bool) -> Result<(), SheetError> {
        self.entry(column, Tag::Bool, yes.into())
    }

    fn entry(&mut self, column: usize, tag: Tag, payload: u64) -> Result<(), SheetError> {
        let column = self.column(column)?;
        if self.entries.len() >= self.limits.cells.saturating_add(self.limits.columns) {
            return Err(SheetError::TooManyCells {
                at: self.at(),
                limit: self.limits.cells,
            });
        }
        self.entries.push(Entry { payload, column, tag });
        Ok(())
    }

    /// Says that there is such a column, although it may be empty.
    pub fn column(&mut self, column: usize) -> Result<u16, SheetError> {
        let limit = self.limits.columns.min(usize::from(u16::MAX));
        if column >= limit {
            return Err(SheetError::TooManyColumns {
                at: self.at(),
                found: column + 1,
                limit,
            });
        }
        self.width = self.width.max(column + 1);
        Ok(column as u16)
    }

    /// Ends the record. The first is the header.
    pub fn end_row(&mut self) -> Result<(), SheetError> {
        let start = self.rows.last().map_or(0, |row| row.end as usize);
        let fresh = &mut self.entries[start..];
        if !fresh.is_sorted_by(|a, b| a.column < b.column) {
            fresh.sort_by_key(|entry| entry.column);
            let mut kept: Vec<Entry> = Vec::with_capacity(fresh.len());
            for entry in fresh.iter() {
                // Of two that stand in the same place, the later one is shown by spreadsheet programs too.
                match kept.last_mut() {
                    Some(last) if last.column == entry.column => *last = *entry,
                    _ => kept.push(*entry),
                }
            }
            self.entries.truncate(start);
            self.entries.extend(kept);
        }
        if self.header.is_none() {
            let named = std::mem::take(&mut self.entries);
            self.header = Some(named.iter().map(|entry| (entry.column, self.name(entry))).collect());
            self.shown = 0;
            return Ok(());
        }
        if self.rows.len() >= self.limits.rows {
            return Err(SheetError::TooManyRows {
                at: self.at(),
                limit: self.limits.rows,
            });
        }
        if self.entries.len() > self.limits.cells {
            return Err(SheetError::TooManyCells {
                at: self.at(),
                limit: self.limits.cells,
            });
        }
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.rows.push(Row {
            line: short(self.line),
            end: short(self.entries.len()),
        });
        Ok(())
    }

    /// What a field of the header names its column.
    fn name(&self, entry: &Entry) -> String {
        let (start, length) = entry.span();
        match entry.tag {
            Tag::Number => number_text(f64::from_bits(entry.payload)),
            Tag::Bool => (entry.payload != 0).to_string(),
            Tag::Error => String::new(),
            Tag::Written | Tag::Text | Tag::Date => self.text[start..start + length].trim().to_owned(),
        }
    }

    pub fn finish(self, sheets: Vec<String>, sheet: Option<String>, hints: Vec<Hint>) -> Result<Sheet, SheetError> {
        let mut given = vec![String::new(); self.width];
        for (column, name) in self.header.ok_or(SheetError::Empty)? {
            given[usize::from(column)] = name;
        }
        let hints = matching(hints, &given);
        Ok(Sheet {
            format: self.format,
            sheets,
            sheet,
            names: unique_names(&given),
            rows: self.rows,
            entries: self.entries,
            text: self.text,
            hints,
        })
    }
}

/// Which hint is for which column: all of them where no column was changed, and otherwise those whose name stands once.
fn matching(hints: Vec<Hint>, given: &[String]) -> Vec<Option<Hint>> {
    if hints
        .iter()
        .map(|hint| hint.name.trim())
        .eq(given.iter().map(String::as_str))
    {
        return hints.into_iter().map(Some).collect();
    }
    let mut by_name: HashMap<String, Option<Hint>> = HashMap::new();
    for hint in hints {
        let twice = by_name.contains_key(hint.name.trim());
        by_name.insert(hint.name.trim().to_owned(), (!twice).then_some(hint));
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    given.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let hint = |name: &String| match counts[name.as_str()] {
        1 => by_name.get(name).cloned().flatten(),
        _ => None,
    };
    given.iter().map(hint).collect()
}

/// Column names: an empty one becomes `Column 3`, a repeated one `Amount 2`, until no two are equal.
fn unique_names(given: &[String]) -> Vec<String> {
    let all: HashSet<&str> = given.iter().map(String::as_str).collect();
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(given.len());
    // Where to go on counting: ten thousand columns of one name must not be counted from 2 each time.
    let mut counts = HashMap::new();
    for (index, name) in given.iter().enumerate() {
        let base = match name.is_empty() {
            true => format!("Column {}", index + 1),
            false => name.clone(),
        };
        let mut unique = base.clone();
        // A made name gives way to one that a later column was really given.
        while taken.contains(&unique) || (unique != *name && all.contains(unique.as_str())) {
            let count = counts.entry(base.clone()).or_insert(2);
            unique = format!("{base} {count}");
            *count += 1;
        }
        taken.insert(unique.clone());
        names.push(unique);
    }
    names
}
