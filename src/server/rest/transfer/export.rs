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

/// Bytes of a workbook sent in one go.
const PART_BYTES: usize = 64 << 10;

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
            };
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            (kind, send(Arc::new(file), turn, server.config.rest.export_time)).into_response()
        }
        Format::Xlsx => {
            let name = title.clone();
            // The turn goes with the work, which is not broken off when whoever asked for it goes away.
            let made = off_runtime(move || {
                let at = (now_ms() / 1000.0) as i64;
                (Xlsx::write(&name, reading.document(), columns, &rows, at), turn)
            });
            let (made, turn) = made.await?;
            let file = made.map_err(|error| unexportable(&error))?.bytes;
            let kind = [(header::CONTENT_TYPE, XLSX)];
            let file = Workbook(file.into());
            (kind, send(Arc::new(file), turn, server.config.rest.export_time)).into_response()
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

/// A file that is sent part by part.
trait Parts: Send + Sync + 'static {
    /// The part of this number; none behind the last.
    fn part(&self, number: usize) -> Option<std::io::Result<Bytes>>;
}

/// The body: parts are made as the socket takes them. The turn is held until the last one is on its way.
fn send(file: Arc<impl Parts>, turn: OwnedSemaphorePermit, time: Duration) -> Body {
    let (parts, taken) = mpsc::channel::<std::io::Result<Bytes>>(PARTS);
    tokio::spawn(async move {
        let _turn = turn;
        // Who takes it slowly is given up in the end; the body then breaks off, which its reader sees.
        let _given_up = tokio::time::timeout(time, make(file, parts)).await;
    });
    Body::from_stream(stream::unfold(taken, async |mut taken| {
        let part = taken.recv().await?;
        Some((part, taken))
    }))
}

async fn make(file: Arc<impl Parts>, parts: mpsc::Sender<std::io::Result<Bytes>>) {
    for number in 0.. {
        let making = file.clone();
        let made = off_runtime(move || making.part(number)).await;
        let part = match made {
            Ok(None) => return,
            Ok(Some(part)) => part,
            Err(problem) => Err(std::io::Error::other(problem.detail)),
        };
        let failed = part.is_err();
        if parts.send_timeout(part, STALL).await.is_err() || failed {
            return;
        }
    }
}

/// A CSV file, made row by row.
struct CsvFile {
    csv: Csv,
    reading: Arc<TableReading>,
    rows: Vec<Arc<RowEntry>>,
}

impl Parts for CsvFile {
    fn part(&self, number: usize) -> Option<std::io::Result<Bytes>> {
        let from = number * ROWS;
        // A table without rows is still a line of names.
        if number > 0 && from >= self.rows.len() {
            return None;
        }
        let rows = &self.rows[from..self.rows.len().min(from + ROWS)];
        let write = || {
            let mut part = Vec::new();
            if number == 0 {
                self.csv.header(&mut part)?;
            }
            self.csv.rows(self.reading.document(), rows, &mut part)?;
            Ok(part.into())
        };
        Some(write())
    }
}

/// A workbook, which is made whole.
struct Workbook(Bytes);

impl Parts for Workbook {
    fn part(&self, number: usize) -> Option<std::io::Result<Bytes>> {
        let from = number * PART_BYTES;
        (from < self.0.len()).then(|| Ok(self.0.slice(from..self.0.len().min(from + PART_BYTES))))
    }
}
