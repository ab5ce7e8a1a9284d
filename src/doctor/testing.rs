//! Machines for tests of doctor: a fresh installation without faults, and one with every fault.

use super::facts::{Disk, DoctorFacts, InstallationFacts, Private, Start, Trouble};
use crate::api::wire::{FileProblem, HubView, ModuleView, State, Status};
use crate::install::facts::{Facts, OnDisk, Twin};
use crate::install::planner::{self, InstallRequest};
use crate::install::testing;
use crate::manager::state::{Active, Told};
use crate::module::failure::Failure;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::plan::step::Step;

/// The time of these tests.
const NOW: Timestamp = Timestamp(1_772_359_200_000);

/// The result of `init`.
pub(crate) fn installed(request: &InstallRequest) -> Facts {
    let mut facts = testing::fresh();
    facts.settings.port = request.port.unwrap_or(facts.settings.port);
    let plan = planner::plan(&facts, request).unwrap();
    for step in plan.steps {
        if let Step::PutUnit { path, text, .. } = step {
            let unit = facts.units.iter_mut().find(|unit| unit.path == path).unwrap();
            unit.on_disk = OnDisk::Text(text.clone());
            unit.written = Some(text);
            unit.state = testing::running(42);
            unit.state.file = Some(path);
        }
    }
    facts.program.same = true;
    facts
}

fn module(short: &str, state: State, ready: bool) -> ModuleView {
    ModuleView {
        short: short.to_owned(),
        name: short.to_owned(),
        state,
        detail: "waiting for port 1940".to_owned(),
        ready,
        pid: None,
        port: 1940,
        listens: true,
        version: String::new(),
        url: None,
        install_dir: None,
        started_at: None,
        uptime_ms: None,
        restarts: 0,
        restarts_in_window: 0,
        memory_bytes: None,
        health: None,
        last_exit: None,
        last_exit_at: None,
        adopted: false,
        problem: None,
    }
}

fn status(port: u16, modules: Vec<ModuleView>) -> Box<Status> {
    let hub = HubView {
        version: "1.2.3".to_owned(),
        pid: 42,
        port,
        host: "127.0.0.1".to_owned(),
        socket_held_by: None,
        home: "/home/op/.parachute".to_owned(),
        mode: "managed by systemd".to_owned(),
        started_at: NOW,
        uptime_ms: 5,
        memory_bytes: None,
        draining: false,
        instance: "i".to_owned(),
    };
    Box::new(Status { hub, modules, problems: Vec::new(), notes: Vec::new() })
}

fn private(path: &str, mode: u32, may: u32) -> Private {
    Private { path: path.into(), mode, may, ours: true }
}

fn start(module: &str, shell: Option<&str>, hub: Option<&str>) -> Start {
    Start {
        module: module.to_owned(),
        program: Ok("node".to_owned()),
        in_shell: shell.map(Into::into),
        in_hub: hub.map(Into::into),
    }
}

/// Right after `init`, with one module.
pub(crate) fn well() -> DoctorFacts {
    let install = installed(&InstallRequest::default());
    DoctorFacts {
        program_is_there: true,
        older: Some(Told::Known(None)),
        left: None,
        hub: Some(status(1939, vec![module("web", State::Running, true)])),
        version: "1.2.3".to_owned(),
        port: 1939,
        holder: None,
        private: vec![
            private("/home/op/.parachute", 0o700, 0o755),
            private("/home/op/.parachute/operator.token", 0o600, 0o600),
        ],
        services: Vec::new(),
        settings: None,
        hub_env: None,
        drop_ins: Vec::new(),
        starts: vec![start("web", Some("/usr/bin/node"), Some("/usr/bin/node"))],
        held: Vec::new(),
        disk: Some(Disk { free: 5 << 30, total: 10 << 30 }),
        log_bytes: 3 << 20,
        failures: Vec::new(),
        now: NOW,
        install: InstallationFacts::Known(Box::new(install)),
    }
}

/// The installation of these facts.
pub(crate) fn install(facts: &mut DoctorFacts) -> &mut Facts {
    match &mut facts.install {
        InstallationFacts::Known(install) => install,
        other => panic!("{other:?}"),
    }
}

/// A failure of a module this many minutes ago.
pub(crate) fn failure(module: &str, minutes: u64) -> (String, Failure) {
    let at = Timestamp(NOW.0 - minutes * 60_000);
    let failure = Failure {
        short: module.to_owned(),
        at,
        ended: None,
        lived_ms: None,
        was_ready: false,
        command: String::new(),
        problem: Problem::new(ProblemKind::Exited, "it ended", at),
        crashes_in_window: 1,
        max_crashes: 5,
        gave_up: false,
        lines: Vec::new(),
    };
    (module.to_owned(), failure)
}

/// Every fault that can be present and visible at once, with control characters that a terminal must not get.
pub(crate) fn ill() -> DoctorFacts {
    let mut facts = well();
    let here = install(&mut facts);
    here.linger = Some(Told::Known(false));
    here.twins.push(Twin {
        path: "/etc/systemd/system/parachute-hub.service".into(),
        remove: "sudo parachute uninstall --scope system".to_owned(),
        owner: None,
    });
    here.program.same = false;
    testing::pair(here);
    let service = &mut here.units[0];
    service.on_disk = OnDisk::Text("[Service]\nExecStart=/bin/other\u{1b}[2J\n".to_owned());
    service.state.stale = true;
    service.state.enabled = Told::Unknown("no bus".to_owned());
    service.state.active = Told::Known(Active::Failed);
    service.state.result = Some("exit-code".to_owned());
    let crashed =
        Problem::new(ProblemKind::Exited, "`web` ended with exit code 1.\n\nits log tells more", NOW);
    let mut status = status(2000, vec![module("slow", State::Running, false)]);
    status.modules.push(ModuleView { problem: Some(crashed), ..module("web", State::Crashed, false) });
    status.hub.version = "1.2.2".to_owned();
    status.problems.push(FileProblem {
        file: "/home/op/.parachute/run/boots.json".to_owned(),
        row: None,
        message: "safe mode: the hub died five times in five minutes".to_owned(),
        next: Some("parachute start --all".to_owned()),
    });
    facts.hub = Some(status);
    facts.older =
        Some(Told::Known(Some("detached daemons of an older version run here: hub (pid 13)".to_owned())));
    facts.private = vec![
        private("/home/op/.parachute", 0o777, 0o755),
        private("/home/op/.parachute/hub.env", 0o644, 0o600),
        Private { ours: false, ..private("/home/op/.parachute/run", 0o755, 0o700) },
    ];
    facts.services = vec![Trouble {
        message: "old: two rows have port 1940".to_owned(),
        next: "correct the row in /home/op/.parachute/services.json".to_owned(),
    }];
    facts.settings = Some("/home/op/.parachute/hub.toml, line 1: unknown key\u{1b}[2J".to_owned());
    facts.log_bytes = 3 << 30;
    facts.disk = Some(Disk { free: 50 << 20, total: 10 << 30 });
    let trouble =
        Trouble { message: "nothing says how to start it".to_owned(), next: "parachute why old".to_owned() };
    facts.starts = vec![
        start("web", Some("/home/op/.nvm/bin/node"), Some("/usr/bin/node")),
        start("slow", Some("/home/op/.nvm/bin/node"), None),
        start("gone", None, None),
        Start { program: Err(trouble), ..start("old", None, None) },
    ];
    facts.failures = vec![failure("web", 5), failure("slow", 500)];
    facts
}
