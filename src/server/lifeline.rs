//! What the sweeper knows of a connection: when it was last heard, and whether its socket takes anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::config::SweepTimes;
use super::meter::Meter;
use crate::room::inbox::{Close, Inbox};

/// Pings without an answer after which a connection is taken for dead.
const PINGS_UNANSWERED: u64 = 2;

/// The signs of life of one connection. Times are milliseconds since it opened; any byte received is one.
pub struct Lifeline {
    pub inbox: Arc<Inbox>,
    pub meter: Arc<Meter>,
    opened: Instant,
    joined: AtomicBool,
    heard: AtomicU64,
    /// What had been received when the sweeper looked last: a large message on its way is a sign of life, too.
    received: AtomicU64,
    /// Pings sent since it was last heard.
    pings: AtomicU64,
    /// Whether frames wait and the socket takes none.
    blocked: AtomicBool,
    /// Whether we do not read the socket just now: then its silence is ours.
    unread: AtomicBool,
    /// What had been written when a byte was last seen to leave, and when that was.
    written: AtomicU64,
    progressed: AtomicU64,
}

impl Lifeline {
    pub fn new(inbox: Arc<Inbox>, meter: Arc<Meter>, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            inbox,
            meter,
            opened: now,
            joined: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            received: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            written: AtomicU64::new(0),
            progressed: AtomicU64::new(0),
        })
    }

    fn since_opened(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.opened).as_millis() as u64
    }

    pub fn joined(&self) {
        self.joined.store(true, Ordering::Relaxed);
    }

    pub fn blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Whether the socket is read: the answers to pings lie in one that is not.
    pub fn reading(&self, reading: bool) {
        self.unread.store(!reading, Ordering::Relaxed);
    }

    /// Looks at the connection: pings it, or asks for it to be closed.
    pub fn sweep(&self, times: &SweepTimes, now: Instant) {
        let age = self.since_opened(now);
        if !self.joined.load(Ordering::Relaxed) && age >= millis(times.join_timeout) {
            return self.inbox.close(Close::TimedOut);
        }
        let written = self.meter.written();
        if self.written.swap(written, Ordering::Relaxed) != written || !self.blocked.load(Ordering::Relaxed) {
            self.progressed.store(age, Ordering::Relaxed);
        } else if age - self.progressed.load(Ordering::Relaxed) >= millis(times.stall_timeout) {
            return self.inbox.close(Close::TooSlow);
        }
        let received = self.meter.received();
        if self.received.swap(received, Ordering::Relaxed) != received || self.unread.load(Ordering::Relaxed) {
            self.heard.store(age, Ordering::Relaxed);
            self.pings.store(0, Ordering::Relaxed);
        }
        let silent = age.saturating_sub(self.heard.load(Ordering::Relaxed));
        let pings = self.pings.load(Ordering::Relaxed);
        if silent >= millis(times.keepalive) * (pings + 1) {
            // A peer whose socket is stalled cannot answer; the stall has a time of its own.
            if pings >= PINGS_UNANSWERED && !self.blocked.load(Ordering::Relaxed) {
                return self.inbox.close(Close::TimedOut);
            }
            self.pings.fetch_add(1, Ordering::Relaxed);
            self.inbox.ping();
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
