//! Who is in a room.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::response::Json;
use serde::Serialize;

use super::super::Server;
use super::problem::{Code, Problem};
use crate::id::DocumentId;
use crate::sync::presence::Person;

/// The roster of a room.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Presence {
    document_id: String,
    /// Connections that have the document open.
    connections: usize,
    #[schema(value_type = Vec<Object>)]
    people: Vec<Person>,
}

/// The people present, with the state they show; times are milliseconds ago.
#[utoipa::path(get, path = "/v1/rooms/{document}/presence", tag = "rooms",
    params(("document" = String, Path, description = "a document id or its automerge: address")),
    responses((status = 200, body = Presence), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    Path(document): Path<String>,
) -> Result<Json<Presence>, Problem> {
    let document =
        DocumentId::parse_address(&document).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let room = server.rooms.get(&document);
    let (connections, people) = room.map_or_else(Default::default, |room| {
        let audience = room.audience();
        (audience.len(), audience.people(Instant::now()))
    });
    Ok(Json(Presence {
        document_id: document.to_string(),
        connections,
        people,
    }))
}
