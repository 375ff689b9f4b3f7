//! Many edits of any kind in one request: one change, all of them or none.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::bulk::routes::Done;
use super::super::params::WriteHeaders;
use super::super::params::{At, PreferHeader};
use super::super::problem::{Code, Problem};
use super::super::responses::Begun;
use super::super::responses::WritingTable;
use super::heavy::{Heavy, bulk};
use super::{Reader, change};
use crate::document::table::{CHANGE_CELLS, TableIndex};
use crate::wire::table::{Edit, Made, cells};

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
    params(("table" = String, Path, description = "a table's id or address"), WriteHeaders, PreferHeader),
    request_body = Batch,
    responses((status = 200, description = "the edits are on disk; a bulk write tells its size instead of outcomes",
            body = inline(Edited), headers(("ETag" = String))), Begun, WritingTable))]
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
        return bulk(&server, asked, Heavy::Edits { table, edits }).await;
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
