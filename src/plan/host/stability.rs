//! Whether a module that is ready stays ready: one that binds its port and crashes at once looks ready for a moment.
//! Pure: each status report of the hub is an argument with its time, counted from the start of the wait.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::wire::ModuleView;

/// How long a module that served before must be ready: the default of supervisord's `startsecs`.
pub(super) const SERVED_BEFORE: Duration = Duration::from_secs(1);
/// How long any other module must be ready: enough to notice a crash right after the start, and short enough for a
/// user who has just installed a hub.
pub(super) const ANY_OTHER: Duration = Duration::from_millis(250);
/// How long a module must be ready that has crashed within the window of its restart budget: longer than any pause
/// between two restarts of a crash loop.
const AFTER_A_CRASH: Duration = Duration::from_secs(10);

/// The summary of the status reports so far.
pub(super) struct Stability {
    /// How long a module that has not crashed must be ready.
    least: Duration,
    /// Whether the uptime counts of a module that is ready in the next report.
    uptime_counts: bool,
    /// The modules that were ready in the last report.
    ready: BTreeMap<String, ReadyModule>,
}

struct ReadyModule {
    pid: Option<u32>,
    /// When it was first reported ready.
    since: Duration,
    /// Its uptime at that time, if that counts.
    uptime: Duration,
    /// How long it must be ready.
    least: Duration,
}

impl Stability {
    /// Before the first report. A module that is ready in it counts as ready from then on.
    pub(super) fn new(least: Duration) -> Self {
        Self { least, uptime_counts: false, ready: BTreeMap::new() }
    }

    /// Before the first report. For a module that is ready in it the whole uptime counts: for modules that were not
    /// just started.
    pub(super) fn with_uptime(least: Duration) -> Self {
        Self { uptime_counts: true, ..Self::new(least) }
    }

    /// Adds one report. `now` is when it arrived.
    pub(super) fn record(&mut self, modules: &[ModuleView], now: Duration) {
        let mut earlier = std::mem::take(&mut self.ready);
        let uptime_counts = std::mem::replace(&mut self.uptime_counts, false);
        for module in modules.iter().filter(|module| module.ready) {
            let known = earlier.remove(&module.short).filter(|known| known.pid == module.pid);
            let (since, uptime) = known.map_or_else(
                || {
                    (
                        now,
                        Duration::from_millis(module.uptime_ms.filter(|_| uptime_counts).unwrap_or_default()),
                    )
                },
                |known| (known.since, known.uptime),
            );
            let least = if module.restarts_in_window > 0 { AFTER_A_CRASH } else { self.least };
            self.ready.insert(module.short.clone(), ReadyModule { pid: module.pid, since, uptime, least });
        }
    }

    /// Whether this module is ready, and has been for long enough. `now` is when the last report was requested: a
    /// slow report says nothing about the time that it took.
    pub(super) fn is_stable(&self, short: &str, now: Duration) -> bool {
        self.ready
            .get(short)
            .is_some_and(|known| now.saturating_sub(known.since) + known.uptime >= known.least)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A module as a hub reports it.
    pub(in crate::plan::host) fn view(short: &str, pid: u32, ready: bool) -> ModuleView {
        serde_json::from_value(serde_json::json!({
            "short": short, "name": short, "state": "running", "detail": "waiting for port 1940", "ready": ready,
            "pid": pid, "port": 1940, "listens": true, "version": "", "url": null, "install_dir": null,
            "started_at": null, "uptime_ms": null, "restarts": 0, "restarts_in_window": 0, "memory_bytes": null,
            "health": null, "last_exit": null, "last_exit_at": null, "problem": null
        }))
        .unwrap()
    }

    fn vault(pid: u32, ready: bool, crashes: u32) -> ModuleView {
        ModuleView { restarts_in_window: crashes, ..view("vault", pid, ready) }
    }

    #[test]
    fn a_module_that_was_ready_for_a_moment_is_not_stable() {
        let at = Duration::from_millis;
        let mut stability = Stability::new(SERVED_BEFORE);
        stability.record(&[vault(1, true, 0)], at(0));
        assert!(!stability.is_stable("vault", at(0)) && !stability.is_stable("vault", at(999)));
        assert!(stability.is_stable("vault", at(1_000)));
        assert!(!stability.is_stable("notes", at(1_000)), "a module that was never reported");
        stability.record(&[vault(1, false, 0)], at(1_100));
        assert!(!stability.is_stable("vault", at(5_000)), "it is no longer ready");
        stability.record(&[vault(1, true, 0)], at(1_200));
        assert!(
            !stability.is_stable("vault", at(2_100)) && stability.is_stable("vault", at(2_200)),
            "the time counts anew"
        );
    }

    /// A module that has run for long is not waited for; one that starts during the wait is.
    #[test]
    fn the_uptime_of_a_module_that_was_ready_before_counts() {
        let at = Duration::from_millis;
        let with_uptime = |pid, ms, crashes| ModuleView { uptime_ms: Some(ms), ..vault(pid, true, crashes) };
        let mut stability = Stability::with_uptime(SERVED_BEFORE);
        stability.record(&[with_uptime(1, 700, 0)], at(0));
        assert!(!stability.is_stable("vault", at(299)) && stability.is_stable("vault", at(300)));
        stability.record(&[with_uptime(2, 5_000, 0)], at(400));
        assert!(
            !stability.is_stable("vault", at(1_399)),
            "the uptime of its next process does not count: it may have bound its port just now"
        );
        let mut stability = Stability::with_uptime(ANY_OTHER);
        stability.record(&[with_uptime(1, 9_000, 1)], at(0));
        assert!(
            !stability.is_stable("vault", at(999)) && stability.is_stable("vault", at(1_000)),
            "after a crash"
        );
        let mut stability = Stability::new(SERVED_BEFORE);
        stability.record(&[with_uptime(1, 9_000, 0)], at(0));
        assert!(
            !stability.is_stable("vault", at(999)) && stability.is_stable("vault", at(1_000)),
            "it may have bound its port late"
        );
    }

    /// In a crash loop every report shows another process, or one that is younger than the longest pause.
    #[test]
    fn a_crash_loop_is_never_stable_however_often_it_is_reported_ready() {
        let at = Duration::from_millis;
        let mut stability = Stability::new(Duration::ZERO);
        for pid in 0..100 {
            stability.record(&[vault(pid, true, 1)], at(u64::from(pid) * 3_000));
            assert!(!stability.is_stable("vault", at(u64::from(pid) * 3_000 + 2_999)));
        }
        stability.record(&[vault(99, true, 1)], at(99 * 3_000 + 9_000));
        assert!(stability.is_stable("vault", at(99 * 3_000 + 10_000)), "the last process keeps running");
        // Without a crash there is no wait beyond the requested one.
        stability.record(&[vault(100, true, 0)], at(400_000));
        assert!(stability.is_stable("vault", at(400_000)));
    }
}
