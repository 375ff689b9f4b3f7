//! The cells of a worksheet.

use quick_xml::events::{BytesStart, Event};

use super::super::SheetError;
use super::super::builder::{Builder, Span, Tag};
use super::package::{Package, Part, TextOf, attribute};
use super::serial::{Shape, Shown, show};
use super::strings::{rich_text, unescaped};
use super::workbook::Workbook;

/// Rows and columns that a spreadsheet program takes.
const MAX_ROWS: usize = 1_048_576;
const MAX_COLUMNS: usize = 16_384;

/// What a cell's type says its value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Shared,
    Inline,
    Text,
    Bool,
    Date,
    Error,
}

struct Cell {
    column: usize,
    kind: Type,
    shape: Shape,
}

pub(super) fn read(
    package: &mut Package<'_>,
    workbook: &Workbook,
    path: &str,
    strings: &[Span],
    builder: &mut Builder<'_>,
) -> Result<(), SheetError> {
    let missing = || SheetError::Damaged {
        part: path.to_owned(),
        why: "it is missing".into(),
    };
    let part = package.part(path)?.ok_or_else(missing)?;
    let mut reader = CellReader {
        part,
        workbook,
        strings,
        builder,
        text: String::new(),
    };
    reader.sheet()
}

struct CellReader<'p, 'w, 'b, 'l> {
    part: Part<'p>,
    workbook: &'w Workbook,
    strings: &'w [Span],
    builder: &'b mut Builder<'l>,
    /// The text of the cell being read.
    text: String,
}

impl CellReader<'_, '_, '_, '_> {
    fn sheet(&mut self) -> Result<(), SheetError> {
        let (mut row, mut column, mut filled, mut within) = (0_usize, 0_usize, false, false);
        loop {
            let Some(event) = self.part.next()? else {
                return Err(self.part.damaged("it ends too early"));
            };
            match event {
                Event::Start(element) => match element.local_name().as_ref() {
                    "sheetData" => within = true,
                    "row" if within => {
                        let given = attribute(&element, "r").map(|row| row.parse::<usize>().unwrap_or(0));
                        let next = given.unwrap_or(row + 1);
                        if next <= row || next > MAX_ROWS {
                            return Err(self.part.damaged(format!("row {next} follows row {row}")));
                        }
                        (row, column, filled) = (next, 0, false);
                        self.builder.begin_row(row);
                    }
                    "c" if within && row > 0 => {
                        let cell = match cell(&element, column, self.workbook) {
                            Ok(cell) => cell,
                            Err(why) => return Err(self.part.damaged(format!("row {row}: {why}"))),
                        };
                        column = cell.column + 1;
                        filled |= self.cell(&cell, row)?;
                    }
                    _ => {}
                },
                Event::End(element) => match element.local_name().as_ref() {
                    "row" if filled => {
                        filled = false;
                        self.builder.end_row()?;
                    }
                    "sheetData" => return Ok(()),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Reads a cell up to its end; whether it holds anything.
    fn cell(&mut self, cell: &Cell, row: usize) -> Result<bool, SheetError> {
        let limit = self.builder.field_bytes();
        let mut found = false;
        self.text.clear();
        loop {
            let Some(event) = self.part.next()? else {
                return Err(self.part.damaged("it ends too early"));
            };
            match event {
                Event::Start(element) => match (element.local_name().as_ref(), cell.kind) {
                    ("is", Type::Inline) => {
                        found = true;
                        rich_text(&mut self.part, &mut self.text, limit)?;
                    }
                    ("v", kind) if kind != Type::Inline => {
                        found = true;
                        self.part.text(&mut self.text, limit, TextOf::Itself)?;
                    }
                    _ => self.part.skip()?,
                },
                Event::End(_) => break,
                _ => {}
            }
        }
        let there = found && (!self.text.is_empty());
        if there {
            self.value(cell).map_err(|error| match error {
                SheetError::Damaged { part, why } => SheetError::Damaged {
                    part,
                    why: format!("row {row}: {why}"),
                },
                other => other,
            })?;
        }
        Ok(there)
    }

    fn value(&mut self, cell: &Cell) -> Result<(), SheetError> {
        let (column, text) = (cell.column, self.text.as_str());
        match cell.kind {
            Type::Shared => {
                let span = text
                    .trim()
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| self.strings.get(index));
                let span = span.ok_or_else(|| self.part.damaged("a cell's text is missing"))?;
                self.builder.span(column, Tag::Text, *span)
            }
            Type::Inline => self.builder.text(column, Tag::Text, text),
            Type::Text if text.contains("_x") => self.builder.text(column, Tag::Text, &unescaped(text)),
            Type::Text => self.builder.text(column, Tag::Text, text),
            Type::Error => self.builder.text(column, Tag::Error, text),
            Type::Date => self.builder.text(column, Tag::Date, text.trim()),
            Type::Bool => match text.trim() {
                "1" | "true" | "TRUE" => self.builder.bool(column, true),
                "0" | "false" | "FALSE" => self.builder.bool(column, false),
                _ => Err(self.part.damaged("a truth value is neither 0 nor 1")),
            },
            Type::Number => {
                let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                let number = number.ok_or_else(|| self.part.damaged("a number cannot be read"))?;
                match show(number, cell.shape, self.workbook.since_1904) {
                    Shown::Date(text) => self.builder.text(column, Tag::Date, &text),
                    Shown::Text(text) => self.builder.text(column, Tag::Text, &text),
                    Shown::Number => self.builder.number(column, number),
                }
            }
        }
    }
}

fn cell(element: &BytesStart<'_>, next: usize, workbook: &Workbook) -> Result<Cell, String> {
    let column = match attribute(element, "r") {
        Some(place) => column_of(&place).ok_or_else(|| format!("{:?} is no cell", &*place))?,
        None => next,
    };
    if column >= MAX_COLUMNS {
        return Err(format!("there is no column {column}"));
    }
    let kind = match attribute(element, "t").as_deref() {
        None | Some("n") => Type::Number,
        Some("s") => Type::Shared,
        Some("inlineStr") => Type::Inline,
        Some("str") => Type::Text,
        Some("b") => Type::Bool,
        Some("d") => Type::Date,
        Some("e") => Type::Error,
        Some(_) => return Err("a cell of an unknown type".into()),
    };
    let format = attribute(element, "s").and_then(|format| format.parse().ok());
    Ok(Cell {
        column,
        kind,
        shape: workbook.shape(format),
    })
}

/// The column of a place such as `AB12`, counted from 0.
fn column_of(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic);
    let mut column = 0_usize;
    let mut count = 0;
    for letter in letters {
        count += 1;
        column = column * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
        if count > 3 {
            return None;
        }
    }
    column.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_letters() {
        for (place, column) in [("A1", 0), ("z9", 25), ("AA1", 26), ("XFD1048576", 16_383)] {
            assert_eq!(column_of(place), Some(column));
        }
        for place in ["", "12", "ABCD1", "é1"] {
            assert_eq!(column_of(place), None);
        }
    }
}
