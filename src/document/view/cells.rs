//! The cells of some columns for all live rows, as values and made comparable.
//!
//! They are read in one walk over the document: asking row by row would take ten times as long.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use automerge::iter::DocItem;
use automerge::{ObjId, ROOT, ReadDoc};

use super::compare::SortKey;
use crate::document::table::{Column, ColumnId, Reading, TableIndex, cells};

pub(super) struct Cells {
    rows: usize,
    columns: HashMap<ColumnId, (Vec<Reading>, Vec<SortKey>)>,
}

impl Cells {
    /// The cells of the asked columns; those of the compared ones among them are made comparable.
    pub fn read(
        document: &impl ReadDoc,
        index: &TableIndex,
        asked: &BTreeSet<ColumnId>,
        compared: &BTreeSet<ColumnId>,
    ) -> Self {
        let live = index.live();
        let asked: Vec<&Column> = index
            .live_columns()
            .filter(|column| asked.contains(&column.id))
            .collect();
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
            rows: live.len(),
            columns: with_keys.collect(),
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn reading(&self, column: &ColumnId, row: usize) -> &Reading {
        &self.columns[column].0[row]
    }

    pub fn keys(&self, column: &ColumnId) -> &[SortKey] {
        &self.columns[column].1
    }

    /// The keys of some columns, row by row. Each column can be taken once.
    pub fn take_keys(&mut self, columns: &[&ColumnId]) -> Vec<Vec<SortKey>> {
        let take = |id: &&ColumnId| self.columns.get_mut(*id).map(|(_, keys)| std::mem::take(keys));
        columns.iter().filter_map(take).collect()
    }
}
