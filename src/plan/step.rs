//! One step: the unit of doing and of taking back. Complete: no choice is left to whoever performs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::daemon::{Daemon, Up, names};
use super::observed::Entry;
use crate::unit::name::UnitName;

/// Mode of the file of a unit. launchd refuses one that others may write, and systemd warns about one that is
/// executable.
pub const UNIT_MODE: u32 = 0o644;

/// What is to be done, as one thing that is either true afterwards or not.
///
/// A restart is `SetRunning { running: false }`, whatever shall change, `SetRunning { running: true }`: taken back in
/// reverse order it ends with what ran before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Make a directory, and those above it that are missing.
    MakeDir {
        /// Where.
        path: PathBuf,
        /// Permission bits of what is made; what is there keeps its own.
        mode: u32,
    },
    /// Remove a directory if nothing is in it.
    RemoveDir {
        /// Which.
        path: PathBuf,
    },
    /// Write a file.
    PutFile {
        /// Where. A link there is replaced, never followed.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// What it shall hold.
        content: Content,
    },
    /// Remove a file or link.
    RemoveFile {
        /// Which.
        path: PathBuf,
    },
    /// Write the file of a unit, and have the manager read exactly it.
    PutUnit {
        /// Which unit.
        unit: UnitName,
        /// Its file.
        path: PathBuf,
        /// Its text.
        text: String,
    },
    /// Remove the file of a unit, and have the manager forget it.
    RemoveUnit {
        /// Which unit.
        unit: UnitName,
        /// Its file.
        path: PathBuf,
    },
    /// Give a file or directory other permission bits. Never to one that a step of the same plan makes, nor to a file
    /// that any step writes: these come with their mode. A link is left alone.
    SetMode {
        /// Which.
        path: PathBuf,
        /// The bits.
        mode: u32,
    },
    /// Give something another name, with all that is in it. No other step of a plan is about either name.
    Move {
        /// What has this name. Nothing: then there is nothing to do.
        from: PathBuf,
        /// Its new name, in a directory that is there. What has it is never replaced.
        to: PathBuf,
    },
    /// Put back what had a name before we came. Only ever the inverse of a step above.
    Restore {
        /// The name.
        path: PathBuf,
        /// What had it: a file or a link.
        was: Entry,
        /// The unit whose file it is, if it is one: the manager reads it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<UnitName>,
    },
    /// Have a unit start by itself, or not.
    SetEnabled {
        /// Which unit.
        unit: UnitName,
        /// It shall.
        enabled: bool,
    },
    /// Start or stop a unit, and wait until it is so.
    SetRunning {
        /// Which unit.
        unit: UnitName,
        /// It shall run.
        running: bool,
    },
    /// Have somebody's services run without a login, or not.
    SetLinger {
        /// Login name.
        user: String,
        /// They shall.
        on: bool,
    },
    /// End daemons that run without a manager, all at once and by identity: each with its group and whatever it
    /// started, politely first.
    StopDaemons {
        /// Which.
        daemons: Vec<Daemon>,
        /// Units that take their place. A boot starts what is enabled, so these are stopped before a daemon is started
        /// again.
        #[serde(default)]
        heirs: Vec<UnitName>,
    },
    /// Start daemons again exactly as they ran, and wait until they listen. Only ever the inverse of the step above.
    StartDaemons {
        /// Which, and how.
        daemons: Vec<Up>,
    },
    /// End daemons that were started again, by identity, whether they listen by now or not. Only ever the inverse of
    /// the step above where that was a step of a plan.
    EndStarted {
        /// Which, as they ran before they were started again.
        daemons: Vec<Up>,
    },
    /// Wait until nobody listens on these ports.
    AwaitPortsFree {
        /// Which.
        ports: Vec<u16>,
        /// At most this long.
        within: Duration,
    },
    /// Wait until each of these modules is ready: they served before, so anything else is a failure.
    AwaitReady {
        /// Short names.
        modules: Vec<String>,
        /// At most this long.
        within: Duration,
    },
    /// Wait until the hub answers and is the one that the manager runs.
    AwaitHealthy {
        /// At most this long.
        within: Duration,
    },
    /// Wait until every module is ready or will not become so, and say which are not.
    AwaitModules {
        /// At most this long.
        within: Duration,
    },
}

/// The one thing that a step is about. Steps with the same key follow each other on the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A directory.
    Dir(PathBuf),
    /// A name in a directory.
    File(PathBuf),
    /// Permission bits of a name.
    Mode(PathBuf),
    /// Two names, of which one is given up for the other, whichever; in their order.
    Names(PathBuf, PathBuf),
    /// Whether a unit starts by itself.
    Enabled(UnitName),
    /// Whether a unit runs.
    Running(UnitName),
    /// Whether somebody lingers.
    Linger(String),
    /// Daemons without a manager.
    Daemons,
}

impl Step {
    /// What it is about; `None` if it only waits.
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
    pub fn only_waits(&self) -> bool {
        self.key().is_none()
    }

    /// The file and text of a unit, if it writes one.
    #[must_use]
    pub fn unit_text(&self) -> Option<(&Path, &str)> {
        match self {
            Self::PutUnit { path, text, .. } => Some((path, text)),
            _ => None,
        }
    }

    /// Whether the plan goes on without it. An installation without linger serves until the logout, and a module
    /// that does not come up is a matter between it and its person: neither is a reason to take everything back.
    /// What went wrong is reported.
    #[must_use]
    pub fn can_be_missed(&self) -> bool {
        matches!(self, Self::SetLinger { on: true, .. } | Self::AwaitModules { .. })
    }

    /// What it does, for people: the one source of words for screens, progress and journal.
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
            Self::SetMode { path, mode } => format!("give {} the mode {mode:04o}", path.display()),
            Self::Move { from, to } => format!("move {} to {}", from.display(), to.display()),
            Self::Restore { path, .. } => format!("put back {} as it was", path.display()),
            Self::SetEnabled { unit, enabled: true } => format!("have {unit} start by itself"),
            Self::SetEnabled { unit, enabled: false } => format!("have {unit} not start by itself"),
            Self::SetRunning { unit, running: true } => format!("start {unit}"),
            Self::SetRunning { unit, running: false } => format!("stop {unit}"),
            Self::SetLinger { user, on: true } => format!("let services of {user} run without a login"),
            Self::SetLinger { user, on: false } => format!("end services of {user} at the last logout"),
            Self::StopDaemons { daemons, .. } => {
                format!("stop {}", names(daemons.iter().map(|d| (d.name.as_str(), &d.leader))))
            }
            Self::StartDaemons { daemons } => {
                let names: Vec<&str> = daemons.iter().map(|up| up.name.as_str()).collect();
                format!("start {} again, detached as before", names.join(", "))
            }
            Self::EndStarted { daemons } => {
                let names: Vec<&str> = daemons.iter().map(|up| up.name.as_str()).collect();
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

    /// The path or unit it is about, for people; empty if it only waits.
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
