//! What differs from seed to seed besides chance: how slow, how small and how unlucky everything is.

use std::time::Duration;

use rand::Rng;
use rand::rngs::SmallRng;
use roundtable::room::RoomLimits;
use roundtable::store::StoreLimits;
use roundtable::sync::aside::AsideLimits;
use roundtable::sync::gate::GateLimits;
use roundtable::sync::log::LogLimits;

use super::client::REFUSED_OPS;

/// The longest log a room has here, in changes.
pub const LOG: usize = 24;

/// What differs from seed to seed besides chance.
#[derive(Debug, Clone)]
pub struct Weather {
    /// The longest a message takes, in steps.
    pub latency: u64,
    /// How likely the committer works in a step.
    pub flush: f64,
    /// How likely all Bloom filters are wrong about a change.
    pub false_positive: f64,
    pub slowness: u64,
    pub edits: f64,
    pub rooms: RoomLimits,
    pub store: StoreLimits,
}

impl Weather {
    pub fn of(rng: &mut SmallRng) -> Self {
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        let rooms = RoomLimits {
            sleep_after: Duration::from_secs(one_of(&[0, 0, 2, 8]) as u64),
            compact_changes: one_of(&[3, 10, 10_000]),
            log: LogLimits {
                changes: one_of(&[1, 2, 3, 6, LOG]),
                frame_bytes: one_of(&[1, 300, 1 << 20]),
                ..LogLimits::default()
            },
            aside: AsideLimits {
                changes: one_of(&[1, 2, 4, 8, 64]),
                ..AsideLimits::default()
            },
            gate: GateLimits {
                change_ops: REFUSED_OPS as u64,
                ..GateLimits::default()
            },
            ..RoomLimits::default()
        };
        let store = StoreLimits {
            queue_changes: one_of(&[2, 6, 1000]),
            batch_changes: one_of(&[1, 3, 1000]),
            ..StoreLimits::default()
        };
        Self {
            latency: one_of(&[0, 1, 4, 12]) as u64,
            slowness: one_of(&[0, 1, 4]) as u64,
            flush: [0.15, 0.5, 1.0][one_of(&[0, 1, 2])],
            false_positive: [0.0, 0.06, 0.25][one_of(&[0, 1, 2])],
            edits: [0.04, 0.08][one_of(&[0, 1])],
            rooms,
            store,
        }
    }
}
