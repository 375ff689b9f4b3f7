//! What a file holds, for a person who decides how to import it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use serde::{Deserialize, Serialize};

use super::super::super::Server;
use super::super::asked::Upload;
use super::super::desk::off_runtime;
use super::super::params::Asking;
use super::super::problem::Problem;
use super::super::responses;
use super::{format_of, read};
use crate::document::sheet;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::server::rest) struct File {
    /// `csv` or `xlsx`; found from the media type or the content if it is not given.
    #[param(schema_with = super::import::format_schema)]
    format: Option<String>,
    /// The sheet of a workbook; the first one if it is not given.
    sheet: Option<String>,
}

/// What a file holds.
#[derive(Serialize, utoipa::ToSchema)]
pub(in crate::server::rest) struct Preview {
    /// `csv` or `xlsx`.
    format: &'static str,
    /// The sheets of a workbook; none in a CSV file.
    sheets: Vec<String>,
    /// The one that was read.
    sheet: Option<String>,
    /// Rows below the one that names the columns.
    rows: usize,
    columns: Vec<PreviewColumn>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(in crate::server::rest) struct PreviewColumn {
    name: String,
    /// As guessed from all rows.
    kind: String,
    /// The first values that are not empty, shortened.
    samples: Vec<String>,
    /// Fields that hold the error of a formula; they will be empty cells.
    errors: usize,
}

/// Looks into a file without importing it: its columns, the kinds they seem to have, and sample values.
#[utoipa::path(post, path = "/v1/imports/preview", tag = "files", params(File),
    request_body(content((Vec<u8> = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "what is in the file", body = Preview), responses::Filing))]
pub(in crate::server::rest) async fn preview(
    State(server): State<Arc<Server>>,
    Asking(File { format, sheet }): Asking<File>,
    Upload(mut asked): Upload,
) -> Result<Json<Preview>, Problem> {
    let format = format_of(format.as_deref(), &asked)?;
    let limits = server.file_limits();
    let (turn, held) = (server.check_turn().await?, asked.hold());
    let read = off_runtime(move || {
        let (_turn, _held) = (turn, held);
        let read = read(&asked.body, format, sheet.as_deref(), &limits)?;
        Ok::<_, Problem>(read.preview())
    });
    let sheet::Preview {
        format,
        sheets,
        sheet,
        rows,
        columns,
    } = read.await??;
    let columns = columns.into_iter().map(|column| PreviewColumn {
        name: column.name,
        kind: column.kind.as_str().to_owned(),
        samples: column.samples,
        errors: column.errors,
    });
    Ok(Json(Preview {
        format: format.as_str(),
        sheets,
        sheet,
        rows,
        columns: columns.collect(),
    }))
}
