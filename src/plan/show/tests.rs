use std::time::Duration;

use similar::TextDiff;

use super::*;
use crate::manager::backend::{Domain, Launchd, Systemd};
use crate::manager::state::{Active, Told};
use crate::plan::content::Fingerprint;
use crate::plan::observed::UnitRead;
use crate::unit::name::UnitName;
use crate::unit::target::Scope;

fn systemd(scope: Scope) -> Manager {
    Manager::Systemd(Systemd {
        scope,
        version: 252,
        dir: "/u".into(),
        runtime_dir: Some("/run/user/7".into()),
    })
}

fn diff(old: Option<&str>, new: Option<&str>, label: &str) -> String {
    let name = |side: Option<&str>| if side.is_some() { label } else { "/dev/null" }.to_owned();
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    // The same as the real one for whole texts.
    diff.unified_diff().header(&name(old), &name(new)).to_string().replace('\u{1b}', "\\u{1b}")
}

fn file(mode: u32, text: &str) -> Entry {
    let fingerprint = Fingerprint::of(text.as_bytes());
    Entry::File { mode, uid: 7, gid: 7, fingerprint, kept: Kept::Text(text.to_owned()) }
}

/// An installation over an earlier one: every kind of step, and a planted secret of every kind.
fn plan() -> (Plan, Vec<Observed>) {
    let hub = UnitName::hub();
    let old = "[Service]\nExecStart=/old serve\nEnvironment=\"A=1\" \"HUB_TOKEN=planted\"\nRestart=always\n";
    let new = "[Service]\nExecStart=/h/bin/parachute serve\nEnvironment=\"A=1\"\nRestart=always\n";
    let program =
        Content::CopyOf { source: "/tmp/parachute".into(), sha256: "ab".repeat(32), len: 4_123_456 };
    let down = Active::Stopped;
    let steps = vec![
        (
            Step::SetRunning { unit: hub.clone(), running: false },
            Observed::Running { active: Active::Running, process: None, service: None },
        ),
        (
            Step::MakeDir { path: "/h/bin".into(), mode: 0o755 },
            Observed::Dir { dir: Dir::Absent { missing: vec!["/h".into(), "/h/bin".into()] } },
        ),
        (
            Step::PutFile { path: "/h/bin/parachute".into(), mode: 0o755, content: program },
            Observed::File { entry: Entry::Link { to: "/opt/old".into() } },
        ),
        (
            Step::PutFile {
                path: "/h/hub.env".into(),
                mode: 0o600,
                content: Content::Text("X=planted\n".to_owned()),
            },
            Observed::File { entry: file(0o600, "X=planted too\n") },
        ),
        (
            Step::PutUnit {
                unit: hub.clone(),
                path: "/u/parachute-hub.service".into(),
                text: new.to_owned(),
            },
            Observed::Unit {
                entry: file(0o600, old),
                read: Some(UnitRead::Current),
                active: Active::Running,
            },
        ),
        (
            Step::PutUnit {
                unit: hub.socket(),
                path: "/u/parachute-hub.socket".into(),
                text: "[Socket]\n".to_owned(),
            },
            Observed::Unit { entry: Entry::Absent, read: Some(UnitRead::Nothing), active: down },
        ),
        (Step::SetMode { path: "/h".into(), mode: 0o755 }, Observed::Mode { mode: Some(0o777) }),
        (Step::SetLinger { user: "op".to_owned(), on: true }, Observed::Linger { on: Told::Known(true) }),
        (
            Step::SetEnabled { unit: hub.clone(), enabled: true },
            Observed::Enabled { enabled: false, active: down },
        ),
        (
            Step::SetRunning { unit: hub, running: true },
            Observed::Running { active: Active::Running, process: None, service: None },
        ),
        (
            Step::RemoveFile { path: "/h/old\u{1b}[2J".into() },
            Observed::File { entry: file(0o644, "gone\n") },
        ),
        (Step::RemoveDir { path: "/h/empty".into() }, Observed::Dir { dir: Dir::Empty { mode: 0o755 } }),
        (
            Step::Move { from: "/h/old logs".into(), to: "/h/.archive/logs\n".into() },
            Observed::Names { at: std::collections::BTreeMap::new() },
        ),
        (Step::AwaitHealthy { within: Duration::from_secs(60) }, Observed::Nothing),
        (Step::AwaitModules { within: Duration::from_secs(120) }, Observed::Nothing),
    ];
    let (steps, observed): (Vec<Step>, Vec<Observed>) = steps.into_iter().unzip();
    let mut plan = Plan { steps, ..Plan::new(Verb::Init) };
    plan.promises = vec![Promise("the hub runs, and starts again after a reboot".to_owned())];
    plan.notes = vec![Note {
        text: "the unit was edited by hand".to_owned(),
        hint: Some("parachute status".to_owned()),
    }];
    (plan, observed)
}

#[test]
fn everything_is_shown_but_secrets() {
    let (plan, observed) = plan();
    let shown = show(&plan, &observed, &systemd(Scope::User));
    let text = shown.text(&diff);
    insta::assert_snapshot!("text", text);
    let brief = shown.brief();
    insta::assert_snapshot!("brief", brief);
    let json = serde_json::to_string_pretty(&shown).unwrap();
    insta::assert_snapshot!("json", json);
    for said in [text, brief, json] {
        assert!(!said.contains("planted") && !said.contains('\u{1b}'), "{said}");
    }
}

#[test]
fn steps_that_are_already_done_are_marked() {
    let hub = UnitName::hub();
    let steps = vec![
        Step::SetEnabled { unit: hub.clone(), enabled: true },
        Step::SetRunning { unit: hub, running: true },
        Step::AwaitHealthy { within: Duration::from_secs(60) },
    ];
    let observed = [
        Observed::Enabled { enabled: true, active: Active::Running },
        Observed::Running { active: Active::Running, process: None, service: None },
        Observed::Nothing,
    ];
    let shown = show(&Plan { steps, ..Plan::new(Verb::Init) }, &observed, &systemd(Scope::System));
    assert!(shown.nothing_to_do && shown.needs_root);
    insta::assert_snapshot!("nothing_to_do", shown.text(&diff));
}

#[test]
fn every_step_that_can_be_typed_has_a_command() {
    let (plan, _) = plan();
    let manager = systemd(Scope::User);
    let typed: Vec<String> = plan
        .steps
        .iter()
        .map(|step| commands::by_hand(step, Some(&manager)).unwrap_or("-".to_owned()))
        .collect();
    insta::assert_snapshot!("by_hand", typed.join("\n"));
}

#[test]
fn launchd_commands_are_those_of_the_driver() {
    let manager =
        Manager::Launchd(Launchd { domain: Domain::Gui(501), dir: "/Users/a b/Library/LaunchAgents".into() });
    let (plan, _) = plan();
    let said: Vec<String> = plan.steps.iter().flat_map(|step| commands::of_manager(step, &manager)).collect();
    insta::assert_snapshot!("launchd", said.join("\n"));
}

/// The environment of a daemon may hold secrets: it is not printed, and no command can start the daemon without it.
#[test]
fn no_command_starts_a_detached_daemon_again() {
    let step = Step::StartDaemons { daemons: Vec::new() };
    let hint = commands::by_hand(&step, None).unwrap();
    assert_eq!(hint, "restore what is missing, then: parachute migrate --rollback");
}
