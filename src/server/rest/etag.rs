//! The version of a document as an ETag: its heads, in hexadecimal, joined with dots.

use automerge::ChangeHash;
use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

/// The ETag of a version.
pub fn of(heads: &[ChangeHash]) -> String {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    format!("\"{}\"", heads.join("."))
}

/// The version that a tag names; none if it cannot be one. The quotes may be missing, as they are in bodies.
pub fn heads(tag: &str) -> Option<Vec<ChangeHash>> {
    let text = tag.trim_start_matches("W/").trim_matches('"');
    text.split('.').map(|hash| hash.parse().ok()).collect()
}

/// Whether a header (`If-Match`, `If-None-Match`) names this version, or any with `*`. None if it is not there.
pub fn named_by(headers: &HeaderMap, name: impl AsHeaderName, etag: &str) -> Option<bool> {
    let header = headers.get(name)?;
    let header = header.to_str().unwrap_or_default();
    Some(
        header
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag),
    )
}
