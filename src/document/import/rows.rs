//! Which row of the table each record is.
//!
//! A key is compared as what it means in its column: `7` and `7.0` are the same number, an option goes by its id.

use std::collections::HashMap;

use automerge::ReadDoc;
use serde_json::Value as Json;

use super::{ImportError, Source, Target, wrong};
use crate::document::sheet::{At, Field, Sheet, convert};
use crate::document::table::value::shortened;
use crate::document::table::{Column, ColumnId, Kind, Reading, RowId, TableIndex, cells};

/// What an empty field does to a cell of a row that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blank {
    /// Nothing: a file that knows less than the table takes nothing away from it.
    #[default]
    Keep,
    /// Empties the cell.
    Clear,
}

#[derive(Debug, Clone)]
pub(super) enum Rows {
    AllNew,
    /// One for each record.
    Each(Vec<Fate>),
}

#[derive(Debug, Clone)]
pub(super) enum Fate {
    New,
    /// The row, and the columns of the file whose fields differ from its cells.
    Change {
        row: RowId,
        columns: Vec<u16>,
    },
}

impl Rows {
    /// How many rows are new.
    pub fn fresh(&self, records: usize) -> usize {
        match self {
            Self::AllNew => records,
            Self::Each(fates) => fates.iter().filter(|fate| matches!(fate, Fate::New)).count(),
        }
    }
}

/// The table's side of one column of the file.
struct Pair<'a> {
    source: &'a Source,
    column: &'a Column,
}

impl Pair<'_> {
    /// The value of a field; an error if it does not fit. A name that is no option yet is a value of its own.
    fn value(&self, sheet: &Sheet, row: usize, field: &Field<'_>) -> Result<Option<Json>, ImportError> {
        let option = |name: &str| Some(self.source.options.id(name).unwrap_or_else(|| format!("new {name}")));
        convert::value(&self.source.kind, field, option)
            .map_err(|_| wrong(sheet, row, self.source.at, &self.source.kind))
    }
}

pub(super) fn matched(
    sheet: &Sheet,
    sources: &[Source],
    document: &impl ReadDoc,
    index: &TableIndex,
    key: &ColumnId,
    blank: Blank,
) -> Result<Rows, ImportError> {
    let by_id: HashMap<&ColumnId, &Column> = index.columns().iter().map(|column| (&column.id, column)).collect();
    let pairs: Vec<Pair<'_>> = sources
        .iter()
        .filter_map(|source| match &source.target {
            Target::Existing(id) => by_id.get(id).map(|column| Pair { source, column }),
            Target::Skip | Target::New { .. } => None,
        })
        .collect();
    let key_column = index.column(key).ok_or_else(|| ImportError::NoColumn(key.clone()))?;
    let key_pair = pairs.iter().find(|pair| pair.column.id == *key);
    let key_pair = key_pair.ok_or_else(|| ImportError::NoKey(key_column.name.clone()))?;
    if matches!(
        key_column.kind,
        Kind::Checkbox | Kind::MultiSelect | Kind::Link | Kind::Other(_)
    ) {
        return Err(ImportError::KeyKind {
            column: key_column.name.clone(),
            kind: key_column.kind.name(),
        });
    }
    let there = keys_of(document, index, key_column);
    let added = sources
        .iter()
        .filter(|source| matches!(source.target, Target::New { .. }));
    let added: Vec<&Source> = added.collect();
    let mut seen: HashMap<String, At> = HashMap::new();
    let mut fates = Vec::with_capacity(sheet.rows());
    for row in 0..sheet.rows() {
        let at = sheet.at(row);
        let value = key_pair.value(sheet, row, &sheet.field(row, key_pair.source.at))?;
        let value = value.ok_or_else(|| ImportError::EmptyKey {
            at,
            column: key_column.name.clone(),
        })?;
        let text = key_text(&value);
        if let Some(first) = seen.insert(text.clone(), at) {
            let key = shortened(&value);
            return Err(ImportError::KeyTwice { at, first, key });
        }
        fates.push(match there.get(&text) {
            None => Fate::New,
            Some((id, Some(other))) => {
                return Err(ImportError::KeyOfTwoRows {
                    at,
                    key: shortened(&value),
                    rows: Box::new((id.clone(), other.clone())),
                });
            }
            Some((id, None)) => {
                let mut columns = differing(sheet, row, &pairs, document, index, id, blank)?;
                let filled = |source: &&&Source| !matches!(sheet.field(row, source.at), Field::Empty | Field::Error(_));
                columns.extend(added.iter().filter(filled).map(|source| source.at as u16));
                Fate::Change {
                    row: id.clone(),
                    columns,
                }
            }
        });
    }
    Ok(Rows::Each(fates))
}

/// The rows that are not deleted by their keys, and a second one where two have the same.
fn keys_of(document: &impl ReadDoc, index: &TableIndex, column: &Column) -> HashMap<String, (RowId, Option<RowId>)> {
    let mut keys: HashMap<String, (RowId, Option<RowId>)> = HashMap::with_capacity(index.live().len());
    for row in index.live() {
        let cells = cells::row_cells(document, &row.object, [column]);
        if let Some((_, Reading::Value(value))) = cells.first() {
            keys.entry(key_text(&value.to_json()))
                .and_modify(|(_, other)| *other = Some(row.id.clone()))
                .or_insert_with(|| (row.id.clone(), None));
        }
    }
    keys
}

/// A key as text; values of one column are of one kind, so that no two become the same.
fn key_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The columns of the file whose fields say something else than the row.
fn differing(
    sheet: &Sheet,
    row: usize,
    pairs: &[Pair<'_>],
    document: &impl ReadDoc,
    index: &TableIndex,
    id: &RowId,
    blank: Blank,
) -> Result<Vec<u16>, ImportError> {
    let Some(entry) = index.row(id) else {
        return Ok(Vec::new());
    };
    let there = cells::row_cells(document, &entry.object, pairs.iter().map(|pair| pair.column));
    let mut columns = Vec::new();
    for (pair, (_, reading)) in pairs.iter().zip(there) {
        let wanted = pair.value(sheet, row, &sheet.field(row, pair.source.at))?;
        let differs = match (&wanted, blank) {
            (None, Blank::Keep) => false,
            (None, Blank::Clear) => !reading.is_empty(),
            (Some(wanted), _) => reading.value().map(|value| value.to_json()).as_ref() != Some(wanted),
        };
        if differs {
            columns.push(pair.source.at as u16);
        }
    }
    Ok(columns)
}
