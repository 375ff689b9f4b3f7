//! What a connection has to look at: the mailbox between rooms and the task of one connection.
//!
//! Rooms never write to a socket and never wait for one. They mark a conversation, push presence into a bounded lane, or
//! ask for the connection to be closed; the connection's task wakes and pulls. Marks coalesce, so however much happens,
//! the inbox holds at most one mark per conversation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::id::ConnectionId;
use crate::sync::lane::Lane;

/// Why the server closes a connection: one close code each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// 1001: the server shuts down.
    ShuttingDown,
    /// 1002: a frame that breaks the protocol.
    BadFrame,
    /// 1003: a text frame where only binary ones have a meaning.
    NotBinary,
    /// 1003: a binary frame where only text has a meaning.
    NotText,
    /// 1007: text that is not UTF-8.
    BadText,
    /// 1008: the frames are well formed, what they ask for is not allowed.
    Policy,
    /// 1009: a frame or message over the limit.
    TooLarge,
    /// 1013: the server cannot do this now; what was sent must be sent again.
    TryLater,
    /// 4408: no join in time, or no sign of life.
    TimedOut,
    /// 4409: a newer connection of the same peer took over.
    Replaced,
    /// 4413: the socket took no byte for too long while frames waited.
    TooSlow,
}

impl Close {
    pub fn code(self) -> u16 {
        match self {
            Close::ShuttingDown => 1001,
            Close::BadFrame => 1002,
            Close::NotBinary | Close::NotText => 1003,
            Close::BadText => 1007,
            Close::Policy => 1008,
            Close::TooLarge => 1009,
            Close::TryLater => 1013,
            Close::TimedOut => 4408,
            Close::Replaced => 4409,
            Close::TooSlow => 4413,
        }
    }

    /// The name of the reason, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Close::ShuttingDown => "shutting-down",
            Close::BadFrame => "bad-frame",
            Close::NotBinary => "not-binary",
            Close::NotText => "not-text",
            Close::BadText => "bad-text",
            Close::Policy => "policy",
            Close::TooLarge => "too-large",
            Close::TryLater => "try-later",
            Close::TimedOut => "timed-out",
            Close::Replaced => "replaced",
            Close::TooSlow => "too-slow",
        }
    }

    pub fn reason(self) -> &'static str {
        match self {
            Close::ShuttingDown => "the server is shutting down",
            Close::BadFrame => "a frame that does not decode",
            Close::NotBinary => "a text frame, where the protocol is binary",
            Close::NotText => "a binary frame, where the protocol is text",
            Close::BadText => "text that is not UTF-8",
            Close::Policy => "not allowed",
            Close::TooLarge => "a frame over the limit",
            Close::TryLater => "try again later",
            Close::TimedOut => "no join, or no sign of life, in time",
            Close::Replaced => "replaced by a newer connection of the same peer",
            Close::TooSlow => "the socket took no bytes for too long",
        }
    }
}

/// Everything that came in since the connection looked last.
#[derive(Default)]
pub struct Arrived {
    /// Conversations to look at, by the connection's own keys.
    pub marked: Vec<u32>,
    pub close: Option<Close>,
    /// A keepalive ping is due.
    pub ping: bool,
}

/// The mailbox of one connection.
pub struct Inbox {
    connection: ConnectionId,
    arrived: Mutex<Arrived>,
    /// Presence on its way out. A lock of its own, taken last.
    lane: Mutex<Lane>,
    wake: Notify,
}

impl Inbox {
    pub fn new(connection: ConnectionId, lane: Lane) -> Arc<Self> {
        Arc::new(Self {
            connection,
            arrived: Mutex::new(Arrived::default()),
            lane: Mutex::new(lane),
            wake: Notify::new(),
        })
    }

    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Asks for the connection to be closed. The first reason given is the one sent.
    pub fn close(&self, why: Close) {
        self.arrived().close.get_or_insert(why);
        self.wake.notify_one();
    }

    pub fn ping(&self) {
        self.arrived().ping = true;
        self.wake.notify_one();
    }

    /// Works on the presence lane, and wakes the connection to send what is in it.
    pub fn lane<T>(&self, work: impl FnOnce(&mut Lane) -> T) -> T {
        let done = work(&mut self.lane.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
        done
    }

    /// Takes from the lane without waking: for the connection itself.
    pub fn take_from_lane<T>(&self, work: impl FnOnce(&mut Lane) -> T) -> T {
        work(&mut self.lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes everything that arrived.
    pub fn take(&self) -> Arrived {
        std::mem::take(&mut *self.arrived())
    }

    /// Waits until something arrives. A wake-up between two waits is kept, so none is lost.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    fn arrived(&self) -> std::sync::MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mark of one conversation in the inbox of its connection.
pub struct Mark {
    inbox: Arc<Inbox>,
    key: u32,
    set: AtomicBool,
}

impl Mark {
    pub fn new(inbox: Arc<Inbox>, key: u32) -> Arc<Self> {
        Arc::new(Self {
            inbox,
            key,
            set: AtomicBool::new(false),
        })
    }

    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub fn key(&self) -> u32 {
        self.key
    }

    /// Says that there is something to look at; quiet if that was said already.
    pub fn set(&self) {
        if !self.set.swap(true, Ordering::AcqRel) {
            self.inbox.arrived().marked.push(self.key);
            self.inbox.wake.notify_one();
        }
    }

    /// Clears the mark. Done before looking, so that what happens meanwhile sets it again.
    pub fn clear(&self) {
        self.set.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_coalesce_until_they_are_cleared() {
        let inbox = Inbox::new(ConnectionId(1), Lane::new(Default::default()));
        let mark = Mark::new(inbox.clone(), 7);
        mark.set();
        mark.set();
        assert_eq!(inbox.take().marked, [7]);
        mark.set();
        assert!(
            inbox.take().marked.is_empty(),
            "not cleared yet: the connection has yet to look"
        );
        mark.clear();
        mark.set();
        assert_eq!(inbox.take().marked, [7]);
    }

    #[test]
    fn the_first_reason_to_close_is_the_one_sent() {
        let inbox = Inbox::new(ConnectionId(1), Lane::new(Default::default()));
        inbox.close(Close::Replaced);
        inbox.close(Close::TooSlow);
        assert_eq!(inbox.take().close, Some(Close::Replaced));
    }
}
