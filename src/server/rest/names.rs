//! From what an address says to a document: its id, its `automerge:` address, or a table's place in a base.

use std::sync::{Arc, Mutex, PoisonError};

use automerge::ChangeHash;
use automerge::transaction::Transaction;
use axum::response::Response;

use super::super::{Server, now_ms};
use super::desk::failed_over;
use super::problem::{Code, Problem};
use super::write::Refused;
use crate::document::directory::{self, Archived, Directory};
use crate::id::DocumentId;
use crate::room::{Edited, Keyed};

/// The bases as they were read last. 9,000 tables took 75 ms to read in a debug build, and every address with a slash asks
/// for them.
#[derive(Default)]
pub(in crate::server) struct Names(Mutex<Option<(Vec<ChangeHash>, Arc<Directory>)>>);

impl Names {
    fn read(&self, document: &crate::document::crdt::Document) -> Arc<Directory> {
        let heads = document.heads();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, directory)) = known.filter(|(at, _)| *at == heads) {
            return directory;
        }
        let directory = Arc::new(Directory::read(document.automerge()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((heads, directory.clone()));
        directory
    }
}

/// The name that a request gives the table it makes. The two lie in two documents: both are written under the key of the
/// request, so that it can be sent again until both are done, and neither is done twice.
pub(super) struct Place {
    base: String,
    name: String,
}

impl Place {
    /// Both parts or none.
    pub fn of(base: Option<String>, name: Option<String>) -> Result<Option<Self>, Problem> {
        let missing = match (base, name) {
            (None, None) => return Ok(None),
            (Some(base), Some(name)) => return Ok(Some(Self { base, name })),
            (Some(_), None) => "/name",
            (None, Some(_)) => "/base",
        };
        Err(Problem::new(Code::BadQuery, "a name in a base needs both of the two").at(missing))
    }

    /// Whether the table can be put under this name: says so before it is made. A table that is there already was made
    /// before by the same request, from whose key it has its id; what has become of its name since is nothing to this one.
    pub async fn check(&self, server: &Server, table: &DocumentId) -> Result<(), Problem> {
        if server.room_awake(table).await?.end() > 0 {
            return Ok(());
        }
        let directory = server.directory().await?.value;
        directory::check_free(&directory, &self.base, &self.name).map_err(problem)
    }

    /// Gives the table its name, once for each key: a late replay leaves alone what people have made of the name since.
    pub async fn take(&self, server: &Server, table: &DocumentId, keyed: Option<&Keyed>) -> Result<(), Problem> {
        let named = server.name_table(&self.base, &self.name, table, keyed).await;
        named.map_err(|why| Problem {
            detail: format!("the table {table} is made, but it did not get its name: {}", why.detail),
            ..why
        })
    }
}

/// Makes a table and gives it its name, if it is to have one. Once begun both are done, also if nobody waits for the answer:
/// a client that hung up in between had left a table that nobody could find.
pub(super) async fn make_in(
    server: &Arc<Server>,
    place: Option<Place>,
    table: &DocumentId,
    keyed: Option<Keyed>,
    making: impl Future<Output = Result<Response, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let Some(place) = place else { return making.await };
    place.check(server, table).await?;
    let (server, table) = (server.clone(), table.clone());
    let both = async move {
        let answer = making.await?;
        place.take(&server, &table, keyed.as_ref()).await?;
        Ok(answer)
    };
    tokio::spawn(both).await.map_err(|_| failed_over())?
}

impl Server {
    /// The document that holds the bases. It is there from the first base on.
    pub(super) fn directory_id(&self) -> DocumentId {
        directory::id_of(self.store.storage_id())
    }

    /// The bases as they are on disk.
    pub(super) async fn directory(&self) -> Result<Edited<Arc<Directory>>, Problem> {
        let names = self.names.clone();
        match self
            .look(&self.directory_id(), move |document| names.read(document))
            .await
        {
            Err(problem) if problem.code == Code::NotFound => Ok(Edited {
                value: Arc::default(),
                position: 0,
                epoch: 0,
                note: 0,
                heads: Vec::new().into(),
            }),
            read => read,
        }
    }

    /// The document that an address names: an id, an `automerge:` address, or `base/name`.
    pub(in crate::server) async fn table_id(&self, address: &str) -> Result<DocumentId, Problem> {
        let Some((base, name)) = address.split_once('/') else {
            return DocumentId::parse_address(address).map_err(|error| {
                let why = format!("{error}; a table is named by its id, its automerge: address, or as base/name");
                Problem::new(Code::BadId, why)
            });
        };
        let directory = self.directory().await?.value;
        let no = |what: String| Problem::new(Code::NotFound, what);
        let base = directory
            .base(base)
            .ok_or_else(|| no(format!("there is no base {base:?}")))?;
        let entry = base.table(name);
        Ok(entry
            .ok_or_else(|| no(format!("base {:?} has no table {name:?}", base.name)))?
            .table
            .clone())
    }

    /// Puts a table under a name, in a change of its own. One that the base has already is renamed, unless the key says that
    /// this was done before.
    async fn name_table(
        &self,
        base: &str,
        name: &str,
        table: &DocumentId,
        keyed: Option<&Keyed>,
    ) -> Result<(), Problem> {
        let room = self.room_awake(&self.directory_id()).await?;
        let (base, name, table) = (base.to_owned(), name.to_owned(), table.clone());
        let edit = move |tx: &mut Transaction<'_>| Ok(directory::put_table(tx, &base, &name, &table).map(drop)?);
        self.change(&room, keyed, edit).await
    }
}

/// A mark of now.
pub(super) fn archived_now() -> Archived {
    Archived {
        at: now_ms() as i64,
        by: "http".into(),
    }
}

impl From<directory::Refused> for Refused {
    fn from(why: directory::Refused) -> Self {
        problem(why).into()
    }
}

fn problem(why: directory::Refused) -> Problem {
    use directory::Refused as Why;
    let code = match &why {
        Why::NoBase(_) | Why::NoTable { .. } => Code::NotFound,
        Why::BaseTaken(_) | Why::TableTaken { .. } => Code::Conflict,
        Why::BadName(_) | Why::TooMany(_) => Code::Refused,
        Why::Library(_) => Code::Failed,
    };
    let names_it = matches!(&why, Why::BaseTaken(_) | Why::TableTaken { .. } | Why::BadName(_));
    let problem = Problem::new(code, why.to_string());
    match names_it {
        true => problem.at("/name"),
        false => problem,
    }
}
