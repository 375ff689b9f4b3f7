//! The live half of a room: what those are told who follow its table in JSON, and what they tell each other.
//!
//! - [`pane`]: what all who follow the same thing share; [`panes`]: bringing them to the present version;
//! - [`edits`], [`granting`], [`wish`]: what they ask for becomes changes of the table;
//! - [`people`], [`board`]: who is there, on one roster with the sync door, and what the others are told of it;
//! - [`catching_up`]: what one who comes or comes back is shown; [`telling`], [`trail`]: how it is found out and said.
//!
//! There is no task of a room: the flush of a change sets off one job, which makes what everybody is told and marks them.

pub mod board;
mod catching_up;
pub mod edits;
mod granting;
pub mod pane;
pub(super) mod panes;
pub mod people;
#[cfg(test)]
mod stories;
mod telling;
mod ticking;
mod trail;
mod wish;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use automerge::ActorId;
use tokio::runtime::Handle;

pub use board::{Board, Frames, Told, Window};
pub(super) use board::{Ended, Shown};
pub use catching_up::{Brought, NotShown, SnapshotFrame, What};
pub use edits::{Granted, Hand, NotDone, need};
use pane::{Pane, PaneKey};
pub(super) use people::Lives;
pub use people::{Leaving, LiveUser, Showing};
use trail::Trails;
pub use wish::{Accepted, NotTaken, Why, Wish};

use super::inbox::Mark;
use super::notes::Deletion;
use super::room::Room;
use super::sleep::Waking;

/// Whether the job that steps the panes is under way.
const IDLE: u8 = 0;
const RUNNING: u8 = 1;
/// It is, and there is more since it began.
const AGAIN: u8 = 2;

/// What a room has for live subscribers, beside the lock of its document.
#[derive(Default)]
pub(super) struct LiveRoom {
    /// The panes that somebody follows. A leaf.
    open: Mutex<Vec<Arc<Pane>>>,
    stepping: AtomicU8,
    /// Whether somebody waits for the next tick of presence.
    ticking: AtomicBool,
    /// Somebody was told nothing because the document is being deleted or restored.
    deciding: AtomicBool,
    /// Where the job runs; known once somebody follows.
    runtime: OnceLock<Handle>,
    trails: Trails,
}

/// As many different windows and views of one table are followed as the configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many different windows and views of this table are followed as the server allows ({0})")]
pub struct TooManyPanes(pub usize);

/// However the job ends, a panic included, another one may begin.
struct IdleAfter<'a>(&'a AtomicU8);

impl Drop for IdleAfter<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(IDLE, Ordering::Release);
        }
    }
}

/// A receiver of a pane, until it is dropped.
pub struct Following {
    pub room: Arc<Room>,
    pub pane: Arc<Pane>,
    pub mark: Arc<Mark>,
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.pane.leave(&self.mark) {
            return;
        }
        let nobody_is_left = {
            let mut open = self.room.live.open();
            open.retain(|open| open.is_followed());
            open.is_empty()
        };
        if nobody_is_left {
            self.room.live.trails.forget();
            if let Some(mut slot) = self.room.slot_if_free() {
                slot.panes.close_unfollowed();
            }
        }
    }
}

impl LiveRoom {
    fn open(&self) -> MutexGuard<'_, Vec<Arc<Pane>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Makes a connection a receiver of a pane. Its mark is set whenever there is something to pull.
    pub fn follow_pane(
        self: &Arc<Self>,
        key: PaneKey,
        mark: Arc<Mark>,
        most: usize,
    ) -> Result<Following, TooManyPanes> {
        self.live.runtime.get_or_init(Handle::current);
        let mut slot = self.slot();
        let pane = match slot.panes.find(&key) {
            Some(pane) => pane,
            None => {
                slot.panes.close_unfollowed();
                if slot.panes.len() >= most {
                    return Err(TooManyPanes(most));
                }
                let reached = self.reached();
                let pane = Pane::new(key, reached.position);
                slot.panes.open(pane.clone(), reached);
                pane
            }
        };
        pane.receive(mark.clone());
        // Also if it was there: its last receiver may just have left it, and taken it off this list.
        let mut open = self.live.open();
        if !open.iter().any(|known| Arc::ptr_eq(known, &pane)) {
            open.push(pane.clone());
        }
        drop(open);
        let room = self.clone();
        Ok(Following { room, pane, mark })
    }

    /// Somebody looked while the document is being deleted or restored, and was told nothing: they look again when it is
    /// decided.
    pub fn look_again_when_decided(&self) {
        self.live.deciding.store(true, Ordering::Release);
    }

    /// Something became durable, or was rolled back: sets off the job that tells those who follow.
    pub(super) fn poke_panes(self: &Arc<Self>) {
        let Some(runtime) = self.live.runtime.get() else { return };
        if self.live.open().is_empty() {
            return;
        }
        if self.live.stepping.swap(AGAIN, Ordering::AcqRel) == IDLE {
            let room = self.clone();
            runtime.spawn_blocking(move || room.step_panes());
        }
    }

    fn step_panes(self: &Arc<Self>) {
        let _idle = IdleAfter(&self.live.stepping);
        loop {
            // Before the work, so that what happens meanwhile sets it again (lost wakeup).
            self.live.stepping.store(RUNNING, Ordering::Release);
            let now = Instant::now();
            let open = self.live.open().clone();
            self.advance_panes(&mut self.slot());
            let (durable, epoch) = (self.durable(), self.epoch());
            match self.deletion() {
                // There is nothing to follow any more; they find that out when they look.
                Deletion::Deleted(_) => open.iter().for_each(|pane| pane.mark_all()),
                // Nobody is told anything now; when it is decided everybody looks again.
                Deletion::Deciding => self.live.deciding.store(true, Ordering::Release),
                _ if self.live.deciding.swap(false, Ordering::AcqRel) => open.iter().for_each(|pane| pane.mark_all()),
                _ => open.iter().for_each(|pane| pane.announce(durable, epoch)),
            }
            if !self.is_awake()
                && open.iter().any(|pane| pane.is_behind(durable))
                && self.begin_wake(now) == Waking::Begun
            {
                // It fell asleep with changes that nobody was told of.
                self.wake(ActorId::random(), now);
            }
            let done = self
                .live
                .stepping
                .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if done.is_ok() {
                return;
            }
        }
    }
}
