//! One row.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::params::{Asking, At};
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::{ReadingTable, WritingTable};
use super::query::RowQuery;
use super::{Reader, change, no_row, respond, row_id};
use crate::document::table::{RowId, TableIndex};
use crate::wire::table::{Edit, Place, Row};

/// What is to change of a row; cells that are not named stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RowPatch {
    /// Values by the id or the unique name of their column; `null` empties a cell.
    #[serde(default)]
    cells: BTreeMap<String, Json>,
    /// Where the row is to stand.
    at: Option<Place>,
}

/// A row, deleted or not.
#[utoipa::path(get, path = "/v1/tables/{table}/rows/{row}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"), RowQuery, ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Row>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At((table, row)): At<(String, String)>,
    Asking(asked): Asking<RowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, row, showing) = (server.table_id(&table).await?, row_id(&row)?, asked.showing()?);
    let seen = server
        .look_table(&id, move |document, index| {
            let shown = showing.columns(index, None)?;
            let entry = index.row(&row).ok_or_else(|| no_row(&row))?;
            Ok::<_, Problem>(shown.row(document.automerge(), entry))
        })
        .await?;
    Ok(respond(&headers, &seen.heads, seen.value?))
}

/// Writes cells of a row and moves it, in one change. With `If-Match` only if none of these cells has changed since.
#[utoipa::path(patch, path = "/v1/tables/{table}/rows/{row}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"), WriteHeaders),
    request_body = RowPatch,
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At((table, row)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let row = row_id(&row)?;
    let patch: RowPatch = asked.json()?;
    let read = move |reader: &mut Reader<'_, '_>, index: &TableIndex| {
        there(index, &row)?;
        reader.set_cells(&row, &patch.cells)?;
        if let Some(place) = &patch.at {
            reader.move_row(&row, place)?;
        }
        Ok(())
    };
    change(&server, &table, &asked, read, |_, _| Answer::done()).await
}

/// Marks a row as deleted; it can be restored.
#[utoipa::path(delete, path = "/v1/tables/{table}/rows/{row}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"), WriteHeaders),
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    At((table, row)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let row = row_id(&row)?;
    let rows = vec![row.to_string()];
    mark(&server, &table, &asked, row, Edit::DeleteRows { rows }).await
}

/// Takes the mark of a deleted row away: it stands where it stood, with what others wrote into it meanwhile.
#[utoipa::path(post, path = "/v1/tables/{table}/rows/{row}/restore", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"), WriteHeaders),
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn restore(
    State(server): State<Arc<Server>>,
    At((table, row)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let row = row_id(&row)?;
    let rows = vec![row.to_string()];
    mark(&server, &table, &asked, row, Edit::RestoreRows { rows }).await
}

async fn mark(server: &Server, table: &str, asked: &Asked, row: RowId, edit: Edit) -> Result<Response, Problem> {
    let read = move |reader: &mut Reader<'_, '_>, index: &TableIndex| {
        there(index, &row)?;
        Ok(reader.add(&edit, "")?)
    };
    change(server, table, asked, read, |_, _| Answer::done()).await
}

/// Whether the row that the address names is there, deleted or not.
pub(super) fn there(index: &TableIndex, row: &RowId) -> Result<(), Problem> {
    index.row(row).map(|_| ()).ok_or_else(|| no_row(row))
}
