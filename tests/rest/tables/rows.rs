//! Rows and cells: inserted, read, written, moved, deleted, restored, and refused by name.

use serde_json::{Value, json};

use crate::tables::stage::{Table, encoded};

#[tokio::test]
async fn rows_are_inserted_where_they_are_wanted() {
    let table = Table::of_people().await;
    let made = table
        .post("/rows", json!({ "rows": [{ "cells": { "Name": "Dan" } }, {}] }))
        .await
        .is(201);
    assert_eq!(made.header("location"), format!("/v1/tables/{}/rows", table.id));
    let ids = made.json()["rows"].as_array().unwrap().len();
    assert_eq!(ids, 2);
    let ada = table.row("Ada").await;
    for (at, name) in [
        (json!("start"), "first"),
        (json!("end"), "last"),
        (json!({ "index": 1 }), "second"),
        (json!({ "before": ada }), "before Ada"),
        (json!({ "after": ada }), "after Ada"),
    ] {
        let row = json!({ "rows": [{ "cells": { "Name": name } }], "at": at });
        table.post("/rows", row).await.is(201);
    }
    let names = ["first", "second", "before Ada", "Ada", "after Ada", "Ben", "Eve", "Dan"];
    let mut expected: Vec<Value> = names.iter().map(|name| json!(name)).collect();
    expected.extend([Value::Null, json!("last")]);
    assert_eq!(table.column("Name", "").await, expected);
    let own = json!({ "rows": [{ "id": "mine.1", "cells": { "Name": "Own" } }] });
    table.post("/rows", own.clone()).await.is(201);
    assert_eq!(
        table.get("/rows/mine.1?keys=name").await.json()["cells"],
        json!({ "Name": "Own" })
    );
    let twice = table.post("/rows", own).await;
    assert!(twice.refuses(422, "refused", Some("/rows/0/id")).contains("mine.1"));
}

#[tokio::test]
async fn cells_go_by_the_ids_of_their_columns_or_by_unique_names() {
    let table = Table::of_people().await;
    let (name, amount) = (table.column_id("Name").await, table.column_id("Amount").await);
    let page = table.get("/rows?limit=1&fields=Amount,Name").await.json();
    assert_eq!(
        page["rows"][0]["cells"],
        json!({ name.clone(): "Ada", amount.clone(): 36 })
    );
    assert_eq!(page["rowCount"], 3);
    table
        .post("/columns", json!({ "name": "Amount", "kind": "text" }))
        .await
        .is(201);
    let row = table.rows("limit=1").await[0].clone();
    assert_eq!(
        (&row["cells"]["Name"], &row["cells"][&amount]),
        (&json!("Ada"), &json!(36))
    );
    assert_eq!(row["cells"].get("Amount"), None);
    let ada = format!("/rows/{}", row["id"].as_str().unwrap());
    let refused = table.patch(&ada, json!({ "cells": { "Amount": 1 } })).await;
    let why = refused.refuses(422, "refused", Some("/cells/Amount"));
    assert!(
        why.starts_with("2 columns are called \"Amount\"") && why.contains(&amount),
        "{why}"
    );
    table.patch(&ada, json!({ "cells": { amount: 1 } })).await.is(204);
    table
        .get(&format!("{ada}/cells/Amount"))
        .await
        .refuses(400, "bad-id", None);
}

#[tokio::test]
async fn a_row_is_written_moved_deleted_and_restored() {
    let table = Table::of_people().await;
    let eve = format!("/rows/{}", table.row("Eve").await);
    let patch = json!({ "cells": { "Amount": null, "Notes": "Hello", "Tags": ["b", "a"] }, "at": "start" });
    table.patch(&eve, patch).await.is(204);
    let row = table.get(&format!("{eve}?keys=name")).await.is(200).json();
    assert_eq!(
        row["cells"],
        json!({ "Name": "Eve", "State": "open", "Notes": "Hello", "Visits": 3, "Tags": ["a", "b"] })
    );
    assert_eq!(table.column("Name", "").await, ["Eve", "Ada", "Ben"]);
    table.delete(&eve).await.is(204);
    let again = table.delete(&eve).await.is(204);
    assert_eq!(again.header("etag"), format!("\"{}\"", table.version().await));
    let row = table.get(&eve).await.is(200).json();
    assert_eq!(row["deleted"]["by"], "http");
    assert!(row["deleted"]["at"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(table.column("Name", "").await, ["Ada", "Ben"]);
    assert_eq!(table.column("Name", "deleted=true").await, ["Eve"]);
    let refused = table.patch(&eve, json!({ "cells": { "Amount": 1 } })).await;
    assert!(
        refused
            .refuses(422, "refused", Some("/cells/Amount"))
            .contains("restore it first")
    );
    table.post(&format!("{eve}/restore"), Value::Null).await.is(204);
    assert_eq!(table.column("Name", "").await, ["Eve", "Ada", "Ben"]);
}

#[tokio::test]
async fn a_cell_is_set_counted_spliced_and_its_ids_are_added() {
    let table = Table::of_people().await;
    let ada = format!("/rows/{}/cells", table.row("Ada").await);
    for (column, patches, value) in [
        ("Name", vec![json!({ "set": "Ada L." })], json!("Ada L.")),
        ("Amount", vec![json!({ "set": null })], Value::Null),
        (
            "Visits",
            vec![json!({ "increment": 5 }), json!({ "increment": -2 })],
            json!(3),
        ),
        (
            "Notes",
            vec![
                json!({ "set": "Grüße an alle" }),
                json!({ "splice": { "at": 6, "delete": 2, "insert": "von" } }),
                json!({ "splice": { "at": 0, "insert": "> " } }),
            ],
            json!("> Grüße von alle"),
        ),
        (
            "Tags",
            vec![json!({ "add": ["x", "y"] }), json!({ "remove": ["x", "z"] })],
            json!(["y"]),
        ),
    ] {
        for patch in patches {
            table.patch(&format!("{ada}/{column}"), patch).await.is(204);
        }
        let cell = table.get(&format!("{ada}/{column}")).await.is(200).json();
        assert_eq!(cell["value"], value, "{column}");
        assert_eq!(cell["column"], table.column_id(column).await);
    }
}

#[tokio::test]
async fn a_cell_edit_that_does_not_fit_is_refused_by_name() {
    let table = Table::of_people().await;
    let row = table.row("Ada").await;
    let path = |column: &str| format!("/rows/{row}/cells/{}", encoded(column));
    for (column, patch, status, field, part) in [
        (
            "Amount",
            json!({ "set": "12" }),
            422,
            Some("/set"),
            "expected a number, whole ones up to 9007199254740991, found \"12\"",
        ),
        (
            "State",
            json!({ "set": "gone" }),
            422,
            Some("/set"),
            "the id of one of the column's options",
        ),
        (
            "Amount",
            json!({ "increment": 1 }),
            422,
            Some("/increment"),
            "a number cell takes no increment",
        ),
        (
            "Notes",
            json!({ "splice": { "at": 3 } }),
            422,
            Some("/splice"),
            "the text has 0 characters",
        ),
        (
            "Name",
            json!({ "add": ["x"] }),
            422,
            Some("/add"),
            "a text cell takes no ids",
        ),
        ("Name", json!({ "put": "x" }), 400, None, "unknown variant `put`"),
        (
            "Name",
            json!({ "splice": { "from": 3 } }),
            400,
            Some("/splice/from"),
            "unknown field `from`",
        ),
        (
            "Salary",
            json!({ "set": 1 }),
            404,
            None,
            "there is no column \"Salary\"; there are \"Amount\" (c",
        ),
    ] {
        let refused = table.patch(&path(column), patch.clone()).await;
        let code = match status {
            422 => "refused",
            404 => "not-found",
            _ => "bad-body",
        };
        let why = refused.refuses(status, code, field);
        assert!(why.contains(part), "{column} {patch}: {why}");
    }
    let amount = table.column_id("Amount").await;
    let why = table
        .patch(&path("Amount"), json!({ "set": true }))
        .await
        .refuses(422, "refused", Some("/set"));
    assert!(
        why.contains(&row) && why.contains(&amount) && why.contains("\"Amount\"") && why.contains("true"),
        "{why}"
    );
}

#[tokio::test]
async fn bad_rows_are_refused_whole_and_by_name() {
    let table = Table::of_people().await;
    let before = table.version().await;
    let amount = table.column_id("Amount").await;
    for (body, status, code, field) in [
        (
            json!({ "rows": [{ "cells": { "Amount": 1 } }, { "cells": { "Amount": "x" } }] }),
            422,
            "refused",
            "/rows/1/cells/Amount",
        ),
        (
            json!({ "rows": [{ "cells": { amount.as_str(): "x" } }] }),
            422,
            "refused",
            &format!("/rows/0/cells/{amount}"),
        ),
        (
            json!({ "rows": [{ "id": "b.1", "cells": { "Amount": "x" } }] }),
            422,
            "refused",
            "/rows/0/cells/Amount",
        ),
        (
            json!({ "rows": [{ "cells": { "a/b": 1 } }] }),
            422,
            "refused",
            "/rows/0/cells/a~1b",
        ),
        (json!({ "rows": [{ "id": "no dot" }] }), 422, "refused", "/rows/0/id"),
        (json!({ "rows": [{ "name": "x" }] }), 400, "bad-body", "/rows/0/name"),
        (json!({ "rows": {} }), 400, "bad-body", "/rows"),
        (
            json!({ "rows": [{}], "at": { "before": "no dot" } }),
            422,
            "refused",
            "/at/before",
        ),
    ] {
        table.post("/rows", body).await.refuses(status, code, Some(field));
    }
    let far = table.post("/rows", json!({ "rows": [{}], "at": { "index": 9 } })).await;
    assert!(far.refuses(422, "refused", None).contains("9 is beyond the end"));
    let gone = table
        .post("/rows", json!({ "rows": [{}], "at": { "after": "b.r" } }))
        .await;
    assert!(gone.refuses(422, "refused", None).contains("there is no row b.r"));
    for (method, body) in [("GET", Value::Null), ("PATCH", json!({})), ("DELETE", Value::Null)] {
        table
            .ask(method, "/rows/b.r", "", body.clone())
            .await
            .refuses(404, "not-found", None);
        table
            .ask(method, "/rows/nodot", "", body)
            .await
            .refuses(400, "bad-id", None);
    }
    table
        .post("/rows/b.r/restore", Value::Null)
        .await
        .refuses(404, "not-found", None);
    assert_eq!(table.version().await, before, "nothing was written");
}

#[tokio::test]
async fn rows_are_filtered_sorted_and_summed() {
    let table = Table::of_people().await;
    let filter = |filter: Value| format!("filter={}", encoded(&filter.to_string()));
    let open = filter(json!({ "column": "State", "op": "equals", "value": "open" }));
    assert_eq!(table.column("Name", &open).await, ["Ada", "Eve"]);
    let both = filter(json!([
        { "column": "State", "op": "equals", "value": "open" },
        { "or": [{ "column": "Amount", "op": "less", "value": 30 }, { "column": "Name", "op": "equals", "value": "x" }] },
    ]));
    assert_eq!(table.column("Name", &both).await, ["Eve"]);
    assert_eq!(table.column("Name", "sort=-Amount").await, ["Ada", "Eve", "Ben"]);
    assert_eq!(table.column("Name", "sort=State,-Name").await, ["Eve", "Ada", "Ben"]);
    let totals = encoded(r#"[{"op":"sum","column":"Amount"},{"op":"count"}]"#);
    let page = table
        .get(&format!("/rows?group=State&limit=1&aggregates={totals}"))
        .await
        .is(200)
        .json();
    assert_eq!((&page["totals"], &page["rowCount"]), (&json!([68.5, 3]), &json!(3)));
    assert_eq!(
        page["groups"],
        json!([
            { "key": ["open"], "start": 0, "rows": 2, "totals": [56, 2] },
            { "key": ["done"], "start": 2, "rows": 1, "totals": [12.5, 1] },
        ])
    );
    assert_eq!(page["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused_by_name() {
    let table = Table::of_people().await;
    let filter = |filter: Value| format!("filter={}", encoded(&filter.to_string()));
    for (query, field) in [
        ("limit=0".to_owned(), "/limit"),
        ("limit=1001".into(), "/limit"),
        ("limit=many".into(), "/limit"),
        ("cursor=x".into(), "/cursor"),
        ("cursor=".into(), "/cursor"),
        ("keys=number".into(), "/keys"),
        ("deleted=maybe".into(), "/deleted"),
        ("deleted=true&sort=Name".into(), "/deleted"),
        ("fields=Name,Salary".into(), "/fields"),
        ("sort=Salary".into(), "/sort/0/column"),
        ("group=Name,-Salary".into(), "/group/1/column"),
        ("view=no%20id".into(), "/view"),
        ("filter=x".into(), "/filter"),
        ("aggregates=%7B%7D".into(), "/aggregates"),
        (
            filter(json!({ "column": "Salary", "op": "isEmpty" })),
            "/filter/0/column",
        ),
        (
            filter(json!([{ "or": [{ "column": "Salary", "op": "isEmpty" }] }])),
            "/filter/0/or/0/column",
        ),
        (filter(json!({ "column": "Name", "op": "resembles" })), "/filter"),
        (filter(json!({ "column": "Name", "op": "less", "value": 1 })), "/filter"),
    ] {
        let refused = table.get(&format!("/rows?{query}")).await;
        refused.refuses(400, "bad-query", Some(field));
    }
    let unknown = table.get("/rows?limits=1").await.refuses(400, "bad-query", None);
    assert!(unknown.contains("limits"), "{unknown}");
    table.get("/rows?limit=1&limit=2").await.refuses(400, "bad-query", None);
    table
        .get("/rows?view=v1")
        .await
        .refuses(404, "not-found", Some("/view"));
}
