//! What a request that writes asks for: its body, its headers, and the key under which it is done once.
//!
//! One extractor for all of them, so that bodies are bounded in one place: each by its kind, all that are being received
//! together by a budget of the server. What is held is what has arrived, not what a header announces.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::Server;
use super::problem::{Code, Problem};
use crate::id::{DocumentId, StorageId};
use crate::key::Key;
use crate::room::Keyed;
use crate::wire::read::{self, Unread};

/// A body of which nothing arrives for this long is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// JSON of more bytes than this is parsed off the runtime: a megabyte takes about 10 ms.
const LIGHT: usize = 64 << 10;

/// What one permit of the budget stands for, in bytes.
const UNIT: usize = 1 << 10;

/// A request that writes.
pub(super) struct Asked {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// SHA-256 of what is asked: method, path, query and body. The same key with another digest is a mistake.
    pub digest: [u8; 32],
    key: Option<Key>,
    /// The values that a body may hold as JSON: each takes many times the bytes it was written in.
    values: usize,
    /// Held until the request is answered.
    receiving: Vec<OwnedSemaphorePermit>,
}

/// A request with a file: as [`Asked`], but larger.
pub(super) struct Upload(pub Asked);

impl FromRequest<Arc<Server>> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, Problem> {
        receive(request, server, server.config.rest.body_bytes).await
    }
}

impl FromRequest<Arc<Server>> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, Problem> {
        receive(request, server, server.config.rest.file_bytes).await.map(Self)
    }
}

impl Asked {
    /// The body as JSON; an error names the field. An empty body is an error, too.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        match self.body.len() > LIGHT {
            true => off_this_worker(|| self.parse()),
            false => self.parse(),
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read::read(&self.body, self.values).map_err(|unread| match unread {
            Unread::TooMany { .. } => Problem::new(Code::TooLarge, format!("the body is too large: {unread}")),
            Unread::NotJson(_) => Problem::new(Code::BadBody, format!("the body is not what it should be: {unread}")),
            Unread::Field { field, why } => {
                let problem = Problem::new(Code::BadBody, format!("the body is not what it should be: {why}"));
                match field.is_empty() {
                    true => problem,
                    false => problem.at(field),
                }
            }
        })
    }

    /// Refuses a condition that would not be looked at.
    pub fn takes_no_if_match(&self) -> Result<(), Problem> {
        match self.headers.contains_key(header::IF_MATCH) {
            true => Err(Problem::new(Code::Refused, "this request takes no If-Match")),
            false => Ok(()),
        }
    }

    /// The key under which this is done once, if it has one.
    pub fn keyed(&self) -> Option<Keyed> {
        self.key.clone().map(|key| Keyed::new(key, self.digest))
    }

    /// The request's share of the budget, to be held by work that outlives it.
    pub fn hold(&mut self) -> Vec<OwnedSemaphorePermit> {
        std::mem::take(&mut self.receiving)
    }

    /// The id for what the request makes: the same each time it is sent with the same key.
    pub fn new_id(&self, storage: &StorageId) -> DocumentId {
        let Some(key) = &self.key else {
            return DocumentId::from_uuid(uuid::Uuid::new_v4());
        };
        let mut digest = Sha256::new();
        for part in [storage.as_str(), key.as_str()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let bytes = *digest.first_chunk().expect("a SHA-256 has 32 bytes");
        DocumentId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The body as a JSON object. Beside this, an array would pass for a struct whose fields it has in order.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        match self.body.trim_ascii_start().first() {
            Some(b'{') | None => self.json(),
            Some(_) => Err(Problem::new(Code::BadBody, "the body is to be a JSON object")),
        }
    }

    /// The media type of the body, without its parameters, in lower case; empty if none is given.
    pub fn media_type(&self) -> String {
        let given = self.headers.get(header::CONTENT_TYPE);
        let text = given.and_then(|given| given.to_str().ok()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// The budget of all bodies that are being received.
pub(in crate::server) fn budget(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS)))
}

async fn receive(request: Request, server: &Server, limit: usize) -> Result<Asked, Problem> {
    let (parts, body) = request.into_parts();
    let too_large = || Problem::new(Code::TooLarge, format!("the body has more than {limit} bytes"));
    let key = key(&parts.headers)?;
    if let Some(packed) = parts.headers.get(header::CONTENT_ENCODING)
        && packed != "identity"
    {
        let why = format!("the body is packed as {packed:?}; it is to be sent as it is");
        return Err(Problem::new(Code::UnsupportedMediaType, why));
    }
    let announced = parts.headers.get(header::CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let mut digest = Sha256::new();
    for part in [
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    // Fed as the body arrives: 64 MB at once would hold up the runtime for 100 ms.
    let each = |chunk: &[u8]| digest.update(chunk);
    let (body, receiving) = collect(body, &server.receiving, limit, each)
        .await
        .map_err(|why| match why {
            Unreceived::TooLarge => too_large(),
            Unreceived::Budget => Problem::new(
                Code::Busy,
                "the server is receiving as much as it can; try again in a moment",
            ),
            Unreceived::Silent => Problem::new(Code::BadBody, "the body stopped arriving"),
            Unreceived::Broken(why) => Problem::new(Code::BadBody, format!("the body did not arrive: {why}")),
        })?;
    Ok(Asked {
        headers: parts.headers,
        body,
        digest: digest.finalize().into(),
        key,
        // As many as one change may have operations.
        values: usize::try_from(server.config.room.gate.change_ops).unwrap_or(usize::MAX),
        receiving,
    })
}

fn key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut all = headers.get_all("idempotency-key").iter();
    let Some(given) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Problem::new(Code::BadKey, "a request has one idempotency key"));
    }
    // As bytes that are no text it is refused by what it looks like, too.
    let text = String::from_utf8_lossy(given.as_bytes());
    Key::parse(&text)
        .map(Some)
        .map_err(|error| Problem::new(Code::BadKey, error.to_string()))
}

/// Why a body is not there.
enum Unreceived {
    TooLarge,
    Budget,
    Silent,
    Broken(String),
}

async fn collect(
    body: Body,
    budget: &Arc<Semaphore>,
    limit: usize,
    mut each: impl FnMut(&[u8]),
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), Unreceived> {
    let mut stream = body.into_data_stream();
    let (mut whole, mut held, mut paid) = (BytesMut::new(), Vec::new(), 0);
    while let Some(chunk) = tokio::time::timeout(SILENCE, stream.next())
        .await
        .map_err(|_| Unreceived::Silent)?
    {
        let chunk = chunk.map_err(|error| Unreceived::Broken(error.to_string()))?;
        if whole.len() + chunk.len() > limit {
            return Err(Unreceived::TooLarge);
        }
        each(&chunk);
        whole.extend_from_slice(&chunk);
        let due = whole.len().div_ceil(UNIT) - paid;
        if due > 0 {
            let permits = budget.clone().try_acquire_many_owned(due as u32);
            held.push(permits.map_err(|_| Unreceived::Budget)?);
            paid += due;
        }
    }
    Ok((whole.freeze(), held))
}

/// Lets the runtime give this worker's tasks to others while something heavy is done.
fn off_this_worker<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Asked {
        Asked {
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            digest: [0; 32],
            key: None,
            values: 1_000,
            receiving: Vec::new(),
        }
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[expect(dead_code)]
        rows: Vec<std::collections::BTreeMap<String, u8>>,
    }

    #[test]
    fn an_error_names_the_field() {
        let problem = asked(r#"{"rows": [{"a/b": 1}, {"a/b": "x"}]}"#)
            .json::<Shape>()
            .unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/rows/1/a~1b"));
        assert!(problem.detail.contains("invalid type"), "{}", problem.detail);
        let unknown = asked(r#"{"lines": []}"#).json::<Shape>().unwrap_err();
        assert!(unknown.detail.contains("lines"), "{}", unknown.detail);
        assert!(asked("[[]]").json::<Shape>().is_ok() && asked("[[]]").object::<Shape>().is_err());
        assert!(asked(" {\"rows\": []}").object::<Shape>().is_ok());
        assert!(asked("").json::<Shape>().is_err());
        assert!(asked(r#"{"rows": []} x"#).json::<Shape>().is_err());
    }

    #[test]
    fn what_a_body_holds_is_bounded() {
        let many = format!("[{}1]", "1,".repeat(1_000));
        let refused = asked(&many).json::<Vec<u8>>().unwrap_err();
        assert_eq!(refused.status, 413, "{}", refused.detail);
    }

    #[tokio::test]
    async fn a_body_is_bounded_and_so_are_all_of_them() {
        let body = |bytes: usize| Body::from(vec![0; bytes]);
        let roomy = budget(1 << 20);
        assert!(matches!(
            collect(body(5000), &roomy, 4999, |_| ()).await,
            Err(Unreceived::TooLarge)
        ));
        let narrow = budget(8 << 10);
        let first = collect(body(5000), &narrow, 1 << 20, |_| ()).await.ok();
        assert_eq!(first.as_ref().map(|(whole, _)| whole.len()), Some(5000));
        assert!(matches!(
            collect(body(5000), &narrow, 1 << 20, |_| ()).await,
            Err(Unreceived::Budget)
        ));
        drop(first);
        assert!(collect(body(5000), &narrow, 1 << 20, |_| ()).await.is_ok());
    }
}
