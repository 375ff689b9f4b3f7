//! Who is in a room, and programs that are there as well.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Server;
use super::asked::Asked;
use super::documents::parse;
use super::params::At;
use super::problem::{Code, Problem};
use super::responses::{Listing, Writing};
use crate::id::{DocumentId, PeerId};
use crate::room::Room;
use crate::room::agents::NotShown;
use crate::sync::presence::Person;
use crate::wire::json;

/// Characters of a session, and of what a program calls itself.
const MAX_SESSION: usize = 128;
const MAX_NAME: usize = 256;

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

/// What a program shows of itself. Beside `user` it may have any members (`cursor`, `selection`, `typing` ...), as the front
/// ends of the room understand them.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Shown {
    user: User,
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties = true)]
    more: Map<String, Value>,
}

/// Who a program says that it is.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[schema(min_length = 1, max_length = 256)]
    user_id: String,
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// A CSS colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 256, nullable = false)]
    color: Option<String>,
}

/// Under which id a program is shown, and for how long.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownAs {
    document_id: String,
    peer_id: String,
    /// Milliseconds after which it is taken for gone, unless it says something again.
    ttl_ms: u64,
}

/// The people present, with the state they show; times are milliseconds ago.
#[utoipa::path(get, path = "/v1/rooms/{document}/presence", tag = "rooms", operation_id = "readPresence",
    params(("document" = String, Path, description = "a document id or its automerge: address")),
    responses((status = 200, description = "who is there", body = Presence), Listing))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
) -> Result<Json<Presence>, Problem> {
    let document = parse(&document)?;
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

/// Shows a program to everybody in the room as a person is shown, with all of its state. It is gone when it has said nothing for
/// `ttlMs`.
#[utoipa::path(put, path = "/v1/rooms/{document}/presence/{session}", tag = "rooms", operation_id = "showPresence",
    params(("document" = String, Path, description = "a document id or its automerge: address"),
        ("session" = String, Path, description = "1 to 128 letters, digits, `-`, `_`, `.` or `~`, of the program's choosing")),
    request_body(content = Shown, content_type = "application/json"),
    responses((status = 200, description = "it is shown", body = ShownAs),
        (status = 201, description = "it is shown, and was not before", body = ShownAs), Writing))]
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    At((document, session)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let (document, agent) = (parse(&document)?, agent(&session)?);
    let state: Map<String, Value> = asked.json()?;
    check_user(state.get("user"))?;
    let state: Vec<_> = state
        .iter()
        .map(|(name, value)| (name.clone(), json::to_cbor(value)))
        .collect();
    let room = server.room_of(&document).await?;
    let is_new = room
        .audience()
        .show_agent(Instant::now(), &agent, &state)
        .map_err(|why| match why {
            NotShown::Full => Problem::new(Code::Busy, why.to_string()),
            why => Problem::new(Code::Refused, why.to_string()),
        })?;
    server.metrics.ephemerals_relayed.inc();
    let shown = ShownAs {
        document_id: document.to_string(),
        peer_id: agent.to_string(),
        ttl_ms: server.config.room.audience.presence_ttl.as_millis() as u64,
    };
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(shown)).into_response())
}

/// Says goodbye: the program is no longer shown.
#[utoipa::path(delete, path = "/v1/rooms/{document}/presence/{session}", tag = "rooms", operation_id = "endPresence",
    params(("document" = String, Path, description = "a document id or its automerge: address"),
        ("session" = String, Path, description = "as it was shown under")),
    responses((status = 204, description = "it is no longer shown"), Writing))]
pub(super) async fn leave(
    State(server): State<Arc<Server>>,
    At((document, session)): At<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (document, agent) = (parse(&document)?, agent(&session)?);
    let room = server.rooms.get(&document);
    match room.is_some_and(|room| room.audience().dismiss_agent(Instant::now(), &agent)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            let why = format!("no session {session:?} is present at document {document}");
            Err(Problem::new(Code::NotFound, why))
        }
    }
}

impl Server {
    /// The room of a document that exists. Presence does not need the document itself, so a room that is open will do.
    async fn room_of(&self, document: &DocumentId) -> Result<Arc<Room>, Problem> {
        match self.rooms.get(document) {
            Some(room) if room.exists() && !room.is_withheld() => Ok(room),
            _ => self.find(document).await,
        }
    }
}

fn agent(session: &str) -> Result<PeerId, Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let is_good = (1..=MAX_SESSION).contains(&session.len()) && session.bytes().all(is_plain);
    let bad = || {
        let why =
            format!("a session is 1 to {MAX_SESSION} letters, digits, -, _, . or ~, which this is not: {session:?}");
        Problem::new(Code::BadId, why)
    };
    match is_good {
        true => PeerId::of_agent(session).map_err(|_| bad()),
        false => Err(bad()),
    }
}

/// Front ends show who it is: a name must be there.
fn check_user(user: Option<&Value>) -> Result<(), Problem> {
    let bad = |field: &str, why: &str| Err(Problem::new(Code::BadBody, why).at(field));
    let Some(Value::Object(user)) = user else {
        return bad("/user", "user is to be an object with userId and name");
    };
    for (name, must) in [("userId", true), ("name", true), ("color", false)] {
        let is_good = match user.get(name) {
            None => !must,
            Some(Value::String(text)) => (1..=MAX_NAME).contains(&text.chars().count()),
            Some(_) => false,
        };
        if !is_good {
            let why = format!("{name} is to be a text of 1 to {MAX_NAME} characters");
            return bad(&format!("/user/{name}"), &why);
        }
    }
    Ok(())
}
