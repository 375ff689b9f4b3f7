//! What may go wrong, for the description of the API: one list for each kind of request, so that no path forgets one.

use super::problem::Problem;

/// A request that reads one document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Reading {
    /// The request is not what it should be: `bad-id`, `bad-query`.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// There is no such thing: `not-found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The document was deleted: `deleted`.
    #[response(status = 410, content_type = "application/problem+json")]
    Deleted(Problem),
    /// The document cannot be loaded, or the server failed: `failed`.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// The disk or the document takes too long: `busy`; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

/// A request that reads what needs no document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Listing {
    /// The request is not what it should be: `bad-id`, `bad-query`.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// The disk could not be read: `failed`.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// Too much at once: `busy`; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

/// A request that writes.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Writing {
    /// The request is not what it should be: `bad-id`, `bad-body`, `bad-query`, `bad-key`.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// A page of another origin asked: `foreign-origin`.
    #[response(status = 403, content_type = "application/problem+json")]
    Foreign(Problem),
    /// There is no such thing: `not-found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The state of things does not allow it: `conflict`; or the key is no longer remembered: `key-expired`.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The document was deleted: `deleted`.
    #[response(status = 410, content_type = "application/problem+json")]
    Deleted(Problem),
    /// The body is too large: `too-large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is packed or not of a kind that is taken: `unsupported-media-type`.
    #[response(status = 415, content_type = "application/problem+json")]
    Unsupported(Problem),
    /// The edit was refused: `refused`; or the key belongs to another request: `key-reused`. Nothing was changed.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// The document cannot be loaded, or the server failed: `failed`.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// The disk or the document takes too long: `busy`; try again. Or the edit is made and not confirmed: `not-confirmed`;
    /// send it again only with its key.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
    /// The store takes no edits: `read-only`, `not-saved`. Nothing was changed.
    #[response(status = 507, content_type = "application/problem+json")]
    NotSaved(Problem),
}

/// A request that brings a file.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Filing {
    /// The request is not what it should be: `bad-id`, `bad-query`, `bad-key`, `bad-body`.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// A page of another origin asked: `foreign-origin`.
    #[response(status = 403, content_type = "application/problem+json")]
    Foreign(Problem),
    /// There is no such thing: `not-found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The state of things does not allow it: `conflict`, `not-a-table`; or the key is no longer remembered: `key-expired`.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The document was deleted: `deleted`.
    #[response(status = 410, content_type = "application/problem+json")]
    Deleted(Problem),
    /// The file, or what is in it, is more than is taken: `too-large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not the file itself: `unsupported-media-type`.
    #[response(status = 415, content_type = "application/problem+json")]
    NotAFile(Problem),
    /// The file is not taken, and says where: `refused`; or the key belongs to another request: `key-reused`. Nothing was
    /// changed.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// The document cannot be loaded, or the server failed: `failed`.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// Too much at once: `busy`; try again. Or what was asked for is done and not confirmed: `not-confirmed`; send it again
    /// only with its key.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
    /// The store takes no edits: `read-only`, `not-saved`.
    #[response(status = 507, content_type = "application/problem+json")]
    NotSaved(Problem),
}

/// A bulk write that was asked for with `Prefer: respond-async`.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Begun {
    /// All of it was checked, and it has begun.
    #[response(status = 202, headers(("Location" = String)))]
    Accepted(super::bulk::routes::Accepted),
}

/// A document that is no table.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum NoTable {
    /// The document is no table: `not-a-table`.
    #[response(status = 409, content_type = "application/problem+json")]
    NotATable(Problem),
}

/// A table that does not fit the format of a file.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Unexportable {
    /// A spreadsheet program takes less than the table has: `refused`.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
}

/// Why a request that reads is not answered.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum ReadingTable {
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

/// Why a request that writes has done nothing, or cannot tell that it has.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum WritingTable {
    /// `bad-id`, `bad-body`, `bad-key`: the request is not what it should be.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// A page of another origin asked: `foreign-origin`.
    #[response(status = 403, content_type = "application/problem+json")]
    Foreign(Problem),
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
    /// The body is packed or not of a kind that is taken: `unsupported-media-type`.
    #[response(status = 415, content_type = "application/problem+json")]
    Unsupported(Problem),
    /// `refused`: the table does not take the edit; nothing of it was done. `key-reused`: the key names another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// `failed`: the document cannot be loaded, or the server failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(Problem),
    /// `busy`: the document or the disk takes too long; try again.
    /// `not-confirmed`: the edit is made and not yet confirmed on disk; send it again only with its key.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
    /// `read-only`, `not-saved`: the store takes no edits.
    #[response(status = 507, content_type = "application/problem+json")]
    NotSaved(Problem),
}
