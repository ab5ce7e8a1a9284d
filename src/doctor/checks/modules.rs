//! The modules: their programs, their state, their last failures. Pure.

use std::time::Duration;

use crate::api::wire::{ModuleView, State};
use crate::doctor::check::{Check, Id, Mend, found_or};
use crate::doctor::facts::{DoctorFacts, Start};

/// A failure that is younger than this is reported.
const NEWS: Duration = Duration::from_secs(60 * 60);
/// The command that writes the unit's PATH again.
const ANEW: &str = "parachute init     (rewrites the unit's PATH)";

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let mut out = Vec::new();
    if !facts.starts.is_empty() {
        let programs = facts.starts.iter().filter_map(program).collect();
        out.extend(found_or(programs, Id::ModulesPrograms, "the hub finds the program of every module"));
        let paths = facts.starts.iter().filter_map(path).collect();
        out.extend(found_or(paths, Id::ModulesPath, "your shell and the hub find the same programs"));
    }
    if let Some(status) = facts.hub.as_ref().filter(|status| !status.modules.is_empty()) {
        let ill = status.modules.iter().filter_map(state).collect();
        out.extend(found_or(ill, Id::ModulesReady, "every module that should run is ready"));
    }
    out.extend(ports(facts));
    if facts.hub.is_none() && !facts.starts.is_empty() {
        let left = facts
            .left
            .iter()
            .map(|left| Check::warn(Id::ModulesLeft, left.clone(), "parachute stop --all --without-hub"));
        out.extend(found_or(left.collect(), Id::ModulesLeft, "no module runs without a hub"));
    }
    out.extend(crash(facts));
    out
}

fn program(start: &Start) -> Option<Check> {
    const ID: Id = Id::ModulesPrograms;
    let module = &start.module;
    let program = match &start.program {
        Ok(program) => program,
        Err(trouble) => {
            return Some(Check::fail(ID, format!("{module}: {}", trouble.message), trouble.next.clone()));
        }
    };
    match (&start.in_shell, &start.in_hub) {
        (_, Some(_)) => None,
        (Some(shell), None) => {
            let text = format!(
                "{module}: the hub does not find `{program}`, which your shell finds at {}",
                shell.display()
            );
            Some(Check::fail(ID, text, ANEW).mended_by(Mend::Install))
        }
        (None, None) => Some(Check::fail(
            ID,
            format!("{module}: `{program}` is not found on any PATH"),
            format!("command -v {program}"),
        )),
    }
}

/// Only differences that matter: a program that only the hub finds is fine.
fn path(start: &Start) -> Option<Check> {
    match (&start.program, &start.in_shell, &start.in_hub) {
        (Ok(program), Some(shell), Some(hub)) if shell != hub => {
            let (module, shell, hub) = (&start.module, shell.display(), hub.display());
            let text = format!("{module}: `{program}` is {shell} in your shell and {hub} in the hub");
            Some(Check::warn(Id::ModulesPath, text, ANEW))
        }
        _ => None,
    }
}

fn state(module: &ModuleView) -> Option<Check> {
    const ID: Id = Id::ModulesReady;
    let reason = module.problem.as_ref().and_then(|problem| problem.error_description.lines().next());
    let (name, reason) = (&module.short, reason.unwrap_or(&module.detail));
    let next = format!("parachute why {name}");
    match module.state {
        State::Crashed => Some(Check::fail(ID, format!("{name} is down: {reason}"), next)),
        State::Running if !module.ready => {
            Some(Check::warn(ID, format!("{name} runs and is not ready: {reason}"), next))
        }
        State::Running | State::Starting | State::Restarting | State::Stopped => None,
    }
}

/// A process that holds a module's port while no hub runs will block the module.
fn ports(facts: &DoctorFacts) -> Vec<Check> {
    const ID: Id = Id::ModulesPorts;
    if facts.hub.is_some() || facts.starts.is_empty() {
        return Vec::new();
    }
    let held = facts.held.iter().map(|(module, occupant)| {
        let next = occupant.look().unwrap_or_else(|| "parachute status".to_owned());
        let port = occupant.holder.port;
        Check::warn(ID, format!("port {port} of {module} is held by {}", occupant.words()), next)
    });
    found_or(held.collect(), ID, "the ports of all modules are free or their own")
}

fn crash(facts: &DoctorFacts) -> Option<Check> {
    const ID: Id = Id::ModulesCrash;
    if facts.starts.is_empty() {
        return None;
    }
    let Some((module, failure)) = facts.failures.first() else {
        return Some(Check::ok(ID, "no module has a failure on record"));
    };
    let next = format!("parachute why {module}");
    if failure.at > facts.now {
        let text = format!("the last failure, of {module}, is dated {}: a clock was set back", failure.at);
        return Some(Check::warn(ID, text, next));
    }
    let text = format!("the last failure was {module}'s, at {}", failure.at);
    Some(if facts.now.since(failure.at) < NEWS { Check::warn(ID, text, next) } else { Check::ok(ID, text) })
}
