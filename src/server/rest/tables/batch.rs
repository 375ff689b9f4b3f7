//! Many edits of any kind in one request: one change, all of them or none.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::asked::Asked;
use super::super::problem::{Code, Problem};
use super::described::{Undone, Versioned, Writing};
use super::table::NewTable;
use super::{At, Reader, change};
use crate::document::table::{CHANGE_CELLS, TableIndex};
use crate::wire::table::{Edit, InsertRows, Made, cells};

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

/// Edits a table: up to 500 cells in one change, all or nothing.
#[utoipa::path(post, path = "/v1/tables/{table}/batch", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), Writing),
    request_body = Batch,
    responses((status = 200, body = inline(Versioned<Outcomes>), headers(("ETag" = String))), Undone))]
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
        return bulk(&server, &asked, Heavy::Edits { table, edits }).await;
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

/// A request that is more than one change may hold.
pub(super) enum Heavy {
    /// Edits, which stand at `/edits`.
    Edits {
        table: String,
        edits: Vec<Edit>,
    },
    Rows {
        table: String,
        insert: InsertRows,
    },
    Table(NewTable),
}

/// Does what is too heavy for one change.
pub(super) async fn bulk(server: &Server, _: &Asked, heavy: Heavy) -> Result<Response, Problem> {
    let (table, field, weight) = match &heavy {
        Heavy::Edits { table, edits } => (Some(table), "/edits", cells(edits)),
        Heavy::Rows { table, insert } => (Some(table), "/rows", insert.cells()),
        Heavy::Table(new) => (None, "/rows", new.cells()),
    };
    if let Some(table) = table {
        server.find(&server.table_id(table).await?).await?;
    }
    let why = format!("one change writes at most {CHANGE_CELLS} cells, this would write {weight}: send it in parts");
    Err(Problem::new(Code::TooLarge, why).at(field))
}
