//! Reads /proc. One `openat`, one `read` and one `close` a process where the answer is that short.
#![expect(clippy::disallowed_methods, reason = "edge: /proc is read here and nowhere else")]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, RawDir, fstat, openat};

use super::stat::{Stat, kilobytes, number, uptime_ticks};
use crate::process::id::{BootId, ProcessId, Started};
use crate::process::table::ProcInfo;

/// `stat` is at most 52 numbers of 20 digits and a name: one read always gets all of it.
const STAT_BYTES: usize = 2048;
/// A command line or an environment longer than this is read up to here. The kernel's own bound for both together
/// is a quarter of the stack limit, 2 MiB by default (execve(2), "Limits on size of arguments and environment").
const BLOCK_BYTES: u64 = 4 << 20;

/// The running boot. Empty if the kernel will not say: then identities rest on pid and start time alone.
fn boot() -> &'static BootId {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        BootId(text.trim().to_owned())
    })
}

/// This moment on the scale of `ProcessId::started`.
pub(in crate::process) fn now() -> Option<Started> {
    uptime_ticks(&std::fs::read("/proc/uptime").ok()?).map(Started)
}

/// Opens a directory below (or) /proc.
fn directory(path: &str) -> Option<OwnedFd> {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Calls `each` with every numeric name in a directory.
pub(super) fn numbers_in(dir: impl AsFd, mut each: impl FnMut(u32)) {
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 16 * 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if let Some(number) = number(entry.file_name().to_bytes()) {
            each(number);
        }
    }
}

/// All pids.
pub(super) fn pids() -> Vec<u32> {
    let mut pids = Vec::with_capacity(256);
    if let Some(proc) = directory("/proc") {
        numbers_in(proc, |pid| pids.push(pid));
    }
    pids
}

/// All processes.
pub(in crate::process) fn all() -> Vec<ProcInfo> {
    let Some(proc) = directory("/proc") else { return Vec::new() };
    let mut path = String::with_capacity(24);
    pids().into_iter().filter_map(|pid| read_info(&proc, pid, &mut path)).collect()
}

/// One process.
pub(in crate::process) fn info(pid: u32) -> Option<ProcInfo> {
    read_info(directory("/proc")?, pid, &mut String::with_capacity(24))
}

fn read_info(proc: impl AsFd, pid: u32, path: &mut String) -> Option<ProcInfo> {
    path.clear();
    write!(path, "{pid}/stat").ok()?;
    let file = openat(proc, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0_u8; STAT_BYTES];
    let len = rustix::io::read(&file, &mut buffer).ok()?;
    let stat = Stat::parse(&buffer[..len])?;
    let uid = fstat(&file).ok()?.st_uid;
    Some(ProcInfo {
        // In a pid namespace /proc may belong to another one; the name of the directory is what we can signal.
        id: ProcessId { pid, started: Started(stat.started), boot: boot().clone() },
        ppid: stat.ppid,
        pgrp: stat.pgrp,
        session: stat.session,
        uid,
        zombie: stat.zombie(),
        name: String::from_utf8_lossy(stat.comm).into_owned(),
    })
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

/// The environment block it was started with; a later `setenv` does not show (proc_pid_environ(5)).
pub(in crate::process) fn environ(pid: u32) -> Option<Vec<u8>> {
    block(pid, "environ")
}

pub(in crate::process) fn cwd(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

pub(in crate::process) fn exe(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

pub(in crate::process) fn resident(pid: u32) -> Option<u64> {
    kilobytes(&block(pid, "status")?, "VmRSS:")
}

pub(in crate::process) fn own_memory() -> Option<u64> {
    kilobytes(&block(std::process::id(), "smaps_rollup")?, "Pss:")
}

/// Inode of the socket behind `/proc/<pid>/fd/<n>`: the link reads `socket:[123]` (proc_pid_fd(5)).
fn socket_inode(link: &[u8]) -> Option<u64> {
    number(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// Calls `each` with the inode of every socket a process has open, until it returns `false`.
pub(super) fn sockets_of(pid: u32, mut each: impl FnMut(u64) -> bool) {
    let Some(dir) = directory(&format!("/proc/{pid}/fd")) else { return };
    let mut fds = Vec::with_capacity(64);
    numbers_in(&dir, |fd| fds.push(fd));
    let mut name = String::with_capacity(12);
    for fd in fds {
        name.clear();
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 64];
        if write!(name, "{fd}").is_ok()
            && let Ok((link, _)) = rustix::fs::readlinkat_raw(&dir, name.as_str(), &mut buffer)
            && let Some(inode) = socket_inode(link)
            && !each(inode)
        {
            return;
        }
    }
}

/// Our children, among them every orphan we adopted, if the kernel lists them (CONFIG_PROC_CHILDREN); `None` means
/// "take a census".
///
/// proc_tid_children(5) calls the list reliable only while no child is *reaped* during the reading. So it is asked
/// only by the hub about itself, from the thread that reaps.
pub(in crate::process) fn possible_orphans(hub: u32) -> Option<Vec<u32>> {
    children(hub)
}

/// The children of a process, of all its threads. `None`: it is gone, or the kernel has no such list.
pub(in crate::process) fn children(pid: u32) -> Option<Vec<u32>> {
    let mut tids = Vec::new();
    numbers_in(directory(&format!("/proc/{pid}/task"))?, |tid| tids.push(tid));
    let mut children = Vec::new();
    for tid in tids {
        match std::fs::read(format!("/proc/{pid}/task/{tid}/children")) {
            Ok(text) => children.extend(text.split(|b| *b == b' ').filter_map(number::<u32>)),
            // A thread that ended handed its children to another one, which may have been read already.
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
        assert!(info(std::process::id()).unwrap().id.started <= now().unwrap());
        assert!(!boot().0.is_empty());
    }
}
