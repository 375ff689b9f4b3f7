//! A view made ready for one table: what of it the columns allow.
//!
//! All who follow a view ask here which rows pass and in which order they stand, so that there is one answer.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use super::cells::Cells;
use super::{Aggregate, BadView, Part, Skipped, Sort, View, filter};
use crate::document::table::{Column, ColumnId, Reading};

impl View {
    /// Whether the table has the columns of the view, and its operators fit them.
    pub fn check(&self, columns: &[Column]) -> Vec<Skipped> {
        Prepared::new(self, columns).skipped
    }

    /// As [`check`](Self::check), for a view that is to be written: the first thing that is wrong in one of these parts.
    pub fn checked(&self, columns: &[Column], parts: &[Part]) -> Result<(), BadView> {
        let wrong = self
            .check(columns)
            .into_iter()
            .find(|skipped| parts.contains(&skipped.part));
        wrong.map_or(Ok(()), |wrong| Err(BadView(wrong)))
    }
}

/// The parts of a view that the table can follow.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub filter: Vec<filter::Compiled>,
    pub sort: Vec<Sort>,
    pub group: Vec<Sort>,
    /// None for one that is skipped.
    pub aggregates: Vec<Option<Aggregate>>,
    /// The visible ones in their order.
    pub columns: Vec<ColumnId>,
    pub skipped: Vec<Skipped>,
}

impl Prepared {
    pub fn new(view: &View, columns: &[Column]) -> Self {
        let by_id: HashMap<&ColumnId, &Column> = columns
            .iter()
            .filter(|column| column.deleted.is_none())
            .map(|column| (&column.id, column))
            .collect();
        let find = |id: &ColumnId| by_id.get(id).copied();
        let mut skipped = Vec::new();
        let filter = filter::compile(&view.filter, &find, &mut skipped);
        let mut there = |part: Part, id: &ColumnId| match find(id) {
            Some(_) => true,
            None => {
                let why = format!("there is no column {id}");
                skipped.push(Skipped { part, why });
                false
            }
        };
        let mut known = |part: Part, keys: &[Sort]| -> Vec<Sort> {
            keys.iter().filter(|key| there(part, &key.column)).cloned().collect()
        };
        let sort = known(Part::Sort, &view.sort);
        let group = known(Part::Group, &view.group);
        let visible = match &view.columns {
            Some(ids) => ids.iter().filter(|id| there(Part::Columns, id)).cloned().collect(),
            None => columns
                .iter()
                .filter(|column| column.deleted.is_none())
                .map(|column| column.id.clone())
                .collect(),
        };
        let aggregates = view.aggregates.iter().map(|aggregate| {
            let wrong = aggregate.column.as_ref().and_then(|id| match find(id) {
                None => Some(format!("there is no column {id}")),
                Some(column) if !aggregate.op.fits(&column.kind) => Some(format!(
                    "{} does not apply to column {id} ({:?}) of kind {}",
                    aggregate.op.name(),
                    column.name,
                    column.kind.as_str()
                )),
                Some(_) => None,
            });
            let part = Part::Aggregates;
            match wrong {
                None => Some(aggregate.clone()),
                Some(why) => {
                    skipped.push(Skipped { part, why });
                    None
                }
            }
        });
        let aggregates = aggregates.collect();
        Self {
            filter,
            sort,
            group,
            aggregates,
            columns: visible,
            skipped,
        }
    }

    /// What rows stand by: the groups first, each column once, for where it comes again it decides nothing.
    pub fn keys(&self) -> Vec<&Sort> {
        let mut seen = BTreeSet::new();
        let keys = self.group.iter().chain(&self.sort);
        keys.filter(|key| seen.insert(&key.column)).collect()
    }

    /// The columns whose cells are compared, for the order of the rows.
    pub fn compared(&self) -> BTreeSet<ColumnId> {
        self.keys().into_iter().map(|key| key.column.clone()).collect()
    }

    /// The columns whose cells decide which rows there are, and in which order.
    pub fn deciding(&self) -> BTreeSet<ColumnId> {
        let mut deciding = self.compared();
        self.filter.iter().for_each(|filter| filter.columns(&mut deciding));
        deciding
    }

    /// The columns of the aggregates.
    pub fn summed(&self) -> impl Iterator<Item = &ColumnId> {
        let aggregates = self.aggregates.iter().flatten();
        aggregates.filter_map(|aggregate| aggregate.column.as_ref())
    }

    /// Whether a row passes, given its cells of the deciding columns.
    pub fn passes<'r>(&self, cell: &impl Fn(&ColumnId) -> &'r Reading) -> bool {
        self.filter.iter().all(|filter| filter.holds(cell))
    }

    /// The rows that pass, in their order, as positions among the live ones.
    pub fn rows(&self, cells: &Cells) -> Vec<usize> {
        let passes = |row: &usize| self.passes(&|id| cells.reading(id, *row));
        let mut rows: Vec<usize> = (0..cells.rows()).filter(passes).collect();
        let keys = self.keys();
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (cells.keys(&key.column), key.descending))
            .collect();
        // Stable: rows of equal keys stay as they stand in the table.
        rows.sort_by(|a, b| {
            let mut by_key = keys
                .iter()
                .map(|(keys, descending)| keys[*a].compare(&keys[*b], *descending));
            by_key.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        rows
    }
}
