//! Edits of the model, with the places in the request that they come from.

use std::collections::HashMap;

use super::{Mistake, step};
use crate::document::table::batch::RowRef;
use crate::document::table::{ColumnId, NewRow, Refusal, Refused, RowId, TableEdit};

/// Edits of the model, and where each of them was sent.
#[derive(Debug, Default)]
pub struct Wishes {
    pub edits: Vec<TableEdit>,
    pub(super) places: Vec<String>,
    /// What the sender calls columns that are not named by their ids.
    pub(super) spelled: HashMap<ColumnId, String>,
}

impl Wishes {
    /// Where an edit was sent.
    pub fn place(&self, edit: usize) -> &str {
        self.places.get(edit).map_or("", String::as_str)
    }

    /// What the sender did wrong, of a refusal of these edits.
    pub fn mistake(&self, refused: &Refused) -> Mistake {
        let place = self.place(refused.edit);
        let inside = match self.edits.get(refused.edit) {
            Some(TableEdit::InsertRows { rows, .. }) => self.place_among(rows, &refused.why),
            _ => String::new(),
        };
        Mistake::new(format!("{place}{inside}"), &refused.why)
    }

    fn place_among(&self, rows: &[NewRow], why: &Refusal) -> String {
        let with_id = |id: &RowId| rows.iter().position(|row| row.id.as_ref() == Some(id));
        match why {
            Refusal::WrongValue { row, column, .. } => {
                let number = match row {
                    RowRef::New(number) => Some(*number),
                    RowRef::Id(id) => with_id(id),
                };
                let name = self.spelled.get(column).map_or(column.as_str(), String::as_str);
                number.map_or_else(String::new, |number| format!("/rows/{number}/cells{}", step(name)))
            }
            Refusal::RowExists(id) => with_id(id).map_or_else(String::new, |number| format!("/rows/{number}/id")),
            _ => String::new(),
        }
    }
}
