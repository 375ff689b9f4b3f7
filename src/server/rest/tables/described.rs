//! What the requests of tables have in common, for the description: headers, problems, the version in every body.

use serde::Serialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::super::problem::Problem;

/// A body with the version of the table it was made from.
#[derive(Serialize, ToSchema)]
pub(in crate::server::rest) struct Versioned<T> {
    #[serde(flatten)]
    pub body: T,
    /// The heads of the table's document, in hexadecimal, joined with dots: its ETag without the quotes.
    #[schema(pattern = "^[0-9a-f]{64}(\\.[0-9a-f]{64})*$")]
    pub version: String,
}

/// What a request that reads may bring.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read from the headers")]
pub(super) struct Reading {
    /// A version known already: 304 if the table still has it.
    #[param(rename = "If-None-Match", required = false)]
    if_none_match: Option<String>,
}

/// What a request that writes may bring.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read from the headers")]
pub(super) struct Writing {
    /// The version that the edit was made from: 412 if what it changes has been changed since.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
    /// Names the request, so that it is done once however often it is sent: `<unix seconds>-<anything>`, or a UUIDv7.
    #[param(rename = "Idempotency-Key", required = false)]
    idempotency_key: Option<String>,
}

/// Why a request that reads is not answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what `Problem` answers")]
pub(super) enum Unread {
    /// `bad-id`, `bad-query`: the address is not what it should be.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// `not-found`: there is no such document, row, column or view.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// `not-a-table`: the document is none.
    #[response(status = 409, content_type = "application/problem+json")]
    NotATable(Problem),
    /// `deleted`: the document was deleted.
    #[response(status = 410, content_type = "application/problem+json")]
    Deleted(Problem),
    /// `failed`: the document cannot be loaded, or the server failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// `busy`: the document or the disk takes too long; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

/// Why a request that writes has done nothing.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what `Problem` answers")]
pub(super) enum Undone {
    /// `bad-id`, `bad-body`, `bad-key`: the request is not what it should be.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// `not-found`: there is no such document, row, column or view.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// `not-a-table`: the document is none. `conflict`, `key-expired`: it cannot be told whether this was done before.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `deleted`: the document was deleted.
    #[response(status = 410, content_type = "application/problem+json")]
    Deleted(Problem),
    /// `version-changed`: what the edit changes is not what it was in the version of `If-Match`.
    #[response(status = 412, content_type = "application/problem+json")]
    VersionChanged(Problem),
    /// `too-large`: the body, or the number of edits in it.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// `refused`: the table does not take the edit; nothing of it was done. `key-reused`: the key names another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// `failed`: the document cannot be loaded, or the server failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// `busy`: the document or the disk takes too long; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
    /// `read-only`, `not-saved`: the store takes no edits.
    #[response(status = 507, content_type = "application/problem+json")]
    NotSaved(Problem),
}
