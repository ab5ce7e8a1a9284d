//! Which processes run: one process, or all of them in one scan. Facts are read on each call; nothing is cached.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::id::ProcessId;
use super::marks::{self, Marks};
use super::os;
use super::system::ProcInfo;
use super::unknown::Unknown;

/// All processes at one time (not atomically: /proc offers no such thing).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Census {
    by_pid: BTreeMap<u32, ProcInfo>,
}

impl FromIterator<ProcInfo> for Census {
    fn from_iter<I: IntoIterator<Item = ProcInfo>>(all: I) -> Self {
        Self { by_pid: all.into_iter().map(|p| (p.id.pid, p)).collect() }
    }
}

impl Census {
    /// Reads every process this user may see.
    ///
    /// # Errors
    /// [`Unknown`] if any of them could not be read: a process that is missing in a census counts as gone.
    pub(crate) fn take() -> Result<Self, Unknown> {
        Ok(os::all()?.into_iter().collect())
    }

    /// The same, and this process even where a scan leaves out zombies.
    ///
    /// # Errors
    /// [`Unknown`], as above.
    pub(crate) fn take_with(pid: u32) -> Result<Self, Unknown> {
        Ok(os::all()?.into_iter().chain(os::info(pid)?).collect())
    }

    /// One process.
    #[must_use]
    pub(crate) fn get(&self, pid: u32) -> Option<&ProcInfo> {
        self.by_pid.get(&pid)
    }

    /// All of them, by pid.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ProcInfo> {
        self.by_pid.values()
    }

    /// Members of a process group, zombies included.
    pub(crate) fn members(&self, pgrp: u32) -> impl Iterator<Item = &ProcInfo> {
        self.iter().filter(move |p| p.pgrp == pgrp)
    }

    /// Direct children, zombies included.
    pub(crate) fn children(&self, pid: u32) -> impl Iterator<Item = &ProcInfo> {
        self.iter().filter(move |p| p.ppid == pid && p.id.pid != pid)
    }

    /// The given processes and everything below them.
    ///
    /// A child older than its parent is no child: the scan is not atomic, so a parent's pid may have been
    /// recycled between the two reads.
    #[must_use]
    pub(crate) fn with_descendants(&self, roots: BTreeSet<u32>) -> BTreeSet<u32> {
        let mut by_parent: BTreeMap<u32, Vec<&ProcInfo>> = BTreeMap::new();
        for info in self.iter() {
            by_parent.entry(info.ppid).or_default().push(info);
        }
        let mut open: Vec<u32> = roots.iter().copied().collect();
        let mut family = roots;
        while let Some(pid) = open.pop() {
            let born = self.get(pid).map(|p| p.id.started);
            for child in by_parent.get(&pid).into_iter().flatten() {
                if born.is_none_or(|born| child.id.started >= born) && family.insert(child.id.pid) {
                    open.push(child.id.pid);
                }
            }
        }
        family
    }
}

/// Process trees for the figures on screens. Where the kernel lists a process's children only those are
/// read, so that the cost does not depend on the load of the machine; elsewhere one census serves all. The list may
/// miss a child while another is being reaped (proc_tid_children(5)): no decision rests on it.
#[derive(Debug)]
pub(crate) struct Families {
    census: Option<Census>,
}

impl Families {
    /// Finds out which of the two is available.
    #[must_use]
    pub(crate) fn look() -> Self {
        Self { census: os::children(own_pid()).is_none().then(|| Census::take().unwrap_or_default()) }
    }

    /// A process and all its descendants.
    #[must_use]
    pub(crate) fn of(&self, pid: u32) -> Vec<u32> {
        if let Some(census) = &self.census {
            return census.with_descendants(BTreeSet::from([pid])).into_iter().collect();
        }
        let mut family = BTreeSet::from([pid]);
        let mut open = vec![pid];
        while let Some(parent) = open.pop() {
            open.extend(os::children(parent).into_iter().flatten().filter(|child| family.insert(*child)));
        }
        family.into_iter().collect()
    }
}

/// One process; `None` if it does not exist (or /proc hides it).
///
/// # Errors
/// [`Unknown`].
pub(crate) fn info(pid: u32) -> Result<Option<ProcInfo>, Unknown> {
    os::info(pid)
}

/// The identity of the process that has this pid now, zombie or alive.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn identify(pid: u32) -> Result<Option<ProcessId>, Unknown> {
    Ok(info(pid)?.map(|p| p.id))
}

/// Whether this process (not another one with its pid) is alive. A zombie is not.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn alive(id: &ProcessId) -> Result<bool, Unknown> {
    Ok(info(id.pid)?.is_some_and(|p| p.id == *id && !p.zombie))
}

/// How long ago this process started, suspended time included. Meaningless for a process of another boot.
#[must_use]
pub(crate) fn age(id: &ProcessId) -> Duration {
    os::age(id.started)
}

/// How long ago the machine booted, if start times count from it.
#[must_use]
pub(crate) fn uptime() -> Option<Duration> {
    os::uptime()
}

/// Program and arguments. `None` if unreadable or empty (kernel threads, zombies, processes that erased it).
#[must_use]
pub(crate) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    os::command_line(pid)
}

/// Working directory, if this user may see it.
#[must_use]
pub(crate) fn cwd(pid: u32) -> Option<PathBuf> {
    os::cwd(pid)
}

/// The file it executes, if this user may see it. Linux appends ` (deleted)` to a removed one (proc_pid_exe(5)).
#[must_use]
pub(crate) fn exe(pid: u32) -> Option<PathBuf> {
    os::exe(pid)
}

/// The marks with which it was started. `None` if it has none, or this user may not read its environment.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn marks(pid: u32) -> Result<Option<Marks>, Unknown> {
    Ok(os::environ(pid)?.and_then(|environ| Marks::parse(&environ)))
}

/// The home in its environment, marked or not.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn home(pid: u32) -> Result<Option<PathBuf>, Unknown> {
    Ok(os::environ(pid)?.and_then(|environ| marks::home(&environ)))
}

/// Its control group in systemd's hierarchy, where there are such groups and this user may see it.
#[must_use]
pub(crate) fn cgroup(pid: u32) -> Option<String> {
    os::cgroup(pid)
}

/// The user's home directory in its environment: `HOME`.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn login(pid: u32) -> Result<Option<PathBuf>, Unknown> {
    Ok(os::environ(pid)?.and_then(|environ| marks::variable(&environ, "HOME")).map(PathBuf::from))
}

/// Whether it has a file below this directory open. What this user may not see is not counted.
#[must_use]
pub(crate) fn has_open_below(pid: u32, dir: &Path) -> bool {
    os::has_open_below(pid, dir)
}

/// PATH in its environment at its start; `None` also if that cannot be read.
#[must_use]
pub(crate) fn path_variable(pid: u32) -> Option<OsString> {
    marks::variable(&os::environ(pid).ok().flatten()?, "PATH")
}

/// Resident bytes of all these processes together. Shared pages count for each; processes that have ended count 0.
#[must_use]
pub(crate) fn memory(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| os::resident(*pid)).sum()
}

/// Our own pid.
#[must_use]
pub(crate) fn own_pid() -> u32 {
    std::process::id()
}

/// Our own effective user.
#[must_use]
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::id::{BootId, Started};
    use crate::process::testing::proc_info;

    #[test]
    fn families() {
        let census: Census = [
            proc_info(1, 0, 1, 0),
            proc_info(10, 1, 10, 5),
            proc_info(11, 10, 10, 6),
            proc_info(12, 11, 12, 7),
            proc_info(13, 11, 10, 2), // older than its "parent": pid 11 was recycled during the scan
            proc_info(20, 1, 20, 5),
        ]
        .into_iter()
        .collect();
        let family = |of: u32| census.with_descendants(BTreeSet::from([of])).into_iter().collect::<Vec<_>>();
        assert_eq!(family(10), [10, 11, 12]);
        assert_eq!(family(12), [12]);
        assert_eq!(census.members(10).map(|p| p.id.pid).collect::<Vec<_>>(), [10, 11, 13]);
        assert_eq!(census.children(1).map(|p| p.id.pid).collect::<Vec<_>>(), [10, 20]);
    }

    #[test]
    fn this_process() {
        let me = info(own_pid()).unwrap().unwrap();
        assert_eq!(me.uid, own_uid());
        assert_eq!(alive(&me.id), Ok(true));
        assert_eq!(Census::take().unwrap().get(own_pid()), Some(&me));
        let recycled = ProcessId { started: Started(me.id.started.0 + 1), ..me.id.clone() };
        assert_eq!(alive(&recycled), Ok(false));
        let rebooted = ProcessId { boot: BootId("another boot".into()), ..me.id };
        assert_eq!(alive(&rebooted), Ok(false));
        assert!(command_line(own_pid()).unwrap()[0].to_string_lossy().contains("parachute"));
        assert!(exe(own_pid()).is_some() && cwd(own_pid()).is_some());
        assert!(memory(&[own_pid(), u32::MAX - 1]) > 100_000);
        assert_eq!(info(u32::MAX - 1), Ok(None));
    }
}
