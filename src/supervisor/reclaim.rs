//! Ends what an earlier life left behind: by identity, politely first, and with a bound.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::process::group::{self, Life};
use crate::process::id::ProcessId;
use crate::process::table;

use super::phase::Sig;

/// How long SIGKILL may take.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Between two looks whether they are gone.
const LOOK: Duration = Duration::from_millis(10);

/// Signals processes by identity.
pub fn signal_all(targets: &[ProcessId], sig: Sig) {
    for target in targets {
        // Gone already, recycled, or not ours to signal: the next look tells.
        let _ = group::signal(target, sig.number());
    }
}

impl Sig {
    /// As `kill(2)` takes it.
    #[must_use]
    pub fn number(self) -> nix::sys::signal::Signal {
        match self {
            Self::Term => nix::sys::signal::Signal::SIGTERM,
            Self::Kill => nix::sys::signal::Signal::SIGKILL,
        }
    }
}

/// Ends `first` and whatever `others` finds at every look, SIGTERM first, SIGKILL after `grace`.
///
/// Returns those that were ended.
///
/// # Errors
/// Those that survived SIGKILL.
pub async fn end(
    first: Vec<ProcessId>,
    mut others: impl FnMut() -> Vec<ProcessId>,
    grace: Duration,
) -> Result<BTreeSet<ProcessId>, Vec<ProcessId>> {
    let mut seen: BTreeSet<ProcessId> = first.into_iter().filter(table::alive).collect();
    seen.extend(others());
    for (sig, patience) in [(Sig::Term, grace), (Sig::Kill, KILL_WAIT)] {
        let mut told: BTreeSet<ProcessId> = BTreeSet::new();
        let mut waited = Duration::ZERO;
        loop {
            seen.extend(others());
            let living: Vec<_> = seen.iter().filter(|id| table::alive(id)).cloned().collect();
            if living.is_empty() {
                return Ok(seen);
            }
            let new: Vec<_> = living.into_iter().filter(|id| told.insert(id.clone())).collect();
            signal_all(&new, sig);
            if waited >= patience {
                break;
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }
    Err(seen.into_iter().filter(|id| table::alive(id)).collect())
}

/// The leader of an earlier life and everything that is provably of its group or session.
pub fn of_life(life: &Life) -> Vec<ProcessId> {
    group::of_earlier(life)
}
