//! Ends what an earlier life left behind: by identity, politely first, and with a bound.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::process::group::{self, Depth, Life, Signal};
use crate::process::id::ProcessId;
use crate::process::table;

/// How long SIGKILL may take.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two looks whether they are gone.
const LOOK: Duration = Duration::from_millis(50);

/// Signals processes by identity. One that is gone, was recycled or is not ours to signal is left to the next look.
pub fn signal_all<'a>(targets: impl IntoIterator<Item = &'a ProcessId>, signal: Signal) {
    for target in targets {
        let _ = group::signal(target, signal);
    }
}

/// Everything that is provably left of lives that an earlier hub began.
#[must_use]
pub fn of_earlier(lives: &[Life]) -> BTreeSet<ProcessId> {
    let (hub, nobody) = (table::own_pid(), BTreeSet::new());
    let remnants = |life| group::remnants(life, hub, &nobody, Depth::Marks);
    lives.iter().flat_map(remnants).map(|info| info.id).collect()
}

/// Ends everything that `find` finds, SIGTERM first, SIGKILL after `grace`. `find` is asked again when all that it
/// found is gone, so that what was started meanwhile does not slip through.
///
/// Returns those that were ended.
///
/// # Errors
/// Those that survived SIGKILL.
pub async fn end(
    find: impl Fn() -> BTreeSet<ProcessId>,
    grace: Duration,
) -> Result<BTreeSet<ProcessId>, BTreeSet<ProcessId>> {
    let mut ended = BTreeSet::new();
    let mut living = find();
    for (signal, patience) in [(Signal::Terminate, grace), (Signal::Kill, KILL_WAIT)] {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(1);
        signal_all(&living, signal);
        loop {
            let gone: Vec<_> = living.iter().filter(|id| !table::alive(id)).cloned().collect();
            for id in gone {
                living.remove(&id);
                ended.insert(id);
            }
            if living.is_empty() {
                living = find();
                if living.is_empty() {
                    return Ok(ended);
                }
                signal_all(&living, signal);
            }
            if waited >= patience {
                break;
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LOOK);
        }
    }
    Err(living)
}
