//! The beat of presence: what people do between two ticks is one word to those at the live door.
//!
//! While somebody at the live door has the document open, one small task waits for the next tick that is due. It does no
//! work but the tick, and ends with the last who listens.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::room::room::Room;

impl Room {
    /// Sees to it that presence is told at the live door, as long as somebody listens there.
    pub fn keep_ticking(self: &Arc<Self>) {
        if !self.live.ticking.swap(true, Ordering::AcqRel) {
            tokio::spawn(tick(self.clone()));
        }
    }
}

/// However the task ends, a panic included, another one may begin.
struct Ticking(Arc<Room>);

impl Drop for Ticking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.live.ticking.store(false, Ordering::Release);
        }
    }
}

async fn tick(room: Arc<Room>) {
    let _ticking = Ticking(room.clone());
    loop {
        let alarm = room.audience().presence_alarm();
        let mut rung = std::pin::pin!(alarm.notified());
        // Subscribed before looking, so that what happens in between is not missed (lost wakeup).
        rung.as_mut().enable();
        let due = {
            let now = Instant::now();
            let mut audience = room.audience();
            match audience.due(now) {
                Some(due) if due <= now => {
                    audience.tick(now);
                    continue;
                }
                _ if !audience.is_watched() => {
                    // Under the lock that newcomers take before they ask for a beat.
                    room.live.ticking.store(false, Ordering::Release);
                    return;
                }
                due => due,
            }
        };
        match due {
            Some(due) => {
                tokio::select! {
                    () = rung => {}
                    () = tokio::time::sleep_until(due.into()) => {}
                }
            }
            None => rung.await,
        }
    }
}
