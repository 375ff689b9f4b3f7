//! A document as a file: what Automerge saves, out and in.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::Server;
use super::answer::{Answer, Versioned};
use super::asked::Upload;
use super::desk::off_runtime;
use super::documents::parse;
use super::etag;
use super::params::At;
use super::problem::{Code, Problem};
use super::responses::{Reading, Writing};
use super::tombstones;
use super::write::writer;
use crate::room::NotBrought;
use crate::room::inbox::Close;
use crate::store::Need;
use crate::sync::gate::{self, Offered};

const MEDIA_TYPE: &str = "application/vnd.automerge";

/// What is taken for a file without a word about it: nothing at all, and what curl says if it is told nothing.
const UNSAID: [&str; 3] = ["", "application/octet-stream", "application/x-www-form-urlencoded"];

/// What came of bringing in a file.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BroughtIn {
    document_id: String,
    /// The address that front ends open.
    url: String,
    /// The changes that the document did not have.
    changes: usize,
}

/// The document as Automerge writes it: a file that any Automerge can load.
#[utoipa::path(get, path = "/v1/documents/{document}/bytes", tag = "documents", operation_id = "readDocumentBytes",
    params(("document" = String, Path, description = "a document id or its automerge: address")),
    responses((status = 200, description = "a saved document", body = Vec<u8>, content_type = "application/vnd.automerge",
        headers(("ETag" = String))), Reading))]
pub(super) async fn read(State(server): State<Arc<Server>>, At(document): At<String>) -> Result<Response, Problem> {
    let seen = server.look(&parse(&document)?, |document| document.replica()).await?;
    let headers = [
        (header::ETAG, etag::of(&seen.heads)),
        (header::CONTENT_TYPE, MEDIA_TYPE.to_owned()),
    ];
    // Saving takes long and does not need the document, of which this is a copy.
    let copy = seen.value;
    let bytes = off_runtime(move || copy.save()).await?;
    Ok((headers, bytes).into_response())
}

/// Merges a file in: a saved document, or changes one after the other. All of its changes are taken or, if one cannot be,
/// none. Makes the document if there is none.
#[utoipa::path(put, path = "/v1/documents/{document}/bytes", tag = "documents", operation_id = "bringDocumentBytes",
    params(("document" = String, Path, description = "a document id or its automerge: address")),
    request_body(content = Vec<u8>, content_type = "application/vnd.automerge"),
    responses((status = 200, description = "it is merged in", body = Versioned<BroughtIn>, headers(("ETag" = String))),
        (status = 201, description = "the document was made of it", body = Versioned<BroughtIn>,
            headers(("ETag" = String), ("Location" = String))),
        Writing))]
pub(super) async fn bring(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
    Upload(asked): Upload,
) -> Result<Response, Problem> {
    let id = parse(&document)?;
    server.spare_the_directory(&id)?;
    asked.takes_no_if_match()?;
    let media_type = asked.media_type();
    if media_type != MEDIA_TYPE && !UNSAID.contains(&media_type.as_str()) {
        let why = format!("the body is {media_type}, where {MEDIA_TYPE} is taken");
        return Err(Problem::new(Code::UnsupportedMediaType, why));
    }
    let (body, limits) = (asked.body.clone(), server.config.room.gate.clone());
    let offered = off_runtime(move || gate::open_file(&body, &limits))
        .await?
        .map_err(|error| Problem::new(Code::BadBody, format!("the body is no file of Automerge: {error}")))?;
    if offered.is_empty() {
        return Err(Problem::new(Code::BadBody, "the body holds no change"));
    }
    let room = server.room_awake(&id).await?;
    if let Some(tombstone) = tombstones::deletion(&room).await? {
        return Err(tombstones::gone(&id, &tombstone));
    }
    let place = server.reserve(need_of(&offered)).await?;
    let bringing = room.clone();
    let brought = off_runtime(move || bringing.bring(place, offered, &writer(), Instant::now())).await?;
    let brought = match brought {
        Ok(brought) => brought,
        Err(why) => {
            // The refusal was made from the document as it was, which may not be on disk yet.
            server.saved_all(&room, room.seen()).await?;
            return Err(match why {
                NotBrought::NotAwake => Problem::new(Code::Busy, "the document was unloaded meanwhile; try again"),
                NotBrought::Deleted(tombstone) => tombstones::gone(&id, &tombstone),
                NotBrought::Overtaken { .. } => Problem::new(Code::Refused, why.to_string()),
                _ => Problem::new(Code::Refused, format!("nothing was taken: {why}")),
            });
        }
    };
    server
        .metrics
        .changes_committed
        .inc_by(brought.value.commit.committed as u64);
    for connection in &brought.value.commit.send_again {
        server.close(*connection, Close::TryLater);
    }
    if !server.confirmed(&room, brought.seen()).await? {
        let why = "the changes could not be written to the disk and were taken back";
        return Err(Problem::new(Code::NotSaved, why));
    }
    let body = BroughtIn {
        document_id: id.to_string(),
        url: id.url(),
        changes: brought.value.new,
    };
    let answer = match brought.value.created {
        true => Answer::created(body, format!("/v1/documents/{id}")),
        false => Answer::ok(body),
    };
    Ok(answer.at(&brought.heads).into_response())
}

fn need_of(offered: &[Offered]) -> Need {
    let bytes = offered.iter().map(|offered| match offered {
        Offered::Change(change) => change.raw_bytes().len(),
        Offered::Refused { .. } => 0,
    });
    Need {
        changes: offered.len(),
        bytes: bytes.sum(),
    }
}
