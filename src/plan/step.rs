//! One step of a plan: performed as a whole and undone as a whole. It is complete: performing it needs no
//! decision. Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::daemon::{Daemon, RunningDaemon, names};
use super::observed::Entry;
use crate::unit::name::UnitName;

/// Mode of the file of a unit. launchd refuses one that other users may write, and systemd warns about one that is
/// executable.
pub(crate) const UNIT_MODE: u32 = 0o644;

/// One change to the machine. Whether it is done can be observed.
///
/// A restart is `SetRunning { running: false }`, the changes, `SetRunning { running: true }`: undone in reverse
/// order it ends with the previous process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Create a directory, and those above it that are missing.
    MakeDir {
        /// The directory.
        path: PathBuf,
        /// Permission bits of a directory that is created; an existing one keeps its own.
        mode: u32,
    },
    /// Remove a directory if it is empty.
    RemoveDir {
        /// The directory.
        path: PathBuf,
    },
    /// Write a file.
    PutFile {
        /// The file. A link of that name is replaced, never followed.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// Its new content.
        content: Content,
    },
    /// Remove a file or link.
    RemoveFile {
        /// The file or link.
        path: PathBuf,
    },
    /// Write the file of a unit, and make the manager read this file.
    PutUnit {
        /// The unit.
        unit: UnitName,
        /// Its file.
        path: PathBuf,
        /// Its text.
        text: String,
    },
    /// Remove the file of a unit, and make the manager forget it.
    RemoveUnit {
        /// The unit.
        unit: UnitName,
        /// Its file.
        path: PathBuf,
    },
    /// Change the permission bits of a file or directory. Never of a directory that a step of the same plan creates,
    /// nor of a file that any step writes: those steps set the mode. A link is left alone.
    SetMode {
        /// The file or directory.
        path: PathBuf,
        /// Its new bits.
        mode: u32,
    },
    /// Move a file, or a directory with its content. No other step of a plan is about either name.
    Move {
        /// Its name. If it does not exist, there is nothing to do.
        from: PathBuf,
        /// Its new name, in a directory that exists. An existing file is never replaced.
        to: PathBuf,
    },
    /// Restore the file that a step changed. Only ever the inverse of a step above.
    Restore {
        /// The name.
        path: PathBuf,
        /// The previous file or link.
        was: Entry,
        /// The unit, if it is a unit's file: the manager reads it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<UnitName>,
    },
    /// Enable or disable a unit.
    SetEnabled {
        /// The unit.
        unit: UnitName,
        /// Enable it.
        enabled: bool,
    },
    /// Start or stop a unit, and wait until it runs or has stopped.
    SetRunning {
        /// The unit.
        unit: UnitName,
        /// Start it.
        running: bool,
    },
    /// Enable or disable linger: the services of a user run without a login (loginctl(1)).
    SetLinger {
        /// Login name.
        user: String,
        /// Enable it.
        on: bool,
    },
    /// End detached daemons, all at once and by identity: each with its process group and its children, with SIGTERM
    /// first.
    StopDaemons {
        /// The daemons.
        daemons: Vec<Daemon>,
        /// Units that replace them. A boot starts enabled units, so these are stopped before a daemon is started
        /// again.
        #[serde(default, rename = "heirs")]
        replaced_by: Vec<UnitName>,
    },
    /// Start detached daemons again exactly as they ran, and wait until they listen. Only ever the inverse of the step
    /// above.
    StartDaemons {
        /// The daemons, and how they ran.
        daemons: Vec<RunningDaemon>,
    },
    /// End detached daemons that were started again, by identity, listening or not. Only ever the
    /// inverse of the step above where that was a step of a plan.
    EndStarted {
        /// The daemons, as they ran before they were started again.
        daemons: Vec<RunningDaemon>,
    },
    /// Wait until no process listens on these ports.
    AwaitPortsFree {
        /// The ports.
        ports: Vec<u16>,
        /// At most this long.
        within: Duration,
    },
    /// Wait until each of these modules is ready. They served before, so one that does not become ready is a failure.
    AwaitReady {
        /// Short names.
        modules: Vec<String>,
        /// At most this long.
        within: Duration,
    },
    /// Wait until the hub answers, and is the process that the manager runs.
    AwaitHealthy {
        /// At most this long.
        within: Duration,
    },
    /// Wait until every module is ready or will not become so, and report those that are not.
    AwaitModules {
        /// At most this long.
        within: Duration,
    },
}

/// What a step changes. Of several steps with the same key each one builds on the previous one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A directory, by its path.
    Dir(PathBuf),
    /// A file, by its path.
    File(PathBuf),
    /// The permission bits of this path.
    Mode(PathBuf),
    /// The two names of a move in either direction, in alphabetical order.
    Names(PathBuf, PathBuf),
    /// Whether a unit is enabled.
    Enabled(UnitName),
    /// Whether a unit runs.
    Running(UnitName),
    /// The linger of this user.
    Linger(String),
    /// The detached daemons.
    Daemons,
}

impl Step {
    /// What it changes; `None` if it only waits.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        Some(match self {
            Self::MakeDir { path, .. } | Self::RemoveDir { path } => Key::Dir(path.clone()),
            Self::PutFile { path, .. }
            | Self::RemoveFile { path }
            | Self::PutUnit { path, .. }
            | Self::RemoveUnit { path, .. }
            | Self::Restore { path, .. } => Key::File(path.clone()),
            Self::SetMode { path, .. } => Key::Mode(path.clone()),
            Self::Move { from, to } => Key::Names(from.min(to).clone(), from.max(to).clone()),
            Self::SetEnabled { unit, .. } => Key::Enabled(unit.clone()),
            Self::SetRunning { unit, .. } => Key::Running(unit.clone()),
            Self::SetLinger { user, .. } => Key::Linger(user.clone()),
            Self::StopDaemons { .. } | Self::StartDaemons { .. } | Self::EndStarted { .. } => Key::Daemons,
            Self::AwaitPortsFree { .. }
            | Self::AwaitReady { .. }
            | Self::AwaitHealthy { .. }
            | Self::AwaitModules { .. } => return None,
        })
    }

    /// Whether it changes nothing and only waits.
    #[must_use]
    pub(crate) fn only_waits(&self) -> bool {
        self.key().is_none()
    }

    /// The file and text of a unit, if it writes one.
    #[must_use]
    pub(crate) fn unit_text(&self) -> Option<(&Path, &str)> {
        match self {
            Self::PutUnit { path, text, .. } => Some((path, text)),
            _ => None,
        }
    }

    /// Whether the plan continues when it fails. An installation without linger runs until the logout, and a module
    /// that does not become ready is a problem of that module: neither is a reason to undo everything. The
    /// failure is reported.
    #[must_use]
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::SetLinger { on: true, .. } | Self::AwaitModules { .. })
    }

    /// Its effect, as text: the same on screens, in progress lines and in the journal.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::MakeDir { path, .. } => format!("make the directory {}", path.display()),
            Self::RemoveDir { path } => format!("remove the directory {} if it is empty", path.display()),
            Self::PutFile { path, content: Content::Text(_), .. } => format!("write {}", path.display()),
            Self::PutFile { path, content: Content::CopyOf { source, .. }, .. } => {
                format!("copy {} to {}", source.display(), path.display())
            }
            Self::RemoveFile { path } => format!("remove {}", path.display()),
            Self::PutUnit { path, .. } => format!("write the unit {}", path.display()),
            Self::RemoveUnit { path, .. } => format!("remove the unit {}", path.display()),
            Self::SetMode { path, mode } => format!("set the mode of {} to {mode:04o}", path.display()),
            Self::Move { from, to } => format!("move {} to {}", from.display(), to.display()),
            Self::Restore { path, .. } => format!("restore {}", path.display()),
            Self::SetEnabled { unit, enabled: true } => format!("enable {unit} at boot"),
            Self::SetEnabled { unit, enabled: false } => format!("disable {unit}"),
            Self::SetRunning { unit, running: true } => format!("start {unit}"),
            Self::SetRunning { unit, running: false } => format!("stop {unit}"),
            Self::SetLinger { user, on: true } => {
                format!("enable linger for {user} (services run without a login)")
            }
            Self::SetLinger { user, on: false } => {
                format!("disable linger for {user} (services stop at logout)")
            }
            Self::StopDaemons { daemons, .. } => {
                format!("stop {}", names(daemons.iter().map(|d| (d.name.as_str(), &d.leader))))
            }
            Self::StartDaemons { daemons } => {
                let names: Vec<&str> = daemons.iter().map(|daemon| daemon.name.as_str()).collect();
                format!("start {} again as a detached daemon", names.join(", "))
            }
            Self::EndStarted { daemons } => {
                let names: Vec<&str> = daemons.iter().map(|daemon| daemon.name.as_str()).collect();
                format!("stop {}, which was started again", names.join(", "))
            }
            Self::AwaitPortsFree { ports, within } => {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                format!("wait until port {} is free, at most {} s", ports.join(", "), within.as_secs())
            }
            Self::AwaitReady { modules, within } => {
                format!(
                    "wait until {} is ready again and stays so, at most {} s",
                    modules.join(", "),
                    within.as_secs()
                )
            }
            Self::AwaitHealthy { within } => {
                format!("wait until the hub is healthy, at most {} s", within.as_secs())
            }
            Self::AwaitModules { within } => {
                format!("wait until the modules are ready, at most {} s", within.as_secs())
            }
        }
    }

    /// The path or unit that it changes, as text; empty if it only waits.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.key() {
            Some(Key::Dir(path) | Key::File(path) | Key::Mode(path)) => path.display().to_string(),
            Some(Key::Enabled(unit) | Key::Running(unit)) => unit.to_string(),
            Some(Key::Linger(user)) => format!("linger of {user}"),
            Some(Key::Daemons) => "the detached daemons".to_owned(),
            Some(Key::Names(one, other)) => format!("{} or {}", one.display(), other.display()),
            None => String::new(),
        }
    }
}
