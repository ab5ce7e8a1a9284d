//! The backends: systemd and launchd, each with the data needed to address it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::unit::name::UnitName;
use crate::unit::target::{JobKind, Scope, Target};

/// A manager that runs and answers. The set is closed, so that every match is exhaustive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "manager", rename_all = "snake_case")]
pub enum Manager {
    /// systemd.
    Systemd(Systemd),
    /// launchd.
    Launchd(Launchd),
}

/// One of systemd's managers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systemd {
    /// The system's manager or a user's.
    pub scope: Scope,
    /// `systemctl --version`, first number.
    pub version: u32,
    /// The directory of our unit files; the manager searches it.
    pub dir: PathBuf,
    /// `XDG_RUNTIME_DIR` for `--user`; set for every invocation, since cron, su and sudo lose it.
    pub runtime_dir: Option<PathBuf>,
}

/// One of launchd's domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launchd {
    /// Which.
    pub domain: Domain,
    /// Where our plists go.
    pub dir: PathBuf,
}

/// launchctl(1), DOMAINS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "domain", content = "uid", rename_all = "snake_case")]
pub enum Domain {
    /// `system`: from boot on; root changes it.
    System,
    /// `gui/<uid>`: exists while this user is logged in at the screen.
    Gui(u32),
    /// `user/<uid>`: exists without a login at the screen too.
    User(u32),
}

impl Manager {
    /// The format of its units.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Systemd(systemd) => Target::Systemd { scope: systemd.scope, version: systemd.version },
            Self::Launchd(launchd) => Target::Launchd { kind: launchd.domain.kind() },
        }
    }

    /// The directory of our units.
    #[must_use]
    pub fn dir(&self) -> &Path {
        match self {
            Self::Systemd(systemd) => &systemd.dir,
            Self::Launchd(launchd) => &launchd.dir,
        }
    }

    /// The file of a unit.
    #[must_use]
    pub fn file(&self, unit: &UnitName) -> PathBuf {
        match self {
            Self::Systemd(systemd) => systemd.dir.join(unit.systemd()),
            Self::Launchd(launchd) => launchd.dir.join(format!("{}.plist", unit.label())),
        }
    }

    /// The manager's name of the unit.
    #[must_use]
    pub fn name_of(&self, unit: &UnitName) -> String {
        match self {
            Self::Systemd(_) => unit.systemd(),
            Self::Launchd(_) => unit.label(),
        }
    }

    /// For screens: `systemd (user)`, `launchd (gui/501)`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Systemd(Systemd { scope: Scope::System, .. }) => "systemd (system)".to_owned(),
            Self::Systemd(Systemd { scope: Scope::User, .. }) => "systemd (user)".to_owned(),
            Self::Launchd(launchd) => format!("launchd ({})", launchd.domain.words()),
        }
    }

    /// Whether changing it takes root.
    #[must_use]
    pub fn is_system(&self) -> bool {
        match self {
            Self::Systemd(systemd) => systemd.scope == Scope::System,
            Self::Launchd(launchd) => launchd.domain == Domain::System,
        }
    }
}

impl Domain {
    /// Its name for launchctl.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Gui(uid) => format!("gui/{uid}"),
            Self::User(uid) => format!("user/{uid}"),
        }
    }

    /// The kind of jobs in this domain.
    #[must_use]
    pub fn kind(self) -> JobKind {
        match self {
            Self::System => JobKind::Daemon,
            Self::Gui(_) | Self::User(_) => JobKind::Agent,
        }
    }
}
