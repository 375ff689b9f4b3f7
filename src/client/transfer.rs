//! CSV and XLSX files to documents of a running server, and back.
//!
//! Both go in by the sync door like any other client. An import is read wholly, then made wholly, then sent in one
//! message, and counts when the server has it on disk.

use std::time::Duration;

use super::{Client, ClientError, ConnectOptions};
use crate::document::export::{self, CsvOptions, Written};
use crate::document::import::{Import, ImportError, MakeError, new_document};
use crate::document::sheet::{self, Format, Limits, SheetError};
use crate::document::table::{NotATable, TableIndex};
use crate::id::DocumentId;

#[derive(Debug, Clone)]
pub struct TransferOptions {
    pub connect: ConnectOptions,
    pub limits: Limits,
    /// For the document to be fetched, or to be on the server's disk.
    pub timeout: Duration,
}

impl Default for TransferOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(120);
        Self {
            connect: ConnectOptions::default(),
            limits: Limits::default(),
            timeout,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Sheet(#[from] SheetError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    NotATable(#[from] NotATable),
    #[error(transparent)]
    Make(#[from] MakeError),
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

/// Makes a new table of a CSV or XLSX file (its bytes); returns when the server has it on disk.
pub async fn import_csv(
    url: &str,
    title: &str,
    bytes: &[u8],
    options: &TransferOptions,
) -> Result<Imported, TransferError> {
    let sheet = sheet::read(bytes, Format::guess(bytes), None, &options.limits)?;
    let import = Import::new_table(sheet, &[])?;
    let size = import.size();
    let document = new_document(title, import, rand::rng())?;
    // Connected only now: nobody answers the server's pings while the table is made.
    let client = Client::connect(url, options.connect.clone()).await?;
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    client.attach(&id, document)?.saved(options.timeout).await?;
    client.close(options.connect.timeout).await;
    Ok(Imported {
        document: id,
        rows: size.new_rows,
        columns: size.columns,
        // One makes the table itself.
        changes: size.slices + 1,
    })
}

/// A table of the server as CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub title: String,
    pub csv: Written,
}

/// Fetches a table and writes it as CSV.
pub async fn export_csv(url: &str, id: &DocumentId, options: &TransferOptions) -> Result<Exported, TransferError> {
    let client = Client::connect(url, options.connect.clone()).await?;
    let document = client.find(id, options.timeout).await?;
    let exported = document.look(|replica| {
        let index = TableIndex::build(replica.document())?;
        let csv = export::csv(replica.document(), &index, CsvOptions::default());
        let title = index.title().to_owned();
        Ok::<_, NotATable>(Exported { title, csv })
    })?;
    client.close(options.connect.timeout).await;
    Ok(exported)
}
