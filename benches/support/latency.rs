//! Latencies, and the figures made of them.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::time::Duration;

#[derive(Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub fn extend(&mut self, others: Latencies) {
        self.0.extend(others.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The latency that this share of all do not exceed, in milliseconds.
    pub fn at(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1).expect("something was measured");
        self.0[(last as f64 * share).round() as usize].as_secs_f64() * 1e3
    }
}
