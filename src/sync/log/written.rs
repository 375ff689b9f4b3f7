//! Who has written the changes of a log: told to those who watch, beside what they have written.
//!
//! The changes of one writer share what tells the writer, so that an entry of the log is hardly larger for it.

use std::collections::VecDeque;
use std::sync::Arc;

use automerge::ChangeHash;
use bytes::Bytes;

use super::Heads;
use crate::document::author::{Author, Door};
use crate::id::ConnectionId;

/// How many writers are looked through for one that is known already.
const REMEMBERED: usize = 16;

/// Where changes came from, as their author records have it. Shared by the changes of one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub user: Option<Arc<str>>,
    pub device: Arc<str>,
    pub door: Door,
}

impl Origin {
    fn is_of(&self, author: &Author) -> bool {
        self.user.as_deref() == author.user.as_deref() && *self.device == *author.device && self.door == author.door
    }
}

/// A change on its way into the log.
#[derive(Debug, Clone)]
pub struct Logged<'a> {
    pub hash: ChangeHash,
    pub bytes: Bytes,
    /// The heads of the document behind it.
    pub heads: Heads,
    /// The connection it came through; none for the server's own.
    pub from: Option<ConnectionId>,
    pub author: &'a Author,
    /// The id that its writer gave it, if it was one change of theirs and no more.
    pub key: Option<Arc<str>>,
}

/// Who has written a change that is in the log.
#[derive(Debug, Clone)]
pub struct Written {
    pub origin: Arc<Origin>,
    pub from: Option<ConnectionId>,
    pub key: Option<Arc<str>>,
}

/// The writers heard last, the newest at the back.
#[derive(Default)]
pub(super) struct Origins(VecDeque<Arc<Origin>>);

impl Origins {
    pub fn of(&mut self, author: &Author) -> Arc<Origin> {
        if let Some(known) = self.0.iter().rev().find(|known| known.is_of(author)) {
            return known.clone();
        }
        let origin = Arc::new(Origin {
            user: author.user.as_deref().map(Into::into),
            device: author.device.as_str().into(),
            door: author.door,
        });
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(origin.clone());
        origin
    }
}
