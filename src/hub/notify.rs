//! Notifies the service manager, if there is one: sd_notify(3). Without one it does nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use sd_notify::NotifyState;

/// The connection to a manager that set `NOTIFY_SOCKET`, read once from the hub's initial environment.
#[derive(Debug, Clone)]
pub struct Notifier {
    enabled: bool,
    /// Time between two keep-alives: half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Finds out whether a manager listens.
    #[must_use]
    pub fn from_env(env: &BTreeMap<OsString, OsString>) -> Self {
        let text = |name: &str| env.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str());
        let enabled = text("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // WATCHDOG_PID names the process that the manager watches; another process of the unit must not notify.
        let for_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = text("WATCHDOG_USEC").and_then(|usec| usec.parse::<u64>().ok()).filter(|usec| *usec > 0);
        let watchdog = usec.filter(|_| enabled && for_us).map(|usec| Duration::from_micros(usec / 2));
        Self { enabled, watchdog }
    }

    /// How often [`Self::alive`] is due; `None` without a watchdog.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sockets are bound: `READY=1`.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// It is not ready yet, and why.
    pub fn waiting(&self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// The hub begins to stop.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping, NotifyState::Status("stopping modules")]);
    }

    /// services.json is read again; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        // systemd 253 and newer accept a reload only with the time of its start: systemd.service(5), notify-reload.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// Whether a manager listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.enabled
    }

    /// Keeps a descriptor open under this name while no hub runs, also when no process has its other end. Where the unit
    /// allows none, the manager ignores it.
    pub fn store(&self, name: &str, fd: BorrowedFd<'_>) {
        if self.enabled {
            let states = [NotifyState::FdStore, NotifyState::Custom("FDPOLL=0"), NotifyState::FdName(name)];
            let _ = sd_notify::notify_with_fds(false, &states, &[fd]);
        }
    }

    /// Ends that for all descriptors of this name.
    pub fn unstore(&self, name: &str) {
        self.send(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
    }

    /// The supervision loop is alive.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if self.enabled {
            match states {
                // Every few seconds.
                [NotifyState::Watchdog] => tracing::trace!("the service manager gets a watchdog message"),
                [first, ..] => tracing::debug!(state = %first, "the service manager gets a message"),
                [] => {}
            }
            // A manager that has gone cannot be notified; its watchdog reacts to the silence.
            let _ = sd_notify::notify(false, states);
        }
    }
}
