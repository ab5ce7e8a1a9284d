//! Speaks to the service manager: sd_notify(3), where there is one to hear it. Elsewhere nothing happens.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use sd_notify::NotifyState;

/// The way to a manager that set `NOTIFY_SOCKET`, read once from the environment the hub was started with.
#[derive(Debug, Clone)]
pub struct Notifier {
    enabled: bool,
    /// Between two signs of life: half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Looks whether a manager listens.
    #[must_use]
    pub fn from_env(env: &BTreeMap<OsString, OsString>) -> Self {
        let text = |name: &str| env.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str());
        let enabled = text("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // WATCHDOG_PID names whom the manager watches; another process of the unit must stay silent.
        let for_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = text("WATCHDOG_USEC").and_then(|usec| usec.parse::<u64>().ok()).filter(|usec| *usec > 0);
        let watchdog = usec.filter(|_| enabled && for_us).map(|usec| Duration::from_micros(usec / 2));
        Self { enabled, watchdog }
    }

    /// How often [`Self::alive`] is due; `None` if nobody watches.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sockets are bound: `READY=1`.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// The ordered stop begins.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping, NotifyState::Status("stopping modules")]);
    }

    /// services.json is read again; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        // systemd 253 and newer take a reload only with the time of its beginning: systemd.service(5), notify-reload.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// The supervision loop turns.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if self.enabled {
            match states {
                // Every few seconds, for as long as it lives.
                [NotifyState::Watchdog] => tracing::trace!("the manager is told that the hub lives"),
                [first, ..] => tracing::debug!(state = %first, "the manager is told"),
                [] => {}
            }
            // A manager that has gone cannot be told; the watchdog is its own answer to silence.
            let _ = sd_notify::notify(false, states);
        }
    }
}
