//! The inputs of doctor, as plain data. Pure.

use std::path::PathBuf;

use serde::Serialize;

use crate::api::wire::Status;
use crate::home::hub_env::Refused;
use crate::install::facts::{Facts, PortHolder};
use crate::manager::state::Told;
use crate::module::failure::Failure;
use crate::module::timestamp::Timestamp;
use crate::process::holder::Occupant;

/// All inputs. Nothing else is read while checking.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DoctorFacts {
    /// The installation, and its manager.
    pub install: InstallationFacts,
    /// Whether the program that the unit runs exists.
    pub program_is_there: bool,
    /// Detached daemons that run here, in a sentence; or why that is unknown. `None` where no
    /// manager could take over.
    pub older: Option<Told<Option<String>>>,
    /// The running hub.
    pub hub: Option<Box<Status>>,
    /// Version of this program.
    pub version: String,
    /// The current or configured port of the hub.
    pub port: u16,
    /// The holder of that port.
    pub holder: Option<PortHolder>,
    /// Files and directories that must be private.
    pub private: Vec<Private>,
    /// Problems of services.json.
    pub services: Vec<Trouble>,
    /// Why hub.toml cannot be used.
    pub settings: Option<String>,
    /// Why hub.env is refused, as far as this user can tell.
    pub hub_env: Option<Refused>,
    /// Drop-ins of the installed units that can be read: file and text.
    pub drop_ins: Vec<(PathBuf, String)>,
    /// How modules are started.
    pub starts: Vec<Start>,
    /// If no hub runs: modules whose port is held.
    pub held: Vec<(String, Occupant)>,
    /// If no hub runs: the modules that run without one, in a sentence.
    pub left: Option<String>,
    /// Space on the home's file system; `None`: unknown.
    pub disk: Option<Disk>,
    /// Bytes of all log files of the home.
    pub log_bytes: u64,
    /// Last failures of modules, newest first.
    pub failures: Vec<(String, Failure)>,
    /// The time.
    pub now: Timestamp,
}

/// The facts about an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstallationFacts {
    /// These are known.
    Known(Box<Facts>),
    /// No manager can be used here.
    NoManager {
        /// The reason, a sentence for each manager.
        why: Vec<String>,
        /// The command to type.
        next: String,
    },
    /// It cannot be read by this user.
    Untold {
        /// The reason.
        because: String,
        /// The command to type.
        next: String,
    },
}

impl InstallationFacts {
    /// The facts, if they are known.
    #[must_use]
    pub(crate) fn known(&self) -> Option<&Facts> {
        match self {
            Self::Known(facts) => Some(facts),
            Self::NoManager { .. } | Self::Untold { .. } => None,
        }
    }
}

/// A file or directory that only its owner may read, or change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Private {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The bits it may have.
    pub may: u32,
    /// A plan of ours may set them: it belongs to the asking user, and is not a link.
    pub ours: bool,
}

/// A problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    /// The problem.
    pub message: String,
    /// The command to type.
    pub next: String,
}

/// How one module would be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Start {
    /// Short name.
    pub module: String,
    /// Its program, as in its start command, or why it has none.
    pub program: Result<String, Trouble>,
    /// The path that the user's shell finds.
    pub in_shell: Option<PathBuf>,
    /// The path that the hub finds.
    pub in_hub: Option<PathBuf>,
}

/// Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Disk {
    /// Free for this user, bytes.
    pub free: u64,
    /// Total, bytes.
    pub total: u64,
}
