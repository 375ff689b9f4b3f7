//! What a write answers, made where the edit is made and kept with its key.
//!
//! It is made before the change is, so it cannot know the version; that is put in when it is sent.

use automerge::ChangeHash;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::etag;
use super::problem::{Code, Problem};
use crate::store::MAX_ANSWER;

// Only the description of it is used: the version is put in where the answer is sent.
/// A body as it is sent: with the version that the document has by then.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Versioned<T> {
    #[serde(flatten)]
    pub body: T,
    /// The heads of the document, in hexadecimal, joined with dots: its ETag without the quotes.
    #[schema(pattern = "^[0-9a-f]{64}(\\.[0-9a-f]{64})*$")]
    pub version: String,
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
    pub fn at(&self, heads: &[ChangeHash]) -> Answered {
        let etag = etag::of(heads);
        let mut body = self.body.clone();
        if let Some(Value::Object(object)) = &mut body {
            object.insert("version".into(), etag.trim_matches('"').into());
        }
        Answered {
            status: self.status.as_u16(),
            etag,
            location: self.location.clone(),
            body,
        }
    }
}

/// An answer as it is sent, and as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Answered {
    status: u16,
    etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl Answered {
    pub fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }

    /// What is kept under the key. One that is too long is kept without its body: what was done, but no more.
    pub fn encode(&self) -> Bytes {
        let whole = serde_json::to_vec(self).unwrap_or_default();
        if whole.len() <= MAX_ANSWER {
            return whole.into();
        }
        let short = Self {
            body: Some(json!({ "version": self.etag.trim_matches('"') })),
            ..self.clone()
        };
        serde_json::to_vec(&short).unwrap_or_default().into()
    }

    /// The answer to a request that was done before.
    pub fn replay(kept: &[u8]) -> Result<Response, Problem> {
        let kept: Self = serde_json::from_slice(kept)
            .map_err(|error| Problem::new(Code::Failed, format!("what was answered then does not read: {error}")))?;
        Ok(([(REPLAYED, "true")], kept).into_response())
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let location = self.location.map(|location| [(header::LOCATION, location)]);
        let tagged = [(header::ETAG, self.etag)];
        match self.body {
            None => (status, location, tagged).into_response(),
            Some(body) => (status, location, tagged, Json(body)).into_response(),
        }
    }
}

/// Says that a request was done before, and that this is the answer of then.
pub(in crate::server) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_too_long_to_be_kept_is_kept_without_its_body() {
        let long = Answer::created(json!({ "rows": "x".repeat(MAX_ANSWER) }), "/v1/x".into()).at(&[]);
        let kept: Answered = serde_json::from_slice(&long.encode()).unwrap();
        assert_eq!((kept.status, kept.location.as_deref()), (201, Some("/v1/x")));
        assert_eq!(kept.body, Some(json!({ "version": "" })));
        let short = Answer::ok(json!({ "rows": 1 })).at(&[]);
        assert_eq!(serde_json::from_slice::<Answered>(&short.encode()).unwrap(), short);
    }
}
