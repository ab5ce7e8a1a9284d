//! A signal to one process, and the exit of a child, without pidfd.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Pid;

use super::posix;
use super::proc::info;
use crate::module::exit_status::ExitStatus;
use crate::process::id::ProcessId;
use crate::process::signal::{Signal, SignalError};

/// How often the process table is read.
const POLL: Duration = Duration::from_millis(50);

/// Sends to the process of this identity: macOS offers nothing better than a check right before.
pub(in crate::process) fn send(id: &ProcessId, signal: Signal) -> Result<(), SignalError> {
    let gone = SignalError::Gone { pid: id.pid };
    let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw).ok_or(gone)?;
    let now = info(id.pid).map_err(|unknown| SignalError::Failed { pid: id.pid, errno: unknown.errno })?;
    if now.is_none_or(|now| now.id != *id || now.zombie) {
        return Err(gone);
    }
    posix::send_unchecked(pid, signal)
}

/// A child whose exit is awaited.
#[derive(Debug)]
pub(in crate::process) struct ExitWatch {
    pid: Pid,
}

impl ExitWatch {
    /// macOS has no pidfd.
    pub(in crate::process) fn new(pid: Pid, _pidfd: Option<OwnedFd>) -> Self {
        Self { pid }
    }

    /// None.
    pub(in crate::process) fn inode(&self) -> Option<u64> {
        None
    }

    /// Its exit status; it stays a zombie. Cancel-safe.
    pub(in crate::process) async fn ended(&self) -> ExitStatus {
        posix::ended_by_sigchld(self.pid).await
    }
}

/// A process that is not our child, whose exit is awaited.
#[derive(Debug)]
pub(in crate::process) struct StrangerWatch {
    id: ProcessId,
}

impl StrangerWatch {
    /// Of this process.
    pub(in crate::process) fn new(id: &ProcessId) -> Self {
        Self { id: id.clone() }
    }

    /// None.
    pub(in crate::process) fn inode(&self) -> Option<u64> {
        None
    }

    /// Waits for its end. Its status is told to its parent only (kqueue(2), NOTE_EXITSTATUS).
    pub(in crate::process) async fn ended(&self) -> ExitStatus {
        while info(self.id.pid).map_or(true, |now| now.is_some_and(|now| now.id == self.id && !now.zombie)) {
            tokio::time::sleep(POLL).await;
        }
        ExitStatus::Unknown
    }
}
