//! The saved views of a table. What a view shows is read from `rows?view=`.

use std::sync::Arc;

use automerge::ReadDoc;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::params::At;
use super::super::params::{ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::{ReadingTable, WritingTable};
use super::{Reader, change, no_view, respond, view_id};
use crate::document::table::{Outcome, TableIndex, ViewId};
use crate::document::view;
use crate::wire::table::{Edit, NewView, View, ViewParts};

#[derive(Serialize, ToSchema)]
pub(super) struct Views {
    /// In their order.
    views: Vec<View>,
}

/// The views of a table.
#[utoipa::path(get, path = "/v1/tables/{table}/views", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Views>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = server.table_id(&table).await?;
    let seen = server.look_table(&id, |document, _| all(document.automerge())).await?;
    Ok(respond(&headers, &seen.heads, Views { views: seen.value }))
}

/// Makes a view. Columns may be named by their unique names; the view keeps their ids.
#[utoipa::path(post, path = "/v1/tables/{table}/views", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), WriteHeaders),
    request_body = NewView,
    responses(
        (status = 201, body = inline(Versioned<View>), headers(("ETag" = String), ("Location" = String))), WritingTable))]
pub(super) async fn create(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let new: NewView = asked.json()?;
    let place = format!("/v1/tables/{}/views", server.table_id(&table).await?);
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| Ok(reader.new_view(&new)?);
    change(&server, &table, &asked, read, move |tx, outcomes| {
        let made = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::View(id) => now(tx, id),
            _ => None,
        });
        let id = made.as_ref().map(|view| view.id.clone()).unwrap_or_default();
        Answer::created(made, format!("{place}/{id}"))
    })
    .await
}

/// A view.
#[utoipa::path(get, path = "/v1/tables/{table}/views/{view}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("view" = String, Path, description = "a view's id"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<View>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At((table, view)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, view) = (server.table_id(&table).await?, view_id(&view)?);
    let seen = server
        .look_table(&id, move |document, _| {
            now(document.automerge(), &view).ok_or_else(|| no_view(&view))
        })
        .await?;
    Ok(respond(&headers, &seen.heads, seen.value?))
}

/// Replaces the parts of a view that are given; `null` takes one away.
#[utoipa::path(patch, path = "/v1/tables/{table}/views/{view}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("view" = String, Path, description = "a view's id"), WriteHeaders),
    request_body = ViewParts,
    responses((status = 200, body = inline(Versioned<View>), headers(("ETag" = String))), WritingTable))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At((table, view)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = view_id(&view)?;
    let parts: ViewParts = asked.json()?;
    let meant = id.clone();
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| {
        there(reader, &id)?;
        Ok(reader.patch_view(&id, &parts)?)
    };
    change(&server, &table, &asked, read, move |tx, _| Answer::ok(now(tx, &meant))).await
}

/// Removes a view for good; the rows stay.
#[utoipa::path(delete, path = "/v1/tables/{table}/views/{view}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"),
        ("view" = String, Path, description = "a view's id"), WriteHeaders),
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    At((table, view)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = view_id(&view)?;
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| {
        there(reader, &id)?;
        let view = id.to_string();
        Ok(reader.add(&Edit::DeleteView { view }, "")?)
    };
    change(&server, &table, &asked, read, |_, _| Answer::done()).await
}

pub(super) fn all(document: &impl ReadDoc) -> Vec<View> {
    view::read_all(document).iter().map(View::from).collect()
}

fn now(document: &impl ReadDoc, id: &ViewId) -> Option<View> {
    view::find(document, id).as_ref().map(View::from)
}

/// Whether the view that the address names is there.
fn there(reader: &Reader<'_, '_>, id: &ViewId) -> Result<(), Problem> {
    match view::find(reader.document(), id) {
        Some(_) => Ok(()),
        None => Err(no_view(id)),
    }
}
