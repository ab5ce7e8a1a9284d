//! The cgroups of modules, where the service manager delegated the cgroup of the hub's unit to it (cgroups(7);
//! systemd.resource-control(5), Delegate=).
//!
//! ```text
//! <unit>/hub               the hub
//! <unit>/modules/<short>   every process of a module, whatever it does to its environment, session, title or parent
//! ```
//!
//! The kernel keeps the lists: a process is in the cgroup of its parent until a process with write access moves it. No
//! controller is enabled, so nothing is limited or accounted here.
//!
//! A cgroup whose processes were killed by `cgroup.kill` is not used again but made anew. Kernels that count the kills of
//! a cgroup compare, in a child that clone3(2) puts into one, the count of that cgroup with the count of its parent's,
//! and kill the child if they differ (`kill_seq` in `cgroup_css_set_fork` and `cgroup_post_fork`, kernel/cgroup/cgroup.c;
//! seen with Linux 6.18).
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads and writes the cgroup tree that was delegated to this hub"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::id::ProcessId;
use super::os;
use super::signal::Signal;
use super::system::ProcInfo;
use super::table::{self, Census};
use super::unknown::Unknown;
use crate::module::name::Short;
use crate::unit::descriptor::{CGROUP, DELEGATED};

/// Where the unified hierarchy is mounted, alone or beside those of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const HUB: &str = "hub";
const MODULES: &str = "modules";
/// Where systemd puts a command of a unit that is not its main process, if the unit's cgroup is delegated: it may not be
/// in one that has others below it (systemd's CGROUP_DELEGATION.md).
const CONTROL: &str = ".control";

/// Why modules get no cgroups of their own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCgroups {
    /// The hub was started by something that does not delegate a cgroup.
    #[error("the hub was not started in a cgroup of its own")]
    NotDelegated,
    /// No unified hierarchy, or a part of it that is not visible here.
    #[error("the cgroup of this process is not visible in a unified hierarchy")]
    NotVisible,
    /// It cannot be changed.
    #[error("the cgroup {} cannot be used", path.display())]
    Unusable {
        /// The cgroup.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// The delegated cgroup of the hub's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitCgroup {
    dir: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleCgroup {
    dir: PathBuf,
}

impl UnitCgroup {
    /// Takes the cgroup that the unit delegated, as the environment of the hub says: moves this process to the place of
    /// the hub in it.
    ///
    /// # Errors
    /// [`NoCgroups`]; then this process is where it was.
    pub(crate) fn take(env: &BTreeMap<OsString, OsString>) -> Result<Self, NoCgroups> {
        let this = Self::of_this_process(env)?;
        this.settle().map_err(|source| NoCgroups::Unusable { path: this.dir.clone(), source })?;
        Ok(this)
    }

    /// The cgroup of the unit for which this process runs, as its environment says. Changes nothing.
    ///
    /// # Errors
    /// [`NoCgroups`].
    pub(crate) fn of_this_process(env: &BTreeMap<OsString, OsString>) -> Result<Self, NoCgroups> {
        if env.get(OsStr::new(CGROUP)).is_none_or(|value| value != DELEGATED) {
            return Err(NoCgroups::NotDelegated);
        }
        let own = std::fs::read("/proc/self/cgroup").map_err(|_| NoCgroups::NotVisible)?;
        let own = unified(&own).ok_or(NoCgroups::NotVisible)?;
        let dirs = MOUNTS.iter().map(|mount| Path::new(mount).join(&own));
        let own =
            dirs.into_iter().find(|dir| dir.join("cgroup.procs").exists()).ok_or(NoCgroups::NotVisible)?;
        Ok(Self { dir: unit_of(&own).to_owned() })
    }

    /// Those of units with this file name in which processes of modules are, whichever manager runs the unit and in
    /// whatever state it is. Of a unit that has failed no manager says where its cgroup was.
    ///
    /// # Errors
    /// [`Unknown`]: there may be others.
    pub(crate) fn with_modules(unit: &str) -> Result<Vec<Self>, Unknown> {
        let paths: BTreeSet<PathBuf> = Census::take()?
            .iter()
            .filter_map(|process| table::cgroup(process.id.pid))
            .filter_map(|path| Some(unit_of_module(Path::new(&path), unit)?.to_owned()))
            .collect();
        let dir = |path: &PathBuf| {
            let mut dirs = MOUNTS.iter().map(|mount| Path::new(mount).join(path));
            dirs.find(|dir| dir.join(MODULES).is_dir())
        };
        Ok(paths.iter().filter_map(dir).map(|dir| Self { dir }).collect())
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn settle(&self) -> io::Result<()> {
        let hub = self.dir.join(HUB);
        // What is in use stays.
        let _ = remove(&hub);
        make(&hub)?;
        make(&self.dir.join(MODULES))?;
        for (_, module) in self.modules()? {
            let _ = module.remove();
        }
        write(&hub.join("cgroup.procs"), &std::process::id().to_string())
    }

    /// The cgroup of a module, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn module(&self, short: &Short) -> io::Result<ModuleCgroup> {
        let dir = self.dir.join(MODULES).join(short.as_str());
        make(&dir)?;
        Ok(ModuleCgroup { dir })
    }

    /// The cgroups of modules that are there, of this hub or of an earlier one.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(crate) fn modules(&self) -> io::Result<Vec<(Short, ModuleCgroup)>> {
        let mut found = Vec::new();
        let listed = match std::fs::read_dir(self.dir.join(MODULES)) {
            // No hub was here, or systemd has removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            listed => listed?,
        };
        for entry in listed {
            let entry = entry?;
            let short = entry.file_name().to_str().and_then(|name| Short::new(name).ok());
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Some(short) = short
            {
                found.push((short, ModuleCgroup { dir: entry.path() }));
            }
        }
        Ok(found)
    }
}

impl ModuleCgroup {
    /// A descriptor by which a child can be born in it: clone3(2), CLONE_INTO_CGROUP.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.dir, flags, Mode::empty())?)
    }

    /// Its live processes, and those of the cgroups that the module made below it. A list is read before the processes
    /// are looked at and once more after: a pid that was reused in between is not in the second one.
    ///
    /// # Errors
    /// [`Unknown`]: there may be others.
    pub(crate) fn members(&self) -> Result<Vec<ProcInfo>, Unknown> {
        let before = self.pids()?;
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let mut seen = Vec::new();
        for pid in before {
            seen.extend(table::info(pid)?);
        }
        let after = self.pids()?;
        seen.retain(|process| !process.zombie && process.id.pid > 1 && after.contains(&process.id.pid));
        Ok(seen)
    }

    /// The pids in it and below it, zombies not included (cgroups(7)).
    ///
    /// # Errors
    /// [`Unknown`].
    pub(crate) fn pids(&self) -> Result<BTreeSet<u32>, Unknown> {
        let mut pids = BTreeSet::new();
        let mut open = vec![self.dir.clone()];
        while let Some(dir) = open.pop() {
            pids.extend(
                absent_is_empty(std::fs::read(dir.join("cgroup.procs")))?
                    .map_or_else(Vec::new, |t| numbers(&t)),
            );
            open.extend(absent_is_empty(below(&dir))?.unwrap_or_default());
        }
        Ok(pids)
    }

    /// Sends SIGKILL to every process in it, those included that start meanwhile. Also reaches processes of other users.
    /// It must be removed before the next use.
    ///
    /// # Errors
    /// Neither way was possible.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match write(&self.dir.join("cgroup.kill"), "1") {
            // Before Linux 5.14.
            Err(error) if error.kind() == ErrorKind::NotFound && self.dir.exists() => self.freeze_and_kill(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Frozen processes start no others, and SIGKILL ends them all the same.
    fn freeze_and_kill(&self) -> io::Result<()> {
        let freezer = self.dir.join("cgroup.freeze");
        write(&freezer, "1")?;
        let members = self.members();
        if let Ok(members) = &members {
            for member in members {
                // What cannot be signalled is found by the next search.
                let _ = os::send(&member.id, Signal::Kill);
            }
        }
        write(&freezer, "0")?;
        members.map(drop).map_err(|unknown| io::Error::from_raw_os_error(unknown.errno))
    }

    /// Removes it, and the cgroups below it, if no process is in them.
    ///
    /// # Errors
    /// A process is in it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove(&self.dir)
    }
}

/// The identities of these.
#[must_use]
pub(crate) fn ids(members: Vec<ProcInfo>) -> BTreeSet<ProcessId> {
    members.into_iter().map(|member| member.id).collect()
}

fn remove(dir: &Path) -> io::Result<()> {
    for below in
        absent_is_empty(below(dir)).map_err(|u| io::Error::from_raw_os_error(u.errno))?.unwrap_or_default()
    {
        remove(&below)?;
    }
    match std::fs::remove_dir(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn make(dir: &Path) -> io::Result<()> {
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes one value to a file of the kernel: it must exist.
fn write(file: &Path, value: &str) -> io::Result<()> {
    let fd = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&fd, value.as_bytes())?;
    Ok(())
}

fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            dirs.push(entry.path());
        }
    }
    Ok(dirs)
}

/// A cgroup that is gone has no process. One of type `threaded` lists none: its processes are listed by the one above
/// (cgroups(7), "Thread mode").
fn absent_is_empty<T>(read: io::Result<T>) -> Result<Option<T>, Unknown> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(None),
            errno => Err(Unknown { errno: errno.map_or(0, Errno::raw_os_error) }),
        },
    }
}

/// The path in the unified hierarchy, relative to its mount, of the lines of `/proc/self/cgroup`.
fn unified(text: &[u8]) -> Option<PathBuf> {
    let line = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    let path = PathBuf::from(std::str::from_utf8(line).ok()?);
    // `/..` leads out of what this namespace shows (cgroup_namespaces(7)); the root is never delegated.
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !path.as_os_str().is_empty()).then_some(path)
}

/// The unit's cgroup, of that of the hub: a hub that was here before, in the same process, has moved already. Or of that
/// of another command of the unit.
fn unit_of(own: &Path) -> &Path {
    let name = own.file_name();
    match own.parent() {
        Some(unit) if name == Some(OsStr::new(HUB)) && unit.join(MODULES).is_dir() => unit,
        Some(unit) if name == Some(OsStr::new(CONTROL)) => unit,
        _ => own,
    }
}

/// The cgroup of a unit with this file name, relative to the mount, of that of one of its modules' processes.
fn unit_of_module<'a>(own: &'a Path, unit: &str) -> Option<&'a Path> {
    let own = own.strip_prefix("/").ok()?;
    own.ancestors().skip(1).find_map(|dir| {
        let above = dir.parent().filter(|_| dir.file_name() == Some(OsStr::new(MODULES)))?;
        (above.file_name() == Some(OsStr::new(unit))).then_some(above)
    })
}

fn numbers(text: &[u8]) -> Vec<u32> {
    let words = text.split(|b| b.is_ascii_whitespace());
    words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok()).filter(|pid| *pid > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_read() {
        let own = |text: &str| unified(text.as_bytes()).map(|path| path.display().to_string());
        assert_eq!(own("0::/user.slice/a b.service\n").as_deref(), Some("user.slice/a b.service"));
        assert_eq!(own("4:memory:/x\n0::/system.slice/h.service").as_deref(), Some("system.slice/h.service"));
        for text in ["0::/\n", "0::/../x\n", "1:name=systemd:/x\n", "", "0::/a/../b\n"] {
            assert_eq!(own(text), None, "{text:?}");
        }
    }

    #[test]
    fn pids_are_read() {
        assert_eq!(numbers(b"12\n7\n0\n"), [12, 7], "0 is a process of another pid namespace");
        assert_eq!(numbers(b""), [] as [u32; 0]);
    }

    /// Plain directories in place of cgroups: their files are ours to write.
    #[test]
    fn a_tree_is_walked_and_a_reused_pid_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let unit = UnitCgroup { dir: dir.path().to_owned() };
        std::fs::create_dir_all(dir.path().join("modules/vault/inner")).unwrap();
        let vault = unit.module(&Short::new("vault").unwrap()).unwrap();
        assert_eq!(vault.pids(), Ok(BTreeSet::new()));
        let own = table::own_pid();
        std::fs::write(vault.dir.join("inner/cgroup.procs"), format!("{own}\n4194399\n")).unwrap();
        std::fs::write(vault.dir.join("cgroup.procs"), "1\n").unwrap();
        assert_eq!(vault.pids(), Ok(BTreeSet::from([1, own, 4_194_399])));
        let members = ids(vault.members().unwrap());
        assert_eq!(members, BTreeSet::from([table::identify(own).unwrap().unwrap()]));
        let names: Vec<String> =
            unit.modules().unwrap().into_iter().map(|(short, _)| short.to_string()).collect();
        assert_eq!(names, ["vault"]);
        assert!(vault.remove().is_err(), "a file is in it");
        assert_eq!(ModuleCgroup { dir: dir.path().join("gone") }.pids(), Ok(BTreeSet::new()));
        let gone = ModuleCgroup { dir: dir.path().join("gone") };
        assert!(gone.remove().is_ok());
    }

    #[test]
    fn the_unit_of_a_modules_process_is_found() {
        let unit = |own| unit_of_module(Path::new(own), "h.service").and_then(Path::to_str);
        assert_eq!(unit("/a.slice/h.service/modules/web"), Some("a.slice/h.service"));
        assert_eq!(unit("/a.slice/h.service/modules/web/inner"), Some("a.slice/h.service"));
        for none in
            ["/a.slice/h.service/hub", "/a.slice/h.service/modules", "/a/x.service/modules/web", "/", ""]
        {
            assert_eq!(unit(none), None, "{none}");
        }
    }

    #[test]
    fn without_the_variable_nothing_is_taken() {
        assert!(matches!(UnitCgroup::take(&BTreeMap::new()), Err(NoCgroups::NotDelegated)));
        let other = BTreeMap::from([(CGROUP.into(), "1".into())]);
        assert!(matches!(UnitCgroup::take(&other), Err(NoCgroups::NotDelegated)));
    }

    #[test]
    fn the_unit_is_above_a_hub_that_has_moved() {
        let dir = tempfile::tempdir().unwrap();
        let hub = dir.path().join(HUB);
        assert_eq!(unit_of(&hub), hub, "a unit may have that name");
        std::fs::create_dir(dir.path().join(MODULES)).unwrap();
        assert_eq!(unit_of(&hub), dir.path());
        assert_eq!(unit_of(Path::new("/s/h.service/.control")), Path::new("/s/h.service"), "after an end");
    }
}
