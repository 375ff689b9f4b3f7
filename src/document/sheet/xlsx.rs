//! A sheet of an XLSX workbook.
//!
//! The archive and the XML in it are taken apart by libraries, event by event; nothing is taken from what the file says of
//! its own sizes. (Reading libraries of whole workbooks reserve memory for as many texts as the file claims to have, and
//! copy a number format for every style that uses it: a few kilobytes make them ask for gigabytes.)
//!
//! - Formulas count as what they last came to; what they failed with is an empty cell.
//! - A number whose format shows a day or a time is a date, in ISO 8601.
//! - A workbook that was exported by this program brings the kinds of its columns on a hidden sheet.

mod cells;
mod hints;
mod package;
mod serial;
mod strings;
mod workbook;

pub(in crate::document) use hints::{HINTS_SHEET, HINTS_VERSION};

use super::builder::Builder;
use super::{Format, Limits, Sheet, SheetError};
use package::Package;
use workbook::Workbook;

pub(super) fn read(bytes: &[u8], wanted: Option<&str>, limits: &Limits) -> Result<Sheet, SheetError> {
    let mut package = Package::open(bytes, limits)?;
    let workbook = Workbook::read(&mut package)?;
    let visible = || workbook.sheets.iter().filter(|sheet| sheet.name != HINTS_SHEET);
    let names: Vec<String> = visible().map(|sheet| sheet.name.clone()).collect();
    let chosen = match wanted {
        Some(wanted) => visible().find(|sheet| sheet.name == wanted),
        None => visible().next(),
    };
    let chosen = chosen.ok_or_else(|| SheetError::NoSheet {
        wanted: wanted.unwrap_or_default().chars().take(100).collect(),
        there: names.iter().take(100).cloned().collect(),
    })?;
    let mut builder = Builder::new(Format::Xlsx, limits);
    let strings = strings::read(&mut package, &workbook, &mut builder)?;
    cells::read(&mut package, &workbook, &chosen.part, &strings, &mut builder)?;
    let hints = match workbook.sheets.iter().find(|sheet| sheet.name == HINTS_SHEET) {
        Some(sheet) => hints::read(
            &mut package,
            &workbook,
            &sheet.part,
            &chosen.name,
            &strings,
            &mut builder,
        )?,
        None => Vec::new(),
    };
    builder.finish(names, Some(chosen.name.clone()), hints)
}
