//! `If-Match`: a patch is done if what it touches is as its author saw it.

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use axum::http::HeaderMap;

use super::etag::{self, Named};
use super::problem::{Code, Problem};
use crate::document::json::changed::Touched;

/// 412 with the current version if what is touched has changed since every version that the request names. Without
/// `If-Match` anything goes.
pub(super) fn check(
    tx: &Transaction<'_>,
    now: &[ChangeHash],
    headers: &HeaderMap,
    touched: &Touched,
) -> Result<(), Problem> {
    let Some(Named::These(versions)) = etag::if_match(headers) else {
        return Ok(());
    };
    let holds = |then: &Vec<_>| *then == now || !touched.differs_since(tx, then);
    if versions.iter().any(holds) {
        return Ok(());
    }
    let why = match versions.is_empty() {
        true => "If-Match names nothing that is a version of a document",
        false => "what the patch touches has changed since the version in If-Match, or there was never such a version",
    };
    let mut problem = Problem::new(Code::VersionChanged, why);
    problem.etag = Some(etag::of(now));
    Err(problem)
}
