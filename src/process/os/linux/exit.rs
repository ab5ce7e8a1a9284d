//! Waits for the exit of a child without reaping it.
#![expect(unsafe_code, reason = "tokio asks its caller to vouch that a registered descriptor stays open")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::posix;
use crate::module::exit_status::ExitStatus;

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

fn register(pidfd: BorrowedFd<'_>) -> Result<AsyncFd<BorrowedFd<'_>>, impl std::error::Error> {
    // SAFETY: the borrow keeps the descriptor open, and always the same one, until the `AsyncFd` is dropped.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }
}
