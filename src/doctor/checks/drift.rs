//! Whether `init` would write the same unit again. Pure.

use std::path::PathBuf;

use crate::doctor::check::{Check, Id, Mend};
use crate::doctor::fix;
use crate::error_chain::Hints;
use crate::install::facts::{Facts, OnDisk};
use crate::install::planner::{self, InstallRequest};
use crate::install::refusal::InstallRefusal;
use crate::plan::step::Step;
use crate::unit::name::Part;

/// `None`: another check reports why it is unknown.
pub(super) fn check(install: &Facts) -> Option<Check> {
    const ID: Id = Id::UnitCurrent;
    // Whether it could be started now is another question.
    Some(match planner::plan(install, &InstallRequest { start: false, ..fix::again(install) }) {
        Err(
            InstallRefusal::Unfinished { .. }
            | InstallRefusal::Twin { .. }
            | InstallRefusal::OthersPort { .. }
            | InstallRefusal::Edited { .. }
            | InstallRefusal::Foreign { .. }
            | InstallRefusal::NoFile { .. }
            | InstallRefusal::Settings(_),
        ) => return None,
        Err(refusal) => {
            let next = refusal.hint();
            let next = next.unwrap_or_else(|| "parachute init --dry-run".to_owned());
            Check::warn(ID, format!("`init` would refuse: {refusal}"), next)
        }
        Ok(plan) => {
            let files: Vec<PathBuf> = plan.steps.iter().filter_map(|step| changed(step, install)).collect();
            if files.is_empty() {
                return Some(Check::ok(ID, "the unit is what `init` would write now"));
            }
            let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            let text = format!("`init` would now write it differently: {}", list.join(", "));
            Check::warn(ID, text, "parachute init --dry-run").mended_by(Mend::Install)
        }
    })
}

fn changed(step: &Step, install: &Facts) -> Option<PathBuf> {
    // `unit.socket` reports a unit that would be removed.
    let (path, wanted) = match step {
        Step::PutUnit { unit, path, text } if unit.part() == Part::Service => {
            (path, OnDisk::Text(text.clone()))
        }
        _ => return None,
    };
    let is_so = install.units.iter().any(|unit| unit.path == *path && unit.on_disk == wanted);
    (!is_so).then(|| path.clone())
}
