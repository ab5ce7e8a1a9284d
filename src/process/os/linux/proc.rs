//! Reads /proc. Short files take one `openat`, one `read` and one `close` per process.
#![expect(clippy::disallowed_methods, reason = "edge: reads /proc")]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, RawDir, fstat, openat};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::stat::{self, Stat, kilobytes, number};
use crate::process::id::{BootId, ProcessId, Started};
use crate::process::system::ProcInfo;
use crate::process::unknown::Unknown;

/// `stat` is at most 52 numbers of 20 digits and a name: one read always gets all of it.
const STAT_BYTES: usize = 2048;
/// A longer command line or environment is read up to here. The kernel's own limit for both together
/// is a quarter of the stack limit, 2 MiB by default (execve(2), "Limits on size of arguments and environment").
const BLOCK_BYTES: u64 = 4 << 20;

/// The current boot. Empty if the kernel does not report it: then identities rest on pid and start time alone.
fn boot() -> &'static BootId {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        BootId(text.trim().to_owned())
    })
}

/// Clock ticks a second in /proc: USER_HZ, 100 on every architecture Rust's std supports for Linux.
const TICKS: u64 = 100;

/// The current time on the scale of `ProcessId::started`, which counts suspended time. From the clock and not from
/// /proc/uptime, which is the same clock (proc_uptime(5)) and needs a descriptor: with a wrong time the processes of
/// a dead leader would not count as ours.
pub(in crate::process) fn now() -> Started {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Started(seconds * TICKS + nanos / (1_000_000_000 / TICKS))
}

/// What a failed read about a process means: the process does not exist, or nothing is known.
fn absent(errno: Errno) -> Result<(), Unknown> {
    match errno {
        // ESRCH: it ended between `open` and `read`. ENOENT: it does not exist, or /proc hides it (hidepid).
        Errno::NOENT | Errno::SRCH | Errno::NOTDIR => Ok(()),
        other => Err(Unknown { errno: other.raw_os_error() }),
    }
}

/// Whether a refusal is about this one process only: another user's, or hidden by a security module. A scan of
/// all processes skips it, as it skips those that /proc hides.
pub(super) fn is_private(unknown: Unknown) -> bool {
    matches!(Errno::from_raw_os_error(unknown.errno), Errno::ACCESS | Errno::PERM)
}

/// Opens /proc or a directory below it. `None`: it does not exist.
fn directory(path: &str) -> Result<Option<OwnedFd>, Unknown> {
    match openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(dir) => Ok(Some(dir)),
        Err(errno) => absent(errno).map(|()| None),
    }
}

/// /proc itself. Where it is not mounted nothing is known.
fn all_of_proc() -> Result<OwnedFd, Unknown> {
    directory("/proc")?.ok_or(Unknown { errno: Errno::NOENT.raw_os_error() })
}

/// Calls `each` with every numeric name in a directory. A directory that vanishes meanwhile ends the list.
pub(super) fn numbers_in(dir: impl AsFd, mut each: impl FnMut(u32)) -> Result<(), Unknown> {
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 16 * 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) => number(entry.file_name().to_bytes()).into_iter().for_each(&mut each),
            Err(errno) => return absent(errno),
        }
    }
    Ok(())
}

/// All pids.
pub(super) fn pids() -> Result<Vec<u32>, Unknown> {
    let mut pids = Vec::with_capacity(256);
    numbers_in(all_of_proc()?, |pid| pids.push(pid))?;
    Ok(pids)
}

/// All processes that this user may see.
pub(in crate::process) fn all() -> Result<Vec<ProcInfo>, Unknown> {
    let proc = all_of_proc()?;
    let mut path = String::with_capacity(24);
    let look = |pid| match read_info(&proc, pid, &mut path) {
        Err(unknown) if is_private(unknown) => None,
        known => known.transpose(),
    };
    pids()?.into_iter().filter_map(look).collect()
}

/// One process. `None`: it has ended, or /proc hides it.
pub(in crate::process) fn info(pid: u32) -> Result<Option<ProcInfo>, Unknown> {
    read_info(all_of_proc()?, pid, &mut String::with_capacity(24))
}

fn read_info(proc: impl AsFd, pid: u32, path: &mut String) -> Result<Option<ProcInfo>, Unknown> {
    path.clear();
    // Writing to a `String` cannot fail.
    let _ = write!(path, "{pid}/stat");
    let mut buffer = [0_u8; STAT_BYTES];
    let read = || {
        let file = openat(proc, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let len = rustix::io::read(&file, &mut buffer)?;
        Ok((len, fstat(&file)?.st_uid))
    };
    let (len, uid) = match read() {
        Ok(read) => read,
        Err(errno) => return absent(errno).map(|()| None),
    };
    // A process that is being reaped has -1 for its group and session (do_task_stat in fs/proc/array.c): it has ended.
    let Some(stat) = Stat::parse(&buffer[..len]) else { return Ok(None) };
    Ok(Some(ProcInfo {
        // In a pid namespace /proc may belong to another one; the name of the directory is the pid that we can signal.
        id: ProcessId { pid, started: Started(stat.started), boot: boot().clone() },
        ppid: stat.ppid,
        pgrp: stat.pgrp,
        session: stat.session,
        uid,
        zombie: stat.zombie(),
        name: String::from_utf8_lossy(stat.comm).into_owned(),
    }))
}

fn block(pid: u32, file: &str) -> Option<Vec<u8>> {
    let file = std::fs::File::open(format!("/proc/{pid}/{file}")).ok()?;
    let mut bytes = Vec::with_capacity(4096);
    file.take(BLOCK_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(in crate::process) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let bytes = block(pid, "cmdline")?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    (!bytes.is_empty())
        .then(|| bytes.split(|b| *b == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect())
}

/// The environment with which it was started; a later `setenv` does not show (proc_pid_environ(5)). `None`: it
/// has ended, or this user may not read it, as with all processes of other users.
pub(in crate::process) fn environ(pid: u32) -> Result<Option<Vec<u8>>, Unknown> {
    let read = || {
        let file = std::fs::File::open(format!("/proc/{pid}/environ"))?;
        let mut bytes = Vec::with_capacity(4096);
        file.take(BLOCK_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => match absent(Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            Err(unknown) if !is_private(unknown) => Err(unknown),
            Ok(()) | Err(_) => Ok(None),
        },
    }
}

pub(in crate::process) fn cwd(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

pub(in crate::process) fn exe(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Its control group in systemd's hierarchy (proc_pid_cgroup(5)).
pub(in crate::process) fn cgroup(pid: u32) -> Option<String> {
    stat::cgroup(&block(pid, "cgroup")?)
}

/// Whether it has a file below this directory open (proc_pid_fd(5)). What this user may not see is not counted.
pub(in crate::process) fn has_open_below(pid: u32, dir: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|path| path.starts_with(dir))
}

pub(in crate::process) fn resident(pid: u32) -> Option<u64> {
    kilobytes(&block(pid, "status")?, "VmRSS:")
}

/// The kernel's information on one of our own open files: proc_pid_fdinfo(5).
pub(super) fn fdinfo(fd: std::os::fd::RawFd) -> std::io::Result<String> {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
}

/// The mounts of our mount namespace (proc_pid_mountinfo(5)). The kernel asks no file system for it.
pub(in crate::process) fn mount_table() -> Option<Vec<u8>> {
    std::fs::read("/proc/self/mountinfo").ok()
}

/// Inode of the socket behind `/proc/<pid>/fd/<n>`: the link reads `socket:[123]` (proc_pid_fd(5)).
fn socket_inode(link: &[u8]) -> Option<u64> {
    number(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// Calls `each` with the inode of every socket a process has open, until it returns `false`. Descriptors that this
/// user may not see are skipped.
pub(super) fn sockets_of(pid: u32, mut each: impl FnMut(u64) -> bool) -> Result<(), Unknown> {
    let dir = match directory(&format!("/proc/{pid}/fd")) {
        Ok(Some(dir)) => dir,
        Err(unknown) if !is_private(unknown) => return Err(unknown),
        Ok(None) | Err(_) => return Ok(()),
    };
    let mut fds = Vec::with_capacity(64);
    numbers_in(&dir, |fd| fds.push(fd))?;
    let mut name = String::with_capacity(12);
    for fd in fds {
        name.clear();
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 64];
        if write!(name, "{fd}").is_ok()
            && let Ok((link, _)) = rustix::fs::readlinkat_raw(&dir, name.as_str(), &mut buffer)
            && let Some(inode) = socket_inode(link)
            && !each(inode)
        {
            break;
        }
    }
    Ok(())
}

/// Our children, including every orphan we adopted, if the kernel lists them (CONFIG_PROC_CHILDREN); `None` means
/// "take a census".
///
/// proc_tid_children(5) calls the list reliable only while no child is *reaped* during the reading. So only the hub
/// asks, only about itself, and from the thread that reaps.
pub(in crate::process) fn possible_orphans(hub: u32) -> Option<Vec<u32>> {
    children(hub)
}

/// The children of a process, of all its threads. `None`: it has ended, the kernel has no such list, or it cannot be
/// read; then a census decides.
pub(in crate::process) fn children(pid: u32) -> Option<Vec<u32>> {
    let mut tids = Vec::new();
    numbers_in(directory(&format!("/proc/{pid}/task")).ok()??, |tid| tids.push(tid)).ok()?;
    let mut children = Vec::new();
    for tid in tids {
        match std::fs::read(format!("/proc/{pid}/task/{tid}/children")) {
            Ok(text) => children.extend(text.split(|b| *b == b' ').filter_map(number::<u32>)),
            // A thread that ended passed its children to another one, which may have been read already.
            Err(_) => return None,
        }
    }
    Some(children)
}

/// Orphaned descendants become our children (PR_SET_CHILD_SUBREAPER, prctl(2)). Not inherited by children.
pub(in crate::process) fn become_subreaper() -> std::io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::os::stat::uptime_ticks;

    #[test]
    fn socket_links() {
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        for other in [&b"pipe:[4711]"[..], b"socket:[]", b"/tmp/socket:[1]", b"socket:[1", b"anon_inode:[x]"]
        {
            assert_eq!(socket_inode(other), None);
        }
    }

    #[test]
    fn our_start_is_not_after_now() {
        assert!(info(std::process::id()).unwrap().unwrap().id.started <= now());
        assert!(!boot().0.is_empty());
        let uptime = std::fs::read("/proc/uptime").unwrap();
        assert!(now().0.abs_diff(uptime_ticks(&uptime).unwrap()) < 60 * TICKS, "the same scale");
    }
}
