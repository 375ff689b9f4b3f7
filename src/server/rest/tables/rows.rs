//! Many rows: pages of them, and new ones.

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
use super::super::bulk::routes::Done;
use super::super::desk::off_runtime;
use super::super::params::{Asking, At, PreferHeader};
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::Begun;
use super::super::responses::{ReadingTable, WritingTable};
use super::heavy::{Heavy, bulk};
use super::pages::{Looked, RowsPage, look};
use super::query::{Rows, RowsQuery};
use super::{change, not_modified, tagged};
use crate::document::table::{CHANGE_CELLS, Outcome, TableIndex};
use crate::wire::table::{Edit, InsertRows};

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
    let asked = query.clone();
    let seen = server
        .look_views(&id, move |document, index, views| {
            match not_modified(&headers, index.heads()) {
                Some(known) => Ok(Err(known)),
                None => look(document, index, views, &asked).map(Ok),
            }
        })
        .await?;
    let apart = match seen.value? {
        Err(known) => return Ok(known),
        Ok(Looked::Page(page)) => return Ok(tagged(&seen.heads, page)),
        Ok(Looked::Apart(apart)) => apart,
    };
    let room = server.find(&id).await?;
    let page = off_runtime(move || apart.page(&room, &query)).await??;
    Ok(tagged(&seen.heads, page))
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
    let insert: InsertRows = asked.object()?;
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
