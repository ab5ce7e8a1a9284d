//! The options of a hub, and the environment it was started with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::home::paths::Home;

use super::service_manager::ServiceManager;
use super::signals::StartedBy;

/// The options of `serve`, and the environment it was started with.
#[derive(Debug, Clone)]
pub(crate) struct ServeOptions {
    /// The home, absolute.
    pub home: Home,
    /// `--port`.
    pub port: Option<u16>,
    /// `--host`.
    pub host: Option<String>,
    /// `--demo`.
    pub demo: bool,
    /// The hub's initial environment.
    pub env: BTreeMap<OsString, OsString>,
    /// This binary.
    pub exe: PathBuf,
    /// Whether the process has a controlling terminal.
    pub has_terminal: bool,
}

impl ServeOptions {
    /// The service manager of this hub.
    #[must_use]
    pub(crate) fn service_manager(&self) -> ServiceManager {
        ServiceManager::of(&self.env, std::process::id())
    }

    /// Where it runs, which decides about SIGHUP.
    #[must_use]
    pub(crate) fn seat(&self) -> StartedBy {
        match (self.service_manager().is_there(), self.has_terminal) {
            (true, _) => StartedBy::Managed,
            (false, true) => StartedBy::Terminal,
            (false, false) => StartedBy::Detached,
        }
    }
}

#[cfg(test)]
impl ServeOptions {
    /// No options, only an environment.
    pub(super) fn bare(env: &[(&str, &str)]) -> Self {
        Self {
            home: Home::at(PathBuf::from("/no/such/home")),
            port: None,
            host: None,
            demo: false,
            env: env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            exe: PathBuf::from("/no/such/parachute"),
            has_terminal: false,
        }
    }
}
