//! The version of a document as an ETag: its heads, in hexadecimal, joined with dots.

use automerge::ChangeHash;
use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

use crate::wire::version;

/// The ETag of a version.
pub fn of(heads: &[ChangeHash]) -> String {
    format!("\"{}\"", version::of(heads))
}

/// The version that a tag names; none if it cannot be one. The quotes may be missing, as they are in bodies.
pub fn heads(tag: &str) -> Option<Vec<ChangeHash>> {
    version::heads(tag.trim_start_matches("W/").trim_matches('"'))
}

/// The versions that `If-Match` names.
pub enum Named {
    /// `*`: any version, as long as there is one.
    Any,
    /// Those of them that read as versions.
    These(Vec<Vec<ChangeHash>>),
}

/// What `If-Match` says, if it is there.
pub fn if_match(headers: &HeaderMap) -> Option<Named> {
    let mut lines = headers.get_all(axum::http::header::IF_MATCH).iter().peekable();
    lines.peek()?;
    let mut versions = Vec::new();
    for line in lines {
        for tag in line.to_str().unwrap_or_default().split(',').map(str::trim) {
            if tag == "*" {
                return Some(Named::Any);
            }
            versions.extend(heads(tag));
        }
    }
    Some(Named::These(versions))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_versions() {
        let heads = vec![ChangeHash([1; 32]), ChangeHash([2; 32])];
        let mut headers = HeaderMap::new();
        assert!(if_match(&headers).is_none());
        let text = format!("{}, \"nonsense\"", of(&heads));
        headers.insert("if-match", text.parse().unwrap());
        assert!(matches!(if_match(&headers), Some(Named::These(versions)) if versions == [heads]));
        headers.append("if-match", "*".parse().unwrap());
        assert!(matches!(if_match(&headers), Some(Named::Any)));
    }
}
