//! The manager for which a unit is written.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::format::Format;
use super::launchd::Launchd;
use super::systemd::Systemd;

pub use super::launchd::JobKind;
pub use super::systemd::{OLDEST_SYSTEMD, Scope};

/// The format of a unit. What differs between them is asked of its [`Format`], to which it dereferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Unit files.
    Systemd(Systemd),
    /// A property list.
    Launchd(Launchd),
}

impl Target {
    /// Every format, for any version of its manager; those of one manager side by side, those of people first.
    pub const ALL: [Self; 4] = [
        Self::Systemd(Systemd::oldest(Scope::User)),
        Self::Systemd(Systemd::oldest(Scope::System)),
        Self::Launchd(Launchd { kind: JobKind::Agent }),
        Self::Launchd(Launchd { kind: JobKind::Daemon }),
    ];

    /// The same for this version of systemd; `None`: it is not systemd's.
    #[must_use]
    pub fn for_systemd(self, version: u32) -> Option<Self> {
        match self {
            Self::Systemd(systemd) => Some(Self::Systemd(Systemd { version, ..systemd })),
            Self::Launchd(_) => None,
        }
    }
}

impl Deref for Target {
    type Target = dyn Format;

    fn deref(&self) -> &(dyn Format + 'static) {
        match self {
            Self::Systemd(systemd) => systemd,
            Self::Launchd(launchd) => launchd,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no target.
#[derive(Debug, thiserror::Error)]
#[error("there is no target {0:?}: {names}", names = Target::ALL.map(|target| target.name()).join(", "))]
pub struct NoTarget(pub String);

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        Self::ALL.into_iter().find(|target| target.name() == text).ok_or_else(|| NoTarget(text.to_owned()))
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
        assert_eq!(
            "systemd".parse::<Target>().unwrap_err().to_string(),
            "there is no target \"systemd\": systemd-user, systemd-system, launchd-agent, launchd-daemon"
        );
    }
}
