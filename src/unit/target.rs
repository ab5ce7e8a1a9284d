//! The manager for which a unit is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// systemd's two managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// PID 1: `/etc/systemd/system`, needs root.
    System,
    /// One for each user: `systemctl --user`.
    User,
}

/// launchd's two kinds of jobs, by the directory of their plist: launchctl(1), launchd(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// `~/Library/LaunchAgents`: runs from login to logout.
    Agent,
    /// `/Library/LaunchDaemons`: runs from boot on, needs root.
    Daemon,
}

/// The format of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Unit files for this scope, without keys that this version does not know.
    Systemd {
        /// The system's manager or a user's.
        scope: Scope,
        /// `systemctl --version`, first number.
        version: u32,
    },
    /// A property list.
    Launchd {
        /// Agent or daemon.
        kind: JobKind,
    },
}

/// The oldest systemd that units are written for.
pub const OLDEST_SYSTEMD: u32 = 252;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Systemd { scope: Scope::System, .. } => "systemd-system",
            Self::Systemd { scope: Scope::User, .. } => "systemd-user",
            Self::Launchd { kind: JobKind::Agent } => "launchd-agent",
            Self::Launchd { kind: JobKind::Daemon } => "launchd-daemon",
        })
    }
}

/// The text names no target.
#[derive(Debug, thiserror::Error)]
#[error("there is no target {0:?}: systemd-user, systemd-system, launchd-agent, launchd-daemon")]
pub struct NoTarget(pub String);

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let systemd = |scope| Ok(Self::Systemd { scope, version: OLDEST_SYSTEMD });
        match text {
            "systemd-system" => systemd(Scope::System),
            "systemd-user" => systemd(Scope::User),
            "launchd-agent" => Ok(Self::Launchd { kind: JobKind::Agent }),
            "launchd-daemon" => Ok(Self::Launchd { kind: JobKind::Daemon }),
            _ => Err(NoTarget(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for name in ["systemd-system", "systemd-user", "launchd-agent", "launchd-daemon"] {
            assert_eq!(name.parse::<Target>().unwrap().to_string(), name);
        }
        assert!("systemd".parse::<Target>().is_err());
    }
}
