//! The checks, in the order in which they are shown. All pure.

mod home;
mod host;
mod modules;
mod unit;

use super::check::Check;
use super::facts::DoctorFacts;

/// All checks. A check that means nothing on this machine is not there.
#[must_use]
pub fn all(facts: &DoctorFacts) -> Vec<Check> {
    let mut checks = host::checks(facts);
    checks.extend(unit::checks(facts));
    checks.extend(home::checks(facts));
    checks.extend(modules::checks(facts));
    checks
}
