//! Everything one start of a module needs, composed from the files on disk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::name::Short;
use super::shell::quote;

/// Environment variable that marks every process of a module: its short name.
pub const MARK_MODULE: &str = "PARACHUTE_MODULE";
/// Environment variable that marks every process of one incarnation: `<hub nonce>:<short>:<number>`. Each is unique.
pub const MARK_INCARNATION: &str = "PARACHUTE_INCARNATION";
/// The home the module belongs to; also part of the mark.
pub const MARK_HOME: &str = "PARACHUTE_HOME";

/// One start, ready to be spawned. Composed again from disk for every spawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Short name.
    pub short: Short,
    /// Name of its services.json row.
    pub row: String,
    /// Program and arguments; never empty.
    pub argv: Vec<OsString>,
    /// Working directory. `None`: the hub's own.
    pub cwd: Option<PathBuf>,
    /// The child's whole environment (nothing else is inherited), without the incarnation mark.
    pub env: BTreeMap<OsString, OsString>,
    /// The row's port, given as `PORT`.
    pub port: u16,
    /// `false` for a worker that binds nothing: the port is only reserved.
    pub listens: bool,
    /// Health path of the row, starting with `/`.
    pub health: String,
    /// How it is restarted, stopped, checked and logged.
    pub policy: Policy,
    /// Fingerprint of what is only this module's own: see `module/fingerprint.rs`.
    pub definition: String,
}

impl Launch {
    /// Program and arguments in one line, as typed in a shell: what a shell would split or expand is quoted.
    #[must_use]
    pub fn command_line(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| quote(&word.to_string_lossy())).collect();
        words.join(" ")
    }
}

/// How a module is restarted, stopped, checked and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Crashes inside [`Self::window`] that lead to `crashed`. 0 and 1: the first crash does.
    pub max_crashes: u32,
    /// The window in which crashes are counted.
    pub window: Duration,
    /// Delay before the second respawn; the first has none. Doubles, with jitter, up to [`Self::backoff_cap`].
    pub backoff: Duration,
    /// Longest delay between respawns.
    pub backoff_cap: Duration,
    /// Ready this long: the crash counter is reset.
    pub steady_after: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub kill_timeout: Duration,
    /// Time from spawn until `started_but_unbound`.
    pub ready_within: Duration,
    /// HTTP health check as liveness. `None` (the default): none.
    pub liveness: Option<Liveness>,
    /// Limits of the module's log files.
    pub log: LogLimits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_crashes: 5,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            steady_after: Duration::from_secs(60),
            kill_timeout: Duration::from_secs(5),
            ready_within: Duration::from_secs(4),
            liveness: None,
            log: LogLimits::default(),
        }
    }
}

/// An HTTP health check: GET `http://127.0.0.1:<port><health>`; 2xx, 3xx and 401 count as alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liveness {
    /// Time between two checks.
    pub interval: Duration,
    /// Longest wait for a response.
    pub timeout: Duration,
    /// Consecutive failures that restart the module.
    pub failures: u32,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), timeout: Duration::from_secs(2), failures: 3 }
    }
}

/// Limits of one module's log files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// A file that would grow past this many bytes is rotated first.
    pub max_bytes: u64,
    /// Number of files kept, the current one included. At least 1.
    pub keep: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, keep: 5 }
    }
}
