//! The rows of views that were asked for lately, kept beside the table and following it on demand.
//!
//! Whoever pages through a sorted table or watches it asks for the same view again after each edit. Going over all rows takes
//! 150 ms at 50,000 x 10; following an edit takes tens of microseconds, under the lock of the slot. What is not at hand, or
//! has fallen so far behind that following would hold up those who edit, is built on a copy, off the lock, and handed in.

use std::sync::Arc;
use std::time::Instant;

use automerge::{Automerge, ChangeHash, ReadDoc};

use super::edit::Edited;
use super::room::{Live, NotAwake, Room, Slot};
use super::table::{TableOf, TableReading};
use crate::document::crdt::Document;
use crate::document::feed::{ColumnsTouched, Footprint};
use crate::document::table::{NotATable, RowId, TableIndex};
use crate::document::view::{View, ViewRows};

/// How many views of a table are kept; the one that nobody has asked for longest makes room. One of 50,000 rows takes 2 to
/// 10 MiB. They go when the document falls asleep.
const VIEWS: usize = 16;

/// What has changed in more changes, operations or rows than this is not gone through under the lock: 2 to 10 ms each.
const MANY_CHANGES: usize = 500;
const MANY_OPERATIONS: u64 = 4_000;
const MANY_ROWS: usize = 1_000;

/// The newest last. Each is of the version that it was last asked for at.
#[derive(Default)]
pub(super) struct KeptViews {
    rows: Vec<Arc<ViewRows>>,
    /// What has changed between the first version and the second: views that are asked for by turns share it.
    footprint: Option<(Vec<ChangeHash>, Vec<ChangeHash>, Arc<Footprint>)>,
}

impl KeptViews {
    /// The rows of a view at the version of the index, which is the document's; none if they are not at hand.
    pub fn rows(&mut self, document: &Automerge, index: &TableIndex, view: &View) -> Option<&ViewRows> {
        let at = self.rows.iter().position(|rows| rows.view() == view)?;
        let mut rows = self.rows.remove(at);
        if self.follow(&mut rows, document, index) {
            self.rows.push(rows);
            return self.rows.last().map(Arc::as_ref);
        }
        None
    }

    /// Takes in what somebody has built.
    pub fn keep(&mut self, rows: Arc<ViewRows>) {
        self.rows.retain(|known| known.view() != rows.view());
        if self.rows.len() == VIEWS {
            self.rows.remove(0);
        }
        self.rows.push(rows);
    }

    /// False if they are better built anew.
    fn follow(&mut self, rows: &mut Arc<ViewRows>, document: &Automerge, index: &TableIndex) -> bool {
        if rows.heads() == index.heads() {
            return true;
        }
        let Some(footprint) = self.footprint(document, index, rows.heads()) else {
            return false;
        };
        let touched: Vec<&RowId> = footprint
            .rows
            .iter()
            .filter(|(_, touch)| touch.place || touch.cells.iter().any(|column| rows.decides(column)))
            .map(|(row, _)| row)
            .collect();
        if footprint.everything || touched.len() > MANY_ROWS {
            return false;
        }
        // Copied only while somebody still works with them.
        let rows = Arc::make_mut(rows);
        if footprint.columns != ColumnsTouched::No && !rows.follow_columns(index.columns()) {
            return false;
        }
        rows.follow(document, index, touched);
        true
    }

    /// What has changed since a version; none if that is too much, or the document never had the version.
    fn footprint(&mut self, document: &Automerge, index: &TableIndex, since: &[ChangeHash]) -> Option<Arc<Footprint>> {
        if let Some((from, to, footprint)) = &self.footprint
            && from == since
            && to == index.heads()
        {
            return Some(footprint.clone());
        }
        if since.is_empty() || !document.get_missing_deps(since).is_empty() {
            return None;
        }
        let changes = document.get_changes_meta(since);
        let operations: u64 = changes.iter().map(|change| change.max_op + 1 - change.start_op).sum();
        if changes.len() > MANY_CHANGES || operations > MANY_OPERATIONS {
            return None;
        }
        let footprint = Footprint::of_changes(document, index, &document.get_changes(since));
        let footprint = Arc::new(footprint);
        self.footprint = Some((since.to_vec(), index.heads().to_vec(), footprint.clone()));
        Some(footprint)
    }
}

/// The views of a table under the lock of its slot.
pub struct Views<'s> {
    document: &'s Document,
    index: &'s TableIndex,
    table: &'s mut TableOf,
    position: u64,
}

impl Views<'_> {
    /// The rows of a view as they are now; none if they are not at hand. Then they are made on a
    /// [`reading`](Self::reading), off the lock, by [`TableReading::view_rows`], and handed in by [`Room::keep_view_rows`].
    pub fn rows(&mut self, view: &View) -> Option<&ViewRows> {
        self.table.views.rows(self.document.automerge(), self.index, view)
    }

    /// A copy from which so many cells are better read than from the live document, which holds up those who edit; none if
    /// few were read since the last commit.
    pub fn reading_for(&mut self, cells: usize) -> Result<Option<Arc<TableReading>>, NotATable> {
        self.table.reading_for(cells, self.document, self.position)
    }

    /// A copy of the table as it is now, as [`Room::read_table`] gives it.
    pub fn reading(&mut self) -> Result<Arc<TableReading>, NotATable> {
        self.table.reading(self.document, self.position)
    }
}

impl Room {
    /// As [`look_table`](Room::look_table), with the views of the table.
    pub fn look_views<T>(
        &self,
        now: Instant,
        look: impl FnOnce(&Document, &TableIndex, &mut Views<'_>) -> T,
    ) -> Result<Edited<Result<T, NotATable>>, NotAwake> {
        let mut slot = self.slot();
        slot.last_use = now;
        let Slot { live, table, .. } = &mut *slot;
        let Live::Awake(document) = live else {
            return Err(NotAwake);
        };
        let value = table.follow(document).map(|index| {
            let mut views = Views {
                document,
                index: &index,
                table,
                position: self.log().end(),
            };
            look(document, &index, &mut views)
        });
        Ok(self.edited(value))
    }

    /// As [`look_views`](Room::look_views), at the rows of one view; none if they are not at hand. Whoever is told so makes
    /// them from a reading ([`read_table`](Room::read_table), [`TableReading::view_rows`]) and hands them to
    /// [`keep_view_rows`](Room::keep_view_rows); while others write very much, they may be behind again by then.
    pub fn with_view_rows<T>(
        &self,
        now: Instant,
        view: &View,
        look: impl FnOnce(&Document, &TableIndex, &ViewRows) -> T,
    ) -> Result<Edited<Result<Option<T>, NotATable>>, NotAwake> {
        self.look_views(now, |document, index, views| {
            views.rows(view).map(|rows| look(document, index, rows))
        })
    }

    /// Takes in the rows of a view of this table, of whichever version: they follow it from there on, as long as the
    /// document is awake.
    pub fn keep_view_rows(&self, rows: Arc<ViewRows>) {
        let mut slot = self.slot();
        if matches!(slot.live, Live::Awake(_)) {
            slot.table.views.keep(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::{Transactable, Transaction};
    use automerge::{AutomergeError, ObjId, ObjType, ROOT};
    use serde_json::json;

    use super::*;

    /// Rows of one number, and what is kept of views of them.
    struct Table {
        document: Automerge,
        rows: Vec<ObjId>,
        kept: KeptViews,
    }

    impl Table {
        fn of(rows: usize) -> Self {
            let mut document = Automerge::new();
            let made = document.transact::<_, _, AutomergeError>(|tx| {
                tx.put(ROOT, "type", "table")?;
                tx.put(ROOT, "schemaVersion", 1)?;
                let columns = tx.put_object(ROOT, "columns", ObjType::Map)?;
                let column = tx.put_object(&columns, "cNumber", ObjType::Map)?;
                tx.put(&column, "kind", "number")?;
                let blocks = tx.put_object(ROOT, "blocks", ObjType::Map)?;
                let block = tx.put_object(&blocks, "b", ObjType::Map)?;
                let row = |number: usize| {
                    let row = tx.put_object(&block, format!("b.{number}"), ObjType::Map)?;
                    tx.put(&row, "cNumber", number as i64)?;
                    Ok(row)
                };
                (0..rows).map(row).collect()
            });
            Self {
                rows: made.unwrap().result,
                document,
                kept: KeptViews::default(),
            }
        }

        fn edit(&mut self, edit: impl FnOnce(&mut Transaction<'_>, &[ObjId]) -> Result<(), AutomergeError>) {
            let rows = &self.rows;
            self.document.transact(|tx| edit(tx, rows)).unwrap();
        }

        fn write(&mut self, row: usize, number: i64) {
            self.edit(|tx, rows| tx.put(&rows[row], "cNumber", number));
        }

        fn build(&mut self, view: &View) {
            let index = TableIndex::build(&self.document).unwrap();
            self.kept.keep(Arc::new(ViewRows::build(&self.document, &index, view)));
        }

        /// The rows of a view by number, if they are at hand.
        fn shown(&mut self, view: &View) -> Option<Vec<String>> {
            let index = TableIndex::build(&self.document).unwrap();
            let rows = self.kept.rows(&self.document, &index, view)?;
            assert_eq!(rows.heads(), self.document.get_heads());
            Some(rows.rows(0..9).map(|row| row.id.as_str()[2..].to_owned()).collect())
        }
    }

    /// The rows above a number, the largest first.
    fn above(number: i64) -> View {
        let filter = json!([{ "column": "cNumber", "op": "greater", "value": number }]);
        let sort = json!([{ "column": "cNumber", "descending": true }]);
        View::from_json(&json!({ "name": "", "filter": filter, "sort": sort })).unwrap()
    }

    #[test]
    fn what_has_changed_a_little_follows() {
        let mut table = Table::of(5);
        let (view, other) = (above(1), above(2));
        assert_eq!(table.shown(&view), None);
        table.build(&view);
        table.build(&other);
        assert_eq!(table.shown(&view).unwrap(), ["4", "3", "2"]);
        table.write(0, 9);
        table.write(3, 0);
        assert_eq!(table.shown(&view).unwrap(), ["0", "4", "2"]);
        assert_eq!(table.shown(&other).unwrap(), ["0", "4"]);
        let column = |tx: &Transaction<'_>| {
            let (_, columns) = tx.get(ROOT, "columns")?.expect("columns");
            Ok::<_, AutomergeError>(tx.get(&columns, "cNumber")?.expect("a column").1)
        };
        table.edit(|tx, _| tx.put(column(tx)?, "name", "Amount"));
        assert_eq!(table.shown(&view).unwrap(), ["0", "4", "2"]);
        table.edit(|tx, _| tx.put(column(tx)?, "kind", "counter"));
        assert_eq!(table.shown(&view), None, "another kind is another order");
    }

    #[test]
    fn what_is_far_behind_is_built_anew() {
        let mut table = Table::of(MANY_ROWS + 1);
        let view = above(-1);
        let mut changed = |change: &dyn Fn(&mut Table)| {
            table.build(&view);
            change(&mut table);
            let is_at_hand = table.shown(&view).is_some();
            assert!(
                is_at_hand || table.kept.rows.is_empty(),
                "it makes room for what is built"
            );
            is_at_hand
        };
        let changes = |count: usize| move |table: &mut Table| (0..count).for_each(|n| table.write(n % 7, n as i64));
        assert!(changed(&changes(MANY_CHANGES)));
        assert!(!changed(&changes(MANY_CHANGES + 1)));
        let operations = |count: u64| {
            move |table: &mut Table| {
                table.edit(|tx, rows| (0..count).try_for_each(|n| tx.put(&rows[n as usize % 7], "cNumber", n)));
            }
        };
        assert!(changed(&operations(MANY_OPERATIONS)));
        assert!(!changed(&operations(MANY_OPERATIONS + 1)));
        let rows = |count: usize| {
            move |table: &mut Table| {
                let number = -(count as i64);
                table.edit(|tx, rows| rows[..count].iter().try_for_each(|row| tx.put(row, "cNumber", number)));
            }
        };
        assert!(changed(&rows(MANY_ROWS)));
        assert!(!changed(&rows(MANY_ROWS + 1)));
    }

    #[test]
    fn rows_of_a_version_that_was_taken_back_are_not_at_hand() {
        let (mut table, view) = (Table::of(3), above(0));
        let durable = table.document.clone();
        table.write(0, 7);
        table.build(&view);
        table.document = durable;
        assert_eq!(table.shown(&view), None);
    }

    #[test]
    fn the_view_that_nobody_has_asked_for_longest_makes_room() {
        let mut table = Table::of(3);
        (0..VIEWS as i64).for_each(|number| table.build(&above(number)));
        assert!(table.shown(&above(0)).is_some());
        table.build(&above(100));
        table.build(&above(100));
        assert_eq!(table.kept.rows.len(), VIEWS);
        assert_eq!(table.shown(&above(1)), None);
        assert!([0, 2, 100].iter().all(|number| table.shown(&above(*number)).is_some()));
    }
}
