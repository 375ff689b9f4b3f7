//! Columns and views: made, changed, deleted, restored.

use serde_json::{Value, json};

use crate::tables::stage::{Table, encoded};

#[tokio::test]
async fn a_column_is_added_changed_deleted_and_restored() {
    let table = Table::of_people().await;
    let new = json!({ "name": "Due date", "kind": "date", "width": 120, "at": { "after": "Name" } });
    let made = table.post("/columns", new).await.is(201);
    let column = made.json();
    let id = column["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/v1/tables/{}/columns/{id}", table.id));
    assert_eq!((&column["name"], &column["width"]), (&json!("Due date"), &json!(120.0)));
    let path = format!("/columns/{}", encoded("Due date"));
    assert_eq!(table.get(&path).await.is(200).json(), column);

    let patch = json!({ "name": "Level", "kind": "select", "width": null, "options": [{ "name": "Low", "color": "green" }], "at": "end" });
    let changed = table.patch(&path, patch).await.is(200).json();
    let option = changed["options"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        changed["options"],
        json!([{ "id": option, "name": "Low", "color": "green" }])
    );
    assert_eq!((changed.get("width"), &changed["kind"]), (None, &json!("select")));
    let listed = table.get("/columns").await.is(200).json();
    assert_eq!(listed["columns"].as_array().unwrap().last().unwrap()["id"], id);
    table.get(&path).await.refuses(404, "not-found", None);

    let ada = format!("/rows/{}", table.row("Ada").await);
    table.patch(&ada, json!({ "cells": { "Level": option } })).await.is(204);
    table.delete("/columns/Level").await.is(204);
    table.get("/columns/Level").await.refuses(404, "not-found", None);
    assert_eq!(
        table.get(&format!("/columns/{id}")).await.is(200).json()["deleted"]["by"],
        "http"
    );
    let deleted = table.get("/columns?deleted=true").await.json();
    assert_eq!(deleted["columns"][0]["id"], id);
    let refused = table.patch(&ada, json!({ "cells": { id.as_str(): null } })).await;
    refused.refuses(422, "refused", Some(&format!("/cells/{id}")));
    table.post(&format!("/columns/{id}/restore"), Value::Null).await.is(204);
    assert_eq!(table.column("Level", "limit=1").await, [json!(option)]);
}

#[tokio::test]
async fn a_bad_column_is_refused_by_name() {
    let table = Table::of_people().await;
    let before = table.version().await;
    for (body, status, code, field) in [
        (json!({ "kind": "text" }), 400, "bad-body", None),
        (json!({ "name": "x", "kind": "money" }), 400, "bad-body", Some("/kind")),
        (
            json!({ "name": "x", "kind": "text", "id": "x1" }),
            422,
            "refused",
            Some("/id"),
        ),
        (
            json!({ "name": "x", "kind": "text", "at": { "before": "Salary" } }),
            422,
            "refused",
            Some("/at/before"),
        ),
        (
            json!({ "name": "x", "kind": "text", "options": [{ "name": "a" }] }),
            422,
            "refused",
            None,
        ),
    ] {
        table.post("/columns", body).await.refuses(status, code, field);
    }
    for (patch, field) in [
        (json!({ "name": "x".repeat(1025) }), "/name"),
        (json!({ "width": 0 }), "/width"),
        (json!({ "options": [{ "name": "a" }] }), "/options"),
        (json!({ "at": { "after": "Amount" } }), "/at"),
    ] {
        table
            .patch("/columns/Amount", patch)
            .await
            .refuses(422, "refused", Some(field));
    }
    for (method, path) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/restore")] {
        let refused = table
            .ask(method, &format!("/columns/Salary{path}"), "", json!({}))
            .await;
        assert!(refused.refuses(404, "not-found", None).contains("\"Amount\""));
    }
    assert_eq!(table.version().await, before);
}

#[tokio::test]
async fn a_view_is_made_of_names_followed_and_changed() {
    let table = Table::of_people().await;
    let (name, state) = (table.column_id("Name").await, table.column_id("State").await);
    let new = json!({
        "name": "Open",
        "filter": [{ "or": [{ "column": "State", "op": "equals", "value": "open" }] }],
        "sort": [{ "column": "Name", "descending": true }],
        "columns": ["Name"],
        "aggregates": [{ "op": "sum", "column": "Amount" }],
    });
    let made = table.post("/views", new).await.is(201);
    let view = made.json();
    let id = view["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/v1/tables/{}/views/{id}", table.id));
    assert_eq!(
        (&view["filter"][0]["or"][0]["column"], &view["columns"]),
        (&json!(state), &json!([name]))
    );
    let page = table.get(&format!("/rows?view={id}&keys=name")).await.is(200).json();
    let cells: Vec<&Value> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["cells"])
        .collect();
    assert_eq!(cells, [&json!({ "Name": "Eve" }), &json!({ "Name": "Ada" })]);
    assert_eq!((&page["totals"], &page["rowCount"]), (&json!([56]), &json!(2)));
    // What the query says stands in place of what the view says.
    assert_eq!(
        table.column("Name", &format!("view={id}&sort=Name&fields=Name")).await,
        ["Ada", "Eve"]
    );

    let second = table
        .post("/views", json!({ "name": "All", "at": "start" }))
        .await
        .is(201)
        .json();
    let listed = table.get("/views").await.is(200).json();
    let ids: Vec<&Value> = listed["views"]
        .as_array()
        .unwrap()
        .iter()
        .map(|view| &view["id"])
        .collect();
    assert_eq!(ids, [&second["id"], &json!(id)]);
    let path = format!("/views/{id}");
    let patched = table
        .patch(&path, json!({ "filter": null, "name": "By name", "at": "start" }))
        .await
        .is(200)
        .json();
    assert_eq!((patched.get("filter"), &patched["sort"]), (None, &view["sort"]));
    assert_eq!(table.get("/views").await.json()["views"][0]["name"], "By name");
    assert_eq!(table.get(&path).await.is(200).json(), patched);
    assert_eq!(
        table.column("Name", &format!("view={id}")).await,
        ["Eve", "Ben", "Ada"].map(Value::from)
    );

    // A column of the view goes: the rest of it is followed, and what is not is named.
    table.delete("/columns/Amount").await.is(204);
    let page = table.get(&format!("/rows?view={id}")).await.is(200).json();
    assert_eq!(page["skipped"][0]["part"], "aggregates");
    table.delete(&path).await.is(204);
    for method in ["GET", "PATCH", "DELETE"] {
        table
            .ask(method, &path, "", json!({}))
            .await
            .refuses(404, "not-found", None);
    }
}

#[tokio::test]
async fn a_bad_view_is_refused_by_name() {
    let table = Table::of_people().await;
    let before = table.version().await;
    for (body, status, code, field) in [
        (json!({}), 400, "bad-body", None),
        (json!({ "name": "x", "filters": [] }), 400, "bad-body", Some("/filters")),
        (json!({ "name": "x", "id": "no id" }), 422, "refused", Some("/id")),
        (json!({ "name": "x", "filter": {} }), 422, "refused", Some("/filter")),
        (
            json!({ "name": "x", "sort": [{ "column": "Salary" }] }),
            422,
            "refused",
            Some("/sort/0/column"),
        ),
        (
            json!({ "name": "x", "columns": ["Name", "Salary"] }),
            422,
            "refused",
            Some("/columns/1"),
        ),
        (
            json!({ "name": "x", "aggregates": [{ "op": "sum", "column": "Name" }] }),
            422,
            "refused",
            None,
        ),
        (
            json!({ "name": "x", "at": { "after": "v1" } }),
            422,
            "refused",
            Some("/at"),
        ),
    ] {
        table.post("/views", body).await.refuses(status, code, field);
    }
    assert_eq!(table.version().await, before);
}
