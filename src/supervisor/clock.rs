//! Reads the clocks for the running side. Everything else gets the time as an argument.

#![expect(clippy::disallowed_methods, reason = "edge: reads both clocks for the running side")]

use std::time::{Instant, SystemTime};

use crate::module::timestamp::Timestamp;

/// The outside inputs of a decision: both clocks, and a random number for jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time; every deadline is in it.
    pub mono: Instant,
    /// Wall clock, only for screens and files.
    pub wall: Timestamp,
    /// A random byte.
    pub dice: u8,
}

impl Moment {
    /// An earlier time by the wall clock. A later one counts as now: the clock was set back.
    #[must_use]
    pub(crate) fn back_to(self, at: Timestamp) -> Self {
        let ago = self.wall.since(at);
        let mono = self.mono.checked_sub(ago).unwrap_or(self.mono);
        Self { mono, wall: if at > self.wall { self.wall } else { at }, dice: self.dice }
    }
}

/// Reads both clocks now.
#[must_use]
pub(crate) fn moment() -> Moment {
    Moment { mono: Instant::now(), wall: Timestamp::of(SystemTime::now()), dice: fastrand::u8(..) }
}

/// Sleeps until a deadline. Without one it never returns.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
