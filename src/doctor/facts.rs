//! What doctor looks at, as plain data.

use std::path::PathBuf;

use serde::Serialize;

use crate::api::wire::Status;
use crate::install::facts::Facts;
use crate::manager::survival::Survival;
use crate::module::failure::Failure;

/// Everything. Nothing else is asked while checking.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorFacts {
    /// The installation, or why there is no manager to ask: one sentence a manager.
    pub install: Result<Box<Facts>, Vec<String>>,
    /// Whether the hub starts by itself.
    pub survival: Option<Survival>,
    /// The unit as it would be written now differs from what is on disk.
    pub drift: Drift,
    /// The running hub.
    pub hub: Option<Box<Status>>,
    /// Version of this program.
    pub version: &'static str,
    /// Files and directories with secrets in them, with their modes.
    pub private: Vec<Private>,
    /// Problems of services.json, one sentence each; `Err`: it cannot be used at all.
    pub services: Result<Vec<String>, String>,
    /// Programs of modules.
    pub programs: Vec<ModuleProgram>,
    /// Space on the home's file system.
    pub disk: Option<Disk>,
    /// Bytes of all log files of the home.
    pub log_bytes: u64,
    /// Newest failures, newest first.
    pub failures: Vec<(String, Failure)>,
}

/// Whether `init` would write the same unit again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Private {
    /// Where.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// The bits it may have.
    pub may: u32,
}

/// The program of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Free for this user, bytes.
    pub free: u64,
    /// In all, bytes.
    pub total: u64,
}
