//! A table as a file: CSV row by row as it is made, XLSX whole.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::super::super::{Server, now_ms};
use super::super::desk::{PATIENCE, off_runtime};
use super::super::etag;
use super::super::params::{Asking, At, TablePath};
use super::super::problem::{Code, Problem};
use super::super::responses;
use super::{XLSX, named, saved_as};
use crate::document::export::{Csv, CsvOptions, Xlsx, XlsxError};
use crate::document::sheet::Format;
use crate::document::table::{Column, RowEntry};
use crate::document::view;
use crate::room::TableReading;

/// Rows written in one go.
const ROWS: usize = 1_000;

/// Parts of a file that wait for the socket.
const PARTS: usize = 2;

/// Who takes no part of the file for this long is given up.
const STALL: Duration = Duration::from_secs(60);

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::server::rest) struct Wish {
    /// `csv` (if it is not given) or `xlsx`.
    #[param(schema_with = super::import::format_schema)]
    format: Option<String>,
    /// A view by id or name: its rows and columns, in its order.
    view: Option<String>,
    /// Whether text that a spreadsheet program would take for a formula is written as it is. By default it gets a leading
    /// `'`, which an import takes away again. Of CSV only; in a workbook text is text.
    raw: Option<bool>,
    /// Whether the CSV begins with a byte order mark, which some spreadsheet programs need to read UTF-8.
    bom: Option<bool>,
}

/// The table as a file, of one version, sent while it is made.
#[utoipa::path(get, path = "/v1/tables/{table}/export", tag = "files",
    params(TablePath, Wish),
    responses((status = 200, description = "the file", headers(("ETag" = String), ("Content-Disposition" = String)),
            content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
        responses::Reading, responses::NoTable, responses::Unexportable))]
pub(in crate::server::rest) async fn export(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    Asking(wish): Asking<Wish>,
) -> Result<Response, Problem> {
    let format = named(wish.format.as_deref())?.unwrap_or(Format::Csv);
    let document = server.table_id(&table).await?;
    let turn = tokio::time::timeout(PATIENCE, server.exports.clone().acquire_owned());
    let turn = match turn.await {
        Ok(Ok(turn)) => turn,
        _ => return Err(Problem::new(Code::Busy, "other exports are being sent; try again")),
    };
    let seen = server.read_table(&document).await?;
    let tag = etag::of(&seen.heads);
    let reading = seen.value;
    let title = reading.index().title().to_owned();
    let (view, looking) = (wish.view.clone(), reading.clone());
    let (columns, rows) = off_runtime(move || shown(&looking, view.as_deref())).await??;
    let mut response = match format {
        Format::Csv => {
            let options = CsvOptions {
                raw: wish.raw == Some(true),
                mark: wish.bom == Some(true),
            };
            let file = CsvFile {
                csv: Csv::new(columns, options),
                reading,
                rows,
                _turn: turn,
            };
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            (kind, file.send()).into_response()
        }
        Format::Xlsx => {
            let name = title.clone();
            let made = off_runtime(move || {
                let at = (now_ms() / 1000.0) as i64;
                Xlsx::write(&name, reading.document(), columns, &rows, at)
            });
            let made = made.await?.map_err(|error| unexportable(&error))?;
            drop(turn);
            ([(header::CONTENT_TYPE, XLSX)], made.bytes).into_response()
        }
    };
    saved_as(&mut response, &title, format.as_str());
    if let Ok(tag) = tag.parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn unexportable(error: &XlsxError) -> Problem {
    let code = match error {
        XlsxError::TooMany { .. } | XlsxError::LongText { .. } => Code::Refused,
        XlsxError::Workbook(_) => Code::Failed,
    };
    Problem::new(code, error.to_string())
}

/// The columns and rows of a view, or all.
fn shown(reading: &TableReading, view: Option<&str>) -> Result<(Vec<Column>, Vec<Arc<RowEntry>>), Problem> {
    let index = reading.index();
    let Some(named) = view else {
        return Ok((index.live_columns().cloned().collect(), index.live().to_vec()));
    };
    let mut views = view::read_all(reading.document()).into_iter();
    let view = views
        .find(|view| view.id.as_str() == named || view.view.name == named)
        .ok_or_else(|| Problem::new(Code::NotFound, format!("the table has no view {named:?}")).at("/view"))?;
    let evaluated = reading.evaluate(&view.view);
    let columns = evaluated.columns.iter().filter_map(|id| index.column(id).cloned());
    Ok((columns.collect(), evaluated.rows.clone()))
}

/// A CSV file on its way.
struct CsvFile {
    csv: Csv,
    reading: Arc<TableReading>,
    rows: Vec<Arc<RowEntry>>,
    _turn: OwnedSemaphorePermit,
}

impl CsvFile {
    /// The body: parts are made as the socket takes them.
    fn send(self) -> Body {
        let (parts, taken) = mpsc::channel::<Result<Bytes, std::io::Error>>(PARTS);
        tokio::spawn(self.make(parts));
        Body::from_stream(stream::unfold(taken, async |mut taken| {
            let part = taken.recv().await?;
            Some((part, taken))
        }))
    }

    async fn make(self, parts: mpsc::Sender<Result<Bytes, std::io::Error>>) {
        let file = Arc::new(self);
        let mut next = 0;
        loop {
            let (making, from) = (file.clone(), next);
            let made = off_runtime(move || making.part(from)).await;
            // A body that breaks off is seen as broken by whoever reads it.
            let part = made
                .map_err(|problem| std::io::Error::other(problem.detail))
                .and_then(|part| part);
            let failed = part.is_err();
            next += ROWS;
            if parts.send_timeout(part, STALL).await.is_err() || failed || next >= file.rows.len() {
                return;
            }
        }
    }

    fn part(&self, from: usize) -> Result<Bytes, std::io::Error> {
        let mut part = Vec::new();
        if from == 0 {
            self.csv.header(&mut part)?;
        }
        let rows = &self.rows[from..self.rows.len().min(from + ROWS)];
        self.csv.rows(self.reading.document(), rows, &mut part)?;
        Ok(part.into())
    }
}
