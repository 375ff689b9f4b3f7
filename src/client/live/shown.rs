//! A table as it is to be shown: what the server has told, with what is wanted here laid over it.
//!
//! Made anew when it is looked at and something has changed, in one walk over the edits and one over the rows. An edit that
//! is refused is not laid over it the next time: so what it did is set back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::edit::{PendingEdit, RecordEdit, RecordKind};
use super::message::{Row, Window};
use super::model::{Model, Scope};
use super::people::User;
use crate::document::table::RowId;
use crate::wire::table::{Column, Place, Skipped};

/// What is shown of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What of the table this is.
    pub scope: Scope,
    pub title: String,
    /// In their order; of a view, its visible ones.
    pub columns: Arc<[Column]>,
    /// In their order; of a window, its own.
    pub rows: Vec<Arc<Row>>,
    /// Of the table or view: a window does not lessen it.
    pub row_count: usize,
    /// The version that the server told last; none before the first snapshot.
    pub version: Option<String>,
    /// What of the view is not followed, and why.
    pub skipped: Vec<Skipped>,
    /// Everybody who is there, one entry a device, this one perhaps among them.
    pub users: Vec<User>,
    /// Edits made here that the server has not answered.
    pub unsaved: usize,
}

impl Table {
    /// The column of this id, or else the only one of this name.
    pub fn column(&self, id_or_name: &str) -> Option<&Column> {
        let by_id = self.columns.iter().find(|column| column.id == id_or_name);
        by_id.or_else(|| {
            let mut named = self.columns.iter().filter(|column| column.name == id_or_name);
            named.next().filter(|_| named.next().is_none())
        })
    }

    /// Walks the rows.
    pub fn row(&self, id: &RowId) -> Option<&Arc<Row>> {
        self.rows.iter().find(|row| row.id == *id)
    }

    /// What a cell holds; none if it is empty or not shown.
    pub fn cell(&self, row: &RowId, column: &str) -> Option<&Json> {
        let column = self.column(column)?;
        self.row(row)?.cells.get(&column.id)
    }
}

/// What the edits do to one row, all together.
#[derive(Default)]
struct Effect<'e> {
    cells: BTreeMap<&'e str, &'e Json>,
    is_deleted: bool,
}

/// Lays edits over a table, first those that are answered and not told of. People and the number of edits are put in by
/// whoever knows them.
pub(super) fn shown<'e>(
    model: &Model,
    answered: impl Iterator<Item = &'e PendingEdit>,
    waiting: impl Iterator<Item = &'e PendingEdit>,
) -> Table {
    let (mut effects, mut created) = (HashMap::<&str, Effect<'e>>::new(), Vec::new());
    let answered = answered.flat_map(PendingEdit::records).map(|record| (record, true));
    let waiting = waiting.flat_map(PendingEdit::records).map(|record| (record, false));
    for (record, is_answered) in answered.chain(waiting) {
        let effect = effects.entry(&record.record_id).or_default();
        match record.kind {
            RecordKind::Create | RecordKind::Update => {
                let cells = record
                    .changes
                    .iter()
                    .map(|field| (field.field_id.as_str(), &field.new_value));
                effect.cells.extend(cells);
            }
            RecordKind::Delete => effect.is_deleted = true,
            RecordKind::Restore => effect.is_deleted = false,
        }
        if record.kind == RecordKind::Create {
            created.push((record, is_answered));
        }
    }
    let mut table = Table {
        scope: model.scope.clone(),
        title: model.title.clone(),
        columns: model.columns.clone(),
        skipped: model.skipped.clone(),
        row_count: model.row_count,
        version: model.version.clone(),
        ..Table::default()
    };
    table.rows = match effects.is_empty() {
        true => model.rows().cloned().collect(),
        false => model
            .rows()
            .filter_map(|row| lay(row, effects.get(row.id.as_str())))
            .collect(),
    };
    table.row_count -= (model.rows().count() - table.rows.len()).min(table.row_count);
    for (record, is_answered) in created {
        let is_seen = table.insert(model, record, &effects[record.record_id.as_str()]);
        // One that is not seen may be counted by the server already, once it has answered.
        table.row_count += usize::from(is_seen == Some(true) || (is_seen == Some(false) && !is_answered));
    }
    table
}

/// A row with what edits do to it; none if they delete it.
fn lay(row: &Arc<Row>, effect: Option<&Effect<'_>>) -> Option<Arc<Row>> {
    let Some(effect) = effect else { return Some(row.clone()) };
    if effect.is_deleted {
        return None;
    }
    let mut row = row.clone();
    let laid = Arc::make_mut(&mut row);
    for (&field, &value) in &effect.cells {
        laid.marked.remove(field);
        match value.is_null() {
            true => drop(laid.cells.remove(field)),
            false => drop(laid.cells.insert(field.to_owned(), value.clone())),
        }
    }
    Some(row)
}

impl Table {
    /// Inserts a row that the server has not told yet. Whether its place is seen here; none if there is nothing to insert.
    fn insert(&mut self, model: &Model, record: &RecordEdit, effect: &Effect<'_>) -> Option<bool> {
        let id = RowId::parse(&record.record_id).ok()?;
        // Told already, and its answer is on the way.
        if model.row(&id).is_some() {
            return None;
        }
        let empty = Arc::new(Row {
            id,
            cells: BTreeMap::new(),
            marked: BTreeMap::new(),
        });
        let row = lay(&empty, Some(effect))?;
        let Some(place) = self.place(record.at.as_ref()) else {
            return Some(false);
        };
        self.rows.insert(place, row);
        if let Some(Window { limit, .. }) = self.scope.window {
            self.rows.truncate(limit);
        }
        Some(true)
    }

    /// Where among the rows here a new row stands.
    fn place(&self, at: Option<&Place>) -> Option<usize> {
        let offset = self.scope.window.map_or(0, |window| window.offset);
        let of = |id: &str| self.rows.iter().position(|row| row.id.as_str() == id);
        let place = match at {
            Some(Place::Before(id)) => of(id)?,
            Some(Place::After(id)) => of(id)? + 1,
            Some(Place::Start) => 0_usize.checked_sub(offset)?,
            Some(Place::Index(index)) => index.checked_sub(offset)?,
            // Behind all rows.
            Some(Place::End) | None => self.row_count.checked_sub(offset)?,
        };
        (place <= self.rows.len()).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::live::edit::{BatchItem, FieldEdit, What};
    use crate::client::live::model::tests::{changes, model};
    use crate::id::DocumentId;

    fn record(kind: RecordKind, row: &str, cells: &[(&str, Json)]) -> RecordEdit {
        let field = |(id, value): &(&str, Json)| FieldEdit {
            field_id: (*id).into(),
            old_value: None,
            new_value: value.clone(),
        };
        RecordEdit {
            kind,
            record_id: format!("b.{row}"),
            changes: cells.iter().map(field).collect(),
            at: None,
            overwrites: false,
        }
    }

    fn edit(what: What) -> PendingEdit {
        let table = DocumentId::from_uuid(uuid::Uuid::from_u128(7));
        PendingEdit::new("1".into(), table, what)
    }

    fn edits(records: impl IntoIterator<Item = RecordEdit>) -> Vec<PendingEdit> {
        records.into_iter().map(|record| edit(What::Record(record))).collect()
    }

    /// With edits laid over it that wait for their answers.
    fn over(model: &Model, waiting: &[PendingEdit]) -> Table {
        shown(model, [].iter(), waiting.iter())
    }

    fn names(table: &Table) -> String {
        let name = |row: &Arc<Row>| {
            row.cells
                .get("cA")
                .map_or("-".into(), |name| name.as_str().unwrap().to_owned())
        };
        table.rows.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_wanted_is_shown_and_what_was_told_stays() {
        let model = model(None, &["a", "b", "c"]);
        let all = edits([
            record(RecordKind::Update, "b", &[("cA", json!("B")), ("cB", json!(1))]),
            record(RecordKind::Update, "a", &[("cA", Json::Null)]),
            record(RecordKind::Delete, "c", &[]),
            record(RecordKind::Create, "n", &[("cA", json!("n"))]),
            record(RecordKind::Update, "n", &[("cA", json!("new"))]),
        ]);
        let table = over(&model, &all);
        // The hundred rows of the model are not all here, so that its end is not seen.
        assert_eq!((names(&table).as_str(), table.row_count), ("- B", 100));
        assert_eq!(names(&over(&model, &[])), "a b c");
        let undone = [all.as_slice(), &edits([record(RecordKind::Restore, "c", &[])])].concat();
        assert_eq!(names(&over(&model, &undone)), "- B c");
    }

    #[test]
    fn a_new_row_stands_where_it_is_wanted_if_that_is_seen() {
        let mut whole = model(None, &["a", "b"]);
        whole.apply(
            &serde_json::from_value(
                json!({ "tableId": super::super::model::tests::TABLE, "version": "v", "rowCount": 2 }),
            )
            .unwrap(),
        );
        let window = model(Some(json!({ "offset": 50, "limit": 3 })), &["a", "b", "c"]);
        let with = |model: &Model, at: Option<Place>| {
            let create = RecordEdit {
                at,
                ..record(RecordKind::Create, "n", &[("cA", json!("n"))])
            };
            names(&over(model, &edits([create])))
        };
        for (at, in_table, in_window) in [
            (None, "a b n", "a b c"),
            (Some(Place::End), "a b n", "a b c"),
            (Some(Place::Start), "n a b", "a b c"),
            (Some(Place::Index(1)), "a n b", "a b c"),
            (Some(Place::Index(51)), "a b", "a n b"),
            (Some(Place::Before("b.b".into())), "a n b", "a n b"),
            (Some(Place::After("b.b".into())), "a b n", "a b n"),
            (Some(Place::After("b.z".into())), "a b", "a b c"),
        ] {
            assert_eq!(with(&whole, at.clone()), in_table, "{at:?}");
            assert_eq!(with(&window, at.clone()), in_window, "{at:?}");
        }
    }

    /// Nothing but the number of rows is told of what is done outside of a window.
    #[test]
    fn a_new_row_that_is_not_seen_is_counted_until_it_is_answered() {
        let model = model(Some(json!({ "offset": 0, "limit": 1 })), &["a"]);
        let create = edits([record(RecordKind::Create, "n", &[])]);
        assert_eq!(over(&model, &create).row_count, 101);
        assert_eq!(shown(&model, create.iter(), [].iter()).row_count, 100);
    }

    /// The server tells of the row before it answers.
    #[test]
    fn a_new_row_that_was_told_is_not_shown_twice() {
        let mut model = model(None, &["a"]);
        model.apply(&changes(
            json!([{ "type": "create", "recordId": "b.n", "index": 0, "changes": [] }]),
        ));
        let create = edits([record(RecordKind::Create, "n", &[("cA", json!("n"))])]);
        assert_eq!(names(&over(&model, &create)), "n a");
    }

    #[test]
    fn records_of_a_batch_are_shown_and_other_edits_wait_for_the_server() {
        let model = model(None, &["a"]);
        let changes = vec![
            BatchItem::Record(record(RecordKind::Update, "a", &[("cA", json!("A"))])),
            BatchItem::Op(json!({ "op": "setTitle", "title": "Team" })),
        ];
        let table = over(&model, &[edit(What::Batch { changes })]);
        assert_eq!((names(&table).as_str(), table.title.as_str()), ("A", "T"));
    }

    #[test]
    fn a_column_goes_by_its_id_or_by_a_name_that_is_its_own() {
        let table = over(&model(None, &["a"]), &[]);
        assert_eq!(table.column("cA").unwrap().id, "cA");
        assert_eq!(table.column("name of cB").unwrap().id, "cB");
        let twice = Table {
            columns: table.columns.iter().chain(table.columns.iter()).cloned().collect(),
            ..table.clone()
        };
        assert!(twice.column("name of cB").is_none() && table.column("nobody").is_none());
        assert_eq!(table.cell(&RowId::parse("b.a").unwrap(), "cA"), Some(&json!("a")));
    }
}
