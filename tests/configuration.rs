//! `docs/configuration.md` is true: it names every setting there is, with its default, and no other.

use std::collections::BTreeMap;

use roundtable::server::config::Config;
use serde_json::Value;

/// Every setting with its default, as the page writes it.
fn settings(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                settings(&format!("{prefix}.{name}"), value, into);
            }
        }
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // A minute is written the way people write it in this file.
            let text = if text == "1m" { "60s".into() } else { text };
            into.insert(prefix.trim_start_matches('.').to_owned(), text);
        }
    }
}

#[test]
fn the_page_names_every_setting_and_its_default() {
    let mut real = BTreeMap::new();
    settings("", &serde_json::to_value(Config::default()).unwrap(), &mut real);
    let page = include_str!("../docs/configuration.md");
    let documented: BTreeMap<String, String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| {
            let mut cells = line.split('|');
            let name = cells.next().unwrap().trim().trim_end_matches('`').to_owned();
            (name, cells.next().unwrap().trim().trim_matches('`').to_owned())
        })
        .collect();
    assert_eq!(documented, real);
}
