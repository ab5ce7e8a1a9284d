//! What `doctor --fix` would do: the plan that mends what can be mended. Pure.

use super::facts::{DoctorFacts, Drift};
use crate::install::planner::{self, Request};
use crate::install::refusal::Refusal;
use crate::plan::step::Step;
use crate::plan::{Plan, Verb};
use crate::unit::name::Part;

/// Plans it. What is installed is brought to what `init` would write, modes lose what they may not have; nothing is
/// installed that was not, and nothing is started that does not run.
///
/// # Errors
/// [`Refusal`]: a person must decide first.
pub fn plan(facts: &DoctorFacts) -> Result<Plan, Refusal> {
    let mut plan = Plan::new(Verb::Fix);
    if let (Ok(install), true) = (&facts.install, facts.drift != Drift::NotInstalled) {
        let service = install.units.iter().find(|unit| unit.unit.part() == Part::Service);
        let start = service.is_some_and(|unit| unit.state.running().is_true());
        plan = planner::plan(install, &Request { start, ..Request::default() })?;
        plan.verb = Verb::Fix;
    }
    let open = facts.private.iter().filter(|file| file.excess() != 0);
    let modes = open.map(|file| Step::SetMode { path: file.path.clone(), mode: file.mode & !file.excess() });
    plan.steps.splice(0..0, modes);
    Ok(plan)
}
