//! Finds the processes that are left of a run, after its leader or the hub that started it has ended.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::process::cgroup::{self, ModuleCgroup};
use crate::process::group::{self, Depth, ModuleRun, Sweep};
use crate::process::id::ProcessId;
use crate::process::table;
use crate::process::unknown::Unknown;
use crate::sync::mutex::lock;

use super::clock::moment;

/// How long a thorough search waits for other modules that need one.
const GATHER: Duration = Duration::from_millis(1);

/// The state that every search in this hub needs.
#[derive(Debug)]
pub(crate) struct Remnants {
    /// Our pid.
    hub: u32,
    /// Pids of the running leaders: these are not orphans.
    leaders: Mutex<BTreeSet<u32>>,
    /// The last thorough search, and when it began.
    sweep: tokio::sync::Mutex<Option<(Instant, Arc<Sweep>)>>,
}

impl Remnants {
    pub(super) fn new() -> Self {
        Self { hub: table::own_pid(), leaders: Mutex::default(), sweep: tokio::sync::Mutex::default() }
    }

    /// A leader was spawned.
    pub(super) fn leader_born(&self, pid: u32) {
        lock(&self.leaders).insert(pid);
    }

    /// A leader was reaped.
    pub(super) fn leader_gone(&self, pid: u32) {
        lock(&self.leaders).remove(&pid);
    }

    /// The remnants of a run of this hub.
    pub(super) fn of(&self, run: &ModuleRun, depth: Depth) -> Result<Vec<ProcessId>, Unknown> {
        let leaders = lock(&self.leaders).clone();
        let left = group::remnants(run, self.hub, &leaders, depth)?;
        Ok(left.into_iter().map(|info| info.id).collect())
    }

    /// The same for a caller that may wait a moment: thorough searches at the same time share one [`Sweep`].
    pub(super) async fn of_shared(&self, run: &ModuleRun, depth: Depth) -> Result<Vec<ProcessId>, Unknown> {
        if depth == Depth::Kin || run.reaped.is_none() || run.cgroup.is_some() {
            return self.of(run, depth);
        }
        let sweep = self.sweep().await?;
        let left = sweep.remnants(run, self.hub, &lock(&self.leaders));
        Ok(left.into_iter().map(|info| info.id).collect())
    }

    /// A search that begins after this call.
    async fn sweep(&self) -> Result<Arc<Sweep>, Unknown> {
        let asked = moment().mono;
        let mut last = self.sweep.lock().await;
        if let Some((_, sweep)) = last.as_ref().filter(|(begun, _)| *begun >= asked) {
            return Ok(Arc::clone(sweep));
        }
        // Runs that end in this time are answered by the same search.
        tokio::time::sleep(GATHER).await;
        let begun = moment().mono;
        let sweep = Arc::new(Sweep::take(&lock(&self.leaders))?);
        *last = Some((begun, Arc::clone(&sweep)));
        Ok(sweep)
    }

    /// Reaps orphans that the hub adopted and that have ended.
    pub(super) fn reap_adopted(&self) {
        let leaders = lock(&self.leaders).clone();
        group::reap_adopted(&leaders);
    }
}

/// What an earlier hub may have left of a module.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// Runs whose end was not recorded.
    pub(super) runs: Vec<ModuleRun>,
    /// The module's cgroup: what is in it before a start was left there.
    pub(super) cgroup: Option<ModuleCgroup>,
}

impl Earlier {
    /// Whether there is nowhere to look.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.cgroup.is_none()
    }
}

/// All processes that are proven to be left of runs of an earlier hub.
///
/// # Errors
/// [`Unknown`]: more may be left.
pub(super) fn of_earlier_hub(earlier: &Earlier) -> Result<BTreeSet<ProcessId>, Unknown> {
    let Earlier { runs, cgroup } = earlier;
    let (hub, no_leaders) = (table::own_pid(), BTreeSet::new());
    let mut left = BTreeSet::new();
    if let Some(cgroup) = cgroup {
        left.extend(cgroup::ids(cgroup.members()?));
    }
    for run in runs {
        left.extend(group::remnants(run, hub, &no_leaders, Depth::Marks)?.into_iter().map(|info| info.id));
    }
    Ok(left)
}
