//! Files: CSV and XLSX into tables and out of them.
//!
//! A file is read and checked whole before anything of it is written; then it is a bulk write like any other. What is
//! exported is one version of the table, sent while it is made.

mod export;
mod import;
mod preview;

use std::sync::Arc;

use axum::http::header;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Server;
use super::asked::Asked;
use super::problem::{Code, Problem};
use crate::document::import::ImportError;
use crate::document::sheet::{self, Format, Limits, Sheet, SheetError};

pub(super) fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(preview::preview))
        .routes(routes!(import::new_table))
        .routes(routes!(import::into_table))
        .routes(routes!(export::export))
}

const CSV: &str = "text/csv";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

impl Server {
    /// What one file may hold: the server's bound on its bytes, else what a table takes.
    fn file_limits(&self) -> Limits {
        Limits {
            bytes: self.config.rest.file_bytes,
            ..Limits::default()
        }
    }
}

/// The format of a file: as the request says, else by its media type, else by how it begins.
fn format_of(name: Option<&str>, asked: &Asked) -> Result<Format, Problem> {
    let media_type = asked.media_type();
    if media_type.starts_with("multipart/") || media_type == "application/json" {
        let why =
            format!("the body is {media_type}; it is to be the file itself, as curl sends it with --data-binary @FILE");
        return Err(Problem::new(Code::UnsupportedMediaType, why));
    }
    Ok(match (named(name)?, media_type.as_str()) {
        (Some(format), _) => format,
        (None, CSV) => Format::Csv,
        (None, XLSX) => Format::Xlsx,
        (None, _) => Format::guess(&asked.body),
    })
}

/// The format that a request names.
fn named(name: Option<&str>) -> Result<Option<Format>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || Problem::new(Code::BadQuery, format!("format is {name:?}, not csv or xlsx")).at("/format");
    Format::parse(name).map(Some).ok_or_else(unknown)
}

/// Reads the file. Heavy.
fn read(bytes: &[u8], format: Format, sheet: Option<&str>, limits: &Limits) -> Result<Sheet, Problem> {
    sheet::read(bytes, format, sheet, limits).map_err(|error| {
        let code = match &error {
            SheetError::TooLarge { .. }
            | SheetError::TooManyRows { .. }
            | SheetError::TooManyColumns { .. }
            | SheetError::TooManyCells { .. }
            | SheetError::FieldTooLong { .. }
            | SheetError::TooMuchText { .. }
            | SheetError::Inflates { .. } => Code::TooLarge,
            SheetError::NoSheet { .. } => return Problem::new(Code::BadQuery, error.to_string()).at("/sheet"),
            _ => Code::Refused,
        };
        Problem::new(code, error.to_string())
    })
}

fn refused(error: &ImportError) -> Problem {
    let code = match error {
        ImportError::TooManyColumns { .. } | ImportError::TooManyRows { .. } => Code::TooLarge,
        _ => Code::Refused,
    };
    Problem::new(code, error.to_string())
}

/// Says what a browser is to call the file it saves.
fn saved_as(response: &mut Response, title: &str, extension: &str) {
    let name: String = title
        .chars()
        .filter(|c| !c.is_control() && !"/\\\"".contains(*c))
        .take(100)
        .collect();
    let name = match name.trim() {
        "" => "table".to_owned(),
        name => name.to_owned(),
    };
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    let value = format!("attachment; filename=\"{plain}.{extension}\"; filename*=UTF-8''{encoded}.{extension}");
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
}
