//! The limit on descriptors. Most login shells allow a process 1,024 of them, because of programs that use
//! select(2); a hub of three hundred modules needs more. So the hub raises its own limit as far as it needs, and its
//! children get the limit that the hub was started with.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of the hub itself: connections on both listeners, the ledger, and so on.
const OWN: u64 = 600;
/// Descriptors per module: the readers of its two outputs, its pidfd, its log file, and sometimes a probe of its port.
const EACH: u64 = 5;

/// The limit at the start of this process, once it has been raised.
static STARTED_WITH: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit for this many modules.
///
/// # Errors
/// The number of modules that the limit allows, if the hard limit is too low.
pub(crate) fn make_room(modules: usize) -> Result<(), u64> {
    let now = getrlimit(Resource::Nofile);
    let needed = OWN + EACH * modules as u64;
    // `None` is "no limit".
    let Some(soft) = now.current.filter(|soft| *soft < needed) else { return Ok(()) };
    let raised = now.maximum.map_or(needed, |hard| needed.min(hard));
    let started_with = now;
    if raised > soft && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..now }).is_ok() {
        STARTED_WITH.get_or_init(|| started_with);
    }
    match getrlimit(Resource::Nofile).current {
        Some(soft) if soft < needed => Err(soft.saturating_sub(OWN) / EACH),
        Some(_) | None => Ok(()),
    }
}

/// The limit for a child. `None` until the limit was raised: until then it inherits the right one.
pub(in crate::process) fn started_with() -> Option<Rlimit> {
    STARTED_WITH.get().copied()
}
