use crate::WallClock;
use std::time::{Duration, Instant};

/// The two clocks that a watcher compares. A trait so that tests can set one of them back.
pub trait Clock: Send + Sync {
    fn wall(&self) -> WallClock;
    /// Since any fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> WallClock {
        crate::wall_clock()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Finds out when the wall clock is set back.
#[derive(Debug, Default)]
pub struct SetBack {
    /// Most that the wall clock has been ahead of the monotonic one.
    most: Option<i128>,
}

impl SetBack {
    /// Whether the wall clock was set back by more than the tolerance since the last time this said so. Steps add up,
    /// so that many small ones are found as well; slewing moves both clocks alike.
    pub fn happened(&mut self, clock: &dyn Clock) -> bool {
        let ahead = i128::from(clock.wall()) - clock.monotonic().as_nanos() as i128;
        let most = *self.most.get_or_insert(ahead);
        let happened = most - ahead > i128::from(crate::store::CLOCK_TOLERANCE);
        self.most = Some(if happened { ahead } else { most.max(ahead) });
        happened
    }
}
