//! A service manager's report about a unit, as an observation of a plan.

use std::path::Path;

use crate::home::nofollow;
use crate::manager::backend::Manager;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::{Active, Told, UnitState};
use crate::plan::commands;
use crate::plan::host::HostError;
use crate::plan::observed::{Entry, Observed, UnitRead};
use crate::process::table;
use crate::unit::name::UnitName;

/// A unit, with the file that has its name.
pub(super) fn unit(
    manager: &Manager,
    unit: &UnitName,
    path: &Path,
    entry: Entry,
    state: &UnitState,
) -> Result<Observed, HostError> {
    let active = known(&format!("whether {unit} runs"), state.active.clone())?;
    let read = if manager.keeps_definitions() { Some(read(unit, path, state)?) } else { None };
    Ok(Observed::Unit { entry, read, active })
}

fn read(unit: &UnitName, path: &Path, state: &UnitState) -> Result<UnitRead, HostError> {
    if !known(&format!("whether {unit} is loaded"), state.loaded.clone())? {
        return Ok(UnitRead::Nothing);
    }
    Ok(match &state.file {
        Some(file) if file == path || nofollow::is_same_file(file, path) => {
            if state.stale {
                UnitRead::Stale
            } else {
                UnitRead::Current
            }
        }
        // The same file name in the same directory, reached through a link.
        Some(file) if same_place(file, path) => UnitRead::Stale,
        Some(file) => UnitRead::Elsewhere(file.clone()),
        None => UnitRead::Stale,
    })
}

/// Whether both are the same file name in the same directory.
fn same_place(one: &Path, other: &Path) -> bool {
    one.file_name() == other.file_name()
        && one.parent().zip(other.parent()).is_some_and(|(one, other)| nofollow::is_same_file(one, other))
}

/// Whether the manager accepts a unit whose file it has just read.
///
/// # Errors
/// [`HostError::Refused`] with the manager's reason.
pub(super) fn accepted(
    manager: &Manager,
    unit: &UnitName,
    path: &Path,
    state: &UnitState,
) -> Result<(), HostError> {
    match &state.loaded {
        Told::Known(false) if manager.keeps_definitions() => {
            let why = match &state.refused {
                Some(why) => why.clone(),
                None if state.masked => "it is masked".to_owned(),
                None => "its program is not found".to_owned(),
            };
            let what = format!("{} does not accept {}: {why}", manager.words(), path.display());
            let hint = commands::status(unit, manager);
            Err(HostError::refused(what, Some(&hint)))
        }
        _ => Ok(()),
    }
}

pub(super) fn enabled(unit: &UnitName, state: &UnitState) -> Result<Observed, HostError> {
    Ok(Observed::Enabled {
        enabled: known(&format!("whether {unit} is enabled"), state.enabled.clone())?,
        active: known(&format!("whether {unit} runs"), state.active.clone())?,
    })
}

/// Whether a unit runs, and its main process; of a socket, also whether its service runs.
pub(super) fn running(
    unit: &UnitName,
    state: &UnitState,
    service: Option<&UnitState>,
) -> Result<Observed, HostError> {
    let active = known(&format!("whether {unit} runs"), state.active.clone())?;
    let of_service =
        |state: &UnitState| known(&format!("whether {} runs", unit.service()), state.active.clone());
    Ok(Observed::Running {
        active,
        process: state.pid.and_then(|pid| table::identify(pid).ok().flatten()),
        service: service.map(of_service).transpose()?,
    })
}

/// Resets the failed state of a unit. Otherwise systemd keeps it in its lists, even without a file: systemctl(1),
/// reset-failed. The unit has stopped in any case, so an error here is ignored.
pub(super) async fn forget_failure<R: Runner>(driver: &Driver<R>, unit: &UnitName) {
    let Some(forget) = driver.manager.forget_failure(unit) else { return };
    if driver.state(unit).await.active == Told::Known(Active::Failed) {
        let _ = driver.runner.run(&forget).await;
    }
}

/// The value, if it is known; else an error, because nothing may be done on a guess.
fn known<T>(what: &str, told: Told<T>) -> Result<T, HostError> {
    match told {
        Told::Known(value) => Ok(value),
        Told::Unknown(because) => Err(HostError::refused(format!("{what} is unknown: {because}"), None)),
    }
}
