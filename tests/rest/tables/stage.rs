//! A table on a server of its own, and requests to it.

use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use serde_json::{Value, json};

use crate::ask::{Answer, ask, start};

/// A text as it stands in an address.
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A table on a server of its own.
pub struct Table {
    pub server: Running,
    pub id: String,
}

impl Table {
    /// As the body of the request says.
    pub async fn of(body: Value) -> Self {
        Self::on(start(&MemoryEngine::default()).await, body).await
    }

    pub async fn on(server: Running, body: Value) -> Self {
        let made = ask(&server, "POST", "/v1/tables", "", &body.to_string()).await.is(201);
        let id = made.json()["table"].as_str().unwrap().to_owned();
        Self { server, id }
    }

    /// Three people with a name, an amount and a state.
    pub async fn of_people() -> Self {
        Self::of(people()).await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: Value) -> Answer {
        let path = format!("/v1/tables/{}{path}", self.id);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        ask(&self.server, method, &path, headers, &body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, "", body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path, "", body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, "", Value::Null).await
    }

    /// The version the table has now.
    pub async fn version(&self) -> String {
        self.get("").await.is(200).json()["version"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The rows of a query, cells by name.
    pub async fn rows(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("/rows?keys=name&{query}")).await.is(200).json();
        page["rows"].as_array().unwrap().clone()
    }

    /// One cell of all rows of a query.
    pub async fn column(&self, name: &str, query: &str) -> Vec<Value> {
        let rows = self.rows(query).await;
        rows.iter().map(|row| row["cells"][name].clone()).collect()
    }

    /// The id of the row whose name this is.
    pub async fn row(&self, name: &str) -> String {
        let rows = self.rows("").await;
        let row = rows
            .iter()
            .find(|row| row["cells"]["Name"] == name)
            .expect("such a row");
        row["id"].as_str().unwrap().to_owned()
    }

    /// The id of a column by its name.
    pub async fn column_id(&self, name: &str) -> String {
        let column = self.get(&format!("/columns/{}", encoded(name))).await.is(200).json();
        column["id"].as_str().unwrap().to_owned()
    }

    /// The whole document, as the documents' door shows it.
    pub async fn document(&self) -> Value {
        ask(&self.server, "GET", &format!("/v1/documents/{}", self.id), "", "")
            .await
            .is(200)
            .json()
    }

    /// How many changes the document is made of.
    pub async fn changes(&self) -> usize {
        let bytes = ask(&self.server, "GET", &format!("/v1/documents/{}/bytes", self.id), "", "").await;
        let document = automerge::Automerge::load(&bytes.is(200).body).unwrap();
        document.get_changes(&[]).len()
    }
}

pub fn people() -> Value {
    json!({
        "title": "People",
        "columns": [
            { "name": "Name", "kind": "text" },
            { "name": "Amount", "kind": "number" },
            { "name": "State", "kind": "select", "options": [{ "id": "open", "name": "Open" }, { "id": "done", "name": "Done" }] },
            { "name": "Notes", "kind": "longtext" },
            { "name": "Visits", "kind": "counter" },
            { "name": "Tags", "kind": "link" },
        ],
        "rows": [
            { "cells": { "Name": "Ada", "Amount": 36, "State": "open" } },
            { "cells": { "Name": "Ben", "Amount": 12.5, "State": "done" } },
            { "cells": { "Name": "Eve", "Amount": 20, "State": "open", "Visits": 3 } },
        ],
    })
}
