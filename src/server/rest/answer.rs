//! What a write answers, made where the edit is made and kept with its key.
//!
//! It is made before the change is, so it cannot know the version; that is put in when it is sent.

use automerge::ChangeHash;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use serde_json::Value;

use super::etag;

// Only the description of it is used: the version is put in where the answer is sent.
/// A body as it is sent: with the version that the document has by then.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Versioned<T> {
    #[serde(flatten)]
    body: T,
    /// The version of the document, as in the ETag.
    version: String,
}

/// The answer to a write that was done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    status: StatusCode,
    /// An object; the version is added to it.
    body: Option<Value>,
    location: Option<String>,
}

impl Answer {
    /// 204: there is nothing to say but the version, in the ETag.
    pub fn done() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            location: None,
        }
    }

    /// 200 with a body.
    pub fn ok(body: impl Serialize) -> Self {
        Self {
            status: StatusCode::OK,
            body: serde_json::to_value(body).ok(),
            location: None,
        }
    }

    /// 201 with a body; `location` is where the new thing is.
    pub fn created(body: impl Serialize, location: String) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            ..Self::ok(body)
        }
    }

    /// The answer for the version the document has with the edit in it.
    pub fn into_response(self, heads: &[ChangeHash]) -> Response {
        let tag = etag::of(heads);
        let Self { status, body, location } = self;
        let location = location.map(|location| [(header::LOCATION, location)]);
        let tagged = [(header::ETAG, tag.clone())];
        match body {
            None => (status, location, tagged).into_response(),
            Some(mut body) => {
                if let Value::Object(object) = &mut body {
                    object.insert("version".into(), tag.trim_matches('"').into());
                }
                (status, location, tagged, Json(body)).into_response()
            }
        }
    }
}
