//! What people did to the same thing at the same time.
//!
//! Automerge merges without asking; of two values written at once one is shown. Nothing is lost, but somebody should look:
//! at cells that hold several values, and at rows and columns that one person deleted while another wrote into them.
//!
//! A mark and a write conflict when neither change is in the other's past. A deleted row keeps its mark; the write is in
//! the document and comes back with a restore.

use std::collections::{BTreeMap, HashMap};

use automerge::iter::DocItem;
use automerge::{Automerge, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, ValueRef};

use super::{Cell, ColumnId, Deleted, RowId, TableIndex, Value, cells, columns, key};

/// A cell that holds several values.
#[derive(Debug, Clone, PartialEq)]
pub struct CellConflict {
    pub row: RowId,
    pub column: ColumnId,
    /// All that differ, the one that is shown first.
    pub values: Vec<Cell>,
}

/// A deleted row into which others wrote without knowing of the deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct RowConflict {
    pub row: RowId,
    pub mark: Deleted,
    /// The columns written.
    pub columns: Vec<ColumnId>,
}

/// A deleted column into which others wrote without knowing of the deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnConflict {
    pub column: ColumnId,
    pub mark: Deleted,
    /// The rows written.
    pub rows: Vec<RowId>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conflicts {
    /// Of rows and columns that are not deleted.
    pub cells: Vec<CellConflict>,
    pub rows: Vec<RowConflict>,
    pub columns: Vec<ColumnConflict>,
}

/// All conflicts of the present version. Walks the document once, and once more for each deleted column; heavy work, to
/// be done beside the document's lock.
pub fn conflicts(document: &Automerge, index: &TableIndex) -> Conflicts {
    Conflicts {
        cells: in_cells(document, index),
        rows: in_rows(document, index),
        columns: in_columns(document, index),
    }
}

fn in_cells(document: &Automerge, index: &TableIndex) -> Vec<CellConflict> {
    let mut found = Vec::new();
    let Some(blocks) = columns::map(document, &ROOT, key::BLOCKS) else {
        return found;
    };
    for item in document.iter_at(&blocks, None) {
        let DocItem::Map(entry) = &item.item else { continue };
        if !entry.conflict {
            continue;
        }
        let row = index.row_of(&item.obj).and_then(|id| index.row(id));
        let column = ColumnId::parse(&entry.key).ok().and_then(|id| index.column(&id));
        let (Some(row), Some(column)) = (row, column) else {
            continue;
        };
        if row.deleted.is_some() || column.deleted.is_some() || row.object != *item.obj {
            continue;
        }
        let values = all_values(document, &row.object, &column.id);
        if values.len() > 1 {
            found.push(CellConflict {
                row: row.id.clone(),
                column: column.id.clone(),
                values,
            });
        }
    }
    found.sort_by(|a, b| (&a.row, &a.column).cmp(&(&b.row, &b.column)));
    found
}

fn all_values(document: &Automerge, row: &ObjId, column: &ColumnId) -> Vec<Cell> {
    let all = document.get_all(row, column.as_str()).unwrap_or_default();
    let mut values: Vec<Cell> = Vec::new();
    // The one shown is the last.
    for (value, id) in all.into_iter().rev() {
        let value = match value {
            automerge::Value::Object(kind) => ValueRef::Object(kind),
            automerge::Value::Scalar(scalar) => ValueRef::Scalar(ScalarValueRef::from(scalar.into_owned())),
        };
        let cell = cells::read(document, &value, || id);
        values.extend(cell.filter(|cell| !values.contains(cell)));
    }
    values
}

fn in_rows(document: &Automerge, index: &TableIndex) -> Vec<RowConflict> {
    let conflict = |row: &std::sync::Arc<super::RowEntry>| {
        let mark = row.deleted.clone()?;
        let before = Deletion::of(document, &row.object)?;
        let then = row_cells(document, &row.object, Some(&before.heads()));
        let now = row_cells(document, &row.object, None);
        let columns: Vec<_> = before.unaware(document, &row.object, &then, &now).cloned().collect();
        (!columns.is_empty()).then(|| RowConflict {
            row: row.id.clone(),
            mark,
            columns,
        })
    };
    index.rows().iter().filter_map(conflict).collect()
}

fn in_columns(document: &Automerge, index: &TableIndex) -> Vec<ColumnConflict> {
    let mut found = Vec::new();
    let Some(root) = columns::map(document, &ROOT, key::COLUMNS) else {
        return found;
    };
    for column in index.columns() {
        let object = columns::map(document, &root, column.id.as_str());
        let (Some(mark), Some(object)) = (column.deleted.clone(), object) else {
            continue;
        };
        let Some(before) = Deletion::of(document, &object) else {
            continue;
        };
        let then = column_cells(document, index, &column.id, Some(&before.heads()));
        let now = column_cells(document, index, &column.id, None);
        let rows: Vec<_> = before.unaware(document, &object, &then, &now).cloned().collect();
        if !rows.is_empty() {
            found.push(ColumnConflict {
                column: column.id.clone(),
                mark,
                rows,
            });
        }
    }
    found
}

/// The change that made a mark.
struct Deletion {
    change: ChangeHash,
    mark: ObjId,
}

impl Deletion {
    fn of(document: &Automerge, object: &ObjId) -> Option<Self> {
        let (_, mark) = document.get(object, key::DELETED).ok().flatten()?;
        let change = document.hash_for_opid(&mark)?;
        Some(Self { change, mark })
    }

    fn heads(&self) -> [ChangeHash; 1] {
        [self.change]
    }

    /// The cells that are not now as they were for the one who deleted, and whose writer did not know of the mark.
    fn unaware<'c, K: Ord>(
        &self,
        document: &Automerge,
        marked: &ObjId,
        then: &'c BTreeMap<K, Seen>,
        now: &'c BTreeMap<K, Seen>,
    ) -> impl Iterator<Item = &'c K> {
        let written = now
            .iter()
            .filter(|(place, seen)| then.get(place) != Some(seen) && !self.knew(document, marked, &seen.op))
            .map(|(place, _)| place);
        // Emptied at the same time; a cell taken away no longer says by whom.
        let emptied = then.keys().filter(|place| !now.contains_key(place));
        let mut all: Vec<&K> = written.chain(emptied).collect();
        all.sort();
        all.into_iter()
    }

    /// True if the change that made `op` came after the mark.
    fn knew(&self, document: &Automerge, marked: &ObjId, op: &ObjId) -> bool {
        let Some(change) = document.hash_for_opid(op) else {
            return false;
        };
        let marks = document.get_all_at(marked, key::DELETED, &[change]).unwrap_or_default();
        change != self.change && marks.iter().any(|(_, mark)| *mark == self.mark)
    }
}

/// A cell at some version: the operation that made it, and what it then held.
#[derive(PartialEq)]
struct Seen {
    op: ObjId,
    cell: Cell,
}

fn row_cells(document: &Automerge, row: &ObjId, heads: Option<&[ChangeHash]>) -> BTreeMap<ColumnId, Seen> {
    let entries = match heads {
        Some(heads) => document.map_range_at(row, .., heads),
        None => document.map_range(row, ..),
    };
    entries
        .filter_map(|entry| Some((ColumnId::parse(&entry.key).ok()?, seen(document, &entry, heads)?)))
        .collect()
}

fn column_cells(
    document: &Automerge,
    index: &TableIndex,
    column: &ColumnId,
    heads: Option<&[ChangeHash]>,
) -> BTreeMap<RowId, Seen> {
    let Some(blocks) = columns::map(document, &ROOT, key::BLOCKS) else {
        return BTreeMap::new();
    };
    let by_object: HashMap<&ObjId, &RowId> = index.rows().iter().map(|row| (&row.object, &row.id)).collect();
    let mut found = BTreeMap::new();
    for item in document.iter_at(&blocks, heads) {
        if let DocItem::Map(entry) = &item.item
            && entry.key == column.as_str()
            && let Some(row) = by_object.get(&*item.obj)
            && let Some(seen) = seen(document, entry, heads)
        {
            found.insert((*row).clone(), seen);
        }
    }
    found
}

/// What an entry holds at a version. Objects keep their id while what is in them changes.
fn seen(document: &Automerge, entry: &automerge::iter::MapRangeItem<'_>, heads: Option<&[ChangeHash]>) -> Option<Seen> {
    let op = entry.id();
    let cell = match (&entry.value, heads) {
        (ValueRef::Object(ObjType::Text), Some(heads)) => {
            Cell::Value(Value::Text(document.text_at(&op, heads).unwrap_or_default()))
        }
        (ValueRef::Object(ObjType::Map), Some(heads)) => {
            let ids = document
                .map_range_at(&op, .., heads)
                .filter(|entry| entry.value == ValueRef::Scalar(ScalarValueRef::Boolean(true)));
            Cell::Ids(ids.map(|entry| entry.key.into_owned()).collect())
        }
        (value, _) => cells::read(document, value, || op.clone())?,
    };
    Some(Seen { op, cell })
}
