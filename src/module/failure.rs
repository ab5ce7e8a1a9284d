//! The failure report that `why` shows.

use serde::{Deserialize, Serialize};

use super::exit_status::ExitStatus;
use super::problem::Problem;
use super::timestamp::Timestamp;

/// A module's last failure. Also stored as `<HOME>/<short>/run/last-failure.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Short name.
    pub short: String,
    /// When it happened.
    pub at: Timestamp,
    /// How the process ended; absent if none was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ExitStatus>,
    /// How long it ran, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lived_ms: Option<u64>,
    /// Whether it had become ready.
    pub was_ready: bool,
    /// Its command line.
    pub command: String,
    /// The structured cause.
    pub problem: Problem,
    /// Crashes inside the window at the time of the failure.
    pub crashes_in_window: u32,
    /// The crash budget at the time of the failure.
    pub max_crashes: u32,
    /// Whether the supervisor gave up.
    pub gave_up: bool,
    /// The last lines it printed, oldest first, without prefix.
    pub lines: Vec<String>,
}
