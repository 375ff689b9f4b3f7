//! Many lists of edits planned together, each taken whole or not at all.
//!
//! Whoever was offline sends many changes at once. They are written as one Automerge change, but what is refused of one must
//! not take down the others: so each list is planned behind those that were taken, and what it has planned is taken back if
//! it is refused.
//!
//! Lists may also be planned for an earlier version of the document, to be written there. The index is still that of the
//! present version: no index of an old one is at hand, and making one takes a second. So only edits of cells and marks can be
//! planned for an earlier version, which ask nothing of it but whether rows and columns are there.

use automerge::ReadDoc;
use rand::Rng;

use super::views::Views;
use super::{Outcome, Plan, Planner, Refusal, Refused, Stamp, TableEdit};
use crate::document::table::{Column, TableIndex};

/// Lists of edits under plan.
pub struct Planning<'a, D, R> {
    planner: Planner<'a, D, R>,
}

/// How far a planning was.
#[derive(Debug)]
pub struct Mark {
    writes: usize,
    rows: usize,
    blocks: usize,
    cells: usize,
    is_placed: bool,
    /// Not of an earlier version: there they are only what has been looked up.
    columns: Option<Option<Vec<Column>>>,
    views: Option<Views>,
}

impl<'a, D: ReadDoc, R: Rng> Planning<'a, D, R> {
    /// For the present version, which the index is of.
    pub fn now(document: &'a D, index: &'a TableIndex, stamp: &'a Stamp, rng: R) -> Self {
        let planner = Planner::new(document, index, stamp, rng).revocable();
        Self { planner }
    }

    /// For an earlier version, which `document` shows. The index is of the present one.
    pub fn then(document: &'a D, index: &'a TableIndex, stamp: &'a Stamp, rng: R) -> Self {
        let mut planner = Planner::new(document, index, stamp, rng).revocable();
        planner.is_earlier = true;
        planner.columns = Some(Vec::new());
        Self { planner }
    }

    /// Plans one more edit. After a refusal the planning is to be taken back to a mark before it.
    pub fn plan(&mut self, edit: &TableEdit) -> Result<Outcome, Refusal> {
        if self.planner.is_earlier {
            match edit {
                TableEdit::Cell { column, .. } => self.planner.recall_column(column),
                TableEdit::DeleteRows(_) | TableEdit::RestoreRows(_) => {}
                _ => return Err(Refusal::NotEarlier),
            }
        }
        self.planner.plan(edit)
    }

    /// Plans a whole list of edits, or nothing.
    pub fn plan_all(&mut self, edits: &[TableEdit]) -> Result<Vec<Outcome>, Refused> {
        let mark = self.mark();
        let mut outcomes = Vec::with_capacity(edits.len());
        for (number, edit) in edits.iter().enumerate() {
            match self.plan(edit) {
                Ok(outcome) => outcomes.push(outcome),
                Err(why) => {
                    self.back_to(mark);
                    let why = Box::new(why);
                    return Err(Refused { edit: number, why });
                }
            }
        }
        Ok(outcomes)
    }

    pub fn mark(&self) -> Mark {
        let planner = &self.planner;
        Mark {
            writes: planner.writes.len(),
            rows: planner.rows.mark(),
            blocks: planner.blocks.mark(),
            cells: planner.cells.mark(),
            is_placed: planner.is_placed,
            columns: (!planner.is_earlier).then(|| planner.columns.clone()),
            views: planner.views.clone(),
        }
    }

    /// Takes back everything planned since the mark. Marks made since mean nothing any more.
    pub fn back_to(&mut self, mark: Mark) {
        let planner = &mut self.planner;
        planner.writes.truncate(mark.writes);
        planner.rows.back_to(mark.rows);
        planner.blocks.back_to(mark.blocks);
        planner.cells.back_to(mark.cells);
        planner.is_placed = mark.is_placed;
        if let Some(columns) = mark.columns {
            planner.columns = columns;
            planner.column_places.take();
        }
        planner.views = mark.views;
        // It is made anew of what is planned, when somebody asks for it.
        planner.lane = None;
    }

    /// The plan of everything that was taken; its outcomes were told before.
    pub fn finish(self) -> Plan {
        Plan {
            writes: self.planner.writes,
            outcomes: Vec::new(),
        }
    }
}
