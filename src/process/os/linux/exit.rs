//! Waits for the exit of a process: of a child, without reaping it, or of one that another process started.
#![expect(unsafe_code, reason = "tokio asks its caller to vouch that a registered descriptor stays open")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::posix;
use super::proc::info;
use crate::module::exit_status::ExitStatus;
use crate::process::id::ProcessId;
use crate::process::unknown::Unknown;

/// How often the process table is read where there is no pidfd.
const POLL: Duration = Duration::from_millis(50);
/// How long an ended process may take to be reaped by the process that adopted it.
const REAPED_PAUSE: Duration = Duration::from_millis(2);
const REAPED_LOOKS: u32 = 50;

/// A child whose exit is awaited.
#[derive(Debug)]
pub(in crate::process) struct ExitWatch {
    pid: Pid,
    /// `None` where the kernel has no pidfd: SIGCHLD is used then.
    pidfd: Option<OwnedFd>,
}

impl ExitWatch {
    /// With the descriptor that came with the child, if one did.
    pub(in crate::process) fn new(pid: Pid, pidfd: Option<OwnedFd>) -> Self {
        Self { pid, pidfd: pidfd.or_else(|| pidfd_open(pid, PidfdFlags::empty()).ok()) }
    }

    /// As [`pidfd_inode`].
    pub(in crate::process) fn inode(&self) -> Option<u64> {
        pidfd_inode(self.pidfd.as_ref()?.as_fd())
    }

    /// Its exit status; it stays a zombie. Cancel-safe: nothing is consumed before it returns.
    pub(in crate::process) async fn ended(&self) -> ExitStatus {
        // A pidfd polls as readable once the process is a zombie: pidfd_open(2), "Use cases for PID file descriptors".
        if let Some(pidfd) = &self.pidfd
            && let Ok(watch) = register(pidfd.as_fd())
        {
            loop {
                let Ok(mut ready) = watch.readable().await else { break };
                if let Some(ended) = posix::peek(self.pid) {
                    return ended;
                }
                ready.clear_ready();
            }
        }
        posix::ended_by_sigchld(self.pid).await
    }
}

/// A process that is not our child, whose exit is awaited.
#[derive(Debug)]
pub(in crate::process) struct StrangerWatch {
    id: ProcessId,
    /// `None` where the kernel has no pidfd: the process table is read again and again.
    pidfd: Option<OwnedFd>,
}

impl StrangerWatch {
    /// Of the process that has this pid now; the caller checks that it is the one it means.
    pub(in crate::process) fn new(id: &ProcessId) -> Self {
        let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { id: id.clone(), pidfd }
    }

    /// As [`pidfd_inode`].
    pub(in crate::process) fn inode(&self) -> Option<u64> {
        pidfd_inode(self.pidfd.as_ref()?.as_fd())
    }

    /// Its exit status, once it has ended: [`ExitStatus::Unknown`] where the kernel tells it to the parent only.
    pub(in crate::process) async fn ended(&self) -> ExitStatus {
        if let Some(pidfd) = &self.pidfd
            && let Ok(watch) = register(pidfd.as_fd())
        {
            // Whether it is readable is asked for itself: a driver may report more than there is.
            while !has_ended(pidfd.as_fd()) {
                let Ok(mut ready) = watch.readable().await else { break };
                ready.clear_ready();
            }
            if has_ended(pidfd.as_fd()) {
                return reaped_status(pidfd.as_fd()).await;
            }
        }
        while alive(&self.id).unwrap_or(true) {
            tokio::time::sleep(POLL).await;
        }
        ExitStatus::Unknown
    }
}

fn alive(id: &ProcessId) -> Result<bool, Unknown> {
    Ok(info(id.pid)?.is_some_and(|now| now.id == *id && !now.zombie))
}

fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut polled = [rustix::event::PollFd::from_borrowed_fd(pidfd, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// The status is there once its parent has reaped it, which for an orphan is at once.
async fn reaped_status(pidfd: BorrowedFd<'_>) -> ExitStatus {
    for _ in 0..REAPED_LOOKS {
        match exit_info(pidfd) {
            Ok(Some(ended)) => return ended,
            Ok(None) => tokio::time::sleep(REAPED_PAUSE).await,
            // Before Linux 6.15.
            Err(_) => break,
        }
    }
    ExitStatus::Unknown
}

/// The inode of a pidfd, which no other process of this boot has: pidfs, Linux 6.9. `None`: an older kernel, where all
/// pidfds have the same.
pub(in crate::process) fn pidfd_inode(pidfd: BorrowedFd<'_>) -> Option<u64> {
    /// `PID_FS_MAGIC` of include/uapi/linux/magic.h.
    const PIDFS: u64 = 0x5049_4446;
    let is_pidfs = rustix::fs::fstatfs(pidfd).is_ok_and(|fs| u64::try_from(fs.f_type) == Ok(PIDFS));
    rustix::fs::fstat(pidfd).ok().filter(|_| is_pidfs).map(|stat| stat.st_ino)
}

/// `PIDFD_GET_INFO` with `PIDFD_INFO_EXIT` (include/uapi/linux/pidfd.h). `None`: it was not reaped yet.
fn exit_info(pidfd: BorrowedFd<'_>) -> Result<Option<ExitStatus>, Errno> {
    /// The first version of `struct pidfd_info`: `mask`, `cgroupid`, eleven ids, `exit_code`.
    #[repr(C)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    /// `PIDFD_INFO_EXIT`.
    const EXIT: u64 = 1 << 3;
    const GET_INFO: rustix::ioctl::Opcode = rustix::ioctl::opcode::read_write::<Info>(0xFF, 11);
    let mut info = Info { mask: EXIT, cgroup: 0, ids: [0; 11], exit_code: 0 };
    // SAFETY: the number carries the size of the structure, and the kernel reads and writes at most that many bytes.
    let updater = unsafe { rustix::ioctl::Updater::<GET_INFO, Info>::new(&mut info) };
    // SAFETY: as above; on a descriptor of another kind the number is unknown, which is an error.
    unsafe { rustix::ioctl::ioctl(pidfd, updater) }?;
    Ok((info.mask & EXIT != 0).then(|| decoded(info.exit_code)))
}

/// A wait status (wait(2)): the low seven bits are the signal, the eighth says whether a core was dumped.
fn decoded(status: i32) -> ExitStatus {
    match status & 0x7f {
        0 => ExitStatus::Code((status >> 8) & 0xff),
        signal => ExitStatus::Signal { signal, core: status & 0x80 != 0 },
    }
}

fn register(pidfd: BorrowedFd<'_>) -> Result<AsyncFd<BorrowedFd<'_>>, impl std::error::Error> {
    // SAFETY: the borrow keeps the descriptor open, and always the same one, until the `AsyncFd` is dropped.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }
}
