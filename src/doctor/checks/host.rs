//! The manager, an interrupted plan, the detached model, the hub, its port, the free space on disk. Pure.

use crate::doctor::check::{Check, Id, found_or, mib};
use crate::doctor::facts::{DoctorFacts, InstallationFacts};
use crate::error_chain::Hints;
use crate::install::facts::{Facts, OnDisk};
use crate::install::refusal::InstallRefusal;
use crate::manager::state::Told;
use crate::process::fifo;

/// With less free space than this a log or services.json may not be written.
const LITTLE: u64 = 100 * 1024 * 1024;

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let mut out = vec![manager(facts)];
    out.extend(facts.install.known().map(plan));
    out.extend(facts.older.as_ref().map(older));
    out.extend(hub(facts));
    out.push(port(facts));
    out.push(disk(facts));
    out
}

fn manager(facts: &DoctorFacts) -> Check {
    match &facts.install {
        InstallationFacts::Known(install) => {
            Check::ok(Id::Manager, format!("{} answers", install.manager.words()))
        }
        // A container has none and needs none: the hub runs in the foreground.
        InstallationFacts::NoManager { why, next } => Check::cannot_tell(
            Id::Manager,
            format!("none: no service manager can be used here ({})", why.join("; ")),
            next,
        ),
        InstallationFacts::Untold { because, next } => Check::cannot_tell(Id::Manager, because, next),
    }
}

fn plan(install: &Facts) -> Check {
    match &install.unfinished {
        None => Check::ok(Id::Plan, "no plan was interrupted"),
        Some(verb) => {
            let refusal = InstallRefusal::Unfinished { verb: verb.clone() };
            Check::fail(Id::Plan, refusal.to_string(), refusal.hints().swap_remove(0))
        }
    }
}

/// Daemons of the detached model hold the ports that a supervised hub would need.
fn older(older: &Told<Option<String>>) -> Check {
    match older {
        Told::Known(None) => Check::ok(Id::Older, "no detached daemon of an older version runs"),
        Told::Known(Some(words)) => Check::warn(Id::Older, words, "parachute migrate --to-supervised"),
        Told::Unknown(because) => Check::cannot_tell(Id::Older, because, "parachute migrate --list"),
    }
}

fn hub(facts: &DoctorFacts) -> Vec<Check> {
    let Some(status) = &facts.hub else {
        let runs = |unit: &crate::install::facts::UnitFacts| {
            unit.unit.part() == crate::unit::name::Part::Service && unit.state.running().is_true()
        };
        return match facts.install.known() {
            Some(install) if install.units.iter().any(runs) => {
                let text =
                    "the service manager reports the hub running, but it does not answer on its socket";
                vec![Check::fail(Id::Hub, text, "parachute logs hub")]
            }
            // `unit.running` and `unit.installed` report more.
            Some(_) => Vec::new(),
            None => vec![Check::warn(Id::Hub, "no hub is running", "parachute serve")],
        };
    };
    // Other checks report these, whether a hub runs or not.
    let is_own =
        |file: &str| !["/services.json", "/hub.toml", "/hub.env"].iter().any(|name| file.ends_with(name));
    let own = status.problems.iter().filter(|problem| is_own(&problem.file));
    let found = own.map(|problem| {
        let next = problem.next.clone().unwrap_or_else(|| "parachute status".to_owned());
        Check::warn(Id::Hub, problem.message.clone(), next)
    });
    let notes = status.notes.iter().filter(|note| !fifo::is_note(note));
    let found = found.chain(notes.map(|note| Check::warn(Id::Hub, note, "parachute status")));
    let hub = &status.hub;
    found_or(found.collect(), Id::Hub, format!("it answers (pid {}, {})", hub.pid, hub.mode))
}

fn port(facts: &DoctorFacts) -> Check {
    let port = facts.port;
    let is_installed = facts
        .install
        .known()
        .is_some_and(|install| install.units.iter().any(|unit| unit.on_disk != OnDisk::Nothing));
    if let Some(status) = &facts.hub {
        let real = status.hub.port;
        return if real == port || !is_installed {
            Check::ok(Id::Port, format!("the hub listens on port {real}"))
        } else {
            let text = format!("the hub listens on port {real} instead of {port}");
            Check::warn(Id::Port, text, "parachute restart")
        };
    }
    match &facts.holder {
        None => Check::ok(Id::Port, format!("port {port} is free")),
        Some(holder) if holder.ours => Check::ok(Id::Port, format!("port {port} is reserved for the hub")),
        Some(holder) => {
            let who = holder.occupant.words();
            let next = holder.occupant.look().unwrap_or_else(|| "parachute init --port N".to_owned());
            Check::fail(Id::Port, format!("port {port} is taken by {who}"), next)
        }
    }
}

fn disk(facts: &DoctorFacts) -> Check {
    let Some(disk) = facts.disk else {
        return Check::cannot_tell(Id::Disk, "free space for the home", "df -h");
    };
    let text = format!("{} of {} are free on the disk of the home", mib(disk.free), mib(disk.total));
    if disk.free < LITTLE { Check::fail(Id::Disk, text, "df -h") } else { Check::ok(Id::Disk, text) }
}
