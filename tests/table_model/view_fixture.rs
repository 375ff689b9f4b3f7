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
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::table::TableIndex;
use roundtable::document::view::{self, evaluate};
use serde_json::{Value as Json, json};

use crate::view_random::{random_table, random_view};

const SEED: u64 = 4;
const TABLES: usize = 4;
const ROWS: usize = 24;
const VIEWS: usize = 60;

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

pub fn build(tx: &mut Transaction<'_>, table: &Json, view: &Json) -> Result<(), AutomergeError> {
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
pub fn put_cell(tx: &mut Transaction<'_>, row: &ObjId, column: &str, cell: &Json) -> Result<(), AutomergeError> {
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

pub fn put(tx: &mut Transaction<'_>, map: &ObjId, key: &str, json: &Json) -> Result<(), AutomergeError> {
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
        let mut table = random_table(&mut rng, ROWS);
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
