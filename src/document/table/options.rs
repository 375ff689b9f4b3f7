//! The options of a select or multiselect column.
//!
//! Options are a map by id, so that two people adding options at once both win, and a cell keeps its option while it is
//! renamed. Since a map has no order, each carries an order key like rows and columns do.

use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};

use super::id::is_part;

/// The most options of one column.
pub const MAX_OPTIONS: usize = 1000;

/// Colours for options that nobody has chosen one for. Each is a CSS colour, so that every front end can show it. Gray says
/// nothing and comes last.
const COLORS: [&str; 10] = [
    "red", "orange", "gold", "green", "teal", "blue", "purple", "pink", "brown", "gray",
];

/// The colour for the option at this place of its column.
pub fn color_in_turn(at: usize) -> &'static str {
    COLORS[at % COLORS.len()]
}

/// One choice of a select or multiselect column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectOption {
    /// The key in the column's `options`, and what a cell holds.
    pub id: String,
    pub name: String,
    /// A CSS colour or a name the front end knows.
    pub color: Option<String>,
    /// The order text as it stands.
    pub order: String,
}

/// An option as somebody wants it: a known id changes that option, none makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewOption {
    pub id: Option<String>,
    pub name: String,
    pub color: Option<String>,
}

impl SelectOption {
    #[cfg(test)]
    pub fn named(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            color: None,
            order: String::new(),
        }
    }
}

/// A new id: `o` and random characters.
pub fn random_id(rng: &mut impl Rng) -> String {
    format!("o{}", Alphanumeric.sample_string(rng, 8))
}

/// What may be the id of an option: it becomes a key of the document and a value of cells.
pub fn is_id(id: &str) -> bool {
    is_part(id)
}
