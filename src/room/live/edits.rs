//! Changes that come in at the live door.

use std::sync::Arc;
use std::time::Instant;

use rand::Rng;

use super::wish::{Accepted, NotTaken, Wish};
use crate::document::table::Stamp;
use crate::room::commit::Writer;
use crate::room::edit::Edited;
use crate::room::room::Room;
use crate::store::Place;
use crate::sync::log::Heads;

/// Who writes, and what they were shown.
#[derive(Debug, Clone)]
pub struct Hand<'a> {
    pub writer: &'a Writer,
    /// Who deletes, and when.
    pub stamp: &'a Stamp,
    /// The version that the connection was sent last.
    pub shown: Option<Heads>,
    pub now: Instant,
}

/// Why nothing can be said of wishes.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The document is asleep: wake it and try again.
    #[error("the document is asleep")]
    NotAwake,
    /// The library failed and the document is loaded anew, or the disk could not be read.
    #[error("the document could not take the edits: {0}")]
    Failed(String),
}

/// What came of each wish. To be told once [`Edited::seen`] is on disk.
pub type Granted = Edited<Vec<Result<Accepted, NotTaken>>>;

impl Room {
    /// Grants wishes of one client about this table, in their order, each once. `place` has room for a change and a note of
    /// each; refusals of one leave the others.
    pub fn grant(
        self: &Arc<Self>,
        place: Place,
        hand: &Hand<'_>,
        wishes: &[Wish],
        rng: &mut impl Rng,
    ) -> Result<Granted, NotDone> {
        let _ = (place, hand, wishes, rng);
        Err(NotDone::Failed("it is not built yet".into()))
    }
}
