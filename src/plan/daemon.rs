//! Daemons that run without a manager, as steps see them: whom to stop, and what it takes to bring them back. Pure data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::process::detached::Record;
use crate::process::id::ProcessId;

/// One to be stopped, with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// `hub`, or the short name of a module.
    pub name: String,
    /// The process of which it is certain.
    pub leader: ProcessId,
    /// What it had started when the plan was made: it may outlive the leader, and is ended with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<ProcessId>,
    /// A group and session of it that a process which is gone has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// Its command, printable.
    pub command: String,
    /// Ports it listens on.
    pub ports: Vec<u16>,
    /// What proves whose it is.
    pub why: String,
    /// The file that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<PathBuf>,
    /// Where it wrote its port, as the older hub did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_file: Option<PathBuf>,
    /// SIGTERM to SIGKILL, milliseconds.
    pub grace_ms: u64,
}

/// One that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Up {
    /// Its name.
    pub name: String,
    /// The process.
    pub id: ProcessId,
    /// Ports it listens on.
    pub ports: Vec<u16>,
    /// The file that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<PathBuf>,
    /// Where it wrote its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_file: Option<PathBuf>,
    /// How it was started.
    pub record: Record,
}

/// `hub (pid 13), vault (pid 26)`.
#[must_use]
pub fn names<'a>(all: impl Iterator<Item = (&'a str, &'a ProcessId)>) -> String {
    all.map(|(name, id)| format!("{name} ({id})")).collect::<Vec<_>>().join(", ")
}

impl Daemon {
    /// For people who are asked: what it is, and why it may be stopped.
    #[must_use]
    pub fn line(&self) -> String {
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
