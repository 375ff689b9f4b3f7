//! The hidden sheet on which an exported workbook says what its cells cannot: kinds, options, the ids of columns.
//!
//! One line per thing: `roundtable`, version, name of the sheet described; then `column`, id, name, kind, width, followed by
//! its options: `option`, name, colour. It is advice: a person may have changed the sheet it describes, so it counts only
//! for columns that still have its name and whose fields still fit.

use super::super::builder::{Builder, Span};
use super::super::{Field, Hint, Sheet, SheetError};
use super::cells;
use super::package::Package;
use super::workbook::Workbook;
use crate::document::table::Kind;
use crate::document::table::options::MAX_OPTIONS;

/// The name of the sheet.
pub(in crate::document) const HINTS_SHEET: &str = "_roundtable";

/// What the first line says.
pub(in crate::document) const HINTS_VERSION: f64 = 1.0;

pub(super) fn read(
    package: &mut Package<'_>,
    workbook: &Workbook,
    path: &str,
    described: &str,
    strings: &[Span],
    texts: &mut Builder<'_>,
) -> Result<Vec<Hint>, SheetError> {
    let mut builder = texts.beside();
    // A first line for the header that the builder expects.
    builder.begin_row(0);
    builder.end_row()?;
    match cells::read(package, workbook, path, strings, &mut builder) {
        Ok(()) => {}
        Err(error @ SheetError::Inflates { .. }) => return Err(error),
        // Somebody has changed what they were not meant to see; the sheet itself is none the worse.
        Err(_) => {
            texts.give_back(builder.into_text());
            return Ok(Vec::new());
        }
    }
    let sheet = builder.finish(Vec::new(), None, Vec::new())?;
    let hints = of(&sheet, described);
    texts.give_back(sheet.text);
    Ok(hints)
}

fn of(sheet: &Sheet, described: &str) -> Vec<Hint> {
    let text = |row: usize, column: usize| match sheet.field(row, column) {
        Field::Text(text) => Some(text),
        _ => None,
    };
    let mut hints: Vec<Hint> = Vec::new();
    let known = sheet.rows() > 0
        && text(0, 0) == Some("roundtable")
        && sheet.field(0, 1) == Field::Number(HINTS_VERSION)
        && text(0, 2) == Some(described);
    for row in 1..if known { sheet.rows() } else { 0 } {
        match (text(row, 0), hints.last_mut()) {
            (Some("column"), _) => hints.push(Hint {
                column: text(row, 1).unwrap_or_default().to_owned(),
                name: text(row, 2).unwrap_or_default().to_owned(),
                kind: Kind::parse(text(row, 3).unwrap_or("text")),
                width: match sheet.field(row, 4) {
                    Field::Number(width) if width > 0.0 && width <= 10_000.0 => Some(width),
                    _ => None,
                },
                options: Vec::new(),
            }),
            (Some("option"), Some(hint)) if hint.options.len() < MAX_OPTIONS && hint.kind.has_options() => {
                let name = text(row, 1).unwrap_or_default().to_owned();
                hint.options.push((name, text(row, 2).map(str::to_owned)));
            }
            _ => {}
        }
    }
    hints.retain(|hint| !matches!(hint.kind, Kind::Other(_)));
    hints
}
