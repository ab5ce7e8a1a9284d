//! What doctor looks at, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api::wire::Status;
use crate::install::facts::Facts;
use crate::manager::survival::Survival;
use crate::module::failure::Failure;
use crate::module::problem::Holder;
use crate::module::stamp::Stamp;

/// Everything. Nothing else is asked while checking.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoctorFacts {
    /// The installation, or why there is no manager to ask: one sentence a manager.
    pub install: Result<Box<Facts>, Vec<String>>,
    /// Whether the hub starts by itself.
    pub survival: Option<Survival>,
    /// Whether the unit as it would be written now differs from what is on disk.
    pub drift: Drift,
    /// The running hub.
    pub hub: Option<Box<Status>>,
    /// Daemons of the older, detached model that run here, in a sentence.
    pub older: Option<String>,
    /// Version of this program.
    pub version: String,
    /// Files and directories with secrets in them, with their modes.
    pub private: Vec<Private>,
    /// Problems of services.json, one sentence each; `Err`: it cannot be used at all.
    pub services: Result<Vec<String>, String>,
    /// Programs of modules.
    pub programs: Vec<ModuleProgram>,
    /// Where no hub runs: who holds the ports of its modules.
    pub held: Vec<(String, Holder)>,
    /// Space on the home's file system.
    pub disk: Option<Disk>,
    /// Bytes of all log files of the home.
    pub log_bytes: u64,
    /// Failures of modules, newest first.
    pub failures: Vec<(String, Failure)>,
    /// When all of this was asked.
    pub now: Stamp,
}

/// Whether `init` would write the same unit again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Nothing is installed.
    NotInstalled,
    /// It would.
    None,
    /// It would change these files.
    Files(Vec<PathBuf>),
    /// `init` would refuse, and why.
    Refused(String),
}

/// Something only its owner may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// Where.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// The bits it may have.
    pub may: u32,
}

impl Private {
    /// The bits it has and may not have.
    #[must_use]
    pub fn excess(&self) -> u32 {
        self.mode & 0o777 & !self.may
    }
}

/// The program of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleProgram {
    /// Short name.
    pub module: String,
    /// As its command says it.
    pub program: String,
    /// Where the person's shell finds it.
    pub in_shell: Option<PathBuf>,
    /// Where the hub finds it.
    pub in_hub: Option<PathBuf>,
}

/// Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Free for this user, bytes.
    pub free: u64,
    /// In all, bytes.
    pub total: u64,
}
