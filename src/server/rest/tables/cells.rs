//! One cell: read, set, or changed by what merges with what others do.

use std::sync::Arc;

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
use super::super::params::At;
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::{ReadingTable, WritingTable};
use super::row::there;
use super::{Reader, change, column_id, no_row, respond, row_id};
use crate::document::table::{self, TableIndex, cells};
use crate::wire::table::CellPatch;

/// A cell of a table.
#[derive(Serialize, ToSchema)]
pub(super) struct Cell {
    #[schema(example = "Yw0pLk3a.9fQ2mZx1")]
    row: String,
    #[schema(example = "c4Tz81bQx")]
    column: String,
    /// `null` if the cell is empty.
    #[schema(value_type = serde_json::Value)]
    value: Json,
    /// What the column expects, if the cell does not fit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    marked: Option<&'static str>,
}

/// A cell by its row and the id or the unique name of its column.
#[utoipa::path(get, path = "/v1/tables/{table}/rows/{row}/cells/{column}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"),
        ("column" = String, Path, description = "a column's id or unique name"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Cell>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At((table, row, column)): At<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, row) = (server.table_id(&table).await?, row_id(&row)?);
    let seen = server
        .look_table(&id, move |document, index| {
            let id = column_id(index.columns(), &column)?;
            let reading = index
                .column(&id)
                .and_then(|column| Some((cells::cell(document.automerge(), &row, column)?, column)));
            let (reading, column) = reading.ok_or_else(|| no_row(&row))?;
            let misfit = matches!(reading, table::Reading::Mismatch(_));
            Ok::<_, Problem>(Cell {
                row: row.to_string(),
                column: column.id.to_string(),
                value: reading.to_json(),
                marked: misfit.then(|| column.kind.expects()),
            })
        })
        .await?;
    Ok(respond(&headers, &seen.heads, seen.value?))
}

/// Edits a cell. `increment`, `splice`, `add` and `remove` merge with what others do at the same time.
#[utoipa::path(patch, path = "/v1/tables/{table}/rows/{row}/cells/{column}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("row" = String, Path, description = "a row's id"),
        ("column" = String, Path, description = "a column's id or unique name"), WriteHeaders),
    request_body = CellPatch,
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At((table, row, column)): At<(String, String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let row = row_id(&row)?;
    let patch: CellPatch = asked.json()?;
    let read = move |reader: &mut Reader<'_, '_>, index: &TableIndex| {
        there(index, &row)?;
        let column = column_id(index.columns(), &column)?;
        reader.patch_cell(&row, &column, &patch);
        Ok(())
    };
    change(&server, &table, &asked, read, |_, _| Answer::done()).await
}
