//! What ends a hub, and what a hang-up means.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody wants of the whole hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// An ordered stop, because of this.
    Stop(&'static str),
    /// Read services.json again.
    Reload,
}

/// Where a hub runs, as far as a hang-up is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Under a service manager.
    Managed,
    /// In a terminal that can go away.
    Terminal,
    /// Neither: started by a script, a cron job, an entry point.
    Detached,
}

/// SIGHUP is the old word for "read your configuration again", and what the kernel says when the terminal goes away.
/// Only a hub that has a terminal and no manager can have lost one.
#[must_use]
pub fn hang_up(seat: Seat) -> Wish {
    match seat {
        Seat::Terminal => Wish::Stop("its terminal closed"),
        Seat::Managed | Seat::Detached => Wish::Reload,
    }
}

/// Every signal a hub answers. Installed before anything else, so that one during boot is an ordered stop too.
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

    /// The next wish.
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
    fn a_hang_up_stops_only_who_lost_a_terminal() {
        assert!(matches!(hang_up(Seat::Terminal), Wish::Stop(_)));
        assert_eq!(hang_up(Seat::Managed), Wish::Reload);
        assert_eq!(hang_up(Seat::Detached), Wish::Reload);
    }
}
