//! From findings to the plan that repairs them. Pure.

use super::check::{Check, Mend};
use super::facts::DoctorFacts;
use crate::error_chain::Hints;
use crate::install::facts::{Facts, OnDisk};
use crate::install::planner::{self, InstallRequest};
use crate::manager::state::{Active, Told};
use crate::plan::step::Step;
use crate::plan::{Note, Plan, Verb};
use crate::unit::name::Part;

/// The plan. What `init` would refuse is refused here too, in a note; the rest is repaired.
#[must_use]
pub(crate) fn plan(facts: &DoctorFacts, checks: &[Check]) -> Plan {
    let mut plan = Plan::new(Verb::Fix);
    let mends: Vec<&Mend> = checks.iter().filter_map(|check| check.mend.as_ref()).collect();
    for mend in &mends {
        if let Mend::Mode { path, mode } = mend {
            plan.steps.push(Step::SetMode { path: path.clone(), mode: *mode });
        }
    }
    let Some(install) = facts.install.known() else { return plan };
    let mut linger = mends.contains(&&Mend::Linger);
    if mends.contains(&&Mend::Install) {
        match planner::plan(install, &InstallRequest { linger, ..again(install) }) {
            Ok(init) => {
                plan.steps.extend(init.steps);
                plan.promises = init.promises;
                plan.notes = init.notes;
                linger = false;
            }
            Err(refusal) => {
                let text = format!("the unit is not repaired: {refusal}");
                plan.notes.push(Note { text, hint: refusal.hint() });
            }
        }
    }
    if linger {
        plan.steps.push(Step::SetLinger { user: install.person.name.clone(), on: true });
    }
    plan
}

/// The options of `init` that reproduce the present installation: a stopped hub stays stopped.
#[must_use]
pub(crate) fn again(install: &Facts) -> InstallRequest {
    let mut services = install.units.iter().filter(|unit| unit.unit.part() == Part::Service);
    let is_there = services.any(|unit| unit.on_disk != OnDisk::Nothing);
    let is_down = install.units.iter().all(|unit| {
        matches!(unit.state.active, Told::Known(Active::Stopped | Active::Stopping | Active::Idle))
    });
    InstallRequest { start: !(is_there && is_down), ..InstallRequest::default() }
}
