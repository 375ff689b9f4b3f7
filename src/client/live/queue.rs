//! Edits that the server has not answered: kept in order, sent in order, and again after a lost connection.
//!
//! Whether an edit that was sent before the connection broke was made is not known; it is sent again under the same id, and
//! the server makes it once. When a connection comes up, all that waited goes first, as offline changes: a part at a time,
//! the next one when the last one is answered. What is edited meanwhile stands behind it. After that, edits go out as they
//! are made.
//!
//! - Bounded in number and bytes: an edit too many is refused to its author, none is dropped.
//! - An edit leaves by an answer alone. "Busy" is none: it stays, and all wait a moment.
//!
//! Pure: time comes in, frames go out.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde_json::json;

use super::edit::{Grounds, PendingEdit, What};
use crate::id::DocumentId;

/// What the server takes in one offline message, and may as well be asked to do at once.
const PART_EDITS: usize = 500;
const PART_BYTES: usize = 512 * 1024;

/// Edits sent and not answered, when a connection is up. More wait here rather than in the socket.
const UNDER_WAY: usize = 64;

/// How long all wait when the server could not take one.
const PAUSE: Duration = Duration::from_secs(1);

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
    /// Records that offline changes have changed since: their authors saw a version without these.
    overtaken: HashSet<(DocumentId, String)>,
    pause: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    edit: PendingEdit,
    bytes: usize,
    /// When, on this connection.
    sent: Option<Instant>,
    /// The server has told everybody of it, and is yet to answer.
    told: bool,
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
            overtaken: HashSet::new(),
            pause: None,
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
                    edit,
                    bytes,
                    sent: None,
                    told: false,
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
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.edit.change_id == change_id) {
            entry.told = true;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A connection is up: nothing was sent on it yet.
    pub fn connected(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.sent = None);
        self.waited = self.entries.len();
        self.overtaken.clear();
        self.pause = None;
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
            .position(|entry| entry.sent.is_none())?;
        let entry = &mut self.entries[first];
        entry.sent = Some(now);
        Some(message(&entry.edit, Grounds::Values))
    }

    /// As many of those that waited as one message takes.
    fn next_part(&mut self, now: Instant) -> Option<String> {
        let (mut part, mut bytes) = (0, 0);
        for entry in self.entries.iter().take(self.waited.min(PART_EDITS)) {
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
        let grounds = |edit: &PendingEdit| match edit.records().any(|record| self.is_overtaken(edit, &record.record_id))
        {
            true => Grounds::Values,
            false => Grounds::Version,
        };
        let message = match first.edit.what {
            What::Batch { .. } => message(&first.edit, grounds(&first.edit)),
            What::Record(_) => {
                let edits = self.entries.iter().take(part);
                let changes: Vec<_> = edits.map(|entry| entry.edit.on(grounds(&entry.edit))).collect();
                json!({ "type": "sync_offline_changes", "data": { "changes": changes } }).to_string()
            }
        };
        self.entries
            .iter_mut()
            .take(part)
            .for_each(|entry| entry.sent = Some(now));
        Some(message)
    }

    fn is_overtaken(&self, edit: &PendingEdit, record: &str) -> bool {
        !self.overtaken.is_empty() && self.overtaken.contains(&(edit.table_id.clone(), record.to_owned()))
    }

    /// An edit was made. The edit, and whether it was told of before.
    pub fn made(&mut self, change_id: &str) -> Option<(PendingEdit, bool)> {
        let told = self
            .entries
            .iter()
            .find(|entry| entry.edit.change_id == change_id)?
            .told;
        let edit = self.remove(change_id)?;
        if self.waited > 0 {
            let records = edit
                .records()
                .map(|record| (edit.table_id.clone(), record.record_id.clone()));
            self.overtaken.extend(records);
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
        if self.waited == 0 {
            self.overtaken.clear();
        }
        let entry = self.entries.remove(at)?;
        self.bytes -= entry.bytes;
        Some(entry.edit)
    }

    /// The server could not take an edit just now.
    pub fn again(&mut self, change_id: &str, now: Instant) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.edit.change_id == change_id) {
            entry.sent = None;
            self.pause = Some(now + PAUSE);
        }
    }

    /// An edit was refused for what was sent with it, or for the version it names: it is sent once more, alone or without
    /// that. Whether there is such a way.
    pub fn otherwise(&mut self, change_id: &str, refused: Together) -> bool {
        let is_part = self.under_way().nth(1).is_some();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.edit.change_id == change_id) else {
            return false;
        };
        let is_new = match refused {
            Together::TooMuch => is_part && !std::mem::replace(&mut entry.alone, true),
            Together::UnknownVersion => entry.edit.base.take().is_some(),
        };
        if is_new {
            entry.sent = None;
        }
        is_new
    }

    /// The edits that lie with the server, in the order in which they were sent.
    pub fn under_way(&self) -> impl Iterator<Item = &PendingEdit> {
        self.entries
            .iter()
            .filter(|entry| entry.sent.is_some())
            .map(|entry| &entry.edit)
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
