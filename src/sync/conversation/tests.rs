//! One conversation, between a desk where everything is durable at once and Ada, who is the library as JavaScript uses it.

use super::*;
use crate::sync::log::LogLimits;
use automerge::sync::{ChunkList, Have, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ROOT};

/// A peer: the library as JavaScript uses it.
struct Peer {
    document: Automerge,
    state: State,
}

impl Peer {
    fn new(document: Automerge) -> Self {
        Self {
            document,
            state: State::new(),
        }
    }

    fn edit(&mut self, n: i64) {
        self.document
            .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", n))
            .unwrap();
    }

    fn says(&mut self) -> Option<Message> {
        self.document.generate_sync_message(&mut self.state)
    }

    fn hears(&mut self, data: &[u8]) {
        self.document
            .receive_sync_message(&mut self.state, Message::decode(data).unwrap())
            .unwrap();
    }
}

/// The server's side of one document: everything it takes is durable at once.
struct Desk {
    document: Automerge,
    log: ChangeLog,
    talk: Conversation,
}

const ADA: ConnectionId = ConnectionId(1);

impl Desk {
    fn new(changes: i64) -> Self {
        let mut document = Automerge::new();
        for n in 0..changes {
            document
                .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", n))
                .unwrap();
        }
        let heads = document.get_heads();
        let log = ChangeLog::starting_at(changes as u64, heads.into(), LogLimits::default());
        Self {
            document,
            log,
            talk: Conversation::default(),
        }
    }

    fn knows(document: &Automerge, hash: &ChangeHash) -> bool {
        document.get_change_meta_by_hash(hash).is_some()
    }

    /// Commits the changes of a message, gives the rest to the conversation.
    fn hears(&mut self, mut message: Message) -> Heard {
        let changes = std::mem::replace(&mut message.changes, ChunkList::empty());
        if self.talk.hearing() == Hearing::Open {
            for chunk in changes.iter() {
                self.document.load_incremental(chunk).unwrap();
                let hash = automerge::Change::from_bytes(chunk.to_vec()).unwrap().hash();
                self.log
                    .append_from(hash, chunk.to_vec().into(), self.document.get_heads().into(), Some(ADA));
            }
        }
        self.log.flushed(self.log.end());
        let document = &self.document;
        self.talk.hear(message, true, |hash| Self::knows(document, hash))
    }

    /// Everything the conversation has to say now.
    fn says(&mut self) -> Vec<Bytes> {
        let mut said = Vec::new();
        for _ in 0..10 {
            said.extend(self.talk.pull(&mut self.log, ADA));
            if self.talk.due(self.log.durable()) {
                let mut replica = Replica::new(self.document.clone(), self.log.end());
                let work = self.talk.begin().expect("one is due");
                self.talk.finish(work.run(&mut replica, |need, _| need.to_vec()));
            }
        }
        said
    }
}

fn until_quiet(desk: &mut Desk, ada: &mut Peer) -> usize {
    let mut messages = 0;
    loop {
        let said = desk.says();
        messages += said.len();
        said.iter().for_each(|data| ada.hears(data));
        let answer = ada.says();
        messages += usize::from(answer.is_some());
        match answer {
            Some(message) => desk.hears(message),
            None if said.is_empty() => return messages,
            None => continue,
        };
        assert!(messages < 30, "they do not come to an end");
    }
}

#[test]
fn a_newcomer_is_caught_up_with_the_first_answer_and_pulls_frames_from_then_on() {
    let mut desk = Desk::new(3);
    let mut ada = Peer::new(Automerge::new());
    until_quiet(&mut desk, &mut ada);
    assert_eq!(ada.document.get_heads(), desk.document.get_heads());
    assert_eq!(desk.talk.cursor(), Some(3));
    ada.edit(7);
    assert_eq!(
        desk.hears(ada.says().unwrap()),
        Heard::Acknowledged,
        "a plain edit needs no library"
    );
    assert_eq!(until_quiet(&mut desk, &mut ada), 1, "the frame that acknowledges it");
    assert_eq!(desk.talk.cursor(), Some(4));
    assert_eq!(desk.talk.acknowledged(), ada.document.get_heads());
}

#[test]
fn an_answer_made_from_what_is_not_durable_waits() {
    let mut desk = Desk::new(1);
    let mut ada = Peer::new(Automerge::new());
    desk.hears(ada.says().unwrap());
    desk.document
        .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", 9))
        .unwrap();
    let change = desk.document.get_last_local_change().unwrap();
    let heads = desk.document.get_heads();
    desk.log
        .append_from(change.hash(), change.raw_bytes().to_vec().into(), heads.into(), None);
    assert!(desk.says().is_empty(), "nothing of it is durable");
    desk.log.flushed(2);
    assert_eq!(desk.says().len(), 1);
}

/// A peer that lacks what it was taken to have answers with an empty `last_sync` until it is helped. Taken for an
/// acknowledgement, that went on for ever.
#[test]
fn a_reset_is_not_an_acknowledgement() {
    let mut desk = Desk::new(2);
    let mut ada = Peer::new(Automerge::new());
    until_quiet(&mut desk, &mut ada);
    let heads = ada.document.get_heads();
    let reset = Message {
        heads: heads.clone(),
        need: Vec::new(),
        have: vec![Have::default()],
        changes: ChunkList::empty(),
        flags: None,
        version: automerge::sync::MessageVersion::V1,
    };
    assert_eq!(desk.hears(reset.clone()), Heard::CatchUp);
    let acknowledgement = Message {
        have: vec![Have {
            last_sync: heads,
            ..Have::default()
        }],
        ..reset
    };
    until_quiet(&mut desk, &mut ada);
    assert_eq!(desk.hears(acknowledgement), Heard::Acknowledged);
}

#[test]
fn a_deaf_conversation_says_so_once_takes_nothing_and_tells_everything() {
    let mut desk = Desk::new(2);
    let mut ada = Peer::new(Automerge::new());
    until_quiet(&mut desk, &mut ada);
    ada.edit(5);
    let own = ada.document.get_heads();
    desk.talk.turn_deaf(Hearing::Deaf);
    desk.hears(ada.says().unwrap());
    until_quiet(&mut desk, &mut ada);
    assert!(ada.state.is_peer_read_only(), "she was told");
    assert!(!Desk::knows(&desk.document, &own[0]), "nothing was taken");
    desk.document
        .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "m", 1))
        .unwrap();
    let change = desk.document.get_last_local_change().unwrap();
    desk.log.append_from(
        change.hash(),
        change.raw_bytes().to_vec().into(),
        desk.document.get_heads().into(),
        None,
    );
    desk.log.flushed(3);
    until_quiet(&mut desk, &mut ada);
    assert!(Desk::knows(&ada.document, &change.hash()), "she was told everything");
    assert_eq!(desk.talk.cursor(), Some(3));
}

#[test]
fn a_conversation_sent_back_speaks_first() {
    let mut desk = Desk::new(2);
    let mut ada = Peer::new(Automerge::new());
    until_quiet(&mut desk, &mut ada);
    desk.talk.restart();
    assert!(desk.talk.due(desk.log.durable()));
    until_quiet(&mut desk, &mut ada);
    ada.edit(21);
    desk.hears(ada.says().unwrap());
    until_quiet(&mut desk, &mut ada);
    assert_eq!(desk.document.get_heads(), ada.document.get_heads());
    assert_eq!(desk.talk.cursor(), Some(3), "her next message caught her up again");
}

#[test]
fn a_peer_that_fell_behind_the_log_gets_its_place_back_or_the_library() {
    let mut desk = Desk::new(2);
    let mut ada = Peer::new(Automerge::new());
    until_quiet(&mut desk, &mut ada);
    for n in 0..3 {
        desk.document
            .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "n", n))
            .unwrap();
        let change = desk.document.get_last_local_change().unwrap();
        desk.log.append_from(
            change.hash(),
            change.raw_bytes().to_vec().into(),
            desk.document.get_heads().into(),
            None,
        );
    }
    desk.log.flushed(5);
    desk.log.forget();
    until_quiet(&mut desk, &mut ada);
    assert_eq!(ada.document.get_heads(), desk.document.get_heads());
    assert_eq!(desk.talk.cursor(), Some(5));
}
