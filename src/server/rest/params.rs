//! What stands in the address and in the headers of a request: read in one place, so that an error is ours; described in
//! one place.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// The parts of the address; what is no text is refused in our words.
pub(super) struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path))
            .map_err(|error| Problem::new(Code::BadId, error.body_text()))
    }
}

/// The query of the address.
pub(super) struct Asking<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asking<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri);
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| Problem::new(Code::BadQuery, error.body_text()))
    }
}

/// The table of an address.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the handlers read from the address")]
pub(super) struct TablePath {
    /// A document id, its `automerge:` address, or `base/name` as one segment (`crm%2Fcontacts`).
    table: String,
}

/// What a request that reads may bring.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read from the headers")]
pub(super) struct ReadHeaders {
    /// A version known already: 304 if it is still the one.
    #[param(rename = "If-None-Match", required = false)]
    if_none_match: Option<String>,
}

/// What a request that writes may bring.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read from the headers")]
pub(super) struct WriteHeaders {
    /// The version that the edit was made from: 412 if what it changes has been changed since. `*` for any.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
    /// Names the request, so that it is done once however often it is sent: `<unix seconds>-<anything>`, or a UUIDv7.
    #[param(rename = "Idempotency-Key", required = false)]
    idempotency_key: Option<String>,
}

/// The name of a request that writes.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `Asked` reads from the headers")]
pub(super) struct KeyHeader {
    /// Names the request, so that it is done once however often it is sent: `<unix seconds>-<anything>`, or a UUIDv7.
    #[param(rename = "Idempotency-Key", required = false)]
    idempotency_key: Option<String>,
}

/// How the answer to a bulk write is wanted.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what the handlers read from the headers")]
pub(super) struct PreferHeader {
    /// `respond-async`: answer 202 when all of it was checked, and go on by itself.
    #[param(rename = "Prefer", required = false)]
    prefer: Option<String>,
}
