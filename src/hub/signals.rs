//! Signals to a hub, and the meaning of SIGHUP.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A request to the whole hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HubRequest {
    /// A stop, for this reason.
    Stop(&'static str),
    /// Read services.json again.
    Reload,
}

/// Where a hub runs, which decides about SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartedBy {
    /// Under a service manager.
    Managed,
    /// In a terminal that can go away.
    Terminal,
    /// Neither: started by a script, a cron job, an entry point.
    Detached,
}

/// SIGHUP traditionally means "read your configuration again", and the kernel also sends it when the terminal goes
/// away. Only a hub with a terminal and without a manager can have lost its terminal.
#[must_use]
pub(crate) fn hang_up(seat: StartedBy) -> HubRequest {
    match seat {
        StartedBy::Terminal => HubRequest::Stop("its terminal closed"),
        StartedBy::Managed | StartedBy::Detached => HubRequest::Reload,
    }
}

/// All signals that a hub handles. Installed before anything else, so that one during boot is an ordered stop too.
#[derive(Debug)]
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
    hup: Signal,
    seat: StartedBy,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(crate) fn install(seat: StartedBy) -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hup: signal(SignalKind::hangup())?,
            seat,
        })
    }

    /// Waits this long. Returns whether a stop was requested meanwhile; then it returns at once.
    pub(crate) async fn stops_within(&mut self, limit: Duration) -> bool {
        let stop = async { while self.next().await == HubRequest::Reload {} };
        tokio::time::timeout(limit, stop).await.is_ok()
    }

    pub(crate) async fn next(&mut self) -> HubRequest {
        tokio::select! {
            _ = self.term.recv() => HubRequest::Stop("SIGTERM"),
            _ = self.int.recv() => HubRequest::Stop("SIGINT"),
            _ = self.quit.recv() => HubRequest::Stop("SIGQUIT"),
            _ = self.hup.recv() => hang_up(self.seat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sighup_stops_only_a_hub_that_lost_its_terminal() {
        assert!(matches!(hang_up(StartedBy::Terminal), HubRequest::Stop(_)));
        assert_eq!(hang_up(StartedBy::Managed), HubRequest::Reload);
        assert_eq!(hang_up(StartedBy::Detached), HubRequest::Reload);
    }
}
