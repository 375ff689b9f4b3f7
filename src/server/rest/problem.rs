//! Errors as RFC 9457 has them: one type, one place where a status is decided.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong, for a program (`code`) and for a person (`detail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What the status is called.
    pub title: &'static str,
    /// Which problem it is; stable.
    #[schema(value_type = String)]
    pub code: Code,
    /// What was wrong with this request.
    pub detail: String,
    /// The field of the request that was wrong, as a JSON pointer, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The current version of what the request was about, where it had another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Every problem there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    BadId,
    BadBody,
    BadQuery,
    BadKey,
    ForeignOrigin,
    NotFound,
    MethodNotAllowed,
    NotATable,
    Conflict,
    KeyExpired,
    Deleted,
    VersionChanged,
    TooLarge,
    UnsupportedMediaType,
    Refused,
    KeyReused,
    Busy,
    NotConfirmed,
    ReadOnly,
    NotSaved,
    Failed,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Code::BadId | Code::BadBody | Code::BadQuery | Code::BadKey => StatusCode::BAD_REQUEST,
            Code::ForeignOrigin => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::NotATable | Code::Conflict | Code::KeyExpired => StatusCode::CONFLICT,
            Code::Deleted => StatusCode::GONE,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Refused | Code::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Code::VersionChanged => StatusCode::PRECONDITION_FAILED,
            Code::Busy | Code::NotConfirmed => StatusCode::SERVICE_UNAVAILABLE,
            Code::ReadOnly | Code::NotSaved => StatusCode::INSUFFICIENT_STORAGE,
            Code::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Code {
    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Code::BadId => "bad-id",
            Code::BadBody => "bad-body",
            Code::BadQuery => "bad-query",
            Code::BadKey => "bad-key",
            Code::ForeignOrigin => "foreign-origin",
            Code::NotFound => "not-found",
            Code::MethodNotAllowed => "method-not-allowed",
            Code::NotATable => "not-a-table",
            Code::Conflict => "conflict",
            Code::KeyExpired => "key-expired",
            Code::Deleted => "deleted",
            Code::VersionChanged => "version-changed",
            Code::TooLarge => "too-large",
            Code::UnsupportedMediaType => "unsupported-media-type",
            Code::Refused => "refused",
            Code::KeyReused => "key-reused",
            Code::Busy => "busy",
            Code::NotConfirmed => "not-confirmed",
            Code::ReadOnly => "read-only",
            Code::NotSaved => "not-saved",
            Code::Failed => "failed",
        }
    }
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or_default(),
            code,
            detail: detail.into(),
            field: None,
            etag: None,
        }
    }

    /// Names the field that was wrong.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(etag) = self.etag.and_then(|etag| etag.parse().ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}
