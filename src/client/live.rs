//! A client of the live door: tables as they are shown, followed and edited from Rust, without their histories.
//!
//! A program that shows or changes a table and wants no CRDT of it: it sees rows, cells and people, as a front end does.
//! What it edits is shown at once, and set back if the server refuses it.
//!
//! ```no_run
//! use std::time::Duration;
//! use roundtable::client::live::{LiveClient, LiveOptions, Scope};
//! use roundtable::id::DocumentId;
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let limit = Duration::from_secs(10);
//! let client = LiveClient::connect("ws://127.0.0.1:4000/live", LiveOptions::new("ada")).await?;
//! let id = DocumentId::parse_address("automerge:4NMNnkMhL8jXrdJ9jamS58PAVdXu")?;
//! let mut table = client.subscribe(&id, Scope::rows(0, 50), limit).await?;
//!
//! let first = table.shown().rows[0].id.clone();
//! let mut edit = table.update(&first, [("Amount", json!(12.5))])?;
//! assert_eq!(table.shown().cell(&first, "Amount"), Some(&json!(12.5)), "shown at once");
//! let saved = edit.saved(limit).await?;
//! println!("on disk, in version {}", saved.version);
//!
//! while let Ok(()) = table.changed(limit).await {
//!     println!("{} rows, {} people", table.shown().row_count, table.shown().users.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - One [`LiveClient`] is one person at one device, over as many connections as it takes: it comes back by itself, later
//!   and later ([`Reconnect`]), asks for what it has missed and sends again what was not answered, each edit once.
//! - What is edited without a connection waits, is shown meanwhile, and is sent when there is one. [`LiveClient::pending`]
//!   is what a program stores to outlive itself; [`LiveOptions::pending`] takes it up again.
//! - It stops for good when coming back can do no good ([`LiveEnd::is_final`]).
//! - Every wait takes a limit. What it keeps is bounded by [`LiveLimits`], tables as large as they are.
//! - What it knows and wants (model, queue, backoff, session) is pure; the one task has the socket and the waits.

mod backoff;
mod board;
mod edit;
mod end;
mod event;
mod followed;
mod hearing;
mod message;
mod model;
mod name;
mod people;
mod queue;
mod session;
mod shown;
mod socket;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::timeout;

use crate::id::DocumentId;
use board::Board;
use name::Clock;
use session::{Bounds, Session};

pub use backoff::Reconnect;
pub use board::{Events, Happened, Status};
pub use edit::{BatchItem, PendingEdit, RecordEdit};
pub use end::LiveEnd;
pub use event::{Event, Saved};
pub use message::{CellChange, Change, ChangeKind, Refusal, Row, Window};
pub use model::Scope;
pub use people::{CellName, Cursor, DeviceOf, Selection, Typing, User};
pub use queue::NotKept;
pub use session::Person;
pub use shown::Table;
pub use table::{Edit, LiveTable};

/// The live door of a server started without options.
pub const DEFAULT_URL: &str = "ws://127.0.0.1:4000/live";

#[derive(Debug, Clone)]
pub struct LiveOptions {
    pub person: Person,
    /// What tells this program from the others of the same person. A server closes an older connection of the same.
    pub device: String,
    /// For the TCP connection and the upgrade together.
    pub timeout: Duration,
    /// How long the server may take to answer; then the connection counts as broken.
    pub answer: Duration,
    pub reconnect: Reconnect,
    pub limits: LiveLimits,
    /// Edits that waited when a program ended, to be sent now.
    pub pending: Vec<PendingEdit>,
    /// For all that is random here, such as ids and waits; random itself, if it is not given.
    pub seed: Option<u64>,
}

/// How much a client keeps.
#[derive(Debug, Clone, Copy)]
pub struct LiveLimits {
    /// Bytes of the largest message taken. A table comes in one.
    pub received_bytes: usize,
    /// Bytes of the largest message sent: what the server takes (`live.message_bytes`).
    pub sent_bytes: usize,
    /// Tables followed at once.
    pub tables: usize,
    /// Edits that wait for an answer, and their bytes.
    pub edits: usize,
    pub edit_bytes: usize,
    /// Events that wait for who listens; the oldest are dropped.
    pub events: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            received_bytes: 256 * 1024 * 1024,
            sent_bytes: 1024 * 1024,
            tables: 64,
            edits: 10_000,
            edit_bytes: 16 * 1024 * 1024,
            events: 1_000,
        }
    }
}

impl LiveOptions {
    /// Somebody at a new device.
    pub fn new(user_id: impl Into<String>) -> Self {
        Self {
            person: Person {
                id: user_id.into(),
                name: None,
                avatar_url: None,
            },
            device: uuid::Uuid::new_v4().to_string(),
            timeout: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            reconnect: Reconnect::default(),
            limits: LiveLimits::default(),
            pending: Vec::new(),
            seed: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    #[error("cannot connect to {url}: {end}")]
    Connect { url: String, end: LiveEnd },
    #[error("{0}")]
    Ended(LiveEnd),
    #[error("table {table}: {why}")]
    Refused { table: DocumentId, why: Refusal },
    #[error("the edit was refused: {0}")]
    Rejected(Refusal),
    #[error("the edit is not kept: {0}")]
    NotKept(#[from] NotKept),
    #[error("{what} took longer than {limit:?}")]
    TimedOut { what: &'static str, limit: Duration },
    #[error("table {0} is followed already")]
    AlreadyFollowed(DocumentId),
    #[error("{0} tables are followed already")]
    TooManyTables(usize),
    #[error("table {0} is not followed any more")]
    NotFollowed(DocumentId),
}

/// One person at one device, for as long as this lives.
#[derive(Debug)]
pub struct LiveClient {
    board: Arc<Board>,
    limits: LiveLimits,
    task: tokio::task::JoinHandle<()>,
}

impl LiveClient {
    /// Connects, and waits until the server knows who this is. Fails with the first attempt.
    pub async fn connect(url: &str, options: LiveOptions) -> Result<Self, LiveError> {
        let limit = options.timeout + options.answer;
        let client = Self::start(url, options)?;
        let is_told = |status: &Status| !matches!(status, Status::Connecting);
        let told = client.until("connecting", limit, is_told).await?;
        match told {
            Status::Connecting | Status::Connected => Ok(client),
            Status::Waiting(end) | Status::Ended(end) => Err(LiveError::Connect { url: url.into(), end }),
        }
    }

    /// Begins to connect, and goes on until it succeeds. Tables can be edited at once: what they hold is told later. Fails
    /// if more edits are pending than the limits allow.
    pub fn start(url: &str, options: LiveOptions) -> Result<Self, LiveError> {
        let limits = options.limits;
        let bounds = Bounds {
            tables: limits.tables,
            queue: queue::Most {
                edits: limits.edits,
                bytes: limits.edit_bytes,
                message_bytes: limits.sent_bytes,
            },
            answer: options.answer,
        };
        let seed = options.seed.unwrap_or_else(rand::random);
        // Before 1970 it is as wrong as it is in 1970.
        let local = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = Instant::now();
        let clock = Clock::new(local.unwrap_or_default().as_millis() as u64, now);
        let mut session = Session::new(options.person, options.device, bounds, seed, clock, now);
        for edit in options.pending {
            session.queue.push(edit)?;
        }
        let board = Arc::new(Board::new(session, limits.events));
        let dial = socket::Dial {
            url: url.to_owned(),
            timeout: options.timeout,
            stall: options.answer,
            reconnect: options.reconnect,
            max_message_bytes: limits.received_bytes,
        };
        let task = tokio::spawn(socket::run(board.clone(), dial, seed.wrapping_add(1)));
        Ok(Self { board, limits, task })
    }

    /// Follows a table, and waits until it is here.
    pub async fn subscribe(&self, id: &DocumentId, scope: Scope, limit: Duration) -> Result<LiveTable, LiveError> {
        let table = self.table(id, scope)?;
        match table.ready(limit).await {
            Ok(()) => Ok(table),
            Err(error) => {
                table.unsubscribe();
                Err(error)
            }
        }
    }

    /// Follows a table that need not be here yet. It is followed until it is [left](LiveTable::unsubscribe), handles or not.
    pub fn table(&self, id: &DocumentId, scope: Scope) -> Result<LiveTable, LiveError> {
        match self.board.open(id, scope) {
            Some(true) => Ok(LiveTable::new(self.board.clone(), id.clone())),
            Some(false) => Err(LiveError::AlreadyFollowed(id.clone())),
            None => Err(LiveError::TooManyTables(self.limits.tables)),
        }
    }

    pub fn status(&self) -> Status {
        self.board.status.borrow().clone()
    }

    /// Waits until there is a connection.
    pub async fn connected(&self, limit: Duration) -> Result<(), LiveError> {
        let is_told = |status: &Status| matches!(status, Status::Connected | Status::Ended(_));
        match self.until("connecting", limit, is_told).await? {
            Status::Ended(end) => Err(LiveError::Ended(end)),
            _ => Ok(()),
        }
    }

    /// Waits until it stands in a certain way. `what` completes "… took longer than" the limit.
    pub async fn until(
        &self,
        what: &'static str,
        limit: Duration,
        is_so: impl FnMut(&Status) -> bool,
    ) -> Result<Status, LiveError> {
        let mut status = self.board.status.subscribe();
        let told = timeout(limit, status.wait_for(is_so)).await;
        let told = told.map_err(|_| LiveError::TimedOut { what, limit })?;
        Ok(told.expect("the board holds the sender").clone())
    }

    /// Waits until it has stopped for good.
    pub async fn ended(&self) -> LiveEnd {
        self.board.until_ended().await
    }

    /// The device, as the server knows it.
    pub fn device(&self) -> String {
        self.board.state().session.device.clone()
    }

    /// The colour of this person: 0 to 9.
    pub fn color(&self) -> u8 {
        self.board.state().session.color
    }

    /// The edits that the server has not answered, in order. Stored, they can be taken up by another client
    /// ([`LiveOptions::pending`]), even if some of them turn out to have been made: each is made once, as long as the server
    /// remembers it: for up to 30 days. What is older then and was sent when it was stored is refused, since it may have been
    /// saved; what was not is sent as if it were of now. So store them anew when some have been answered.
    pub fn pending(&self) -> Vec<PendingEdit> {
        self.board.state().session.queue.edits().cloned().collect()
    }

    /// Waits until the server has answered every edit.
    pub async fn settled(&self, limit: Duration) -> Result<(), LiveError> {
        self.board.settled(limit).await
    }

    /// What happens to all tables, from now on.
    pub fn events(&self) -> Events {
        self.board.events(None)
    }

    /// Closes the connection properly: says so and waits for the server to close it. Dropping a client cuts it off, and
    /// others see it leave a moment later. Edits that wait stay in [`pending`](Self::pending).
    pub async fn close(mut self, limit: Duration) -> Vec<PendingEdit> {
        self.board.leave();
        // A server that does not answer is cut off.
        let _ = timeout(limit, &mut self.task).await;
        self.pending()
    }
}

impl Drop for LiveClient {
    fn drop(&mut self) {
        self.board.finish(LiveEnd::Left);
        self.task.abort();
    }
}
