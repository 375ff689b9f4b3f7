//! What must wait, and what follows from it.

use std::future::Future;
use std::pin::Pin;

use automerge::sync::Message;

use super::door::SyncDoor;
use crate::room::Commit;
use crate::room::inbox::Close;
use crate::room::room::NotAwake;
use crate::store::{NoPlace, Place};
use crate::sync::conversation::{CatchUp, CaughtUp};
use crate::sync::gate::{BadMessage, Offered, Opened};

/// What a job has come to.
pub(super) enum Done {
    /// A document was loaded; its room sets the mark.
    Woken,
    /// Somebody was in the slot of a room that was never opened, and is not any more.
    AskAgain {
        key: u32,
    },
    /// The job panicked: a bug in us or in the library, which costs this connection.
    Panicked,
    Opened {
        key: u32,
        bytes: usize,
        is_request: bool,
        opened: Result<Opened, BadMessage>,
    },
    Place {
        key: u32,
        place: Result<Place, NoPlace>,
    },
    Committed {
        key: u32,
        bytes: usize,
        is_request: bool,
        message: Message,
        result: Result<Commit, (NotAwake, Place, Vec<Offered>)>,
    },
    CaughtUp {
        key: u32,
        epoch: u64,
        result: Result<CaughtUp, (NotAwake, CatchUp)>,
    },
}

pub(super) type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

impl SyncDoor {
    /// Runs something that waits.
    pub(super) fn job(&mut self, job: impl Future<Output = Done> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }

    /// Runs something heavy on a worker thread. It goes on to its end even if the connection does not.
    pub(super) fn blocking(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        let work = tokio::task::spawn_blocking(work);
        self.job(async move { work.await.unwrap_or(Done::Panicked) });
    }

    /// Draws the conclusions of a job.
    pub(super) fn conclude(&mut self, done: Done) {
        match done {
            Done::Woken => self.catch_ups -= 1,
            Done::AskAgain { key } => {
                let Some(talk) = self.talks.get_mut(&key) else { return };
                talk.busy = false;
                self.advance(key);
            }
            Done::Panicked => {
                tracing::error!(connection = %self.id, "a job panicked");
                self.closing = Some(Close::TryLater);
            }
            Done::Opened {
                key,
                bytes,
                is_request,
                opened,
            } => self.opened(key, bytes, is_request, opened),
            Done::Place { key, place } => {
                let Some(talk) = self.talks.get_mut(&key) else { return };
                talk.busy = false;
                // Without a place the store is read-only, and the next try says so.
                talk.place = place.ok();
                self.advance(key);
            }
            Done::Committed {
                key,
                bytes,
                is_request,
                message,
                result,
            } => {
                let Some(talk) = self.talks.get_mut(&key) else {
                    self.waiting_bytes -= bytes;
                    for connection in result.iter().flat_map(|commit| &commit.send_again) {
                        self.server.close(*connection, Close::TryLater);
                    }
                    return;
                };
                talk.busy = false;
                if self.committed(key, bytes, is_request, message, result) {
                    self.waiting_bytes -= bytes;
                }
                self.advance(key);
            }
            Done::CaughtUp { key, epoch, result } => {
                self.catch_ups -= 1;
                self.caught_up(key, epoch, result);
            }
        }
    }

    fn caught_up(&mut self, key: u32, epoch: u64, result: Result<CaughtUp, (NotAwake, CatchUp)>) {
        let Some(talk) = self.talks.get_mut(&key) else { return };
        self.parked_bytes -= talk.follow_epoch();
        if talk.epoch != epoch {
            return self.enqueue(key);
        }
        match result {
            Ok(done) => {
                talk.conversation.finish(done);
                self.parked_bytes += talk.conversation.parked_bytes();
            }
            Err((_, work)) => talk.conversation.give_back(work),
        }
        self.enqueue(key);
    }
}
