//! What was found of the detached model, as plain data. A test is a literal of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pidfile::Pidfile;
use crate::manager::state::UnitState;
use crate::process::holder::Occupant;
use crate::process::id::ProcessId;
use crate::process::os_bytes::OsBytes;
use crate::process::system::Stream;
use crate::unit::name::UnitName;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legacy {
    /// The home.
    pub home: PathBuf,
    /// Uid of whose daemons they would be.
    pub uid: u32,
    /// What the home says there could be: the hub, then its modules.
    pub roles: Vec<Role>,
    /// Why services.json cannot be used: then nobody knows what else there could be.
    pub broken: Option<String>,
    /// Every pidfile.
    pub pidfiles: Vec<Pidfile>,
    /// Where the older hub wrote its port.
    pub port_file: Option<PathBuf>,
    /// Every process that something points at.
    pub seen: Vec<Seen>,
    /// Who listens on the declared ports.
    pub ports: Vec<PortFact>,
    /// The port of a supervised hub of this home, or of its manager's socket: whoever holds that is no stranger.
    pub kept: Option<u16>,
    /// Units that would bring a daemon back.
    pub units: Vec<StaleUnit>,
}

/// One that the home declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// `hub`, or the short name of a module.
    pub name: String,
    /// Ports it may listen on.
    pub ports: Vec<u16>,
    /// The log that the older program opened for it.
    pub log: PathBuf,
    /// How it is started, where that is known.
    pub start: Option<Start>,
    /// SIGTERM to SIGKILL, milliseconds.
    pub grace_ms: u64,
}

/// A start command, as the home has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Program and arguments.
    pub argv: Vec<OsBytes>,
    /// Where the program is, if it is anywhere.
    pub program: Option<PathBuf>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
}

/// A process that something points at: a pidfile, a port, a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its identity.
    pub id: ProcessId,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// Those above it, nearest first.
    pub above: Vec<u32>,
    /// We, or one of those above us.
    pub ourselves: bool,
    /// Its arguments, if they can be seen.
    pub argv: Option<Vec<OsBytes>>,
    /// The file it executes.
    pub exe: Option<PathBuf>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// The home that its environment names.
    pub home: Option<PathBuf>,
    /// PATH in its environment.
    pub path: Option<OsBytes>,
    /// The module whose mark it carries: a supervisor has it.
    pub mark: Option<String>,
    /// Where its input, output and errors go.
    pub streams: [Option<Stream>; 3],
    /// Declared ports that it listens on.
    pub listens: Vec<u16>,
    /// Its command, printable.
    pub command: String,
}

/// Who listens on a declared port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFact {
    /// Which port.
    pub port: u16,
    /// Whose it is: a name of [`Role`].
    pub of: String,
    /// Who a client of the loopback would reach.
    pub occupant: Occupant,
    /// Everybody who has the socket open, as far as this user may see.
    pub holders: Vec<ProcessId>,
}

/// A unit of the time before the supervisor, with a name that only this program's ancestors used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleUnit {
    /// Which.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// What the manager that we drive knows of it; `None`: it belongs to another one, and its file is all we see.
    pub state: Option<UnitState>,
    /// What disables it there.
    pub by_hand: Option<String>,
}
