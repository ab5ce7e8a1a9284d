//! A separate world for every test: a temporary home, free ports, a hub, and nothing of the real machine.
//!
//! No test can touch the real home: `HOME` points at a file, `PARACHUTE_HOME` into the temporary directory, and
//! nothing else is inherited. The service manager is out of reach too: `PARACHUTE_TOOLS_UNDER` restricts the binary to
//! the tools of its world.

pub mod executable;
pub mod http;
pub mod mac;
pub mod processes;
pub mod program;
pub mod stream;
pub mod units;
pub mod world;

use std::time::{Duration, Instant};

/// How long to wait for a condition before a test fails. Generous: it is not an assertion about speed.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `look` returns a value; panics with `what` if it never does.
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

/// Whether its time is over. Read before the last check: a test that was not scheduled for this long checks
/// once more before it fails.
pub fn is_late(began: Instant) -> bool {
    began.elapsed() >= DEADLINE
}

/// The same for a condition.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}
