//! What a manager knows about a unit. Every answer is three-valued: yes, no, or why it cannot be told.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Known, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told<T> {
    /// It is so.
    Known(T),
    /// It cannot be told, because.
    Unknown(String),
}

impl<T> Told<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Known(value) => Told::Known(f(value)),
            Self::Unknown(because) => Told::Unknown(because),
        }
    }
}

impl Told<bool> {
    /// Known to be so.
    #[must_use]
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Known(true))
    }

    /// Known not to be so.
    #[must_use]
    pub fn is_false(&self) -> bool {
        matches!(self, Self::Known(false))
    }
}

/// What runs, as the manager sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Active {
    /// It runs (or, for a socket, listens).
    Running,
    /// On its way there.
    Starting,
    /// On its way down.
    Stopping,
    /// It died and the manager will start it again.
    Restarting,
    /// It died and the manager has given up.
    Failed,
    /// It does not run and nobody asked for it.
    Stopped,
    /// It does not run, and the manager holds the definition that it would start it from (launchd: the label is
    /// loaded). Neither up nor down: whatever its file says by now, a start would take the old one.
    Idle,
}

/// One unit, as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Whether the manager knows a definition of it (`LoadState=loaded`; launchd: the label is in the domain).
    pub loaded: Told<bool>,
    /// What runs.
    pub active: Told<Active>,
    /// Whether it is set to start by itself (systemd: enabled; launchd: no disabled override).
    pub enabled: Told<bool>,
    /// The file the manager read it from.
    pub file: Option<PathBuf>,
    /// Drop-ins that change it.
    pub drop_ins: Vec<PathBuf>,
    /// The file has changed since the manager read it.
    pub stale: bool,
    /// Main process.
    pub pid: Option<u32>,
    /// Restarts by the manager since the last start that a person asked for.
    pub restarts: Option<u32>,
    /// The manager's own word for how the last run ended (`exit-code`, `watchdog`, …), if it was not well.
    pub result: Option<String>,
    /// Exit status of the last run, if there was one.
    pub exit: Option<i32>,
    /// The line the service says about itself (systemd: `StatusText`).
    pub says: Option<String>,
    /// The signal that ended the last run, if one did; `exit` is then absent.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Forbidden to start by its name being led to nothing (systemd: masked).
    #[serde(default)]
    pub masked: bool,
    /// Why the manager does not take the definition that there is: in its own words, where it has any.
    #[serde(default)]
    pub refused: Option<String>,
    /// The manager's own word for `enabled` (`enabled-runtime`, `static`, …).
    #[serde(default)]
    pub enablement: Option<String>,
    /// What starts it at boot or login (systemd: the targets that want it and are there); `None`: not told.
    #[serde(default)]
    pub wanted_by: Option<Vec<String>>,
    /// It was never started since the manager read it, and told so: no earlier failure counts against it.
    #[serde(default)]
    pub untried: bool,
}

impl UnitState {
    /// Nothing is known.
    #[must_use]
    pub fn unknown(because: &str) -> Self {
        Self {
            loaded: Told::Unknown(because.to_owned()),
            active: Told::Unknown(because.to_owned()),
            enabled: Told::Unknown(because.to_owned()),
            file: None,
            drop_ins: Vec::new(),
            stale: false,
            pid: None,
            restarts: None,
            result: None,
            exit: None,
            says: None,
            signal: None,
            masked: false,
            refused: None,
            enablement: None,
            wanted_by: None,
            untried: false,
        }
    }

    /// The file that the manager reads instead of `ours`: one of the same name in a directory that it prefers.
    #[must_use]
    pub fn shadow_of(&self, ours: &Path) -> Option<&Path> {
        self.file.as_deref().filter(|file| *file != ours)
    }

    /// Whether it runs: up, or on its way there.
    #[must_use]
    pub fn running(&self) -> Told<bool> {
        self.active
            .clone()
            .map(|active| matches!(active, Active::Running | Active::Starting | Active::Restarting))
    }
}
