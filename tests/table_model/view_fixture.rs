//! Tables and views with what they show, in `tests/fixtures/views.json`, shared with the page.
//!
//! The page evaluates views in TypeScript, for the rows of a window must follow each keystroke without asking the server.
//! Two evaluators drift apart unless something holds them together: this file checks that the answers of the fixture are
//! what [`evaluate`] says, and `web-demo/test/view-agreement.test.ts` that the page says the same.
//!
//! After a change of the rules: `VIEW_FIXTURE=write cargo test --test table_model fixture`. `VIEW_FIXTURE_SEED` takes
//! another seed than the one the fixture was made with.

use std::path::PathBuf;

use automerge::transaction::{Transactable, Transaction};
use automerge::{Automerge, AutomergeError, ObjId, ObjType, ROOT, ScalarValue};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use roundtable::document::table::TableIndex;
use roundtable::document::view::{self, evaluate};
use serde_json::{Map, Value as Json, json};

const SEED: u64 = 4;
const TABLES: usize = 4;
const ROWS: usize = 24;
const VIEWS: usize = 60;

const KINDS: [&str; 11] = [
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
const OPTIONS: [&str; 3] = ["oB", "oA", "oC"];

#[test]
fn the_fixture_says_what_the_evaluator_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/views.json");
    if std::env::var("VIEW_FIXTURE").as_deref() == Ok("write") {
        std::fs::write(&path, written(&generate())).unwrap();
    }
    let fixture: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let tables = fixture["tables"].as_array().unwrap();
    assert_eq!(tables.len(), TABLES);
    let mut shown = 0;
    for (at, table) in tables.iter().enumerate() {
        let cases = table["views"].as_array().unwrap();
        assert_eq!(cases.len(), VIEWS);
        for (number, case) in cases.iter().enumerate() {
            // Written and read once, as the fixture was: a long fraction may lose its last digit in the reading.
            let found: Json = serde_json::from_str(&answer(table, &case["view"]).to_string()).unwrap();
            shown += found["rows"].as_array().unwrap().len();
            assert_eq!(
                found, case["expected"],
                "view {number} of table {at}, {}; VIEW_FIXTURE=write makes the fixture anew",
                case["view"]
            );
        }
    }
    // A fixture of empty answers would agree with anything.
    assert!(shown > TABLES * VIEWS * ROWS / 4, "{shown} rows are shown");
}

/// One line for each row and view, so that a change of the fixture can be read.
fn written(tables: &[Json]) -> String {
    let lines = |list: &Json| {
        let lines: Vec<_> = list.as_array().unwrap().iter().map(Json::to_string).collect();
        lines.join(",\n")
    };
    let table = |table: &Json| {
        format!(
            "{{\"columns\":{},\n\"rows\":[\n{}\n],\n\"views\":[\n{}\n]}}",
            table["columns"],
            lines(&table["rows"]),
            lines(&table["views"])
        )
    };
    let tables: Vec<_> = tables.iter().map(table).collect();
    format!("{{\"tables\":[\n{}\n]}}\n", tables.join(",\n"))
}

/// What the evaluator shows of a view, read leniently from the document.
fn answer(table: &Json, view: &Json) -> Json {
    let mut document = Automerge::new();
    document
        .transact::<_, _, AutomergeError>(|tx| build(tx, table, view))
        .unwrap();
    let index = TableIndex::build(&document).unwrap();
    let stored = &view::read_all(&document)[0];
    let evaluated = evaluate(&document, &index, &stored.view);
    let skipped = stored.skipped.iter().chain(&evaluated.skipped);
    let group = |group: &view::Group| json!({ "key": group.key, "from": group.rows.start, "to": group.rows.end, "totals": group.totals });
    json!({
        "rows": evaluated.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        "columns": evaluated.columns.iter().map(|column| column.as_str()).collect::<Vec<_>>(),
        "groups": evaluated.groups.iter().map(group).collect::<Vec<_>>(),
        "totals": evaluated.totals,
        "skipped": skipped.map(|skipped| skipped.part.key()).collect::<Vec<_>>(),
    })
}

fn build(tx: &mut Transaction<'_>, table: &Json, view: &Json) -> Result<(), AutomergeError> {
    tx.put(ROOT, "type", "table")?;
    tx.put(ROOT, "schemaVersion", 1)?;
    tx.put(ROOT, "title", "Fixture")?;
    put(tx, &ROOT, "columns", &table["columns"])?;
    let blocks = tx.put_object(ROOT, "blocks", ObjType::Map)?;
    let block = tx.put_object(&blocks, "b", ObjType::Map)?;
    for row in table["rows"].as_array().unwrap() {
        let object = tx.put_object(&block, row["id"].as_str().unwrap(), ObjType::Map)?;
        tx.put(&object, "order", row["order"].as_str().unwrap())?;
        for (column, cell) in row["cells"].as_object().unwrap() {
            put_cell(tx, &object, column, cell)?;
        }
    }
    let views = tx.put_object(ROOT, "views", ObjType::Map)?;
    put(tx, &views, "v1", view)
}

/// A cell is written as `{ encoding: value }`, for the document has several encodings of one value.
fn put_cell(tx: &mut Transaction<'_>, row: &ObjId, column: &str, cell: &Json) -> Result<(), AutomergeError> {
    let (encoding, value) = cell.as_object().unwrap().iter().next().unwrap();
    let scalar = match encoding.as_str() {
        "text" => {
            let text = tx.put_object(row, column, ObjType::Text)?;
            return tx.splice_text(&text, 0, 0, value.as_str().unwrap());
        }
        "ids" => return put(tx, row, column, value),
        "list" => {
            tx.put_object(row, column, ObjType::List)?;
            return Ok(());
        }
        "string" => ScalarValue::Str(value.as_str().unwrap().into()),
        "int" => ScalarValue::Int(value.as_i64().unwrap()),
        "float" => ScalarValue::F64(value.as_f64().unwrap()),
        "counter" => ScalarValue::counter(value.as_i64().unwrap()),
        "boolean" => ScalarValue::Boolean(value.as_bool().unwrap()),
        "timestamp" => ScalarValue::Timestamp(value.as_i64().unwrap()),
        "null" => ScalarValue::Null,
        other => panic!("the fixture knows no encoding {other}"),
    };
    tx.put(row, column, scalar)
}

fn put(tx: &mut Transaction<'_>, map: &ObjId, key: &str, json: &Json) -> Result<(), AutomergeError> {
    match json {
        Json::Object(entries) => {
            let object = tx.put_object(map, key, ObjType::Map)?;
            entries.iter().try_for_each(|(key, json)| put(tx, &object, key, json))
        }
        Json::Array(items) => {
            let list = tx.put_object(map, key, ObjType::List)?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, json)| insert(tx, &list, at, json))
        }
        scalar => tx.put(map, key, scalar_of(scalar)),
    }
}

fn insert(tx: &mut Transaction<'_>, list: &ObjId, at: usize, json: &Json) -> Result<(), AutomergeError> {
    match json {
        Json::Object(entries) => {
            let object = tx.insert_object(list, at, ObjType::Map)?;
            entries.iter().try_for_each(|(key, json)| put(tx, &object, key, json))
        }
        Json::Array(items) => {
            let inner = tx.insert_object(list, at, ObjType::List)?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, json)| insert(tx, &inner, at, json))
        }
        scalar => tx.insert(list, at, scalar_of(scalar)),
    }
}

fn scalar_of(json: &Json) -> ScalarValue {
    match json {
        Json::String(text) => ScalarValue::Str(text.as_str().into()),
        Json::Bool(yes) => ScalarValue::Boolean(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(number) => ScalarValue::Int(number),
            None => ScalarValue::F64(number.as_f64().unwrap()),
        },
        _ => ScalarValue::Null,
    }
}

fn generate() -> Vec<Json> {
    let given = std::env::var("VIEW_FIXTURE_SEED").ok();
    let seed = given.map_or(SEED, |seed| seed.parse().expect("VIEW_FIXTURE_SEED is a number"));
    let mut rng = SmallRng::seed_from_u64(seed);
    let make = |_| {
        let mut table = random_table(&mut rng);
        let views = (0..VIEWS).map(|_| {
            let view = random_view(&mut rng);
            json!({ "expected": answer(&table, &view), "view": view })
        });
        let views: Json = views.collect();
        table["views"] = views;
        table
    };
    (0..TABLES).map(make).collect()
}

fn column_id(at: usize) -> String {
    format!("c{at}")
}

fn random_table(rng: &mut SmallRng) -> Json {
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
    let rows = (0..ROWS).map(|at| {
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
fn order(rng: &mut SmallRng) -> String {
    format!("a{}", ["0", "1", "5", "Z", "a", "z", "zV"].choose(rng).unwrap())
}

fn random_cell(rng: &mut SmallRng, kind: &str) -> Json {
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

fn random_view(rng: &mut SmallRng) -> Json {
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
