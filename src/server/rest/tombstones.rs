//! Documents that are deleted: deleting one, restoring it, and what everybody else is told of it.
//!
//! Deleting leaves a tombstone and all content. Whoever reads or writes a deleted document is told that it is gone, once
//! the tombstone is on disk.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::super::Server;
use super::answer::{Answer, Answered};
use super::asked::Asked;
use super::desk::{PATIENCE, off_runtime};
use super::etag;
use super::params::{At, KeyHeader};
use super::problem::{Code, Problem};
use super::responses::Writing;
use super::write::writer;
use crate::id::DocumentId;
use crate::room::{Deletion, EditError, KeyRefusal, Keyed, NotTurned, Once, Room, Writer};
use crate::store::{Place, Tombstone};

/// Deletes the document. It keeps its content and can be restored.
#[utoipa::path(delete, path = "/v1/documents/{document}", tag = "documents",
    params(KeyHeader, ("document" = String, Path, description = "a document id, its automerge: address, or base/name as one segment"),
        ("If-Match" = Option<String>, Header, description = "only if the document has this version")),
    responses((status = 204, description = "the tombstone is on disk"),
        (status = 412, description = "it has another version than `If-Match` names: `version-changed`", body = Problem,
            content_type = "application/problem+json", headers(("ETag" = String))), Writing))]
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = server.table_id(&document).await?;
    server.spare_the_directory(&id)?;
    turn(&server, id, &asked, Room::delete).await
}

/// Takes a deletion back: the document is there again, with everything it had. One that is not deleted stays as it is.
#[utoipa::path(post, path = "/v1/documents/{document}/restore", tag = "documents",
    params(KeyHeader, ("document" = String, Path, description = "a document id, its automerge: address, or base/name as one segment"),
        ("If-Match" = Option<String>, Header, description = "only if the document has this version")),
    responses((status = 204, description = "the document is there, and that is on disk"),
        (status = 412, description = "it has another version than `If-Match` names: `version-changed`", body = Problem,
            content_type = "application/problem+json", headers(("ETag" = String))), Writing))]
pub(super) async fn restore(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    turn(&server, server.table_id(&document).await?, &asked, Room::restore).await
}

/// [`Room::delete`] or [`Room::restore`].
type Turn = fn(&Arc<Room>, Place, &Writer, Instant, Option<(&Keyed, Bytes)>) -> Result<Once<()>, EditError<NotTurned>>;

async fn turn(server: &Server, id: DocumentId, asked: &Asked, turn: Turn) -> Result<Response, Problem> {
    let room = server.room_awake(&id).await?;
    let (place, turning) = (server.place(0).await?, room.clone());
    let now = etag::of(&room.durable_heads());
    if etag::named_by(&asked.headers, header::IF_MATCH, &now) == Some(false) {
        let mut problem = Problem::new(Code::VersionChanged, "the document has another version by now");
        problem.etag = Some(now);
        return Err(problem);
    }
    let (keyed, answer) = (asked.keyed(), Answer::done().at(&room.durable_heads()));
    let kept = answer.encode();
    let turned = off_runtime(move || {
        let keyed = keyed.as_ref().map(|keyed| (keyed, kept));
        turn(&turning, place, &writer(), Instant::now(), keyed)
    });
    let (seen, outcome) = match turned.await? {
        Ok(Once::Replayed(before)) => (before.seen(), Answered::replay(&before.value)),
        Ok(done) => (done.seen(), Ok(answer.into_response())),
        Err(EditError::Deleted { tombstone, seen }) => (seen, Err(gone(&id, &tombstone))),
        Err(EditError::Key { why, seen }) => (seen, Err(key_refused(why))),
        Err(EditError::Refused(NotTurned::NoDocument { seen })) => {
            let detail = format!("there is no document {id}");
            (seen, Err(Problem::new(Code::NotFound, detail)))
        }
        Err(error @ EditError::NotAwake) => return Err(Problem::new(Code::Busy, error.to_string())),
        Err(error @ EditError::Failed(_)) => return Err(Problem::new(Code::Failed, error.to_string())),
    };
    let saved = match outcome.is_ok() {
        true => server.confirmed(&room, seen).await?,
        false => server.saved_all(&room, seen).await?,
    };
    match saved {
        true => outcome,
        false => Err(Problem::new(
            Code::NotSaved,
            "this could not be written to the disk and was taken back",
        )),
    }
}

/// Whether the document of a room is deleted, once that may be told.
pub(super) async fn deletion(room: &Room) -> Result<Option<Tombstone>, Problem> {
    let told = room.until(|room| match room.deletion() {
        Deletion::Deciding => None,
        Deletion::Deleted(tombstone) => Some(Some(tombstone)),
        // Of a room that was awake it is known.
        Deletion::Not | Deletion::Unknown => Some(None),
    });
    tokio::time::timeout(PATIENCE, told)
        .await
        .map_err(|_| Problem::new(Code::Busy, "the disk is behind; try again"))
}

/// What everybody is told of a deleted document.
pub(super) fn gone(id: &DocumentId, tombstone: &Tombstone) -> Problem {
    let detail = format!(
        "the document {id} was deleted by {:?} at {} ms since 1970; POST /v1/documents/{id}/restore brings it back",
        tombstone.by, tombstone.at
    );
    Problem::new(Code::Deleted, detail)
}

/// Why an idempotency key does not let a request be done.
pub(super) fn key_refused(why: KeyRefusal) -> Problem {
    let code = match why {
        KeyRefusal::Reused => Code::KeyReused,
        KeyRefusal::Expired => Code::KeyExpired,
        KeyRefusal::Ahead => Code::BadKey,
    };
    Problem::new(code, why.to_string())
}
