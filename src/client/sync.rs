//! A client of the sync door: documents of a running server, followed and edited from Rust.
//!
//! A program that wants the whole document, with its history, and to edit it without a server at hand.
//!
//! - One [`Client`] is one WebSocket and one task. When it ends it stays ended; connect again and
//!   [`attach`](Client::attach) the documents: their sync states start afresh, as the protocol wants it.
//! - Each [`Document`] is a replica with the Automerge library's own sync state, as in JavaScript.
//! - Every wait takes a limit. Nothing grows but the documents: outgoing messages are made when the socket takes bytes.
//! - A document counts as saved when the server's heads include ours; the server shows only what is on its disk.

mod connection;
mod document;
mod replica;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use automerge::Automerge;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};

use super::Socket;
use crate::id::{DocumentId, PeerId, StorageId};
use crate::wire::repo::{Message, PROTOCOL_VERSION, PeerMetadata};
use connection::Connection;

pub use document::Document;
pub use replica::Replica;

/// The sync door of a server started without options.
pub const DEFAULT_URL: &str = "ws://127.0.0.1:4000/sync";

#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Who to be; a server closes an older connection of the same peer.
    pub peer: PeerId,
    pub storage: Option<StorageId>,
    /// For the TCP connection, the upgrade and the server's answer to the join together.
    pub timeout: Duration,
    /// Bytes of the largest message taken. A document comes in one frame, so this is the server's own limit.
    pub max_message_bytes: usize,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        let name = format!("roundtable-{}", uuid::Uuid::new_v4());
        Self {
            peer: PeerId::parse(&name).expect("short and not empty"),
            storage: None,
            timeout: Duration::from_secs(10),
            max_message_bytes: 256 * 1024 * 1024,
        }
    }
}

/// Why a connection is no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("this client left")]
    Left,
    #[error("the server closed the connection ({code}{})", reason_text(reason))]
    Closed { code: u16, reason: String },
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the server sent what is no message: {0}")]
    BadMessage(String),
    #[error("the server refused: {0}")]
    Refused(String),
}

fn reason_text(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(", {reason}")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("cannot connect to {url}: {why}")]
    Connect { url: String, why: String },
    #[error("{url} did not answer as a sync server within {limit:?}")]
    NoAnswer { url: String, limit: Duration },
    #[error("document {document}: {end}")]
    Ended { document: DocumentId, end: End },
    #[error("the server does not have document {0}")]
    Unavailable(DocumentId),
    #[error("the server does not take changes of document {0} from this client")]
    ReadOnly(DocumentId),
    #[error("document {document} was not {what} within {limit:?}")]
    TimedOut {
        document: DocumentId,
        what: &'static str,
        limit: Duration,
    },
    #[error("document {0} is already open on this connection")]
    AlreadyOpen(DocumentId),
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    connection: Arc<Connection>,
    server: PeerId,
    server_storage: Option<StorageId>,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Connects, joins, and waits for the server's answer.
    pub async fn connect(url: &str, options: ConnectOptions) -> Result<Self, ClientError> {
        let limit = options.timeout;
        match timeout(limit, Self::join(url, options)).await {
            Ok(joined) => joined,
            Err(_) => Err(ClientError::NoAnswer { url: url.into(), limit }),
        }
    }

    async fn join(url: &str, options: ConnectOptions) -> Result<Self, ClientError> {
        let failed = |why: String| ClientError::Connect { url: url.into(), why };
        let config = WebSocketConfig::default()
            .max_message_size(Some(options.max_message_bytes))
            .max_frame_size(Some(options.max_message_bytes));
        // Small messages both ways: waiting to fill a packet would only delay them.
        let connected = tokio_tungstenite::connect_async_with_config(url, Some(config), true).await;
        let (mut socket, _) = connected.map_err(|error| failed(error.to_string()))?;
        let join = Message::Join {
            sender: options.peer.clone(),
            metadata: PeerMetadata {
                is_ephemeral: options.storage.is_none(),
                storage_id: options.storage,
            },
            versions: vec![PROTOCOL_VERSION.into()],
        };
        let sent = socket.send(tungstenite::Message::Binary(join.encode())).await;
        sent.map_err(|error| failed(error.to_string()))?;
        let (server, metadata) = welcome(&mut socket).await.map_err(|end| failed(end.to_string()))?;
        let connection = Arc::new(Connection::new(options.peer, server.clone()));
        let task = tokio::spawn(Arc::clone(&connection).run(socket));
        Ok(Self {
            connection,
            server,
            server_storage: metadata.storage_id,
            task,
        })
    }

    /// The peer id of the server.
    pub fn server(&self) -> &PeerId {
        &self.server
    }

    /// Stays the same for the life of the server's data.
    pub fn server_storage(&self) -> Option<&StorageId> {
        self.server_storage.as_ref()
    }

    /// Fetches a document: asks for it and waits until all the server has of it is here.
    pub async fn find(&self, id: &DocumentId, limit: Duration) -> Result<Document, ClientError> {
        let document = self.document(id);
        document.ready(limit).await?;
        Ok(document)
    }

    /// A document that need not be here yet: it is asked for, and filled whenever the server has something of it.
    pub fn document(&self, id: &DocumentId) -> Document {
        let (entry, _) = self.connection.open(id, Automerge::new);
        Document::new(Arc::clone(&self.connection), entry)
    }

    /// Brings a document of our own: a new one, which creates it on the server, or one from an earlier connection.
    pub fn attach(&self, id: &DocumentId, document: Automerge) -> Result<Document, ClientError> {
        match self.connection.open(id, || document) {
            (entry, true) => Ok(Document::new(Arc::clone(&self.connection), entry)),
            (_, false) => Err(ClientError::AlreadyOpen(id.clone())),
        }
    }

    /// Why the connection is no more; none while it is.
    pub fn end(&self) -> Option<End> {
        self.connection.ended()
    }

    /// Waits until the connection is no more.
    pub async fn ended(&self) -> End {
        self.connection.until_ended().await
    }

    /// Closes the connection properly: says so and waits for the server to close it. Dropping a client cuts it off.
    pub async fn close(mut self, limit: Duration) {
        self.connection.leave();
        // A server that does not answer is cut off.
        let _ = timeout(limit, &mut self.task).await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.finish(End::Left);
        self.task.abort();
    }
}

/// Reads up to the server's answer to the join.
async fn welcome(socket: &mut Socket) -> Result<(PeerId, PeerMetadata), End> {
    while let Some(received) = socket.next().await {
        let tungstenite::Message::Binary(frame) = received.map_err(|error| End::Broken(error.to_string()))? else {
            continue;
        };
        match Message::decode(&frame).map_err(|error| End::BadMessage(error.to_string()))? {
            Message::Peer { sender, metadata, .. } => return Ok((sender, metadata)),
            Message::Error { message, .. } => return Err(End::Refused(message)),
            _ => {}
        }
    }
    Err(End::Broken("closed before the server answered the join".into()))
}
