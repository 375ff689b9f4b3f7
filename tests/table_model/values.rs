//! Random values, of whatever kind a column has.

use std::collections::BTreeSet;

use rand::Rng;
use rand::seq::IndexedRandom;
use roundtable::document::table::{ColumnId, Kind, NewOption};
use serde_json::{Value as Json, json};

use crate::ledger::Ledger;
use crate::replica::Replica;

pub const TAGS: [&str; 6] = ["red", "green", "blue", "x1", "x2", "x3"];

pub fn random_kind(replica: &mut Replica) -> Kind {
    let kinds = [
        Kind::Text,
        Kind::Number,
        Kind::Checkbox,
        Kind::Date,
        Kind::Select,
        Kind::MultiSelect,
        Kind::Link,
        Kind::LongText,
        Kind::Counter,
    ];
    kinds.choose(&mut replica.rng).unwrap().clone()
}

pub fn random_value(replica: &mut Replica, ledger: &mut Ledger, kind: &Kind, column: &ColumnId) -> Json {
    if replica.rng.random_bool(0.1) {
        return Json::Null;
    }
    let number = ledger.number();
    match kind {
        Kind::Text => json!(format!("text {number}")),
        Kind::LongText => json!((0..3).map(|_| ledger.letter()).collect::<String>()),
        Kind::Number => match number % 2 {
            0 => json!(number),
            _ => json!(f64::from(number) + 0.5),
        },
        Kind::Checkbox => json!(replica.rng.random_bool(0.5)),
        Kind::Date => json!(format!("2026-{:02}-{:02}", number % 12 + 1, number % 28 + 1)),
        Kind::Select => random_ids(replica, column).first().map_or(Json::Null, |id| json!(id)),
        Kind::MultiSelect | Kind::Link => {
            let ids: BTreeSet<String> = random_ids(replica, column).into_iter().collect();
            if ids.is_empty() { Json::Null } else { json!(ids) }
        }
        Kind::Counter => json!(replica.rng.random_range(-9..10)),
        Kind::Other(_) => Json::Null,
    }
}

pub fn random_ids(replica: &mut Replica, column: &ColumnId) -> Vec<String> {
    let column = replica.index.column(column).unwrap();
    let known: Vec<String> = match column.kind.has_options() {
        true => column.options.iter().map(|option| option.id.clone()).collect(),
        false => TAGS.map(str::to_owned).into(),
    };
    let count = replica.rng.random_range(1..=3);
    known.choose_multiple(&mut replica.rng, count).cloned().collect()
}

pub fn options(ids: &[&str]) -> Vec<NewOption> {
    let option = |id: &&str| NewOption {
        id: Some((*id).into()),
        name: (*id).into(),
        color: Some("#808080".into()),
    };
    ids.iter().map(option).collect()
}

pub fn strings(json: &Json) -> BTreeSet<String> {
    let list = json.as_array().into_iter().flatten();
    list.map(|item| item.as_str().unwrap().to_owned()).collect()
}
