//! A client of the live door that knows nothing: it says what it is told to say, and reads what comes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roundtable::server::config::Config;
use roundtable::server::start::{Running, start_on};
use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const LIMIT: Duration = Duration::from_secs(20);

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
    let started = start_on(config, Arc::new(engine.clone())).await;
    started.expect("the server starts")
}

/// One request over HTTP; its status and what it answered.
pub async fn rest(server: &Running, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("http://{}/v1{path}", server.address);
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(body.to_string())
        .unwrap();
    let asking = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(LIMIT))
            .build()
            .into();
        let mut answer = agent.run(request).expect("an answer");
        let text = answer.body_mut().read_to_string().unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    });
    asking.await.unwrap()
}

/// A table with a text column `Name` and a number column `N`, and as many rows; the ids of the columns and rows.
pub struct Table {
    pub id: String,
    pub name: String,
    pub number: String,
    pub rows: Vec<String>,
}

pub async fn table(server: &Running, rows: usize) -> Table {
    let cells = (0..rows).map(|n| json!({ "cells": { "Name": format!("row {n}"), "N": n } }));
    let made = json!({
        "title": "Table",
        "columns": [{ "name": "Name", "kind": "text" }, { "name": "N", "kind": "number" }],
        "rows": cells.collect::<Value>(),
    });
    let (status, made) = rest(server, "POST", "/tables", made).await;
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = made["rows"].as_array();
    Table {
        id: text(&made["table"]),
        name: text(&made["columns"][0]["id"]),
        number: text(&made["columns"][1]["id"]),
        rows: rows.into_iter().flatten().map(|row| text(&row["id"])).collect(),
    }
}

/// Sets a number over HTTP.
pub async fn set(server: &Running, table: &Table, row: usize, value: i64) -> (u16, Value) {
    let path = format!("/tables/{}/rows/{}/cells/{}", table.id, table.rows[row], table.number);
    rest(server, "PATCH", &path, json!({ "set": value })).await
}

pub struct Guest {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Guest {
    /// A socket of which nobody knows whose it is.
    pub async fn stranger(server: &Running) -> Self {
        let url = format!("ws://{}/live", server.address);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.expect("it connects");
        Self { socket }
    }

    pub async fn come(server: &Running, name: &str) -> Self {
        let mut guest = Self::stranger(server).await;
        let who = json!({ "user": { "userId": name }, "deviceId": format!("{name}'s") });
        guest.say("authenticate", who).await;
        guest.hear("authenticated").await;
        guest
    }

    /// Follows a table from a snapshot, which is returned.
    pub async fn follow(&mut self, table: &Table) -> Value {
        self.say("subscribe_to_table", json!({ "tableId": table.id })).await;
        self.hear("table_snapshot").await
    }

    pub async fn say(&mut self, kind: &str, data: Value) {
        let message = json!({ "type": kind, "data": data });
        self.send(Message::text(message.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("it is sent");
    }

    /// As [`send`](Self::send), where the server may have closed the socket by now.
    pub async fn try_send(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// The next message, of any type; none once the socket is closed, with its code.
    pub async fn next(&mut self) -> Result<(String, Value), Option<u16>> {
        loop {
            let next = tokio::time::timeout(LIMIT, self.socket.next())
                .await
                .expect("a message in time");
            match next {
                Some(Ok(Message::Text(text))) => {
                    let mut message: Value = serde_json::from_str(&text).expect("JSON");
                    let kind = message["type"].as_str().expect("a type").to_owned();
                    return Ok((kind, message["data"].take()));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(tungstenite::Error::ConnectionClosed)) | None => return Err(None),
                Some(Err(error)) => panic!("the socket broke: {error}"),
            }
        }
    }

    /// The data of the next message of this type; others are passed over, but an error or a rejection is none of them.
    pub async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let (said, data) = self
                .next()
                .await
                .unwrap_or_else(|code| panic!("closed with {code:?}, not {kind}"));
            match said == kind {
                true => return data,
                false if said == "error" || said == "change_rejected" => panic!("{said} {data}, not {kind}"),
                false => {}
            }
        }
    }

    /// What comes before this guest is answered: nothing that was to be told before is still on its way.
    pub async fn until_now(&mut self) -> Vec<(String, Value)> {
        self.say("heartbeat", json!({})).await;
        let mut heard = Vec::new();
        loop {
            let (kind, data) = self.next().await.expect("it is open");
            if kind == "heartbeat_ack" {
                return heard;
            }
            heard.push((kind, data));
        }
    }

    /// The code the server closes the socket with.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    pub fn into_socket(self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        self.socket
    }
}
