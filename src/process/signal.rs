//! The signals a supervisor sends, and why one could not be sent. Pure.

use serde::{Deserialize, Serialize};

/// A signal we send. A closed list: no other signal can be sent by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signal {
    /// SIGHUP.
    Hangup,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM: asks a process to exit.
    Terminate,
    /// SIGKILL: ends a process.
    Kill,
    /// SIGCONT: a stopped process acts on SIGTERM only after this one.
    Continue,
}

impl Signal {}

/// Why a signal was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignalError {
    /// Pid 0, 1 or our own: never a target.
    #[error("refused to signal pid {pid}: it is init or this very process")]
    Refused { pid: u32 },
    /// No live process has this identity any more. Another process may have the pid now.
    #[error("pid {pid} is gone")]
    Gone {
        /// The pid it had.
        pid: u32,
    },
    /// It belongs to another user, or a security module refuses.
    #[error("not permitted to signal pid {pid}")]
    NotPermitted { pid: u32 },
    /// Anything else.
    #[error("could not signal pid {pid} (errno {errno})")]
    Failed { pid: u32, errno: i32 },
}
