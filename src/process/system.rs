//! Data about processes that the system reports: the same types on every system.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::Rlimit;
use serde::{Deserialize, Serialize};

use super::id::ProcessId;

/// What the kernel reports about one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcInfo {
    /// Its identity.
    pub id: ProcessId,
    /// Parent, at the time of reading.
    pub ppid: u32,
    /// Process group.
    pub pgrp: u32,
    /// Session.
    pub session: u32,
    /// Effective user. On Linux the owner of its /proc files: a non-dumpable process reads as root,
    /// so this can only err towards "not ours" (proc(5), PR_SET_DUMPABLE in prctl(2)).
    pub uid: u32,
    /// Ended, and not yet reaped by its parent.
    pub zombie: bool,
    /// Short name (`comm`), chosen by the process or its program: for screens, never for decisions.
    pub name: String,
}

/// One mount of this mount namespace. On Linux its mount id, which each bind mount has; on macOS, which has no
/// bind mounts, the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MountId(pub u64);

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Local port.
    pub port: u16,
    /// Local address; unspecified means all of them.
    pub addr: IpAddr,
    /// The socket: its inode on Linux, its kernel handle on macOS.
    pub inode: u64,
    /// User of the socket (who created it).
    pub uid: u32,
}

/// The file behind one of the three standard streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The file.
    pub path: PathBuf,
    /// Whether it is open for appending (O_APPEND), as a log is.
    pub append: bool,
    /// Whether the file was removed from that path.
    pub deleted: bool,
}

/// The ids of a process, as needed to start it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) umask: Option<u32>,
}

/// A daemon to start in its own session.
pub(super) struct Detach<'a> {
    pub(super) exe: &'a Path,
    pub(super) argv: Vec<&'a OsStr>,
    pub(super) env: Vec<(&'a OsStr, &'a OsStr)>,
    pub(super) cwd: &'a Path,
    /// Its output files, opened as the user below, because links could lead root anywhere. `None`: `/dev/null`.
    pub(super) output: [Option<&'a Path>; 2],
    pub(super) umask: Option<u32>,
    /// User, group and supplementary groups. `None`: ours.
    pub(super) identity: Option<(u32, u32, Vec<u32>)>,
}

/// Why nothing was started.
pub(super) enum NotDetached {
    /// One of its output files: its index, and the system's error.
    Output(usize, io::Error),
    /// Anything else.
    Start(io::Error),
}

/// A child to start.
pub(super) struct Order<'a> {
    pub(super) program: &'a Path,
    /// `argv[0]` first.
    pub(super) argv: &'a [OsString],
    /// Its complete environment.
    pub(super) env: Vec<(&'a OsStr, &'a OsStr)>,
    /// `None`: ours.
    pub(super) cwd: Option<&'a Path>,
    /// Its descriptor limit. `None`: ours.
    pub(super) limit: Option<Rlimit>,
    /// The directory of the cgroup that it is born in. `None`: ours. Linux only.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    /// Its descriptor 1.
    pub(super) stdout: BorrowedFd<'a>,
    /// Its descriptor 2.
    pub(super) stderr: BorrowedFd<'a>,
}

/// The child: a group leader.
pub(super) struct Born {
    pub(super) pid: u32,
    /// Where the kernel gave one with the child.
    pub(super) pidfd: Option<OwnedFd>,
}
