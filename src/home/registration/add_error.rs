//! Why a command is not made a module.

use std::path::PathBuf;

use crate::home::env_file::EnvFileError;
use crate::home::fs::FsError;
use crate::home::services::ServicesError;
use crate::module::manifest::ManifestError;
use crate::module::name::Short;
use crate::module::row::RowError;

/// Why [`super::add()`] did nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    /// services.json cannot be edited.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FsError),
    /// The `.env` cannot be written.
    #[error(transparent)]
    Env(#[from] EnvFileError),
    /// The row would break a rule.
    #[error("the row would not be valid: {0}")]
    Row(#[from] RowError),
    /// The `module.json` would break a rule.
    #[error("its module.json would not be valid: {0}")]
    Manifest(#[from] ManifestError),
    /// A path is not UTF-8, which JSON cannot hold.
    #[error("{} is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// There is such a module.
    #[error("module `{short}` exists already (row `{row}` of services.json)")]
    Exists {
        /// Name.
        short: Short,
        row: String,
    },
    /// The name means something else below the home.
    #[error("`{0}` cannot name a module: the home has a file or directory of that name")]
    Taken(Short),
    /// A `module.json` that another program wrote is in the way.
    #[error("{} is there and `parachute add` did not write it", .0.display())]
    Foreign(PathBuf),
    /// Another row has the port.
    #[error("port {port} is taken by row `{row}`")]
    PortTaken { port: u16, row: String },
    /// The hub has the port.
    #[error("port {0} is the hub's own")]
    PortOfHub(u16),
    /// Not one port is free.
    #[error("every port up to 65535 is taken")]
    NoPort,
}
