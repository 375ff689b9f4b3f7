//! Waiting for the disk: nothing that was seen of a room or done in it is shown before it is durable.
//!
//! Changes have their positions, notes beside them their numbers; who waits for both waits for one [`Seen`]. A room that is
//! rolled back begins a new epoch, which ends the wait as well.

use super::room::Room;

/// What somebody has seen of a room, or done in it: nothing of it may be shown before all this is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The position of the last change.
    pub position: u64,
    /// The number of the last note beside the changes: an idempotency key, or that the document was deleted or restored.
    pub note: u64,
    /// The epoch they belong to.
    pub epoch: u64,
}

impl Room {
    /// Everything that was done in this room so far.
    pub fn seen(&self) -> Seen {
        // The epoch first: if the room is rolled back meanwhile, what comes behind belongs to none.
        let epoch = self.epoch();
        Seen {
            position: self.end(),
            note: self.notes().newest(),
            epoch,
        }
    }

    /// Waits until what `look` looks at has come to a result. Looks again whenever something is flushed, rolled back or woken.
    pub async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        loop {
            let moved = self.moved.notified();
            let mut moved = std::pin::pin!(moved);
            // Subscribed before looking, so that what happens between the two is not missed (lost wakeup).
            moved.as_mut().enable();
            if let Some(result) = look(self) {
                return result;
            }
            moved.await;
        }
    }

    /// Waits until everything up to `position` may be shown. False if it was rolled back instead.
    pub async fn until_durable(&self, position: u64, epoch: u64) -> bool {
        self.until(|room| match room.durable() >= position {
            true => Some(true),
            false => (room.epoch() != epoch).then_some(false),
        })
        .await
    }

    /// Waits until all of this may be shown. False if it was rolled back instead.
    pub async fn until_saved(&self, seen: Seen) -> bool {
        self.until(|room| {
            let is_saved = room.durable() >= seen.position && room.notes().durable() >= seen.note;
            match is_saved {
                true => Some(true),
                false => (room.epoch() != seen.epoch).then_some(false),
            }
        })
        .await
    }
}
