//! Detached daemons (they run without a manager) as data: which to stop, and the data needed to start them again. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::process::detached::LaunchRecord;
use crate::process::id::ProcessId;

/// A detached daemon to be stopped, with every process that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// `hub`, or the short name of a module.
    pub name: String,
    /// Its main process, whose identity is proven.
    pub leader: ProcessId,
    /// Processes that it had started when the plan was made: they may outlive the leader, and are ended with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<ProcessId>,
    /// A process group and session of it whose leader has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// User id that it runs as.
    pub uid: u32,
    /// Its command line, printable.
    pub command: String,
    /// Ports that it listens on.
    pub ports: Vec<u16>,
    /// The proof that it belongs to this installation.
    pub why: String,
    /// The file that holds its pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<PathBuf>,
    /// The file that holds its port: a detached hub writes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_file: Option<PathBuf>,
    /// Time between SIGTERM and SIGKILL, milliseconds.
    pub grace_ms: u64,
}

/// A detached daemon that was found running, with the data needed to start it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningDaemon {
    /// `hub`, or the short name of a module.
    pub name: String,
    /// Its process.
    pub id: ProcessId,
    /// Ports that it listens on.
    pub ports: Vec<u16>,
    /// The file that holds its pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<PathBuf>,
    /// The file that holds its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_file: Option<PathBuf>,
    /// How it was started.
    pub record: LaunchRecord,
}

/// `hub (pid 13), vault (pid 26)`.
#[must_use]
pub(crate) fn names<'a>(all: impl Iterator<Item = (&'a str, &'a ProcessId)>) -> String {
    all.map(|(name, id)| format!("{name} ({id})")).collect::<Vec<_>>().join(", ")
}

impl Daemon {
    /// One line for a question: which daemon it is, and why it may be stopped.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        let ports = match self.ports.as_slice() {
            [] => "no port".to_owned(),
            ports => {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                format!("port {}", ports.join(", "))
            }
        };
        format!("{}: {}, {ports}, {} ({})", self.name, self.leader, self.command, self.why)
    }
}
