//! What doctor looks at, as plain data.

use std::path::PathBuf;

use serde::Serialize;

use crate::api::wire::Status;
use crate::home::hub_env::Refused;
use crate::install::facts::{Facts, PortHolder};
use crate::manager::state::Told;
use crate::module::failure::Failure;
use crate::module::timestamp::Timestamp;
use crate::process::holder::Occupant;

/// Everything. Nothing else is asked while checking.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorFacts {
    /// What is installed, and in which manager.
    pub install: InstallationFacts,
    /// Whether the program that the unit runs is there.
    pub program_is_there: bool,
    /// Daemons of the older, detached model that run here, in a sentence; or why that cannot be told. `None` where no
    /// manager could take over.
    pub older: Option<Told<Option<String>>>,
    /// The running hub.
    pub hub: Option<Box<Status>>,
    /// Version of this program.
    pub version: String,
    /// The port that the hub has, or should have.
    pub port: u16,
    /// Who listens there.
    pub holder: Option<PortHolder>,
    /// Files and directories that are nobody else's business.
    pub private: Vec<Private>,
    /// Problems of services.json.
    pub services: Vec<Trouble>,
    /// Why hub.toml cannot be used.
    pub settings: Option<String>,
    /// Why hub.env is refused, as far as whoever asks can tell.
    pub hub_env: Option<Refused>,
    /// Drop-ins of the installed units that can be read: file and text.
    pub drop_ins: Vec<(PathBuf, String)>,
    /// How modules are started.
    pub starts: Vec<Start>,
    /// Where no hub runs: modules whose port somebody holds.
    pub held: Vec<(String, Occupant)>,
    /// Space on the home's file system; `None`: it cannot be told.
    pub disk: Option<Disk>,
    /// Bytes of all log files of the home.
    pub log_bytes: u64,
    /// Last failures of modules, newest first.
    pub failures: Vec<(String, Failure)>,
    /// The time.
    pub now: Timestamp,
}

/// What can be known of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallationFacts {
    /// This is what there is.
    Known(Box<Facts>),
    /// No manager can be used here.
    NoManager {
        /// Why not, a sentence a manager.
        why: Vec<String>,
        /// What to type.
        next: String,
    },
    /// It cannot be looked at from here.
    Untold {
        /// Why not.
        because: String,
        /// What to type.
        next: String,
    },
}

impl InstallationFacts {
    /// What is known of it.
    #[must_use]
    pub fn known(&self) -> Option<&Facts> {
        match self {
            Self::Known(facts) => Some(facts),
            Self::NoManager { .. } | Self::Untold { .. } => None,
        }
    }
}

/// Something only its owner may read, or change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Private {
    /// Where.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The bits it may have.
    pub may: u32,
    /// A plan of ours may set them: it is the person's who asks, and no link.
    pub ours: bool,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What.
    pub message: String,
    /// What to type.
    pub next: String,
}

/// How one module would be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// Short name.
    pub module: String,
    /// Its program, as its command says it, or why it has none.
    pub program: Result<String, Trouble>,
    /// Where the shell of whoever asks finds it.
    pub in_shell: Option<PathBuf>,
    /// Where the hub finds it.
    pub in_hub: Option<PathBuf>,
}

/// Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Free for this user, bytes.
    pub free: u64,
    /// In all, bytes.
    pub total: u64,
}
