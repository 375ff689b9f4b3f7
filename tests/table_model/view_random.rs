//! Random tables and views, with cells of every encoding, and parts that nobody understands.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value as Json, json};

pub const KINDS: [&str; 11] = [
    "text",
    "number",
    "checkbox",
    "date",
    "select",
    "multiselect",
    "link",
    "longtext",
    "counter",
    "rating",
    "text",
];
const OPS: [&str; 14] = [
    "equals",
    "notEquals",
    "contains",
    "startsWith",
    "less",
    "lessOrEqual",
    "greater",
    "greaterOrEqual",
    "between",
    "anyOf",
    "noneOf",
    "isEmpty",
    "isNotEmpty",
    "resembles",
];
/// Upper and lower case in several scripts, and characters whose order as bytes is not that of UTF-16 units.
const TEXTS: [&str; 16] = [
    "Ball",
    "ball",
    "apple",
    "Äpfel",
    "äpfel",
    "Zebra",
    "straße",
    "STRASSE",
    "ΟΔΟΣ",
    "İstanbul",
    "10",
    "9",
    " b",
    "a\tb \"c\"",
    "😀 smile",
    "\u{fffd} lost",
];
const DATES: [&str; 9] = [
    "2026-01-31",
    "2026-01-31T10:00Z",
    "2026-01-31T23:30:00.25+02:00",
    "2026-02-01",
    "2025-12-24",
    "2025-12-24T00:00",
    "0099-03-01",
    "1969-12-31T23:59:60",
    "2024-02-29",
];
const NUMBERS: [f64; 12] = [
    0.0,
    1.0,
    2.0,
    10.0,
    -3.0,
    0.1,
    0.2,
    2.5,
    -1e-7,
    1.25e17,
    9_007_199_254_740_991.0,
    33.3,
];
const LINKS: [&str; 4] = ["x", "y", "b.r1", "https://example.org/"];
pub const OPTIONS: [&str; 3] = ["oB", "oA", "oC"];

pub fn random_table(rng: &mut SmallRng, rows: usize) -> Json {
    let mut columns = Map::new();
    for (at, kind) in KINDS.iter().enumerate() {
        let mut column = json!({ "name": format!("Column {at}"), "kind": kind, "order": order(rng) });
        if kind.ends_with("select") {
            let option =
                |(at, id): (usize, &&str)| ((*id).to_owned(), json!({ "name": id, "order": format!("a{at}") }));
            column["options"] = Json::Object(OPTIONS.iter().enumerate().map(option).collect());
        }
        columns.insert(column_id(at), column);
    }
    columns["c10"]["deleted"] = json!({ "at": 1, "by": "Ada" });
    let rows = (0..rows).map(|at| {
        let cells = KINDS.iter().enumerate().filter_map(|(column, kind)| {
            let cell = match rng.random_range(0..20) {
                0..4 => None,
                4 => Some(
                    [json!({ "null": null }), json!({ "string": "" }), json!({ "ids": {} })]
                        .choose(rng)?
                        .clone(),
                ),
                // Something that the kind does not say.
                5 | 6 => {
                    let other = KINDS.choose(rng)?;
                    Some(random_cell(rng, other))
                }
                7 => Some(
                    [
                        json!({ "list": [] }),
                        json!({ "timestamp": 5 }),
                        json!({ "float": 1e-7 }),
                    ]
                    .choose(rng)?
                    .clone(),
                ),
                _ => Some(random_cell(rng, kind)),
            };
            Some((column_id(column), cell?))
        });
        let cells: Map<_, _> = cells.collect();
        json!({ "id": format!("b.r{at}"), "order": order(rng), "cells": cells })
    });
    let rows: Vec<Json> = rows.collect();
    json!({ "columns": columns, "rows": rows })
}

/// Ties happen.
pub fn order(rng: &mut SmallRng) -> String {
    format!("a{}", ["0", "1", "5", "Z", "a", "z", "zV"].choose(rng).unwrap())
}

pub fn random_cell(rng: &mut SmallRng, kind: &str) -> Json {
    let json = random_value(rng, kind);
    match (kind, json) {
        ("multiselect" | "link", Json::Array(ids)) => {
            let there = |id: Json| (id.as_str().unwrap().to_owned(), json!(rng.random_bool(0.9)));
            json!({ "ids": ids.into_iter().map(there).collect::<Map<_, _>>() })
        }
        ("counter", number) if rng.random_bool(0.8) => json!({ "counter": number }),
        ("longtext", text) if rng.random_bool(0.8) => json!({ "text": text }),
        (_, Json::Number(number)) if number.is_i64() => json!({ "int": number }),
        (_, Json::Number(number)) => json!({ "float": number }),
        (_, Json::Bool(yes)) => json!({ "boolean": yes }),
        (_, text) => json!({ "string": text }),
    }
}

fn random_value(rng: &mut SmallRng, kind: &str) -> Json {
    let some = |rng: &mut SmallRng, list: &[&str]| -> Json {
        let count = rng.random_range(0..3);
        list.choose_multiple(rng, count).map(|id| json!(id)).collect()
    };
    match kind {
        "number" => match *NUMBERS.choose(rng).unwrap() {
            number if number.fract() == 0.0 && number.abs() < 1e16 => json!(number as i64),
            number => json!(number),
        },
        "checkbox" => json!(rng.random_bool(0.5)),
        "date" => json!(DATES.choose(rng)),
        "select" => json!(OPTIONS.choose(rng)),
        "multiselect" => some(rng, &OPTIONS),
        "link" => some(rng, &LINKS),
        "counter" => json!(rng.random_range(-2..6)),
        _ => json!(TEXTS.choose(rng)),
    }
}

pub fn random_view(rng: &mut SmallRng) -> Json {
    let mut view = json!({ "name": "Fixture", "order": "a0" });
    if rng.random_bool(0.7) {
        view["filter"] = (0..rng.random_range(1..3)).map(|_| random_filter(rng, 1)).collect();
    }
    for (part, most) in [("sort", 4), ("group", 3)] {
        if rng.random_bool(0.5) {
            view[part] = (0..rng.random_range(0..most)).map(|_| random_sort(rng)).collect();
        }
    }
    if rng.random_bool(0.3) {
        view["columns"] = (0..rng.random_range(0..5)).map(|_| json!(any_column(rng))).collect();
    }
    if rng.random_bool(0.6) {
        let aggregates = (0..rng.random_range(1..6)).map(|_| {
            let ops = ["count", "countFilled", "sum", "min", "max", "average", "median"];
            json!({ "op": ops.choose(rng), "column": any_column(rng) })
        });
        view["aggregates"] = aggregates.chain([json!({ "op": "count" })]).collect();
    }
    if rng.random_bool(0.05) {
        view[*["filter", "sort", "columns", "group"].choose(rng).unwrap()] = json!("c1");
    }
    view
}

/// Columns of all kinds, and now and then one that is deleted, not there or no id at all.
fn any_column(rng: &mut SmallRng) -> String {
    match rng.random_range(0..40) {
        0 => "cNone".into(),
        1 => "Amount".into(),
        _ => column_id(rng.random_range(0..KINDS.len())),
    }
}

fn random_sort(rng: &mut SmallRng) -> Json {
    match rng.random_range(0..20) {
        0 => json!({ "column": any_column(rng), "descending": "yes" }),
        1..10 => json!({ "column": any_column(rng), "descending": true }),
        _ => json!({ "column": any_column(rng) }),
    }
}

fn random_filter(rng: &mut SmallRng, depth: usize) -> Json {
    if depth < 4 && rng.random_bool(0.3) {
        let inside: Vec<_> = (0..rng.random_range(0..4))
            .map(|_| random_filter(rng, depth + 1))
            .collect();
        return match rng.random_range(0..3) {
            0 => json!({ "and": inside }),
            _ => json!({ "or": inside }),
        };
    }
    let at = rng.random_range(0..KINDS.len());
    let kind = match rng.random_bool(0.95) {
        true => KINDS[at],
        false => KINDS.choose(rng).unwrap(),
    };
    let op = *OPS.choose(rng).unwrap();
    let list = |rng: &mut SmallRng, count: usize| (0..count).map(|_| random_value(rng, kind)).collect::<Json>();
    let value = match op {
        "between" => list(rng, 2),
        "anyOf" | "noneOf" if !matches!(kind, "multiselect" | "link") => {
            let count = rng.random_range(0..4);
            list(rng, count)
        }
        "contains" if kind == "multiselect" => json!(OPTIONS.choose(rng)),
        "contains" if kind == "link" => json!(LINKS.choose(rng)),
        "contains" | "startsWith" => json!(["a", "B", "ä", "1", "ς", " ", "i", ""].choose(rng)),
        "isEmpty" | "isNotEmpty" => Json::Null,
        _ => random_value(rng, kind),
    };
    let column = match rng.random_bool(0.97) {
        true => column_id(at),
        false => any_column(rng),
    };
    match value {
        Json::Null => json!({ "column": column, "op": op }),
        value => json!({ "column": column, "op": op, "value": value }),
    }
}

pub fn column_id(at: usize) -> String {
    format!("c{at}")
}
