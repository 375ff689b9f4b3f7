//! Bases: named sets of tables, kept in a document of the server.

use std::sync::Arc;

use automerge::transaction::Transaction;
use automerge::{ROOT, ReadDoc};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};

use super::super::Server;
use super::answer::{Answer, Versioned};
use super::asked::Asked;
use super::etag;
use super::names::archived_now;
use super::params::{At, KeyHeader};
use super::problem::{Code, Problem};
use super::responses::{Reading, Writing};
use super::write::Refused;
use crate::document::directory::{self, Archived, Base, BaseId, Directory, Entry, Put};
use crate::id::DocumentId;

/// All bases.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bases {
    /// The document that they are kept in. Front ends that open it see them change; it is there from the first base on.
    document_id: String,
    url: String,
    /// By name.
    bases: Vec<BaseShown>,
    /// The version of that document, as in the ETag; empty before the first base.
    version: String,
}

/// A named set of tables.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BaseShown {
    /// Its id.
    base: String,
    name: String,
    /// How many tables it has.
    tables: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<ArchivedBy>,
    /// Another base got the same name at the same time, and has it: this one is found by its id alone until one of them is
    /// renamed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    double: bool,
}

/// When something was archived, and by whom.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ArchivedBy {
    /// Milliseconds since 1970.
    at: i64,
    by: String,
}

/// The tables of a base.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Tables {
    /// By name.
    tables: Vec<TableShown>,
    /// The version of the document that the bases are kept in.
    version: String,
}

/// A table in a base.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TableShown {
    /// Its document id.
    table: String,
    url: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<ArchivedBy>,
    /// Another table got the same name at the same time, and has it: this one is found by its id alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    double: bool,
}

/// A new base.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBase {
    /// 1 to 128 characters, no control characters, no slash; unique, whatever the case.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
}

/// What is to change. What is not named stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameChange {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
    #[serde(default)]
    archived: Option<bool>,
}

/// The table that a name stands for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// A document id, an `automerge:` address, or `base/name`.
    table: String,
}

/// All bases, those archived included.
#[utoipa::path(get, path = "/v1/bases", tag = "bases", operation_id = "listBases",
    responses((status = 200, description = "the bases", body = Bases, headers(("ETag" = String))), Reading))]
pub(super) async fn list(State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    let (id, read) = (server.directory_id(), server.directory().await?);
    let version = etag::of(&read.heads);
    let bases = Bases {
        document_id: id.to_string(),
        url: id.url(),
        bases: read.value.bases.iter().map(BaseShown::of).collect(),
        version: version.trim_matches('"').to_owned(),
    };
    Ok(([(header::ETAG, version)], Json(bases)).into_response())
}

/// Makes a base.
#[utoipa::path(post, path = "/v1/bases", tag = "bases", operation_id = "createBase", params(KeyHeader),
    request_body(content = NewBase, content_type = "application/json"),
    responses((status = 201, description = "it is made", body = Versioned<BaseShown>,
        headers(("Location" = String), ("ETag" = String))), Writing))]
pub(super) async fn create(State(server): State<Arc<Server>>, asked: Asked) -> Result<Response, Problem> {
    let NewBase { name } = asked.object()?;
    let id = BaseId::random(&mut rand::rng());
    let edit = move |tx: &mut Transaction<'_>| {
        directory::create_base(tx, &id, &name)?;
        Ok(Answer::created(base_now(tx, &id)?, format!("/v1/bases/{id}")))
    };
    server.edit_bases(&asked, edit).await
}

/// A base, by its id or its name.
#[utoipa::path(get, path = "/v1/bases/{base}", tag = "bases", operation_id = "readBase",
    params(("base" = String, Path, description = "the id of a base, or its name")),
    responses((status = 200, description = "the base", body = Versioned<BaseShown>, headers(("ETag" = String))), Reading))]
pub(super) async fn read(State(server): State<Arc<Server>>, At(base): At<String>) -> Result<Response, Problem> {
    let read = server.directory().await?;
    let shown = BaseShown::of(found(&read.value, &base)?);
    Ok(Answer::ok(shown).at(&read.heads).into_response())
}

/// Renames a base, archives it, or takes it out of the archive.
#[utoipa::path(patch, path = "/v1/bases/{base}", tag = "bases", operation_id = "changeBase",
    params(KeyHeader, ("base" = String, Path, description = "the id of a base, or its name")),
    request_body(content = NameChange, content_type = "application/json"),
    responses((status = 200, description = "it is changed", body = Versioned<BaseShown>, headers(("ETag" = String))), Writing))]
pub(super) async fn change(
    State(server): State<Arc<Server>>,
    At(base): At<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let NameChange { name, archived } = asked.object()?;
    let edit = move |tx: &mut Transaction<'_>| {
        let id = found(&Directory::read(tx), &base)?.id.clone();
        if let Some(name) = &name {
            directory::rename_base(tx, id.as_str(), name)?;
        }
        if let Some(archived) = archived {
            directory::archive_base(tx, id.as_str(), archived.then(archived_now).as_ref())?;
        }
        Ok(Answer::ok(base_now(tx, &id)?))
    };
    server.edit_bases(&asked, edit).await
}

/// The tables of a base, those archived included.
#[utoipa::path(get, path = "/v1/bases/{base}/tables", tag = "bases", operation_id = "listTablesOfBase",
    params(("base" = String, Path, description = "the id of a base, or its name")),
    responses((status = 200, description = "the tables", body = Tables, headers(("ETag" = String))), Reading))]
pub(super) async fn tables(State(server): State<Arc<Server>>, At(base): At<String>) -> Result<Response, Problem> {
    let read = server.directory().await?;
    let base = found(&read.value, &base)?;
    let version = etag::of(&read.heads);
    let tables = Tables {
        tables: base.tables.iter().map(TableShown::of).collect(),
        version: version.trim_matches('"').to_owned(),
    };
    Ok(([(header::ETAG, version)], Json(tables)).into_response())
}

/// Puts a table under a name. One that is in the base under another name is renamed; a name that another table has is a
/// conflict.
#[utoipa::path(put, path = "/v1/bases/{base}/tables/{name}", tag = "bases", operation_id = "nameTable",
    params(KeyHeader, ("base" = String, Path, description = "the id of a base, or its name"),
        ("name" = String, Path, description = "1 to 128 characters, no control characters, no slash")),
    request_body(content = Named, content_type = "application/json"),
    responses((status = 200, description = "it was in the base already", body = Versioned<TableShown>, headers(("ETag" = String))),
        (status = 201, description = "it is in the base", body = Versioned<TableShown>,
            headers(("Location" = String), ("ETag" = String))), Writing))]
pub(super) async fn put_table(
    State(server): State<Arc<Server>>,
    At((base, name)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let Named { table } = asked.object()?;
    let table = server.table_id(&table).await.map_err(|problem| problem.at("/table"))?;
    server
        .check_table(&table)
        .await
        .map_err(|problem| problem.at("/table"))?;
    let edit = move |tx: &mut Transaction<'_>| {
        let put = directory::put_table(tx, &base, &name, &table)?;
        let id = found(&Directory::read(tx), &base)?.id.clone();
        let shown = table_now(tx, &id, &table)?;
        Ok(match put {
            Put::New => Answer::created(shown, format!("/v1/tables/{table}")),
            Put::Known => Answer::ok(shown),
        })
    };
    server.edit_bases(&asked, edit).await
}

/// Gives a table another name in its base, archives it there, or takes it out of the archive.
#[utoipa::path(patch, path = "/v1/bases/{base}/tables/{name}", tag = "bases", operation_id = "changeNameOfTable",
    params(KeyHeader, ("base" = String, Path, description = "the id of a base, or its name"),
        ("name" = String, Path, description = "the name of a table, or its document id")),
    request_body(content = NameChange, content_type = "application/json"),
    responses((status = 200, description = "it is changed", body = Versioned<TableShown>, headers(("ETag" = String))), Writing))]
pub(super) async fn change_table(
    State(server): State<Arc<Server>>,
    At((base, name)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let NameChange { name: new, archived } = asked.object()?;
    let edit = move |tx: &mut Transaction<'_>| {
        let (id, table) = {
            let directory = Directory::read(tx);
            let base = found(&directory, &base)?;
            (base.id.clone(), directory::found_table(base, &name)?.table.clone())
        };
        if let Some(archived) = archived {
            directory::archive_table(tx, id.as_str(), table.as_str(), archived.then(archived_now).as_ref())?;
        }
        if let Some(new) = &new {
            directory::rename_table(tx, id.as_str(), table.as_str(), new)?;
        }
        Ok(Answer::ok(table_now(tx, &id, &table)?))
    };
    server.edit_bases(&asked, edit).await
}

/// Takes a table out of a base. The table itself stays.
#[utoipa::path(delete, path = "/v1/bases/{base}/tables/{name}", tag = "bases", operation_id = "removeTableFromBase",
    params(KeyHeader, ("base" = String, Path, description = "the id of a base, or its name"),
        ("name" = String, Path, description = "the name of a table, or its document id")),
    responses((status = 204, description = "it is no longer in the base", headers(("ETag" = String))), Writing))]
pub(super) async fn remove_table(
    State(server): State<Arc<Server>>,
    At((base, name)): At<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let edit = move |tx: &mut Transaction<'_>| {
        directory::remove_table(tx, &base, &name)?;
        Ok(Answer::done())
    };
    server.edit_bases(&asked, edit).await
}

impl Server {
    async fn edit_bases(
        &self,
        asked: &Asked,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<Answer, Refused> + Send + 'static,
    ) -> Result<Response, Problem> {
        asked.takes_no_if_match()?;
        let room = self.room_awake(&self.directory_id()).await?;
        self.write(room, asked, move |tx, _| edit(tx)).await
    }

    /// Refuses what is about to go for the whole document that holds the bases.
    pub(super) fn spare_the_directory(&self, id: &DocumentId) -> Result<(), Problem> {
        match *id == self.directory_id() {
            true => Err(Problem::new(
                Code::Conflict,
                "this document holds the names of all tables: edit it as bases",
            )),
            false => Ok(()),
        }
    }

    /// Whether the document is there and a table.
    async fn check_table(&self, id: &DocumentId) -> Result<(), Problem> {
        let is_table = |document: &crate::document::crdt::Document| {
            let automerge = document.automerge();
            match automerge.get(ROOT, "type") {
                Ok(Some((automerge::Value::Scalar(kind), _))) => kind.as_str() == Some("table"),
                Ok(Some((automerge::Value::Object(_), text))) => {
                    automerge.text(&text).is_ok_and(|kind| kind == "table")
                }
                _ => false,
            }
        };
        match self.look(id, is_table).await?.value {
            true => Ok(()),
            false => Err(Problem::new(Code::NotATable, format!("document {id} is no table"))),
        }
    }
}

fn found<'d>(directory: &'d Directory, base: &str) -> Result<&'d Base, Problem> {
    let no = || Problem::new(Code::NotFound, format!("there is no base {base:?}"));
    directory.base(base).ok_or_else(no)
}

fn base_now(tx: &Transaction<'_>, id: &BaseId) -> Result<BaseShown, Problem> {
    found(&Directory::read(tx), id.as_str()).map(BaseShown::of)
}

fn table_now(tx: &Transaction<'_>, base: &BaseId, table: &DocumentId) -> Result<TableShown, Refused> {
    let directory = Directory::read(tx);
    let base = found(&directory, base.as_str())?;
    Ok(TableShown::of(directory::found_table(base, table.as_str())?))
}

impl BaseShown {
    fn of(base: &Base) -> Self {
        Self {
            base: base.id.to_string(),
            name: base.name.clone(),
            tables: base.tables.len(),
            archived: base.archived.as_ref().map(ArchivedBy::of),
            double: base.is_double,
        }
    }
}

impl TableShown {
    fn of(entry: &Entry) -> Self {
        Self {
            table: entry.table.to_string(),
            url: entry.table.url(),
            name: entry.name.clone(),
            archived: entry.archived.as_ref().map(ArchivedBy::of),
            double: entry.is_double,
        }
    }
}

impl ArchivedBy {
    fn of(archived: &Archived) -> Self {
        Self {
            at: archived.at,
            by: archived.by.clone(),
        }
    }
}
