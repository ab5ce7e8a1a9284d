//! Each check against a machine with one difference.

use std::path::{Path, PathBuf};

use super::*;
use crate::api::wire::FileProblem;
use crate::doctor::check::{Id, Mend, Verdict, worst};
use crate::doctor::facts::{InstallationFacts, Private};
use crate::doctor::fix;
use crate::doctor::testing::{failure, ill, install, installed, well};
use crate::home::hub_env::Refused;
use crate::install::facts::{OnDisk, PortHolder, UnitFacts};
use crate::install::planner::{self, InstallRequest};
use crate::install::testing::{self, pair};
use crate::manager::backend::{Domain, Launchd, Manager};
use crate::manager::state::{Active, Told};
use crate::plan::step::Step;
use crate::process::fifo;
use crate::process::holder::tests::stranger;

/// The results of one check for these facts: verdict, and whether a plan repairs it.
fn told(facts: &DoctorFacts, id: Id) -> Vec<(Verdict, bool)> {
    let of_it = all(facts).into_iter().filter(|check| check.id == id);
    of_it.map(|check| (check.verdict, check.mend.is_some())).collect()
}

/// One change of a fresh installation, and the result of one check.
type Row = (Id, Verdict, bool, fn(&mut DoctorFacts));

fn service(facts: &mut DoctorFacts) -> &mut UnitFacts {
    &mut install(facts).units[0]
}

/// The unit as an earlier build wrote it, unchanged or edited.
fn old_line(facts: &mut DoctorFacts, is_ours: bool) {
    let text = include_str!("../../../tests/data/units/env-file-user.service").to_owned();
    service(facts).written = Some(if is_ours { text.clone() } else { String::new() });
    service(facts).on_disk = OnDisk::Text(text);
}

fn as_system(facts: &mut DoctorFacts) {
    let Manager::Systemd(systemd) = &mut install(facts).manager else { panic!("systemd") };
    systemd.scope = crate::unit::target::Scope::System;
}

fn drop_in() -> Vec<(PathBuf, String)> {
    vec![("/d/x.conf".into(), "[Service]\nEnvironmentFile=/home/op/keys\n".to_owned())]
}

fn pipes() -> String {
    let source = std::io::ErrorKind::ReadOnlyFilesystem.into();
    fifo::note(&fifo::FifoError::Io { doing: "make", path: "/home/op/.parachute/run/log".into(), source })
}

fn refused() -> Refused {
    let (path, why, next) =
        ("/home/op/.parachute/hub.env".into(), "it is a FIFO".to_owned(), "mv".to_owned());
    Refused { path, why, next }
}

#[test]
fn a_fresh_installation_is_ok() {
    let checks = all(&well());
    let ill: Vec<&Check> = checks.iter().filter(|check| check.verdict != Verdict::Ok).collect();
    assert!(ill.is_empty(), "{ill:#?}");
    let ids: Vec<Id> = checks.iter().map(|check| check.id).collect();
    let wanted: Vec<Id> =
        Id::ALL.into_iter().filter(|id| !matches!(id, Id::ModulesPorts | Id::ModulesLeft)).collect();
    assert_eq!(
        ids, wanted,
        "every check is there, in order, once; ports are the hub's business while it runs"
    );
}

/// After any options of `init`, doctor does not complain about what those options left out.
#[test]
fn options_of_init_are_not_reported_as_problems() {
    for request in [
        InstallRequest { port: Some(2000), ..InstallRequest::default() },
        InstallRequest { linger: false, ..InstallRequest::default() },
    ] {
        let mut facts = well();
        *install(&mut facts) = installed(&request);
        facts.port = request.port.unwrap_or(facts.port);
        facts.hub.as_mut().unwrap().hub.port = facts.port;
        assert_eq!(worst(&all(&facts)), Verdict::Ok, "{request:?}: {:#?}", all(&facts));
    }
}

#[test]
fn each_check_with_one_difference() {
    use Verdict::{CannotTell, Fail, Ok, Warn};
    let table: &[Row] = &[
        (Id::Manager, CannotTell, false, |f| {
            f.install =
                InstallationFacts::NoManager { why: vec!["systemd: no".to_owned()], next: "x".to_owned() };
        }),
        (Id::Manager, CannotTell, false, |f| {
            f.install = InstallationFacts::Untold { because: "closed".to_owned(), next: "x".to_owned() };
        }),
        (Id::Plan, Fail, false, |f| install(f).unfinished = Some("init".to_owned())),
        (Id::Older, Warn, false, |f| f.older = Some(Told::Known(Some("hub (pid 13)".to_owned())))),
        (Id::Older, CannotTell, false, |f| f.older = Some(Told::Unknown("no /proc".to_owned()))),
        (Id::Hub, Fail, false, |f| f.hub = None),
        (Id::ModulesLeft, Ok, false, |f| f.hub = None),
        (Id::ModulesLeft, Warn, false, |f| {
            f.hub = None;
            f.left = Some("web (pid 12) runs on without a hub".to_owned());
        }),
        (Id::Port, Warn, false, |f| f.hub.as_mut().unwrap().hub.port = 2000),
        (Id::Port, Ok, false, |f| f.hub = None),
        (Id::Port, Fail, false, |f| {
            f.hub = None;
            f.holder = Some(PortHolder { occupant: stranger(1939, Some(7), "nc -l"), ours: false });
        }),
        (Id::Port, Fail, false, |f| {
            f.hub = None;
            f.holder = Some(PortHolder { occupant: stranger(1939, None, ""), ours: false });
        }),
        (Id::Port, Ok, false, |f| {
            f.hub = None;
            f.holder = Some(PortHolder { occupant: stranger(1939, Some(1), "systemd"), ours: true });
        }),
        (Id::UnitInstalled, Warn, false, |f| *install(f) = testing::fresh()),
        (Id::UnitInstalled, Fail, true, |f| service(f).on_disk = OnDisk::Nothing),
        (Id::UnitInstalled, Fail, false, |f| service(f).on_disk = OnDisk::Other("a directory".to_owned())),
        (Id::UnitInstalled, Warn, false, |f| service(f).written = None),
        (Id::UnitInstalled, Warn, false, |f| service(f).on_disk = OnDisk::Text("mine".to_owned())),
        (Id::UnitLoaded, CannotTell, false, |f| service(f).state.loaded = Told::Unknown("no bus".to_owned())),
        (Id::UnitLoaded, Fail, true, |f| service(f).state.loaded = Told::Known(false)),
        (Id::UnitLoaded, Fail, false, |f| {
            service(f).state.loaded = Told::Known(false);
            service(f).state.masked = true;
        }),
        (Id::UnitLoaded, Fail, false, |f| {
            service(f).state.loaded = Told::Known(false);
            service(f).state.refused = Some("bad setting".to_owned());
        }),
        (Id::UnitLoaded, Warn, true, |f| service(f).state.stale = true),
        (Id::UnitLoaded, Fail, false, |f| service(f).state.file = Some("/run/x.service".into())),
        (Id::UnitLoaded, Ok, false, |f| service(f).state.drop_ins = vec!["/d/x.conf".into()]),
        (Id::UnitEnabled, Warn, true, |f| service(f).state.enabled = Told::Known(false)),
        (Id::UnitEnabled, CannotTell, false, |f| service(f).state.enabled = Told::Unknown("?".to_owned())),
        (Id::UnitRunning, Warn, false, |f| service(f).state.restarts = Some(3)),
        (Id::UnitRunning, Ok, false, |f| service(f).state.active = Told::Known(Active::Starting)),
        (Id::UnitRunning, Warn, false, |f| service(f).state.active = Told::Known(Active::Stopping)),
        (Id::UnitRunning, Warn, false, |f| service(f).state.active = Told::Known(Active::Stopped)),
        (Id::UnitRunning, Warn, false, |f| service(f).state.active = Told::Known(Active::Idle)),
        (Id::UnitRunning, Fail, false, |f| service(f).state.active = Told::Known(Active::Restarting)),
        (Id::UnitRunning, Fail, false, |f| service(f).state.active = Told::Known(Active::Failed)),
        (Id::UnitRunning, CannotTell, false, |f| service(f).state.active = Told::Unknown("?".to_owned())),
        (Id::UnitCurrent, Warn, true, |f| install(f).search.push("/opt/bin".into())),
        (Id::UnitCurrent, Ok, false, |f| install(f).settings.text = "[unit]\nsocket = false\n".to_owned()),
        (Id::UnitCurrent, Warn, false, |f| install(f).home.owner = Some(0)),
        (Id::UnitSocket, Warn, true, |f| pair(install(f))),
        (Id::UnitSocket, Warn, true, |f| {
            pair(install(f));
            install(f).units[1].on_disk = OnDisk::Nothing;
        }),
        (Id::UnitSocket, Ok, false, |f| {
            pair(install(f));
            install(f).units[1].on_disk = OnDisk::Nothing;
            install(f).units[1].state = testing::unheard();
        }),
        (Id::UnitSocket, Warn, false, |f| {
            pair(install(f));
            install(f).units[1].written = None;
        }),
        (Id::UnitSocket, Warn, false, |f| {
            pair(install(f));
            install(f).units[1].written = Some(String::new());
        }),
        (Id::UnitSocket, Ok, false, |f| {
            install(f).units[1].on_disk = OnDisk::Text("[Socket]\nListenStream=1939\n".to_owned());
        }),
        (Id::UnitSocket, Ok, false, |f| {
            pair(install(f));
            install(f).units[1].on_disk = OnDisk::Other("a symbolic link".to_owned());
        }),
        // The stopped, disabled or missing socket is no fault of its own.
        (Id::UnitEnabled, Ok, false, |f| {
            pair(install(f));
            install(f).units[1].state.enabled = Told::Known(false);
        }),
        (Id::UnitLoaded, Ok, false, |f| {
            pair(install(f));
            install(f).units[1].state.loaded = Told::Unknown("no bus".to_owned());
        }),
        (Id::UnitInstalled, Ok, false, |f| {
            pair(install(f));
            install(f).units[1].on_disk = OnDisk::Nothing;
        }),
        (Id::UnitOpens, Warn, true, |f| old_line(f, true)),
        (Id::UnitOpens, Warn, false, |f| old_line(f, false)),
        (Id::UnitOpens, Fail, true, |f| {
            old_line(f, true);
            as_system(f);
        }),
        (Id::UnitOpens, Fail, false, |f| {
            old_line(f, false);
            as_system(f);
        }),
        (Id::UnitOpens, Ok, false, |f| f.drop_ins = drop_in()),
        (Id::UnitOpens, Warn, false, |f| {
            f.drop_ins = drop_in();
            as_system(f);
        }),
        (Id::UnitTwins, Fail, false, |f| {
            let (path, remove) = ("/etc/x.service".into(), "rm".to_owned());
            install(f).twins.push(crate::install::facts::Twin { path, remove, owner: None });
        }),
        (Id::Linger, Warn, true, |f| install(f).linger = Some(Told::Known(false))),
        (Id::Linger, CannotTell, false, |f| install(f).linger = Some(Told::Unknown("?".to_owned()))),
        (Id::Boot, Warn, false, |f| install(f).linger = Some(Told::Known(false))),
        (Id::Boot, Warn, false, |f| service(f).state.enabled = Told::Known(false)),
        (Id::Boot, CannotTell, false, |f| install(f).linger = Some(Told::Unknown("?".to_owned()))),
        (Id::Program, Fail, true, |f| f.program_is_there = false),
        (Id::Program, Warn, true, |f| install(f).program.same = false),
        (Id::Program, Warn, false, |f| f.hub.as_mut().unwrap().hub.version = "1".to_owned()),
        (Id::HomePrivate, Ok, false, |f| f.private[0].mode = 0o755),
        (Id::HomePrivate, Warn, true, |f| f.private[0].mode = 0o775),
        (Id::HomePrivate, Fail, true, |f| f.private[0].mode = 0o777),
        (Id::HomePrivate, Warn, true, |f| f.private[1].mode = 0o640),
        (Id::HomePrivate, Warn, false, |f| {
            f.private[1] = Private { mode: 0o644, ours: false, ..f.private[1].clone() }
        }),
        (Id::HomeLogs, Warn, false, |f| f.log_bytes = 1 << 40),
        (Id::HomeFifo, Warn, false, |f| f.hub.as_mut().unwrap().notes = vec![pipes()]),
        (Id::Hub, Ok, false, |f| f.hub.as_mut().unwrap().notes = vec![pipes()]),
        (Id::Disk, Fail, false, |f| f.disk.as_mut().unwrap().free = 1),
        (Id::Disk, CannotTell, false, |f| f.disk = None),
        (Id::HomeSettings, Fail, false, |f| f.settings = Some("line 1".to_owned())),
        (Id::HomeEnv, Fail, false, |f| f.hub_env = Some(refused())),
        (Id::HomeEnv, Warn, false, |f| {
            f.hub_env = Some(refused());
            *install(f) = testing::fresh();
        }),
        (Id::HomeEnv, Fail, false, |f| {
            let Refused { path, why, next } = refused();
            let problem =
                FileProblem { file: path.display().to_string(), row: None, message: why, next: Some(next) };
            f.hub.as_mut().unwrap().problems.push(problem);
        }),
        (Id::ModulesPrograms, Fail, true, |f| f.starts[0].in_hub = None),
        (Id::ModulesPrograms, Fail, false, |f| {
            f.starts[0].in_hub = None;
            f.starts[0].in_shell = None;
        }),
        (Id::ModulesPath, Warn, false, |f| f.starts[0].in_shell = Some("/opt/node".into())),
        (Id::ModulesPath, Ok, false, |f| f.starts[0].in_shell = None),
        (Id::ModulesPorts, Ok, false, |f| f.hub = None),
        (Id::ModulesPorts, Warn, false, |f| {
            f.hub = None;
            f.held = vec![("web".to_owned(), stranger(1940, Some(7), "nc"))];
        }),
        (Id::ModulesPorts, Warn, false, |f| {
            f.hub = None;
            f.held = vec![("web".to_owned(), stranger(1940, None, "nc"))];
        }),
        (Id::ModulesCrash, Warn, false, |f| f.failures = vec![failure("web", 59)]),
        (Id::ModulesCrash, Ok, false, |f| f.failures = vec![failure("web", 61)]),
        (Id::ModulesCrash, Warn, false, |f| {
            f.failures = vec![failure("web", 61)];
            f.now.0 -= 1 << 32;
        }),
    ];
    for (at, (id, verdict, mended, change)) in table.iter().enumerate() {
        let mut facts = well();
        change(&mut facts);
        assert_eq!(told(&facts, *id), [(*verdict, *mended)], "row {at}, {id}");
    }
}

/// The text of an earlier build, on disk and in the receipt, is ours: no `--force`, and only changed files are written.
#[test]
fn a_unit_that_opens_a_path_below_the_home_is_rewritten() {
    let mut facts = well();
    old_line(&mut facts, true);
    let plan = fix::plan(&facts, &all(&facts));
    let init = planner::plan(install(&mut facts), &InstallRequest::default()).unwrap();
    for plan in [plan, init] {
        let texts: Vec<(&Path, &str)> = plan.steps.iter().filter_map(Step::unit_text).collect();
        assert_eq!(texts.len(), 1, "the service");
        for (path, text) in texts {
            assert_eq!(
                install(&mut facts).manager.target().opens_below(text, &[Path::new("/home/op")]),
                [],
                "{}",
                path.display()
            );
        }
        assert_eq!(plan.notes, []);
    }
    let told = all(&facts).into_iter().find(|check| check.id == Id::UnitOpens).unwrap();
    assert_eq!(
        told.message,
        "/home/op/.config/systemd/user/parachute-hub.service, line 21: EnvironmentFile= makes the manager open \
         /home/op/.parachute/hub.env; a FIFO there stops all your services, at the next login too"
    );
    as_system(&mut facts);
    let told = all(&facts).into_iter().find(|check| check.id == Id::UnitOpens).unwrap();
    assert!(told.message.ends_with("or a FIFO, which stops PID 1 for good"), "{told:?}");
    assert_eq!(told.next.as_deref(), Some("sudo parachute init"));

    // A unit that a user has edited is never replaced without `--force`.
    old_line(&mut facts, false);
    let plan = fix::plan(&facts, &all(&facts));
    assert!(plan.steps.iter().all(|step| step.unit_text().is_none()), "{plan:?}");
}

/// A file that will block modules is reported before the hub is restarted for a new unit, and blocks no plan.
#[test]
fn a_plan_notes_that_hub_env_is_refused() {
    let mut facts = well();
    install(&mut facts).home.hub_env = Some(refused());
    let plan = planner::plan(install(&mut facts), &InstallRequest::default()).unwrap();
    let notes: Vec<_> = plan.notes.into_iter().map(|note| (note.text, note.hint.unwrap())).collect();
    let text = "no module will be started: /home/op/.parachute/hub.env is refused: it is a FIFO".to_owned();
    assert_eq!(notes, [(text, "mv".to_owned())]);
}

/// One fault, one finding: a reason for which `init` would refuse is not reported again.
#[test]
fn no_fault_is_reported_twice() {
    let silent: [fn(&mut DoctorFacts); 4] = [
        |f| install(f).unfinished = Some("init".to_owned()),
        |f| service(f).on_disk = OnDisk::Text("mine".to_owned()),
        |f| service(f).on_disk = OnDisk::Other("a directory".to_owned()),
        |f| install(f).settings.broken = Some("hub.toml, line 1".to_owned()),
    ];
    for change in silent {
        let mut facts = well();
        change(&mut facts);
        assert_eq!(told(&facts, Id::UnitCurrent), []);
    }
}

#[test]
fn every_finding_has_a_next_command() {
    let mut facts = ill();
    let mut checks = all(&facts);
    facts.install = InstallationFacts::NoManager { why: Vec::new(), next: "parachute serve".to_owned() };
    facts.hub = None;
    checks.extend(all(&facts));
    for check in &checks {
        assert_eq!(check.next.is_none(), check.verdict == Verdict::Ok, "{check:?}");
        assert!(!check.message.is_empty(), "{check:?}");
    }
    assert!(checks.iter().any(|check| matches!(check.mend, Some(Mend::Mode { mode: 0o755, .. }))));
}

#[test]
fn without_a_manager_no_check_fails() {
    let mut facts = well();
    facts.install = InstallationFacts::NoManager {
        why: vec!["systemd: none".to_owned()],
        next: "parachute serve".to_owned(),
    };
    assert_eq!(worst(&all(&facts)), Verdict::CannotTell, "with a hub in the foreground");
    facts.hub = None;
    assert_eq!(worst(&all(&facts)), Verdict::Warn);
}

#[test]
fn a_system_installation_is_repaired_by_root() {
    let mut facts = well();
    as_system(&mut facts);
    service(&mut facts).state.active = Told::Known(Active::Stopped);
    facts.program_is_there = false;
    let next: Vec<Option<String>> = all(&facts).into_iter().map(|check| check.next).collect();
    for wanted in ["sudo parachute start", "sudo parachute init"] {
        assert!(next.contains(&Some(wanted.to_owned())), "{next:?}");
    }
}

/// An agent does not start at boot, and a stopped job is not loaded: neither is a fault.
#[test]
fn the_limits_of_an_agent_are_no_fault() {
    let mut facts = well();
    let here = install(&mut facts);
    here.manager = Manager::Launchd(Launchd { domain: Domain::Gui(501), dir: "/u".into() });
    here.linger = None;
    here.units.truncate(1);
    assert_eq!(told(&facts, Id::Boot), [(Verdict::Ok, false)]);
    assert_eq!(told(&facts, Id::Linger), []);
    service(&mut facts).state.loaded = Told::Known(false);
    assert_eq!(told(&facts, Id::UnitLoaded), [(Verdict::Ok, false)]);
    service(&mut facts).state.enabled = Told::Known(false);
    assert_eq!(told(&facts, Id::Boot), [(Verdict::Warn, false)]);
}
