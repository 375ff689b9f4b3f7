//! How far a bulk write is: asked once, or told as it goes on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::super::Server;
use super::super::params::At;
use super::super::problem::{Code, Problem};
use super::super::responses::Reading;
use super::Asking;
use super::progress::Progress;
use crate::key::Key;

/// Bytes that keep proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(in crate::server::rest) fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(events))
}

/// What a bulk write has come to.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::server::rest) struct Done {
    /// The table's document.
    table: String,
    /// The address that front ends open.
    url: String,
    /// The idempotency key that names the bulk write.
    key: String,
    /// Changes it was cut into.
    slices: usize,
    /// Cells written.
    cells: usize,
    /// Of an import: new rows.
    rows: Option<usize>,
    /// Of an import: rows of which at least one cell changed.
    changed_rows: Option<usize>,
    /// Of an import: columns of the file that were taken.
    columns: Option<usize>,
    /// The version of the table with all of it.
    version: String,
}

/// A bulk write that has begun.
#[derive(Serialize, utoipa::ToSchema)]
pub(in crate::server::rest) struct Accepted {
    table: String,
    url: String,
    key: String,
    /// Where its progress is; with `/events` behind it, as it goes on.
    progress: String,
}

/// How far a bulk write or an import is. One that is not under way and not done goes on when it is sent again with its key.
#[utoipa::path(get, path = "/v1/tables/{table}/bulk/{key}", tag = "tables",
    params(("table" = String, Path, description = "a document id, an automerge: address, or base/name as one segment"),
        ("key" = String, Path, description = "the idempotency key of the bulk write")),
    responses((status = 200, body = Progress), Reading))]
async fn read(
    State(server): State<Arc<Server>>,
    At((table, key)): At<(String, String)>,
) -> Result<Json<Progress>, Problem> {
    Ok(Json(match asking(&server, &table, &key).await? {
        Asking::Running(running) => running.watch().borrow().clone(),
        Asking::Kept(progress) => progress,
    }))
}

/// The progress of a bulk write as server-sent events, the first at once, until it is over.
#[utoipa::path(get, path = "/v1/tables/{table}/bulk/{key}/events", tag = "tables",
    params(("table" = String, Path, description = "a document id, an automerge: address, or base/name as one segment"),
        ("key" = String, Path, description = "the idempotency key of the bulk write")),
    responses((status = 200, body = serde_json::Value, content_type = "text/event-stream",
            description = "events named `progress`, whose data is what the address without `/events` answers"), Reading))]
async fn events(
    State(server): State<Arc<Server>>,
    At((table, key)): At<(String, String)>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let told = match asking(&server, &table, &key).await? {
        Asking::Running(running) => following(running.watch()).left_stream(),
        Asking::Kept(progress) => stream::once(async { progress }).right_stream(),
    };
    let events = told.map(|progress| {
        let event = Event::default().event("progress").json_data(&progress);
        Ok(event.unwrap_or_default())
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Where a bulk write stands now and whenever that changes, to its end. Who reads slowly misses what lies between.
fn following(progress: watch::Receiver<Progress>) -> impl Stream<Item = Progress> {
    stream::unfold(Some((progress, true)), async |state| {
        let (mut progress, is_first) = state?;
        if !is_first && progress.changed().await.is_err() {
            return None;
        }
        let now = progress.borrow_and_update().clone();
        let next = (!now.is_over()).then_some((progress, false));
        Some((now, next))
    })
}

async fn asking(server: &Server, table: &str, key: &str) -> Result<Asking, Problem> {
    let key = Key::parse(key).map_err(|error| Problem::new(Code::BadKey, error.to_string()))?;
    let document = server.table_id(table).await?;
    server.bulk_progress(&document, &key).await
}
