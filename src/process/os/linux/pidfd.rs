//! A signal to exactly one process (pidfd_open(2), pidfd_send_signal(2)).
#![expect(clippy::disallowed_methods, reason = "edge: signals one process whose identity was proven")]

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::posix;
use super::proc::info;
use crate::process::id::ProcessId;
use crate::process::signal::{Signal, SignalError};

/// Sends to the process of this identity, or to none.
///
/// Opening comes first, then the check: the descriptor stays bound to the process that had the pid when it was opened,
/// and if that process is not newer than our record, no other process can have had the pid in between.
pub(in crate::process) fn send(id: &ProcessId, signal: Signal) -> Result<(), SignalError> {
    let gone = SignalError::Gone { pid: id.pid };
    let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw).ok_or(gone)?;
    let opened = pidfd_open(pid, PidfdFlags::empty());
    let now = info(id.pid).map_err(|unknown| SignalError::Failed { pid: id.pid, errno: unknown.errno })?;
    if now.is_none_or(|now| now.id != *id || now.zombie) {
        return Err(gone);
    }
    match opened {
        Ok(fd) => pidfd_send_signal(fd, posix::number(signal)).map_err(|e| posix::explain(id.pid, e)),
        // Before Linux 5.3, or a seccomp filter: then right after the check.
        Err(Errno::NOSYS | Errno::PERM) => posix::send_unchecked(pid, signal),
        Err(errno) => Err(posix::explain(id.pid, errno)),
    }
}
