//! Ends what is left in the cgroups of modules when their hub has ended: SIGTERM first, then `cgroup.kill`, which also
//! reaches processes that start meanwhile and those of other users.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cgroup::{self, ModuleCgroup, UnitCgroup};
use super::id::ProcessId;
use super::signal::Signal;
use super::system::ProcInfo;
use super::terminate::signal_all;
use super::unknown::Unknown;
use crate::module::name::Short;

/// How long processes have after SIGTERM. Short: the hub that had to give them their time is gone.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long SIGKILL may take.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Longest pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The processes of a module in its cgroup.
#[derive(Debug)]
pub(crate) struct Left {
    /// The module.
    pub module: Short,
    /// Its processes, at the first look.
    pub processes: Vec<ProcInfo>,
    cgroup: ModuleCgroup,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reaped {
    /// The module.
    pub module: Short,
    /// Those that were there.
    pub processes: Vec<ProcInfo>,
    /// Those that are still there, or why that is unknown. Empty: all have ended.
    pub survivors: Result<BTreeSet<u32>, Unknown>,
}

impl Reaped {
    /// Whether all have ended, and that is known.
    #[must_use]
    pub(crate) fn is_ended(&self) -> bool {
        self.survivors.as_ref().is_ok_and(BTreeSet::is_empty)
    }
}

/// The modules of a unit that have live processes in their cgroups.
///
/// # Errors
/// [`Unknown`]: there may be others.
pub(crate) fn left(unit: &UnitCgroup) -> Result<Vec<Left>, Unknown> {
    let modules = unit.modules().map_err(|error| Unknown { errno: error.raw_os_error().unwrap_or(0) })?;
    let mut found = Vec::new();
    for (module, cgroup) in modules {
        let processes = cgroup.members()?;
        if !processes.is_empty() {
            found.push(Left { module, processes, cgroup });
        }
    }
    Ok(found)
}

/// Ends them all at the same time.
pub(crate) async fn end(left: Vec<Left>, grace: Duration) -> Vec<Reaped> {
    let first: BTreeSet<ProcessId> =
        left.iter().flat_map(|left| cgroup::ids(left.processes.clone())).collect();
    signal_all(&first, Signal::Terminate);
    // A stopped process acts on SIGTERM only when it goes on.
    signal_all(&first, Signal::Continue);
    wait_until_empty(&left, grace).await;
    for left in left.iter().filter(|left| !is_empty(left)) {
        // What it did not reach is seen below.
        let _ = left.cgroup.kill();
    }
    wait_until_empty(&left, KILL_WAIT).await;
    let reaped = left.into_iter().map(|left| {
        let survivors = left.cgroup.pids();
        if survivors.as_ref().is_ok_and(BTreeSet::is_empty) {
            // A cgroup that was killed is not used again; one that is not removed is found by the next hub.
            let _ = left.cgroup.remove();
        }
        Reaped { module: left.module, processes: left.processes, survivors }
    });
    reaped.collect()
}

async fn wait_until_empty(left: &[Left], limit: Duration) {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    while waited < limit && !left.iter().all(is_empty) {
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(LOOK);
    }
}

/// A cgroup that cannot be read may have processes.
fn is_empty(left: &Left) -> bool {
    left.cgroup.pids().is_ok_and(|pids| pids.is_empty())
}

/// `vault: 12 (node), 13 (sleep)`
#[must_use]
pub(crate) fn names(module: &Short, processes: &[ProcInfo]) -> String {
    let each: Vec<String> = processes.iter().map(|p| format!("{} ({})", p.id.pid, p.name)).collect();
    format!("{module}: {}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::proc_info;

    #[test]
    fn processes_are_named() {
        let mut node = proc_info(12, 1, 12, 5);
        node.name = "node".to_owned();
        let vault = Short::new("vault").unwrap();
        assert_eq!(names(&vault, &[node.clone(), node]), "vault: 12 (node), 12 (node)");
    }
}
