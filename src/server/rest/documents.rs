//! Documents: list, create, read as JSON or as bytes, merge-patch.

use std::sync::Arc;
use std::time::Duration;

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Server;
use super::answer::Answer;
use super::asked::Asked;
use super::etag;
use super::problem::{Code, Problem};
use crate::document::json;
use crate::id::DocumentId;
use crate::store::Listed;

/// Documents on one page of the list, unless the request says otherwise, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

/// How long a reader may keep what it read without asking again: not at all, but an ETag makes asking cheap.
const REVALIDATE: Duration = Duration::ZERO;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The last document id of the page before.
    after: Option<String>,
    /// Documents on a page, 1 to 1000; 100 if it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// True for the documents that are deleted, instead of those that are not.
    #[serde(default)]
    deleted: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Documents {
    documents: Vec<String>,
    /// What to give as `after` for the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    document_id: String,
    /// The address that front ends open.
    url: String,
}

/// The ids of all documents, in a fixed order. A page may be shorter than asked for and still not be the last one.
#[utoipa::path(get, path = "/v1/documents", tag = "documents", params(Page),
    responses((status = 200, body = Documents),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 500, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Documents>, Problem> {
    let Query(Page { after, limit, deleted }) =
        page.map_err(|error| Problem::new(Code::BadQuery, error.body_text()))?;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::new(
            Code::BadQuery,
            format!("limit is {limit}, which must be from 1 to {LARGEST_PAGE}"),
        )
        .at("/limit"));
    }
    let after = after.map(|id| parse(&id)).transpose()?;
    let which = match deleted {
        true => Listed::Deleted,
        false => Listed::Present,
    };
    let store = server.store.clone();
    let listed = tokio::task::spawn_blocking(move || store.documents(which, after.as_ref(), limit)).await;
    let page = match listed {
        Ok(Ok(page)) => page,
        Ok(Err(error)) => return Err(Problem::new(Code::Failed, error.to_string())),
        Err(panic) => return Err(Problem::new(Code::Failed, panic.to_string())),
    };
    Ok(Json(Documents {
        documents: page.documents.iter().map(ToString::to_string).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Makes a document of a JSON object. Strings become single values, the last writer wins.
#[utoipa::path(post, path = "/v1/documents", tag = "documents", request_body = Object,
    responses((status = 201, body = Created, headers(("Location" = String), ("ETag" = String))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
        (status = 507, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create(State(server): State<Arc<Server>>, asked: Asked) -> Result<Response, Problem> {
    let content: Map<String, Value> = asked.json()?;
    let id = asked.new_id(server.store.storage_id());
    let room = server.room_awake(&id).await?;
    let created = Created {
        document_id: id.to_string(),
        url: id.url(),
    };
    let edit = move |tx: &mut Transaction<'_>, _: &[ChangeHash]| {
        json::merge(tx, &content)?;
        match content.is_empty() {
            // A document exists from its first change on.
            true => Err(Problem::new(Code::BadBody, "an empty object makes no document").into()),
            false => Ok(Answer::created(created, format!("/v1/documents/{id}"))),
        }
    };
    server.write(room, &asked, edit).await
}

/// The document as JSON; its ETag is its version.
#[utoipa::path(get, path = "/v1/documents/{document}", tag = "documents",
    params(("document" = String, Path, description = "a document id or its automerge: address"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = Object, headers(("ETag" = String))), (status = 304, description = "the version is the one named"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 500, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    Path(document): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = server
        .look(&parse(&document)?, |document| json::read(document.automerge()))
        .await?;
    let tag = etag::of(&seen.heads);
    let caching = (
        header::CACHE_CONTROL,
        format!("private, max-age={}", REVALIDATE.as_secs()),
    );
    if etag::named_by(&headers, header::IF_NONE_MATCH, &tag) == Some(true) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), caching]).into_response());
    }
    Ok(([(header::ETAG, tag), caching], Json(seen.value)).into_response())
}

/// The document as Automerge writes it: a file that any Automerge can load.
#[utoipa::path(get, path = "/v1/documents/{document}/bytes", tag = "documents",
    params(("document" = String, Path, description = "a document id or its automerge: address")),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.automerge", headers(("ETag" = String))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 500, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read_bytes(
    State(server): State<Arc<Server>>,
    Path(document): Path<String>,
) -> Result<Response, Problem> {
    let seen = server.look(&parse(&document)?, |document| document.save()).await?;
    let headers = [
        (header::ETAG, etag::of(&seen.heads)),
        (header::CONTENT_TYPE, "application/vnd.automerge".to_owned()),
    ];
    Ok((headers, seen.value).into_response())
}

/// Merges a JSON object into the document (RFC 7396): objects merge, null removes, everything else replaces. With
/// `If-Match` only if the document still has that version.
#[utoipa::path(patch, path = "/v1/documents/{document}", tag = "documents",
    params(("document" = String, Path, description = "a document id or its automerge: address"),
        ("If-Match" = Option<String>, Header)),
    request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 204, description = "the patch is on disk", headers(("ETag" = String))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        (status = 500, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
        (status = 507, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn merge(
    State(server): State<Arc<Server>>,
    Path(document): Path<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let patch: Map<String, Value> = asked.json()?;
    let room = server.find(&parse(&document)?).await?;
    let headers = asked.headers.clone();
    let edit = move |tx: &mut Transaction<'_>, version: &[ChangeHash]| {
        let tag = etag::of(version);
        if etag::named_by(&headers, header::IF_MATCH, &tag) == Some(false) {
            let mut problem = Problem::new(Code::VersionChanged, "the document has another version by now");
            problem.etag = Some(tag);
            return Err(problem.into());
        }
        json::merge(tx, &patch)?;
        Ok(Answer::done())
    };
    server.write(room, &asked, edit).await
}

fn parse(document: &str) -> Result<DocumentId, Problem> {
    DocumentId::parse_address(document).map_err(|error| Problem::new(Code::BadId, error.to_string()))
}
