//! Whose turn it is: bulk writes queue behind people.
//!
//! A bulk write is hundreds of changes of 500 cells, each of which holds the document for milliseconds. Let in one after
//! the other they would leave a keystroke to luck. So there is one slice of one bulk write at a time in a room, and it
//! begins only when nobody else is at the document or waits for it.
//!
//! - Interactive edits never wait for a turn: they only say that they are there.
//! - A stream of interactive edits without a gap delays a slice by [`PATIENCE`] at most: a bulk write always ends.
//! - Bulk writes of one room take turns slice by slice, first come, first served.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// How long interactive edits may hold back one slice.
const PATIENCE: Duration = Duration::from_millis(250);

/// Who is at the document of a room, or waits for it.
pub(super) struct Turns {
    interactive: AtomicUsize,
    /// The last interactive edit has gone.
    quiet: Notify,
    bulk: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            interactive: AtomicUsize::new(0),
            quiet: Notify::new(),
            bulk: Semaphore::new(1),
        }
    }
}

/// An interactive edit is under way, from before it waits for the lock of the document until it has let go of it.
pub(super) struct Interactive<'a>(&'a Turns);

impl Drop for Interactive<'_> {
    fn drop(&mut self) {
        if self.0.interactive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

/// The turn of one slice of a bulk write; over when it is dropped.
pub struct BulkTurn<'a>(#[expect(dead_code, reason = "held, not read")] SemaphorePermit<'a>);

impl Turns {
    pub fn interactive(&self) -> Interactive<'_> {
        self.interactive.fetch_add(1, Ordering::AcqRel);
        Interactive(self)
    }

    pub async fn bulk(&self) -> BulkTurn<'_> {
        let permit = self.bulk.acquire().await.expect("the semaphore is never closed");
        let _patience_ended = tokio::time::timeout(PATIENCE, self.until_quiet()).await;
        BulkTurn(permit)
    }

    async fn until_quiet(&self) {
        loop {
            let quiet = self.quiet.notified();
            let mut quiet = std::pin::pin!(quiet);
            // Subscribed before looking: the last one may go in between (lost wakeup).
            quiet.as_mut().enable();
            if self.interactive.load(Ordering::Acquire) == 0 {
                return;
            }
            quiet.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_slice_waits_for_the_last_interactive_edit() {
        let turns = Turns::default();
        let (ada, grace) = (turns.interactive(), turns.interactive());
        let mut slice = std::pin::pin!(turns.bulk());
        assert!(slice.as_mut().now_or_never().is_none());
        drop(ada);
        assert!(slice.as_mut().now_or_never().is_none());
        drop(grace);
        assert!(slice.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn people_who_never_stop_do_not_stop_a_bulk_write() {
        let turns = Turns::default();
        let _ada = turns.interactive();
        let slice = tokio::time::timeout(20 * PATIENCE, turns.bulk()).await;
        assert!(slice.is_ok());
    }

    #[tokio::test]
    async fn one_slice_at_a_time() {
        let turns = Turns::default();
        let first = turns.bulk().await;
        let mut second = std::pin::pin!(turns.bulk());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }
}
