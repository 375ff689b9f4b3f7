//! Which column is meant: by its id, or by its name where only one column has it.
//!
//! People call columns what they like, programs written against a table use these names, and two people may choose the same
//! one. So a name is taken as long as it is unique, and an id always; a text that is both is the id. Deleted columns are
//! found by id alone: what their names were is free for others.

use std::collections::HashMap;

use crate::document::table::{self, ColumnId};

/// How many of a table's columns a message lists.
const LISTED: usize = 20;

/// Why a text names no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unnamed {
    #[error("there is no column {name:?}; {there}")]
    Unknown { name: String, there: String },
    #[error("{} columns are called {name:?}: name the one you mean by its id ({})", ids.len(), list(ids))]
    Ambiguous { name: String, ids: Vec<ColumnId> },
}

/// The columns of a table, as one can name them.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// All columns, deleted ones included: their present names, and whether they are there.
    known: HashMap<ColumnId, (String, bool)>,
    /// Those that are there, by name, in the order of the table.
    by_name: HashMap<String, Vec<ColumnId>>,
}

impl Names {
    pub fn of(columns: &[table::Column]) -> Self {
        let mut names = Self::default();
        for column in columns {
            let live = column.deleted.is_none();
            names.known.insert(column.id.clone(), (column.name.clone(), live));
            if live {
                names.call(&column.name, &column.id);
            }
        }
        names
    }

    /// The column that is meant.
    pub fn find(&self, text: &str) -> Result<ColumnId, Unnamed> {
        if let Ok(id) = ColumnId::parse(text)
            && self.known.contains_key(&id)
        {
            return Ok(id);
        }
        match self.by_name.get(text).map(Vec::as_slice) {
            Some([id]) => Ok(id.clone()),
            Some(ids @ [_, _, ..]) => Err(Unnamed::Ambiguous {
                name: short(text),
                ids: ids.to_vec(),
            }),
            _ => Err(Unnamed::Unknown {
                name: short(text),
                there: self.there(),
            }),
        }
    }

    /// Whether exactly one column has this name, and the name is no column's id.
    pub fn is_unique(&self, name: &str) -> bool {
        let is_id = ColumnId::parse(name).is_ok_and(|id| self.known.contains_key(&id));
        !is_id && self.by_name.get(name).is_some_and(|ids| ids.len() == 1)
    }

    /// A column was added or is called so from here on.
    pub(super) fn named(&mut self, id: &ColumnId, name: &str) {
        self.forget(id);
        self.known.insert(id.clone(), (name.to_owned(), true));
        self.call(name, id);
    }

    pub(super) fn deleted(&mut self, id: &ColumnId) {
        self.forget(id);
        if let Some((_, live)) = self.known.get_mut(id) {
            *live = false;
        }
    }

    pub(super) fn restored(&mut self, id: &ColumnId) {
        if let Some((name, _)) = self.known.get(id).cloned() {
            self.named(id, &name);
        }
    }

    fn call(&mut self, name: &str, id: &ColumnId) {
        self.by_name.entry(name.to_owned()).or_default().push(id.clone());
    }

    fn forget(&mut self, id: &ColumnId) {
        if let Some((name, true)) = self.known.get(id)
            && let Some(ids) = self.by_name.get_mut(name)
        {
            ids.retain(|other| other != id);
        }
    }

    /// What there is, for a message.
    fn there(&self) -> String {
        let live = self.known.iter().filter(|(_, (_, live))| *live);
        let mut live: Vec<_> = live
            .map(|(id, (name, _))| format!("{:?} ({id})", short(name)))
            .collect();
        live.sort_unstable();
        let more = live.len().saturating_sub(LISTED);
        live.truncate(LISTED);
        match (live.is_empty(), more) {
            (true, _) => "the table has none".into(),
            (false, 0) => format!("there are {}", live.join(", ")),
            (false, more) => format!("there are {} and {more} more", live.join(", ")),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn list(ids: &[ColumnId]) -> String {
    let ids: Vec<_> = ids.iter().take(LISTED).map(ColumnId::as_str).collect();
    ids.join(", ")
}
