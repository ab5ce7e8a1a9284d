//! Signals to a hub, and the meaning of SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A request to the whole hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A stop, for this reason.
    Stop(&'static str),
    /// Read services.json again.
    Reload,
}

/// Where a hub runs, which decides about SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
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
pub fn hang_up(seat: Seat) -> Wish {
    match seat {
        Seat::Terminal => Wish::Stop("its terminal closed"),
        Seat::Managed | Seat::Detached => Wish::Reload,
    }
}

/// All signals that a hub handles. Installed before anything else, so that one during boot is an ordered stop too.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
    hup: Signal,
    seat: Seat,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn install(seat: Seat) -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hup: signal(SignalKind::hangup())?,
            seat,
        })
    }

    /// The next request.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.term.recv() => Wish::Stop("SIGTERM"),
            _ = self.int.recv() => Wish::Stop("SIGINT"),
            _ = self.quit.recv() => Wish::Stop("SIGQUIT"),
            _ = self.hup.recv() => hang_up(self.seat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sighup_stops_only_a_hub_that_lost_its_terminal() {
        assert!(matches!(hang_up(Seat::Terminal), Wish::Stop(_)));
        assert_eq!(hang_up(Seat::Managed), Wish::Reload);
        assert_eq!(hang_up(Seat::Detached), Wish::Reload);
    }
}
