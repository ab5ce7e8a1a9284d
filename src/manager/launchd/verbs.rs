//! What is typed to launchd. The only place where its command lines are spelled.
//!
//! Never `load`, `unload`, `start` or `stop`: they are of the time before domains, and `load` returns 0 whatever
//! happened (launchctl(1), LEGACY SUBCOMMANDS).

use std::path::Path;

use crate::manager::invocation::Invocation;
use crate::manager::launchd::Launchd;
use crate::unit::name::UnitName;

/// `gui/501/computer.parachute.hub`: the label form. The path form fails when the file is gone.
#[must_use]
pub fn target(launchd: &Launchd, unit: &UnitName) -> String {
    format!("{}/{}", launchd.domain.words(), unit.label())
}

/// `launchctl print`: what is known of a job. Its text is "not API in any sense at all": see [`super::parse`].
#[must_use]
pub fn print(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::ask("launchctl", &["print", &target(launchd, unit)])
}

/// `launchctl print-disabled`: overrides, which outlive plists and reboots.
#[must_use]
pub fn print_disabled(launchd: &Launchd) -> Invocation {
    Invocation::ask("launchctl", &["print-disabled", &launchd.domain.words()])
}

/// `launchctl bootstrap`: loads the plist, which starts a job with `RunAtLoad`.
#[must_use]
pub fn bootstrap(launchd: &Launchd, plist: &Path) -> Invocation {
    Invocation::change("launchctl", &["bootstrap", &launchd.domain.words()]).arg(plist)
}

/// `launchctl bootout`: begins to unload. It returns before the job is gone.
#[must_use]
pub fn bootout(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["bootout", &target(launchd, unit)])
}

/// `launchctl kickstart`: starts a loaded job that does not run. Without `-k`, which would kill one that does.
#[must_use]
pub fn kickstart(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["kickstart", &target(launchd, unit)])
}

/// `launchctl enable`: takes a disabling override back.
#[must_use]
pub fn enable(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["enable", &target(launchd, unit)])
}

/// `launchctl disable`: an override that outlives the plist.
#[must_use]
pub fn disable(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["disable", &target(launchd, unit)])
}
