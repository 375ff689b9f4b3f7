//! Documents: list, create, read as JSON, patch.

use std::sync::Arc;
use std::time::Duration;

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Server;
use super::answer::{Answer, Versioned};
use super::asked::Asked;
use super::etag;
use super::params::{At, KeyHeader};
use super::precondition;
use super::problem::{Code, Problem};
use super::responses::{Listing, Reading, Writing};
use super::write::Refused;
use crate::document::json::changed::Touched;
use crate::document::json::{self, patch::MAX_OPERATIONS};
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
#[utoipa::path(get, path = "/v1/documents", tag = "documents", operation_id = "listDocuments", params(Page),
    responses((status = 200, description = "a page of ids", body = Documents), Listing))]
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
#[utoipa::path(post, path = "/v1/documents", tag = "documents", operation_id = "createDocument", params(KeyHeader),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 201, description = "it is made", body = Versioned<Created>,
        headers(("Location" = String), ("ETag" = String))), Writing))]
pub(super) async fn create(State(server): State<Arc<Server>>, asked: Asked) -> Result<Response, Problem> {
    let content: Map<String, Value> = asked.json()?;
    let id = asked.new_id(server.store.storage_id());
    let room = server.room_awake(&id).await?;
    let created = Created {
        document_id: id.to_string(),
        url: id.url(),
    };
    let edit = move |tx: &mut Transaction<'_>, _: &[ChangeHash]| {
        json::fill(tx, &content)?;
        match content.is_empty() {
            // A document exists from its first change on.
            true => Err(Problem::new(Code::BadBody, "an empty object makes no document").into()),
            false => Ok(Answer::created(created, format!("/v1/documents/{id}"))),
        }
    };
    server.write(room, &asked, edit).await
}

/// The document as JSON; its ETag is its version.
#[utoipa::path(get, path = "/v1/documents/{document}", tag = "documents", operation_id = "readDocument",
    params(("document" = String, Path, description = "a document id or its automerge: address"),
        ("If-None-Match" = Option<String>, Header, description = "a version that need not be sent again")),
    responses((status = 200, description = "the document", body = Object, headers(("ETag" = String))),
        (status = 304, description = "the version is the one named", headers(("ETag" = String))), Reading))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
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

// Only the description of it is used.
/// An operation of a JSON patch (RFC 6902).
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Operation {
    op: Name,
    /// A JSON pointer: where.
    path: String,
    /// A JSON pointer: what a move or a copy takes.
    #[schema(nullable = false)]
    from: Option<String>,
    /// What an add, a replace or a test names.
    #[schema(value_type = Option<serde_json::Value>)]
    value: Option<Value>,
}

/// What an operation does.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum Name {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// A patch, in either of the two kinds.
enum Kind {
    /// RFC 7396: objects merge, null removes, everything else replaces.
    Merge(Map<String, Value>),
    /// RFC 6902: operations, all of them or none.
    Operations(Patch),
}

impl Kind {
    fn of(asked: &Asked) -> Result<Self, Problem> {
        match asked.media_type().as_str() {
            // The last is what curl says if it is told nothing.
            "" | "application/merge-patch+json" | "application/json" | "application/x-www-form-urlencoded" => {
                asked.json().map(Self::Merge)
            }
            "application/json-patch+json" => {
                let patch: Patch = asked.json()?;
                if patch.len() > MAX_OPERATIONS {
                    let why = format!("the patch has {} operations, {MAX_OPERATIONS} are allowed", patch.len());
                    return Err(Problem::new(Code::Refused, why));
                }
                Ok(Self::Operations(patch))
            }
            other => Err(Problem::new(
                Code::UnsupportedMediaType,
                format!(
                    "the body is {other}; a patch is application/merge-patch+json (application/json as well) or \
                     application/json-patch+json"
                ),
            )),
        }
    }

    fn touched(&self) -> Touched {
        match self {
            Self::Merge(patch) => Touched::by_merge(patch),
            Self::Operations(patch) => Touched::by_patch(patch),
        }
    }

    fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Refused> {
        match self {
            Self::Merge(patch) => Ok(json::merge(tx, patch)?),
            Self::Operations(patch) => json::patch::apply(tx, patch).map_err(|failed| {
                Problem::new(Code::Refused, failed.to_string())
                    .at(failed.field())
                    .into()
            }),
        }
    }
}

/// Patches the document: a merge patch (RFC 7396), or the operations of a JSON patch (RFC 6902), all of them or none. With
/// `If-Match` only if what it touches has not changed since that version.
#[utoipa::path(patch, path = "/v1/documents/{document}", tag = "documents", operation_id = "patchDocument",
    params(KeyHeader, ("document" = String, Path, description = "a document id or its automerge: address"),
        ("If-Match" = Option<String>, Header, description = "the version that the author of the patch saw; * for any")),
    request_body(content(
        (Object = "application/merge-patch+json"), (Object = "application/json"),
        (Vec<Operation> = "application/json-patch+json"))),
    responses((status = 204, description = "the patch is on disk", headers(("ETag" = String))),
        (status = 412, description = "what the patch touches has changed: `version-changed`", body = Problem,
            content_type = "application/problem+json", headers(("ETag" = String))),
        Writing))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At(document): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = parse(&document)?;
    server.spare_the_directory(&id)?;
    let patch = Kind::of(&asked)?;
    let room = server.find_to_write(&id, &asked).await?;
    let headers = asked.headers.clone();
    let edit = move |tx: &mut Transaction<'_>, version: &[ChangeHash]| {
        precondition::check(tx, version, &headers, &patch.touched())?;
        patch.apply(tx)?;
        Ok(Answer::done())
    };
    server.write(room, &asked, edit).await
}

pub(super) fn parse(document: &str) -> Result<DocumentId, Problem> {
    DocumentId::parse_address(document).map_err(|error| Problem::new(Code::BadId, error.to_string()))
}
