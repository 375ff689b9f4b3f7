//! A table as an XLSX workbook.
//!
//! Numbers, truth values and dates are such in the workbook too; text is never a formula. Dates that a spreadsheet cannot
//! hold (before March 1900, with a zone or a fraction of a second) stay text. A very hidden sheet keeps the kinds, the
//! options and the ids of the columns, so that an import makes the same table of it.

use std::sync::Arc;

use automerge::ReadDoc;
use rust_xlsxwriter::{DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet};

use super::{Columns, Content};
use crate::document::sheet::xlsx::{HINTS_SHEET, HINTS_VERSION};
use crate::document::table::{Column, Kind, RowEntry, date};

/// What a spreadsheet program takes.
const MAX_ROWS: usize = 1_048_575;
const MAX_COLUMNS: usize = 16_384;
/// In units of UTF-16.
const MAX_TEXT: usize = 32_767;

/// The longest list of names that a drop-down holds, in characters.
const MAX_CHOICES: usize = 255;

/// Why a table is not made a workbook.
#[derive(Debug, thiserror::Error)]
pub enum XlsxError {
    #[error("the table has {found} {what}; a spreadsheet takes {limit}")]
    TooMany {
        what: &'static str,
        found: usize,
        limit: usize,
    },
    #[error(
        "row {row} (line {line} of the sheet), column {column:?}: a text of {found} characters; a spreadsheet takes \
         {MAX_TEXT}, export as CSV instead"
    )]
    LongText {
        row: crate::document::table::RowId,
        line: usize,
        column: String,
        found: usize,
    },
    #[error("the workbook could not be written: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}

/// A finished workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xlsx {
    pub bytes: Vec<u8>,
    /// Cells that hold something that no field can stand for; left empty.
    pub unreadable: usize,
}

/// Formats of days and times.
struct Formats {
    day: Format,
    minute: Format,
    second: Format,
}

impl Xlsx {
    /// Writes these rows and columns, in this order. `at` is the time the file is made, in seconds since 1970.
    pub fn write(
        title: &str,
        document: &impl ReadDoc,
        columns: Vec<Column>,
        rows: &[Arc<RowEntry>],
        at: i64,
    ) -> Result<Self, XlsxError> {
        within("rows", rows.len(), MAX_ROWS)?;
        within("columns", columns.len(), MAX_COLUMNS)?;
        let columns = Columns::new(columns);
        let mut workbook = Workbook::new();
        let made = ExcelDateTime::from_timestamp(at)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let name = sheet_name(title);
        let sheet = workbook.add_worksheet();
        sheet.set_name(&name)?;
        sheet.set_freeze_panes(1, 0)?;
        head(sheet, &columns, rows.len())?;
        let formats = Formats {
            day: Format::new().set_num_format("yyyy-mm-dd"),
            minute: Format::new().set_num_format("yyyy-mm-dd hh:mm"),
            second: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        };
        let mut unreadable = 0;
        for (number, row) in rows.iter().enumerate() {
            let line = number as u32 + 1;
            for (at, content) in columns.row(document, row).into_iter().enumerate() {
                let long = |found| XlsxError::LongText {
                    row: row.id.clone(),
                    line: number + 2,
                    column: columns.columns[at].name.clone(),
                    found,
                };
                match content {
                    Content::Unreadable => unreadable += 1,
                    content => put(sheet, line, at as u16, content, &formats, long)?,
                }
            }
        }
        hints(workbook.add_worksheet(), &name, &columns.columns)?;
        Ok(Self {
            bytes: workbook.save_to_buffer()?,
            unreadable,
        })
    }
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), XlsxError> {
    match found <= limit {
        true => Ok(()),
        false => Err(XlsxError::TooMany { what, found, limit }),
    }
}

/// The line that names the columns, and drop-downs below it.
fn head(sheet: &mut Worksheet, columns: &Columns, rows: usize) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold().set_align(FormatAlign::Left);
    for (at, column) in columns.columns.iter().enumerate() {
        let at = at as u16;
        sheet.write_string_with_format(0, at, &column.name, &bold)?;
        if let Some(width) = column.width {
            sheet.set_column_width_pixels(at, width as u32)?;
        }
        let names: Vec<&str> = column.options.iter().map(|option| option.name.as_str()).collect();
        let length = names.iter().map(|name| name.chars().count() + 1).sum::<usize>();
        let fits = (1..=MAX_CHOICES).contains(&length) && !names.iter().any(|name| name.contains([',', '"']));
        if column.kind == Kind::Select && fits {
            // A new name is no error: an import makes an option of it.
            let choices = DataValidation::new()
                .allow_list_strings(&names)?
                .show_error_message(false);
            sheet.add_data_validation(1, at, rows.max(1) as u32, at, &choices)?;
        }
    }
    Ok(())
}

fn put(
    sheet: &mut Worksheet,
    line: u32,
    at: u16,
    content: Content,
    formats: &Formats,
    long: impl Fn(usize) -> XlsxError,
) -> Result<(), XlsxError> {
    match content {
        Content::Empty | Content::Unreadable => {}
        Content::Number(number) if number.as_f64().is_finite() => {
            sheet.write_number(line, at, number.as_f64())?;
        }
        Content::Number(number) => {
            sheet.write_string(line, at, super::written(number))?;
        }
        Content::Bool(yes) => {
            sheet.write_boolean(line, at, yes)?;
        }
        Content::Date(text) => match serial(&text, formats) {
            Some((serial, format)) => {
                sheet.write_number_with_format(line, at, serial, format)?;
            }
            None => {
                sheet.write_string(line, at, text)?;
            }
        },
        Content::Text(text) => {
            // A text of so few bytes has no more units either.
            let units = if text.len() > MAX_TEXT {
                text.encode_utf16().count()
            } else {
                0
            };
            if units > MAX_TEXT {
                return Err(long(units));
            }
            sheet.write_string(line, at, text)?;
        }
    }
    Ok(())
}

/// A date as the number of a day and the format that shows it as it is written; none if a spreadsheet cannot.
fn serial<'f>(text: &str, formats: &'f Formats) -> Option<(f64, &'f Format)> {
    let format = match text.len() {
        10 => &formats.day,
        16 => &formats.minute,
        // A leap second has no number of its own.
        19 if !text.ends_with("60") => &formats.second,
        _ => return None,
    };
    // `2026-01-31T10Z` is as long as nothing, but `2026-01-31T10:00Z` and a minute with a zone are seventeen and more.
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'T'));
    let days = date::parse(text).filter(|_| plain)?.start as f64 / 86_400_000.0 + 25_569.0;
    (days >= 61.0).then_some((days, format))
}

/// Sheet names are short, without some signs, and not ours.
fn sheet_name(title: &str) -> String {
    let allowed = |letter: &char| !matches!(letter, '[' | ']' | ':' | '*' | '?' | '/' | '\\') && !letter.is_control();
    let mut name = String::new();
    let mut units = 0;
    for letter in title.trim().trim_matches('\'').chars().filter(allowed) {
        units += letter.len_utf16();
        if units > 31 {
            break;
        }
        name.push(letter);
    }
    let name = name.trim().trim_matches('\'');
    let taken = name.is_empty() || name == HINTS_SHEET || name.eq_ignore_ascii_case("history");
    match taken {
        true => "Table".to_owned(),
        false => name.to_owned(),
    }
}

/// See the reader of this sheet for what stands where.
fn hints(sheet: &mut Worksheet, described: &str, columns: &[Column]) -> Result<(), XlsxError> {
    sheet.set_name(HINTS_SHEET)?;
    sheet.set_very_hidden(true);
    sheet.write_string(0, 0, "roundtable")?;
    sheet.write_number(0, 1, HINTS_VERSION)?;
    sheet.write_string(0, 2, described)?;
    let mut line = 1;
    for column in columns {
        sheet.write_string(line, 0, "column")?;
        sheet.write_string(line, 1, column.id.as_str())?;
        sheet.write_string(line, 2, &column.name)?;
        sheet.write_string(line, 3, column.kind.as_str())?;
        if let Some(width) = column.width {
            sheet.write_number(line, 4, width)?;
        }
        line += 1;
        for option in &column.options {
            if line as usize >= MAX_ROWS {
                return Ok(());
            }
            sheet.write_string(line, 0, "option")?;
            sheet.write_string(line, 1, &option.name)?;
            if let Some(color) = &option.color {
                sheet.write_string(line, 2, color)?;
            }
            line += 1;
        }
    }
    Ok(())
}
