//! The commands for launchd. No other file writes its command lines. Pure.
//!
//! Never `load`, `unload`, `start` or `stop`: they predate domains, and `load` always returns 0
//! (launchctl(1), LEGACY SUBCOMMANDS).

use std::path::Path;

use crate::manager::invocation::Invocation;
use crate::manager::launchd::Launchd;
use crate::unit::name::UnitName;

/// `gui/501/computer.parachute.hub`: the label form. The path form fails if the file is missing.
#[must_use]
pub(crate) fn target(launchd: &Launchd, unit: &UnitName) -> String {
    format!("{}/{}", launchd.domain.words(), unit.label())
}

/// `launchctl print`: the state of a job. Its text is "not API in any sense at all": see [`super::parse`].
#[must_use]
pub(crate) fn print(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::ask("launchctl", &["print", &target(launchd, unit)])
}

/// `launchctl print-disabled`: overrides, which survive the plist and reboots.
#[must_use]
pub(crate) fn print_disabled(launchd: &Launchd) -> Invocation {
    Invocation::ask("launchctl", &["print-disabled", &launchd.domain.words()])
}

/// `launchctl bootstrap`: loads the plist, which starts a job with `RunAtLoad`.
#[must_use]
pub(crate) fn bootstrap(launchd: &Launchd, plist: &Path) -> Invocation {
    Invocation::change("launchctl", &["bootstrap", &launchd.domain.words()]).arg(plist)
}

/// `launchctl bootout`: starts to unload. It returns before the job is removed.
#[must_use]
pub(crate) fn bootout(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["bootout", &target(launchd, unit)])
}

/// `launchctl kickstart`: starts a loaded job that does not run. Without `-k`, which would kill a running one.
#[must_use]
pub(crate) fn kickstart(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["kickstart", &target(launchd, unit)])
}

/// `launchctl enable`: removes a disabling override.
#[must_use]
pub(crate) fn enable(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["enable", &target(launchd, unit)])
}

/// `launchctl disable`: an override that survives the plist.
#[must_use]
pub(crate) fn disable(launchd: &Launchd, unit: &UnitName) -> Invocation {
    Invocation::change("launchctl", &["disable", &target(launchd, unit)])
}
