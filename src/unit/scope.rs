//! For whom a manager works.

use serde::{Deserialize, Serialize};

/// systemd's two managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// PID 1: `/etc/systemd/system`, needs root.
    System,
    /// One for each person: `systemctl --user`.
    User,
}
