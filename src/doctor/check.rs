//! One check: its stable id, its result, the next command, and its repair. Pure.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// The check. The names are for scripts and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A service manager can be used.
    Manager,
    /// No plan was interrupted.
    Plan,
    /// No detached daemon runs.
    Older,
    /// The hub answers and reports no problem.
    Hub,
    /// The hub's port is its own, or free.
    Port,
    /// There is enough free space on the disk.
    Disk,
    /// The unit on disk is the one that was installed.
    UnitInstalled,
    /// The manager has loaded exactly this unit.
    UnitLoaded,
    /// It is enabled.
    UnitEnabled,
    /// It runs.
    UnitRunning,
    /// This version would write the same text again.
    UnitCurrent,
    /// No line of it makes its manager open a path below the home.
    UnitOpens,
    /// No socket unit of an earlier version holds the hub's port.
    UnitSocket,
    /// No other unit starts the hub.
    UnitTwins,
    /// The user's services run without a login.
    Linger,
    /// The hub starts after a reboot.
    Boot,
    /// The unit runs this program, from a path that stays valid.
    Program,
    /// Private files are not accessible to others.
    HomePrivate,
    /// services.json is valid.
    HomeServices,
    /// hub.toml is valid.
    HomeSettings,
    /// hub.env can be used.
    HomeEnv,
    /// The logs are not too large.
    HomeLogs,
    /// What modules write to outlives the hub.
    HomeFifo,
    /// The hub finds the program of every module.
    ModulesPrograms,
    /// It finds the same ones as the shell.
    ModulesPath,
    /// Every module that should run is ready.
    ModulesReady,
    /// If no hub runs: no process holds the port of a module.
    ModulesPorts,
    /// If no hub runs: no module runs without one.
    ModulesLeft,
    /// When a module last failed.
    ModulesCrash,
}

impl Id {
    /// Every check, in display order.
    pub const ALL: [Self; 29] = [
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
        Self::UnitSocket,
        Self::UnitTwins,
        Self::Linger,
        Self::Boot,
        Self::Program,
        Self::HomePrivate,
        Self::HomeServices,
        Self::HomeSettings,
        Self::HomeEnv,
        Self::HomeLogs,
        Self::HomeFifo,
        Self::ModulesPrograms,
        Self::ModulesPath,
        Self::ModulesReady,
        Self::ModulesPorts,
        Self::ModulesLeft,
        Self::ModulesCrash,
    ];

    /// Its stable name.
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
            Self::UnitSocket => "unit.socket",
            Self::UnitTwins => "unit.twins",
            Self::Linger => "linger",
            Self::Boot => "boot",
            Self::Program => "program",
            Self::HomePrivate => "home.private",
            Self::HomeServices => "home.services",
            Self::HomeSettings => "home.settings",
            Self::HomeEnv => "home.env",
            Self::HomeLogs => "home.logs",
            Self::HomeFifo => "home.fifo",
            Self::ModulesPrograms => "modules.programs",
            Self::ModulesPath => "modules.path",
            Self::ModulesReady => "modules.ready",
            Self::ModulesPorts => "modules.ports",
            Self::ModulesLeft => "modules.left",
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

/// The result of a check; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It is unknown; the message gives the reason.
    CannotTell,
    /// It works, but may soon fail, or fails in some cases.
    Warn,
    /// It does not work, or gives access to the wrong users.
    Fail,
}

/// The repair that `doctor --fix` makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// What `init` would do now.
    Install,
    /// Switch linger on.
    Linger,
    /// Set the mode of a file or directory.
    Mode {
        /// Its path.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The check.
    pub id: Id,
    /// The result.
    pub verdict: Verdict,
    /// One sentence.
    pub message: String,
    /// The next command; always present unless the result is ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The repair that `doctor --fix` would make.
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

    /// It is unknown.
    pub fn cannot_tell(id: Id, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(id, Verdict::CannotTell, message, Some(next.into()))
    }

    /// Adds the repair.
    #[must_use]
    pub fn mended_by(mut self, mend: Mend) -> Self {
        self.mend = Some(mend);
        self
    }
}

/// The worst result.
#[must_use]
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}

/// These findings, or an ok result if there are none.
pub(super) fn found_or(found: Vec<Check>, id: Id, well: impl Into<String>) -> Vec<Check> {
    if found.is_empty() { vec![Check::ok(id, well)] } else { found }
}

/// A size for screens.
pub(super) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
