//! A table as a whole: made, described, renamed, and what people did to it at once.

use std::sync::Arc;

use automerge::transaction::Transaction;
use automerge::{Automerge, ChangeHash};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::super::super::Server;
use super::super::answer::Answer;
use super::super::answer::Versioned;
use super::super::asked::Asked;
use super::super::bulk::routes::Done;
use super::super::desk::off_runtime;
use super::super::names::{self, Place};
use super::super::params::{At, PreferHeader, ReadHeaders, WriteHeaders};
use super::super::problem::Problem;
use super::super::responses::{Begun, ReadingTable, WritingTable};
use super::super::write::Refused;
use super::heavy::{Heavy, bulk};
use super::rows::NewRows;
use super::{Reader, change, respond, stamp, views};
use crate::document::table::batch::MAX_NAME_BYTES;
use crate::document::table::conflicts::{self, CellConflict, ColumnConflict, RowConflict};
use crate::document::table::{CHANGE_CELLS, Plan, Refusal, TableIndex, columns_of, create as begin};
use crate::id::DocumentId;
use crate::wire::table::{Column, Edit, Mark, Mistake, NewColumn, NewRow, Resolver, View};

/// A table to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTable {
    #[schema(max_length = 1024, example = "Budget")]
    pub title: String,
    #[serde(default)]
    pub columns: Vec<NewColumn>,
    /// Cells by the names or the ids of the columns above.
    #[serde(default)]
    pub rows: Vec<NewRow>,
    /// The base in which it gets a name.
    #[serde(default)]
    base: Option<String>,
    /// Its name in the base.
    #[serde(default)]
    name: Option<String>,
}

/// A table that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeTable {
    /// Its id.
    table: String,
    /// The address that front ends open.
    #[schema(example = "automerge:3kDnR1pYcvGa3zBw7nCYkSJmHc8t")]
    url: String,
    columns: Vec<Column>,
    #[serde(flatten)]
    rows: NewRows,
}

/// What is answered to a new table.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes the two answers")]
enum Made {
    Table(Versioned<MadeTable>),
    Bulk(Done),
}

/// A table without its rows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableHead {
    /// Its id.
    table: String,
    title: String,
    /// Those that are not deleted, in their order.
    columns: Vec<Column>,
    views: Vec<View>,
    /// Rows that are not deleted.
    row_count: usize,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TablePatch {
    #[schema(max_length = 1024)]
    title: Option<String>,
}

/// Makes a table, with columns and rows, in one change; more than 500 cells are a bulk write: see `batch`.
#[utoipa::path(post, path = "/v1/tables", tag = "tables", params(WriteHeaders, PreferHeader), request_body = NewTable,
    responses(
        (status = 201, description = "the table is made; one of more than 500 cells tells its size instead of columns and rows",
            body = inline(Made), headers(("ETag" = String), ("Location" = String))),
        Begun, WritingTable))]
pub(super) async fn create(State(server): State<Arc<Server>>, asked: Asked) -> Result<Response, Problem> {
    let mut new: NewTable = asked.object()?;
    let place = Place::of(new.base.take(), new.name.take())?;
    if new.title.len() > MAX_NAME_BYTES {
        let why = Refusal::TooMuch {
            what: "title",
            limit: MAX_NAME_BYTES,
            unit: "bytes",
        };
        return Err(Mistake::new("/title", why).into());
    }
    let id = asked.new_id(server.store.storage_id());
    let (keyed, making) = (asked.keyed(), write(server.clone(), asked, id.clone(), new));
    names::make_in(&server, place, &id, keyed, making).await
}

/// Makes the table, in one change or in bulk.
async fn write(server: Arc<Server>, asked: Asked, id: DocumentId, new: NewTable) -> Result<Response, Problem> {
    if new.cells() > CHANGE_CELLS {
        return bulk(&server, asked, Heavy::Table { id, new }).await;
    }
    let room = server.room_awake(&id).await?;
    let made = move |tx: &mut Transaction<'_>, _: &[ChangeHash]| make(tx, &id, &new);
    server.write(room, &asked, made).await
}

impl NewTable {
    /// How many cells' worth of work the table is.
    pub fn cells(&self) -> usize {
        let columns: usize = self.columns.iter().map(NewColumn::cells).sum();
        let rows: usize = self.rows.iter().map(|row| row.cells.len().max(1)).sum();
        columns + rows
    }
}

/// Makes an empty document a table. The edits are planned on an empty table beside it, since a plan is made before anything is
/// written, and written behind the change's first words.
fn make(tx: &mut Transaction<'_>, id: &DocumentId, new: &NewTable) -> Result<Answer, Refused> {
    let title = &new.title;
    let mut empty = Automerge::new();
    let begun = empty.transact(|empty| begin(empty, title));
    begun.map_err(|failure| failure.error)?;
    let index = TableIndex::build(&empty)?;
    let mut rng = rand::rng();
    let wishes = {
        let mut reader = Resolver::new(&empty, &[], &mut rng);
        reader.new_table(&new.columns, &new.rows).map_err(Problem::from)?;
        reader.finish()
    };
    let plan = Plan::new(&empty, &index, &wishes.edits, &stamp(), &mut rng)
        .map_err(|refused| Problem::from(wishes.mistake(&refused)))?;
    begin(tx, title)?;
    plan.write(tx)?;
    let made = MadeTable {
        table: id.to_string(),
        url: id.url(),
        columns: columns_of(tx).iter().map(Column::from).collect(),
        rows: NewRows::of(plan.outcomes()),
    };
    Ok(Answer::created(made, format!("/v1/tables/{id}")))
}

/// A table without its rows: columns, views, and how many rows there are.
#[utoipa::path(get, path = "/v1/tables/{table}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<TableHead>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn read(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = server.table_id(&table).await?;
    let table = id.to_string();
    let seen = server
        .look_table(&id, move |document, index| TableHead {
            table: table.clone(),
            title: index.title().to_owned(),
            columns: index.live_columns().map(Column::from).collect(),
            views: views::all(document.automerge()),
            row_count: index.live().len(),
        })
        .await?;
    Ok(respond(&headers, &seen.heads, seen.value))
}

/// Changes the title.
#[utoipa::path(patch, path = "/v1/tables/{table}", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), WriteHeaders),
    request_body = TablePatch,
    responses((status = 204, description = "it is on disk", headers(("ETag" = String))), WritingTable))]
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let patch: TablePatch = asked.object()?;
    let read = move |reader: &mut Reader<'_, '_>, _: &TableIndex| {
        if let Some(title) = patch.title {
            reader.add(&Edit::SetTitle { title }, "/title")?;
        }
        Ok(())
    };
    change(&server, &table, &asked, read, |_, _| Answer::done()).await
}

/// What people did to the same thing at the same time. Nothing of it is lost; somebody should look.
#[derive(Serialize, ToSchema)]
pub(super) struct Conflicts {
    /// Cells that hold several values.
    cells: Vec<OfCell>,
    /// Deleted rows into which others wrote without knowing of the deletion.
    rows: Vec<OfRow>,
    /// Deleted columns into which others wrote without knowing of the deletion.
    columns: Vec<OfColumn>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct OfCell {
    row: String,
    column: String,
    /// The one that is shown first.
    #[schema(value_type = Vec<serde_json::Value>)]
    values: Vec<Json>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct OfRow {
    row: String,
    deleted: Mark,
    /// The columns written.
    columns: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct OfColumn {
    column: String,
    deleted: Mark,
    /// The rows written.
    rows: Vec<String>,
}

/// Cells, rows and columns to which people did different things at the same time.
#[utoipa::path(get, path = "/v1/tables/{table}/conflicts", tag = "tables",
    params(("table" = String, Path, description = "a table's id or address"), ReadHeaders),
    responses(
        (status = 200, body = inline(Versioned<Conflicts>), headers(("ETag" = String))),
        (status = 304, description = "the table has the version named"), ReadingTable))]
pub(super) async fn conflicts(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = server.table_id(&table).await?;
    let reading = server.read_table(&id).await?;
    if let Some(known) = super::not_modified(&headers, &reading.heads) {
        return Ok(known);
    }
    let of = reading.value;
    let found = off_runtime(move || Conflicts::from(conflicts::conflicts(of.document(), of.index()))).await?;
    Ok(respond(&headers, &reading.heads, found))
}

impl From<conflicts::Conflicts> for Conflicts {
    fn from(found: conflicts::Conflicts) -> Self {
        let cell = |CellConflict { row, column, values }: CellConflict| OfCell {
            row: row.to_string(),
            column: column.to_string(),
            values: values.iter().map(|value| value.to_json()).collect(),
        };
        let row = |RowConflict { row, mark, columns }: RowConflict| OfRow {
            row: row.to_string(),
            deleted: Mark::from(&mark),
            columns: columns.iter().map(ToString::to_string).collect(),
        };
        let column = |ColumnConflict { column, mark, rows }: ColumnConflict| OfColumn {
            column: column.to_string(),
            deleted: Mark::from(&mark),
            rows: rows.iter().map(ToString::to_string).collect(),
        };
        Self {
            cells: found.cells.into_iter().map(cell).collect(),
            rows: found.rows.into_iter().map(row).collect(),
            columns: found.columns.into_iter().map(column).collect(),
        }
    }
}
