//! The difference of a scope between two versions.
//!
//! Rows that were not touched are the same at both and stand in the same order. Those that were are looked at as they were,
//! and put where they stood; of a touched cell that has no say in where its row stands, nothing but the cell is read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use automerge::{Automerge, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, Value as Stored};

use super::columns::Columns;
use super::list::{List, TableRows};
use super::movement::{Fate, Movement, Mover};
use super::{Came, Difference, Footprint, RowChange, Scope, Step, Touch};
use crate::document::at::At;
use crate::document::table::{
    Cell, Column, ColumnId, Reading, RowEntry, RowId, TableIndex, ViewId, cells, key, title_of,
};
use crate::document::view;

/// So many touched rows are always told one by one; beyond that, as many as half of those that are shown. Where more were
/// touched, a snapshot says no more and is made in less time: an old row costs 10 to 50 us to read.
const MANY_ROWS: usize = 1000;

/// How a scope differs now from what it was at `from`, a version of the document. The index, and the rows of the view, are
/// of the document's present version; the footprint is of everything that was changed since `from`.
pub fn difference(
    document: &Automerge,
    index: &TableIndex,
    scope: &Scope<'_>,
    from: &[ChangeHash],
    footprint: &Footprint,
) -> Step {
    let then = At::new(document, from);
    let compared = match scope.view {
        _ if footprint.everything => None,
        None => Comparison::new(document, index, scope, then, footprint, TableRows(index)).and_then(Comparison::told),
        Some((id, _)) if footprint.views.contains(id) && !is_same(&then, document, id) => None,
        Some((_, rows)) => Comparison::new(document, index, scope, then, footprint, rows).and_then(Comparison::told),
    };
    compared.map_or(Step::Anew, Step::Differs)
}

/// Whether a view shows the same rows and columns of one table at both versions.
fn is_same(then: &impl ReadDoc, now: &impl ReadDoc, id: &ViewId) -> bool {
    let (Some(then), Some(now)) = (view::find(then, id), view::find(now, id)) else {
        return false;
    };
    let (then, now) = (then.view, now.view);
    (then.filter, then.sort, then.group, then.columns) == (now.filter, now.sort, now.group, now.columns)
}

/// A scope at two versions.
struct Comparison<'a, L: List> {
    document: &'a Automerge,
    then: At<'a, Automerge>,
    index: &'a TableIndex,
    footprint: &'a Footprint,
    scope: &'a Scope<'a>,
    columns: Columns<'a>,
    list: L,
}

/// A row that stands where it stood, among the others.
struct Standing<'a> {
    at: usize,
    /// None if it is looked at for the sake of its columns.
    touch: Option<&'a Touch>,
    /// The map that held its cells, if it may be another one than now.
    then: Option<ObjId>,
}

/// The touched rows, by whether they have moved.
struct Touched<'a, K> {
    movers: Vec<Mover<K>>,
    standing: Vec<Standing<'a>>,
}

impl<'a, L: List> Comparison<'a, L> {
    fn new(
        document: &'a Automerge,
        index: &'a TableIndex,
        scope: &'a Scope<'a>,
        then: At<'a, Automerge>,
        footprint: &'a Footprint,
        list: L,
    ) -> Option<Self> {
        Some(Self {
            columns: Columns::compare(&then, index, scope, footprint.columns)?,
            document,
            then,
            index,
            footprint,
            scope,
            list,
        })
    }

    /// None if a snapshot is due.
    fn told(self) -> Option<Difference> {
        let Touched { movers, standing } = self.touched()?;
        let movement = Movement::new(&self.list, &movers, self.scope.window);
        let mut rows = self.gone(&movers, &movement);
        rows.extend(self.came(&movers, &movement));
        rows.extend(self.changed(&movers, standing, &movement)?);

        let row_count = self.list.len();
        let were = movers.iter().filter(|mover| mover.then.is_some()).count();
        let are = movers.iter().filter(|mover| mover.now.is_some()).count();
        let title = self.index.title();
        let retitled = self.footprint.title && title_of(&self.then) != title;
        let columns = || self.columns.now.iter().map(|column| (*column).clone()).collect();
        Some(Difference {
            title: retitled.then(|| title.to_owned()),
            columns: self.columns.differ.then(columns),
            row_count,
            row_count_changed: were != are,
            rows,
        })
    }

    /// Looks at the touched rows as they were, as far as that may be another place than they have.
    fn touched(&self) -> Option<Touched<'a, L::Key>> {
        let mut old = OldRows::new(self.then);
        let (mut movers, mut standing) = (Vec::new(), Vec::new());
        let mut looked_at = 0;
        for (row, touch) in &self.footprint.rows {
            let now = self.list.position(row);
            if !touch.place && !touch.cells.iter().any(|column| self.list.decides(column)) {
                let touch = Some(touch);
                standing.extend(now.map(|at| Standing { at, touch, then: None }));
                continue;
            }
            looked_at += 1;
            if looked_at > self.most() {
                return None;
            }
            let was = match touch.place {
                true => old.read(row).map(Arc::new),
                false => self.index.row(row).cloned(),
            };
            let then = was.as_ref().and_then(|was| self.list.key(&self.then, was));
            match (then, now, was) {
                (None, None, _) => {}
                (Some(then), Some(at), Some(was)) if self.list.has(at, &then) => standing.push(Standing {
                    at,
                    touch: Some(touch),
                    then: Some(was.object.clone()),
                }),
                (then, now, was) => movers.push(Mover {
                    row: row.clone(),
                    was,
                    then,
                    now,
                }),
            }
        }
        Some(Touched { movers, standing })
    }

    fn most(&self) -> usize {
        let rows = self.list.len();
        let shown = self.scope.window.map_or(rows, |window| window.limit.min(rows));
        MANY_ROWS.max(shown / 2)
    }

    fn gone(&self, movers: &[Mover<L::Key>], movement: &Movement) -> Vec<RowChange> {
        let left = movement.left().map(|at| RowChange::Gone {
            row: self.list.row(at).id.clone(),
            deleted: false,
        });
        let moved = movers.iter().zip(&movement.fates);
        let moved = moved.filter(|(_, fate)| matches!(fate, Fate::Gone | Fate::Moved));
        let moved = moved.map(|(mover, _)| RowChange::Gone {
            row: mover.row.clone(),
            deleted: self.index.row(&mover.row).is_none_or(|row| row.deleted.is_some()),
        });
        moved.chain(left).collect()
    }

    fn came(&self, movers: &[Mover<L::Key>], movement: &Movement) -> impl Iterator<Item = RowChange> {
        let moved = movers.iter().zip(&movement.fates);
        let moved = moved.filter(|(_, fate)| matches!(fate, Fate::Came | Fate::Moved));
        let moved = moved.filter_map(|(mover, _)| {
            let how = match &mover.was {
                None => Came::Created,
                Some(was) if was.deleted.is_some() => Came::Restored,
                Some(_) => Came::Entered,
            };
            Some((mover.now?, how))
        });
        let entered = movement.entered().map(|at| (at, Came::Entered));
        let mut came: Vec<(usize, Came)> = moved.chain(entered).collect();
        came.sort_unstable_by_key(|(index, _)| *index);
        came.into_iter().map(|(index, how)| RowChange::Came {
            row: self.list.row(index).clone(),
            index,
            how,
        })
    }

    /// The rows that are shown at both versions and hold something else.
    fn changed(
        &self,
        movers: &[Mover<L::Key>],
        standing: Vec<Standing<'a>>,
        movement: &Movement,
    ) -> Option<Vec<RowChange>> {
        let mut staying: Vec<Standing<'a>> = standing.into_iter().filter(|row| movement.stays(row.at)).collect();
        let stay = movers
            .iter()
            .zip(&movement.fates)
            .filter(|(_, fate)| **fate == Fate::Stays);
        staying.extend(stay.filter_map(|(mover, _)| {
            Some(Standing {
                at: mover.now?,
                touch: self.footprint.rows.get(&mover.row),
                then: mover.was.as_ref().map(|was| was.object.clone()),
            })
        }));
        if staying.len() > self.most() {
            return None;
        }
        if self.columns.any_dirty() {
            let known: HashSet<usize> = staying.iter().map(|row| row.at).collect();
            let others = movement.staying().filter(|at| !known.contains(at));
            staying.extend(others.map(|at| Standing {
                at,
                touch: None,
                then: None,
            }));
        }
        staying.sort_unstable_by_key(|row| row.at);
        let changed = staying.iter().filter_map(|standing| {
            let row = self.list.row(standing.at);
            let cells = self.cells(row, standing);
            (!cells.is_empty()).then(|| RowChange::Changed {
                row: row.clone(),
                cells,
            })
        });
        Some(changed.collect())
    }

    /// The visible columns in which a row shows something else.
    fn cells(&self, row: &RowEntry, standing: &Standing<'_>) -> Vec<ColumnId> {
        let then = standing.then.as_ref().unwrap_or(&row.object);
        let touched =
            |column: &ColumnId| *then != row.object || standing.touch.is_some_and(|touch| touch.cells.contains(column));
        let reading = |column: &Column, cell: Option<Cell>| Reading::of(&column.kind, &column.options, cell);
        let differs = |column: &&&Column| {
            let touched = touched(&column.id);
            if !touched && !self.columns.is_dirty(&column.id) {
                return false;
            }
            let now = cells::stored(self.document, &row.object, &column.id);
            let was = self.columns.then(&column.id).map_or(Reading::Empty, |old| {
                let cell = match touched {
                    true => cells::stored(&self.then, then, &column.id),
                    false => now.clone(),
                };
                reading(old, cell)
            });
            !shows_alike(&was, &reading(column, now))
        };
        let differing = self.columns.now.iter().filter(differs);
        differing.map(|column| column.id.clone()).collect()
    }
}

/// Whether a person sees the same. What does not fit its column is shown as it is, however it is encoded.
fn shows_alike(one: &Reading, two: &Reading) -> bool {
    match (one, two) {
        (Reading::Mismatch(one), Reading::Mismatch(two)) => one.to_json() == two.to_json(),
        (one, two) => one == two,
    }
}

/// Rows as they were. The maps they lie in are looked up once.
struct OldRows<'d> {
    then: At<'d, Automerge>,
    blocks: Option<ObjId>,
    known: HashMap<String, Option<ObjId>>,
}

impl<'d> OldRows<'d> {
    fn new(then: At<'d, Automerge>) -> Self {
        Self {
            then,
            blocks: None,
            known: HashMap::new(),
        }
    }

    fn read(&mut self, row: &RowId) -> Option<RowEntry> {
        if !self.known.contains_key(row.block()) {
            self.blocks = self.blocks.take().or_else(|| map(&self.then, &ROOT, key::BLOCKS));
            let block = self
                .blocks
                .as_ref()
                .and_then(|blocks| map(&self.then, blocks, row.block()));
            self.known.insert(row.block().to_owned(), block);
        }
        let block = self.known.get(row.block())?.as_ref()?;
        RowEntry::read(&self.then, block, row)
    }
}

fn map(document: &impl ReadDoc, parent: &ObjId, name: &str) -> Option<ObjId> {
    match document.get(parent, name).ok().flatten()? {
        (Stored::Object(ObjType::Map), id) => Some(id),
        _ => None,
    }
}
