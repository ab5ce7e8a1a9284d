//! A world of its own for every test: a temporary home, ports nobody uses, a hub, and nothing of the real machine.
//!
//! No test can touch the real home: `HOME` points at a file, `PARACHUTE_HOME` into the temporary directory, and
//! nothing else is inherited. Nor the service manager: `PARACHUTE_TOOLS_UNDER` lets the binary run no tool but a
//! world's own.

pub mod executable;
pub mod http;
pub mod mac;
pub mod processes;
pub mod program;
pub mod stream;
pub mod units;
pub mod world;

use std::time::{Duration, Instant};

/// How long anything may take before a test says that it never happens. Generous: it is no assertion about speed.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `look` finds what it looks for; panics with `what` if it never does.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        let late = is_late(began);
        if let Some(found) = look() {
            return found;
        }
        assert!(!late, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether its time is over. Asked before the last look: a test that was kept from running for so long looks
/// again before it says "never".
pub fn is_late(began: Instant) -> bool {
    began.elapsed() >= DEADLINE
}

/// The same for a condition.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}
