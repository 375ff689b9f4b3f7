//! Whether what an edit touches is still what its author saw.
//!
//! Somebody who writes on the grounds of what they read names that version. That others have edited the table meanwhile is no
//! reason to send them back, unless it was the very thing they write to.
//!
//! The old values are read from the document's own history; nothing is kept for it.

use std::collections::BTreeMap;

use automerge::iter::MapRangeItem;
use automerge::{ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value as Stored, ValueRef, hydrate};

use super::{ColumnId, RowId, TableEdit, ViewId, key};

/// Whether any of the things that these edits change differs between a version and now. `None` if the document does not
/// have the version. What only adds to the table touches nothing.
pub fn changed_since(document: &impl ReadDoc, then: &[ChangeHash], edits: &[TableEdit]) -> Option<bool> {
    if then.is_empty() || then.iter().any(|hash| document.get_change_by_hash(hash).is_none()) {
        return None;
    }
    let changed = |path: &Vec<&str>| seen(document, path, Some(then)) != seen(document, path, None);
    Some(edits.iter().any(|edit| touched(edit).iter().any(changed)))
}

/// What an edit changes or takes away, as keys from the root.
fn touched(edit: &TableEdit) -> Vec<Vec<&str>> {
    match edit {
        TableEdit::SetTitle(_) => vec![vec![key::TITLE]],
        TableEdit::Cell { row, column, .. } => vec![in_row(row, Some(column.as_str()))],
        TableEdit::MoveRows { rows, .. } => rows.iter().map(|row| in_row(row, Some(key::ORDER))).collect(),
        TableEdit::DeleteRows(rows) => rows.iter().map(|row| in_row(row, None)).collect(),
        TableEdit::RestoreRows(rows) => rows.iter().map(|row| in_row(row, Some(key::DELETED))).collect(),
        TableEdit::RenameColumn { column, .. } => vec![in_column(column, Some(key::NAME))],
        TableEdit::ResizeColumn { column, .. } => vec![in_column(column, Some(key::WIDTH))],
        TableEdit::SetKind { column, .. } => vec![in_column(column, Some(key::KIND))],
        TableEdit::SetOptions { column, .. } => vec![in_column(column, Some(key::OPTIONS))],
        TableEdit::MoveColumn { column, .. } => vec![in_column(column, Some(key::ORDER))],
        TableEdit::DeleteColumn(column) => vec![in_column(column, None)],
        TableEdit::RestoreColumn(column) => vec![in_column(column, Some(key::DELETED))],
        TableEdit::ChangeView { id, .. } | TableEdit::DeleteView(id) => vec![in_view(id, None)],
        TableEdit::MoveView { id, .. } => vec![in_view(id, Some(key::ORDER))],
        TableEdit::InsertRows { .. }
        | TableEdit::AddColumn { .. }
        | TableEdit::AddOptions { .. }
        | TableEdit::CreateView { .. } => Vec::new(),
        // What is purged was deleted long ago, and nobody purges on the grounds of a version.
        TableEdit::PurgeRow(_) | TableEdit::PurgeCells { .. } | TableEdit::PurgeColumn(_) => Vec::new(),
    }
}

pub(super) fn in_row<'e>(row: &'e RowId, name: Option<&'e str>) -> Vec<&'e str> {
    [key::BLOCKS, row.block(), row.as_str()]
        .into_iter()
        .chain(name)
        .collect()
}

fn in_column<'e>(column: &'e ColumnId, name: Option<&'e str>) -> Vec<&'e str> {
    [key::COLUMNS, column.as_str()].into_iter().chain(name).collect()
}

fn in_view<'e>(view: &'e ViewId, name: Option<&'e str>) -> Vec<&'e str> {
    [key::VIEWS, view.as_str()].into_iter().chain(name).collect()
}

/// What is at a place: all its values, if several people have written there at once.
#[derive(Debug)]
pub(super) struct Seen(Vec<Value>);

#[derive(Debug, PartialEq)]
enum Value {
    Scalar(ScalarValue),
    Text(String),
    Map(BTreeMap<String, Seen>),
    Object(hydrate::Value),
}

impl PartialEq for Seen {
    /// In any order, and however often each was written.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().all(|value| other.0.contains(value)) && other.0.iter().all(|value| self.0.contains(value))
    }
}

/// What is at the end of a path, in some version.
pub(super) fn seen(document: &impl ReadDoc, path: &[&str], heads: Option<&[ChangeHash]>) -> Seen {
    let inside = |object: &ObjId, name: &str| {
        let found = match heads {
            Some(heads) => document.get_at(object, name, heads),
            None => document.get(object, name),
        };
        Some(found.ok().flatten()?.1)
    };
    let Some((last, above)) = path.split_last() else {
        return Seen(Vec::new());
    };
    let Some(object) = above.iter().try_fold(ROOT, |object, name| inside(&object, name)) else {
        return Seen(Vec::new());
    };
    all_at(document, &object, last, heads)
}

fn all_at(document: &impl ReadDoc, object: &ObjId, name: &str, heads: Option<&[ChangeHash]>) -> Seen {
    let all = match heads {
        Some(heads) => document.get_all_at(object, name, heads),
        None => document.get_all(object, name),
    };
    let value = |(value, inside): (Stored<'_>, ObjId)| match value {
        Stored::Scalar(scalar) => Some(Value::Scalar(scalar.into_owned())),
        Stored::Object(kind) => inside_of(document, kind, &inside, heads),
    };
    Seen(all.unwrap_or_default().into_iter().filter_map(value).collect())
}

/// What an object holds. Not as the library hydrates it, which shows one value of each key and only that there are others.
fn inside_of(document: &impl ReadDoc, kind: ObjType, object: &ObjId, heads: Option<&[ChangeHash]>) -> Option<Value> {
    match (kind, heads) {
        (ObjType::Text, Some(heads)) => document.text_at(object, heads).ok().map(Value::Text),
        (ObjType::Text, None) => document.text(object).ok().map(Value::Text),
        (ObjType::Map, _) => {
            let entries = match heads {
                Some(heads) => document.map_range_at(object, .., heads),
                None => document.map_range(object, ..),
            };
            let entry = |entry: MapRangeItem<'_>| {
                let seen = match &entry.value {
                    _ if entry.conflict => all_at(document, object, &entry.key, heads),
                    ValueRef::Scalar(scalar) => Seen(vec![Value::Scalar(ScalarValue::from(scalar))]),
                    ValueRef::Object(kind) => {
                        let inside = inside_of(document, *kind, &entry.id(), heads);
                        Seen(inside.into_iter().collect())
                    }
                };
                (entry.key.into_owned(), seen)
            };
            Some(Value::Map(entries.map(entry).collect()))
        }
        _ => document.hydrate(object, heads).ok().map(Value::Object),
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{ActorId, AutoCommit};
    use serde_json::json;

    use super::*;
    use crate::document::table::CellEdit;

    fn cell(column: &str) -> TableEdit {
        TableEdit::Cell {
            row: RowId::parse("b.r").unwrap(),
            column: ColumnId::parse(column).unwrap(),
            edit: CellEdit::Set(json!(1)),
        }
    }

    /// One row with a number, a counter and a text.
    fn table() -> (AutoCommit, automerge::ObjId) {
        let mut document = AutoCommit::new();
        let blocks = document.put_object(ROOT, "blocks", ObjType::Map).unwrap();
        let block = document.put_object(&blocks, "b", ObjType::Map).unwrap();
        let row = document.put_object(&block, "b.r", ObjType::Map).unwrap();
        document.put(&row, "order", "a0").unwrap();
        document.put(&row, "cNumber", 5).unwrap();
        document.put(&row, "cCounter", ScalarValue::counter(1)).unwrap();
        let text = document.put_object(&row, "cText", ObjType::Text).unwrap();
        document.splice_text(&text, 0, 0, "Hello").unwrap();
        document.commit();
        (document, row)
    }

    #[test]
    fn only_what_the_edit_writes_to_counts() {
        let (mut document, row) = table();
        let then = document.get_heads();
        document.put(&row, "cNumber", 6).unwrap();
        document.commit();
        let mut changed = |edit: TableEdit| changed_since(document.document(), &then, &[edit]);
        assert_eq!(changed(cell("cNumber")), Some(true));
        assert_eq!(changed(cell("cText")), Some(false));
        assert_eq!(changed(cell("cEmpty")), Some(false));
        let row = || vec![RowId::parse("b.r").unwrap()];
        assert_eq!(changed(TableEdit::DeleteRows(row())), Some(true));
        assert_eq!(changed(TableEdit::RestoreRows(row())), Some(false));
        assert_eq!(changed(TableEdit::SetTitle("x".into())), Some(false));
    }

    #[test]
    fn letters_and_increments_count_and_the_same_value_written_again_does_not() {
        let (mut document, row) = table();
        let then = document.get_heads();
        document.increment(&row, "cCounter", 2).unwrap();
        let (_, text) = document.get(&row, "cText").unwrap().unwrap();
        document.splice_text(&text, 5, 0, "!").unwrap();
        document.put(&row, "cNumber", 5).unwrap();
        document.commit();
        let mut changed = |edit: TableEdit| changed_since(document.document(), &then, &[edit]);
        assert_eq!(changed(cell("cCounter")), Some(true));
        assert_eq!(changed(cell("cText")), Some(true));
        assert_eq!(changed(cell("cNumber")), Some(false));
    }

    /// The cell goes on showing what it showed. To write it would take the other value away unseen.
    #[test]
    fn a_value_written_beside_the_one_that_is_shown_counts() {
        let (mut document, row) = table();
        let mut other = document.fork().with_actor(ActorId::from([0]));
        document.set_actor(ActorId::from([255]));
        // Of values written at once the one with the most operations before it is shown.
        for n in 0..9 {
            document.put(&row, "cOther", n).unwrap();
        }
        document.put(&row, "cNumber", 6).unwrap();
        document.commit();
        for n in [7, 8] {
            let then = document.get_heads();
            other.put(&row, "cNumber", n).unwrap();
            document.merge(&mut other).unwrap();
            let shown = document.get(&row, "cNumber").unwrap().unwrap().0.as_i64();
            assert_eq!(shown, Some(6));
            let mut changed = |edit: TableEdit| changed_since(document.document(), &then, &[edit]);
            assert_eq!(changed(cell("cNumber")), Some(true));
            assert_eq!(changed(cell("cOther")), Some(false));
            let rows = vec![RowId::parse("b.r").unwrap()];
            assert_eq!(changed(TableEdit::DeleteRows(rows)), Some(true));
        }
    }

    #[test]
    fn a_version_that_the_document_never_had_is_unknown() {
        let (mut document, _) = table();
        assert_eq!(
            changed_since(document.document(), &[ChangeHash([7; 32])], &[cell("cNumber")]),
            None
        );
        assert_eq!(changed_since(document.document(), &[], &[cell("cNumber")]), None);
    }
}
