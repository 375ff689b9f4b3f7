//! Planning what happens to rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use automerge::ReadDoc;
use rand::Rng;

use super::lane::{Lane, Placed, Spot};
use super::write::Write;
use super::{NewRow, Outcome, Place, Planner, Refusal, RowRef};
use crate::document::order::place_by;
use crate::document::table::cells::row_object;
use crate::document::table::{BLOCK_ROWS, BlockId, ColumnId, RowId, columns, purge};

impl<'a, D: ReadDoc, R: Rng> Planner<'a, D, R> {
    pub(super) fn insert_rows(&mut self, at: &Place<RowId>, rows: &[NewRow]) -> Result<Outcome, Refusal> {
        let block = self.block_near(at);
        let ids = self.new_ids(block, rows)?;
        let placed = self.place_rows(at, &ids)?;
        self.is_placed = true;
        self.rekey_rows(placed.rekeyed);
        for (number, ((id, key), row)) in ids.iter().zip(placed.keys).zip(rows).enumerate() {
            self.writes.push(Write::AddRow {
                row: id.clone(),
                order: key,
            });
            self.rows.insert(id.clone(), Some(true));
            for (column, json) in &row.cells {
                let name = match row.id {
                    Some(_) => RowRef::Id(id.clone()),
                    None => RowRef::New(number),
                };
                self.set_new_cell(id, name, column, json)?;
            }
        }
        Ok(Outcome::Rows(ids))
    }

    /// Places new rows. Most changes place rows once, and of those that an import makes there are a thousand: then the
    /// place is looked up in the index, and all the rows of the table need not be copied into a lane. If a later edit asks
    /// for the lane after all, it is made with them in it.
    fn place_rows(&mut self, at: &Place<RowId>, ids: &[RowId]) -> Result<Placed<RowId>, Refusal> {
        let purged = || self.rows.values().any(Option::is_none);
        if self.lane.is_some() || self.is_placed || matches!(at, Place::Index(_)) || purged() {
            let placed = self.lane().insert("rows", at, ids)?;
            return placed.ok_or_else(|| no_anchor(at));
        }
        let rows = self.index.rows();
        let rank = |id| self.index.rank(id).ok_or_else(|| no_anchor(at));
        let before = match at {
            Place::Start => 0,
            Place::Before(id) => rank(id)?,
            Place::After(id) => rank(id)? + 1,
            Place::End | Place::Index(_) => rows.len(),
        };
        let placement = place_by(rows, |row| &row.order, before, ids.len());
        let rekeyed = placement.rekeyed.into_iter();
        let rekeyed = rekeyed.map(|(at, key)| (rows[at].id.clone(), key)).collect();
        Ok(Placed {
            rekeyed,
            keys: placement.keys,
        })
    }

    /// The block of the row next to which the new ones go. Rows that are seen together are loaded together, and one block
    /// filled by all keeps their number small.
    fn block_near(&self, at: &Place<RowId>) -> Option<String> {
        let live = self.index.live();
        let neighbour = match at {
            Place::Before(row) | Place::After(row) => return Some(row.block().to_owned()),
            Place::Start => live.first(),
            Place::End => live.last(),
            Place::Index(index) => live.get(index.saturating_sub(1)).or(live.last()),
        };
        neighbour.map(|row| row.id.block().to_owned())
    }

    /// Ids for new rows: in the block given as long as it has room, then in new blocks.
    fn new_ids(&mut self, near: Option<String>, rows: &[NewRow]) -> Result<Vec<RowId>, Refusal> {
        let mut block = near.and_then(|block| BlockId::parse(&block).ok());
        let mut ids = Vec::with_capacity(rows.len());
        let mut seen = HashSet::new();
        for row in rows {
            let id = match &row.id {
                Some(id) => id.clone(),
                None => {
                    let open = block
                        .take()
                        .filter(|block| self.block_rows(block.as_str()) < BLOCK_ROWS);
                    let open = open.unwrap_or_else(|| BlockId::random(&mut self.rng));
                    let id = RowId::random(&open, &mut self.rng);
                    block = Some(open);
                    id
                }
            };
            let known = self.rows.contains_key(&id) || self.index.row(&id).is_some();
            if known || !seen.insert(id.clone()) || purge::was_purged(self.document, id.as_str()) {
                return Err(Refusal::RowExists(id));
            }
            let rows = self.block_rows(id.block()) + 1;
            self.blocks.insert(id.block().into(), rows);
            ids.push(id);
        }
        Ok(ids)
    }

    fn block_rows(&self, block: &str) -> usize {
        let known = self.blocks.get(block).copied();
        known.or_else(|| self.index.block_rows(block)).unwrap_or(0)
    }

    pub(super) fn move_rows(&mut self, rows: &[RowId], to: &Place<RowId>) -> Result<Outcome, Refusal> {
        let mut seen = HashSet::new();
        for row in rows {
            self.live_row(row)?;
            if !seen.insert(row) {
                return Err(Refusal::Twice(row.to_string()));
            }
        }
        if let Place::Before(anchor) | Place::After(anchor) = to
            && seen.contains(anchor)
        {
            return Err(Refusal::AnchorMoves(anchor.to_string()));
        }
        let lane = self.lane();
        lane.take(rows);
        let placed = lane.insert("rows", to, rows)?.ok_or_else(|| no_anchor(to))?;
        self.is_placed = true;
        self.rekey_rows(placed.rekeyed);
        self.rekey_rows(rows.iter().cloned().zip(placed.keys).collect());
        Ok(Outcome::Done)
    }

    fn rekey_rows(&mut self, rows: Vec<(RowId, crate::document::order::OrderKey)>) {
        let writes = rows.into_iter().map(|(row, order)| Write::RowOrder { row, order });
        self.writes.extend(writes);
    }

    pub(super) fn delete_rows(&mut self, rows: &[RowId]) -> Result<Outcome, Refusal> {
        for row in rows {
            if self.row_state(row)? {
                self.writes.push(Write::MarkRow {
                    row: row.clone(),
                    stamp: self.stamp.clone(),
                });
                self.set_state(row, false);
            }
        }
        Ok(Outcome::Done)
    }

    pub(super) fn restore_rows(&mut self, rows: &[RowId]) -> Result<Outcome, Refusal> {
        for row in rows {
            if !self.row_state(row)? {
                self.writes.push(Write::UnmarkRow(row.clone()));
                self.set_state(row, true);
            }
        }
        Ok(Outcome::Done)
    }

    pub(super) fn purge_row(&mut self, row: &RowId) -> Result<Outcome, Refusal> {
        if self.row_state(row)? {
            return Err(Refusal::RowLive(row.clone()));
        }
        let object = row_object(self.document, row).ok_or_else(|| Refusal::NoRow(row.clone()))?;
        self.writes.push(Write::PurgeRow {
            row: row.clone(),
            object,
        });
        self.rows.insert(row.clone(), None);
        if let Some(lane) = &mut self.lane {
            lane.take(std::slice::from_ref(row));
        }
        Ok(Outcome::Done)
    }

    pub(super) fn purge_cells(&mut self, column: &ColumnId, rows: &[RowId]) -> Result<Outcome, Refusal> {
        if self.any_column(column)?.deleted.is_none() {
            return Err(Refusal::ColumnLive(column.clone()));
        }
        for row in rows {
            self.row_state(row)?;
            self.writes.push(Write::PurgeCell {
                row: row.clone(),
                column: column.clone(),
            });
            self.cells.insert((row.clone(), column.clone()), None);
        }
        Ok(Outcome::Done)
    }

    /// Whether a row is live; an error if there is none.
    pub(super) fn row_state(&self, row: &RowId) -> Result<bool, Refusal> {
        let known = match self.rows.get(row) {
            Some(state) => *state,
            None if self.is_earlier => {
                let object = row_object(self.document, row);
                object.map(|object| columns::deleted(self.document, &object).is_none())
            }
            None => self.index.row(row).map(|row| row.deleted.is_none()),
        };
        known.ok_or_else(|| match self.is_earlier {
            true => Refusal::NoRowThen(row.clone()),
            false => Refusal::NoRow(row.clone()),
        })
    }

    /// A row that takes cells. One of an earlier version may have been restored since, as a column may.
    pub(super) fn live_row(&self, row: &RowId) -> Result<(), Refusal> {
        let is_live_now = || {
            let now = self.index.row(row).is_some_and(|row| row.deleted.is_none());
            now && self.rows.get(row).is_none()
        };
        match self.row_state(row)? {
            true => Ok(()),
            false if self.is_earlier && is_live_now() => Ok(()),
            false => Err(Refusal::RowDeleted(row.clone())),
        }
    }

    fn set_state(&mut self, row: &RowId, live: bool) {
        self.rows.insert(row.clone(), Some(live));
        if let Some(lane) = &mut self.lane {
            lane.set_live(row, live);
        }
    }

    fn lane(&mut self) -> &mut Lane<'a, RowId> {
        if self.lane.is_none() {
            self.lane = Some(self.new_lane());
        }
        self.lane.as_mut().expect("it was made just now")
    }

    /// All rows as they will be after the edits planned so far.
    fn new_lane(&self) -> Lane<'a, RowId> {
        let index = self.index;
        let placed = self.writes.iter().filter_map(|write| match write {
            Write::AddRow { row, order } | Write::RowOrder { row, order } => Some((row.clone(), order.as_str().into())),
            _ => None,
        });
        let placed: HashMap<RowId, Arc<str>> = placed.collect();
        let state = |id: &RowId, before: bool| self.rows.get(id).copied().unwrap_or(Some(before));
        let there = index.rows().iter().filter_map(|row| {
            let live = state(&row.id, row.deleted.is_none())?;
            let (id, order) = (row.id.clone(), placed.get(&row.id).unwrap_or(&row.order).clone());
            Some(Spot { order, id, live })
        });
        let new = placed.iter().filter(|(id, _)| index.row(id).is_none());
        let new = new.filter_map(|(id, order)| {
            let live = state(id, true)?;
            let (id, order) = (id.clone(), order.clone());
            Some(Spot { order, id, live })
        });
        let mut spots: Vec<_> = there.chain(new).collect();
        if !placed.is_empty() {
            spots.sort_by(|a, b| (&*a.order, &a.id).cmp(&(&*b.order, &b.id)));
        }
        let given = move |id: &RowId| {
            let placed = placed.get(id).cloned();
            placed.or_else(|| index.row(id).map(|row| row.order.clone()))
        };
        Lane::new(spots, given)
    }
}

fn no_anchor(place: &Place<RowId>) -> Refusal {
    match place {
        Place::Before(row) | Place::After(row) => Refusal::NoRow(row.clone()),
        Place::Start | Place::End | Place::Index(_) => unreachable!("these places are always there"),
    }
}
