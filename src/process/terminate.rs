//! Ends processes by identity: politely first, and with a bound.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group;
use super::id::ProcessId;
use super::signal::{Signal, SignalError};
use super::table;
use super::unknown::Unknown;

/// How long SIGKILL may take.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two looks whether they are gone.
const LOOK: Duration = Duration::from_millis(50);

/// Why something of an earlier run may still be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// These live on after SIGKILL.
    #[error("{} survive SIGKILL", names(.0))]
    Survive(BTreeSet<ProcessId>),
    /// It is not known what lives.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

fn names(ids: &BTreeSet<ProcessId>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Signals processes by identity. One that is gone, was recycled or is not ours to signal is left to the next look.
/// Returns those that the system had no room to signal: they are to be tried again.
pub fn signal_all<'a>(
    targets: impl IntoIterator<Item = &'a ProcessId>,
    signal: Signal,
) -> BTreeSet<ProcessId> {
    let failed =
        |target: &&ProcessId| matches!(group::signal(target, signal), Err(SignalError::Failed { .. }));
    targets.into_iter().filter(failed).cloned().collect()
}

/// Ends everything that `find` finds, SIGTERM first, SIGKILL after `grace`. `find` is asked again when all that it
/// found is gone, so that what was started meanwhile does not slip through.
///
/// Returns those that were ended.
///
/// # Errors
/// [`EndError`]. Whom the system would not tell about is neither gone nor a survivor.
pub async fn end(
    find: impl Fn() -> Result<BTreeSet<ProcessId>, Unknown>,
    grace: Duration,
) -> Result<BTreeSet<ProcessId>, EndError> {
    let mut ended = BTreeSet::new();
    let mut living = find()?;
    for (signal, patience) in [(Signal::Terminate, grace), (Signal::Kill, KILL_WAIT)] {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(1);
        let mut missed = signal_all(&living, signal);
        loop {
            missed = signal_all(&missed, signal);
            let gone: Vec<_> = living.iter().filter(|id| table::alive(id) == Ok(false)).cloned().collect();
            for id in gone {
                living.remove(&id);
                ended.insert(id);
            }
            if living.is_empty() {
                living = find()?;
                if living.is_empty() {
                    return Ok(ended);
                }
                missed = signal_all(&living, signal);
            }
            if waited >= patience {
                break;
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LOOK);
        }
    }
    for id in &living {
        table::alive(id)?;
    }
    Err(EndError::Survive(living))
}
