//! One request over HTTP and its answer.
//!
//! A connection is made for each: a command asks two or three things. Nothing waits without a limit, and what went wrong
//! says whether the same request may go better later.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;

/// For a connection to be made.
const CONNECTING: Duration = Duration::from_secs(10);

/// For an answer to begin: a large file is sent and checked whole before.
const ANSWERING: Duration = Duration::from_secs(300);

/// An answer of which nothing arrives for this long is lost. Streams of events bring something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read whole, in bytes.
const LONGEST: usize = 1 << 20;

/// Why there is no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("cannot connect to {server}: {why}")]
    Unreachable { server: String, why: String },
    #[error("the connection to {server} was lost: {why}")]
    Lost { server: String, why: String },
    #[error("{server} does not answer as a Roundtable server: {why}")]
    Strange { server: String, why: String },
    #[error("{0}")]
    Refused(Problem),
}

impl Failed {
    /// Whether the same request may go better in a while.
    pub fn may_pass(&self) -> bool {
        match self {
            Failed::Unreachable { .. } | Failed::Lost { .. } => true,
            Failed::Strange { .. } => false,
            Failed::Refused(problem) => Self::passes(problem.status),
        }
    }

    /// Whether a status is one that passes: the server is busy, or what stands before it misses it.
    pub fn passes(status: u16) -> bool {
        matches!(status, 502..=504)
    }
}

/// What the server says was wrong (RFC 9457).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Problem {
    pub status: u16,
    #[serde(default)]
    pub code: String,
    pub detail: String,
    pub field: Option<String>,
}

impl std::fmt::Display for Problem {
    /// One line, whatever a detail quotes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line: String = self
            .detail
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        f.write_str(&line)?;
        match &self.field {
            Some(field) => write!(f, " ({field})"),
            None => Ok(()),
        }
    }
}

/// What is asked.
pub struct Ask {
    pub method: Method,
    /// The path at the server, with its query.
    pub path: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Bytes,
}

impl Ask {
    pub fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

/// An answer that is no error; its body is still to come.
pub struct Answer {
    pub status: StatusCode,
    /// Bytes of the body, if the server said so.
    pub length: Option<u64>,
    headers: HeaderMap,
    server: String,
    body: Incoming,
}

/// Asks, and waits for the answer to begin. An answer that says that something is wrong is an error.
pub async fn ask(server: &Address, ask: &Ask) -> Result<Answer, Failed> {
    let name = server.to_string();
    let unreachable = |why: String| Failed::Unreachable {
        server: name.clone(),
        why,
    };
    let lost = |why: String| Failed::Lost {
        server: name.clone(),
        why,
    };
    let mut request = Request::builder().method(&ask.method).uri(server.target(&ask.path));
    request = request.header(header::HOST, server.authority());
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(ask.body.clone()))
        .map_err(|error| strange(&name, error))?;
    let connected = timeout(CONNECTING, TcpStream::connect(server.host())).await;
    let socket = connected
        .map_err(|_| unreachable(format!("no answer within {CONNECTING:?}")))?
        .map_err(|error| unreachable(error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| lost(told(&error)))?;
    // Ends with the answer, or when the answer is dropped.
    tokio::spawn(connection);
    let response = timeout(ANSWERING, sender.send_request(request))
        .await
        .map_err(|_| lost(format!("no answer within {ANSWERING:?}")))?
        .map_err(|error| match error.is_parse() {
            true => strange(&name, told(&error)),
            false => lost(told(&error)),
        })?;
    let length = response.headers().get(header::CONTENT_LENGTH);
    let answer = Answer {
        status: response.status(),
        length: length.and_then(|length| length.to_str().ok()?.parse().ok()),
        headers: response.headers().clone(),
        server: name.clone(),
        body: response.into_body(),
    };
    match answer.status.is_success() {
        true => Ok(answer),
        false => Err(answer.problem().await),
    }
}

impl Answer {
    /// The next bytes of the body; none at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            let next = timeout(SILENCE, self.body.frame()).await;
            let next = next.map_err(|_| self.lost(format!("nothing arrived for {SILENCE:?}")))?;
            match next.transpose().map_err(|error| self.lost(told(&error)))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The whole body as JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Failed> {
        let server = self.server.clone();
        let whole = self.whole().await?;
        serde_json::from_slice(&whole).map_err(|error| strange(&server, error))
    }

    pub fn header(&self, name: HeaderName) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    pub fn strange(&self, why: impl ToString) -> Failed {
        strange(&self.server, why)
    }

    pub fn lost(&self, why: String) -> Failed {
        let server = self.server.clone();
        Failed::Lost { server, why }
    }

    async fn whole(self) -> Result<Bytes, Failed> {
        let server = self.server;
        let reading = timeout(SILENCE, Limited::new(self.body, LONGEST).collect()).await;
        let lost = |why: String| Failed::Lost { server, why };
        match reading {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) => Err(lost(error.to_string())),
            Err(_) => Err(lost(format!("its answer did not end within {SILENCE:?}"))),
        }
    }

    /// What an answer that is an error says.
    async fn problem(self) -> Failed {
        let (server, status) = (self.server.clone(), self.status);
        let body = self.whole().await.unwrap_or_default();
        match serde_json::from_slice(&body) {
            Ok(problem) => Failed::Refused(problem),
            Err(_) if Failed::passes(status.as_u16()) => Failed::Lost {
                why: status.to_string(),
                server,
            },
            Err(_) => strange(&server, status),
        }
    }
}

fn strange(server: &str, why: impl ToString) -> Failed {
    Failed::Strange {
        server: server.into(),
        why: why.to_string(),
    }
}

/// An error of the connection with what is behind it, which it does not say by itself.
fn told(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_that_names_the_field() {
        let text = r#"{"status": 400, "code": "bad-query", "title": "Bad Request", "detail": "no sheet \"a\nb\"", "field": "/sheet"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.to_string(), "no sheet \"a b\" (/sheet)");
        assert!(!Failed::Refused(problem).may_pass());
        let busy: Problem = serde_json::from_str(r#"{"status": 503, "detail": "try again"}"#).unwrap();
        assert_eq!(busy.to_string(), "try again");
        assert!(Failed::Refused(busy).may_pass());
    }
}
