//! Whether a service comes back by itself under launchd. Pure.

use super::{Domain, Launchd};
use crate::manager::autostart::{Autostart, INIT, SYSTEM_INIT, no, yes};
use crate::manager::state::{Told, UnitState};

/// What the state of a service means for it.
pub(super) fn autostart(launchd: &Launchd, service: &UnitState) -> Autostart {
    let init = if launchd.domain == Domain::System { SYSTEM_INIT } else { INIT };
    match (&service.enabled, launchd.domain) {
        _ if service.loaded.is_false() && service.file.is_none() => no("no job is installed", init),
        (Told::Known(false), _) => no("disabled override: launchd does not load it", init),
        // Whether or not there is an override: an agent lives with a login.
        (_, Domain::Gui(_)) => no("an agent stops at logout, and starts at login", DAEMON),
        (_, Domain::User(_)) => no("an agent starts at the first login, not at boot", DAEMON),
        (Told::Unknown(because), Domain::System) => Autostart::Unknown { because: because.clone() },
        (Told::Known(true), Domain::System) => yes("a daemon: launchd starts it at boot"),
    }
}

/// The way to be there without a login on macOS.
const DAEMON: &str = "sudo parachute init --scope system";
