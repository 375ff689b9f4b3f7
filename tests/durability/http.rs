//! REST as a back end uses it: requests under idempotency keys, on connections that are kept.
//!
//! A request is a value, so that the very same one can be sent again after its answer was lost.

use std::net::SocketAddr;

use serde_json::Value;
use ureq::Agent;
use ureq::http;

use crate::process::LONG;

pub struct Http {
    agent: Agent,
    address: SocketAddr,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    headers: Vec<(&'static str, &'static str)>,
    /// Empty for a request without one.
    body: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Whether the server says that it has done this before.
    pub replayed: bool,
    pub text: String,
}

impl Http {
    pub fn to(address: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LONG))
            .build();
        Self {
            agent: config.into(),
            address,
        }
    }

    /// The answer, or why there is none: then nobody knows whether the request was done.
    pub fn send(&self, request: &Request) -> Result<Answer, ureq::Error> {
        let mut asked = http::Request::builder()
            .method(request.method)
            .uri(format!("http://{}{}", self.address, request.path));
        for (name, value) in &request.headers {
            asked = asked.header(*name, *value);
        }
        if let Some(key) = &request.key {
            asked = asked.header("idempotency-key", key);
        }
        let answered = match request.body.is_empty() {
            true => self.agent.run(asked.body(())?),
            false => self.agent.run(asked.body(request.body.as_str())?),
        };
        let mut answered = answered?;
        let replayed = answered.headers().get("idempotency-replayed");
        Ok(Answer {
            status: answered.status().as_u16(),
            replayed: replayed.is_some_and(|replayed| replayed == "true"),
            text: answered.body_mut().read_to_string()?,
        })
    }

    /// What is at a path, of a server that is known to run.
    pub fn read(&self, path: &str) -> Value {
        let request = Request::new("GET", path, Value::Null);
        let answer = self
            .send(&request)
            .unwrap_or_else(|error| panic!("GET {path}: {error}"));
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer.json()
    }
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        Self::of(method, path.into(), "application/json", body)
    }

    pub fn csv(path: impl Into<String>, file: String) -> Self {
        Self::of("POST", path.into(), "text/csv", file)
    }

    fn of(method: &'static str, path: String, media_type: &'static str, body: String) -> Self {
        let (key, headers) = (None, vec![("content-type", media_type)]);
        Self {
            method,
            path,
            key,
            headers,
            body,
        }
    }

    /// To be answered before it is done.
    pub fn in_the_background(mut self) -> Self {
        self.headers.push(("prefer", "respond-async"));
        self
    }

    pub fn keyed(self, key: impl Into<String>) -> Self {
        let key = Some(key.into());
        Self { key, ..self }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// The answer of a request that was done.
    pub fn done(self, request: &Request) -> Self {
        let Request { method, path, .. } = request;
        assert!(
            (200..300).contains(&self.status),
            "{method} {path}: {} {}",
            self.status,
            self.text
        );
        self
    }
}
