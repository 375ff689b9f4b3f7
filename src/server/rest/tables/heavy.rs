//! Requests that write more than one change may hold: all of it is checked together, then it is written in bulk.

use std::sync::Arc;

use automerge::Automerge;
use axum::response::Response;
use rand::rngs::SmallRng;
use serde_json::Map;

use super::super::super::Server;
use super::super::asked::Asked;
use super::super::bulk::{Slice, Work};
use super::super::etag::{self, Named};
use super::super::problem::{Code, Problem};
use super::stamp;
use super::table::NewTable;
use crate::document::table::batch::slices;
use crate::document::table::{Plan, TableIndex, create};
use crate::id::DocumentId;
use crate::room::TableReading;
use crate::wire::table::{Edit, InsertRows, Mistake, Resolver, cells};

/// A request that is more than one change may hold.
pub(super) enum Heavy {
    /// Edits, which stand at `/edits`.
    Edits { table: String, edits: Vec<Edit> },
    /// Rows; the body is the one edit.
    Rows { table: String, insert: InsertRows },
    /// A table with its rows, and the id it is to have.
    Table { id: DocumentId, new: NewTable },
}

/// Does what is too heavy for one change.
pub(super) async fn bulk(server: &Arc<Server>, asked: Asked, heavy: Heavy) -> Result<Response, Problem> {
    let (table, edits) = match heavy {
        Heavy::Edits { table, edits } => {
            let placed = edits.into_iter().enumerate();
            let edits = placed.map(|(number, edit)| (edit, format!("/edits/{number}")));
            (table, edits.collect::<Vec<_>>())
        }
        Heavy::Rows { table, insert } => (table, vec![(Edit::from(insert), String::new())]),
        Heavy::Table { id, new } => return new_table(server, asked, id, new).await,
    };
    if let Some(Named::These(_)) = etag::if_match(&asked.headers) {
        let why = "If-Match is for writes of at most 500 cells: while a larger one is written, others edit on";
        return Err(Problem::new(Code::Refused, why));
    }
    let document = server.table_id(&table).await?;
    let check = move |reading: &TableReading, randomness: SmallRng| {
        let (document, index) = (reading.document(), reading.index());
        let count = edits.iter().map(|(edit, _)| cells(std::slice::from_ref(edit))).sum();
        let read = |reader: &mut Reader<'_>| edits.iter().try_for_each(|(edit, place)| reader.add(edit, place));
        work(document, index, count, randomness, read)
    };
    server.bulk_into(document, asked, check).await
}

/// The table first, then its columns and rows as they would be written into one that is empty.
async fn new_table(server: &Arc<Server>, asked: Asked, id: DocumentId, new: NewTable) -> Result<Response, Problem> {
    let check = move |randomness: SmallRng| {
        let mut empty = Automerge::new();
        let begun = empty.transact(|tx| create(tx, &new.title));
        begun.map_err(|failure| Problem::new(Code::Refused, failure.error.to_string()))?;
        let index = TableIndex::build(&empty).map_err(|error| Problem::new(Code::Failed, error.to_string()))?;
        let read = |reader: &mut Reader<'_>| reader.new_table(&new.columns, &new.rows);
        let mut work = work(&empty, &index, new.cells(), randomness, read)?;
        let table = Slice::Table {
            title: new.title.clone(),
        };
        work.slices += 1;
        work.make = Box::new(std::iter::once(table).chain(work.make));
        Ok(work)
    };
    server.bulk_new(id, asked, check).await
}

/// What reads the edits of a request.
type Reader<'a> = Resolver<'a, Automerge, SmallRng>;

/// The slices of what `read` reads, of so many cells, on this version of a table.
fn work(
    document: &Automerge,
    index: &TableIndex,
    cells: usize,
    mut randomness: SmallRng,
    read: impl FnOnce(&mut Reader<'_>) -> Result<(), Mistake>,
) -> Result<Work, Problem> {
    let wishes = {
        let mut reader = Resolver::new(document, index.columns(), &mut randomness);
        read(&mut reader)?;
        reader.finish()
    };
    // The ids that this plan draws are not those that will be written: they come from elsewhere.
    Plan::new(document, index, &wishes.edits, &stamp(), &mut rand::rng())
        .map_err(|refused| Problem::from(wishes.mistake(&refused)))?;
    let slices = slices(wishes.edits, &mut randomness);
    Ok(Work {
        slices: slices.len(),
        cells,
        make: Box::new(slices.into_iter().map(Slice::Edits)),
        about: Map::new(),
    })
}
