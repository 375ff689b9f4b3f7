//! A view on a table: the rows that pass, in their order, their groups, and the aggregates.
//!
//! Only the columns that the view asks for are read, in one walk over the document: asking row by row would take ten times
//! as long. What comes out names rows; their cells are read when a page of them is shown.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use automerge::iter::DocItem;
use automerge::{ObjId, ROOT, ReadDoc};
use serde_json::Value as Json;

use super::compare::SortKey;
use super::{Aggregate, BadView, Part, Skipped, Sort, View, filter};
use crate::document::table::{Column, ColumnId, Reading, RowEntry, TableIndex, cells};

/// What a view shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    pub rows: Vec<Arc<RowEntry>>,
    /// The visible columns in their order.
    pub columns: Vec<ColumnId>,
    /// Empty if the view groups by nothing.
    pub groups: Vec<Group>,
    /// Over all rows: one for each aggregate of the view, `null` for one that was skipped.
    pub totals: Vec<Json>,
    /// What of the view was not followed.
    pub skipped: Vec<Skipped>,
}

/// Rows of the same values.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// One value for each column grouped by.
    pub key: Vec<Json>,
    /// Where they stand among the rows.
    pub rows: Range<usize>,
    pub totals: Vec<Json>,
}

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
struct Prepared {
    filter: Vec<filter::Compiled>,
    sort: Vec<Sort>,
    group: Vec<Sort>,
    aggregates: Vec<Option<Aggregate>>,
    columns: Vec<ColumnId>,
    skipped: Vec<Skipped>,
}

impl Prepared {
    fn new(view: &View, columns: &[Column]) -> Self {
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

    /// The columns whose cells are compared with each other.
    fn compared(&self) -> BTreeSet<ColumnId> {
        let keys = self.group.iter().chain(&self.sort).map(|key| &key.column);
        let aggregates = self.aggregates.iter().flatten();
        keys.chain(aggregates.filter_map(|aggregate| aggregate.column.as_ref()))
            .cloned()
            .collect()
    }

    /// The columns whose cells are needed.
    fn asked(&self) -> BTreeSet<ColumnId> {
        let mut asked = BTreeSet::new();
        self.filter.iter().for_each(|filter| filter.columns(&mut asked));
        asked.extend(self.group.iter().chain(&self.sort).map(|key| key.column.clone()));
        asked.extend(
            self.aggregates
                .iter()
                .flatten()
                .filter_map(|aggregate| aggregate.column.clone()),
        );
        asked
    }
}

/// Evaluates a view on the present version; the index must be of it.
pub fn evaluate(document: &impl ReadDoc, index: &TableIndex, view: &View) -> Evaluated {
    let prepared = Prepared::new(view, index.columns());
    let asked: Vec<&Column> = index
        .live_columns()
        .filter({
            let asked = prepared.asked();
            move |column| asked.contains(&column.id)
        })
        .collect();
    let cells = Cells::read(document, index, &asked, &prepared.compared());

    let passes = |row: &usize| {
        let cell = |id: &ColumnId| cells.reading(id, *row);
        prepared.filter.iter().all(|filter| filter.holds(&cell))
    };
    let mut rows: Vec<usize> = (0..index.live().len()).filter(passes).collect();

    let keys: Vec<(&Sort, &[SortKey])> = prepared
        .group
        .iter()
        .chain(&prepared.sort)
        .map(|sort| (sort, cells.keys(&sort.column)))
        .collect();
    // Stable: rows of equal keys stay as they stand in the table.
    rows.sort_by(|a, b| {
        let by_key = keys
            .iter()
            .map(|(sort, keys)| keys[*a].compare(&keys[*b], sort.descending));
        by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });

    let group_keys = &keys[..prepared.group.len()];
    let same = |a: &usize, b: &usize| group_keys.iter().all(|(_, keys)| keys[*a] == keys[*b]);
    let mut groups = Vec::new();
    if !prepared.group.is_empty() {
        let mut start = 0;
        for members in rows.chunk_by(same) {
            let key = prepared
                .group
                .iter()
                .map(|sort| cells.reading(&sort.column, members[0]).to_json());
            groups.push(Group {
                key: key.collect(),
                rows: start..start + members.len(),
                totals: totals(&prepared.aggregates, &cells, members),
            });
            start += members.len();
        }
    }
    Evaluated {
        totals: totals(&prepared.aggregates, &cells, &rows),
        rows: rows.into_iter().map(|row| index.live()[row].clone()).collect(),
        columns: prepared.columns,
        groups,
        skipped: prepared.skipped,
    }
}

fn totals(aggregates: &[Option<Aggregate>], cells: &Cells, rows: &[usize]) -> Vec<Json> {
    let one = |aggregate: &Option<Aggregate>| match aggregate {
        None => Json::Null,
        Some(Aggregate { column: None, .. }) => Json::from(rows.len()),
        Some(Aggregate { column: Some(id), op }) => {
            let keys = cells.keys(id);
            op.over(rows.iter().map(|row| (cells.reading(id, *row), &keys[*row])))
        }
    };
    aggregates.iter().map(one).collect()
}

/// The cells of some columns for all live rows, as values and made comparable.
struct Cells {
    columns: HashMap<ColumnId, (Vec<Reading>, Vec<SortKey>)>,
}

impl Cells {
    fn read(document: &impl ReadDoc, index: &TableIndex, asked: &[&Column], compared: &BTreeSet<ColumnId>) -> Self {
        let live = index.live();
        let mut readings: Vec<Vec<Reading>> = asked.iter().map(|_| vec![Reading::Empty; live.len()]).collect();
        let blocks = document.get(ROOT, "blocks").ok().flatten();
        if let (Some((_, blocks)), false) = (blocks, asked.is_empty()) {
            let by_key: HashMap<&str, usize> = asked
                .iter()
                .enumerate()
                .map(|(at, column)| (column.id.as_str(), at))
                .collect();
            let by_object: HashMap<&ObjId, usize> =
                live.iter().enumerate().map(|(at, row)| (&row.object, at)).collect();
            let mut here: Option<(Arc<ObjId>, Option<usize>)> = None;
            for item in document.iter_at(&blocks, None) {
                let DocItem::Map(entry) = &item.item else { continue };
                if here.as_ref().is_none_or(|(object, _)| !Arc::ptr_eq(object, &item.obj)) {
                    here = Some((item.obj.clone(), by_object.get(&*item.obj).copied()));
                }
                if let Some((_, Some(row))) = here
                    && let Some(at) = by_key.get(&*entry.key)
                {
                    let cell = cells::read(document, &entry.value, || entry.id());
                    readings[*at][row] = Reading::of(&asked[*at].kind, &asked[*at].options, cell);
                }
            }
        }
        let with_keys = asked.iter().zip(readings).map(|(column, readings)| {
            let keys = match compared.contains(&column.id) {
                true => readings.iter().map(|reading| SortKey::of(column, reading)).collect(),
                false => Vec::new(),
            };
            (column.id.clone(), (readings, keys))
        });
        Self {
            columns: with_keys.collect(),
        }
    }

    fn reading(&self, column: &ColumnId, row: usize) -> &Reading {
        &self.columns[column].0[row]
    }

    fn keys(&self, column: &ColumnId) -> &[SortKey] {
        &self.columns[column].1
    }
}
