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
use super::{Came, Difference, Footprint, RowChange, Scope, Step, Touch, Window};
use crate::document::at::At;
use crate::document::table::{
    Cell, Column, ColumnId, Reading, RowEntry, RowId, TableIndex, ViewId, cells, key, title_of,
};
use crate::document::view::{self, ViewRows};

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
    Compared::new(document, index, scope.view, from, footprint).step(scope.window)
}

/// A table or view at two versions: what all windows of it have in common is found out once.
pub struct Compared<'a>(Option<Kind<'a>>);

enum Kind<'a> {
    Table(Comparison<'a, TableRows<'a>>),
    View(Comparison<'a, &'a ViewRows>),
}

impl<'a> Compared<'a> {
    /// As for [`difference`].
    pub fn new(
        document: &'a Automerge,
        index: &'a TableIndex,
        view: Option<(&'a ViewId, &'a ViewRows)>,
        from: &'a [ChangeHash],
        footprint: &'a Footprint,
    ) -> Self {
        let then = At::new(document, from);
        Self(match view {
            _ if footprint.everything => None,
            None => Comparison::new(document, index, None, then, footprint, TableRows(index)).map(Kind::Table),
            Some((id, _)) if footprint.views.contains(id) && !is_same(&then, document, id) => None,
            Some((_, rows)) => Comparison::new(document, index, view, then, footprint, rows).map(Kind::View),
        })
    }

    /// How a window of it differs, or all of it.
    pub fn step(&self, window: Option<Window>) -> Step {
        let told = match &self.0 {
            None => None,
            Some(Kind::Table(comparison)) => comparison.told(window),
            Some(Kind::View(comparison)) => comparison.told(window),
        };
        told.map_or(Step::Anew, Step::Differs)
    }
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
    columns: Columns<'a>,
    list: L,
    touched: Touched<'a, L::Key>,
}

/// A touched row that stands where it stood, among the others.
struct Standing<'a> {
    at: usize,
    touch: Option<&'a Touch>,
    /// The map that held its cells, if it may be another one than now.
    then: Option<ObjId>,
}

/// A row that a window shows at both versions.
struct Staying<'a> {
    at: usize,
    /// None if it is looked at for the sake of its columns.
    touch: Option<&'a Touch>,
    then: Option<&'a ObjId>,
}

/// The touched rows, by whether they have moved.
struct Touched<'a, K> {
    movers: Vec<Mover<K>>,
    standing: Vec<Standing<'a>>,
}

impl<'a, L: List> Comparison<'a, L> {
    /// None if a snapshot is due.
    fn new(
        document: &'a Automerge,
        index: &'a TableIndex,
        view: Option<(&'a ViewId, &'a ViewRows)>,
        then: At<'a, Automerge>,
        footprint: &'a Footprint,
        list: L,
    ) -> Option<Self> {
        let scope = Scope { view, window: None };
        Some(Self {
            columns: Columns::compare(&then, index, &scope, footprint.columns)?,
            touched: touched(index, &then, footprint, &list)?,
            document,
            then,
            index,
            footprint,
            list,
        })
    }

    /// None if a snapshot is due.
    fn told(&self, window: Option<Window>) -> Option<Difference> {
        let movers = &self.touched.movers;
        let movement = Movement::new(&self.list, movers, window);
        let mut rows = self.gone(movers, &movement);
        rows.extend(self.came(movers, &movement));
        rows.extend(self.changed(&movement, most(self.list.len(), window))?);

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
    fn changed(&self, movement: &Movement, most: usize) -> Option<Vec<RowChange>> {
        let Touched { movers, standing } = &self.touched;
        let mut staying: Vec<Staying<'_>> = standing
            .iter()
            .filter(|row| movement.stays(row.at))
            .map(|row| Staying {
                at: row.at,
                touch: row.touch,
                then: row.then.as_ref(),
            })
            .collect();
        let stay = movers
            .iter()
            .zip(&movement.fates)
            .filter(|(_, fate)| **fate == Fate::Stays);
        staying.extend(stay.filter_map(|(mover, _)| {
            Some(Staying {
                at: mover.now?,
                touch: self.footprint.rows.get(&mover.row),
                then: mover.was.as_ref().map(|was| &was.object),
            })
        }));
        if staying.len() > most {
            return None;
        }
        if self.columns.any_dirty() {
            let known: HashSet<usize> = staying.iter().map(|row| row.at).collect();
            let others = movement.staying().filter(|at| !known.contains(at));
            staying.extend(others.map(|at| Staying {
                at,
                touch: None,
                then: None,
            }));
        }
        staying.sort_unstable_by_key(|row| row.at);
        let changed = staying.iter().filter_map(|staying| {
            let row = self.list.row(staying.at);
            let cells = self.cells(row, staying);
            (!cells.is_empty()).then(|| RowChange::Changed {
                row: row.clone(),
                cells,
            })
        });
        Some(changed.collect())
    }

    /// The visible columns in which a row shows something else.
    fn cells(&self, row: &RowEntry, staying: &Staying<'_>) -> Vec<ColumnId> {
        let then = staying.then.unwrap_or(&row.object);
        let touched =
            |column: &ColumnId| *then != row.object || staying.touch.is_some_and(|touch| touch.cells.contains(column));
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

/// Looks at the touched rows as they were, as far as that may be another place than they have. None if they are too many.
fn touched<'a, L: List>(
    index: &TableIndex,
    then: &At<'a, Automerge>,
    footprint: &'a Footprint,
    list: &L,
) -> Option<Touched<'a, L::Key>> {
    let mut old = OldRows::new(*then);
    let (mut movers, mut standing) = (Vec::new(), Vec::new());
    let mut looked_at = 0;
    for (row, touch) in &footprint.rows {
        let now = list.position(row);
        if !touch.place && !touch.cells.iter().any(|column| list.decides(column)) {
            let touch = Some(touch);
            standing.extend(now.map(|at| Standing { at, touch, then: None }));
            continue;
        }
        looked_at += 1;
        if looked_at > most(list.len(), None) {
            return None;
        }
        let was = match touch.place {
            true => old.read(row).map(Arc::new),
            false => index.row(row).cloned(),
        };
        let stood = was.as_ref().and_then(|was| list.key(then, was));
        match (stood, now, was) {
            (None, None, _) => {}
            (Some(stood), Some(at), Some(was)) if list.has(at, &stood) => standing.push(Standing {
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

/// How many touched rows are told one by one.
fn most(rows: usize, window: Option<Window>) -> usize {
    let shown = window.map_or(rows, |window| window.limit.min(rows));
    MANY_ROWS.max(shown / 2)
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
