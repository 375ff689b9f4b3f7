//! What one kind of subscriber follows: a table or a view of it, whole or a window, and the frames made of its changes.
//!
//! All who follow the same pane share it. What changed is made into a frame once, as a step from one position of the change
//! log to another; each receiver holds a position and pulls the steps behind it. Nothing waits for a receiver that does not
//! pull: who falls behind the steps that are kept is told the difference between what it has and what is there.
//!
//! - A step is given out once the room is durable up to its end.
//! - A receiver's position is where a step ends, or within one that says nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Semaphore;

use super::board::Window as Shown;
use super::catching_up::Remembered;
use crate::document::feed::Window;
use crate::document::table::{RowId, ViewId};
use crate::id::ConnectionId;
use crate::room::inbox::Mark;
use crate::sync::log::Heads;

/// How many steps a pane keeps, and how many bytes of them.
const STEPS: usize = 64;
const STEP_BYTES: usize = 1 << 20;

/// A receiver with more frames than this before it is told the difference in one instead.
const FRAMES_ONE_BY_ONE: usize = 8;

/// Windows are told apart by numbers, for those who look at what goes on in them.
static NEXT_WINDOW: AtomicU64 = AtomicU64::new(1);

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PaneKey {
    /// A stored view; the table itself if there is none.
    pub view: Option<ViewId>,
    /// All rows, if there is none.
    pub window: Option<Window>,
}

/// How far a receiver has been brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub position: u64,
    pub heads: Heads,
    pub epoch: u64,
}

/// What a pane has for a receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Frames to be sent, perhaps none, and where the receiver is with them.
    Frames(Vec<Utf8Bytes>, Reached),
    /// Nothing that may be shown.
    Nothing,
    /// Too far behind for the steps that are kept: it is to be told the difference.
    Behind,
    /// What is followed has another meaning now: a snapshot is due.
    Anew,
    /// There is nothing left to follow.
    Ended(Gone),
}

/// Why a pane has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The view was deleted.
    View,
    /// The document is no table any more.
    Table,
}

struct Step {
    from: u64,
    reached: Reached,
    frame: Frame,
}

enum Frame {
    /// Nothing in this pane has changed.
    Nothing,
    Text(Utf8Bytes),
    /// What has changed is found out apart, off the lock of the document: see [`Pulled::Behind`].
    Apart,
    Anew,
    Ended(Gone),
}

/// What all who follow the same share.
pub struct Pane {
    pub key: PaneKey,
    /// What was shown to those who came. A leaf.
    remembered: Mutex<Remembered>,
    ring: Mutex<Ring>,
    /// One at a time makes what is shown to those who come: the others find it made.
    pub turn: Semaphore,
}

#[derive(Default)]
struct Ring {
    steps: VecDeque<Step>,
    bytes: usize,
    /// By connection, and the key of their mark.
    receivers: HashMap<(ConnectionId, u32), Arc<Mark>>,
    /// Up to where the receivers were told that there is something.
    announced: (u64, u64),
    /// The position of the newest step, or where the pane began.
    newest: u64,
    /// The rows of a window; its receivers see the cursors in these alone.
    shown: Option<Shown>,
    shown_at: u64,
}

impl Pane {
    pub(super) fn new(key: PaneKey, position: u64) -> Arc<Self> {
        let ring = Ring {
            newest: position,
            ..Ring::default()
        };
        Arc::new(Self {
            key,
            remembered: Mutex::default(),
            ring: Mutex::new(ring),
            turn: Semaphore::new(1),
        })
    }

    pub(super) fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn receive(&self, mark: Arc<Mark>) {
        let receiver = (mark.inbox().connection(), mark.key());
        self.ring().receivers.insert(receiver, mark);
    }

    /// True if nobody is left; then what was made for those who were is not needed.
    pub(super) fn leave(&self, mark: &Mark) -> bool {
        let mut ring = self.ring();
        ring.receivers.remove(&(mark.inbox().connection(), mark.key()));
        let is_last = ring.receivers.is_empty();
        if is_last {
            // Under the same lock: the steps of one who comes in between would be gone.
            ring.clear();
            drop(ring);
            self.remembered().forget();
        }
        is_last
    }

    /// Whether something may be shown that the pane has not seen.
    pub(super) fn is_behind(&self, durable: u64) -> bool {
        self.ring().newest < durable
    }

    pub fn is_followed(&self) -> bool {
        !self.ring().receivers.is_empty()
    }

    /// The rows of a window, as far as they were looked at; none for a whole table.
    pub fn shown(&self) -> Option<Shown> {
        self.ring().shown.clone()
    }

    /// The rows of a window, as of a position: one who looked earlier may be later to say so.
    pub(super) fn show(&self, rows: HashSet<RowId>, position: u64) {
        let mut ring = self.ring();
        if position < ring.shown_at {
            return;
        }
        ring.shown_at = position;
        match &mut ring.shown {
            Some(shown) if *shown.rows == rows => {}
            Some(shown) => {
                shown.rows = Arc::new(rows);
                shown.generation += 1;
            }
            none => {
                *none = Some(Shown {
                    id: NEXT_WINDOW.fetch_add(1, Ordering::Relaxed),
                    generation: 0,
                    rows: Arc::new(rows),
                });
            }
        }
    }

    pub(super) fn step(&self, from: u64, reached: Reached, text: Option<String>) {
        let frame = text.map_or(Frame::Nothing, |text| Frame::Text(text.into()));
        self.push(from, reached, frame);
    }

    /// What has changed is to be found out apart.
    pub(super) fn apart(&self, from: u64, reached: Reached) {
        self.push(from, reached, Frame::Apart);
    }

    /// From here on everybody needs a snapshot.
    pub(super) fn anew(&self, from: u64, reached: Reached) {
        self.push(from, reached, Frame::Anew);
    }

    /// From here on there is nothing to follow.
    pub(super) fn end(&self, from: u64, reached: Reached, why: Gone) {
        self.push(from, reached, Frame::Ended(why));
    }

    /// Whether there is nothing to follow as of the newest step.
    pub(super) fn has_ended(&self) -> bool {
        let ring = self.ring();
        ring.steps
            .back()
            .is_some_and(|step| matches!(step.frame, Frame::Ended(_)))
    }

    fn push(&self, from: u64, reached: Reached, frame: Frame) {
        self.remembered().forget();
        self.ring().push(from, reached, frame);
    }

    /// The room was rolled back: what was made is not needed.
    pub(super) fn clear(&self) {
        self.remembered().forget();
        self.ring().clear();
    }

    /// Marks the receivers if there is something new that may be shown.
    pub(super) fn announce(&self, durable: u64, epoch: u64) {
        let mut ring = self.ring();
        // Steps that say nothing count as well: one who waits for a position is told when it is durable.
        let told = ring.steps.iter().rev();
        let mut durable = told
            .map(|step| step.reached.position)
            .filter(|position| *position <= durable);
        let Some(newest) = durable.next().map(|position| (epoch, position)) else {
            return;
        };
        if ring.announced < newest {
            ring.announced = newest;
            ring.receivers.values().for_each(|mark| mark.set());
        }
    }

    /// Tells every receiver to look: who is there has changed.
    pub(super) fn mark_all(&self) {
        self.ring().receivers.values().for_each(|mark| mark.set());
    }

    /// What lies behind a receiver's place, up to the durable position.
    pub fn pull(&self, reached: &Reached, durable: u64) -> Pulled {
        let ring = self.ring();
        let ahead = |step: &&Step| step.reached.position > reached.position && step.reached.position <= durable;
        let mut steps = ring.steps.iter().filter(ahead).peekable();
        let Some(first) = steps.peek() else {
            return Pulled::Nothing;
        };
        if first.reached.epoch != reached.epoch {
            return Pulled::Anew;
        }
        let is_joined =
            first.from == reached.position || (first.from < reached.position && matches!(first.frame, Frame::Nothing));
        if !is_joined {
            return ring.behind(durable);
        }
        let mut frames = Vec::new();
        let mut last = reached.clone();
        let mut then = None;
        for step in steps {
            then = match &step.frame {
                Frame::Nothing => None,
                Frame::Text(text) => {
                    frames.push(text.clone());
                    None
                }
                Frame::Apart => Some(Pulled::Behind),
                Frame::Anew => Some(Pulled::Anew),
                Frame::Ended(why) => Some(Pulled::Ended(*why)),
            };
            if then.is_some() {
                break;
            }
            last = step.reached.clone();
        }
        match then {
            // A snapshot shows what lies before it as well, and so does a difference.
            Some(Pulled::Behind) => ring.behind(durable),
            Some(Pulled::Anew) => Pulled::Anew,
            Some(then) if frames.is_empty() => then,
            _ if frames.len() > FRAMES_ONE_BY_ONE => ring.behind(durable),
            _ => Pulled::Frames(frames, last),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn clear(&mut self) {
        self.steps.clear();
        self.bytes = 0;
    }

    /// What one has to be told who is too far behind: of what has ended there is no difference to be told.
    fn behind(&self, durable: u64) -> Pulled {
        match self.steps.back() {
            Some(Step {
                reached,
                frame: Frame::Ended(why),
                ..
            }) => match reached.position <= durable {
                true => Pulled::Ended(*why),
                false => Pulled::Nothing,
            },
            _ => Pulled::Behind,
        }
    }

    fn push(&mut self, from: u64, reached: Reached, frame: Frame) {
        self.newest = reached.position;
        if matches!(frame, Frame::Nothing) {
            self.join_silent();
        }
        self.bytes += frame.len();
        self.steps.push_back(Step { from, reached, frame });
        while self.steps.len() > STEPS || (self.bytes > STEP_BYTES && self.steps.len() > 1) {
            let gone = self.steps.pop_front().expect("there is more than one");
            self.bytes -= gone.frame.len();
        }
    }
}

impl Ring {
    /// Edits elsewhere in the table would push out what concerns this pane: two steps that say nothing become one, if nobody
    /// waits for the first to be durable. (Were it the newest that grows, it would never be durable while others go on.)
    fn join_silent(&mut self) {
        let is_silent = |step: &Step| matches!(step.frame, Frame::Nothing);
        for at in (1..self.steps.len()).rev() {
            let (one, other) = (&self.steps[at - 1], &self.steps[at]);
            if !is_silent(one) || !is_silent(other) || one.reached.position != other.from {
                return;
            }
            if (other.reached.epoch, other.reached.position) <= self.announced {
                self.steps[at - 1].reached = other.reached.clone();
                self.steps.remove(at);
                return;
            }
        }
    }
}

impl Frame {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
