//! Who keeps this hub running, as far as its own environment tells, and what follows from it: the one place of this room
//! that tells managers apart. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The manager that started this hub and will restart it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceManager {
    /// None: a user in a terminal, a script, an entry point.
    None,
    /// systemd, system or user.
    Systemd,
    /// launchd, as agent or daemon.
    Launchd,
}

impl ServiceManager {
    /// systemd passes the process its own pid (`SYSTEMD_EXEC_PID`) and the address to notify: systemd.exec(5).
    /// launchd sets `XPC_SERVICE_NAME` to the job's label, and to `0` in a terminal.
    #[must_use]
    pub(crate) fn of(env: &BTreeMap<OsString, OsString>, pid: u32) -> Self {
        let text = |name: &str| env.get(OsStr::new(name)).and_then(|value| value.to_str());
        let notified = env.get(OsStr::new("NOTIFY_SOCKET")).is_some_and(|socket| !socket.is_empty());
        if notified || text("SYSTEMD_EXEC_PID") == Some(&pid.to_string()) {
            Self::Systemd
        } else if text("XPC_SERVICE_NAME").is_some_and(|label| label.starts_with("computer.parachute.")) {
            Self::Launchd
        } else {
            Self::None
        }
    }

    fn capabilities(self) -> &'static Capabilities {
        match self {
            Self::None => &NONE,
            Self::Systemd => &SYSTEMD,
            Self::Launchd => &LAUNCHD,
        }
    }

    /// As `status` says it.
    #[must_use]
    pub(crate) fn mode(self) -> &'static str {
        self.capabilities().mode
    }

    /// Whether there is one: it starts the hub, and starts it again.
    #[must_use]
    pub(crate) fn is_there(self) -> bool {
        self.capabilities().is_there
    }

    /// Whether it starts a hub again however it ended, exit code 0 apart.
    #[must_use]
    pub(crate) fn never_gives_up(self) -> bool {
        self.capabilities().never_gives_up
    }

    /// Whether standard output is a file that grows without bound.
    #[must_use]
    pub(crate) fn output_grows(self) -> bool {
        self.capabilities().output_grows
    }
}

/// What a hub does differently under each.
struct Capabilities {
    mode: &'static str,
    is_there: bool,
    never_gives_up: bool,
    output_grows: bool,
}

const NONE: Capabilities =
    Capabilities { mode: "foreground", is_there: false, never_gives_up: false, output_grows: false };

const SYSTEMD: Capabilities = Capabilities { mode: "managed by systemd", is_there: true, ..NONE };

/// `SuccessfulExit` knows no code that means "a person must act first", and launchd never gives up (launchd.plist(5),
/// KeepAlive). It opens the file of a job for appending and never rotates it.
const LAUNCHD: Capabilities =
    Capabilities { mode: "managed by launchd", is_there: true, never_gives_up: true, output_grows: true };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognised_by_the_variables_of_each_manager() {
        let of = |pairs: &[(&str, &str)]| {
            ServiceManager::of(&pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(), 7)
        };
        assert_eq!(of(&[]), ServiceManager::None);
        assert_eq!(of(&[("NOTIFY_SOCKET", "/run/n")]), ServiceManager::Systemd);
        assert_eq!(of(&[("NOTIFY_SOCKET", "")]), ServiceManager::None);
        assert_eq!(of(&[("SYSTEMD_EXEC_PID", "7")]), ServiceManager::Systemd);
        assert_eq!(of(&[("SYSTEMD_EXEC_PID", "8")]), ServiceManager::None, "a shell below a service");
        assert_eq!(of(&[("XPC_SERVICE_NAME", "computer.parachute.hub")]), ServiceManager::Launchd);
        assert_eq!(of(&[("XPC_SERVICE_NAME", "0")]), ServiceManager::None, "a terminal on a Mac");
        assert!(ServiceManager::Launchd.never_gives_up() && !ServiceManager::Systemd.never_gives_up());
    }
}
