//! Facts about the detached model, as plain data. A test is a literal of them. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pidfile::Pidfile;
use crate::manager::state::UnitState;
use crate::process::holder::Occupant;
use crate::process::id::ProcessId;
use crate::process::os_bytes::OsBytes;
use crate::process::system::Stream;
use crate::unit::name::UnitName;

/// All facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Legacy {
    /// The home.
    pub home: PathBuf,
    /// User id of the daemons' user.
    pub uid: u32,
    /// The roles that the home declares: the hub, then its modules.
    pub roles: Vec<Role>,
    /// Why services.json cannot be used: then the roles are incomplete.
    pub broken: Option<String>,
    /// Every pidfile.
    pub pidfiles: Vec<Pidfile>,
    /// The port file of the detached hub.
    pub port_file: Option<PathBuf>,
    /// Every process that a pidfile, a port or a log leads to.
    pub seen: Vec<Seen>,
    /// The holders of the declared ports.
    pub ports: Vec<PortFact>,
    /// The port of a supervised hub of this home, or of its manager's socket: its holder is not a foreign process.
    pub kept: Option<u16>,
    /// Units that would restart a daemon.
    pub units: Vec<StaleUnit>,
}

/// A daemon that the home declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    /// `hub`, or the short name of a module.
    pub name: String,
    /// Ports it may listen on.
    pub ports: Vec<u16>,
    /// The log that the original hub opened for it.
    pub log: PathBuf,
    /// Its start command, if known.
    pub start: Option<Start>,
    /// Time between SIGTERM and SIGKILL, milliseconds.
    pub grace_ms: u64,
}

/// A start command, as in the home's files now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Program and arguments.
    pub argv: Vec<OsBytes>,
    /// The path of the program, if it was found.
    pub program: Option<PathBuf>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
}

/// A process that a pidfile, a port or a log leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Its identity.
    pub id: ProcessId,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// Its ancestors, nearest first.
    pub above: Vec<u32>,
    /// It is this process, or an ancestor of it.
    pub ourselves: bool,
    /// Its arguments, if they are readable.
    pub argv: Option<Vec<OsBytes>>,
    /// The file it executes.
    pub exe: Option<PathBuf>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// The home in its environment.
    pub home: Option<PathBuf>,
    /// PATH in its environment.
    pub path: Option<OsBytes>,
    /// The module in its mark: it runs under a supervisor.
    pub mark: Option<String>,
    /// The files behind its input, output and errors.
    pub streams: [Option<Stream>; 3],
    /// Declared ports that it listens on.
    pub listens: Vec<u16>,
    /// Its command, printable.
    pub command: String,
}

/// The holder of a declared port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortFact {
    /// The port.
    pub port: u16,
    /// Its owner: a name of [`Role`].
    pub of: String,
    /// The process that a client of the loopback would reach.
    pub occupant: Occupant,
    /// All processes that have the socket open, as far as this user may see.
    pub holders: Vec<ProcessId>,
}

/// A unit from before the supervisor, with a name that only this program's predecessors used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StaleUnit {
    /// The unit.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// The state in the manager that we drive; `None`: it belongs to another manager, and only its file is known.
    pub state: Option<UnitState>,
    /// The command that disables it there.
    pub by_hand: Option<String>,
}
