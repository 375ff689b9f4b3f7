//! Many edits of any kind in one request: one change, all of them or none.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::asked::Asked;
use super::super::bulk::routes::Done;
use super::super::bulk::{Slice, Work};
use super::super::etag;
use super::super::params::{At, PreferHeader};
use super::super::problem::{Code, Problem};
use super::super::responses::Begun;
use super::described::{Undone, Versioned, Writing};
use super::{Reader, change, check_version, stamp};
use crate::document::table::batch::slices;
use crate::document::table::{CHANGE_CELLS, Plan, TableIndex};
use crate::room::TableReading;
use crate::wire::table::{Edit, Made, Resolver, cells};

/// The most edits in one request, however it is done.
const MAX_EDITS: usize = 100_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// Done in this order, each on what those before it have made.
    #[schema(max_items = 100_000)]
    edits: Vec<Edit>,
}

/// What came of a batch.
#[derive(Serialize, ToSchema)]
pub(super) struct Outcomes {
    /// One for each edit.
    outcomes: Vec<Made>,
}

/// What is answered to a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the two answers")]
enum Edited {
    Batch(Versioned<Outcomes>),
    Bulk(Done),
}

/// Edits a table: up to 500 cells in one change, all or nothing. More is a bulk write: all of it is checked, then it is
/// committed in slices, behind the edits of people. After an interruption it goes on when it is sent again with its key.
#[utoipa::path(post, path = "/v1/tables/{table}/batch", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), Writing, PreferHeader),
    request_body = Batch,
    responses((status = 200, description = "the edits are on disk; a bulk write tells its size instead of outcomes",
            body = inline(Edited), headers(("ETag" = String))), Begun, Undone))]
pub(super) async fn edit(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let Batch { edits } = asked.json()?;
    if edits.len() > MAX_EDITS {
        let why = format!("a batch has at most {MAX_EDITS} edits, not {}", edits.len());
        return Err(Problem::new(Code::TooLarge, why).at("/edits"));
    }
    if cells(&edits) > CHANGE_CELLS {
        return bulk(&server, &table, asked, edits, Heavy::Batch).await;
    }
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| {
        for (number, edit) in edits.iter().enumerate() {
            reader.add(edit, &format!("/edits/{number}"))?;
        }
        Ok(())
    };
    change(&server, &table, &asked, read, |_, outcomes| {
        Answer::ok(Outcomes {
            outcomes: outcomes.iter().map(Made::from).collect(),
        })
    })
    .await
}

/// Which request is too heavy for one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heavy {
    /// A batch: its edits stand at `/edits`.
    Batch,
    /// Rows to be inserted: one edit, which is the body.
    Rows,
}

impl Heavy {
    /// Where an edit stands in the body.
    fn place(self, number: usize) -> String {
        match self {
            Heavy::Batch => format!("/edits/{number}"),
            Heavy::Rows => String::new(),
        }
    }
}

/// Edits that are more than one change may hold: checked together, then written slice by slice.
pub(super) async fn bulk(
    server: &Arc<Server>,
    table: &str,
    asked: Asked,
    edits: Vec<Edit>,
    heavy: Heavy,
) -> Result<Response, Problem> {
    let document = server.table_id(table).await?;
    let versions = etag::if_match(&asked.headers);
    let check = move |reading: &TableReading, mut randomness: SmallRng| {
        let (document, index) = (reading.document(), reading.index());
        let count = cells(&edits);
        let wishes = {
            let mut reader = Resolver::new(document, index.columns(), &mut randomness);
            for (number, edit) in edits.iter().enumerate() {
                reader.add(edit, &heavy.place(number))?;
            }
            reader.finish()
        };
        check_version(document, index, versions.as_ref(), &wishes.edits)?;
        // Ids drawn here are not those that will be written, so they come from elsewhere.
        Plan::new(document, index, &wishes.edits, &stamp(), &mut rand::rng())
            .map_err(|refused| Problem::from(wishes.mistake(&refused)))?;
        let slices = slices(wishes.edits, &mut randomness);
        Ok(Work {
            slices: slices.len(),
            cells: count,
            make: Box::new(slices.into_iter().map(Slice::Edits)),
            about: Map::new(),
        })
    };
    server.bulk_into(document, asked, check).await
}
