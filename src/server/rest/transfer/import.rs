//! A file as a new table, behind the rows of a table, or over them by a key.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rand::rngs::SmallRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::super::super::Server;
use super::super::asked::Upload;
use super::super::bulk::routes::Done;
use super::super::bulk::{Slice, Work};
use super::super::names::{Place, make_in};
use super::super::params::{Asking, At, KeyHeader, PreferHeader, TablePath};
use super::super::problem::{Code, Problem};
use super::super::responses;
use super::{format_of, read, refused};
use crate::document::import::{Blank, Choice, Import, choices};
use crate::document::table::{ColumnId, TableIndex};
use crate::room::TableReading;
use crate::wire::table::Names;

pub(super) fn format_schema() -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["csv", "xlsx"]));
    schema.build().into()
}

fn mode_schema() -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["append", "update"]));
    schema.build().into()
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::server::rest) struct NewTable {
    /// The title of the table; the name of the sheet, or `Imported table`, if it is not given.
    title: Option<String>,
    /// The base in which the table gets a name.
    base: Option<String>,
    /// Its name in the base.
    name: Option<String>,
    /// `csv` or `xlsx`; found from the media type or the content if it is not given.
    #[param(schema_with = format_schema)]
    format: Option<String>,
    /// The sheet of a workbook; the first one if it is not given.
    sheet: Option<String>,
    /// What becomes of each column of the file, by position, as JSON: `{"name": .., "kind": ..}`, `{"skip": true}`, or
    /// `{}` for what the file says.
    columns: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::server::rest) struct IntoTable {
    /// `append` adds all rows; `update` changes the rows whose key is there already and adds the others.
    #[param(schema_with = mode_schema)]
    mode: Option<String>,
    /// The key column of an update, by id or name.
    key: Option<String>,
    /// Whether an empty field of an update empties the cell; it leaves the cell alone if this is not given.
    clear: Option<bool>,
    /// `csv` or `xlsx`; found from the media type or the content if it is not given.
    #[param(schema_with = format_schema)]
    format: Option<String>,
    /// The sheet of a workbook; the first one if it is not given.
    sheet: Option<String>,
    /// What becomes of each column of the file, by position, as JSON: `{"column": id or name}`, `{"new": {"name": ..,
    /// "kind": ..}}`, `{"skip": true}`, or `{}` for the column of the same name.
    columns: Option<String>,
}

/// Makes a new table of a file. Its columns are named by the first row.
#[utoipa::path(post, path = "/v1/imports", tag = "files",
    params(NewTable, KeyHeader, PreferHeader),
    request_body(content((Vec<u8> = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 201, description = "the table is made", body = Done, headers(("Location" = String), ("ETag" = String))),
        responses::Begun, responses::Filing))]
pub(in crate::server::rest) async fn new_table(
    State(server): State<Arc<Server>>,
    Asking(wish): Asking<NewTable>,
    Upload(asked): Upload,
) -> Result<Response, Problem> {
    asked.takes_no_if_match()?;
    let format = format_of(wish.format.as_deref(), &asked)?;
    let chosen = chosen(wish.columns.as_deref(), None)?;
    let document = asked.new_id(server.store.storage_id());
    let place = Place::of(wish.base, wish.name)?;
    let (limits, body) = (server.file_limits(), asked.body.clone());
    let check = move |randomness: SmallRng| {
        let sheet = read(&body, format, wish.sheet.as_deref(), &limits)?;
        let title = wish.title.or_else(|| sheet.sheet().map(str::to_owned));
        let title = title.unwrap_or_else(|| "Imported table".into());
        let import = Import::new_table(sheet, &chosen).map_err(|error| refused(&error))?;
        let mut work = work(import, randomness);
        work.slices += 1;
        work.make = Box::new(std::iter::once(Slice::Table { title }).chain(work.make));
        Ok(work)
    };
    let (keyed, making, id) = (asked.keyed(), server.clone(), document.clone());
    let made = async move { making.bulk_new(id, asked, check).await };
    make_in(&server, place, &document, keyed, made).await
}

/// Brings the rows of a file into a table. Columns are matched by name unless `columns` says otherwise.
#[utoipa::path(post, path = "/v1/tables/{table}/import", tag = "files",
    params(TablePath, IntoTable, KeyHeader, PreferHeader),
    request_body(content((Vec<u8> = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "the rows are in the table", body = Done, headers(("ETag" = String))),
        responses::Begun, responses::Filing, responses::NoTable))]
pub(in crate::server::rest) async fn into_table(
    State(server): State<Arc<Server>>,
    At(table): At<String>,
    Asking(wish): Asking<IntoTable>,
    Upload(asked): Upload,
) -> Result<Response, Problem> {
    asked.takes_no_if_match()?;
    let mode = mode(&wish)?;
    let format = format_of(wish.format.as_deref(), &asked)?;
    let document = server.table_id(&table).await?;
    let (limits, body) = (server.file_limits(), asked.body.clone());
    let check = move |reading: &TableReading, randomness: SmallRng| {
        let index = reading.index();
        let chosen = chosen(wish.columns.as_deref(), Some(index))?;
        let sheet = read(&body, format, wish.sheet.as_deref(), &limits)?;
        let import = match mode {
            Mode::Append => Import::append(sheet, index, &chosen, &limits),
            Mode::Update { key, blank } => {
                let key = column(index, &key)?;
                Import::update(sheet, reading.document(), index, &key, blank, &chosen, &limits)
            }
        };
        Ok(work(import.map_err(|error| refused(&error))?, randomness))
    };
    server.bulk_into(document, asked, check).await
}

enum Mode {
    Append,
    Update { key: String, blank: Blank },
}

fn mode(wish: &IntoTable) -> Result<Mode, Problem> {
    let bad = |field: &str, why: &str| Err(Problem::new(Code::BadQuery, why).at(field));
    match (wish.mode.as_deref(), &wish.key) {
        (Some("append") | None, None) => Ok(Mode::Append),
        (Some("append") | None, Some(_)) => bad("/key", "only an update has a key column: say mode=update"),
        (Some("update"), Some(key)) => Ok(Mode::Update {
            key: key.clone(),
            blank: match wish.clear {
                Some(true) => Blank::Clear,
                Some(false) | None => Blank::Keep,
            },
        }),
        (Some("update"), None) => bad("/key", "an update needs the key column by which rows are found"),
        (Some(_), _) => bad("/mode", "the mode is append or update"),
    }
}

fn column(index: &TableIndex, named: &str) -> Result<ColumnId, Problem> {
    Names::of(index.columns())
        .find(named)
        .map_err(|error| Problem::new(Code::BadQuery, error.to_string()).at("/key"))
}

fn chosen(columns: Option<&str>, index: Option<&TableIndex>) -> Result<Vec<Choice>, Problem> {
    let Some(columns) = columns else { return Ok(Vec::new()) };
    let bad = |field: String, why: String| Problem::new(Code::BadQuery, why).at(field);
    let json: Value = serde_json::from_str(columns)
        .map_err(|error| bad("/columns".into(), format!("columns is not JSON: {error}")))?;
    choices(&json, index).map_err(|error| bad(format!("/columns{}", error.field), error.why))
}

/// The slices of an import, and what its answer says.
fn work(import: Import, randomness: SmallRng) -> Work {
    let size = import.size();
    let about = [
        ("rows", size.new_rows),
        ("changedRows", size.changed_rows),
        ("columns", size.columns),
    ];
    let about: Map<String, Value> = about
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .into_iter()
        .collect();
    let slices = import.slices(randomness).map(|slice| Slice::Edits(slice.edits));
    Work {
        // A file that changes nothing is done with one slice that does nothing: it has an answer, kept under its key.
        slices: size.slices.max(1),
        cells: size.cells,
        make: match size.slices {
            0 => Box::new(std::iter::once(Slice::Edits(Vec::new()))),
            _ => Box::new(slices),
        },
        about,
    }
}
