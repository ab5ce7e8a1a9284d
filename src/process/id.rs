//! The identity of a process: pid, start time and boot, never a bare pid. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The boot of the machine to which a process belongs: `/proc/sys/kernel/random/boot_id` on Linux,
/// `kern.bootsessionuuid` on macOS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// When a process started, in the kernel's own unit since boot: clock ticks on Linux (proc_pid_stat(5), field 22),
/// microseconds since the epoch on macOS (`pbi_start_tvsec`, `pbi_start_tvusec`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Started(pub u64);

/// Identifies a process among all others, past or future. Signals accept nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id; always above 1.
    pub pid: u32,
    /// Start time.
    pub started: Started,
    /// Boot.
    pub boot: BootId,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}
