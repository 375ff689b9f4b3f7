//! An import as a whole new document, for whoever has no server around it.

use automerge::{ActorId, Automerge};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Import;
use crate::document::table::batch::{EditFailed, Stamp};
use crate::document::table::{CreateError, NotATable, TableIndex, batch, create};

/// Why a table was not made. An import that was checked fits an empty table, so these are faults of this program or of
/// the library.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error("the table could not be made: {0}")]
    Edit(#[from] EditFailed),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error("the table that was made cannot be read: {0}")]
    NotATable(#[from] NotATable),
}

/// A table of this title, made in one change for itself and its columns and then one for each slice.
pub fn new_document(title: &str, import: Import, mut rng: impl Rng) -> Result<Automerge, MakeError> {
    let actor = ActorId::from(rng.random::<[u8; 16]>());
    let mut document = Automerge::new().with_actor(actor);
    let slices = import.slices(SmallRng::from_rng(&mut rng));
    document
        .transact(|tx| create(tx, title))
        .map_err(|failed| failed.error)?;
    let mut index = TableIndex::build(&document)?;
    let stamp = Stamp {
        at: 0,
        by: String::new(),
    };
    for slice in slices {
        let done = document.transact(|tx| batch::edit(tx, &index, &slice.edits, &stamp, &mut rng));
        done.map_err(|failed| failed.error)?;
        index.follow(&document)?;
    }
    Ok(document)
}
