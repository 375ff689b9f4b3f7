//! CSV files to documents of a running server, and back.
//!
//! Both go in by the sync door like any other client. An import is read wholly, then made wholly, then sent in one
//! message, and counts when the server has it on disk.

use std::time::Duration;

use automerge::Automerge;

use super::{Client, ClientError, ConnectOptions};
use crate::document::csv::{self, CsvError};
use crate::document::table::{EditError, NotATable, Table, apply};
use crate::id::DocumentId;

#[derive(Debug, Clone)]
pub struct TransferOptions {
    pub connect: ConnectOptions,
    pub limits: csv::Limits,
    /// For the document to be fetched, or to be on the server's disk.
    pub timeout: Duration,
}

impl Default for TransferOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(120);
        Self {
            connect: ConnectOptions::default(),
            limits: csv::Limits::default(),
            timeout,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    NotATable(#[from] NotATable),
    #[error("the table could not be made: {0}")]
    Edit(#[from] EditError),
}

/// What an import has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub document: DocumentId,
    pub rows: usize,
    pub columns: usize,
    /// Automerge changes the table was cut into.
    pub changes: usize,
}

/// Makes a new table of a CSV file (its bytes); returns when the server has it on disk.
pub async fn import_csv(
    url: &str,
    title: &str,
    bytes: &[u8],
    options: &TransferOptions,
) -> Result<Imported, TransferError> {
    let table = csv::read(title, bytes, &options.limits)?;
    let (rows, columns) = (table.rows.len(), table.columns.len());
    let mut document = Automerge::new();
    let mut changes = 0;
    for edits in table.into_changes(rand::rng()) {
        document
            .transact(|tx| apply(tx, &edits))
            .map_err(|failed| failed.error)?;
        changes += 1;
    }
    // Connected only now: nobody answers the server's pings while the table is made.
    let client = Client::connect(url, options.connect.clone()).await?;
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    client.attach(&id, document)?.saved(options.timeout).await?;
    client.close(options.connect.timeout).await;
    Ok(Imported {
        document: id,
        rows,
        columns,
        changes,
    })
}

/// A table of the server as CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub title: String,
    pub csv: csv::Written,
}

/// Fetches a table and writes it as CSV.
pub async fn export_csv(url: &str, id: &DocumentId, options: &TransferOptions) -> Result<Exported, TransferError> {
    let client = Client::connect(url, options.connect.clone()).await?;
    let document = client.find(id, options.timeout).await?;
    let table = document.look(|replica| Table::read(replica.document()))?;
    client.close(options.connect.timeout).await;
    Ok(Exported {
        csv: csv::write(&table),
        title: table.title,
    })
}
