//! What a manager reports about a unit. Every value has three cases: yes, no, or unknown with the reason. Pure.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A known value, or the reason why it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told<T> {
    /// The value is known.
    Known(T),
    /// The value is unknown, for this reason.
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

    /// Applies `f` to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Known(value) => Told::Known(f(value)),
            Self::Unknown(because) => Told::Unknown(because),
        }
    }
}

impl Told<bool> {
    /// Known to be true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Known(true))
    }

    /// Known to be false.
    #[must_use]
    pub fn is_false(&self) -> bool {
        matches!(self, Self::Known(false))
    }
}

/// The state of a unit's process, as the manager reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Active {
    /// It runs (or, for a socket, listens).
    Running,
    /// It is starting.
    Starting,
    /// It is stopping.
    Stopping,
    /// It failed, and the manager will start it again.
    Restarting,
    /// It failed, and the manager has given up.
    Failed,
    /// It does not run, and was not requested to.
    Stopped,
    /// It does not run, but the manager has loaded the definition from which it would start it (launchd: the label is
    /// loaded). Neither up nor down: a start would use the loaded definition, even if the file has changed.
    Idle,
}

/// One unit, as its manager reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Whether the manager has loaded a definition of it (`LoadState=loaded`; launchd: the label is in the domain).
    pub loaded: Told<bool>,
    /// The state of its process.
    pub active: Told<Active>,
    /// Whether it is enabled (systemd: enabled; launchd: no disabled override).
    pub enabled: Told<bool>,
    /// The file the manager read it from.
    pub file: Option<PathBuf>,
    /// Drop-ins that change it.
    pub drop_ins: Vec<PathBuf>,
    /// The file has changed since the manager read it.
    pub stale: bool,
    /// Main process.
    pub pid: Option<u32>,
    /// Restarts by the manager since the last requested start.
    pub restarts: Option<u32>,
    /// The manager's own word for how the last run ended (`exit-code`, `watchdog`, …), if it failed.
    pub result: Option<String>,
    /// Exit status of the last run, if there was one.
    pub exit: Option<i32>,
    /// The service's own status line (systemd: `StatusText`).
    pub says: Option<String>,
    /// The signal that ended the last run, if one did; `exit` is then absent.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Its name is linked to /dev/null, so that it cannot start (systemd: masked).
    #[serde(default)]
    pub masked: bool,
    /// Why the manager refuses the definition: in its own words, if it gives any.
    #[serde(default)]
    pub refused: Option<String>,
    /// The manager's own word for `enabled` (`enabled-runtime`, `static`, …).
    #[serde(default)]
    pub enablement: Option<String>,
    /// The targets that start it at boot or login and exist (systemd: `WantedBy=`); `None`: not reported.
    #[serde(default)]
    pub wanted_by: Option<Vec<String>>,
    /// The manager reports that it was never started since it was loaded: no earlier failure counts against it.
    #[serde(default)]
    pub untried: bool,
}

impl UnitState {
    /// Whether its last run failed, and no other one is up. A unit that is restarted at once is starting or stopping for
    /// most of the time, and not waiting for its restart.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        match self.active.known() {
            Some(Active::Failed | Active::Restarting) => true,
            Some(Active::Starting | Active::Stopping) => self.restarts.is_some_and(|restarts| restarts > 0),
            Some(Active::Running | Active::Stopped | Active::Idle) | None => false,
        }
    }

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

    /// The file that the manager reads instead of `ours`: one with the same name in a directory that it prefers.
    #[must_use]
    pub fn shadow_of(&self, ours: &Path) -> Option<&Path> {
        self.file.as_deref().filter(|file| *file != ours)
    }

    /// Whether it runs or is starting.
    #[must_use]
    pub fn running(&self) -> Told<bool> {
        self.active
            .clone()
            .map(|active| matches!(active, Active::Running | Active::Starting | Active::Restarting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_between_two_failed_starts_has_crashed() {
        let of = |active, restarts| {
            UnitState { active: Told::Known(active), restarts, ..UnitState::unknown("not asked") }
                .has_crashed()
        };
        assert!(of(Active::Failed, None) && of(Active::Restarting, None));
        assert!(of(Active::Starting, Some(3)) && of(Active::Stopping, Some(1)));
        assert!(!of(Active::Starting, Some(0)) && !of(Active::Starting, None));
        assert!(!of(Active::Running, Some(3)) && !of(Active::Stopped, Some(3)));
        assert!(!UnitState::unknown("not asked").has_crashed());
    }
}
