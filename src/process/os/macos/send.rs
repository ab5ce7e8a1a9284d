//! A signal to one process, and the exit of a child, without pidfd.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

use super::posix;
use super::proc::info;
use crate::module::exit_status::ExitStatus;
use crate::process::id::ProcessId;
use crate::process::signal::{Signal, SignalError};

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

    /// Its exit status; it stays a zombie. Cancel-safe.
    pub(in crate::process) async fn ended(&self) -> ExitStatus {
        posix::ended_by_sigchld(self.pid).await
    }
}
