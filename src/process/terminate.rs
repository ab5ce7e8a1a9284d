//! Ends processes by identity: SIGTERM first, SIGKILL after a limit.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group;
use super::id::ProcessId;
use super::signal::{Signal, SignalError};
use super::table;
use super::unknown::Unknown;

/// How long SIGKILL may take.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two checks whether they have ended.
const LOOK: Duration = Duration::from_millis(50);

/// Why processes of an earlier run may still exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndError {
    /// These survived SIGKILL.
    #[error("{} survive SIGKILL", names(.0))]
    Survive(BTreeSet<ProcessId>),
    /// It is unknown which ones are alive.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

fn names(ids: &BTreeSet<ProcessId>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Signals processes by identity. One that has ended, was recycled or is not ours to signal is left to the next search.
/// Returns those that the system had no resources to signal: the caller tries again.
pub(crate) fn signal_all<'a>(
    targets: impl IntoIterator<Item = &'a ProcessId>,
    signal: Signal,
) -> BTreeSet<ProcessId> {
    let failed =
        |target: &&ProcessId| matches!(group::signal(target, signal), Err(SignalError::Failed { .. }));
    targets.into_iter().filter(failed).cloned().collect()
}

/// Ends all processes that `find` returns, SIGTERM first, SIGKILL after `grace`. `find` is called again when they have
/// all ended, so that processes started meanwhile are not missed.
///
/// Returns those that were ended.
///
/// # Errors
/// [`EndError`]. A process that the system did not report on is neither gone nor a survivor.
pub(crate) async fn end(
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
