//! A view on a table: the rows that pass, in their order, their groups, and the aggregates.
//!
//! Only the columns that the view asks for are read. What comes out names rows; their cells are read when a page of them
//! is shown. Who needs the rows alone, and again after each change, keeps [`ViewRows`](super::ViewRows).

use std::ops::Range;
use std::sync::Arc;

use automerge::ReadDoc;
use serde_json::Value as Json;

use super::cells::Cells;
use super::prepared::Prepared;
use super::{Aggregate, Skipped, View};
use crate::document::table::{ColumnId, RowEntry, TableIndex};

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

/// Evaluates a view on the present version; the index must be of it.
pub fn evaluate(document: &impl ReadDoc, index: &TableIndex, view: &View) -> Evaluated {
    let prepared = Prepared::new(view, index.columns());
    let (mut asked, mut compared) = (prepared.deciding(), prepared.compared());
    asked.extend(prepared.summed().cloned());
    compared.extend(prepared.summed().cloned());
    let cells = Cells::read(document, index, &asked, &compared);
    let rows = prepared.rows(&cells);

    let group_keys: Vec<_> = prepared.group.iter().map(|group| cells.keys(&group.column)).collect();
    let same = |a: &usize, b: &usize| group_keys.iter().all(|keys| keys[*a] == keys[*b]);
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
