//! The paths of everything below the home. They are written nowhere else. Pure.

use std::path::{Path, PathBuf};

use crate::module::name::Short;

/// The home: `$PARACHUTE_HOME`, else `~/.parachute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// A home at `root`, which the caller has made absolute.
    #[must_use]
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The home itself.
    #[must_use]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The module rows.
    #[must_use]
    pub(crate) fn services(&self) -> PathBuf {
        self.root.join("services.json")
    }

    /// Advisory lock around every read-modify-write of [`Self::services`].
    #[must_use]
    pub(crate) fn services_lock(&self) -> PathBuf {
        self.root.join("services.json.lock")
    }

    /// Optional settings, written by the user.
    #[must_use]
    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("hub.toml")
    }

    /// More environment of a hub under a service manager, written by the user; 0600.
    #[must_use]
    pub(crate) fn hub_env(&self) -> PathBuf {
        self.root.join("hub.env")
    }

    /// The bearer token of the API on TCP; 0600.
    #[must_use]
    pub(crate) fn operator_token(&self) -> PathBuf {
        self.root.join("operator.token")
    }

    /// The public origin, written by the original's expose commands.
    #[must_use]
    pub(crate) fn expose_state(&self) -> PathBuf {
        self.root.join("expose-state.json")
    }

    /// Runtime state of the hub; 0700.
    #[must_use]
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The control socket; 0600.
    #[must_use]
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().join("hub.sock")
    }

    /// Locked with `flock` as long as a hub runs.
    #[must_use]
    pub(crate) fn hub_lock(&self) -> PathBuf {
        self.run_dir().join("hub.lock")
    }

    /// The FIFOs that modules write to, `<short>.out` and `<short>.err`; 0700.
    #[must_use]
    pub(crate) fn outputs(&self) -> PathBuf {
        self.run_dir().join("log")
    }

    /// The children the hub has running: JSON lines, appended.
    #[must_use]
    pub(crate) fn ledger(&self) -> PathBuf {
        self.run_dir().join("ledger.jsonl")
    }

    /// Start times of hubs and how they ended, for the safe mode; JSON.
    #[must_use]
    pub(crate) fn boots(&self) -> PathBuf {
        self.run_dir().join("boots.json")
    }

    /// The hub's own current log file.
    #[must_use]
    pub(crate) fn hub_log(&self) -> PathBuf {
        self.hub_logs().join("hub.log")
    }

    /// The hub's output before its own log is open, under a manager that keeps no log: launchd.
    #[must_use]
    pub(crate) fn manager_output(&self) -> PathBuf {
        self.hub_logs().join("launchd.log")
    }
    /// The TCP port of the running hub, for clients of the original.
    #[must_use]
    pub(crate) fn hub_port(&self) -> PathBuf {
        self.root.join("hub").join("run").join("hub.port")
    }

    /// The pidfile of the detached hub.
    #[must_use]
    pub(crate) fn older_pidfile(&self) -> PathBuf {
        self.root.join("hub").join("run").join("hub.pid")
    }

    /// The hub's own directory; a module cannot have this name.
    #[must_use]
    pub(crate) fn hub_dir(&self) -> PathBuf {
        self.root.join("hub")
    }

    /// Logs of the hub itself.
    #[must_use]
    pub(crate) fn hub_logs(&self) -> PathBuf {
        self.hub_dir().join("logs")
    }

    /// The program that a unit runs.
    #[must_use]
    pub(crate) fn bin_dir(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Data about an installation: journal, receipt, saved files.
    #[must_use]
    pub(crate) fn install_dir(&self) -> PathBuf {
        self.root.join("install")
    }

    /// A module's own directory.
    #[must_use]
    pub(crate) fn module(&self, short: &Short) -> PathBuf {
        self.root.join(short.as_str())
    }

    /// A module's environment file.
    #[must_use]
    pub(crate) fn env_file(&self, short: &Short) -> PathBuf {
        self.module(short).join(".env")
    }

    /// A module's current log file.
    #[must_use]
    pub(crate) fn log_file(&self, short: &Short) -> PathBuf {
        self.module(short).join("logs").join(format!("{short}.log"))
    }

    /// The last failure of a module, for `why` when the hub is down; JSON.
    #[must_use]
    pub(crate) fn last_failure(&self, short: &Short) -> PathBuf {
        self.module(short).join("run").join("last-failure.json")
    }

    /// `module.json` below an install directory.
    #[must_use]
    pub(crate) fn manifest(install_dir: &Path) -> PathBuf {
        install_dir.join(".parachute").join("module.json")
    }
}
