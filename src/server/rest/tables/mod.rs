//! Tables over REST: rows, cells, columns and views, beside everybody who has the table open.
//!
//! Each request that writes becomes one Automerge change or none: its edits are read against the version they are made on,
//! checked whole, and only then written. What is refused names the field of the request.

mod batch;
mod cells;
mod columns;
mod cursor;
mod heavy;
mod pages;
mod query;
mod row;
mod rows;
mod table;
mod views;

use std::sync::Arc;

use automerge::transaction::Transaction;
use automerge::{ChangeHash, ReadDoc};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::rngs::ThreadRng;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::{Server, now_ms};
use super::answer::Answer;
use super::answer::Versioned;
use super::asked::Asked;
use super::etag::{self, Named};
use super::problem::{Code, Problem};
use super::write::Refused;
use crate::document::table::batch::EditFailed;
use crate::document::table::{self as model, ColumnId, Outcome, RowId, Stamp, TableIndex, ViewId};
use crate::wire::table::{Mistake, Names, Resolver, Unnamed};

/// The routes below `/v1/tables`.
pub(super) fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(table::create))
        .routes(routes!(table::read, table::patch))
        .routes(routes!(table::conflicts))
        .routes(routes!(rows::list, rows::insert))
        .routes(routes!(row::read, row::patch, row::delete))
        .routes(routes!(row::restore))
        .routes(routes!(cells::read, cells::patch))
        .routes(routes!(columns::list, columns::add))
        .routes(routes!(columns::read, columns::patch, columns::delete))
        .routes(routes!(columns::restore))
        .routes(routes!(views::list, views::create))
        .routes(routes!(views::read, views::patch, views::delete))
        .routes(routes!(batch::edit))
}

impl From<Mistake> for Problem {
    fn from(mistake: Mistake) -> Self {
        let problem = Problem::new(Code::Refused, mistake.detail);
        match mistake.field.is_empty() {
            true => problem,
            false => problem.at(mistake.field),
        }
    }
}

/// What reads the edits of a request, within the transaction that will write them.
type Reader<'a, 't> = Resolver<'a, Transaction<'t>, ThreadRng>;

/// Makes one change of a table. `read` says which edits are asked for; `answer` is told what they have made, and sees the
/// table as it is with them.
async fn change(
    server: &Server,
    table: &str,
    asked: &Asked,
    read: impl FnOnce(&mut Reader<'_, '_>, &TableIndex) -> Result<(), Problem> + Send + 'static,
    answer: impl FnOnce(&Transaction<'_>, &[Outcome]) -> Answer + Send + 'static,
) -> Result<Response, Problem> {
    let id = server.table_id(table).await?;
    let versions = etag::if_match(&asked.headers);
    let edit = move |tx: &mut Transaction<'_>, index: &TableIndex| -> Result<Answer, Refused> {
        let mut rng = rand::rng();
        let wishes = {
            let mut reader = Resolver::new(&*tx, index.columns(), &mut rng);
            read(&mut reader, index)?;
            reader.finish()
        };
        check_version(tx, index, versions.as_ref(), &wishes.edits)?;
        let outcomes =
            model::batch::edit(tx, index, &wishes.edits, &stamp(), &mut rng).map_err(|failed| match failed {
                EditFailed::Refused(refused) => Refused::from(Problem::from(wishes.mistake(&refused))),
                EditFailed::Document(error) => error.into(),
                EditFailed::Stale => Problem::new(Code::Failed, EditFailed::Stale.to_string()).into(),
            })?;
        Ok(answer(tx, &outcomes))
    };
    server.write_table(&id, asked, edit).await
}

/// Who deletes over HTTP, and when.
fn stamp() -> Stamp {
    Stamp {
        at: now_ms() as i64,
        by: "http".into(),
    }
}

/// Refuses edits whose author has seen something else than what is there now.
fn check_version(
    document: &impl ReadDoc,
    index: &TableIndex,
    versions: Option<&Named>,
    edits: &[model::TableEdit],
) -> Result<(), Problem> {
    let Some(Named::These(versions)) = versions else {
        return Ok(());
    };
    let holds = |version: &Vec<ChangeHash>| model::changed_since(document, version, edits) == Some(false);
    if versions.iter().any(holds) {
        return Ok(());
    }
    let mut problem = Problem::new(
        Code::VersionChanged,
        "what this would change is not what it was in the version named, or the table does not know that version",
    );
    problem.etag = Some(etag::of(index.heads()));
    Err(problem)
}

/// A body made from a version of a table, or 304 if the request knows that version.
fn respond(headers: &HeaderMap, heads: &[ChangeHash], body: impl Serialize) -> Response {
    if let Some(known) = not_modified(headers, heads) {
        return known;
    }
    let version = etag::of(heads).trim_matches('"').to_owned();
    match serde_json::to_vec(&Versioned { body, version }) {
        Ok(body) => tagged(heads, body),
        Err(error) => Problem::new(Code::Failed, error.to_string()).into_response(),
    }
}

fn not_modified(headers: &HeaderMap, heads: &[ChangeHash]) -> Option<Response> {
    let tag = etag::of(heads);
    let known = etag::named_by(headers, header::IF_NONE_MATCH, &tag) == Some(true);
    known.then(|| (StatusCode::NOT_MODIFIED, kept(tag)).into_response())
}

/// A reader may keep what it read, but asks each time whether it is still so; the ETag makes asking cheap.
fn kept(tag: String) -> [(header::HeaderName, String); 2] {
    [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".into())]
}

/// JSON made from a version of a table.
fn tagged(heads: &[ChangeHash], body: Vec<u8>) -> Response {
    let json = (header::CONTENT_TYPE, "application/json");
    (kept(etag::of(heads)), [json], body).into_response()
}

/// The row that an address names.
fn row_id(text: &str) -> Result<RowId, Problem> {
    RowId::parse(text).map_err(|bad| Problem::new(Code::BadId, bad.to_string()))
}

fn view_id(text: &str) -> Result<ViewId, Problem> {
    ViewId::parse(text).map_err(|bad| Problem::new(Code::BadId, bad.to_string()))
}

/// The column that an address names.
fn column_id(columns: &[model::Column], text: &str) -> Result<ColumnId, Problem> {
    Names::of(columns).find(text).map_err(|why| {
        let code = match why {
            Unnamed::Unknown { .. } => Code::NotFound,
            Unnamed::Ambiguous { .. } => Code::BadId,
        };
        Problem::new(code, why.to_string())
    })
}

fn no_row(row: &RowId) -> Problem {
    Problem::new(Code::NotFound, format!("there is no row {row}"))
}

fn no_view(view: &ViewId) -> Problem {
    Problem::new(Code::NotFound, format!("there is no view {view}"))
}

/// A column as a transaction has left it.
fn column_now(document: &impl ReadDoc, id: &ColumnId) -> Option<crate::wire::table::Column> {
    let columns = model::columns_of(document);
    columns.iter().find(|column| column.id == *id).map(Into::into)
}
