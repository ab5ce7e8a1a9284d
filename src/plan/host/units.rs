//! What a manager says about a unit, as a plan needs it.

use std::path::Path;

use crate::home::exact;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::{Active, Told, UnitState};
use crate::manager::systemd::verbs;
use crate::manager::which::Manager;
use crate::plan::host::HostError;
use crate::plan::observed::{Before, Entry, Read};
use crate::process::table;
use crate::unit::name::UnitName;

/// The unit of a file.
pub(super) fn unit(
    manager: &Manager,
    unit: &UnitName,
    path: &Path,
    entry: Entry,
    state: &UnitState,
) -> Result<Before, HostError> {
    let active = known(&format!("whether {unit} runs"), state.active.clone())?;
    let read = match manager {
        Manager::Systemd(_) => Some(read(unit, path, state)?),
        // It reads a plist when the job is loaded, and that is part of a start.
        Manager::Launchd(_) => None,
    };
    Ok(Before::Unit { entry, read, active })
}

fn read(unit: &UnitName, path: &Path, state: &UnitState) -> Result<Read, HostError> {
    if !known(&format!("whether {unit} is loaded"), state.loaded.clone())? {
        return Ok(Read::Nothing);
    }
    Ok(match &state.file {
        Some(file) if file == path || exact::is_same_file(file, path) => {
            if state.stale {
                Read::Stale
            } else {
                Read::Current
            }
        }
        // The same name under a directory that is a link.
        Some(file) if same_place(file, path) => Read::Stale,
        Some(file) => Read::Elsewhere(file.clone()),
        None => Read::Stale,
    })
}

/// Whether both are one name in one directory.
fn same_place(one: &Path, other: &Path) -> bool {
    one.file_name() == other.file_name()
        && one.parent().zip(other.parent()).is_some_and(|(one, other)| exact::is_same_file(one, other))
}

/// Whether a manager that has just read a unit's file took it; else its own reason.
pub(super) fn accepted(
    manager: &Manager,
    unit: &UnitName,
    path: &Path,
    state: &UnitState,
) -> Result<(), HostError> {
    match (manager, &state.loaded) {
        (Manager::Systemd(_), Told::Known(false)) => {
            let why = match &state.refused {
                Some(why) => why.clone(),
                None if state.masked => "it is masked".to_owned(),
                None => "it does not find it".to_owned(),
            };
            let what = format!("{} does not accept {}: {why}", manager.words(), path.display());
            let next = crate::plan::commands::status(unit, manager);
            Err(HostError::refused(what, Some(&next)))
        }
        _ => Ok(()),
    }
}

/// Whether it starts by itself.
pub(super) fn enabled(unit: &UnitName, state: &UnitState) -> Result<Before, HostError> {
    Ok(Before::Enabled {
        enabled: known(&format!("whether {unit} starts by itself"), state.enabled.clone())?,
        active: known(&format!("whether {unit} runs"), state.active.clone())?,
    })
}

/// Whether it runs, and which life of it.
pub(super) fn running(unit: &UnitName, state: &UnitState) -> Result<Before, HostError> {
    let active = known(&format!("whether {unit} runs"), state.active.clone())?;
    Ok(Before::Running { active, life: state.pid.and_then(|pid| table::identify(pid).ok().flatten()) })
}

/// A unit that failed stays in the manager's lists, even when its file is gone, until it is told otherwise:
/// systemctl(1), reset-failed. It runs no more in either case, so what comes of this is not looked at.
pub(super) async fn forget_failure<R: Runner>(driver: &Driver<R>, unit: &UnitName) {
    let Manager::Systemd(systemd) = &driver.manager else { return };
    if driver.state(unit).await.active == Told::Known(Active::Failed) {
        let _ = driver.runner.run(&verbs::reset_failed(systemd, unit)).await;
    }
}

/// Known, or a refusal to act blindly.
fn known<T>(what: &str, told: Told<T>) -> Result<T, HostError> {
    match told {
        Told::Known(value) => Ok(value),
        Told::Unknown(because) => Err(HostError::refused(format!("{what} cannot be told: {because}"), None)),
    }
}
