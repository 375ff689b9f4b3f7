//! One peer and one document: what the peer has, and whether it is told by the library or from the log.
//!
//! A conversation *catches up* through Automerge's own sync state until the peer stands where we stand; then it holds
//! a *cursor* in the change log and pulls the frames that all observers share. Anything the peer says that is not a
//! plain acknowledgement sends it back to the library. A conversation that may not write is *deaf*: it is told
//! everything and takes nothing.
//!
//! Invariants: an answer made from the document is given out only when everything in it is durable; at most one answer
//! waits for that; frames of one conversation leave in the order of their positions.

use automerge::ChangeHash;
use automerge::sync::{Message, MessageFlags, State};
use bytes::Bytes;

use super::log::{ChangeLog, Pull};
use super::replica::{Replica, Reply};
use crate::id::ConnectionId;

/// Whether a conversation takes what its peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    Open,
    /// Takes nothing and tells the peer so, which then sends no more changes.
    Deaf,
    /// Takes nothing without telling, so that the author of a change that was set aside keeps sending it.
    Quarantined,
}

enum Phase {
    CatchingUp(Box<State>),
    /// A [`CatchUp`] has the state.
    Away,
    CaughtUp {
        cursor: u64,
    },
}

/// A message whose changes were taken out and committed.
struct Waiting {
    message: Message,
    /// Whether all its changes are in the document now.
    committed: bool,
}

/// An answer that waits until the document it was made from is durable.
struct Parked {
    data: Bytes,
    position: u64,
    settles: bool,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The peer has what its heads say; nothing is to be done.
    Acknowledged,
    /// The library must look at it: see [`Conversation::due`].
    CatchUp,
}

pub struct Conversation {
    phase: Phase,
    hearing: Hearing,
    /// The newest heads that the peer is known to have.
    acknowledged: Vec<ChangeHash>,
    /// The latest message that the library has not seen. Each one says everything anew, so one is enough.
    waiting: Option<Waiting>,
    /// Whether the changes of the latest message were all committed.
    committed: bool,
    /// Whether the peer ever asked for the document or offered it; an ephemeral does not.
    spoken_to: bool,
    /// The peer waits for us: it was sent back, and does not answer a rebuilt state by itself.
    speak: bool,
    parked: Option<Parked>,
    /// The position of the document that the last answer was made from.
    answered: u64,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            phase: Phase::CatchingUp(Box::new(State::new())),
            hearing: Hearing::Open,
            acknowledged: Vec::new(),
            waiting: None,
            committed: true,
            spoken_to: false,
            speak: false,
            parked: None,
            answered: u64::MAX,
        }
    }
}

impl Conversation {
    pub fn hearing(&self) -> Hearing {
        self.hearing
    }

    /// The position up to which the peer was told everything; none while it is catching up.
    pub fn cursor(&self) -> Option<u64> {
        match self.phase {
            Phase::CaughtUp { cursor } => Some(cursor),
            _ => None,
        }
    }

    /// The newest heads that the peer is known to have, sorted.
    pub fn acknowledged(&self) -> &[ChangeHash] {
        &self.acknowledged
    }

    /// Takes a message without its changes; `committed` says whether those are all in the document now, `knows` whether
    /// the document has a change.
    pub fn hear(&mut self, message: Message, committed: bool, knows: impl Fn(&ChangeHash) -> bool) -> Heard {
        self.spoken_to = true;
        if matches!(self.phase, Phase::CaughtUp { .. }) {
            if self.hearing == Hearing::Open && committed && is_acknowledgement(&message, &knows) {
                self.acknowledged = message.heads;
                return Heard::Acknowledged;
            }
            if self.hearing != Hearing::Open && message.need.is_empty() && !is_reset(&message) {
                self.acknowledged = message.heads.into_iter().filter(knows).collect();
                return Heard::Acknowledged;
            }
            self.send_back();
        }
        self.waiting = Some(Waiting { message, committed });
        Heard::CatchUp
    }

    /// Takes nothing from here on. The next message says so, unless the conversation is quarantined.
    pub fn turn_deaf(&mut self, hearing: Hearing) {
        debug_assert!(hearing != Hearing::Open);
        if self.hearing != Hearing::Open {
            return;
        }
        self.hearing = hearing;
        if matches!(self.phase, Phase::CaughtUp { .. }) {
            self.send_back();
        }
        if let Phase::CatchingUp(state) = &mut self.phase {
            state.set_read_only(true);
            self.speak = true;
        }
    }

    /// Forgets everything but what the peer acknowledged: the room has a new epoch.
    pub fn restart(&mut self) {
        self.parked = None;
        self.waiting = None;
        self.committed = true;
        self.send_back();
        self.speak = self.spoken_to;
    }

    fn send_back(&mut self) {
        let mut state = State {
            shared_heads: self.acknowledged.clone(),
            ..State::new()
        };
        state.read_only = self.hearing != Hearing::Open;
        self.phase = Phase::CatchingUp(Box::new(state));
    }

    /// Whether the library has something to do for this peer, where everything up to `durable` may be shown.
    pub fn due(&self, durable: u64) -> bool {
        matches!(self.phase, Phase::CatchingUp(_))
            && self.parked.is_none()
            && (self.waiting.is_some() || self.speak || self.answered < durable)
    }

    /// Takes the state out for a [`CatchUp`], which can run elsewhere. None unless one is due.
    pub fn begin(&mut self) -> Option<CatchUp> {
        if self.parked.is_some() || !matches!(self.phase, Phase::CatchingUp(_)) {
            return None;
        }
        let Phase::CatchingUp(state) = std::mem::replace(&mut self.phase, Phase::Away) else {
            unreachable!("looked at just above")
        };
        let speaks = std::mem::take(&mut self.speak);
        let message = self.waiting.take().map(|waiting| {
            self.committed = waiting.committed;
            waiting.message
        });
        Some(CatchUp {
            state,
            message,
            speaks,
            hearing: self.hearing,
            committed: self.committed,
        })
    }

    /// Takes the state back, with the answer.
    pub fn finish(&mut self, done: CaughtUp) {
        debug_assert!(matches!(self.phase, Phase::Away));
        self.acknowledged.clone_from(&done.state.shared_heads);
        self.answered = done.position;
        let mut state = done.state;
        if self.hearing != Hearing::Open && !state.read_only {
            state.set_read_only(true);
            self.speak = true;
        }
        self.phase = Phase::CatchingUp(state);
        match done.answer {
            Some(data) => {
                self.parked = Some(Parked {
                    data,
                    position: done.position,
                    settles: done.settles,
                })
            }
            None if done.settles => self.settle(done.position),
            None => {}
        }
    }

    /// Takes back work that could not be done, since the document fell asleep.
    pub fn give_back(&mut self, work: CatchUp) {
        debug_assert!(matches!(self.phase, Phase::Away));
        self.speak |= work.speaks || work.message.is_none();
        if let (None, Some(message)) = (&self.waiting, work.message) {
            self.waiting = Some(Waiting {
                message,
                committed: work.committed,
            });
        }
        self.phase = Phase::CatchingUp(work.state);
    }

    /// The size of the answer that waits for the disk.
    pub fn parked_bytes(&self) -> usize {
        self.parked.as_ref().map_or(0, |parked| parked.data.len())
    }

    /// Drops the answer that waits for the disk: the document was deleted, and nothing more is said of it. Returns its size.
    pub fn discard_parked(&mut self) -> usize {
        self.parked.take().map_or(0, |parked| parked.data.len())
    }

    fn settle(&mut self, position: u64) {
        if self.waiting.is_none() && !self.speak {
            self.phase = Phase::CaughtUp { cursor: position };
        }
    }

    /// The next message for the peer: a parked answer that became durable, else a frame of the log.
    pub fn pull(&mut self, log: &mut ChangeLog, reader: ConnectionId) -> Option<Bytes> {
        if let Some(parked) = self.parked.take_if(|parked| parked.position <= log.durable()) {
            if parked.settles {
                self.settle(parked.position);
            }
            return Some(parked.data);
        }
        let Phase::CaughtUp { cursor } = self.phase else {
            return None;
        };
        match log.pull(cursor, Some(reader)) {
            Pull::Nothing => None,
            Pull::Frame { data, upto } => {
                self.phase = Phase::CaughtUp { cursor: upto };
                Some(data)
            }
            // What it acknowledged beyond its cursor it had not from us: it wrote it. The last of these changes is told
            // once more, since it was never told that it is on disk.
            Pull::Behind => match log.position_of(&self.acknowledged) {
                Some(position) if position > log.start() => {
                    self.phase = Phase::CaughtUp { cursor: position - 1 };
                    self.pull(log, reader)
                }
                _ => {
                    self.send_back();
                    self.speak = true;
                    None
                }
            },
        }
    }
}

/// A reset: the peer lacks what we took it to have and says so for ever until the library answers. Taking one for an
/// acknowledgement is a livelock.
fn is_reset(message: &Message) -> bool {
    message.have.first().is_none_or(|have| have.last_sync.is_empty()) || asks_for_reset(message)
}

fn asks_for_reset(message: &Message) -> bool {
    message
        .flags
        .is_some_and(|flags| flags.contains(MessageFlags::SYNC_RESET))
}

fn is_acknowledgement(message: &Message, knows: impl Fn(&ChangeHash) -> bool) -> bool {
    message.need.is_empty()
        && !is_reset(message)
        && message.heads.iter().all(&knows)
        && message.have[0].last_sync.iter().all(&knows)
}

/// One turn of the library for one peer: heavy work, done on a [`Replica`].
pub struct CatchUp {
    state: Box<State>,
    message: Option<Message>,
    /// The peer waits for us, whatever it said.
    speaks: bool,
    hearing: Hearing,
    committed: bool,
}

/// The outcome of a [`CatchUp`].
pub struct CaughtUp {
    state: Box<State>,
    answer: Option<Bytes>,
    position: u64,
    settles: bool,
}

impl CatchUp {
    /// Does the work. `missing_for` says what to ask for instead of what the library needs: see [`Aside::missing_for`].
    ///
    /// [`Aside::missing_for`]: super::aside::Aside::missing_for
    pub fn run(
        self,
        replica: &mut Replica,
        missing_for: impl FnOnce(&[ChangeHash], &Replica) -> Vec<ChangeHash>,
    ) -> CaughtUp {
        let mut state = *self.state;
        // After a rollback a peer may have acknowledged what is gone; such a hash would make it send nothing.
        state.shared_heads.retain(|hash| replica.has(hash));
        // Heads without a hash make a peer believe that we lost everything: it says all it has once more, which is a reset,
        // and so on. There is nothing that a peer we do not listen to could learn from them.
        let keeps_silent =
            self.hearing != Hearing::Open && self.message.is_some() && !self.speaks && replica.is_at(&[]);
        let Reply { state, message } = match self.message {
            Some(message) => replica.answer(state, message),
            None => replica.speak(state),
        };
        let message = message.filter(|_| !keeps_silent);
        let resets = state
            .their_have
            .iter()
            .flatten()
            .take(1)
            .any(|have| have.last_sync.iter().any(|hash| !replica.has(hash)));
        // A state that was rebuilt knows nothing of what the peer said last. One that acknowledged all there is has no reason
        // to answer what it is told, and would stay with the library until the next edit.
        let stands_here =
            state.their_heads.is_none() && !state.shared_heads.is_empty() && replica.is_at(&state.shared_heads);
        let needs_nothing = state.their_need.as_ref().is_some_and(Vec::is_empty);
        let knows_heads = state.their_heads.iter().flatten().all(|hash| replica.has(hash));
        let settles = match self.hearing {
            _ if stands_here || keeps_silent => true,
            Hearing::Open => !resets && needs_nothing && knows_heads && self.committed,
            Hearing::Deaf | Hearing::Quarantined => !resets && needs_nothing,
        };
        let answer = message.map(|mut message| {
            if self.hearing != Hearing::Deaf && !resets {
                message.flags = None;
            }
            if !message.need.is_empty() {
                message.need = missing_for(&message.need, replica);
            }
            message.encode().into()
        });
        CaughtUp {
            state: Box::new(state),
            answer,
            position: replica.position(),
            settles,
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod stories;
