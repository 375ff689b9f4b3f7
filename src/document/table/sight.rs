//! What the author of an edit saw, and whether it is still so.
//!
//! An edit touches places of a table: a cell, the mark of a row, a row as a whole. Its author saw them in some version, and
//! after that what they have written themselves. Whether others have changed them since is read from the document's own
//! history; nothing is kept for it.
//!
//! - A cell is not as it was if its row or column was deleted since, or restored.
//! - Several values of a cell at once all count, though a person sees one of them.

use std::collections::HashMap;
use std::ops::Range;

use automerge::{Automerge, ChangeHash};
use serde_json::Value as Json;

use super::touched::{in_row, seen};
use super::value::Reading;
use super::{CellEdit, ColumnId, RowId, TableEdit, TableIndex, cells, columns};
use crate::document::at::At;

/// A place among the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Spot {
    /// A row with everything in it.
    Row(RowId),
    /// The same, of a row that was not there before.
    New(RowId),
    Cell(RowId, ColumnId),
    /// Whether a row is deleted.
    Mark(RowId),
}

impl Spot {
    pub fn row(&self) -> &RowId {
        match self {
            Self::Row(row) | Self::New(row) | Self::Cell(row, _) | Self::Mark(row) => row,
        }
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        let is_whole = |spot: &Self| matches!(spot, Self::Row(_) | Self::New(_));
        self == other || (self.row() == other.row() && (is_whole(self) || is_whole(other)))
    }

    /// Whether one who has written here knows what is there.
    pub fn tells(&self, other: &Self) -> bool {
        self == other || (self.row() == other.row() && matches!(self, Self::New(_)))
    }
}

/// A place that an edit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    pub spot: Spot,
    /// What it holds does not matter to the edit, which comes to the same before and after those of others: steps of a
    /// counter, single ids.
    pub adds: bool,
}

impl Touch {
    fn of(spot: Spot) -> Self {
        Self { spot, adds: false }
    }

    /// What an edit of rows changes; none if it is an edit of something else.
    pub fn all(edit: &TableEdit) -> Option<Vec<Self>> {
        let rows = |rows: &[RowId], spot: fn(RowId) -> Spot| rows.iter().cloned().map(spot).map(Self::of).collect();
        match edit {
            TableEdit::Cell { row, column, edit } => Some(vec![Self {
                spot: Spot::Cell(row.clone(), column.clone()),
                adds: matches!(edit, CellEdit::Increment(_) | CellEdit::Add(_) | CellEdit::Remove(_)),
            }]),
            TableEdit::DeleteRows(all) => Some(rows(all, Spot::Row)),
            TableEdit::RestoreRows(all) => Some(rows(all, Spot::Mark)),
            // Only those that its author has named can be meant by another edit.
            TableEdit::InsertRows { rows, .. } => {
                let named = rows.iter().filter_map(|row| row.id.clone());
                Some(named.map(Spot::New).map(Self::of).collect())
            }
            _ => None,
        }
    }

    /// Whether the row and column of the place were there in a version, deleted or not.
    pub fn was_there(&self, document: &Automerge, version: &[ChangeHash]) -> bool {
        let has_column = match &self.spot {
            Spot::Cell(_, column) => has_column(document, column, version).is_some(),
            _ => true,
        };
        has_column && is_live(document, self.spot.row(), version).is_some()
    }

    /// Whether the place is not the same in two versions.
    pub fn differs(&self, document: &Automerge, one: &[ChangeHash], other: &[ChangeHash]) -> bool {
        if one == other {
            return false;
        }
        let differs = |path: &[&str]| seen(document, path, Some(one)) != seen(document, path, Some(other));
        match &self.spot {
            Spot::Row(row) | Spot::New(row) => differs(&in_row(row, None)),
            Spot::Mark(row) => is_live(document, row, one) != is_live(document, row, other),
            Spot::Cell(row, column) => {
                is_live(document, row, one) != is_live(document, row, other)
                    || has_column(document, column, one) != has_column(document, column, other)
                    || (!self.adds && differs(&in_row(row, Some(column.as_str()))))
            }
        }
    }
}

/// Whether a row is there and not deleted; none if it is not there.
fn is_live(document: &Automerge, row: &RowId, version: &[ChangeHash]) -> Option<bool> {
    let document = At::new(document, version);
    let object = cells::row_object(&document, row)?;
    Some(columns::deleted(&document, &object).is_none())
}

fn has_column(document: &Automerge, column: &ColumnId, version: &[ChangeHash]) -> Option<bool> {
    columns::is_live(&At::new(document, version), column)
}

/// The value that somebody saw in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Saw {
    pub row: RowId,
    pub column: ColumnId,
    pub value: Json,
}

impl Saw {
    /// Whether a version shows it.
    pub fn is_shown(&self, document: &Automerge, index: &TableIndex, version: &[ChangeHash]) -> bool {
        self.value_at(document, index, version)
            .is_some_and(|value| says_same(&value, &self.value))
            && is_live(document, &self.row, version) == Some(true)
            && has_column(document, &self.column, version) == Some(true)
    }

    /// What the cell shows in a version; none if the table has no such row or column any more.
    pub fn value_at(&self, document: &Automerge, index: &TableIndex, version: &[ChangeHash]) -> Option<Json> {
        let (row, column) = (index.row(&self.row)?, index.column(&self.column)?);
        let cell = cells::stored(&At::new(document, version), &row.object, &self.column);
        Some(Reading::of(&column.kind, &column.options, cell).to_json())
    }
}

/// Whether two values are the same to a reader: numbers by what they count, ids in any order, all that is empty.
fn says_same(one: &Json, other: &Json) -> bool {
    let is_empty = |value: &Json| match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(ids) => ids.is_empty(),
        _ => false,
    };
    match (one, other) {
        (one, other) if is_empty(one) || is_empty(other) => is_empty(one) && is_empty(other),
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.iter().all(|id| other.contains(id)) && other.iter().all(|id| one.contains(id))
        }
        (one, other) => one == other,
    }
}

/// Changes that an author has made, by the places they touch: whoever made them has seen them.
#[derive(Debug, Clone, Default)]
pub struct Own {
    by_row: HashMap<RowId, Vec<Deed>>,
}

/// What the author did to a place.
#[derive(Debug, Clone)]
struct Deed {
    /// When, among all that they did.
    turn: usize,
    spot: Spot,
    change: ChangeHash,
}

impl Own {
    /// The author touched a place, in their turn: what they did in an earlier one may come to be known later.
    pub fn add(&mut self, turn: usize, spot: Spot, change: ChangeHash) {
        let known = self.by_row.entry(spot.row().clone()).or_default();
        let at = known.partition_point(|deed| deed.turn <= turn);
        known.insert(at, Deed { turn, spot, change });
    }

    /// As [`add`](Self::add), of those changes that have written to the place: what came of one turn may be several, each of
    /// which stands on a version of its own.
    pub fn add_written(&mut self, document: &Automerge, turn: usize, spot: &Spot, changes: &[ChangeHash]) {
        let touch = Touch::of(spot.clone());
        for change in changes {
            let meta = document.get_change_meta_by_hash(change);
            if meta.is_some_and(|meta| touch.differs(document, &meta.deps, &[*change])) {
                self.add(turn, spot.clone(), *change);
            }
        }
    }

    /// What they did to a place before a turn, in order.
    fn of<'o>(&'o self, spot: &'o Spot, turn: usize) -> impl Iterator<Item = &'o Deed> {
        let row = self.by_row.get(spot.row()).into_iter().flatten();
        row.filter(move |deed| deed.turn < turn && deed.spot.overlaps(spot))
    }

    /// Whether they know what is at a place, since they have written it themselves before this turn.
    pub fn tells(&self, spot: &Spot, turn: usize) -> bool {
        self.of(spot, turn).any(|deed| deed.spot.tells(spot))
    }

    /// Whether they did something to a place in one of these turns.
    pub fn has(&self, spot: &Spot, turns: Range<usize>) -> bool {
        self.of(spot, turns.end).any(|deed| deed.turn >= turns.start)
    }

    /// What the author has seen of a place: a version, and then what they have written there themselves.
    ///
    /// Their change may stand on more than they had seen. Of a cell it leaves nothing but what they wrote. Of a place that is
    /// only partly the same it counts only if it found the place as they had seen it: what others did there in between would
    /// pass for seen.
    pub fn beside(&self, document: &Automerge, version: &[ChangeHash], touch: &Touch, turn: usize) -> Vec<ChangeHash> {
        let mut seen = version.to_vec();
        for Deed { spot, change, .. } in self.of(&touch.spot, turn) {
            let Some(meta) = document.get_change_meta_by_hash(change) else {
                continue;
            };
            if seen.contains(change) {
                continue;
            }
            let is_all = *spot == touch.spot && matches!(spot, Spot::Cell(..)) && !touch.adds;
            if is_all || !touch.differs(document, &seen, &meta.deps) {
                let mut with = seen.clone();
                with.retain(|head| !meta.deps.contains(head));
                with.push(*change);
                // They may have looked at the table again since.
                if touch.differs(document, &seen, &with) {
                    seen = with;
                }
            }
        }
        seen.sort_unstable();
        seen
    }

    /// What the author has written at a place before a turn, and nothing else.
    pub fn alone(&self, document: &Automerge, spot: &Spot, turn: usize) -> Vec<ChangeHash> {
        let mut all: Vec<_> = self.of(spot, turn).map(|deed| deed.change).collect();
        all.retain(|change| document.get_change_meta_by_hash(change).is_some());
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_say_the_same_are_the_same() {
        for (one, other) in [
            (json!(5), json!(5.0)),
            (json!(["a", "b"]), json!(["b", "a"])),
            (json!(""), json!(null)),
            (json!([]), json!(null)),
        ] {
            assert!(says_same(&one, &other) && says_same(&other, &one), "{one} {other}");
        }
        for (one, other) in [
            (json!(0), json!(null)),
            (json!(false), json!(null)),
            (json!("5"), json!(5)),
            (json!(["a"]), json!(["a", "b"])),
        ] {
            assert!(!says_same(&one, &other) && !says_same(&other, &one), "{one} {other}");
        }
    }

    #[test]
    fn a_row_overlaps_what_is_in_it() {
        let (row, other) = (RowId::parse("b.r").unwrap(), RowId::parse("b.s").unwrap());
        let cell = |column: &str| Spot::Cell(row.clone(), ColumnId::parse(column).unwrap());
        assert!(Spot::Row(row.clone()).overlaps(&cell("cA")) && cell("cA").overlaps(&Spot::Row(row.clone())));
        assert!(cell("cA").overlaps(&cell("cA")) && !cell("cA").overlaps(&cell("cB")));
        assert!(!cell("cA").overlaps(&Spot::Mark(row.clone())) && !Spot::Row(other).overlaps(&cell("cA")));
    }
}
