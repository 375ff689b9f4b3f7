//! A document that is deleted while a connection has it open, or that is asked for afterwards.
//!
//! What is deleted is unavailable, whoever asks and whatever they bring. Once it is restored the connections that had it
//! open are closed: what their peers were told, and what was not taken from them meanwhile, a new connection sorts out.

use super::door::SyncDoor;
use crate::room::Deletion;
use crate::room::inbox::Close;

impl SyncDoor {
    /// Whether nothing is taken or said of a document because it is deleted, or is being deleted or restored. Then what
    /// came for it is answered, or waits until it can be.
    pub(super) fn withholds(&mut self, key: u32) -> bool {
        let talk = self.talk(key);
        match talk.room.deletion() {
            Deletion::Not if talk.told_deleted => {
                self.close(Close::TryLater);
                true
            }
            Deletion::Unknown | Deletion::Not => false,
            // The mark comes once it may be told.
            Deletion::Deciding => true,
            Deletion::Deleted(_) => {
                self.tell_deleted(key);
                true
            }
        }
    }

    /// Answers everything that came, or says it unasked to a peer that does not know.
    fn tell_deleted(&mut self, key: u32) {
        let talk = self.talk(key);
        // Nothing will be taken: others may need the place.
        talk.place = None;
        let arrived = std::mem::take(&mut talk.arrived);
        let is_news = !std::mem::replace(&mut talk.told_deleted, true);
        self.waiting_bytes -= arrived.iter().map(|arrived| arrived.bytes).sum::<usize>();
        for _ in 0..arrived.len().max(usize::from(is_news)) {
            self.answer_unavailable(key);
        }
    }
}
