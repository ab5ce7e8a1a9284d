//! The state that every request handler has.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::watch;
use tracing::info;

use crate::home::paths::Home;
use crate::module::timestamp::Timestamp;
use crate::supervisor::supervisor::Supervisor;
use crate::sync::mutex::lock;

use super::boots::BootLog;
use super::hub_env::HubEnv;

/// Facts of this hub that do not change while it runs.
#[derive(Debug)]
pub(crate) struct Identity {
    /// TCP port.
    pub port: u16,
    /// Bind host.
    pub host: String,
    /// The holder of the listening socket, if not this hub alone.
    pub held_by: Option<&'static str>,
    /// `foreground`, `managed by systemd`, `managed by launchd`.
    pub mode: String,
    /// Wall clock of the start.
    pub started: Timestamp,
    /// Monotonic clock of the start.
    pub since: Instant,
    /// Random per start.
    pub instance: String,
    /// The operator token, trimmed.
    pub token: String,
    /// User the hub runs as.
    pub uid: u32,
}

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The home.
    pub home: Home,
    /// Facts of this hub.
    pub identity: Arc<Identity>,
    /// The modules.
    pub supervisor: Supervisor,
    /// How earlier hubs ended, and whether this one is in safe mode.
    pub boots: BootLog,
    /// Harmless findings at the start: one sentence each.
    pub notes: Arc<Mutex<Vec<String>>>,
    /// The environment that is read from a file.
    pub hub_env: Arc<HubEnv>,
    /// Becomes true when open streams must end.
    pub closing: watch::Receiver<bool>,
    /// Tells `serve` that a client asked it to stop.
    pub stop: tokio::sync::mpsc::Sender<()>,
}

impl App {
    /// A user asked for a module: safe mode ends.
    pub(crate) fn asked_for(&self, module: &str) {
        if self.boots.asked() {
            self.supervisor.let_go();
            let others = "modules that are off stay off until they are started";
            info!(module, "safe mode ends: a start was requested for {module}; {others}");
        }
    }

    /// Findings to report that stop nothing: those from the start, oddities of `hub.env` now, and whether modules write to
    /// pipes.
    #[must_use]
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = lock(&self.notes).clone();
        notes.extend(self.hub_env.notes());
        notes.extend(self.supervisor.notes());
        notes
    }
}
