//! One way to ask the server: a request over a socket of its own, and the answer taken apart.

use std::sync::Arc;
use std::time::Duration;

use roundtable::server::config::Config;
use roundtable::server::start::{Running, start_on};
use roundtable::store::memory::MemoryEngine;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::described;

pub const LIMIT: Duration = Duration::from_secs(20);

pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The answer, which must be of this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The detail of the problem, which must be of this status and code and name this field.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str, field: Option<&str>) -> String {
        let problem = self.problem();
        let field = field.unwrap_or_default();
        assert_eq!(
            (problem.0, problem.1.as_str(), problem.2.as_str()),
            (status, code, field),
            "{}",
            self.text()
        );
        self.json()["detail"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.headers
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
    }

    /// Status, code and field of a problem.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("code"), text("field"))
    }

    pub fn text(&self) -> String {
        format!("{}\n{}", self.headers, String::from_utf8_lossy(&self.body))
    }
}

pub async fn start(engine: &MemoryEngine) -> Running {
    start_with(engine, |_| {}).await
}

pub async fn start_with(engine: &MemoryEngine, set: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        demo: false,
        ..Config::default()
    };
    set(&mut config);
    start_on(config, Arc::new(engine.clone()))
        .await
        .expect("the server starts")
}

/// `headers` are lines that end in `\r\n`. The answer is checked against the description of the API.
pub async fn ask(server: &Running, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let body = body.as_ref();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    socket.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LIMIT, socket.read_to_end(&mut answer))
        .await
        .expect("an answer in time")
        .unwrap();
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let headers = String::from_utf8(answer[..split].to_vec()).unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer {
        status,
        headers,
        body: answer[split + 4..].to_vec(),
    };
    if path.starts_with("/v1/") && path != "/v1/openapi.json" && method != "OPTIONS" {
        described::check(server, method, path, &answer).await;
    }
    answer
}

pub async fn get(server: &Running, path: &str) -> Answer {
    ask(server, "GET", path, "", "").await
}

/// Sends JSON.
pub async fn send(server: &Running, method: &str, path: &str, body: Value) -> Answer {
    ask(
        server,
        method,
        path,
        "content-type: application/json\r\n",
        body.to_string(),
    )
    .await
}

/// A document made of a JSON object; its id.
pub async fn create(server: &Running, content: Value) -> String {
    let made = send(server, "POST", "/v1/documents", content).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["documentId"].as_str().unwrap().to_owned()
}
