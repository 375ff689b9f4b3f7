//! Many rows: pages of them, and new ones.

use std::sync::Arc;

use automerge::{ChangeHash, ReadDoc};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::bulk::routes::Done;
use super::super::desk::off_runtime;
use super::super::etag;
use super::super::params::{Asking, At, PreferHeader};
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::{Code, Problem};
use super::super::responses::Begun;
use super::super::responses::{ReadingTable, WritingTable};
use super::cursor::Cursor;
use super::heavy::{Heavy, bulk};
use super::query::{Rows, RowsQuery, Viewed};
use super::{change, not_modified, tagged};
use crate::document::table::{CHANGE_CELLS, Outcome, RowEntry, TableIndex};
use crate::room::TableReading;
use crate::wire::table::{Edit, Grouping, InsertRows, Row, Shown, Skipped};

/// The cells of a page that is read under the lock of the document, which holds up everybody who edits; a larger page is read
/// from a copy.
const CELLS_UNDER_LOCK: usize = 10_000;

/// A page of rows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowsPage {
    rows: Vec<Row>,
    /// What to give as `cursor` for the next page; `null` on the last one.
    next: Option<String>,
    /// How many rows the query has, on all pages.
    row_count: usize,
    /// The version that the page was made from. Pages of one walk may be of several.
    version: String,
    /// What of the view is not followed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    skipped: Vec<Skipped>,
    /// All groups of the query, if there is something to group by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    groups: Option<Vec<Grouping>>,
    /// One figure for each aggregate, over all rows of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<serde_json::Value>, required = false)]
    totals: Option<Vec<Json>>,
}

/// The rows that were made, in the order they were sent.
#[derive(Serialize, ToSchema)]
pub(super) struct NewRows {
    rows: Vec<NewRowId>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct NewRowId {
    #[schema(example = "Yw0pLk3a.9fQ2mZx1")]
    id: String,
}

impl NewRows {
    pub fn of(outcomes: &[Outcome]) -> Self {
        let ids = outcomes.iter().flat_map(|outcome| match outcome {
            Outcome::Rows(ids) => ids.as_slice(),
            _ => &[],
        });
        Self {
            rows: ids.map(|id| NewRowId { id: id.to_string() }).collect(),
        }
    }
}

/// What came of looking at the live table.
enum Seen {
    Known(Response),
    Page(Vec<u8>),
    /// Too much to be read under the lock.
    TooMuch,
}

/// A page of rows, in the order of the table or of a view.
#[utoipa::path(get, path = "/v1/tables/{table}/rows", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), RowsQuery, ReadHeaders),
    responses(
        (status = 200, body = RowsPage, headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    Asking(asked): Asking<RowsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = server.table_id(&table).await?;
    let query = Arc::new(Rows::read(asked, &id)?);
    let headers = Arc::new(headers);
    if query.is_plain() {
        let (query, headers) = (query.clone(), headers.clone());
        let seen = server
            .look_table(&id, move |document, index| {
                if let Some(known) = not_modified(&headers, index.heads()) {
                    return Ok(Seen::Known(known));
                }
                let shown = query.showing.columns(index, None)?;
                if shown.len() * query.limit > CELLS_UNDER_LOCK || query.deleted {
                    return Ok(Seen::TooMuch);
                }
                plain(document.automerge(), index, &query, &shown).map(Seen::Page)
            })
            .await?;
        match seen.value? {
            Seen::Known(known) => return Ok(known),
            Seen::Page(page) => return Ok(tagged(&seen.heads, page)),
            Seen::TooMuch => {}
        }
    }
    let reading = server.read_table(&id).await?;
    if let Some(known) = not_modified(&headers, &reading.heads) {
        return Ok(known);
    }
    let of = reading.value;
    let page = off_runtime(move || match query.is_plain() {
        true => {
            let shown = query.showing.columns(of.index(), None)?;
            plain(of.document(), of.index(), &query, &shown)
        }
        false => viewed(&of, &query),
    });
    Ok(tagged(&reading.heads, page.await??))
}

/// A page of all rows, or of all deleted ones, as they stand.
fn plain(document: &impl ReadDoc, index: &TableIndex, query: &Rows, shown: &Shown) -> Result<Vec<u8>, Problem> {
    let deleted: Vec<Arc<RowEntry>>;
    let rows = match query.deleted {
        false => index.live(),
        true => {
            deleted = index
                .rows()
                .iter()
                .filter(|row| row.deleted.is_some())
                .cloned()
                .collect();
            &deleted
        }
    };
    let page = cut(document, rows, query, shown, false);
    page.json(index.heads())
}

/// A page of what a view shows.
fn viewed(reading: &TableReading, query: &Rows) -> Result<Vec<u8>, Problem> {
    let (document, index) = (reading.document(), reading.index());
    let Viewed { view, mut skipped } = query.viewed(document, index.columns())?;
    let evaluated = reading.evaluate(&view);
    let shown = query.showing.columns(index, Some(&evaluated.columns))?;
    let sorted = !(view.sort.is_empty() && view.group.is_empty());
    skipped.extend(evaluated.skipped.iter().map(Skipped::from));
    let groups = evaluated.groups.iter().map(Grouping::from);
    let page = RowsPage {
        skipped,
        groups: (!view.group.is_empty()).then(|| groups.collect()),
        totals: (!view.aggregates.is_empty()).then(|| evaluated.totals.clone()),
        ..cut(document, &evaluated.rows, query, &shown, sorted)
    };
    page.json(index.heads())
}

/// The page that the query's cursor and limit cut from these rows.
fn cut(document: &impl ReadDoc, rows: &[Arc<RowEntry>], query: &Rows, shown: &Shown, sorted: bool) -> RowsPage {
    let start = query.cursor.as_ref().map_or(0, |cursor| cursor.start(rows, sorted));
    let end = rows.len().min(start + query.limit);
    let next = Cursor::behind(rows, end, sorted);
    RowsPage {
        rows: rows[start..end].iter().map(|row| shown.row(document, row)).collect(),
        next: next.map(|cursor| cursor.seal(query.query)),
        row_count: rows.len(),
        version: String::new(),
        skipped: Vec::new(),
        groups: None,
        totals: None,
    }
}

impl RowsPage {
    fn json(mut self, heads: &[ChangeHash]) -> Result<Vec<u8>, Problem> {
        self.version = etag::of(heads).trim_matches('"').to_owned();
        serde_json::to_vec(&self).map_err(|error| Problem::new(Code::Failed, error.to_string()))
    }
}

/// Inserts rows, in the order given, in one change. More than 500 cells are a bulk write: see `batch`.
#[utoipa::path(post, path = "/v1/tables/{table}/rows", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), WriteHeaders, PreferHeader),
    request_body = InsertRows,
    responses(
        (status = 200, description = "the rows of a bulk write are on disk", body = Done, headers(("ETag" = String))),
        (status = 201, body = inline(Versioned<NewRows>), headers(("ETag" = String), ("Location" = String))), Begun, WritingTable))]
pub(super) async fn insert(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let insert: InsertRows = asked.json()?;
    if insert.cells() > CHANGE_CELLS {
        return bulk(&server, asked, Heavy::Rows { table, insert }).await;
    }
    let edit = Edit::from(insert);
    let location = format!("/v1/tables/{}/rows", server.table_id(&table).await?);
    let read = move |reader: &mut super::Reader<'_, '_>, _: &TableIndex| Ok(reader.add(&edit, "")?);
    change(&server, &table, &asked, read, move |_, outcomes| {
        Answer::created(NewRows::of(outcomes), location)
    })
    .await
}
