//! What the actor says about its module: in the module's own log, and as events of the hub.

use std::time::Duration;

use tracing::{error, info, warn};

use super::super::MODULE;
use super::super::effect::Severity;
use super::Actor;

impl Actor {
    /// Lines for people. The module's log has them always; whoever filters the hub's events may leave them out there.
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
