//! Where a row stands in a view.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::compare::SortKey;
use crate::document::table::{RowEntry, RowId};

/// Where a row stands in a view: its values in the columns that the view is grouped and sorted by, then its place in the
/// table, then its id. Keys of one view are in a total order, and two of them are equal if they name the same place of the
/// same row; keys of different views have nothing to say to each other. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ViewKey(Arc<Standing>);

#[derive(Debug)]
struct Standing {
    row: Arc<RowEntry>,
    /// In the order in which they count.
    values: Box<[SortKey]>,
    /// For each value, whether its column is sorted downwards.
    descending: Arc<Vec<bool>>,
}

impl ViewKey {
    pub(super) fn new(row: Arc<RowEntry>, values: Box<[SortKey]>, descending: Arc<Vec<bool>>) -> Self {
        Self(Arc::new(Standing {
            row,
            values,
            descending,
        }))
    }

    /// The row, as it was when it was placed.
    pub fn row(&self) -> &Arc<RowEntry> {
        &self.0.row
    }
}

impl Ord for ViewKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (&*self.0, &*other.0);
        let values = one.values.iter().zip(&two.values).zip(&*one.descending);
        let by_values = values
            .map(|((a, b), descending)| a.compare(b, *descending))
            .find(|order| order.is_ne());
        by_values.unwrap_or_else(|| one.row.place().cmp(&two.row.place()))
    }
}

impl PartialOrd for ViewKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ViewKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ViewKey {}

/// A key that is found by the id of its row: a set of these is a map without a second copy of the ids.
#[derive(Debug, Clone)]
pub(super) struct ById(pub ViewKey);

impl Borrow<RowId> for ById {
    fn borrow(&self) -> &RowId {
        &self.0.row().id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.row().id.hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.row().id == other.0.row().id
    }
}

impl Eq for ById {}
