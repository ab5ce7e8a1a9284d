//! The modules: their programs, their state, their last failures.

use std::time::Duration;

use crate::api::wire::{ModuleView, State};
use crate::doctor::check::Check;
use crate::doctor::facts::{DoctorFacts, ModuleProgram};

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let mut out: Vec<Check> = facts.programs.iter().filter_map(program).collect();
    if out.is_empty() && !facts.programs.is_empty() {
        out.push(Check::ok(PROGRAMS, "the hub finds the program of every module"));
    }
    if let Some(status) = &facts.hub {
        let ill: Vec<Check> = status.modules.iter().filter_map(state).collect();
        if ill.is_empty() && !status.modules.is_empty() {
            out.push(Check::ok(STATE, "every module that should run is ready"));
        }
        out.extend(ill);
    }
    out.extend(ports(facts));
    out.extend(crash(facts));
    out
}

/// Where no hub runs: whoever holds a module's port now will be in its way.
fn ports(facts: &DoctorFacts) -> Vec<Check> {
    let held = facts.held.iter().map(|(module, holder)| {
        let next = holder.pid.map_or_else(|| "parachute status".to_owned(), |pid| format!("ps -fp {pid}"));
        let text =
            format!("no hub runs, and port {} of {module} is held by {}", holder.port, holder.phrase());
        Check::warn(PORTS, text, next)
    });
    held.collect()
}

/// When a module last failed; one that is still to come says that a clock was set back since.
fn crash(facts: &DoctorFacts) -> Option<Check> {
    let (module, failure) = facts.failures.first()?;
    Some(if failure.at.since(facts.now) > CLOCK {
        let text = format!("the last failure of {module} is dated {}, which is yet to come", failure.at);
        Check::warn(CRASH, format!("{text}: the clock was set back since"), "date; timedatectl")
    } else {
        Check::ok(CRASH, format!("the last failure of a module was {module}'s, at {}", failure.at))
    })
}

const PROGRAMS: &str = "modules.programs";
const STATE: &str = "modules.ready";
const PORTS: &str = "modules.ports";
const CRASH: &str = "modules.crash";
/// Clocks of one machine do not differ by more.
const CLOCK: Duration = Duration::from_secs(60);

/// Only what a person should know: a program that both find in the same place is well.
fn program(module: &ModuleProgram) -> Option<Check> {
    let ModuleProgram { module, program, in_shell, in_hub } = module;
    let why = format!("parachute why {module}");
    match (in_shell, in_hub) {
        (shell, Some(hub)) if shell.as_ref() == Some(hub) => None,
        (None, Some(_)) => None,
        (Some(shell), Some(hub)) => Some(Check::warn(
            PROGRAMS,
            format!(
                "{module}: `{program}` is {} in your shell and {} in the hub",
                shell.display(),
                hub.display()
            ),
            "parachute init     (writes the unit's PATH anew)",
        )),
        (Some(shell), None) => Some(
            Check::fail(
                PROGRAMS,
                format!(
                    "{module}: the hub does not find `{program}`, which your shell finds at {}",
                    shell.display()
                ),
                "parachute init     (writes the unit's PATH anew)",
            )
            .fixable(),
        ),
        (None, None) => Some(Check::fail(PROGRAMS, format!("{module}: `{program}` is not installed"), why)),
    }
}

fn state(module: &ModuleView) -> Option<Check> {
    let reason = || module.problem.as_ref().map(|p| p.error_description.lines().next().unwrap_or_default());
    let next = || format!("parachute why {}", module.short);
    match module.state {
        State::Crashed => {
            let text = format!("{} has crashed: {}", module.short, reason().unwrap_or("no reason is known"));
            Some(Check::fail(STATE, text, next()))
        }
        State::Running if !module.ready => {
            let text =
                format!("{} runs and is not ready: {}", module.short, reason().unwrap_or(&module.detail));
            Some(Check::warn(STATE, text, next()))
        }
        State::Running | State::Starting | State::Restarting | State::Stopped => None,
    }
}
