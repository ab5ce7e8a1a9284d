//! Whether a module that is ready stays so: one that binds its port and falls over at once is ready too, for the moment
//! in which somebody looks. Pure: every look is handed in with its time,
//! counted from where the wait began.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::wire::ModuleView;

/// So long one that served before has to be ready: what supervisord takes for its start (`startsecs`).
pub(super) const A_SECOND: Duration = Duration::from_secs(1);
/// So long any other: those who fall over at once are seen, and nobody waits who has just installed a hub.
pub(super) const A_MOMENT: Duration = Duration::from_millis(250);
/// So long one that has crashed within the window of its budget: longer than any pause between two lives of a loop.
const AFTER_A_CRASH: Duration = Duration::from_secs(10);

/// What the looks so far have shown.
pub(super) struct Steady {
    /// How long one that has not crashed has to be ready.
    least: Duration,
    /// Whether of what is ready at the first look its whole life counts.
    first: bool,
    /// Of those that were ready at the last look: since when, and in which life.
    since: BTreeMap<String, Life>,
}

struct Life {
    pid: Option<u32>,
    ready_since: Duration,
    /// How long it had lived when it was first seen.
    lived: Duration,
    least: Duration,
}

impl Steady {
    /// Nobody has looked yet. What was ready before anybody looked counts from the first look on.
    pub(super) fn new(least: Duration) -> Self {
        Self { least, first: false, since: BTreeMap::new() }
    }

    /// Of what was ready before anybody looked its whole life counts: where nobody waits for what has just been started.
    pub(super) fn since_birth(least: Duration) -> Self {
        Self { first: true, ..Self::new(least) }
    }

    /// Takes one look in, `now` being when it was answered.
    pub(super) fn look(&mut self, modules: &[ModuleView], now: Duration) {
        let mut before = std::mem::take(&mut self.since);
        let first = std::mem::replace(&mut self.first, false);
        for module in modules.iter().filter(|module| module.ready) {
            let known = before.remove(&module.short).filter(|life| life.pid == module.pid);
            let (ready_since, lived) = known.map_or_else(
                || (now, Duration::from_millis(module.uptime_ms.filter(|_| first).unwrap_or_default())),
                |life| (life.ready_since, life.lived),
            );
            let least = if module.restarts_in_window > 0 { AFTER_A_CRASH } else { self.least };
            self.since.insert(module.short.clone(), Life { pid: module.pid, ready_since, lived, least });
        }
    }

    /// Whether this module is ready, and has been for long enough; `now` being when the last look was asked for: an
    /// answer that took long says nothing of the time it took.
    pub(super) fn holds(&self, short: &str, now: Duration) -> bool {
        self.since
            .get(short)
            .is_some_and(|life| now.saturating_sub(life.ready_since) + life.lived >= life.least)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A module as a hub shows it.
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
    fn one_that_was_ready_for_a_moment_is_not_up() {
        let at = Duration::from_millis;
        let mut steady = Steady::new(A_SECOND);
        steady.look(&[vault(1, true, 0)], at(0));
        assert!(!steady.holds("vault", at(0)) && !steady.holds("vault", at(999)));
        assert!(steady.holds("vault", at(1_000)));
        assert!(!steady.holds("notes", at(1_000)), "of one that was never seen nothing is known");
        steady.look(&[vault(1, false, 0)], at(1_100));
        assert!(!steady.holds("vault", at(5_000)), "it is not ready any more");
        steady.look(&[vault(1, true, 0)], at(1_200));
        assert!(!steady.holds("vault", at(2_100)) && steady.holds("vault", at(2_200)), "from anew");
    }

    /// A hub that has run for long is not waited for; what comes up while somebody waits is.
    #[test]
    fn of_what_was_ready_before_the_life_counts() {
        let at = Duration::from_millis;
        let lived = |pid, ms, crashes| ModuleView { uptime_ms: Some(ms), ..vault(pid, true, crashes) };
        let mut steady = Steady::since_birth(A_SECOND);
        steady.look(&[lived(1, 700, 0)], at(0));
        assert!(!steady.holds("vault", at(299)) && steady.holds("vault", at(300)));
        steady.look(&[lived(2, 5_000, 0)], at(400));
        assert!(!steady.holds("vault", at(1_399)), "of the next one it does not: it may have bound just now");
        let mut steady = Steady::since_birth(A_MOMENT);
        steady.look(&[lived(1, 9_000, 1)], at(0));
        assert!(!steady.holds("vault", at(999)) && steady.holds("vault", at(1_000)), "after a crash");
        let mut steady = Steady::new(A_SECOND);
        steady.look(&[lived(1, 9_000, 0)], at(0));
        assert!(
            !steady.holds("vault", at(999)) && steady.holds("vault", at(1_000)),
            "it may have bound late"
        );
    }

    /// A loop whose every life is seen ready: each look is of another life, or of one younger than the longest pause.
    #[test]
    fn a_crash_loop_is_never_up_however_often_it_is_seen_ready() {
        let at = Duration::from_millis;
        let mut steady = Steady::new(Duration::ZERO);
        for life in 0..100 {
            steady.look(&[vault(life, true, 1)], at(u64::from(life) * 3_000));
            assert!(!steady.holds("vault", at(u64::from(life) * 3_000 + 2_999)));
        }
        steady.look(&[vault(99, true, 1)], at(99 * 3_000 + 9_000));
        assert!(steady.holds("vault", at(99 * 3_000 + 10_000)), "the last one stayed");
        // Without a crash nothing has to be waited for, if nobody asked for more.
        steady.look(&[vault(100, true, 0)], at(400_000));
        assert!(steady.holds("vault", at(400_000)));
    }
}
