//! Where a page of rows ends, as an opaque text that the next request brings back.
//!
//! Others edit the table between two pages, so a cursor is no number. In the order of the table it is the place of the last
//! row, which stays a place even if the row goes: no row that is left alone is skipped or comes twice. In the order of a
//! sorted view, where a place is made of cells that anybody may write, it is the last few rows themselves; should all of them
//! be gone, the position they had.
//!
//! A cursor belongs to one query; used with another it is refused.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pages::Order;
use crate::document::table::{RowEntry, RowId};
use crate::document::view::ViewRows;

/// The longest cursor that is looked at, in characters.
const MAX_CHARACTERS: usize = 4096;

/// How many rows of the page before a sorted cursor remembers.
const REMEMBERED: usize = 4;

/// The longest order text that a cursor carries; other programs may have written any.
const MAX_ORDER: usize = 512;

/// Where the page before ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cursor {
    /// Behind this place in the order of the table.
    #[serde(rename = "p")]
    Place { order: String, row: String },
    /// Behind the first of these rows that is there, the last row of the page first; or else at this position.
    #[serde(rename = "r")]
    Rows { rows: Vec<String>, position: usize },
}

/// Rows in some order, from which pages are cut.
pub(super) trait Listed {
    fn len(&self) -> usize;

    /// The row at a position that is less than [`len`](Self::len).
    fn row(&self, at: usize) -> &Arc<RowEntry>;

    /// Where a row stands, which is most likely where it stood before.
    fn position(&self, row: &str, near: usize) -> Option<usize>;
}

impl Listed for [Arc<RowEntry>] {
    fn len(&self) -> usize {
        self.len()
    }

    fn row(&self, at: usize) -> &Arc<RowEntry> {
        &self[at]
    }

    fn position(&self, row: &str, near: usize) -> Option<usize> {
        match self.get(near).is_some_and(|there| there.id.as_str() == row) {
            true => Some(near),
            false => self.iter().position(|there| there.id.as_str() == row),
        }
    }
}

impl Listed for ViewRows {
    fn len(&self) -> usize {
        self.len()
    }

    fn row(&self, at: usize) -> &Arc<RowEntry> {
        self.key_at(at).row()
    }

    fn position(&self, row: &str, _: usize) -> Option<usize> {
        self.position(&RowId::parse(row).ok()?)
    }
}

/// Which query a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Query(u64);

impl Query {
    /// Made of all that decides which rows there are and in which order.
    pub fn of<'t>(parts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        Self(digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// Why a text is not the cursor of a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadCursor {
    #[error("this is no cursor of this server; take `next` of the page before")]
    Unreadable,
    #[error("the cursor is of another query; begin without one")]
    OtherQuery,
}

impl Cursor {
    /// Behind the last row of a page that ends before `end`; `None` if there is no row behind it.
    pub fn behind(rows: &(impl Listed + ?Sized), end: usize, order: Order) -> Option<Self> {
        if end >= rows.len() {
            return None;
        }
        let last = rows.row(end.checked_sub(1)?);
        if order == Order::OfTable && last.order.len() <= MAX_ORDER {
            return Some(Self::Place {
                order: last.order.to_string(),
                row: last.id.to_string(),
            });
        }
        let page = (0..end).rev().take(REMEMBERED).map(|at| rows.row(at).id.to_string());
        Some(Self::Rows {
            rows: page.collect(),
            position: end - 1,
        })
    }

    /// Where the next page begins among these rows.
    pub fn start(&self, rows: &(impl Listed + ?Sized), order: Order) -> usize {
        match self {
            Self::Place { order: text, row } if order == Order::OfTable => {
                let place = (text.as_str(), row.as_str());
                first_behind(rows, |other| (&*other.order, other.id.as_str()) <= place)
            }
            // The view was not sorted when the page before was made.
            Self::Place { row, .. } => rows.position(row, 0).map_or(0, |at| at + 1),
            Self::Rows {
                rows: known,
                position: at,
            } => {
                let behind = known.iter().find_map(|row| rows.position(row, *at));
                behind.map_or(*at, |at| at + 1).min(rows.len())
            }
        }
    }

    pub fn seal(&self, query: Query) -> String {
        let json = serde_json::to_vec(&(query, self)).expect("texts and numbers are JSON");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    pub fn open(text: &str, query: Query) -> Result<Self, BadCursor> {
        if text.len() > MAX_CHARACTERS {
            return Err(BadCursor::Unreadable);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor::Unreadable)?;
        let (of, cursor): (Query, Self) = serde_json::from_slice(&json).map_err(|_| BadCursor::Unreadable)?;
        match of == query {
            true => Ok(cursor),
            false => Err(BadCursor::OtherQuery),
        }
    }
}

/// The position of the first row that is not before the place; the rows are in the order of the table.
fn first_behind(rows: &(impl Listed + ?Sized), is_before: impl Fn(&RowEntry) -> bool) -> usize {
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match is_before(rows.row(middle)) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use automerge::ROOT;

    use super::*;
    fn rows(ids: &[&str]) -> Vec<Arc<RowEntry>> {
        let row = |id: &&str| {
            Arc::new(RowEntry {
                id: RowId::parse(&format!("b.{id}")).unwrap(),
                order: (*id).into(),
                deleted: None,
                object: ROOT,
            })
        };
        ids.iter().map(row).collect()
    }

    #[test]
    fn a_page_follows_the_place_of_a_row_that_is_gone() {
        let cursor = Cursor::behind(&*rows(&["a", "b", "c", "d"]), 2, Order::OfTable).unwrap();
        assert_eq!(cursor.start(&*rows(&["a", "b", "c", "d"]), Order::OfTable), 2);
        assert_eq!(cursor.start(&*rows(&["c", "d"]), Order::OfTable), 0);
        assert_eq!(cursor.start(&*rows(&["a", "a1", "b", "b1", "c"]), Order::OfTable), 3);
        assert_eq!(Cursor::behind(&*rows(&["a", "b"]), 2, Order::OfTable), None);
    }

    #[test]
    fn a_sorted_page_follows_the_last_row_that_is_still_there() {
        let cursor = Cursor::behind(&*rows(&["d", "c", "b", "a"]), 3, Order::OfCells).unwrap();
        assert_eq!(cursor.start(&*rows(&["d", "c", "b", "a"]), Order::OfCells), 3);
        assert_eq!(
            cursor.start(&*rows(&["c", "a"]), Order::OfCells),
            1,
            "b is gone, a is next"
        );
        assert_eq!(
            cursor.start(&*rows(&["x", "y", "z"]), Order::OfCells),
            2,
            "all are gone"
        );
        assert_eq!(cursor.start(&*rows(&[]), Order::OfCells), 0);
    }

    #[test]
    fn a_cursor_survives_its_text_and_no_other_query() {
        let (query, other) = (Query::of(["a", "b"]), Query::of(["ab", ""]));
        let cursor = Cursor::behind(&*rows(&["a", "b"]), 1, Order::OfTable).unwrap();
        let text = cursor.seal(query);
        assert_eq!(Cursor::open(&text, query), Ok(cursor));
        assert_eq!(Cursor::open(&text, other), Err(BadCursor::OtherQuery));
        for nonsense in ["", "x", "AAAA", &text[1..], &"A".repeat(5000)] {
            assert_eq!(Cursor::open(nonsense, query), Err(BadCursor::Unreadable), "{nonsense}");
        }
    }
}
