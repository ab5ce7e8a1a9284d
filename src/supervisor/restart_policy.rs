//! Whether a module is started again after a crash, and when. Pure.
//!
//! Two counts decide. *Whether*: the crashes inside the window. *When*: the streak, which is the
//! crashes since the module was last steady. So a module that crashes every 40 s is slowed down although it never has
//! five crashes in a minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::module::launch::Policy;
use crate::module::timestamp::Timestamp;

use super::clock::Moment;

/// Most crashes that are kept. More inside one window count as this many.
const KEPT: usize = 1024;

/// The crashes of one module that still count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CrashHistory {
    /// Oldest first.
    crashes: VecDeque<(Instant, Timestamp)>,
    /// Crashes since the module was last steady, or was last started by a request.
    streak: u32,
}

/// What follows a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterCrash {
    /// It is started again at this time, or at once if that is past.
    RestartAt(Instant),
    /// It crashed too often: it is not started again without a request.
    Crashed,
}

impl CrashHistory {
    /// The crashes that the last hub counted. Timestamps in the future (the clock was set back) are dropped.
    #[must_use]
    pub(crate) fn restore(stamps: &[Timestamp], now: Moment) -> Self {
        let crashes: VecDeque<_> = stamps
            .iter()
            .filter(|at| **at <= now.wall)
            .filter_map(|at| Some((now.mono.checked_sub(now.wall.since(*at))?, *at)))
            .collect();
        let streak = u32::try_from(crashes.len()).unwrap_or(u32::MAX);
        Self { crashes, streak }
    }

    /// Counts a crash.
    pub(crate) fn record(&mut self, now: Moment, window: Duration) {
        self.crashes.retain(|(at, _)| now.mono.saturating_duration_since(*at) <= window);
        if self.crashes.len() == KEPT {
            self.crashes.pop_front();
        }
        self.crashes.push_back((now.mono, now.wall));
        self.streak = self.streak.saturating_add(1);
    }

    /// Crashes inside the window that ends now. A crash exactly at its edge still counts.
    #[must_use]
    pub(crate) fn count(&self, now: Instant, window: Duration) -> u32 {
        let inside = self.crashes.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= window);
        u32::try_from(inside.count()).unwrap_or(u32::MAX)
    }

    /// Forgets all crashes: the module was steady, or was started by a request.
    pub(crate) fn clear(&mut self) {
        self.crashes.clear();
        self.streak = 0;
    }

    /// Whether no crash counts.
    #[must_use]
    pub(crate) fn is_clear(&self) -> bool {
        self.streak == 0 && self.crashes.is_empty()
    }

    /// The last crash that still counts.
    #[must_use]
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.crashes.back().map(|(_, at)| *at)
    }

    /// The stamps to keep on disk, oldest first.
    #[must_use]
    pub(crate) fn stamps(&self) -> Vec<Timestamp> {
        self.crashes.iter().map(|(_, at)| *at).collect()
    }

    /// Decides after [`Self::record`].
    #[must_use]
    pub(crate) fn after_crash(&self, now: Moment, policy: &Policy) -> AfterCrash {
        if self.count(now.mono, policy.window) >= policy.max_crashes.max(1) {
            return AfterCrash::Crashed;
        }
        AfterCrash::RestartAt(now.mono + delay(self.streak, policy, now.dice))
    }
}

/// Delay before the start after `streak` crashes in a row: none after the first, then doubling from
/// [`Policy::backoff`] to [`Policy::backoff_cap`]. `dice` takes up to a fifth off, so that modules that crashed
/// together do not start together.
fn delay(streak: u32, policy: &Policy, dice: u8) -> Duration {
    let Some(doublings) = streak.checked_sub(2) else { return Duration::ZERO };
    let factor = 2_u32.saturating_pow(doublings.min(31));
    let full = policy.backoff.saturating_mul(factor).min(policy.backoff_cap);
    full - full / 5 * u32::from(dice) / 255
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "test: any instant serves as the origin of virtual time")]

    use super::*;

    fn at(origin: Instant, secs: u64) -> Moment {
        Moment { mono: origin + Duration::from_secs(secs), wall: Timestamp(1_000_000 + secs * 1000), dice: 0 }
    }

    #[test]
    fn first_at_once_then_doubling_to_the_cap() {
        let policy = Policy::default();
        let delays: Vec<_> = (1..=9).map(|n| delay(n, &policy, 0).as_millis()).collect();
        assert_eq!(delays, [0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(delay(u32::MAX, &policy, 0), policy.backoff_cap);
        assert_eq!(delay(2, &policy, 255), Duration::from_millis(400), "dice take at most a fifth");
    }

    #[test]
    fn five_in_a_minute_are_too_many_and_the_edge_counts() {
        let origin = Instant::now();
        let policy = Policy::default();
        let mut history = CrashHistory::default();
        for secs in [0, 15, 30, 45] {
            history.record(at(origin, secs), policy.window);
            assert_ne!(history.after_crash(at(origin, secs), &policy), AfterCrash::Crashed, "at {secs}");
        }
        history.record(at(origin, 60), policy.window);
        assert_eq!(history.after_crash(at(origin, 60), &policy), AfterCrash::Crashed);
        assert_eq!(history.count(at(origin, 61).mono, policy.window), 4, "the count decays when it is read");
    }

    #[test]
    fn with_zero_or_one_the_first_crash_is_too_many() {
        let origin = Instant::now();
        for max in [0, 1] {
            let policy = Policy { max_crashes: max, ..Policy::default() };
            let mut history = CrashHistory::default();
            history.record(at(origin, 0), policy.window);
            assert_eq!(history.after_crash(at(origin, 0), &policy), AfterCrash::Crashed);
        }
    }

    #[test]
    fn a_crash_every_40_s_is_delayed_though_the_window_never_fills() {
        let origin = Instant::now();
        let policy = Policy::default();
        let mut history = CrashHistory::default();
        let mut last = Duration::ZERO;
        for n in 0..8 {
            let now = at(origin, 40 * n);
            history.record(now, policy.window);
            let AfterCrash::RestartAt(when) = history.after_crash(now, &policy) else {
                panic!("crashed too often at {n}")
            };
            assert!(when - now.mono >= last);
            last = when - now.mono;
        }
        assert_eq!(last, policy.backoff_cap);
    }

    #[test]
    fn survives_a_hub_restart_inside_the_window() {
        let origin = Instant::now() + Duration::from_secs(1000);
        let policy = Policy::default();
        let mut before = CrashHistory::default();
        before.record(at(origin, 0), policy.window);
        before.record(at(origin, 5), policy.window);
        let after = CrashHistory::restore(&before.stamps(), at(origin, 10));
        assert_eq!(after.count(at(origin, 10).mono, policy.window), 2);
        assert_eq!(after.count(at(origin, 66).mono, policy.window), 0);
        let future = [Timestamp(u64::MAX)];
        assert!(
            CrashHistory::restore(&future, at(origin, 10)).is_clear(),
            "stamps of the future are dropped"
        );
    }
}
