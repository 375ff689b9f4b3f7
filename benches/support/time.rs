//! The processor time of this thread: what else runs on the machine is not in it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in this thread's own time.
#[derive(Clone, Copy)]
pub struct Started(Duration);

impl Started {
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Self(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    pub fn elapsed(self) -> Duration {
        Self::now().0 - self.0
    }
}
