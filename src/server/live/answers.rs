//! Answers to edits. One names a version, and is told behind everything that this version contains: whoever goes on from the last
//! version they heard has missed nothing.

use axum::extract::ws::Utf8Bytes;

use super::door::LiveDoor;
use super::following::Subscription;
use crate::id::DocumentId;
use crate::room::Seen;

/// What was done is on disk, or is not: this is to be told.
pub(super) struct Answer {
    /// What must have been told before, of those tables that the connection follows.
    pub behind: Vec<(DocumentId, Seen)>,
    pub frames: Vec<Utf8Bytes>,
}

impl LiveDoor {
    pub(super) fn answer(&mut self, answer: Answer) {
        self.answers.push(answer);
        self.release_answers();
    }

    /// Tells the answers that wait for nothing any more.
    pub(super) fn release_answers(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.answers);
        let (due, waiting) = waiting.into_iter().partition(|answer: &Answer| {
            let mut behind = answer.behind.iter();
            behind.all(|(table, seen)| self.has_been_told(table, seen))
        });
        self.answers = waiting;
        for answer in due {
            self.unconfirmed -= 1;
            answer.frames.into_iter().for_each(|frame| self.say(frame));
        }
    }

    /// Whether all that was seen of a table has been handed to the socket, or is not this connection's business.
    fn has_been_told(&self, table: &DocumentId, seen: &Seen) -> bool {
        let key = self.by_table.get(table);
        let subscription = key.and_then(|key| self.subscriptions.get(key));
        subscription.is_none_or(|Subscription { sent, .. }| {
            // In a room that was rolled back everything is shown anew.
            (sent.epoch, sent.position) >= (seen.epoch, seen.position)
        })
    }
}
