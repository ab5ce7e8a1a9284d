//! From the facts to the plan of the cutover. Pure.
//!
//! The order keeps the downtime short, and is safe at every moment:
//!
//! ```text
//! the unit is written and enabled   all daemons keep running; a power cut from here on leads to the hub
//! stale units are disabled          nothing restarts a daemon
//! the daemons are stopped           captured first, all at once
//! their ports are free              else everything is undone
//! the hub is started                and is healthy, and every module that served is ready, else everything is undone
//! pidfiles are removed
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{Legacy, PortFact, Role, Seen, StaleUnit};
use super::gather::HUB;
use super::judge::{Objection, Ownership, judge, judge_all};
use super::pidfile::{Garbage, Pidfile, Worth};
use super::refusal::CutoverRefusal;
use crate::install::facts::Facts;
use crate::install::planner;
use crate::plan::daemon::Daemon;
use crate::plan::step::Step;
use crate::plan::{Note, Plan, Promise, Verb};
use crate::process::id::ProcessId;
use crate::unit::name::UnitName;

/// Longest wait for ports to become free: their holders have ended by then.
const FREE: Duration = Duration::from_secs(15);
/// What a cutover adds to a module's own start: stop, units, hub (`cargo bench --bench cutover`).
const HANDOVER: &str = "0.1 s";
/// Longest wait for a module that served before.
const READY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CutoverRequest {
    /// The options of the installing part.
    pub install: planner::InstallRequest,
}

/// The result for all processes: which are stopped, and which are left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Daemons of ours, each once.
    pub daemons: Vec<Daemon>,
    /// Every other process, and the reason.
    pub others: Vec<(ProcessId, String, Ownership)>,
    /// Ports that foreign processes hold.
    pub strangers: Vec<(PortFact, Ownership)>,
}

impl Findings {
    /// Whether anything of the detached model is active: a daemon, or a unit that would start one.
    #[must_use]
    pub(crate) fn is_legacy(&self, legacy: &Legacy) -> bool {
        !self.daemons.is_empty() || legacy.units.iter().any(|unit| revives(unit) == Some(true))
    }
}

/// Whether a unit would start its daemon, or runs it; `None`: unknown.
fn revives(unit: &StaleUnit) -> Option<bool> {
    let state = unit.state.as_ref()?;
    if state.enabled.is_true() || state.running().is_true() {
        return Some(true);
    }
    (state.enabled.is_false() && state.running().is_false()).then_some(false)
}

/// Decides about every process and port.
#[must_use]
pub(crate) fn findings(legacy: &Legacy) -> Findings {
    let judged = judge_all(legacy);
    let ours: Vec<(usize, &Role, &Ownership)> = judged
        .iter()
        .enumerate()
        .filter_map(|(at, (role, verdict))| match (role, verdict) {
            (Some(role), Ownership::Ours { .. }) => Some((at, *role, verdict)),
            _ => None,
        })
        .collect();
    let mut daemons = Vec::new();
    for (at, role, verdict) in &ours {
        let seen = &legacy.seen[*at];
        let belongs = ours.iter().any(|(other, its, _)| {
            other != at && its.name == role.name && is_below(seen, &legacy.seen[*other])
        });
        if belongs || kept_by_unit(legacy, seen).is_some() {
            continue;
        }
        let below: Vec<&Seen> = legacy.seen.iter().filter(|other| is_below(other, seen)).collect();
        daemons.push(daemon(legacy, role, seen, &below, &verdict.to_string()));
    }
    let others = legacy
        .seen
        .iter()
        .zip(&judged)
        .filter(|(seen, (_, verdict))| {
            !matches!(verdict, Ownership::Ours { .. }) && !belongs_to(legacy, &daemons, seen)
        })
        .filter(|(seen, (_, verdict))| {
            let supervised = matches!(verdict, Ownership::NotOurs { against: Objection::Supervised(_) });
            let keeps =
                !seen.listens.is_empty() && seen.listens.iter().all(|port| legacy.kept == Some(*port));
            !supervised && !keeps && kept_by_unit(legacy, seen).is_none()
        })
        .map(|(seen, (_, verdict))| (seen.id.clone(), seen.command.clone(), verdict.clone()))
        .collect();
    let strangers = legacy
        .ports
        .iter()
        .filter(|port| legacy.kept != Some(port.port))
        .filter_map(|port| stranger(legacy, &daemons, port).map(|verdict| (port.clone(), verdict)))
        .collect();
    Findings { daemons, others, strangers }
}

fn daemon(legacy: &Legacy, role: &Role, seen: &Seen, below: &[&Seen], why: &str) -> Daemon {
    let mut ports: BTreeSet<u16> = seen.listens.iter().copied().collect();
    ports.extend(below.iter().flat_map(|other| &other.listens));
    // A pidfile that names another process must not be rewritten for this one.
    let pidfile = legacy.pidfiles.iter().find(|pidfile| {
        pidfile.of == role.name && !matches!(&pidfile.worth, Worth::Names { id } if *id != seen.id)
    });
    Daemon {
        name: role.name.clone(),
        leader: seen.id.clone(),
        below: below.iter().map(|other| other.id.clone()).collect(),
        number: left_behind(pidfile, seen),
        uid: seen.uid,
        command: seen.command.clone(),
        ports: ports.into_iter().collect(),
        why: why.to_owned(),
        pidfile: pidfile.map(|pidfile| pidfile.path.clone()),
        port_file: legacy.port_file.clone().filter(|_| role.name == HUB),
        grace_ms: role.grace_ms,
    }
}

/// The group or session of a leader that its pidfile still names, and that has ended.
fn left_behind(pidfile: Option<&Pidfile>, seen: &Seen) -> Option<u32> {
    let pidfile = pidfile.filter(|pidfile| pidfile.worth == Worth::Garbage { why: Garbage::Dead })?;
    pidfile.pid.filter(|pid| *pid != seen.id.pid && (seen.group == *pid || seen.session == *pid))
}

/// Whether one was started by the other, or is in a group or session that the other leads.
fn is_below(seen: &Seen, other: &Seen) -> bool {
    seen.id != other.id
        && (seen.above.contains(&other.id.pid) || seen.group == other.id.pid || seen.session == other.id.pid)
}

fn belongs_to(legacy: &Legacy, daemons: &[Daemon], seen: &Seen) -> bool {
    daemons.iter().any(|daemon| {
        daemon.leader == seen.id
            || daemon.number.is_some_and(|number| seen.group == number || seen.session == number)
            || legacy.seen.iter().any(|other| other.id == daemon.leader && is_below(seen, other))
    })
}

/// The unit whose main process it is, or whose main process started it.
fn kept_by_unit<'a>(legacy: &'a Legacy, seen: &Seen) -> Option<&'a StaleUnit> {
    legacy.units.iter().find(|unit| {
        let pid = unit.state.as_ref().and_then(|state| state.pid);
        pid.is_some_and(|pid| pid == seen.id.pid || seen.above.contains(&pid))
    })
}

/// Why the holder of a port is not ours; `None`: it is, or it runs under a supervisor of this home.
fn stranger(legacy: &Legacy, daemons: &[Daemon], port: &PortFact) -> Option<Ownership> {
    let nothing = Ownership::CannotTell { clues: Vec::new() };
    if port.holders.is_empty() {
        return Some(nothing);
    }
    let judged = judge_all(legacy);
    port.holders.iter().find_map(|id| {
        let Some(at) = legacy.seen.iter().position(|seen| seen.id == *id) else {
            return Some(nothing.clone());
        };
        let seen = &legacy.seen[at];
        let verdict = &judged[at].1;
        let fine = belongs_to(legacy, daemons, seen)
            || kept_by_unit(legacy, seen).is_some()
            || matches!(
                verdict,
                Ownership::NotOurs { against: Objection::Supervised(module) } if *module == port.of
            );
        (!fine).then(|| verdict.clone())
    })
}

/// Plans the cutover. `facts` are those of `init` on the same machine.
///
/// # Errors
/// [`CutoverRefusal`]: what the user must decide first. Nothing would be stopped before that.
pub(crate) fn plan(legacy: &Legacy, facts: &Facts, request: &CutoverRequest) -> Result<Plan, CutoverRefusal> {
    if let Some(broken) = &legacy.broken {
        return Err(CutoverRefusal::NotWhole(broken.clone()));
    }
    let found = findings(legacy);
    if let Some(name) = inside(legacy) {
        return Err(CutoverRefusal::Inside(name));
    }
    for unit in &legacy.units {
        // If its manager is not available, nothing of it runs.
        let runs = unit.state.as_ref().is_some_and(|state| !state.running().is_false());
        if let (Some(by_hand), true) = (&unit.by_hand, runs) {
            return Err(CutoverRefusal::OtherUnit {
                name: unit.unit.plain().to_owned(),
                path: unit.path.clone(),
                by_hand: by_hand.clone(),
            });
        }
    }
    // The hub's future port: a process on a port that only a detached hub might have had is in no way.
    let own = request.install.port.unwrap_or(facts.settings.port);
    let in_the_way = |port: &PortFact| port.of != HUB || port.port == own;
    if let Some((port, verdict)) = found.strangers.iter().find(|(port, _)| in_the_way(port)) {
        return Err(CutoverRefusal::Stranger {
            port: port.port,
            of: port.of.clone(),
            occupant: Box::new(port.occupant.clone()),
            verdict: verdict.clone(),
        });
    }
    let mut install = facts.clone();
    let judged = legacy.ports.iter().any(|port| port.of == HUB && port.port == own);
    let going = found.daemons.iter().any(|daemon| daemon.ports.contains(&own));
    if legacy.kept.is_none() && (judged || going) {
        // Held by the detached hub, which is stopped: any other holder was refused above.
        install.holder = None;
    }
    let mut plan = planner::plan(&install, &request.install)?;
    plan.verb = Verb::Migrate;
    let starts = |step: &Step| matches!(step, Step::SetRunning { running: true, .. });
    let at = plan.steps.iter().position(starts).unwrap_or(plan.steps.len());
    let rest = plan.steps.split_off(at);
    let (disable, served_by_units) = stale(&legacy.units);
    plan.steps.extend(disable);
    let mut ports: BTreeSet<u16> = found.daemons.iter().flat_map(|daemon| daemon.ports.clone()).collect();
    ports.extend(legacy.ports.iter().filter(|port| served_by_units.contains(&port.of)).map(|port| port.port));
    if !found.daemons.is_empty() {
        // A plan stops and removes a socket unit of an earlier version before it ends a daemon.
        let replaced_by = vec![UnitName::hub()];
        plan.steps.push(Step::StopDaemons { daemons: found.daemons.clone(), replaced_by });
    }
    if !ports.is_empty() {
        plan.steps.push(Step::AwaitPortsFree { ports: ports.into_iter().collect(), within: FREE });
    }
    let served = served(&found, &served_by_units);
    for step in rest {
        if matches!(step, Step::AwaitModules { .. }) && !served.is_empty() {
            plan.steps.push(Step::AwaitReady { modules: served.clone(), within: READY });
        }
        plan.steps.push(step);
    }
    for pidfile in legacy.pidfiles.iter().filter(|pidfile| is_spent(pidfile, &found.daemons)) {
        plan.steps.push(Step::RemoveFile { path: pidfile.path.clone() });
    }
    say(&mut plan, legacy, &found, &served);
    Ok(plan)
}

/// A daemon that is an ancestor of this command: it would be ours otherwise.
fn inside(legacy: &Legacy) -> Option<String> {
    let above = |seen: &&Seen| seen.ourselves;
    legacy.seen.iter().filter(above).find_map(|seen| {
        let seen = Seen { ourselves: false, ..seen.clone() };
        let ours = |role: &&Role| matches!(judge(legacy, role, &seen), Ownership::Ours { .. });
        legacy.roles.iter().find(ours).map(|role| role.name.clone())
    })
}

/// The steps that disable the units of the manager that we drive, and the modules they ran.
fn stale(units: &[StaleUnit]) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut served) = (Vec::new(), Vec::new());
    for unit in units.iter().filter(|unit| unit.by_hand.is_none()) {
        let Some(state) = &unit.state else { continue };
        if !state.enabled.is_false() {
            steps.push(Step::SetEnabled { unit: unit.unit.clone(), enabled: false });
        }
        if !state.running().is_false() {
            steps.push(Step::SetRunning { unit: unit.unit.clone(), running: false });
            served.push(unit.unit.plain().to_owned());
        }
    }
    (steps, served)
}

/// Modules that serve now, and so must serve afterwards.
fn served(found: &Findings, by_units: &[String]) -> Vec<String> {
    let daemons = found.daemons.iter().map(|daemon| &daemon.name).filter(|name| *name != HUB);
    let all: BTreeSet<&String> = daemons.chain(by_units).collect();
    all.into_iter().cloned().collect()
}

/// Whether a pidfile is obsolete once the daemons are stopped.
fn is_spent(pidfile: &Pidfile, daemons: &[Daemon]) -> bool {
    match &pidfile.worth {
        Worth::Names { id } => daemons.iter().any(|daemon| daemon.leader == *id),
        Worth::Garbage { .. } => true,
        Worth::Unknown { .. } => false,
    }
}

fn say(plan: &mut Plan, legacy: &Legacy, found: &Findings, served: &[String]) {
    for pidfile in &legacy.pidfiles {
        let path = pidfile.path.display();
        match &pidfile.worth {
            Worth::Names { .. } => {}
            Worth::Garbage { why } => plan.notes.push(Note::new(format!("{path} names no process: {why}"))),
            Worth::Unknown { because } => {
                plan.notes.push(Note::new(format!("{path} is left alone: {because}")));
            }
        }
    }
    for (id, command, verdict) in &found.others {
        plan.notes.push(Note::new(format!("{id} ({command}) is left alone: {verdict}")));
    }
    for unit in legacy.units.iter().filter(|unit| revives(unit) != Some(false)) {
        if let Some(by_hand) = &unit.by_hand {
            let text = format!("{} would start {} again at the next boot", unit.path.display(), unit.unit);
            plan.notes.push(Note { text, hint: Some(by_hand.clone()) });
        }
    }
    if !served.is_empty() {
        let worst = found.daemons.iter().map(|daemon| daemon.grace_ms).max().unwrap_or(0);
        let each: Vec<String> = served.iter().map(|name| format!("{name} {HANDOVER}")).collect();
        plan.notes.push(Note::new(format!(
            "estimated downtime: {}, plus each one's own start; up to {} s more if one ignores SIGTERM",
            each.join(", "),
            worst / 1000
        )));
    }
    if let Some(back) = plan.promises.last_mut() {
        *back = Promise("`parachute migrate --teardown --back-to-detached` undoes all of this".to_owned());
    }
    if !found.daemons.is_empty() {
        plan.promises.insert(
            0,
            Promise("if anything fails, what runs now is started again exactly as it runs now".to_owned()),
        );
    }
}

#[cfg(test)]
mod tests;
