//! The installation: disk = receipt = what the manager has loaded, and whether it will be there tomorrow.

use crate::doctor::check::Check;
use crate::doctor::facts::{DoctorFacts, Drift};
use crate::install::facts::{Facts, OnDisk, UnitFacts};
use crate::manager::state::{Active, Told};
use crate::manager::survival::Survival;
use crate::unit::name::Part;

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let Ok(install) = &facts.install else { return Vec::new() };
    let service = install.units.iter().find(|unit| unit.unit.part() == Part::Service);
    let Some(service) = service else { return Vec::new() };
    let mut out = vec![installed(facts, service)];
    if service.on_disk == OnDisk::Nothing {
        out.extend(twins(install));
        return out;
    }
    out.push(loaded(service));
    out.push(running(service));
    out.push(drift(&facts.drift));
    out.extend(twins(install));
    out.extend(survival(facts));
    out.push(program(facts, install));
    out
}

fn installed(facts: &DoctorFacts, service: &UnitFacts) -> Check {
    const ID: &str = "unit.installed";
    let path = service.path.display();
    match (&service.on_disk, &service.written) {
        (OnDisk::Nothing, Some(_)) => {
            Check::fail(ID, format!("{path} was installed and is gone"), "parachute init").fixable()
        }
        (OnDisk::Nothing, None) if facts.hub.is_some() => {
            Check::warn(ID, "the hub runs in the foreground: it ends with its terminal", "parachute init")
        }
        (OnDisk::Nothing, None) => Check::warn(ID, "nothing is installed", "parachute init"),
        (OnDisk::Other(what), _) => Check::fail(ID, format!("{path} is {what}"), format!("ls -ld {path}")),
        (OnDisk::Text(_), None) => Check::warn(
            ID,
            format!("{path} was not written by this program"),
            "parachute init --dry-run --force     (what would change)",
        ),
        (OnDisk::Text(text), Some(written)) if text != written => Check::warn(
            ID,
            format!("{path} was changed after it was installed"),
            "parachute init --dry-run --force     (what would change)",
        ),
        (OnDisk::Text(_), Some(_)) => Check::ok(ID, format!("{path} is what was installed")),
    }
}

fn loaded(service: &UnitFacts) -> Check {
    const ID: &str = "unit.loaded";
    match &service.state.loaded {
        Told::Unknown(because) => Check::cannot_tell(ID, because.clone(), "parachute status"),
        Told::Known(false) => {
            Check::fail(ID, "the manager does not know the unit that is on disk", "parachute init").fixable()
        }
        Told::Known(true) if service.state.stale => {
            Check::warn(ID, "the manager still has an older text of the unit", "parachute init").fixable()
        }
        Told::Known(true) => match &service.state.file {
            Some(file) if *file != service.path => Check::fail(
                ID,
                format!(
                    "the manager reads the unit from {}, not from {}",
                    file.display(),
                    service.path.display()
                ),
                format!("ls -l {}", file.display()),
            ),
            _ if !service.state.drop_ins.is_empty() => {
                let list: Vec<String> =
                    service.state.drop_ins.iter().map(|f| f.display().to_string()).collect();
                Check::ok(ID, format!("the manager has it, changed by {}", list.join(", ")))
            }
            _ => Check::ok(ID, "the manager has loaded exactly this text"),
        },
    }
}

fn running(service: &UnitFacts) -> Check {
    const ID: &str = "unit.running";
    let again = service.state.restarts.filter(|n| *n > 0);
    match &service.state.active {
        Told::Unknown(because) => Check::cannot_tell(ID, because.clone(), "parachute status"),
        Told::Known(Active::Running) => match again {
            Some(n) => Check::warn(
                ID,
                format!("the hub runs, after {n} restarts by the manager since it was last asked to start"),
                "parachute logs hub",
            ),
            None => Check::ok(ID, "the hub runs"),
        },
        Told::Known(Active::Starting) => Check::ok(ID, "the hub is starting"),
        Told::Known(Active::Stopping) => Check::warn(ID, "the hub is stopping", "parachute status"),
        Told::Known(Active::Restarting) => {
            Check::fail(ID, "the hub died, and the manager is about to start it again", "parachute logs hub")
        }
        Told::Known(Active::Failed) => {
            let how = service.state.result.as_deref().map_or_else(String::new, |r| format!(" ({r})"));
            Check::fail(ID, format!("the hub died, and the manager has given up{how}"), "parachute logs hub")
        }
        Told::Known(Active::Idle) => {
            Check::warn(ID, "the manager has loaded the hub, and it does not run", "parachute start")
        }
        Told::Known(Active::Stopped) => Check::warn(ID, "the hub is stopped", "parachute start"),
    }
}

fn drift(drift: &Drift) -> Check {
    const ID: &str = "unit.current";
    match drift {
        Drift::NotInstalled | Drift::None => Check::ok(ID, "the unit is what this version would write"),
        Drift::Files(files) => {
            let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            Check::warn(
                ID,
                format!("this version would write differently: {}", list.join(", ")),
                "parachute init",
            )
            .fixable()
        }
        Drift::Refused(why) => Check::warn(ID, why.clone(), "parachute init --dry-run"),
    }
}

fn twins(install: &Facts) -> Vec<Check> {
    const ID: &str = "unit.twins";
    let found = install.twins.iter().map(|twin| {
        let text = format!("{} would start a second hub, which fights for the port", twin.path.display());
        Check::fail(ID, text, twin.remove.clone())
    });
    let found: Vec<Check> = found.collect();
    if found.is_empty() { vec![Check::ok(ID, "there is no second unit for the hub")] } else { found }
}

fn survival(facts: &DoctorFacts) -> Option<Check> {
    const ID: &str = "boot";
    Some(match facts.survival.as_ref()? {
        Survival::Yes { because } => Check::ok(ID, format!("it starts by itself: {because}")),
        Survival::No { because, next } => {
            Check::warn(ID, format!("it does not start at boot: {because}"), next.clone())
        }
        Survival::Unknown { because } => {
            Check::cannot_tell(ID, format!("whether it starts at boot: {because}"), "parachute status")
        }
    })
}

fn program(facts: &DoctorFacts, install: &Facts) -> Check {
    const ID: &str = "program";
    let path = install.program.path.display();
    let running = facts.hub.as_ref().map(|status| status.hub.version.as_str());
    if !install.program.same {
        return Check::warn(
            ID,
            format!("{path}, which the unit runs, is another build than this one ({})", facts.version),
            "parachute init",
        )
        .fixable();
    }
    match running {
        Some(running) if running != facts.version => Check::warn(
            ID,
            format!("the hub that runs is {running}, this program is {}", facts.version),
            "parachute restart",
        ),
        _ => Check::ok(ID, format!("the unit runs {path}, a path that stays")),
    }
}
