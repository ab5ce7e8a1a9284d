//! From facts and a request to the plan that installs the hub. Pure.

use std::time::Duration;

use super::facts::{Facts, OnDisk, UnitFacts};
use super::layout::{self, Layout, layout};
use super::refusal::{Asker, InstallRefusal};
use super::search_path::{SearchPath, search_path};
use super::socket_unit;
use crate::home::paths::Home;
use crate::plan::step::Step;
use crate::plan::{Note, Plan, Promise, Verb};
use crate::unit::bind::Binding;
use crate::unit::descriptor::Descriptor;
use crate::unit::name::UnitName;
use crate::unit::overrides::{self, Overrides};
use crate::unit::render::{Rendered, render};

/// Longest wait for the hub to answer: longer than the unit's own start limit.
const HEALTHY: Duration = Duration::from_secs(60);
/// Longest wait for its modules.
const MODULES: Duration = Duration::from_secs(60);

/// The request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallRequest {
    /// Replace a unit that we did not write, or that was changed.
    pub force: bool,
    /// Replace the installation of another user, or of another home.
    pub take_over: bool,
    /// Start it now.
    pub start: bool,
    /// Let the user's manager run without a login.
    pub linger: bool,
    /// The hub's port; `None`: as in hub.toml.
    pub port: Option<u16>,
}

impl Default for InstallRequest {
    fn default() -> Self {
        Self { force: false, take_over: false, start: true, linger: true, port: None }
    }
}

/// Plans the installation.
///
/// # Errors
/// [`InstallRefusal`]: what the user must decide first.
pub fn plan(facts: &Facts, request: &InstallRequest) -> Result<Plan, InstallRefusal> {
    refuse(facts, request)?;
    let home = Home::at(facts.home.root.clone());
    let layout = layout(&facts.manager, &home, &facts.person.home);
    let SearchPath { path, notes } = search_path(&facts.search, &facts.needs);
    let port = request.port.unwrap_or(facts.settings.port);
    let overrides = overrides::parse(&facts.settings.text)
        .map_err(|error| InstallRefusal::Settings(format!("hub.toml, {error}")))?;
    let rendered = rendered(facts, &overrides, &layout, path, port)?;
    let mut plan = Plan::new(Verb::Init);
    if let Some(others) = &facts.others {
        plan.covers = true;
        plan.notes.push(Note::new(others.ends()));
    }
    plan.notes.extend(notes.into_iter().map(Note::new));
    plan.notes.extend(facts.home.hub_env.as_ref().map(|refused| Note {
        text: format!("no module will be started: {refused}"),
        hint: Some(refused.next.clone()),
    }));

    let wanted: Vec<(&Rendered, &UnitFacts)> = rendered
        .iter()
        .filter_map(|file| facts.units.iter().find(|unit| unit.unit == file.unit).map(|unit| (file, unit)))
        .collect();
    if overrides.socket == Some(true) {
        plan.notes
            .push(Note::new("hub.toml: `socket` under [unit] has no effect: the hub opens its port itself"));
    }
    let replace = request.force || facts.others.is_some();
    for (file, unit) in &wanted {
        owned(file, unit, replace)?;
        for drop_in in &unit.state.drop_ins {
            plan.notes.push(Note::new(format!("{} changes {} and is kept", drop_in.display(), file.unit)));
        }
    }
    let socket = socket_unit::removal(facts, replace)?;
    plan.notes.extend(socket.notes.iter().cloned());

    for (path, mode) in &layout.dirs {
        plan.steps.push(Step::MakeDir { path: path.clone(), mode: *mode });
    }
    let changed =
        wanted.iter().any(|(file, old)| old.state.stale || old.on_disk != OnDisk::Text(file.text.clone()));
    // A running hub uses neither new text nor a new program before it is restarted. Stopped here and started below,
    // so that the reverse order is right too. Also planned for a stopped hub: a boot in the middle of the plan may
    // start it.
    plan.steps.extend(socket.stops());
    if changed || socket.of.is_some() || !facts.program.same {
        plan.steps.push(Step::SetRunning { unit: UnitName::hub(), running: false });
    }
    plan.steps.extend(socket.removes());
    plan.steps.push(Step::PutFile {
        path: facts.program.path.clone(),
        mode: 0o755,
        content: facts.program.content.clone(),
    });
    for (file, unit) in &wanted {
        plan.steps.push(Step::PutUnit {
            unit: file.unit.clone(),
            path: unit.path.clone(),
            text: file.text.clone(),
        });
    }
    for (file, _) in &wanted {
        plan.steps.push(Step::SetEnabled { unit: file.unit.clone(), enabled: true });
    }
    if request.linger && facts.linger.is_some() {
        plan.steps.push(Step::SetLinger { user: facts.person.name.clone(), on: true });
    }
    if request.start {
        for (file, _) in &wanted {
            plan.steps.push(Step::SetRunning { unit: file.unit.clone(), running: true });
        }
        plan.steps.push(Step::AwaitHealthy { within: HEALTHY });
        plan.steps.push(Step::AwaitModules { within: MODULES });
    }
    promises(&mut plan, facts, request, port);
    Ok(plan)
}

/// Refuses to replace the installation of another user, or of another home, unless requested. A plan that its owner
/// has not finished is left to the owner.
///
/// # Errors
/// [`InstallRefusal::OthersPlan`], [`InstallRefusal::Others`].
pub fn respect_others(facts: &Facts, take_over: bool) -> Result<(), InstallRefusal> {
    let Some(others) = &facts.others else { return Ok(()) };
    let owner = others.owner.clone();
    let asking = Asker::new(&facts.person, &facts.home.root, &facts.manager, &owner);
    match (&facts.unfinished, others.open) {
        (Some(verb), true) => {
            Err(InstallRefusal::OthersPlan { owner, verb: verb.clone(), asking: Box::new(asking) })
        }
        _ if take_over => Ok(()),
        _ => Err(InstallRefusal::Others { owner, asking: Box::new(asking) }),
    }
}

/// Obstacles to any plan.
fn refuse(facts: &Facts, request: &InstallRequest) -> Result<(), InstallRefusal> {
    respect_others(facts, request.take_over)?;
    if let Some(verb) = &facts.unfinished {
        return Err(InstallRefusal::Unfinished { verb: verb.clone() });
    }
    if let Some(broken) = &facts.settings.broken {
        return Err(InstallRefusal::Settings(broken.clone()));
    }
    if let Some(owner) = facts.home.owner.filter(|owner| *owner != facts.person.uid) {
        return Err(InstallRefusal::HomeOwner {
            home: facts.home.root.clone(),
            owner,
            person: facts.person.name.clone(),
        });
    }
    if let Some(twin) = facts.twins.first() {
        let (path, remove, owner) = (twin.path.clone(), twin.remove.clone(), twin.owner.clone());
        return Err(match owner {
            None => InstallRefusal::Twin { path, remove },
            Some(owner) => InstallRefusal::OthersPort {
                port: request.port.unwrap_or(facts.settings.port),
                owner,
                path,
                other: remove,
            },
        });
    }
    let kept = facts.units.iter().any(|unit| !unit.state.running().is_false());
    if let Some(hub) = facts.hub.as_ref().filter(|_| !kept && request.start) {
        return Err(InstallRefusal::ForegroundHub { pid: hub.pid, port: hub.port });
    }
    if let Some(holder) = facts.holder.as_ref().filter(|holder| !holder.ours && request.start) {
        let port = request.port.unwrap_or(facts.settings.port);
        return Err(InstallRefusal::PortHeld { port, occupant: Box::new(holder.occupant.clone()) });
    }
    Ok(())
}

/// The units' text for this machine.
fn rendered(
    facts: &Facts,
    overrides: &Overrides,
    layout: &Layout,
    path: std::ffi::OsString,
    port: u16,
) -> Result<Vec<Rendered>, InstallRefusal> {
    let binding = Binding {
        bin: layout.program.clone(),
        home: facts.home.root.clone(),
        person: Some(facts.person.name.clone()),
        person_home: Some(facts.person.home.clone()),
        port,
        path,
        log_dir: layout::log_dir(&facts.manager.target(), &Home::at(facts.home.root.clone())),
    };
    let unit = Descriptor::embedded("hub")
        .ok_or_else(|| InstallRefusal::Settings("this build has no descriptor of the hub".to_owned()))?
        .bind(&binding, overrides)?;
    Ok(render(&unit, &facts.manager.target())?)
}

/// A unit that we did not write, or that was changed, is only replaced on request.
fn owned(file: &Rendered, unit: &UnitFacts, replace: bool) -> Result<(), InstallRefusal> {
    let path = || unit.path.clone();
    match (&unit.on_disk, &unit.written) {
        (OnDisk::Nothing, _) => Ok(()),
        (OnDisk::Other(_), _) => Err(InstallRefusal::NoFile { path: path() }),
        (OnDisk::Text(text), _) if *text == file.text => Ok(()),
        (OnDisk::Text(text), Some(written)) if text == written => Ok(()),
        (OnDisk::Text(_), _) if replace => Ok(()),
        (OnDisk::Text(_), Some(_)) => Err(InstallRefusal::Edited { path: path() }),
        (OnDisk::Text(_), None) => Err(InstallRefusal::Foreign { path: path() }),
    }
}

/// What will be true when all steps are done.
fn promises(plan: &mut Plan, facts: &Facts, request: &InstallRequest, port: u16) {
    let mut promise = |text: String| plan.promises.push(Promise(text));
    let manager = facts.manager.words();
    promise(format!(
        "{manager} keeps the hub of {} running, as {}",
        facts.home.root.display(),
        facts.person.name
    ));
    promise(format!("it answers on http://127.0.0.1:{port}, from this machine only"));
    match &facts.linger {
        _ if facts.manager.is_system() => promise("it starts when the machine boots".to_owned()),
        Some(linger) if request.linger || linger.is_true() => {
            promise("it starts when the machine boots, and stays when you log out".to_owned());
        }
        _ => promise("it starts when you log in, and stops when you log out".to_owned()),
    }
    match &facts.others {
        None => promise("`parachute uninstall` undoes all of this".to_owned()),
        Some(others) => promise(format!(
            "`parachute uninstall` undoes all of this and restores the hub of {}",
            others.owner
        )),
    }
}

#[cfg(test)]
mod tests;
