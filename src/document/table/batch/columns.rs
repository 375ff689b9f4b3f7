//! Planning what happens to columns.

use std::collections::HashSet;

use automerge::{ReadDoc, ScalarValue};
use rand::Rng;

use super::lane::{Lane, Placed, Spot};
use super::write::{OptionWrite, Write};
use super::{ColumnDraft, Outcome, Place, Planner, Refusal, short};
use crate::document::order;
use crate::document::table::options::{self, MAX_OPTIONS, NewOption, SelectOption};
use crate::document::table::{Column, ColumnId, Deleted, Kind, columns, key, purge};

/// The most columns a table may have, deleted ones included.
pub const MAX_COLUMNS: usize = 10_000;

/// So many columns are looked through; where there are more, their places are remembered.
const FEW_COLUMNS: usize = 32;

impl<D: ReadDoc, R: Rng> Planner<'_, D, R> {
    pub(super) fn add_column(&mut self, at: &Place<ColumnId>, draft: &ColumnDraft) -> Result<Outcome, Refusal> {
        short("column name", &draft.name)?;
        known(&draft.kind)?;
        width(draft.width)?;
        let id = draft.id.clone().unwrap_or_else(|| ColumnId::random(&mut self.rng));
        if self.all_columns().len() >= MAX_COLUMNS {
            return Err(Refusal::TooMuch {
                what: "table",
                limit: MAX_COLUMNS,
                unit: "columns",
            });
        }
        if self.all_columns().iter().any(|column| column.id == id) || purge::was_purged(self.document, id.as_str()) {
            return Err(Refusal::ColumnExists(id));
        }
        let options = self.options(&draft.kind, &[], &draft.options)?;
        let placed = self.place_column(&[], at, std::slice::from_ref(&id))?;
        let key = placed.keys.first().expect("one column was placed").clone();
        let column = Column {
            id: id.clone(),
            name: draft.name.clone(),
            kind: draft.kind.clone(),
            order: key.as_str().to_owned(),
            width: draft.width,
            options,
            deleted: None,
        };
        self.writes.push(Write::AddColumn(column.clone()));
        let columns = self.columns_mut();
        let place = columns.partition_point(|other| (&other.order, &other.id) < (&column.order, &column.id));
        columns.insert(place, column);
        Ok(Outcome::Column(id))
    }

    pub(super) fn rename_column(&mut self, id: &ColumnId, name: &str) -> Result<Outcome, Refusal> {
        short("column name", name)?;
        self.change(id, |column| column.name = name.into())?;
        self.write_field(id, key::NAME, Some(name.into()))
    }

    pub(super) fn resize_column(&mut self, id: &ColumnId, pixels: Option<f64>) -> Result<Outcome, Refusal> {
        width(pixels)?;
        self.change(id, |column| column.width = pixels)?;
        self.write_field(id, key::WIDTH, pixels.map(super::write::number))
    }

    pub(super) fn set_kind(&mut self, id: &ColumnId, kind: &Kind) -> Result<Outcome, Refusal> {
        known(kind)?;
        self.change(id, |column| column.kind = kind.clone())?;
        if kind.has_options() {
            // The map is made now, so that two who add its first options at once both win.
            self.writes.push(Write::Options {
                column: id.clone(),
                writes: Vec::new(),
            });
        }
        self.write_field(id, key::KIND, Some(kind.as_str().into()))
    }

    pub(super) fn set_options(&mut self, id: &ColumnId, wanted: &[NewOption]) -> Result<Outcome, Refusal> {
        let column = self.live_column(id)?.clone();
        let options = self.options(&column.kind, &column.options, wanted)?;
        let removed = column
            .options
            .iter()
            .filter(|old| options.iter().all(|option| option.id != old.id))
            .map(|old| OptionWrite::Remove(old.id.clone()));
        let changed = options
            .iter()
            .filter(|option| !column.options.contains(option))
            .map(|option| OptionWrite::Put(option.clone()));
        self.writes.push(Write::Options {
            column: id.clone(),
            writes: removed.chain(changed).collect(),
        });
        let ids = options.iter().map(|option| option.id.clone()).collect();
        self.change(id, |column| column.options = options)?;
        Ok(Outcome::Options(ids))
    }

    pub(super) fn add_options(&mut self, id: &ColumnId, added: &[NewOption]) -> Result<Outcome, Refusal> {
        let there = self.live_column(id)?.options.iter().map(|option| NewOption {
            id: Some(option.id.clone()),
            name: option.name.clone(),
            color: option.color.clone(),
        });
        let wanted: Vec<_> = there.chain(added.iter().cloned()).collect();
        match self.set_options(id, &wanted)? {
            Outcome::Options(ids) => Ok(Outcome::Options(ids[ids.len() - added.len()..].to_vec())),
            other => Ok(other),
        }
    }

    pub(super) fn move_column(&mut self, id: &ColumnId, to: &Place<ColumnId>) -> Result<Outcome, Refusal> {
        self.live_column(id)?;
        if matches!(to, Place::Before(anchor) | Place::After(anchor) if anchor == id) {
            return Err(Refusal::AnchorMoves(id.to_string()));
        }
        let ids = [id.clone()];
        let placed = self.place_column(&ids, to, &ids)?;
        let key = placed.keys.first().expect("one column was placed").as_str().to_owned();
        let columns = self.columns_mut();
        if let Some(column) = columns.iter_mut().find(|column| column.id == *id) {
            column.order = key.clone();
        }
        columns.sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
        self.write_field(id, key::ORDER, Some(key.into()))
    }

    pub(super) fn delete_column(&mut self, id: &ColumnId) -> Result<Outcome, Refusal> {
        if self.any_column(id)?.deleted.is_none() {
            let stamp = self.stamp.clone();
            self.writes.push(Write::MarkColumn {
                column: id.clone(),
                stamp: stamp.clone(),
            });
            self.change_any(id, |column| {
                column.deleted = Some(Deleted {
                    at: Some(stamp.at),
                    by: Some(stamp.by),
                });
            });
        }
        Ok(Outcome::Done)
    }

    pub(super) fn restore_column(&mut self, id: &ColumnId) -> Result<Outcome, Refusal> {
        if self.any_column(id)?.deleted.is_some() {
            self.write_field(id, key::DELETED, None)?;
            self.change_any(id, |column| column.deleted = None);
        }
        Ok(Outcome::Done)
    }

    /// The column must be empty by then: its cells are purged before it, in changes of their own.
    pub(super) fn purge_column(&mut self, id: &ColumnId) -> Result<Outcome, Refusal> {
        if self.any_column(id)?.deleted.is_none() {
            return Err(Refusal::ColumnLive(id.clone()));
        }
        let purged = |row: &&std::sync::Arc<crate::document::table::RowEntry>| {
            self.cells.get(&(row.id.clone(), id.clone())) == Some(&None) || self.rows.get(&row.id) == Some(&None)
        };
        let filled = self
            .index
            .rows()
            .iter()
            .filter(|row| !purged(row))
            .any(|row| !purge::is_purged_cell(self.document, &row.object, id));
        if filled {
            return Err(Refusal::ColumnFilled(id.clone()));
        }
        self.writes.push(Write::PurgeColumn(id.clone()));
        self.columns_mut().retain(|column| column.id != *id);
        Ok(Outcome::Done)
    }

    /// All columns as they will be, in order.
    pub(super) fn all_columns(&self) -> &[Column] {
        self.columns.as_deref().unwrap_or(self.index.columns())
    }

    /// A column, deleted or not.
    pub(super) fn any_column(&self, id: &ColumnId) -> Result<&Column, Refusal> {
        let all = self.all_columns();
        let found = match all.len() <= FEW_COLUMNS {
            true => all.iter().find(|column| column.id == *id),
            false => {
                let places = self.column_places.get_or_init(|| {
                    let places = all.iter().enumerate();
                    places.map(|(at, column)| (column.id.clone(), at)).collect()
                });
                places.get(id).map(|at| &all[*at])
            }
        };
        found.ok_or_else(|| Refusal::NoColumn(id.clone()))
    }

    pub(super) fn live_column(&self, id: &ColumnId) -> Result<&Column, Refusal> {
        let column = self.any_column(id)?;
        match column.deleted {
            None => Ok(column),
            Some(_) => Err(Refusal::ColumnDeleted(id.clone())),
        }
    }

    /// Makes a column of an earlier version known, if there was one.
    pub(super) fn recall_column(&mut self, id: &ColumnId) {
        let known = self.columns.get_or_insert_default();
        if known.iter().any(|column| column.id == *id) {
            return;
        }
        if let Some(column) = columns::one(self.document, id) {
            known.push(column);
            self.column_places.take();
        }
    }

    fn columns_mut(&mut self) -> &mut Vec<Column> {
        self.column_places.take();
        self.columns.get_or_insert_with(|| self.index.columns().to_vec())
    }

    fn change(&mut self, id: &ColumnId, change: impl FnOnce(&mut Column)) -> Result<(), Refusal> {
        self.live_column(id)?;
        self.change_any(id, change);
        Ok(())
    }

    fn change_any(&mut self, id: &ColumnId, change: impl FnOnce(&mut Column)) {
        if let Some(column) = self.columns_mut().iter_mut().find(|column| column.id == *id) {
            change(column);
        }
    }

    fn write_field(
        &mut self,
        column: &ColumnId,
        name: &'static str,
        value: Option<ScalarValue>,
    ) -> Result<Outcome, Refusal> {
        self.writes.push(Write::ColumnField {
            column: column.clone(),
            name,
            value,
        });
        Ok(Outcome::Done)
    }

    fn place_column(
        &mut self,
        taken: &[ColumnId],
        at: &Place<ColumnId>,
        ids: &[ColumnId],
    ) -> Result<Placed<ColumnId>, Refusal> {
        let no_anchor = || match at {
            Place::Before(id) | Place::After(id) => Refusal::NoColumn(id.clone()),
            Place::Start | Place::End | Place::Index(_) => unreachable!("these places are always there"),
        };
        let all = self.all_columns();
        let rank = |id: &ColumnId| all.iter().position(|column| column.id == *id);
        let before = match at {
            Place::Start => Some(0),
            Place::End => Some(all.len()),
            Place::Before(id) => Some(rank(id).ok_or_else(no_anchor)?),
            Place::After(id) => Some(rank(id).ok_or_else(no_anchor)? + 1),
            Place::Index(_) => None,
        };
        let placed = match before.filter(|_| taken.is_empty()) {
            // Without a copy of the list: a file brings thousands of columns, each of which is placed by itself.
            Some(before) => {
                let placement = order::place_by(all, |column| &column.order, before, ids.len());
                let rekeyed = placement.rekeyed.into_iter();
                Placed {
                    rekeyed: rekeyed.map(|(at, key)| (all[at].id.clone(), key)).collect(),
                    keys: placement.keys,
                }
            }
            None => {
                let spots = all.iter().map(|column| Spot {
                    order: column.order.as_str().into(),
                    id: column.id.clone(),
                    live: column.deleted.is_none(),
                });
                let mut lane = Lane::short(spots.collect());
                lane.take(taken);
                lane.insert("columns", at, ids)?.ok_or_else(no_anchor)?
            }
        };
        for (id, key) in &placed.rekeyed {
            self.change_any(id, |column| column.order = key.as_str().to_owned());
            self.write_field(id, key::ORDER, Some(key.as_str().into()))?;
        }
        Ok(placed)
    }

    /// The options as they will be: ids for the new ones, and order keys that make the list's order, the old ones kept
    /// where the order has not changed.
    fn options(
        &mut self,
        kind: &Kind,
        old: &[SelectOption],
        wanted: &[NewOption],
    ) -> Result<Vec<SelectOption>, Refusal> {
        if !wanted.is_empty() && !matches!(kind, Kind::Select | Kind::MultiSelect) {
            return Err(Refusal::NoOptions(kind.name()));
        }
        if wanted.len() > MAX_OPTIONS {
            return Err(Refusal::TooMuch {
                what: "column",
                limit: MAX_OPTIONS,
                unit: "options",
            });
        }
        let mut seen = HashSet::new();
        let mut made = Vec::with_capacity(wanted.len());
        for option in wanted {
            short("option name", &option.name)?;
            short("colour", option.color.as_deref().unwrap_or_default())?;
            let id = option.id.clone().unwrap_or_else(|| options::random_id(&mut self.rng));
            if !options::is_id(&id) {
                return Err(Refusal::BadOption(id.chars().take(80).collect()));
            }
            if !seen.insert(id.clone()) {
                return Err(Refusal::Twice(format!("option {id}")));
            }
            let order = old.iter().find(|old| old.id == id).map(|old| old.order.clone());
            made.push(SelectOption {
                id,
                name: option.name.clone(),
                color: option.color.clone(),
                order: order.unwrap_or_default(),
            });
        }
        // Keys that already ascend stay; all others get new ones after the last.
        let ascending = made.windows(2).all(|pair| pair[0].order < pair[1].order);
        let valid = made.iter().all(|option| order::OrderKey::parse(&option.order).is_ok());
        if !(ascending && valid) {
            let kept = made.iter().take_while(|option| !option.order.is_empty()).count();
            let kept_ascend = made[..kept].windows(2).all(|pair| pair[0].order < pair[1].order);
            let last = made[..kept]
                .last()
                .and_then(|option| order::OrderKey::parse(&option.order).ok());
            let from = match (kept_ascend, &last) {
                (true, Some(_)) => kept,
                _ => 0,
            };
            let low = if from == 0 { None } else { last };
            let keys = order::n_between(low.as_ref(), None, made.len() - from)?;
            for (option, key) in made[from..].iter_mut().zip(keys) {
                option.order = key.as_str().to_owned();
            }
        }
        Ok(made)
    }
}

fn known(kind: &Kind) -> Result<(), Refusal> {
    match kind {
        Kind::Other(name) => Err(Refusal::UnknownKind(name.chars().take(80).collect())),
        _ => Ok(()),
    }
}

fn width(pixels: Option<f64>) -> Result<(), Refusal> {
    match pixels {
        Some(pixels) if !(pixels > 0.0 && pixels <= 10_000.0) => Err(Refusal::BadWidth),
        _ => Ok(()),
    }
}
