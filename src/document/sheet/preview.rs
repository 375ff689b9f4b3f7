//! What a person sees of a file before importing it.

use super::{Field, Format, Kind, Sheet, number_text};

/// How many values of each column are shown.
pub const SAMPLES: usize = 5;

/// The longest sample, in characters.
const SAMPLE_CHARACTERS: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub format: Format,
    /// The sheets of a workbook; none in a CSV file.
    pub sheets: Vec<String>,
    /// The one that was read.
    pub sheet: Option<String>,
    pub rows: usize,
    pub columns: Vec<ColumnPreview>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnPreview {
    pub name: String,
    /// As guessed from all rows.
    pub kind: Kind,
    /// The first values that are not empty, shortened.
    pub samples: Vec<String>,
    /// Fields that hold the error of a formula; they will be empty cells.
    pub errors: usize,
}

pub(super) fn of(sheet: &Sheet) -> Preview {
    let mut columns: Vec<_> = sheet
        .names()
        .iter()
        .zip(sheet.kinds())
        .map(|(name, kind)| ColumnPreview {
            name: name.clone(),
            kind,
            samples: Vec::new(),
            errors: 0,
        })
        .collect();
    for row in 0..sheet.rows() {
        for (column, field) in sheet.fields(row) {
            let column = &mut columns[column];
            match text_of(&field) {
                None => column.errors += 1,
                Some(_) if column.samples.len() == SAMPLES => {}
                Some(text) => column.samples.push(shortened(&text)),
            }
        }
    }
    Preview {
        format: sheet.format(),
        sheets: sheet.sheets().to_vec(),
        sheet: sheet.sheet().map(str::to_owned),
        rows: sheet.rows(),
        columns,
    }
}

/// A field as a text; none for an error.
fn text_of<'a>(field: &Field<'a>) -> Option<std::borrow::Cow<'a, str>> {
    Some(match field {
        Field::Empty => "".into(),
        Field::Written(text) | Field::Text(text) | Field::Date(text) => (*text).into(),
        Field::Number(number) => number_text(*number).into(),
        Field::Bool(yes) => yes.to_string().into(),
        Field::Error(_) => return None,
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SAMPLE_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}
