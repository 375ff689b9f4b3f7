//! Pages of rows: which rows of a query are on a page, and the page as it is sent.
//!
//! Which rows there are is known at once: from the index, or from the rows of a view that the room keeps. Their cells are read
//! under the lock of the document as long as few are asked for between two commits, and otherwise from a copy. What goes over
//! all rows (figures, groups, a view that nobody has asked for lately) is done on a copy as well.

use std::sync::Arc;

use automerge::{ChangeHash, ReadDoc};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::super::etag;
use super::super::problem::{Code, Problem};
use super::cursor::{Cursor, Listed};
use super::query::{Rows, Viewed};
use crate::document::crdt::Document;
use crate::document::table::{NotATable, RowEntry, TableIndex};
use crate::document::view::{self, View, ViewRows};
use crate::room::{Room, TableReading, Views};
use crate::wire::table::{Grouping, Row, Shown, Skipped};

/// A page of rows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowsPage {
    rows: Vec<Row>,
    /// What to give as `cursor` for the next page; `null` on the last one.
    next: Option<String>,
    /// How many rows the query has, on all pages.
    row_count: usize,
    /// The version that the page was made from. Pages of one walk may be of several.
    version: String,
    /// What of the view is not followed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    skipped: Vec<Skipped>,
    /// All groups of the query, if there is something to group by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    groups: Option<Vec<Grouping>>,
    /// One figure for each aggregate, over all rows of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<serde_json::Value>, required = false)]
    totals: Option<Vec<Json>>,
}

/// What came of looking at the live table.
pub(super) enum Looked {
    Page(Vec<u8>),
    Apart(Apart),
}

/// A page that is still to be made, on a copy of the table.
pub(super) struct Apart {
    reading: Arc<TableReading>,
    /// None if it is not known yet which rows are on it.
    cut: Option<Cut>,
}

/// A page whose cells are still to be read.
struct Cut {
    rows: Vec<Arc<RowEntry>>,
    shown: Shown,
    page: RowsPage,
}

/// Makes the page under the lock of the document, as far as that is done in no time.
pub(super) fn look(
    document: &Document,
    index: &TableIndex,
    views: &mut Views<'_>,
    query: &Rows,
) -> Result<Looked, Problem> {
    let cut = match query.is_plain() {
        true if query.deleted => None,
        true => Some(live(index, query)?),
        false => {
            let viewed = query.viewed(document.automerge(), index.columns())?;
            let rows = (!has_figures(&viewed.view)).then(|| views.rows(&viewed.view)).flatten();
            rows.map(|rows| of_view(index, rows, viewed.skipped, query))
                .transpose()?
        }
    };
    let not_a_table = |why: NotATable| Problem::new(Code::NotATable, why.to_string());
    let Some(cut) = cut else {
        let reading = views.reading().map_err(not_a_table)?;
        return Ok(Looked::Apart(Apart { reading, cut: None }));
    };
    match views.reading_for(cut.cells()).map_err(not_a_table)? {
        None => cut.read(document.automerge(), index.heads()).map(Looked::Page),
        Some(reading) => Ok(Looked::Apart(Apart {
            reading,
            cut: Some(cut),
        })),
    }
}

impl Apart {
    /// Heavy. The rows of a view that are made for it are left to the room, for the next who asks.
    pub fn page(self, room: &Room, query: &Rows) -> Result<Vec<u8>, Problem> {
        let (document, index) = (self.reading.document(), self.reading.index());
        let cut = match self.cut {
            Some(cut) => cut,
            None if query.is_plain() => deleted(index, query)?,
            None => {
                let Viewed { view, skipped } = query.viewed(document, index.columns())?;
                if has_figures(&view) {
                    with_figures(&self.reading, &view, skipped, query)?
                } else {
                    let rows = self.reading.view_rows(&view);
                    let cut = of_view(index, &rows, skipped, query)?;
                    room.keep_view_rows(rows);
                    cut
                }
            }
        };
        cut.read(document, index.heads())
    }
}

/// Whether a view is more than rows in an order: its groups and aggregates are made of all cells of their columns.
fn has_figures(view: &View) -> bool {
    !(view.group.is_empty() && view.aggregates.is_empty())
}

/// All rows, as they stand.
fn live(index: &TableIndex, query: &Rows) -> Result<Cut, Problem> {
    let shown = query.showing.columns(index, None)?;
    Ok(Cut::new(index.live(), query, shown, Order::OfTable))
}

/// All deleted rows, as they stand.
fn deleted(index: &TableIndex, query: &Rows) -> Result<Cut, Problem> {
    let rows = index.rows().iter().filter(|row| row.deleted.is_some());
    let rows: Vec<Arc<RowEntry>> = rows.cloned().collect();
    let shown = query.showing.columns(index, None)?;
    Ok(Cut::new(&*rows, query, shown, Order::OfTable))
}

/// The rows of a view.
fn of_view(index: &TableIndex, rows: &ViewRows, skipped: Vec<Skipped>, query: &Rows) -> Result<Cut, Problem> {
    let shown = query.showing.columns(index, Some(rows.columns()))?;
    let cut = Cut::new(rows, query, shown, Order::of(rows.view()));
    Ok(cut.skipping(skipped, rows.skipped()))
}

/// The rows of a view, with what it says of all of them.
fn with_figures(reading: &TableReading, view: &View, skipped: Vec<Skipped>, query: &Rows) -> Result<Cut, Problem> {
    let evaluated = reading.evaluate(view);
    let shown = query.showing.columns(reading.index(), Some(&evaluated.columns))?;
    let mut cut = Cut::new(&*evaluated.rows, query, shown, Order::of(view)).skipping(skipped, &evaluated.skipped);
    let groups = evaluated.groups.iter().map(Grouping::from);
    cut.page.groups = (!view.group.is_empty()).then(|| groups.collect());
    cut.page.totals = (!view.aggregates.is_empty()).then(|| evaluated.totals.clone());
    Ok(cut)
}

/// What rows stand by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OfTable,
    OfCells,
}

impl Order {
    fn of(view: &View) -> Self {
        match view.sort.is_empty() && view.group.is_empty() {
            true => Self::OfTable,
            false => Self::OfCells,
        }
    }
}

impl Cut {
    /// The page that the query's cursor and limit cut from these rows.
    fn new(rows: &(impl Listed + ?Sized), query: &Rows, shown: Shown, order: Order) -> Self {
        let start = query.cursor.as_ref().map_or(0, |cursor| cursor.start(rows, order));
        let end = rows.len().min(start + query.limit);
        let next = Cursor::behind(rows, end, order);
        let page = RowsPage {
            rows: Vec::new(),
            next: next.map(|cursor| cursor.seal(query.query)),
            row_count: rows.len(),
            version: String::new(),
            skipped: Vec::new(),
            groups: None,
            totals: None,
        };
        let rows = (start..end).map(|at| rows.row(at).clone()).collect();
        Self { rows, shown, page }
    }

    /// Says what of the stored view, and of the view on this table, is not followed.
    fn skipping(mut self, mut stored: Vec<Skipped>, here: &[view::Skipped]) -> Self {
        stored.extend(here.iter().map(Skipped::from));
        self.page.skipped = stored;
        self
    }

    fn cells(&self) -> usize {
        self.rows.len() * self.shown.len()
    }

    fn read(mut self, document: &impl ReadDoc, heads: &[ChangeHash]) -> Result<Vec<u8>, Problem> {
        self.page.rows = self.rows.iter().map(|row| self.shown.row(document, row)).collect();
        self.page.version = etag::of(heads).trim_matches('"').to_owned();
        serde_json::to_vec(&self.page).map_err(|error| Problem::new(Code::Failed, error.to_string()))
    }
}
