//! What a system is asked and what it answers about processes: plain data, the same on every system.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::process::Rlimit;
use serde::{Deserialize, Serialize};

use super::id::ProcessId;

/// What the kernel says about one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcInfo {
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
    /// Dead, and not yet reaped by its parent.
    pub zombie: bool,
    /// Short name (`comm`), as the process or its program chose it: for people, never for decisions.
    pub name: String,
}

/// One mount of this mount namespace. On Linux its mount id, which a bind mount has of its own; on macOS, which has no
/// bind mounts, the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountId(pub u64);

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Local port.
    pub port: u16,
    /// Local address; unspecified means all of them.
    pub addr: IpAddr,
    /// Which socket: its inode on Linux, its kernel handle on macOS.
    pub inode: u64,
    /// User of the socket (who created it).
    pub uid: u32,
}

/// Where one of the three standard streams leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The file.
    pub path: PathBuf,
    /// Whether it is open for writing at the end (O_APPEND), as a log is.
    pub append: bool,
    /// Whether the file has lost that name.
    pub deleted: bool,
}

/// Who runs, as far as it takes to start again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) umask: Option<u32>,
}

/// What the system is to start, in a session of its own.
pub(super) struct Detach<'a> {
    pub(super) exe: &'a Path,
    pub(super) argv: Vec<&'a OsStr>,
    pub(super) env: Vec<(&'a OsStr, &'a OsStr)>,
    pub(super) cwd: &'a Path,
    /// Files it writes to, opened as the user below: root would be led anywhere. `None`: `/dev/null`.
    pub(super) output: [Option<&'a Path>; 2],
    pub(super) umask: Option<u32>,
    /// User, group and further groups. `None`: ours.
    pub(super) identity: Option<(u32, u32, Vec<u32>)>,
}

/// Why nothing was started.
pub(super) enum NotDetached {
    /// One of the files it would write to: its place, and what the system said.
    Output(usize, io::Error),
    /// Anything else.
    Start(io::Error),
}

/// What the system is to start.
pub(super) struct Order<'a> {
    /// A path.
    pub(super) program: &'a Path,
    /// `argv[0]` first.
    pub(super) argv: &'a [OsString],
    /// All of its environment.
    pub(super) env: Vec<(&'a OsStr, &'a OsStr)>,
    /// `None`: ours.
    pub(super) cwd: Option<&'a Path>,
    /// Its limit on descriptors. `None`: ours.
    pub(super) limit: Option<Rlimit>,
}

/// What was started: a group leader, and the read ends of its pipes.
pub(super) struct Born {
    pub(super) pid: u32,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}
