//! Which edits get a later name.
//!
//! - What may have been made keeps the name under which it was sent: only by that the server knows it again.
//! - What was never sent cannot have been made, and goes out under a name that the server takes.
//! - No other edit is renamed: programs store edits and may be cut off before they store that one was sent. Taken up again,
//!   it is the same edit to the server, as long as both times it goes out under its own name.

use super::{Entry, Queue};
use crate::client::live::name;

impl Queue {
    /// It is so late by the server's clock, in milliseconds since 1970: what was never sent, and would be refused for the
    /// time in its name, gets one of now.
    pub fn rename_untimely(&mut self, unix_ms: u64) {
        let is_due = |entry: &&mut Entry| !entry.edit.was_sent && name::is_untimely(&entry.edit.sent_as(), unix_ms);
        for entry in self.entries.iter_mut().filter(is_due) {
            entry.rename(unix_ms);
        }
    }

    /// The server has refused an edit for its name, and has not made it: it is sent once more, under a name of now. Whether
    /// that is of use: a later name was refused as well, or would not be known again.
    pub fn rename(&mut self, change_id: &str, unix_ms: u64) -> bool {
        let Some(entry) = self.find(change_id) else {
            return false;
        };
        if std::mem::replace(&mut entry.is_renamed, true) || !entry.rename(unix_ms) {
            return false;
        }
        // Under this name it never went out.
        (entry.sent, entry.edit.was_sent, entry.is_doubtful) = (None, false, false);
        true
    }

    /// The server could not say whether it has made an edit for good.
    pub fn doubt(&mut self, change_id: &str) {
        if let Some(entry) = self.find(change_id) {
            entry.is_doubtful = true;
        }
    }

    /// Whether an edit may have been made when it was sent before.
    pub fn is_doubtful(&self, change_id: &str) -> bool {
        let mut named = self.entries.iter().filter(|entry| entry.edit.change_id == change_id);
        named.any(|entry| entry.is_doubtful)
    }
}

impl Entry {
    /// Whether it has a later name now.
    fn rename(&mut self, unix_ms: u64) -> bool {
        let can_be = name::can_be_renamed(&self.edit.change_id);
        if can_be {
            self.edit.named_at = Some(unix_ms);
        }
        can_be
    }
}
