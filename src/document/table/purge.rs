//! Clean-up: what was deleted long ago goes for good.
//!
//! A mark keeps a row or column in the document, with all its cells. After a retention time nobody restores it any more.
//! Somebody may still have been writing into it, offline: their change comes after the purge, into an object that is no
//! longer part of the table. So a purge leaves ids behind, under `purged` at the root: of each row the id of its map,
//! through which late writes are found and listed; of each column that it existed, so that its cells are told apart from
//! those of a column yet to come.
//!
//! - A purge empties before it takes away: whatever is found in a purged row was written later.
//! - A text or a map of ids is emptied and stays, since a late letter goes into that very object.
//! - Ids of purged rows and columns are not used again.

use std::collections::HashMap;

use automerge::transaction::Transactable;
use automerge::{ActorId, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, Value as Stored, ValueRef};

use super::batch::TableEdit;
use super::{CHANGE_CELLS, Cell, ColumnId, Deleted, RowId, TableIndex, cells, columns, key};

/// Something written into a row or column that had been purged elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    pub row: RowId,
    pub column: ColumnId,
    pub cell: Cell,
}

/// The edits that purge what was marked before `before` (milliseconds since 1970), rows first. They are to be cut by
/// [`slices`](super::batch::slices). A mark without a time was made by another program and is never purged.
pub fn expired(document: &impl ReadDoc, index: &TableIndex, before: i64) -> Vec<TableEdit> {
    let expired = |mark: &Option<Deleted>| mark.as_ref().and_then(|mark| mark.at).is_some_and(|at| at < before);
    let mut edits: Vec<TableEdit> = index
        .rows()
        .iter()
        .filter(|row| expired(&row.deleted))
        .map(|row| TableEdit::PurgeRow(row.id.clone()))
        .collect();
    for column in index.columns().iter().filter(|column| expired(&column.deleted)) {
        let filled: Vec<RowId> = index
            .rows()
            .iter()
            .filter(|row| !expired(&row.deleted) && !is_purged_cell(document, &row.object, &column.id))
            .map(|row| row.id.clone())
            .collect();
        edits.extend(filled.chunks(CHANGE_CELLS).map(|rows| TableEdit::PurgeCells {
            column: column.id.clone(),
            rows: rows.to_vec(),
        }));
        edits.push(TableEdit::PurgeColumn(column.id.clone()));
    }
    edits
}

/// What was written into purged rows and columns, by changes that did not know of the purge.
pub fn orphans(document: &impl ReadDoc, index: &TableIndex) -> Vec<Orphan> {
    let mut found = Vec::new();
    let purged = purged(document);
    for (id, object) in &purged {
        let (Ok(row), Some(object)) = (RowId::parse(id), object) else {
            continue;
        };
        found.extend(late_cells(document, &row, object, |_| true));
    }
    let columns: Vec<ColumnId> = purged.keys().filter_map(|id| ColumnId::parse(id).ok()).collect();
    if !columns.is_empty() {
        for row in index.rows() {
            let is_gone = |column: &ColumnId| index.column(column).is_none() && purged.contains_key(column.as_str());
            found.extend(late_cells(document, &row.id, &row.object, is_gone));
        }
    }
    found.sort_by(|a, b| (&a.row, &a.column).cmp(&(&b.row, &b.column)));
    found
}

fn late_cells(document: &impl ReadDoc, row: &RowId, object: &ObjId, wanted: impl Fn(&ColumnId) -> bool) -> Vec<Orphan> {
    let cell = |entry: automerge::iter::MapRangeItem<'_>| {
        let column = ColumnId::parse(&entry.key).ok().filter(&wanted)?;
        let cell = cells::read(document, &entry.value, || entry.id()).filter(|cell| !cell.is_empty())?;
        Some(Orphan {
            row: row.clone(),
            column,
            cell,
        })
    };
    document.map_range(object, ..).filter_map(cell).collect()
}

/// The ids left behind, rows with the ids of their maps. Two who purge for the first time at once make a map each; both
/// are read.
fn purged(document: &impl ReadDoc) -> HashMap<String, Option<ObjId>> {
    let maps = document.get_all(ROOT, key::PURGED).unwrap_or_default();
    let mut found = HashMap::new();
    for (_, map) in maps.iter().filter(|(value, _)| *value == Stored::Object(ObjType::Map)) {
        for entry in document.map_range(map, ..) {
            let text = columns::string_of(document, &entry.value, || entry.id());
            let object = text.and_then(|text| object_id(&text));
            found.insert(entry.key.into_owned(), object);
        }
    }
    found
}

/// Reads what an object's id prints as, `12@a1b2`.
fn object_id(text: &str) -> Option<ObjId> {
    let (counter, actor) = text.split_once('@')?;
    let actor = ActorId::try_from(actor).ok()?;
    // The index is only a hint; the library looks the actor up where it does not fit.
    Some(ObjId::Id(counter.parse().ok()?, actor, usize::MAX))
}

/// True of the id of a row or column that was purged.
pub(super) fn was_purged(document: &impl ReadDoc, id: &str) -> bool {
    let maps = document.get_all(ROOT, key::PURGED).unwrap_or_default();
    maps.iter()
        .filter(|(value, _)| value.is_object())
        .any(|(_, map)| matches!(document.get(map, id), Ok(Some(_))))
}

/// True if nothing is left in a cell but, at most, an empty object.
pub(super) fn is_purged_cell(document: &impl ReadDoc, row: &ObjId, column: &ColumnId) -> bool {
    cells::stored(document, row, column).is_none_or(|cell| cell.is_empty())
}

pub(super) fn purge_row(
    tx: &mut impl Transactable,
    block: &ObjId,
    row: &RowId,
    object: &ObjId,
) -> Result<(), AutomergeError> {
    let keys: Vec<String> = tx.keys(object).collect();
    for name in keys {
        empty(tx, object, &name)?;
    }
    let purged = purged_map(tx)?;
    tx.put(&purged, row.as_str(), object.to_string())?;
    tx.delete(block, row.as_str())
}

pub(super) fn purge_cell(tx: &mut impl Transactable, row: &ObjId, column: &ColumnId) -> Result<(), AutomergeError> {
    empty(tx, row, column.as_str())
}

pub(super) fn purge_column(tx: &mut impl Transactable, column: &ColumnId) -> Result<(), AutomergeError> {
    let purged = purged_map(tx)?;
    tx.put(&purged, column.as_str(), true)?;
    match columns::map(tx, &ROOT, key::COLUMNS) {
        Some(columns) => tx.delete(&columns, column.as_str()),
        None => Ok(()),
    }
}

/// Empties what late writes may still reach and takes away the rest.
fn empty(tx: &mut impl Transactable, object: &ObjId, name: &str) -> Result<(), AutomergeError> {
    let is_cell = ColumnId::parse(name).is_ok();
    for (value, inside) in tx
        .get_all(object, name)?
        .into_iter()
        .map(|(value, id)| (value.to_owned(), id))
        .collect::<Vec<_>>()
    {
        match value {
            Stored::Object(ObjType::Text) if is_cell => {
                let length = tx.length(&inside);
                tx.splice_text(&inside, 0, length as isize, "")?;
            }
            Stored::Object(ObjType::Map) if is_cell => {
                let ids: Vec<String> = tx.keys(&inside).collect();
                ids.iter().try_for_each(|id| tx.delete(&inside, id.as_str()))?;
            }
            _ => {}
        }
    }
    match tx
        .map_range(object, name.to_owned()..=name.to_owned())
        .next()
        .map(|entry| entry.value)
    {
        Some(ValueRef::Object(ObjType::Text | ObjType::Map)) if is_cell => Ok(()),
        Some(_) => tx.delete(object, name),
        None => Ok(()),
    }
}

fn purged_map(tx: &mut impl Transactable) -> Result<ObjId, AutomergeError> {
    match columns::map(tx, &ROOT, key::PURGED) {
        Some(map) => Ok(map),
        None => tx.put_object(ROOT, key::PURGED, ObjType::Map),
    }
}
