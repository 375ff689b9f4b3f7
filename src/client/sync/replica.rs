//! Our copy of one document, and how far it and the server's agree.
//!
//! Pure: bytes in, bytes out. The library's sync state does the talking; beside it stand the facts a caller may want to
//! know and the library keeps to itself.

use std::collections::HashSet;

use automerge::sync::{Message, State, SyncDoc};
use automerge::transaction::Transaction;
use automerge::{Automerge, ChangeHash};

/// One sync message, and how the wire calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// We have nothing of the document: the server is to say so if it has nothing either.
    Request(Vec<u8>),
    Sync(Vec<u8>),
}

/// One document on one connection.
#[derive(Debug)]
pub struct Replica {
    document: Automerge,
    sync: State,
    server_heads: Vec<ChangeHash>,
    unavailable: bool,
}

impl Replica {
    /// Every connection starts with a fresh sync state: one carried over believes in messages that were lost.
    pub(super) fn new(document: Automerge) -> Self {
        Self {
            document,
            sync: State::new(),
            server_heads: Vec::new(),
            unavailable: false,
        }
    }

    /// The next message to the server, if there is anything to say.
    pub(super) fn generate(&mut self) -> Option<Outgoing> {
        let empty = self.document.get_heads().is_empty() && self.server_heads.is_empty();
        let data = self.document.generate_sync_message(&mut self.sync)?.encode();
        Some(if empty {
            Outgoing::Request(data)
        } else {
            Outgoing::Sync(data)
        })
    }

    pub(super) fn receive(&mut self, data: &[u8]) -> Result<(), String> {
        let message = Message::decode(data).map_err(|error| error.to_string())?;
        let heads = message.heads.clone();
        self.document
            .receive_sync_message(&mut self.sync, message)
            .map_err(|error| error.to_string())?;
        if !heads.is_empty() {
            self.unavailable = false;
        }
        self.server_heads = heads;
        Ok(())
    }

    pub(super) fn set_unavailable(&mut self) {
        self.unavailable = true;
    }

    pub(super) fn edit<T, E>(
        &mut self,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<ChangeHash>), E> {
        match self.document.transact(edit) {
            Ok(done) => Ok((done.result, done.hash)),
            Err(failed) => Err(failed.error),
        }
    }

    pub fn document(&self) -> &Automerge {
        &self.document
    }

    /// Our heads.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.document.get_heads()
    }

    /// The heads the server showed last: what it has on disk. Some of them may not be known here yet.
    pub fn server_heads(&self) -> &[ChangeHash] {
        &self.server_heads
    }

    /// The server said it has nothing of this document, and has sent nothing since.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }

    /// The server said it takes no changes of this document from us.
    pub fn is_read_only(&self) -> bool {
        self.sync.peer_read_only
    }

    pub fn knows(&self, change: &ChangeHash) -> bool {
        self.document.get_change_meta_by_hash(change).is_some()
    }

    /// All changes known here, in an order in which each comes after what it builds on.
    pub fn changes(&self) -> Vec<ChangeHash> {
        self.document
            .get_changes_meta(&[])
            .iter()
            .map(|change| change.hash)
            .collect()
    }

    /// The known changes that the server has not shown to have, in causal order.
    pub fn unsaved(&self) -> Vec<ChangeHash> {
        let shown: Vec<_> = self
            .server_heads
            .iter()
            .filter(|head| self.knows(head))
            .copied()
            .collect();
        self.document
            .get_changes_meta(&shown)
            .iter()
            .map(|change| change.hash)
            .collect()
    }

    /// All the server has shown to have is here.
    pub fn is_complete(&self) -> bool {
        !self.server_heads.is_empty() && self.server_heads.iter().all(|head| self.knows(head))
    }

    /// The server has shown heads that include all of these.
    pub fn is_saved(&self, heads: &[ChangeHash]) -> bool {
        if heads.iter().all(|head| self.server_heads.contains(head)) {
            return true;
        }
        let unsaved: HashSet<_> = self.unsaved().into_iter().collect();
        heads.iter().all(|head| self.knows(head) && !unsaved.contains(head))
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{AutomergeError, ROOT, ReadDoc};

    use super::*;

    fn put(replica: &mut Replica, key: &str) -> ChangeHash {
        replica.edit(|tx| tx.put(ROOT, key, 1)).unwrap().1.unwrap()
    }

    /// Lets a client and a server talk until both are quiet.
    fn talk(client: &mut Replica, server: &mut Replica) {
        for _ in 0..20 {
            let up = client
                .generate()
                .map(|(Outgoing::Request(data) | Outgoing::Sync(data))| server.receive(&data));
            let down = server
                .generate()
                .map(|(Outgoing::Request(data) | Outgoing::Sync(data))| client.receive(&data));
            if up.or(down).is_none() {
                return;
            }
        }
        panic!("they never stopped talking");
    }

    #[test]
    fn an_empty_replica_requests_and_one_with_content_does_not() {
        let mut replica = Replica::new(Automerge::new());
        assert!(matches!(replica.generate(), Some(Outgoing::Request(_))));
        put(&mut replica, "a");
        assert!(matches!(replica.generate(), Some(Outgoing::Sync(_))));
    }

    #[test]
    fn an_edit_is_saved_once_the_server_shows_it_and_not_before() {
        let (mut client, mut server) = (Replica::new(Automerge::new()), Replica::new(Automerge::new()));
        put(&mut server, "theirs");
        talk(&mut client, &mut server);
        assert!(client.is_complete() && client.is_saved(&client.heads()));

        let ours = put(&mut client, "ours");
        assert!(!client.is_saved(&[ours]));
        assert_eq!(client.unsaved(), [ours]);
        talk(&mut client, &mut server);
        assert!(client.is_saved(&[ours]) && client.unsaved().is_empty());

        // The server's heads move on; ours is still beneath them.
        put(&mut server, "more");
        talk(&mut client, &mut server);
        assert!(client.is_saved(&[ours]));
        assert_eq!(client.changes().len(), 3);
    }

    #[test]
    fn an_edit_that_fails_leaves_nothing() {
        let mut replica = Replica::new(Automerge::new());
        let failed = replica.edit(|tx| {
            tx.put(ROOT, "a", 1)?;
            tx.put(ROOT, 7, 1)
        });
        assert!(matches!(failed, Err(AutomergeError::InvalidOp(_))));
        assert!(replica.heads().is_empty() && replica.document().get(ROOT, "a").unwrap().is_none());
    }

    #[test]
    fn bytes_that_are_no_sync_message_are_an_error() {
        assert!(Replica::new(Automerge::new()).receive(&[1, 2, 3]).is_err());
    }
}
