//! The installation: disk = receipt = what the manager has loaded, and whether it starts after a reboot. Pure.

use super::{drift, opens, socket};
use crate::doctor::check::{Check, Id, Mend, found_or};
use crate::doctor::facts::DoctorFacts;
use crate::install::facts::{Facts, OnDisk, UnitFacts};
use crate::manager::autostart::Autostart;
use crate::manager::backend::Manager;
use crate::manager::state::{Active, Told};
use crate::unit::name::Part;

/// Shows the changes without making them.
pub(super) const WOULD: &str = "parachute init --dry-run --force     (what would change)";

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let Some(install) = facts.install.known() else { return Vec::new() };
    let mut out = twins(install);
    out.extend(socket::check(install));
    let is_service = |unit: &&UnitFacts| unit.unit.part() == Part::Service && is_ours(unit);
    let Some(service) = install.units.iter().find(is_service) else {
        out.push(nothing(facts));
        return out;
    };
    let well = || Check::ok(Id::UnitInstalled, format!("{} is what was installed", service.path.display()));
    out.push(installed(service).unwrap_or_else(well));
    if service.on_disk == OnDisk::Nothing {
        return out;
    }
    out.push(
        loaded(service, &install.manager).unwrap_or_else(|| Check::ok(Id::UnitLoaded, well_loaded(service))),
    );
    out.push(enabled(service).unwrap_or_else(|| Check::ok(Id::UnitEnabled, "the unit is enabled")));
    out.push(running(service));
    out.extend(drift::check(install));
    out.extend(opens::checks(facts, install));
    out.extend(linger(install));
    out.push(boot(install, service));
    out.push(program(facts, install));
    out
}

/// Whether a file of it exists, or existed.
fn is_ours(unit: &UnitFacts) -> bool {
    unit.written.is_some() || unit.on_disk != OnDisk::Nothing
}

fn nothing(facts: &DoctorFacts) -> Check {
    let text = match &facts.hub {
        Some(_) => "nothing is installed; the running hub ends with the session that started it",
        None => "nothing is installed",
    };
    Check::warn(Id::UnitInstalled, text, "parachute init")
}

fn installed(unit: &UnitFacts) -> Option<Check> {
    const ID: Id = Id::UnitInstalled;
    let path = unit.path.display();
    Some(match (&unit.on_disk, &unit.written) {
        (OnDisk::Nothing, _) => {
            let gone = Check::fail(ID, format!("{path} was installed and is gone"), "parachute init");
            gone.mended_by(Mend::Install)
        }
        (OnDisk::Other(what), _) => Check::fail(ID, format!("{path} is {what}"), format!("ls -ld {path}")),
        (OnDisk::Text(_), None) => Check::warn(ID, format!("{path} was not written by this program"), WOULD),
        (OnDisk::Text(text), Some(written)) if text != written => {
            Check::warn(ID, format!("{path} was changed after it was installed"), WOULD)
        }
        (OnDisk::Text(_), Some(_)) => return None,
    })
}

fn loaded(unit: &UnitFacts, manager: &Manager) -> Option<Check> {
    const ID: Id = Id::UnitLoaded;
    let (state, name) = (&unit.state, &unit.unit);
    let anew = |check: Check| Some(check.mended_by(Mend::Install));
    // `unit.installed` reports a missing file.
    if unit.on_disk == OnDisk::Nothing {
        return None;
    }
    match &state.loaded {
        Told::Unknown(because) => Some(Check::cannot_tell(
            ID,
            format!("what the manager knows of {name}: {because}"),
            "parachute status",
        )),
        // launchd forgets a job that is stopped: `unit.running` reports that.
        Told::Known(false) if !manager.keeps_definitions() => None,
        Told::Known(false) if state.masked => {
            Some(Check::fail(ID, format!("{name} is masked: it cannot be started"), "parachute status"))
        }
        Told::Known(false) => match &state.refused {
            Some(because) => Some(Check::fail(
                ID,
                format!("the manager rejects {name}: {because}"),
                "parachute units verify",
            )),
            None => anew(Check::fail(ID, format!("the manager does not know {name}"), "parachute init")),
        },
        Told::Known(true) if state.stale => anew(Check::warn(
            ID,
            format!("the manager has an older version of {name} loaded"),
            "parachute init",
        )),
        Told::Known(true) => state.shadow_of(&unit.path).map(|file| {
            let (file, ours) = (file.display(), unit.path.display());
            let text = format!("the manager reads {file} instead of {ours}");
            Check::fail(ID, text, format!("ls -l {file}"))
        }),
    }
}

/// A drop-in is the user's own change to a unit.
fn well_loaded(service: &UnitFacts) -> String {
    let drop_ins: Vec<String> =
        service.state.drop_ins.iter().map(|file| file.display().to_string()).collect();
    match drop_ins.as_slice() {
        [] => "the manager has loaded the installed unit".to_owned(),
        some => format!("the manager has loaded the installed unit, changed by {}", some.join(", ")),
    }
}

fn enabled(unit: &UnitFacts) -> Option<Check> {
    if unit.on_disk == OnDisk::Nothing || unit.state.masked {
        return None;
    }
    match &unit.state.enabled {
        Told::Known(true) => None,
        Told::Known(false) => {
            let text = format!("{} is not enabled: it is not started at boot", unit.unit);
            Some(Check::warn(Id::UnitEnabled, text, "parachute init").mended_by(Mend::Install))
        }
        Told::Unknown(because) => {
            let text = format!("whether {} is enabled: {because}", unit.unit);
            Some(Check::cannot_tell(Id::UnitEnabled, text, "parachute status"))
        }
    }
}

fn running(service: &UnitFacts) -> Check {
    const ID: Id = Id::UnitRunning;
    let state = &service.state;
    let how = state.result.as_deref().map_or_else(String::new, |how| format!(" ({how})"));
    match &state.active {
        Told::Unknown(because) => Check::cannot_tell(ID, because.clone(), "parachute status"),
        Told::Known(Active::Running) => match state.restarts.filter(|n| *n > 0) {
            Some(n) => Check::warn(
                ID,
                format!("the hub runs, after {n} restarts by its manager"),
                "parachute logs hub",
            ),
            None => Check::ok(ID, "the hub runs"),
        },
        Told::Known(Active::Starting) => Check::ok(ID, "the hub is starting"),
        Told::Known(Active::Stopping) => Check::warn(ID, "the hub is stopping", "parachute status"),
        Told::Known(Active::Restarting) => {
            Check::fail(ID, format!("the hub failed{how} and is about to be restarted"), "parachute logs hub")
        }
        Told::Known(Active::Failed) => Check::fail(
            ID,
            format!("the hub failed{how}; the service manager restarts it no more"),
            "parachute logs hub",
        ),
        Told::Known(Active::Stopped) => Check::warn(ID, "the hub is stopped", "parachute start"),
        Told::Known(Active::Idle) => {
            Check::warn(ID, format!("the hub is loaded but not running{how}"), "parachute start")
        }
    }
}

fn twins(install: &Facts) -> Vec<Check> {
    let found = install.twins.iter().map(|twin| {
        let path = twin.path.display();
        let text = match &twin.owner {
            None => format!("{path} would start a second hub on the same port"),
            Some(owner) => format!("{path}, the hub of {owner}, has the same port"),
        };
        Check::fail(Id::UnitTwins, text, twin.remove.clone())
    });
    found_or(found.collect(), Id::UnitTwins, "no second unit would start a hub")
}

fn linger(install: &Facts) -> Option<Check> {
    const ID: Id = Id::Linger;
    let name = &install.person.name;
    let known = install.linger.as_ref()?;
    let command = install.manager.linger_hint(name)?;
    Some(match known {
        Told::Known(true) => Check::ok(ID, format!("services of {name} run without a login (linger)")),
        Told::Known(false) => {
            let text = format!("services of {name} stop at logout and do not start at boot");
            Check::warn(ID, text, command).mended_by(Mend::Linger)
        }
        Told::Unknown(because) => {
            Check::cannot_tell(ID, format!("linger of {name} is unknown: {because}"), command)
        }
    })
}

fn boot(install: &Facts, service: &UnitFacts) -> Check {
    const ID: Id = Id::Boot;
    let linger = install.linger.clone().unwrap_or_else(|| Told::Unknown("it means nothing here".to_owned()));
    match install.manager.autostart(&service.state, &linger) {
        Autostart::Yes { because } => Check::ok(ID, format!("it comes back after a reboot ({because})")),
        // That is normal for an agent, and as `init` has announced.
        Autostart::No { because, .. }
            if install.manager.ends_with_login() && !service.state.enabled.is_false() =>
        {
            Check::ok(ID, format!("as far as possible: {because}"))
        }
        Autostart::No { because, next } => {
            Check::warn(ID, format!("it does not come back after a reboot ({because})"), next)
        }
        Autostart::Unknown { because } => Check::cannot_tell(
            ID,
            format!("whether it comes back after a reboot: {because}"),
            "parachute status",
        ),
    }
}

fn program(facts: &DoctorFacts, install: &Facts) -> Check {
    const ID: Id = Id::Program;
    let path = install.program.path.display();
    let running = facts.hub.as_ref().map(|status| status.hub.version.as_str());
    if !facts.program_is_there {
        let text = format!("{path}, which the unit runs, is not there");
        return Check::fail(ID, text, "parachute init").mended_by(Mend::Install);
    }
    if !install.program.same {
        let text =
            format!("{path}, which the unit runs, is a different build from this one ({})", facts.version);
        return Check::warn(ID, text, "parachute init").mended_by(Mend::Install);
    }
    match running {
        Some(running) if running != facts.version => {
            let text = format!("the running hub is {running}, its program on disk is {}", facts.version);
            Check::warn(ID, text, "parachute restart")
        }
        _ => Check::ok(ID, format!("the unit runs {path}, an installed copy of this program")),
    }
}
