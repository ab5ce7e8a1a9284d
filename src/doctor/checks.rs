//! The checks, in display order. Pure: every file of this folder. Pure.

mod drift;
mod home;
mod host;
#[cfg(test)]
mod installations;
mod modules;
mod opens;
mod socket;
#[cfg(test)]
mod tests;
mod unit;

use super::check::Check;
use super::facts::DoctorFacts;

/// All checks. A check that does not apply to this machine is left out.
#[must_use]
pub(crate) fn all(facts: &DoctorFacts) -> Vec<Check> {
    let mut checks = host::checks(facts);
    checks.extend(unit::checks(facts));
    checks.extend(home::checks(facts));
    checks.extend(modules::checks(facts));
    checks.sort_by_key(|check| check.id);
    if facts.install.known().is_some_and(|install| install.manager.is_system()) {
        checks.iter_mut().for_each(as_root);
    }
    checks
}

/// Only root changes a system installation; without root `init` would mean another installation.
fn as_root(check: &mut Check) {
    const CHANGES: [&str; 3] = ["parachute init", "parachute start", "parachute restart"];
    if let Some(next) = &mut check.next
        && CHANGES.iter().any(|verb| next.starts_with(verb))
    {
        next.insert_str(0, "sudo ");
    }
}
