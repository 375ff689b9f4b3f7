use automerge::sync::SyncDoc;
use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, Change, ROOT};

use super::*;
use crate::sync::log::LogLimits;

const ADA: ConnectionId = ConnectionId(1);
const GRACE: ConnectionId = ConnectionId(2);

/// The server's side of one document, and Ada's.
struct Scene {
    server: Automerge,
    log: ChangeLog,
    conversation: Conversation,
    ada: Automerge,
    state: State,
}

fn put(document: &mut Automerge, value: i64) -> Change {
    document
        .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", value))
        .unwrap();
    document.get_last_local_change().unwrap()
}

impl Scene {
    /// Both have the same, and Ada is caught up.
    fn settled(limits: LogLimits) -> Self {
        let mut server = Automerge::new();
        put(&mut server, 0);
        let mut scene = Self {
            log: ChangeLog::starting_at(1, server.get_heads().into(), limits),
            ada: server.fork(),
            server,
            conversation: Conversation::default(),
            state: State::new(),
        };
        for _ in 0..3 {
            scene.ada_speaks();
            scene.server_speaks();
        }
        assert_eq!(scene.conversation.cursor(), Some(1));
        scene
    }

    /// A change comes in through some connection and is synced.
    fn commit(&mut self, change: &Change, from: ConnectionId) {
        self.server.apply_changes([change.clone()]).unwrap();
        let bytes = Bytes::copy_from_slice(change.raw_bytes());
        let end = self
            .log
            .append_from(change.hash(), bytes, self.server.get_heads().into(), Some(from));
        self.log.flushed(end);
    }

    fn ada_speaks(&mut self) {
        let Some(message) = self.ada.generate_sync_message(&mut self.state) else {
            return;
        };
        let without_changes = Message {
            changes: Vec::<Vec<u8>>::new().into(),
            ..message
        };
        let server = &self.server;
        let knows = |hash: &ChangeHash| server.get_change_meta_by_hash(hash).is_some();
        self.conversation.hear(without_changes, true, knows);
    }

    /// Everything the server has to say. How many messages that were.
    fn server_speaks(&mut self) -> usize {
        for said in 0.. {
            if self.conversation.due(self.log.durable()) {
                let mut replica = Replica::new(self.server.clone(), self.log.end());
                let work = self.conversation.begin().unwrap();
                self.conversation.finish(work.run(&mut replica, |_, _| Vec::new()));
            }
            let Some(data) = self.conversation.pull(&mut self.log, ADA) else {
                if self.conversation.due(self.log.durable()) {
                    continue;
                }
                return said;
            };
            let message = Message::decode(&data).unwrap();
            self.ada.receive_sync_message(&mut self.state, message).unwrap();
        }
        unreachable!("it falls silent")
    }
}

/// Ada's socket was slow while she wrote: her cursor fell behind the start of the log, but the heads that she had sent lay
/// within it. She was put at their position, and never told that her change was on the disk.
#[test]
fn a_writer_behind_the_log_is_told_that_her_change_is_on_disk() {
    let mut scene = Scene::settled(LogLimits {
        changes: 1,
        ..LogLimits::default()
    });
    let (one, two) = (put(&mut scene.ada, 1), put(&mut scene.ada, 2));
    scene.commit(&one, ADA);
    scene.commit(&two, ADA);
    scene.ada_speaks();
    scene.server_speaks();
    assert_eq!(scene.state.their_heads, Some(vec![two.hash()]));
    assert_eq!(scene.conversation.cursor(), Some(3));
}

/// The same, with nothing left in the log: the library tells her. She had no reason to answer, so that her conversation
/// stayed with the library until somebody's next edit.
#[test]
fn a_rebuilt_conversation_with_a_peer_that_has_everything_is_caught_up_at_once() {
    let mut scene = Scene::settled(LogLimits::default());
    scene.conversation.restart();
    assert_eq!(scene.server_speaks(), 1);
    assert_eq!(scene.conversation.cursor(), Some(1));

    let theirs = put(&mut scene.server.fork(), 5);
    scene.commit(&theirs, GRACE);
    assert_eq!(scene.server_speaks(), 1);
    assert_eq!(scene.ada.get_heads(), [theirs.hash()]);
}

/// One that lacks something is not taken for caught up by the same rule.
#[test]
fn a_rebuilt_conversation_with_a_peer_that_lacks_something_waits_for_its_answer() {
    let mut scene = Scene::settled(LogLimits::default());
    let theirs = put(&mut scene.server.fork(), 5);
    scene.commit(&theirs, GRACE);
    scene.conversation.restart();
    assert_eq!(scene.server_speaks(), 1);
    assert_eq!(scene.conversation.cursor(), None);
    scene.ada_speaks();
    scene.server_speaks();
    assert_eq!(scene.ada.get_heads(), [theirs.hash()]);
}

/// The first change of a document was refused, or its disk failed: the document had no heads, which made Ada's library say
/// everything once more, which the server took for a reset and answered, without end.
#[test]
fn a_deaf_conversation_about_an_empty_document_falls_silent() {
    let mut ada = Automerge::new();
    put(&mut ada, 1);
    let mut scene = Scene {
        server: Automerge::new(),
        log: ChangeLog::starting_at(0, Vec::new().into(), LogLimits::default()),
        ada,
        conversation: Conversation::default(),
        state: State::new(),
    };
    scene.conversation.turn_deaf(Hearing::Deaf);
    let mut said = 0;
    for _ in 0..10 {
        scene.ada_speaks();
        said += scene.server_speaks();
    }
    assert_eq!(said, 1, "once, that nothing is taken");
    assert!(scene.state.is_peer_read_only());

    let theirs = put(&mut Automerge::new(), 5);
    scene.commit(&theirs, GRACE);
    scene.server_speaks();
    assert!(
        scene.ada.get_heads().contains(&theirs.hash()),
        "and what comes later is told"
    );
}
