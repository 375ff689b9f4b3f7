//! When to try again: later and later, and never all at the same time.
//!
//! A server that comes back meets all its clients at once. Each waits a time drawn from nothing up to a bound that doubles
//! with every failure ("full jitter"), so that they spread out over it.
//!
//! Pure: time and randomness come in.

use std::time::Duration;

use rand::Rng;

/// How long a client waits before it connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// The longest wait after any.
    pub most: Duration,
    /// A connection that lived so long makes good for the failures before it. A server that takes everybody and closes at
    /// once would be asked without end otherwise.
    pub settled: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            most: Duration::from_secs(30),
            settled: Duration::from_secs(10),
        }
    }
}

/// The failures so far.
#[derive(Debug)]
pub(super) struct Backoff {
    bounds: Reconnect,
    failures: u32,
}

impl Backoff {
    pub fn new(bounds: Reconnect) -> Self {
        Self { bounds, failures: 0 }
    }

    /// A connection was good for so long.
    pub fn lived(&mut self, time: Duration) {
        if time >= self.bounds.settled {
            self.failures = 0;
        }
    }

    /// It failed: how long to wait.
    pub fn failed(&mut self, rng: &mut impl Rng) -> Duration {
        let bound = self.bounds.first.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        bound.min(self.bounds.most).mul_f64(rng.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    const BOUNDS: Reconnect = Reconnect {
        first: Duration::from_secs(1),
        most: Duration::from_secs(20),
        settled: Duration::from_secs(5),
    };

    /// The longest of many waits after so many failures, in seconds.
    fn longest(failures: u32) -> f64 {
        let mut rng = SmallRng::seed_from_u64(1);
        let waits = (0..2_000).map(|_| {
            Backoff {
                failures,
                ..Backoff::new(BOUNDS)
            }
            .failed(&mut rng)
        });
        waits.max().unwrap().as_secs_f64()
    }

    #[test]
    fn the_bound_doubles_up_to_the_most_and_the_whole_range_is_used() {
        for (failures, bound) in [(0, 1.0), (1, 2.0), (3, 8.0), (5, 20.0), (40, 20.0), (u32::MAX, 20.0)] {
            let longest = longest(failures);
            assert!((bound * 0.98..bound).contains(&longest), "{failures}: {longest}");
        }
    }

    #[test]
    fn clients_that_fail_together_do_not_come_back_together() {
        let mut waits: Vec<_> = (0..50)
            .map(|seed| Backoff::new(BOUNDS).failed(&mut SmallRng::seed_from_u64(seed)))
            .collect();
        waits.sort();
        let tenth = Duration::from_millis(100);
        for n in 0..10 {
            let (from, upto) = (tenth * n, tenth * (n + 1));
            assert!(
                waits.iter().any(|wait| (from..upto).contains(wait)),
                "nobody in tenth {n}"
            );
        }
    }

    #[test]
    fn only_a_connection_that_lasted_makes_good_for_failures() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut backoff = Backoff::new(BOUNDS);
        (0..3).for_each(|_| assert!(backoff.failed(&mut rng) < BOUNDS.most));
        backoff.lived(Duration::from_secs(4));
        assert_eq!(backoff.failures, 3);
        backoff.lived(Duration::from_secs(5));
        assert_eq!(backoff.failures, 0);
    }
}
