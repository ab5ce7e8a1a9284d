//! One check: its stable id, what it found, what to type next, and what mends it.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// What is checked. The names are for scripts and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A service manager can be used.
    Manager,
    /// No plan was broken off.
    Plan,
    /// No daemon of the older, detached model runs.
    Older,
    /// The hub answers and has nothing to complain about.
    Hub,
    /// The hub's port is its own, or free.
    Port,
    /// There is room on the disk.
    Disk,
    /// The unit on disk is the one that was installed.
    UnitInstalled,
    /// The manager has loaded exactly it.
    UnitLoaded,
    /// It is set to start by itself.
    UnitEnabled,
    /// It runs.
    UnitRunning,
    /// This version would write it again as it is.
    UnitCurrent,
    /// No line of it has its manager open a path below the home.
    UnitOpens,
    /// No other unit starts the hub.
    UnitTwins,
    /// Services of the person outlive their logins.
    Linger,
    /// The hub is there after a reboot.
    Boot,
    /// The unit runs this program, from a path that stays.
    Program,
    /// What is private is private.
    HomePrivate,
    /// services.json is valid.
    HomeServices,
    /// hub.toml is valid.
    HomeSettings,
    /// hub.env can be used.
    HomeEnv,
    /// The logs are not too large.
    HomeLogs,
    /// The hub finds the program of every module.
    ModulesPrograms,
    /// It finds the ones that the shell finds.
    ModulesPath,
    /// Every module that should run is ready.
    ModulesReady,
    /// Where no hub runs: the ports of all modules are free or their own.
    ModulesPorts,
    /// When a module last failed.
    ModulesCrash,
}

impl Id {
    /// Every check, in the order in which they are shown.
    pub const ALL: [Self; 26] = [
        Self::Manager,
        Self::Plan,
        Self::Older,
        Self::Hub,
        Self::Port,
        Self::Disk,
        Self::UnitInstalled,
        Self::UnitLoaded,
        Self::UnitEnabled,
        Self::UnitRunning,
        Self::UnitCurrent,
        Self::UnitOpens,
        Self::UnitTwins,
        Self::Linger,
        Self::Boot,
        Self::Program,
        Self::HomePrivate,
        Self::HomeServices,
        Self::HomeSettings,
        Self::HomeEnv,
        Self::HomeLogs,
        Self::ModulesPrograms,
        Self::ModulesPath,
        Self::ModulesReady,
        Self::ModulesPorts,
        Self::ModulesCrash,
    ];

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Plan => "plan",
            Self::Older => "older",
            Self::Hub => "hub",
            Self::Port => "port",
            Self::Disk => "disk",
            Self::UnitInstalled => "unit.installed",
            Self::UnitLoaded => "unit.loaded",
            Self::UnitEnabled => "unit.enabled",
            Self::UnitRunning => "unit.running",
            Self::UnitCurrent => "unit.current",
            Self::UnitOpens => "unit.opens",
            Self::UnitTwins => "unit.twins",
            Self::Linger => "linger",
            Self::Boot => "boot",
            Self::Program => "program",
            Self::HomePrivate => "home.private",
            Self::HomeServices => "home.services",
            Self::HomeSettings => "home.settings",
            Self::HomeEnv => "home.env",
            Self::HomeLogs => "home.logs",
            Self::ModulesPrograms => "modules.programs",
            Self::ModulesPath => "modules.path",
            Self::ModulesReady => "modules.ready",
            Self::ModulesPorts => "modules.ports",
            Self::ModulesCrash => "modules.crash",
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What a check found; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It cannot be told, and why is in the message.
    CannotTell,
    /// It works, and will not for long, or not everywhere.
    Warn,
    /// It does not work, or lets in whom it should not.
    Fail,
}

/// What `doctor --fix` does about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// What `init` would do now.
    Install,
    /// Switch linger on.
    Linger,
    /// Set the mode of a file or directory.
    Mode {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub id: Id,
    /// What was found.
    pub verdict: Verdict,
    /// One sentence.
    pub message: String,
    /// What to type next; always there unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What `doctor --fix` would do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<Mend>,
}

impl Check {
    fn new(id: Id, verdict: Verdict, message: impl Into<String>, next: Option<String>) -> Self {
        Self { id, verdict, message: message.into(), next, mend: None }
    }

    /// As it should be.
    pub fn ok(id: Id, message: impl Into<String>) -> Self {
        Self::new(id, Verdict::Ok, message, None)
    }

    /// It works, for now.
    pub fn warn(id: Id, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(id, Verdict::Warn, message, Some(next.into()))
    }

    /// It does not work.
    pub fn fail(id: Id, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(id, Verdict::Fail, message, Some(next.into()))
    }

    /// It cannot be told.
    pub fn cannot_tell(id: Id, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(id, Verdict::CannotTell, message, Some(next.into()))
    }

    /// The same, and this mends it.
    #[must_use]
    pub fn mended_by(mut self, mend: Mend) -> Self {
        self.mend = Some(mend);
        self
    }
}

/// The worst of all.
#[must_use]
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}

/// These findings, or that there are none.
pub(super) fn found_or(found: Vec<Check>, id: Id, well: impl Into<String>) -> Vec<Check> {
    if found.is_empty() { vec![Check::ok(id, well)] } else { found }
}

/// Bytes for a person.
pub(super) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
