//! The columns of a table.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::params::{Asking, At};
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::{ReadingTable, WritingTable};
use super::query::ColumnsQuery;
use super::{Reader, change, column_id, column_now, respond};
use crate::document::table::{ColumnId, Outcome, TableIndex};
use crate::wire::table::{Column, ColumnPatch, Edit, NewColumn};

#[derive(Serialize, ToSchema)]
pub(super) struct Columns {
    /// In their order.
    columns: Vec<Column>,
}

/// The columns of a table, or those that were deleted.
#[utoipa::path(get, path = "/v1/tables/{table}/columns", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), ColumnsQuery, ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Columns>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    Asking(asked): Asking<ColumnsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, deleted) = (server.table_id(&table).await?, asked.deleted()?);
    let seen = server
        .look_table(&id, move |_, index| {
            let columns = index.columns().iter();
            columns
                .filter(|column| column.deleted.is_some() == deleted)
                .map(Column::from)
                .collect()
        })
        .await?;
    Ok(respond(&headers, &seen.heads, Columns { columns: seen.value }))
}

/// Adds a column.
#[utoipa::path(post, path = "/v1/tables/{table}/columns", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), WriteHeaders),
    request_body = NewColumn,
    responses(
        (status = 201, body = inline(Versioned<Column>), headers(("ETag" = String), ("Location" = String))), WritingTable))]
pub(super) async fn add(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let new: NewColumn = asked.json()?;
    let place = format!("/v1/tables/{}/columns", server.table_id(&table).await?);
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| Ok(reader.new_column(&new)?);
    change(&server, &table, &asked, read, move |tx, outcomes| {
        let made = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Column(id) => column_now(tx, id),
            _ => None,
        });
        let id = made.as_ref().map(|column| column.id.clone()).unwrap_or_default();
        Answer::created(made, format!("{place}/{id}"))
    })
    .await
}

/// A column by its id or its unique name; a deleted one by its id.
#[utoipa::path(get, path = "/v1/tables/{table}/columns/{column}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("column" = String, Path, description = "a column's id or unique name"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Column>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At((table, column)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = server.table_id(&table).await?;
    let seen = server
        .look_table(&id, move |_, index| {
            let id = column_id(index.columns(), &column)?;
            Ok::<_, Problem>(index.column(&id).map(Column::from))
        })
        .await?;
    Ok(respond(&headers, &seen.heads, seen.value?))
}

/// Changes a column. Changing its kind touches no cell: those that do not fit are marked.
#[utoipa::path(patch, path = "/v1/tables/{table}/columns/{column}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("column" = String, Path, description = "a column's id or unique name"), WriteHeaders),
    request_body = ColumnPatch,
    responses((status = 200, body = inline(Versioned<Column>), headers(("ETag" = String))), WritingTable))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At((table, column)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let patch: ColumnPatch = asked.json()?;
    // Which column was meant is known only in the transaction, and needed for the answer.
    let meant: Arc<std::sync::OnceLock<ColumnId>> = Arc::default();
    let found = meant.clone();
    let read = move |reader: &mut Reader<'_, '_>, index: &TableIndex| {
        let id = column_id(index.columns(), &column)?;
        reader.patch_column(&id, &patch)?;
        let _ = found.set(id);
        Ok(())
    };
    change(&server, &table, &asked, read, move |tx, _| {
        Answer::ok(meant.get().and_then(|id| column_now(tx, id)))
    })
    .await
}

/// Marks a column as deleted; it can be restored, with its cells.
#[utoipa::path(delete, path = "/v1/tables/{table}/columns/{column}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("column" = String, Path, description = "a column's id or unique name"), WriteHeaders),
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    At((table, column)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    mark(&server, &table, &asked, column, |column| Edit::DeleteColumn { column }).await
}

/// Takes the mark of a deleted column away. A deleted column is named by its id.
#[utoipa::path(post, path = "/v1/tables/{table}/columns/{column}/restore", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("column" = String, Path, description = "a column's id"), WriteHeaders),
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn restore(
    State(server): State<Arc<Server>>,
    At((table, column)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    mark(&server, &table, &asked, column, |column| Edit::RestoreColumn { column }).await
}

async fn mark(
    server: &Server,
    table: &str,
    asked: &Asked,
    column: String,
    edit: impl FnOnce(String) -> Edit + Send + 'static,
) -> Result<Response, Problem> {
    let read = move |reader: &mut Reader<'_, '_>, index: &TableIndex| {
        let id = column_id(index.columns(), &column)?;
        Ok(reader.add(&edit(id.to_string()), "")?)
    };
    change(server, table, asked, read, |_, _| Answer::done()).await
}
