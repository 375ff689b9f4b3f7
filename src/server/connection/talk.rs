//! One document of one connection: the messages of its peer, in order, through gate and commit into the conversation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use automerge::ActorId;
use automerge::sync::Message;
use bytes::Bytes;

use super::door::SyncDoor;
use super::jobs::Done;
use crate::id::DocumentId;
use crate::room::inbox::{Close, Mark};
use crate::room::{Deletion, Room, Waking};
use crate::store::Place;
use crate::sync::conversation::{Conversation, Heard, Hearing};
use crate::sync::gate::{self, BadMessage, GateLimits, Offered, Opened};

/// Operations that are worked on on the runtime; a message with more goes to a worker thread.
pub(super) const LIGHT_OPERATIONS: u64 = 1_000;

/// A document that this connection has open.
pub(super) struct Talk {
    pub document: DocumentId,
    pub room: Arc<Room>,
    pub mark: Arc<Mark>,
    pub conversation: Conversation,
    pub epoch: u64,
    /// Messages that were not looked at yet, oldest first.
    pub arrived: VecDeque<Arrived>,
    /// A job works on the first message; the others wait for it.
    pub busy: bool,
    /// A place in the committer's queue, reserved for the first message.
    pub place: Option<Place>,
    /// Whether it stands in the connection's queue for writing.
    pub queued: bool,
    /// The peer asked, nobody had it, and it was told so; it is told when somebody has.
    pub told_unavailable: bool,
    /// The document is deleted, and the peer was told that it is unavailable.
    pub told_deleted: bool,
    /// The peer was told who else is there.
    pub greeted: bool,
    /// Up to where the gossip of the room was passed on.
    pub gossip_seen: u64,
}

/// A sync message on its way into the room.
pub(super) struct Arrived {
    pub bytes: usize,
    /// The peer has nothing of the document and asks to be told if we do not either.
    pub is_request: bool,
    pub stage: Stage,
}

pub(super) enum Stage {
    Raw(Bytes),
    Opened(Opened),
}

/// Whether the next message can be looked at.
pub(super) enum Next {
    Go,
    Wait,
}

impl Talk {
    /// Starts the conversation anew if the document was thrown away meanwhile. Returns how many bytes of an answer that
    /// waited for the disk went with it.
    pub fn follow_epoch(&mut self) -> usize {
        let epoch = self.room.epoch();
        if self.epoch == epoch {
            return 0;
        }
        self.epoch = epoch;
        let parked = self.conversation.parked_bytes();
        self.conversation.restart();
        // Rolled back: the peer believes that its changes were taken, and would offer nothing that could be refused.
        if self.room.is_read_only() {
            self.conversation.turn_deaf(Hearing::Deaf);
        }
        parked
    }
}

impl SyncDoor {
    /// The room has set the mark, or a job is done: looks at what can be done now.
    pub(super) fn look_at(&mut self, key: u32) {
        let Some(talk) = self.talks.get_mut(&key) else { return };
        // Cleared before looking, so that what happens meanwhile sets it again (lost wakeup).
        talk.mark.clear();
        self.advance(key);
    }

    /// Takes the messages of one document as far as possible, and lets it write.
    pub(super) fn advance(&mut self, key: u32) {
        loop {
            let Some(talk) = self.talks.get_mut(&key) else { return };
            if talk.told_unavailable && talk.room.exists() {
                talk.told_unavailable = false;
                self.unknown -= 1;
            }
            if self.withholds(key) {
                break;
            }
            let talk = self.talk(key);
            if talk.busy {
                break;
            }
            let parked = talk.follow_epoch();
            self.parked_bytes -= parked;
            let talk = self.talk(key);
            let Some(arrived) = talk.arrived.pop_front() else { break };
            let bytes = arrived.bytes;
            match self.take(key, arrived) {
                Next::Go => self.waiting_bytes -= bytes,
                Next::Wait => break,
            }
            // Known only now: whether a document exists is seen once it was loaded.
            if self.forget_unknown(key) {
                return;
            }
        }
        self.enqueue(key);
    }

    /// Takes one message, or puts it back to the front.
    fn take(&mut self, key: u32, arrived: Arrived) -> Next {
        let Arrived {
            bytes,
            is_request,
            stage,
        } = arrived;
        let opened = match stage {
            Stage::Opened(opened) => opened,
            Stage::Raw(data) => match self.open_light(&data) {
                Some(Ok(opened)) => opened,
                Some(Err(error)) => return self.bad_message(&error),
                None => {
                    self.talk(key).busy = true;
                    let limits = self.server.config.room.gate.clone();
                    self.blocking(move || Done::Opened {
                        key,
                        bytes,
                        is_request,
                        opened: gate::open(&data, &limits),
                    });
                    return Next::Wait;
                }
            },
        };
        let talk = self.talks.get_mut(&key).expect("the caller found it");
        let listens = talk.conversation.hearing() == Hearing::Open && !opened.changes.is_empty();
        let is_unknown = talk.room.deletion() == Deletion::Unknown;
        if listens || is_unknown || (is_request && !talk.room.exists()) {
            match talk.room.begin_wake(Instant::now()) {
                // Somebody is in the slot. Before the room was opened it would look as if there was no such document.
                Waking::Awake if !talk.room.is_opened() => {
                    talk.arrived.push_front(Arrived {
                        bytes,
                        is_request,
                        stage: Stage::Opened(opened),
                    });
                    self.ask_again(key);
                    return Next::Wait;
                }
                Waking::Awake => {}
                Waking::Failed(reason) => {
                    tracing::warn!(document = %talk.document, connection = %self.id, %reason, "a message for a document that cannot be loaded");
                    talk.place = None;
                    if listens {
                        // Dropped in silence they would be asked for without end: the peer believes that it sent them.
                        self.refuse(Close::TryLater, "the document cannot be loaded just now");
                        return Next::Wait;
                    }
                    if is_request {
                        self.answer_unavailable(key);
                        return Next::Go;
                    }
                }
                waking => {
                    talk.arrived.push_front(Arrived {
                        bytes,
                        is_request,
                        stage: Stage::Opened(opened),
                    });
                    if waking == Waking::Begun {
                        self.wake(key);
                    }
                    return Next::Wait;
                }
            }
        }
        if listens {
            return self.commit(key, bytes, is_request, opened);
        }
        if !opened.message.heads.is_empty() {
            self.has_something(key);
        } else if is_request && !self.talk(key).room.exists() {
            self.tell_unavailable(key);
        }
        let committed = opened.changes.is_empty();
        self.hear(key, opened.message, committed);
        Next::Go
    }

    /// Opens a message on the runtime, if it turns out to be light: few bytes, few operations, little inflated. 180 bytes
    /// can hold 750,000 operations.
    fn open_light(&self, data: &[u8]) -> Option<Result<Opened, BadMessage>> {
        let config = &self.server.config;
        if data.len() > config.sync.light_bytes {
            return None;
        }
        let limits = GateLimits {
            message_ops: config.room.gate.message_ops.min(LIGHT_OPERATIONS),
            change_ops: config.room.gate.change_ops.min(LIGHT_OPERATIONS),
            message_inflated_bytes: config
                .room
                .gate
                .message_inflated_bytes
                .min(config.sync.light_bytes as u64 * 4),
            ..config.room.gate.clone()
        };
        let opened = gate::open(data, &limits);
        // What is refused as light may be well as heavy.
        let heavy = match &opened {
            Ok(opened) => opened
                .changes
                .iter()
                .any(|offered| matches!(offered, Offered::Refused { .. })),
            Err(_) => true,
        };
        (!heavy).then_some(opened)
    }

    /// Looks at the first message again when nobody is in the slot of the room any more.
    fn ask_again(&mut self, key: u32) {
        let talk = self.talk(key);
        talk.busy = true;
        let room = talk.room.clone();
        self.job(async move {
            room.until(|room| (room.is_opened() || room.is_settled()).then_some(()))
                .await;
            Done::AskAgain { key }
        });
    }

    /// Loads the document of this room on a worker thread; the mark comes when it is there.
    pub(super) fn wake(&mut self, key: u32) {
        let (room, server) = (self.talk(key).room.clone(), self.server.clone());
        self.catch_ups += 1;
        // A task of its own: a load that was begun goes on to its end even if this connection does not.
        let loading = tokio::spawn(async move {
            let _turn = server.loads.acquire().await;
            let load = tokio::task::spawn_blocking(move || room.wake(ActorId::random(), Instant::now()));
            load.await
        });
        self.job(async move {
            match loading.await {
                Ok(Ok(())) => Done::Woken,
                _ => Done::Panicked,
            }
        });
    }

    /// Gives a message without its changes to the conversation.
    pub(super) fn hear(&mut self, key: u32, message: Message, committed: bool) {
        let talk = self.talks.get_mut(&key).expect("the caller found it");
        let room = talk.room.clone();
        if let Some(storage) = self.peer.as_ref().and_then(|peer| peer.lasting_storage.as_ref())
            && message.heads.iter().all(|head| room.knows(head))
        {
            let (position, durable) = (room.end(), room.durable());
            let mut audience = room.audience();
            audience.own_heads(storage, message.heads.clone(), position, super::super::now_ms());
            audience.believe_reports(durable);
        }
        let heard = talk.conversation.hear(message, committed, |hash| room.knows(hash));
        if heard == Heard::CatchUp {
            self.enqueue(key);
        }
    }

    fn bad_message(&mut self, error: &BadMessage) -> Next {
        self.refuse(Close::BadFrame, &error.to_string());
        Next::Wait
    }

    /// The document is nobody's so far: says so, and remembers who asked, within a bound.
    fn tell_unavailable(&mut self, key: u32) {
        self.answer_unavailable(key);
        let talk = self.talk(key);
        if !std::mem::replace(&mut talk.told_unavailable, true) {
            self.unknown += 1;
        }
    }

    /// A peer that was told that nobody has the document has begun it itself. Its first message names heads and carries
    /// nothing: it sends the changes once it is answered, and as long as it counts as one who waits it never is.
    fn has_something(&mut self, key: u32) {
        if std::mem::take(&mut self.talk(key).told_unavailable) {
            self.unknown -= 1;
        }
    }

    /// Takes back a message that was opened on a worker thread.
    pub(super) fn opened(&mut self, key: u32, bytes: usize, is_request: bool, opened: Result<Opened, BadMessage>) {
        let Some(talk) = self.talks.get_mut(&key) else {
            self.waiting_bytes -= bytes;
            return;
        };
        talk.busy = false;
        match opened {
            Ok(opened) => {
                talk.arrived.push_front(Arrived {
                    bytes,
                    is_request,
                    stage: Stage::Opened(opened),
                });
                self.advance(key);
            }
            Err(error) => {
                self.bad_message(&error);
            }
        }
    }
}
