//! What somebody wants of each column of a file.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{ImportError, Target};
use crate::document::sheet::Sheet;
use crate::document::table::batch::{MAX_COLUMNS, MAX_NAME_BYTES};
use crate::document::table::value::shortened;
use crate::document::table::{ColumnId, Kind, TableIndex};

/// What becomes of a column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// Of a new table: a column as the file has it. Otherwise the column of the same name, or of the same id where the
    /// file was exported from this table.
    #[default]
    ByName,
    Skip,
    /// A column of the table.
    Column(ColumnId),
    /// A new column; what is none is as in the file.
    New {
        name: Option<String>,
        kind: Option<Kind>,
    },
}

/// Why a list of choices was not understood; `field` is a JSON pointer into it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadChoices {
    pub field: String,
    pub why: String,
}

/// Reads choices by position: `{"skip": true}`, `{"name": .., "kind": ..}` or `{"new": {"name": .., "kind": ..}}` for a new
/// column, `{"column": ..}` for one of the table by id or unique name, and `{}` or `null` for what is right by its name.
pub fn choices(json: &Json, index: Option<&TableIndex>) -> Result<Vec<Choice>, BadChoices> {
    let bad = |field: String, why: &str| BadChoices { field, why: why.into() };
    let list = json.as_array().ok_or_else(|| bad(String::new(), "expected a list"))?;
    if list.len() > MAX_COLUMNS {
        return Err(bad(String::new(), "more columns than a table takes"));
    }
    let choice = |(at, json): (usize, &Json)| {
        if json.is_null() {
            return Ok(Choice::ByName);
        }
        let fields = json
            .as_object()
            .ok_or_else(|| bad(format!("/{at}"), "expected an object"))?;
        if let Some(unknown) = fields
            .keys()
            .find(|key| !["skip", "name", "kind", "new", "column"].contains(&key.as_str()))
        {
            return Err(bad(
                format!("/{at}/{}", unknown.chars().take(80).collect::<String>()),
                "there is no such field",
            ));
        }
        match fields.get("skip") {
            Some(Json::Bool(true)) => return Ok(Choice::Skip),
            None | Some(Json::Bool(false)) => {}
            Some(_) => return Err(bad(format!("/{at}/skip"), "expected true or false")),
        }
        if let Some(column) = fields.get("column") {
            return named(column, index).map(Choice::Column).map_err(|why| BadChoices {
                field: format!("/{at}/column"),
                why,
            });
        }
        match fields.get("new") {
            Some(Json::Object(new)) => fresh(new, &format!("/{at}/new")),
            Some(_) => Err(bad(format!("/{at}/new"), "expected an object")),
            None if fields.contains_key("name") || fields.contains_key("kind") => fresh(fields, &format!("/{at}")),
            None => Ok(Choice::ByName),
        }
    };
    list.iter().enumerate().map(choice).collect()
}

fn fresh(fields: &serde_json::Map<String, Json>, at: &str) -> Result<Choice, BadChoices> {
    let text = |name: &str| match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(BadChoices {
            field: format!("{at}/{name}"),
            why: "expected a text".into(),
        }),
    };
    let kind = match text("kind")?.map(|kind| Kind::parse(&kind)) {
        Some(Kind::Other(kind)) => {
            return Err(BadChoices {
                field: format!("{at}/kind"),
                why: format!("there is no kind {}", shortened(&Json::String(kind))),
            });
        }
        kind => kind,
    };
    Ok(Choice::New {
        name: text("name")?,
        kind,
    })
}

/// A column of the table by its id or, where it is the only one, its name.
fn named(json: &Json, index: Option<&TableIndex>) -> Result<ColumnId, String> {
    let text = json.as_str().ok_or("expected the id or name of a column")?;
    let Some(index) = index else {
        return Err("a new table has no columns yet".into());
    };
    if let Some(column) = index.live_columns().find(|column| column.id.as_str() == text) {
        return Ok(column.id.clone());
    }
    let mut found = index.live_columns().filter(|column| column.name == text);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column.id.clone()),
        (None, _) => Err(format!("there is no column {}", shortened(json))),
        (Some(_), Some(_)) => Err(format!(
            "there are several columns {}; say which by its id",
            shortened(json)
        )),
    }
}

/// One choice for each column of the file.
fn all<'c>(sheet: &Sheet, choices: &'c [Choice]) -> Result<impl Iterator<Item = (usize, &'c Choice)>, ImportError> {
    let there = sheet.names().len();
    match choices.len() <= there {
        true => Ok((0..there).map(|at| (at, choices.get(at).unwrap_or(&Choice::ByName)))),
        false => Err(ImportError::TooManyChoices {
            found: choices.len(),
            there,
        }),
    }
}

pub(super) fn new_table(sheet: &Sheet, choices: &[Choice]) -> Result<Vec<Target>, ImportError> {
    let kinds = sheet.kinds();
    let target = |(at, choice): (usize, &Choice)| match choice {
        Choice::Skip => Ok(Target::Skip),
        Choice::Column(id) => Err(ImportError::NoTable(id.clone())),
        Choice::ByName => fresh_column(sheet, at, &None, &None, &kinds),
        Choice::New { name, kind } => fresh_column(sheet, at, name, kind, &kinds),
    };
    let targets: Vec<Target> = all(sheet, choices)?.map(target).collect::<Result<_, _>>()?;
    let found = targets.iter().filter(|target| !matches!(target, Target::Skip)).count();
    match found <= MAX_COLUMNS {
        true => Ok(targets),
        false => Err(ImportError::TooManyColumns {
            found,
            limit: MAX_COLUMNS,
        }),
    }
}

pub(super) fn existing(sheet: &Sheet, index: &TableIndex, choices: &[Choice]) -> Result<Vec<Target>, ImportError> {
    let kinds = sheet.kinds();
    let by_id: HashMap<&str, &ColumnId> = index
        .live_columns()
        .map(|column| (column.id.as_str(), &column.id))
        .collect();
    let mut by_name: HashMap<&str, Result<&ColumnId, ()>> = HashMap::new();
    for column in index.live_columns() {
        let found = by_name.entry(column.name.as_str()).or_insert(Ok(&column.id));
        if *found != Ok(&column.id) {
            *found = Err(());
        }
    }
    let (mut targets, mut unmatched) = (Vec::new(), Vec::new());
    for (at, choice) in all(sheet, choices)? {
        let name = &sheet.names()[at];
        targets.push(match choice {
            Choice::Skip => Target::Skip,
            Choice::New { name, kind } => fresh_column(sheet, at, name, kind, &kinds)?,
            Choice::Column(id) => match index.column(id) {
                Some(column) if column.deleted.is_none() => Target::Existing(id.clone()),
                Some(_) => return Err(ImportError::ColumnDeleted(id.clone())),
                None => return Err(ImportError::NoColumn(id.clone())),
            },
            Choice::ByName => {
                let exported = sheet.hint(at).and_then(|hint| by_id.get(hint.column.as_str()));
                match (exported, by_name.get(name.as_str())) {
                    (Some(id), _) => Target::Existing((*id).clone()),
                    (None, Some(Ok(id))) => Target::Existing((*id).clone()),
                    (None, Some(Err(()))) => return Err(ImportError::Ambiguous(name.clone())),
                    (None, None) => {
                        unmatched.push(name.clone());
                        Target::Skip
                    }
                }
            }
        });
    }
    if !unmatched.is_empty() {
        // Enough to see what kind of file it is.
        unmatched.truncate(50);
        return Err(ImportError::Unmatched(unmatched));
    }
    let mut taken: HashMap<&ColumnId, usize> = HashMap::new();
    for (at, target) in targets.iter().enumerate() {
        if let Target::Existing(id) = target
            && let Some(first) = taken.insert(id, at)
        {
            let name = |at: usize| sheet.names()[at].clone();
            return Err(ImportError::Twice(name(first), name(at)));
        }
    }
    Ok(targets)
}

fn fresh_column(
    sheet: &Sheet,
    at: usize,
    name: &Option<String>,
    kind: &Option<Kind>,
    kinds: &[Kind],
) -> Result<Target, ImportError> {
    let hint = sheet.hint(at);
    let given = hint.map_or(&sheet.names()[at], |hint| &hint.name);
    let name = name.as_ref().unwrap_or(given).clone();
    if name.len() > MAX_NAME_BYTES {
        return Err(ImportError::LongName(at + 1));
    }
    Ok(Target::New {
        name,
        kind: kind.clone().unwrap_or_else(|| kinds[at].clone()),
        width: hint.and_then(|hint| hint.width),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices_are_read_by_position_and_what_is_wrong_is_pointed_at() {
        let read = |json| choices(&json, None);
        assert_eq!(
            read(json!([{"skip": true}, null, {"kind": "date"}, {"new": {"name": "N", "kind": "select"}}, {}])),
            Ok(vec![
                Choice::Skip,
                Choice::ByName,
                Choice::New {
                    name: None,
                    kind: Some(Kind::Date)
                },
                Choice::New {
                    name: Some("N".into()),
                    kind: Some(Kind::Select)
                },
                Choice::ByName,
            ])
        );
        let complaint = |json| read(json).unwrap_err().to_string();
        assert_eq!(
            complaint(json!([{}, {"kind": "rating"}])),
            "/1/kind: there is no kind \"rating\""
        );
        assert_eq!(complaint(json!([{"name": 5}])), "/0/name: expected a text");
        assert_eq!(complaint(json!([{"nam": "x"}])), "/0/nam: there is no such field");
        assert_eq!(
            complaint(json!([{"column": "c1"}])),
            "/0/column: a new table has no columns yet"
        );
        assert_eq!(complaint(json!({})), ": expected a list");
    }
}
