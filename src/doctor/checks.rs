//! The checks, in the order in which they are shown. All pure.

mod home;
mod host;
mod modules;
mod unit;

use super::check::Check;
use super::facts::DoctorFacts;

/// Every id, with what it asks. Stable: scripts know them.
pub const IDS: [(&str, &str); 19] = [
    ("manager", "a service manager can be used here"),
    ("older", "no daemon of the older, detached model runs"),
    ("linger", "your services run without a login (systemd, user scope)"),
    ("port", "the hub's port is the hub's, or free"),
    ("disk", "there is room on the file system of the home"),
    ("unit.installed", "the unit on disk is the one that was installed"),
    ("unit.loaded", "the manager has loaded exactly that unit"),
    ("unit.running", "the hub runs, and has not been restarted by its manager"),
    ("unit.current", "this version would write the same unit again"),
    ("unit.twins", "no second unit would start a hub of this home"),
    ("boot", "the hub starts by itself"),
    ("program", "the unit runs this build, from a path that stays"),
    ("home.private", "nobody else can read what is private"),
    ("home.services", "services.json is whole"),
    ("home.logs", "logs have not grown out of bounds"),
    ("modules.programs", "the hub finds the program of every module, and the same as your shell"),
    ("modules.ready", "every module that should run is ready"),
    ("modules.ports", "nobody else holds a module's port (asked where no hub runs)"),
    ("modules.crash", "when a module last failed, and that the clock has not been set back since"),
];

/// All checks. One that means nothing on this machine is not there.
#[must_use]
pub fn all(facts: &DoctorFacts) -> Vec<Check> {
    let mut checks = host::checks(facts);
    checks.extend(unit::checks(facts));
    checks.extend(home::checks(facts));
    checks.extend(modules::checks(facts));
    checks
}

#[cfg(test)]
mod tests;
