//! REST: documents for back ends, agents, scripts and people with curl.
//!
//! Every write is one Automerge change through the room, and is on disk before it is answered; so is everything that an
//! answer reveals, refusals and 304 included. The OpenAPI description is made from the code at hand.

mod answer;
mod asked;
mod bases;
mod bulk;
mod bytes;
mod desk;
mod documents;
mod etag;
mod names;
mod params;
mod precondition;
mod presence;
mod problem;
mod responses;
mod tables;
mod tombstones;
mod transfer;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::response::Json;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use answer::REPLAYED;
pub(super) use asked::budget;
pub(super) use bulk::Bulks;
pub(super) use desk::off_runtime;
pub(super) use names::Names;
pub use problem::{Code, Problem};

use super::Server;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Roundtable",
        description = "Tables and documents that people and programs edit together. Every answered write is on disk.",
        license(name = "MIT OR Apache-2.0")
    ),
    // What only a list of responses names is not found by itself.
    components(schemas(bulk::routes::Accepted)),
    tags(
        (name = "documents", description = "Automerge documents, as JSON or as bytes"),
        (name = "tables", description = "Rows, cells, columns and views, edited beside everybody who has the table open"),
        (name = "bases", description = "Named sets of tables"),
        (name = "files", description = "CSV and XLSX into tables and out of them"),
        (name = "rooms", description = "Who is where")
    )
)]
struct Description;

/// The routes below `/v1`, and their description at `/v1/openapi.json`.
pub(super) fn routes() -> Router<Arc<Server>> {
    let (routes, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(documents::list, documents::create))
        .routes(routes!(documents::read, documents::patch, tombstones::delete))
        .routes(routes!(bytes::read, bytes::bring))
        .routes(routes!(tombstones::restore))
        .merge(tables::routes())
        .merge(bulk::routes::routes())
        .merge(transfer::routes())
        .routes(routes!(bases::list, bases::create))
        .routes(routes!(bases::read, bases::change))
        .routes(routes!(bases::tables))
        .routes(routes!(bases::put_table, bases::change_table, bases::remove_table))
        .routes(routes!(presence::read))
        .routes(routes!(presence::show, presence::leave))
        .split_for_parts();
    let description = Arc::new(description);
    routes.route("/v1/openapi.json", get(async move || Json((*description).clone())))
}
