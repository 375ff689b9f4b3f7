//! A handle on one document of a connection: edit it, look at it, wait for it.
//!
//! What is waited for is a fact about the replica, looked at again after each change of it; waiting keeps nothing and
//! misses nothing. The replica outlives its connection, so that what was shown can still be looked at, and brought to
//! another one.

use std::sync::Arc;
use std::time::Duration;

use automerge::transaction::Transaction;
use automerge::{Automerge, ChangeHash};
use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::{Connection, Entry};
use super::replica::Replica;
use super::{ClientError, End};
use crate::id::DocumentId;

/// One document on one connection. Handles may be cloned; all of them mean the same replica.
#[derive(Debug, Clone)]
pub struct Document {
    connection: Arc<Connection>,
    entry: Arc<Entry>,
    /// What this handle has been told of.
    news: watch::Receiver<()>,
}

impl Document {
    pub(super) fn new(connection: Arc<Connection>, entry: Arc<Entry>) -> Self {
        let news = entry.changed.subscribe();
        Self {
            connection,
            entry,
            news,
        }
    }

    pub fn id(&self) -> &DocumentId {
        &self.entry.id
    }

    /// Looks at the replica: its document, heads, changes, and what the server has shown. Keep it short, the
    /// connection waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.entry.replica())
    }

    /// A copy of the document as it stands.
    pub fn fork(&self) -> Automerge {
        self.look(|replica| replica.document().fork())
    }

    /// Makes one change and sends it; none if the edit did nothing. On an error nothing has happened. Works without a
    /// connection too: bring the document to the next one.
    pub fn edit<T, E>(
        &self,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<ChangeHash>), E> {
        let done = self.entry.replica().edit(edit)?;
        self.entry.changed.send_replace(());
        self.connection.speak(&self.entry.id);
        Ok(done)
    }

    /// Waits until all the server has of the document is here.
    pub async fn ready(&self, limit: Duration) -> Result<(), ClientError> {
        self.until("complete", limit, |replica| match replica {
            replica if replica.is_complete() => Some(Ok(())),
            replica if replica.is_unavailable() => Some(Err(ClientError::Unavailable(self.id().clone()))),
            _ => None,
        })
        .await?
    }

    /// As [`ready`](Self::ready), but a server that has nothing may still get it from somebody else.
    pub async fn supplied(&self, limit: Duration) -> Result<(), ClientError> {
        self.until("supplied", limit, |replica| replica.is_complete().then_some(()))
            .await
    }

    /// Waits until the server has shown that it has all that is here now: it is on its disk.
    pub async fn saved(&self, limit: Duration) -> Result<(), ClientError> {
        let heads = self.look(Replica::heads);
        self.until("saved", limit, |replica| match replica {
            replica if replica.is_saved(&heads) => Some(Ok(())),
            replica if replica.is_read_only() => Some(Err(ClientError::ReadOnly(self.id().clone()))),
            _ => None,
        })
        .await?
    }

    /// Waits until a look at the replica finds something. `what` completes "the document was not ... in time".
    pub async fn until<T>(
        &self,
        what: &'static str,
        limit: Duration,
        mut look: impl FnMut(&Replica) -> Option<T>,
    ) -> Result<T, ClientError> {
        let mut news = self.entry.changed.subscribe();
        let found = async {
            loop {
                // Subscribed before looking, and looking for the end before the last look: no lost wakeup, and what
                // came in before the end still counts.
                let end = self.connection.ended();
                if let Some(found) = self.look(&mut look) {
                    return Ok(found);
                }
                if let Some(end) = end {
                    return Err(self.ended(end));
                }
                news.changed().await.expect("the entry holds the sender");
            }
        };
        let late = |_| ClientError::TimedOut {
            document: self.id().clone(),
            what,
            limit,
        };
        timeout(limit, found).await.map_err(late)?
    }

    /// Waits for anything new since the last call on this handle: a change from here or there, heads of the server,
    /// its word that it has nothing. Several at once are told once; what they were is in [`look`](Self::look).
    pub async fn next_event(&mut self, limit: Duration) -> Result<(), ClientError> {
        let late = |_| ClientError::TimedOut {
            document: self.entry.id.clone(),
            what: "heard of",
            limit,
        };
        timeout(limit, self.news.changed())
            .await
            .map_err(late)?
            .expect("the entry holds the sender");
        match self.connection.ended() {
            Some(end) => Err(self.ended(end)),
            None => Ok(()),
        }
    }

    fn ended(&self, end: End) -> ClientError {
        ClientError::Ended {
            document: self.entry.id.clone(),
            end,
        }
    }
}
