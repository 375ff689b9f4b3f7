//! Options of select and multiselect columns, by their names.
//!
//! A name is that of an option if it is written the same, or else if only the case differs. What no option of the table is
//! called becomes a new one. Of options of one name, the first is meant.

use std::collections::{HashMap, HashSet};

use rand::Rng;

use super::{ImportError, Source, wrong};
use crate::document::sheet::{Hint, Sheet, convert};
use crate::document::table::Column;
use crate::document::table::options::{self, MAX_OPTIONS, NewOption};

/// The options of one column of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct OptionNames {
    /// Ids by name, and by name in lower case.
    exact: HashMap<String, String>,
    folded: HashMap<String, String>,
    /// Options to be made, in order, with their colours. Those of a new column come first as the file lists them.
    fresh: Vec<(String, Option<String>)>,
    /// Options that are there already.
    there: usize,
}

impl OptionNames {
    pub fn new(column: Option<&Column>, hint: Option<&Hint>) -> Self {
        let mut names = Self::default();
        for option in column.iter().flat_map(|column| &column.options) {
            names
                .exact
                .entry(option.name.clone())
                .or_insert_with(|| option.id.clone());
            names
                .folded
                .entry(option.name.to_lowercase())
                .or_insert_with(|| option.id.clone());
            names.there += 1;
        }
        names.fresh = hint.map_or_else(Vec::new, |hint| hint.options.clone());
        names
    }

    /// The id of the option that a field means.
    pub fn id(&self, name: &str) -> Option<String> {
        let name_as = |name: &str| self.exact.get(name).cloned();
        name_as(name)
            .or_else(|| name_as(name.trim()))
            .or_else(|| self.folded.get(&name.trim().to_lowercase()).cloned())
    }

    /// Gives the new options their ids; what there is to add.
    pub fn draw(&mut self, rng: &mut impl Rng) -> Vec<NewOption> {
        let fresh = std::mem::take(&mut self.fresh);
        let option = |(name, color): (String, Option<String>)| {
            let id = options::random_id(rng);
            self.exact.entry(name.clone()).or_insert_with(|| id.clone());
            NewOption {
                id: Some(id),
                name,
                color,
            }
        };
        fresh.into_iter().map(option).collect()
    }
}

/// Finds the names of all options that are not there yet.
pub(super) fn collect(sheet: &Sheet, sources: &mut [Source]) -> Result<(), ImportError> {
    let mut by_column: HashMap<usize, (&mut Source, HashSet<String>)> = sources
        .iter_mut()
        .filter(|source| source.kind.has_options())
        .map(|source| {
            let named = source.options.fresh.iter().map(|(name, _)| name.clone()).collect();
            (source.at, (source, named))
        })
        .collect();
    if by_column.is_empty() {
        return Ok(());
    }
    for row in 0..sheet.rows() {
        for (column, field) in sheet.fields(row) {
            let Some((source, seen)) = by_column.get_mut(&column) else {
                continue;
            };
            let names = convert::option_names(&source.kind, &field);
            for name in names.map_err(|_| wrong(sheet, row, column, &source.kind))? {
                if seen.contains(&*name) || seen.contains(name.trim()) || source.options.id(&name).is_some() {
                    continue;
                }
                if source.options.there + source.options.fresh.len() >= MAX_OPTIONS {
                    return Err(ImportError::TooManyOptions {
                        at: sheet.at(row),
                        column: sheet.names()[column].clone(),
                    });
                }
                // Blanks around a name count only where quotes say so.
                let name = match source.kind {
                    crate::document::table::Kind::Select => name.trim().to_owned(),
                    _ => name.into_owned(),
                };
                seen.insert(name.clone());
                let color = options::color_in_turn(source.options.there + source.options.fresh.len());
                source.options.fresh.push((name, Some(color.to_owned())));
            }
        }
    }
    Ok(())
}
