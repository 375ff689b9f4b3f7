//! Requests over one connection that is kept, as a back end makes them.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::time::Duration;

use serde_json::Value;
use ureq::{Agent, http};

const LIMIT: Duration = Duration::from_secs(300);

/// One at a time; give each thread its own.
pub struct Http(Agent);

impl Http {
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .build();
        Self(config.into())
    }

    /// The body of what is at an address.
    pub fn get(&self, url: &str) -> String {
        let answered = self.0.get(url).call();
        body(url, answered)
    }

    /// Sends a file, and waits until it is answered that all of it is done.
    pub fn send(&self, url: &str, media_type: &str, file: String) -> Value {
        let answered = self.0.post(url).header("content-type", media_type).send(file);
        let text = body(url, answered);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
    }
}

fn body(url: &str, answered: Result<http::Response<ureq::Body>, ureq::Error>) -> String {
    let mut answer = answered.unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = answer
        .body_mut()
        .read_to_string()
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    assert!(answer.status().is_success(), "{url}: {} {text}", answer.status());
    text
}
