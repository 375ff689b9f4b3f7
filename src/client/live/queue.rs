//! Edits that the server has not answered: kept in order, sent in order, and again after a lost connection.
//!
//! Whether an edit that was sent before the connection broke was made is not known; it is sent again under the same name, and
//! the server makes it once. When a connection comes up, all that waited goes first, as offline changes: a part at a time,
//! the next one when the last one is answered. What is edited meanwhile stands behind it. After that, edits go out as they
//! are made.
//!
//! - Bounded in number and bytes: an edit too many is refused to its author, none is dropped.
//! - An edit leaves by an answer alone. "Busy" is none: it stays, and all wait a moment.
//!
//! Pure: time comes in, frames go out.

mod names;

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::json;

use super::edit::{Grounds, PendingEdit, What};
use crate::id::DocumentId;

/// What the server takes in one offline message, and may as well be asked to do at once.
const PART_EDITS: usize = 500;
const PART_BYTES: usize = 512 * 1024;

/// Edits sent and not answered, when a connection is up. More wait here rather than in the socket.
const UNDER_WAY: usize = 64;

/// Why an edit was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    #[error("{0} edits wait for the server already")]
    TooMany(usize),
    #[error("edits of {0} bytes wait for the server already")]
    TooMuch(usize),
    #[error("an edit of {bytes} bytes; the server takes messages of {most}")]
    TooLarge { bytes: usize, most: usize },
}

/// Why an edit was refused that may go through in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    /// With the others of its message it is too much.
    TooMuch,
    /// The table never had the version that it was made on: somebody put back an older copy of it.
    UnknownVersion,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub edits: usize,
    pub bytes: usize,
    /// Of one edit.
    pub message_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Queue {
    most: Most,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The first so many waited when the connection came up.
    waited: usize,
    pause: Option<Instant>,
    /// How many edits go in one part: fewer, once the server could not take as many.
    part_edits: usize,
}

#[derive(Debug)]
struct Entry {
    edit: PendingEdit,
    bytes: usize,
    /// When, on this connection.
    sent: Option<Instant>,
    /// The server has told everybody of it, and is yet to answer.
    told: bool,
    /// It was sent before this, and may have been made.
    is_doubtful: bool,
    /// The server has refused its name, and it got a later one.
    is_renamed: bool,
    /// How many edits the message had that it went in last.
    together: usize,
    /// It was too much together with others.
    alone: bool,
}

impl Queue {
    pub fn new(most: Most) -> Self {
        Self {
            most,
            entries: VecDeque::new(),
            bytes: 0,
            waited: 0,
            pause: None,
            part_edits: PART_EDITS,
        }
    }

    pub fn push(&mut self, edit: PendingEdit) -> Result<(), NotKept> {
        let bytes = serde_json::to_vec(&edit).map_or(usize::MAX, |text| text.len());
        let Most {
            edits,
            bytes: all,
            message_bytes: most,
        } = self.most;
        match () {
            // The message around it is short.
            () if bytes.saturating_add(256) > most => Err(NotKept::TooLarge { bytes, most }),
            () if self.entries.len() >= edits => Err(NotKept::TooMany(edits)),
            () if self.bytes + bytes > all => Err(NotKept::TooMuch(all)),
            () => {
                self.bytes += bytes;
                self.entries.push_back(Entry {
                    is_doubtful: edit.was_sent,
                    is_renamed: false,
                    edit,
                    bytes,
                    sent: None,
                    told: false,
                    together: 0,
                    alone: false,
                });
                Ok(())
            }
        }
    }

    pub fn edits(&self) -> impl Iterator<Item = &PendingEdit> {
        self.entries.iter().map(|entry| &entry.edit)
    }

    /// Those that the server has not told of either: what is to be laid over what it has.
    pub fn untold<'q>(&'q self, table: &'q DocumentId) -> impl Iterator<Item = &'q PendingEdit> + Clone {
        let untold = self.entries.iter().filter(|entry| !entry.told);
        untold
            .map(|entry| &entry.edit)
            .filter(move |edit| edit.table_id == *table)
    }

    /// The server tells everybody of an edit.
    pub fn tell(&mut self, change_id: &str) {
        if let Some(entry) = self.find(change_id) {
            entry.told = true;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A connection is up: nothing was sent on it yet.
    pub fn connected(&mut self) {
        for entry in &mut self.entries {
            (entry.sent, entry.is_doubtful) = (None, entry.edit.was_sent);
        }
        self.waited = self.entries.len();
        self.pause = None;
        self.part_edits = PART_EDITS;
    }

    /// When the edit was sent that has waited longest for its answer.
    pub fn oldest_sent(&self) -> Option<Instant> {
        self.entries.iter().filter_map(|entry| entry.sent).min()
    }

    /// Until when nothing is sent.
    pub fn pause(&self) -> Option<Instant> {
        self.pause
    }

    /// The next message, if one is due.
    pub fn next(&mut self, now: Instant) -> Option<String> {
        if self.pause.is_some_and(|until| now < until) {
            return None;
        }
        self.pause = None;
        if self.waited > 0 {
            let is_under_way = self.entries.iter().take(self.waited).any(|entry| entry.sent.is_some());
            return if is_under_way { None } else { self.next_part(now) };
        }
        let first = self
            .entries
            .iter()
            .take(UNDER_WAY)
            .enumerate()
            // A later edit of a record must not overtake an earlier one, which the server may put off.
            .position(|(at, entry)| entry.sent.is_none() && !self.has_earlier(at))?;
        let entry = &mut self.entries[first];
        entry.goes_out(now, 1);
        // Values seen in cells the server can compare; a deletion or a batch need not name any.
        Some(message(
            &entry.edit,
            if entry.edit.names_values() {
                Grounds::Values
            } else {
                Grounds::Version
            },
        ))
    }

    /// As many of those that waited as one message takes.
    fn next_part(&mut self, now: Instant) -> Option<String> {
        let (mut part, mut bytes) = (0, 0);
        for entry in self.entries.iter().take(self.waited.min(self.part_edits)) {
            let is_alone = entry.alone || matches!(entry.edit.what, What::Batch { .. });
            bytes += entry.bytes;
            if part > 0 && (is_alone || bytes > PART_BYTES) {
                break;
            }
            part += 1;
            if is_alone {
                break;
            }
        }
        let first = self.entries.front()?;
        let message = match first.edit.what {
            What::Batch { .. } => message(&first.edit, Grounds::Version),
            What::Record(_) => {
                let edits = self.entries.iter().take(part);
                let changes: Vec<_> = edits.map(|entry| entry.edit.on(Grounds::Version)).collect();
                json!({ "type": "sync_offline_changes", "data": { "changes": changes } }).to_string()
            }
        };
        for entry in self.entries.iter_mut().take(part) {
            entry.goes_out(now, part);
        }
        Some(message)
    }

    /// An edit was made. The edit, and whether it was told of before.
    pub fn made(&mut self, change_id: &str) -> Option<(PendingEdit, bool)> {
        let told = self
            .entries
            .iter()
            .find(|entry| entry.edit.change_id == change_id)?
            .told;
        let edit = self.remove(change_id)?;
        // Their authors had seen this one, in a version that does not have it: they go by the values.
        for entry in &mut self.entries {
            if entry.edit.base.is_some() && entry.edit.shares_record(&edit) {
                entry.edit.base = None;
            }
        }
        Some((edit, told))
    }

    /// An edit was not made, and will not be.
    pub fn remove(&mut self, change_id: &str) -> Option<PendingEdit> {
        let at = self
            .entries
            .iter()
            .position(|entry| entry.edit.change_id == change_id)?;
        if at < self.waited {
            self.waited -= 1;
        }
        let entry = self.entries.remove(at)?;
        self.bytes -= entry.bytes;
        Some(entry.edit)
    }

    /// The server could not take an edit just now: all wait until then.
    pub fn again(&mut self, change_id: &str, until: Instant) {
        if let Some(entry) = self.find(change_id) {
            entry.sent = None;
            self.pause = self.pause.max(Some(until));
        }
    }

    /// An edit was refused for what was sent with it, or for the version it names: it is sent once more, alone or without
    /// that. Whether there is such a way.
    pub fn otherwise(&mut self, change_id: &str, refused: Together) -> bool {
        let Some(entry) = self.find(change_id) else {
            return false;
        };
        let is_new = match refused {
            Together::TooMuch => entry.together > 1 && !std::mem::replace(&mut entry.alone, true),
            Together::UnknownVersion => entry.edit.base.take().is_some(),
        };
        if is_new {
            entry.sent = None;
        }
        is_new
    }

    /// A part as a whole was too much: nothing of it was made, and half as many go the next time. Whether that is fewer.
    pub fn halve(&mut self) -> bool {
        let part = self.under_way().count();
        if part < 2 {
            return false;
        }
        self.part_edits = part / 2;
        self.entries.iter_mut().for_each(|entry| entry.sent = None);
        true
    }

    /// Whether an earlier edit of one of its records has no answer.
    pub fn is_behind(&self, change_id: &str) -> bool {
        let at = self.entries.iter().position(|entry| entry.edit.change_id == change_id);
        at.is_some_and(|at| self.has_earlier(at))
    }

    /// Whether an edit before the one at this place is about one of its records.
    fn has_earlier(&self, at: usize) -> bool {
        let edit = &self.entries[at].edit;
        self.entries.iter().take(at).any(|entry| entry.edit.shares_record(edit))
    }

    fn find(&mut self, change_id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.edit.change_id == change_id)
    }

    /// The edits that lie with the server, in the order in which they were sent.
    pub fn under_way(&self) -> impl Iterator<Item = &PendingEdit> {
        self.entries
            .iter()
            .filter(|entry| entry.sent.is_some())
            .map(|entry| &entry.edit)
    }
}

impl Entry {
    /// It is sent, in a message of so many.
    fn goes_out(&mut self, now: Instant, together: usize) {
        (self.sent, self.together) = (Some(now), together);
        self.edit.was_sent = true;
    }
}

fn message(edit: &PendingEdit, grounds: Grounds) -> String {
    let kind = match edit.what {
        What::Record(_) => "record_change",
        What::Batch { .. } => "batch_changes",
    };
    json!({ "type": kind, "data": edit.on(grounds) }).to_string()
}

#[cfg(test)]
mod tests;
