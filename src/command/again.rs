//! How long something that was lost is tried again: at growing distances, until nothing has gone on for too long.
//!
//! Pure: the caller brings the time and does the waiting.

use std::time::{Duration, Instant};

/// Between the first two attempts; each distance is twice the one before.
const FIRST: Duration = Duration::from_millis(200);

/// The longest distance.
const LAST: Duration = Duration::from_secs(5);

pub struct Again {
    patience: Duration,
    /// When something went on last.
    since: Instant,
    pause: Duration,
}

impl Again {
    pub fn new(patience: Duration, now: Instant) -> Self {
        Self {
            patience,
            since: now,
            pause: FIRST,
        }
    }

    /// Something went on: patience begins anew.
    pub fn went_on(&mut self, now: Instant) {
        *self = Self::new(self.patience, now);
    }

    /// How long to wait before the next attempt; none if there is to be none.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let left = self.patience.checked_sub(now.saturating_duration_since(self.since))?;
        if left.is_zero() {
            return None;
        }
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(LAST);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_grow_rarer_and_end_unless_something_goes_on() {
        let mut now = Instant::now();
        let mut again = Again::new(Duration::from_secs(10), now);
        let waited = |again: &mut Again, now: &mut Instant| {
            let pause = again.pause(*now);
            *now += pause.unwrap_or_default();
            pause.map(|pause| pause.as_millis())
        };
        let pauses: Vec<_> = std::iter::from_fn(|| waited(&mut again, &mut now)).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 3800]);
        again.went_on(now);
        assert_eq!(waited(&mut again, &mut now), Some(200));
        assert_eq!(Again::new(Duration::ZERO, now).pause(now), None);
    }
}
