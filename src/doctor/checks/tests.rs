use std::collections::BTreeSet;

use super::*;
use crate::doctor::check::{Verdict, worst};
use crate::doctor::facts::{Disk, Drift, ModuleProgram, Private};
use crate::doctor::fix;
use crate::doctor::testing::{installed, nothing};
use crate::install::facts::{OnDisk, PortHolder, Twin};
use crate::manager::state::{Active, Told};
use crate::manager::survival::Survival;
use crate::module::failure::Failure;
use crate::module::problem::{Holder, Kind, Problem};
use crate::module::stamp::Stamp;
use crate::plan::step::Step;

fn of(facts: &DoctorFacts, id: &str) -> Check {
    let all = all(facts);
    all.into_iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id}"))
}

#[test]
fn a_fresh_installation_is_well_from_top_to_bottom() {
    let checks = all(&installed());
    assert_eq!(worst(&checks), Verdict::Ok, "{checks:#?}");
    assert!(checks.len() >= 14, "{checks:#?}");
}

#[test]
fn every_check_has_a_known_id_and_whatever_is_not_well_has_a_next_command() {
    let known: BTreeSet<&str> = IDS.iter().map(|(id, _)| *id).collect();
    assert_eq!(known.len(), IDS.len());
    let mut seen = BTreeSet::new();
    for facts in [installed(), nothing(), sick()] {
        for check in all(&facts) {
            assert!(known.contains(check.id), "{}", check.id);
            assert_eq!(check.next.is_none(), check.verdict == Verdict::Ok, "{check:?}");
            seen.insert(check.id);
        }
    }
    assert_eq!(seen, known, "left: checks that were made, right: the list");
}

/// Everything that can be wrong at once.
fn sick() -> DoctorFacts {
    let mut facts = installed();
    let install = facts.install.as_mut().unwrap();
    install.linger = Some(Told::Known(false));
    install.holder = Some(PortHolder { pid: Some(80), command: "python3".to_owned(), ours: false });
    install.units[0].on_disk = OnDisk::Text("edited".to_owned());
    install.units[0].state.stale = true;
    install.units[0].state.active = Told::Known(Active::Failed);
    install.twins = vec![Twin { path: "/etc/x".into(), remove: "sudo parachute uninstall".to_owned() }];
    install.program.same = false;
    facts.survival = Some(Survival::No {
        because: "linger is off".to_owned(),
        next: "loginctl enable-linger op".to_owned(),
    });
    facts.drift = Drift::Files(vec!["/u/parachute-hub.service".into()]);
    facts.hub = None;
    facts.older = Some("an older version still runs here, detached: hub (pid 13)".to_owned());
    facts.private = vec![Private { path: "/h/operator.token".into(), mode: 0o644, may: 0o600 }];
    facts.services = Err("services.json is cut off".to_owned());
    facts.programs = vec![ModuleProgram {
        module: "vault".to_owned(),
        program: "bun".to_owned(),
        in_shell: Some("/opt/bun".into()),
        in_hub: None,
    }];
    let holder = Holder { port: 1940, pid: Some(81), uid: Some(1), command: "nc".to_owned() };
    facts.held = vec![("vault".to_owned(), holder)];
    facts.disk = Some(Disk { free: 1, total: 2 });
    facts.log_bytes = 3 << 30;
    facts.failures = vec![("vault".to_owned(), failure(facts.now.0 + 3_600_000))];
    facts
}

fn failure(at: u64) -> Failure {
    Failure {
        short: "vault".to_owned(),
        at: Stamp(at),
        ended: None,
        lived_ms: None,
        was_ready: true,
        command: "bun".to_owned(),
        problem: Problem::new(Kind::SpawnFailed, "it failed", Stamp(at)),
        crashes_in_window: 1,
        max_crashes: 5,
        gave_up: false,
        lines: Vec::new(),
    }
}

#[test]
fn each_illness_is_named() {
    let facts = sick();
    let table = [
        ("older", Verdict::Warn),
        ("linger", Verdict::Warn),
        ("port", Verdict::Fail),
        ("disk", Verdict::Fail),
        ("unit.installed", Verdict::Warn),
        ("unit.loaded", Verdict::Warn),
        ("unit.running", Verdict::Fail),
        ("unit.current", Verdict::Warn),
        ("unit.twins", Verdict::Fail),
        ("boot", Verdict::Warn),
        ("program", Verdict::Warn),
        ("home.private", Verdict::Warn),
        ("home.services", Verdict::Fail),
        ("home.logs", Verdict::Warn),
        ("modules.programs", Verdict::Fail),
        ("modules.ports", Verdict::Warn),
        ("modules.crash", Verdict::Warn),
    ];
    for (id, verdict) in table {
        assert_eq!(of(&facts, id).verdict, verdict, "{id}");
    }
    assert!(of(&facts, "modules.crash").message.contains("yet to come"));
    // No manager is no illness, and what cannot be told is said so.
    assert_eq!(of(&nothing(), "manager").verdict, Verdict::CannotTell);
}

/// A path that differs between shell and hub is told; what only the hub finds is nobody's trouble.
#[test]
fn programs_in_shell_and_hub() {
    let mut facts = installed();
    let mut verdict = |shell: Option<&str>, hub: Option<&str>| {
        facts.programs = vec![ModuleProgram {
            module: "vault".to_owned(),
            program: "bun".to_owned(),
            in_shell: shell.map(Into::into),
            in_hub: hub.map(Into::into),
        }];
        of(&facts, "modules.programs").verdict
    };
    assert_eq!(verdict(Some("/a/bun"), Some("/a/bun")), Verdict::Ok);
    assert_eq!(verdict(None, Some("/a/bun")), Verdict::Ok);
    assert_eq!(verdict(Some("/a/bun"), Some("/b/bun")), Verdict::Warn);
    assert_eq!(verdict(Some("/a/bun"), None), Verdict::Fail);
    assert_eq!(verdict(None, None), Verdict::Fail);
}

#[test]
fn what_is_mended_is_the_plan_of_init_and_modes() {
    let mut facts = installed();
    facts.private = vec![
        Private { path: "/h/operator.token".into(), mode: 0o644, may: 0o600 },
        Private { path: "/h".into(), mode: 0o750, may: 0o755 },
    ];
    let plan = fix::plan(&facts).unwrap();
    let modes: Vec<&Step> = plan.steps.iter().filter(|step| matches!(step, Step::SetMode { .. })).collect();
    assert_eq!(modes, [&Step::SetMode { path: "/h/operator.token".into(), mode: 0o600 }]);
    assert!(plan.steps.iter().any(|step| matches!(step, Step::PutUnit { .. })));
    // What was never installed is not installed now.
    assert!(fix::plan(&nothing()).unwrap().steps.is_empty());
}
