//! What the actor says about its module: in the module's own log, and as events of the hub.

use std::time::Duration;

use tracing::{error, info, warn};

use super::super::MODULE;
use super::super::effect::Severity;
use super::Actor;

impl Actor {
    /// Lines for users. The module's log always has them; a filter of the hub's events can leave them out of the hub's log.
    pub(super) fn note(&self, severity: Severity, text: &str) {
        self.log.note(text);
        let module = self.machine.short();
        let pid = self.run.as_ref().map(|run| run.processes.leader.pid);
        match severity {
            Severity::Info => info!(target: MODULE, %module, pid, "{text}"),
            Severity::Warning => warn!(target: MODULE, %module, pid, "{text}"),
            Severity::Error => error!(target: MODULE, %module, pid, "{text}"),
        }
    }
}

/// Milliseconds, as a field of an event.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
