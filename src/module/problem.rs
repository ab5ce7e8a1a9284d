//! Why a module could not start, or is failing: one type for the supervisor, the API and the screen.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Detail of the state of a module that cannot be started until something outside of it changes.
pub(crate) const BLOCKED: &str = "blocked";

/// The kinds of start error a client may see as `error_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The program is nowhere on the child's PATH.
    MissingDependency,
    /// The program exists and lacks its execute bit, or is a directory.
    NonExecutable,
    /// The working directory does not exist.
    MissingCwd,
    /// A process that is not an earlier instance of this module listens on its port.
    PortSquatter,
    /// It runs, but did not bind its port within the readiness window.
    StartedButUnbound,
    /// `execve` failed, or the system refused a new process.
    SpawnFailed,
    /// It exited before it was ready, or more often than its budget allows.
    Exited,
    /// Its health check failed too often.
    Unhealthy,
    /// No file says how to start it.
    NoStartCmd,
    /// Its row, `module.json`, `.env` or settings cannot be used.
    BadDefinition,
    /// The file system of one of its paths does not answer.
    PathSilent,
    /// Its processes survived SIGKILL (uninterruptible sleep, or not ours to signal).
    StopFailed,
    /// The row was changed after the process was started; a restart applies it.
    Edited,
}

/// The process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its port.
    pub port: u16,
    /// Pid, if this user may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its user id, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Command line, arguments joined by a blank, cut at 200 characters; empty if unreadable.
    pub command: String,
}

impl Holder {
    /// `pid 812 (node server.js)`, or the part that is known.
    #[must_use]
    pub fn phrase(&self) -> String {
        match (self.pid, self.uid) {
            (Some(pid), _) if self.command.is_empty() => format!("pid {pid}"),
            (Some(pid), _) => format!("pid {pid} ({})", self.command),
            (None, Some(uid)) => format!("a process of uid {uid} that this user may not inspect"),
            (None, None) => "a process that this user may not inspect".to_owned(),
        }
    }
}

/// Install hints per system. Absent keys mean no hint is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// Command for macOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub darwin: Option<String>,
    /// Command (or recipe, several lines) for Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<String>,
    /// Command that works anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generic: Option<String>,
}

/// What [`Problem`] adds for a missing program: all keys are always present, `null` where unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The program as the start command names it.
    pub binary: String,
    /// What it is needed for.
    pub why: Option<String>,
    /// URL of its documentation.
    pub docs_url: Option<String>,
    /// How to install it.
    pub install: Install,
    /// What to try instead, or whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysadmin_hint: Option<String>,
}

/// A structured start error: `startError` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The kind of problem.
    pub error_type: ProblemKind,
    /// One or more sentences for the user; names the module, process, file or port.
    pub error_description: String,
    /// Filled for [`ProblemKind::MissingDependency`].
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Box<Missing>>,
    /// Filled for [`ProblemKind::PortSquatter`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Box<Holder>>,
    /// The next command to type. It exists, or the field is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When it was found.
    pub at: Timestamp,
}

impl Problem {
    /// A problem with a description only.
    #[must_use]
    pub fn new(error_type: ProblemKind, error_description: impl Into<String>, at: Timestamp) -> Self {
        Self {
            error_type,
            error_description: error_description.into(),
            missing: None,
            holder: None,
            next: None,
            at,
        }
    }

    /// Adds the next command to type.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }
}
