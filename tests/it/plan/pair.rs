//! The pair of units of an earlier version, service and socket: upgraded and uninstalled, cut off at any point, while a
//! client connects to the port all the time or not.

use std::path::Path;

use parachute::install::facts::{Facts, HomeFacts, OnDisk, Program as Installed, SettingsFacts, UnitFacts};
use parachute::install::planner::{self, InstallRequest};
use parachute::manager::backend::{Manager, Systemd};
use parachute::manager::state::{Active, Told, UnitState};
use parachute::plan::content::{Content, Fingerprint};
use parachute::plan::observed::Observed;
use parachute::plan::receipt::Receipt;
use parachute::plan::step::Step;
use parachute::plan::{Plan, UndoScope, undo_plan};
use parachute::process::user::User;
use parachute::unit::name::UnitName;
use parachute::unit::target::Scope;

use super::model_host::{ModelHost, Node, View};
use super::testing::{Program, describe, enabled, hub, plan, running, uninstall, unit, unit_path};

const SERVICE: &str = include_str!("../../data/units/pair-user.service");
const SOCKET: &str = include_str!("../../data/units/pair-user.socket");

/// More points than any plan here has.
const POINTS: usize = 200;

/// A machine without a hub.
fn empty() -> ModelHost {
    let mut host =
        ModelHost::new().with_unit(&hub(), None, false, false).with_unit(&hub().socket(), None, false, false);
    host.nodes.insert("/src".into(), Node::File { mode: 0o755, text: "the new program".to_owned() });
    host
}

/// What `init` of the earlier version did.
fn old_init() -> Plan {
    let (hub, socket) = (hub(), hub().socket());
    plan(vec![
        Step::MakeDir { path: "/h/bin".into(), mode: 0o700 },
        Step::PutFile {
            path: "/h/bin/parachute".into(),
            mode: 0o755,
            content: Content::Text("the old program".to_owned()),
        },
        unit(&hub, SERVICE),
        unit(&socket, SOCKET),
        enabled(&hub, true),
        enabled(&socket, true),
        Step::SetLinger { user: "op".to_owned(), on: true },
        running(&socket, true),
        running(&hub, true),
    ])
}

/// The machine with the pair, which runs; the program with its receipt; and the machine before.
fn installed(polls: bool) -> (ModelHost, Program, View) {
    let (mut host, mut program) = (empty(), Program::new());
    let before = host.view();
    program.run(&mut host, &old_init()).unwrap().unwrap();
    host.polls = polls;
    (host, program, before)
}

fn written<'a>(receipt: &'a Receipt, unit: &UnitName) -> Option<&'a str> {
    receipt.records.iter().find_map(|record| match &record.step {
        Step::PutUnit { unit: of, text, .. } if of == unit => Some(text.as_str()),
        _ => None,
    })
}

/// The facts as they would be gathered.
fn facts(host: &ModelHost, receipt: &Receipt) -> Facts {
    let view = host.view();
    let of = |unit: UnitName| {
        let (path, seen) = (unit_path(&unit), &view.units[&unit]);
        UnitFacts {
            on_disk: host.text(&path).map_or(OnDisk::Nothing, OnDisk::Text),
            written: written(receipt, &unit).map(ToOwned::to_owned),
            state: UnitState {
                loaded: Told::Known(host.text(&path).is_some()),
                active: Told::Known(seen.active),
                enabled: Told::Known(seen.enabled),
                file: Some(path.clone()),
                stale: !seen.is_current,
                ..UnitState::unknown("")
            },
            path,
            unit,
        }
    };
    let Fingerprint { sha256, len } = Fingerprint::of(b"the new program");
    Facts {
        person: User { uid: 1000, gid: 1000, name: "op".to_owned(), home: "/home/op".into() },
        manager: Manager::Systemd(Systemd {
            scope: Scope::User,
            version: 252,
            dir: "/u".into(),
            runtime_dir: None,
        }),
        home: HomeFacts {
            root: "/h".into(),
            owner: Some(1000),
            modules: Vec::new(),
            broken: None,
            hub_env: None,
        },
        program: Installed {
            same: host.text(Path::new("/h/bin/parachute")).as_deref() == Some("the new program"),
            content: Content::CopyOf { source: "/src".into(), sha256, len },
            path: "/h/bin/parachute".into(),
        },
        units: vec![of(hub()), of(hub().socket())],
        twins: Vec::new(),
        others: None,
        linger: Some(Told::Known(true)),
        holder: None,
        hub: None,
        search: vec!["/usr/bin".into()],
        needs: Vec::new(),
        settings: SettingsFacts { port: 1939, text: String::new(), broken: None },
        unfinished: None,
    }
}

fn upgrade(host: &ModelHost, receipt: &Receipt) -> Plan {
    planner::plan(&facts(host, receipt), &InstallRequest::default()).unwrap()
}

/// Linger that was never set equals linger that is off.
fn view(host: &ModelHost) -> View {
    let mut view = host.view();
    view.linger.retain(|_, on| *on);
    for unit in view.units.values_mut().filter(|unit| unit.active == Active::Failed) {
        unit.active = Active::Stopped;
    }
    view
}

/// Uninstalls what the receipt lists; nothing is left.
fn nothing_is_left(host: &mut ModelHost, program: &mut Program, before: &View, at: &str) {
    let plan = uninstall(host, &program.receipt());
    assert_eq!(plan.notes, [], "{at}");
    program.run(host, &plan).unwrap().unwrap();
    assert_eq!(view(host), *before, "{at}");
    assert!(program.receipt().is_empty(), "{at}");
}

/// Every point at which the plan can be cut off; its undoing or its finishing is then cut off too, at another point.
fn every_cut(make: impl Fn(&ModelHost, &Receipt) -> Plan, check: impl Fn(Cut<'_>)) {
    for polls in [false, true] {
        let mut is_whole = false;
        'cuts: for cut in 0..POINTS {
            for again in [None, Some(cut * 7 % 23)] {
                let (mut host, mut program, before) = installed(polls);
                let (pair, receipt) = (view(&host), program.receipt());
                let plan = make(&host, &receipt);
                host.cut_after(Some(cut));
                let outcome = program.run(&mut host, &plan);
                host.cut_after(None);
                if let Some(outcome) = outcome {
                    outcome.unwrap();
                    is_whole = true;
                    break 'cuts;
                }
                let at = format!("polls {polls}, cut at {cut} and {again:?}");
                check(Cut { host, program, before, pair, receipt, again, at: &at });
            }
        }
        assert!(is_whole, "{POINTS} points are too few");
    }
}

struct Cut<'a> {
    host: ModelHost,
    program: Program,
    /// The machine before the pair was installed.
    before: View,
    /// The machine with the pair.
    pair: View,
    receipt: Receipt,
    /// Where the second run is cut off too.
    again: Option<usize>,
    at: &'a str,
}

#[test]
fn an_upgrade_stops_and_removes_the_socket_before_anything_else_of_the_unit() {
    let (mut host, mut program, before) = installed(true);
    let plan = upgrade(&host, &program.receipt());
    insta::assert_snapshot!(describe(&plan), @r"
    make the directory /h
    make the directory /h/bin
    make the directory /u
    stop hub.socket
    stop hub
    disable hub.socket
    remove the unit /u/parachute-hub.socket
    copy /src to /h/bin/parachute
    write the unit /u/parachute-hub.service
    enable hub at boot
    enable linger for op (services run without a login)
    start hub
    wait until the hub is healthy, at most 60 s
    wait until the modules are ready, at most 60 s
    ");
    program.run(&mut host, &plan).unwrap().unwrap();
    let after = view(&host);
    assert_eq!(after.units[&hub().socket()].active, Active::Stopped);
    let service = &after.units[&hub()];
    assert_eq!((service.active, service.enabled), (Active::Running, true));
    assert!(!service.runs.as_ref().unwrap().contains("socket"));
    let again = upgrade(&host, &program.receipt());
    assert!(again.steps.iter().all(|step| step.subject() != "hub.socket"), "{again:?}");
    insta::assert_snapshot!(describe(&uninstall(&host, &program.receipt())), @r"
    stop hub
    disable hub
    disable linger for op (services stop at logout)
    remove the unit /u/parachute-hub.service
    remove /h/bin/parachute
    remove the directory /h/bin if it is empty
    remove the directory /h if it is empty
    ");
    nothing_is_left(&mut host, &mut program, &before, "");
}

#[test]
fn an_interrupted_upgrade_that_is_undone_brings_socket_and_service_back() {
    every_cut(upgrade, |mut cut| {
        if let Some(again) = cut.again {
            cut.host.cut_after(Some(again));
            let _ = cut.program.roll_back(&mut cut.host);
            cut.host.cut_after(None);
        }
        let rollback = cut.program.roll_back(&mut cut.host).unwrap();
        assert_eq!(rollback.remaining, [], "{}", cut.at);
        assert_eq!(view(&cut.host), cut.pair, "{}", cut.at);
        assert_eq!(cut.host.restarts, 0, "{}: the socket was started while its service ran", cut.at);
        assert_eq!(cut.program.receipt(), cut.receipt, "{}", cut.at);
        nothing_is_left(&mut cut.host, &mut cut.program, &cut.before, cut.at);
    });
}

#[test]
fn an_interrupted_upgrade_that_is_finished_ends_with_one_unit() {
    every_cut(upgrade, |mut cut| {
        let (mut uncut, mut whole, _) = installed(cut.host.polls);
        let plan = upgrade(&uncut, &whole.receipt());
        whole.run(&mut uncut, &plan).unwrap().unwrap();
        if let Some(again) = cut.again {
            cut.host.cut_after(Some(again));
            let _ = cut.program.resume(&mut cut.host);
            cut.host.cut_after(None);
        }
        if let Some(outcome) = cut.program.resume(&mut cut.host) {
            outcome.unwrap();
        }
        // A run that was cut off before its journal began has done nothing.
        if view(&cut.host) != cut.pair {
            assert_eq!(view(&cut.host), view(&uncut), "{}", cut.at);
            assert_eq!(cut.program.receipt().steps(), whole.receipt().steps(), "{}", cut.at);
        }
        assert_eq!(cut.host.restarts, 0, "{}", cut.at);
        nothing_is_left(&mut cut.host, &mut cut.program, &cut.before, cut.at);
    });
}

#[test]
fn an_interrupted_uninstall_of_the_pair_is_finished_or_undone() {
    for finish in [true, false] {
        every_cut(uninstall, |mut cut| {
            let end = |cut: &mut Cut<'_>| {
                if finish {
                    cut.program.resume(&mut cut.host).map(|outcome| assert!(outcome.is_ok(), "{}", cut.at))
                } else {
                    let rollback = cut.program.roll_back(&mut cut.host);
                    rollback.map(|rollback| assert_eq!(rollback.remaining, [], "{}", cut.at))
                }
            };
            if let Some(again) = cut.again {
                cut.host.cut_after(Some(again));
                let _ = end(&mut cut);
                cut.host.cut_after(None);
            }
            end(&mut cut).unwrap();
            assert_eq!(cut.host.restarts, 0, "{}", cut.at);
            if !finish {
                assert_eq!(view(&cut.host), cut.pair, "{}", cut.at);
            }
            nothing_is_left(&mut cut.host, &mut cut.program, &cut.before, cut.at);
        });
    }
}

/// The journal of an earlier version: it does not say whether the service of a socket ran.
#[test]
fn an_interrupted_uninstall_of_an_earlier_version_is_undone() {
    for cut in 0..POINTS {
        let (mut host, mut program, before) = installed(false);
        let pair = view(&host);
        let plan = uninstall(&host, &program.receipt());
        host.cut_after(Some(cut));
        let outcome = program.run(&mut host, &plan);
        host.cut_after(None);
        if outcome.is_some() {
            return;
        }
        program.forget_services_of_sockets();
        assert_eq!(program.roll_back(&mut host).unwrap().remaining, [], "{cut}");
        assert_eq!(view(&host), pair, "{cut}");
        nothing_is_left(&mut host, &mut program, &before, &cut.to_string());
    }
    panic!("{POINTS} points are too few");
}

/// A client had started the hub through its socket before the step that starts it: the receipt says that it ran before.
#[test]
fn a_hub_that_a_client_started_during_its_installation_is_uninstalled() {
    for was in [Active::Running, Active::Starting] {
        let (mut host, mut program, before) = installed(true);
        let mut receipt = program.receipt();
        let of_hub = |step: &Step| matches!(step, Step::SetRunning { unit, .. } if *unit == hub());
        let record = receipt.records.iter_mut().find(|record| of_hub(&record.step)).unwrap();
        record.before = Observed::Running { active: was, process: None, service: None };
        program.put("receipt.json", &serde_json::to_string(&receipt).unwrap());
        let start = running(&hub(), true);
        let now: Vec<Observed> = receipt.records.iter().map(|record| record.before.clone()).collect();
        for scope in [UndoScope::Everything, UndoScope::OnlyAdded] {
            assert!(!undo_plan(&receipt, &now, scope, true).steps.contains(&start));
        }
        // Also after an upgrade.
        let plan = upgrade(&host, &receipt);
        program.run(&mut host, &plan).unwrap().unwrap();
        nothing_is_left(&mut host, &mut program, &before, "");
    }
}
