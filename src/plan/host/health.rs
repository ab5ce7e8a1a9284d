//! The steps that wait: until the hub is healthy and is the one that was installed, and until its modules are ready.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a module stays ready")]

use std::time::{Duration, Instant};

use crate::api::client::{Client, ClientError, health_on};
use crate::api::wire::{Health, ModuleView, Ready, State, Status};
use crate::error_chain;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::{Active, Told, UnitState};
use crate::plan::Note;
use crate::plan::commands;
use crate::plan::host::HostError;
use crate::plan::host::stability::{ANY_OTHER, SERVED_BEFORE, Stability};
use crate::unit::name::UnitName;

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(50);

/// The state of the hub according to one request.
#[derive(Debug, PartialEq, Eq)]
enum HubHealth {
    /// It is healthy, and is the installed hub. With the problems that it reports.
    Healthy(Vec<Note>),
    /// It is not healthy yet, for this reason.
    NotYet(String),
    /// It will not become healthy, for this reason: the manager has given up.
    Never(String),
}

/// Waits until the hub on the control socket answers, is the main process of the unit, and is the one that answers on
/// its port. Another server on the port, or a hub of another version, is not the hub.
pub(super) async fn await_hub<R: Runner>(
    hub: &Client,
    driver: &Driver<R>,
    within: Duration,
) -> Result<Vec<Note>, HostError> {
    let unit = UnitName::hub();
    let mut last = "no answer from it".to_owned();
    let wait = async {
        loop {
            let answer = ask(hub).await;
            let state = driver.state(&unit).await;
            match judge(answer, &state, env!("CARGO_PKG_VERSION")) {
                HubHealth::Healthy(notes) => return Ok(notes),
                HubHealth::NotYet(because) => last = because,
                HubHealth::Never(because) => return Err(because),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let outcome = tokio::time::timeout(within, wait).await;
    let because = match outcome {
        Ok(Ok(notes)) => return Ok(notes),
        Ok(Err(because)) => because,
        Err(_) => format!("it is not healthy after {} s: {last}", within.as_secs()),
    };
    Err(HostError::refused(because, Some(&commands::log(&unit, &driver.manager))))
}

/// The hub's answers on its control socket and on its port.
struct Answer {
    health: Health,
    status: Status,
    port: Result<Health, ClientError>,
}

async fn ask(hub: &Client) -> Result<Answer, ClientError> {
    let health = hub.get("/health").await?;
    let status: Status = hub.get("/api/status").await?;
    let port = health_on(&status.hub.host, status.hub.port).await;
    Ok(Answer { health, status, port })
}

fn judge(answer: Result<Answer, ClientError>, state: &UnitState, version: &str) -> HubHealth {
    if state.active == Told::Known(Active::Failed) {
        return HubHealth::Never(
            "the service manager started it and stopped trying: it fails each time".to_owned(),
        );
    }
    if let (Told::Known(Active::Idle), Some(code)) = (&state.active, state.exit) {
        // A hub that needs the user's action exits with a code after which launchd does not start it again.
        return HubHealth::Never(format!(
            "it exited with code {code}, and the service manager does not restart it"
        ));
    }
    let Answer { health, status, port } = match answer {
        Ok(answer) => answer,
        Err(error) => {
            // launchd never gives up: only this shows that the hub exits again and again.
            let how = state.result.as_ref().map_or_else(String::new, |how| format!(" ({how})"));
            let died = format!("it failed{how} and is being restarted");
            let restarting = state.active == Told::Known(Active::Restarting);
            return HubHealth::NotYet(if restarting { died } else { error_chain::of(&error) });
        }
    };
    let hub = &status.hub;
    if health.service != "parachute-hub" {
        return HubHealth::NotYet(format!("the program that answers calls itself {:?}", health.service));
    }
    if health.version != version {
        return HubHealth::NotYet(format!("parachute {} answers, and this is {version}", health.version));
    }
    if hub.draining {
        return HubHealth::NotYet("the hub that answers is stopping".to_owned());
    }
    match state.pid {
        Some(pid) if pid == hub.pid => {}
        Some(pid) => {
            return HubHealth::NotYet(format!("pid {} answers, and the manager runs pid {pid}", hub.pid));
        }
        None => {
            return HubHealth::NotYet(format!("pid {} answers, and the manager runs no process", hub.pid));
        }
    }
    match port {
        Ok(other) if other.instance == health.instance => HubHealth::Healthy(
            health.problems.into_iter().chain(status.notes.iter().cloned()).map(Note::new).collect(),
        ),
        Ok(_) => HubHealth::NotYet(format!("another server answers on {}:{}", hub.host, hub.port)),
        Err(error) => HubHealth::NotYet(format!("on its port: {}", error_chain::of(&error))),
    }
}

/// Waits until no module is starting any more, and reports those that are not ready or do not stay ready. That is a
/// problem of the modules and no error of the plan.
pub(super) async fn await_modules(hub: &Client, within: Duration) -> Result<Vec<Note>, HostError> {
    let (mut stability, begun) = (Stability::with_uptime(ANY_OTHER), Instant::now());
    loop {
        let asked = begun.elapsed();
        // One more request is made when the time is over, and its answer counts.
        let over = asked >= within;
        match ask_modules(hub).await {
            Ok((ready, status)) => {
                stability.record(&status.modules, begun.elapsed());
                let is_stable = |short: &str| stability.is_stable(short, asked);
                let stay_ready = ready.ready_modules.iter().all(|short| is_stable(short));
                if over || (ready.transient_modules.is_empty() && stay_ready) {
                    return Ok(not_ready(&ready, &status.modules, is_stable));
                }
            }
            Err(error) if over => return Err(HostError::refused(error_chain::of(&error), None)),
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until each of these modules is ready and has stayed ready for a while. One that does not become ready in
/// time is an error, because it served before.
pub(super) async fn await_ready(hub: &Client, wanted: &[String], within: Duration) -> Result<(), HostError> {
    let (mut stability, begun) = (Stability::new(SERVED_BEFORE), Instant::now());
    let wait = async {
        loop {
            let asked = begun.elapsed();
            if let Ok((ready, status)) = ask_modules(hub).await {
                stability.record(&status.modules, begun.elapsed());
                if wanted.iter().all(|module| stability.is_stable(module, asked)) {
                    return true;
                }
                if wanted.iter().any(|module| is_given_up(module, &ready, &status.modules)) {
                    return false;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(within, wait).await == Ok(true) {
        return Ok(());
    }
    let asked = begun.elapsed();
    let status: Result<Status, ClientError> = hub.get("/api/status").await;
    let reasons = match &status {
        Ok(status) => {
            stability.record(&status.modules, begun.elapsed());
            missing(wanted, &status.modules, |short| stability.is_stable(short, asked))
        }
        Err(error) => vec![error_chain::of(error)],
    };
    let hint = wanted.first().map(|module| format!("parachute logs {module}"));
    Err(HostError::refused(reasons.join("; "), hint.as_deref()))
}

/// Whether the hub has given up on this module. One that runs and has not bound its port in time is only late: on a
/// slow machine that took ten seconds.
fn is_given_up(short: &str, ready: &Ready, modules: &[ModuleView]) -> bool {
    let runs = |module: &ModuleView| module.short == short && module.state == State::Running;
    ready.persistent_modules.iter().any(|name| name == short) && !modules.iter().any(runs)
}

async fn ask_modules(hub: &Client) -> Result<(Ready, Status), ClientError> {
    Ok((hub.get("/api/ready").await?, hub.get("/api/status").await?))
}

/// Each of the wanted modules that is not stable, with the reason.
fn missing(wanted: &[String], modules: &[ModuleView], is_stable: impl Fn(&str) -> bool) -> Vec<String> {
    wanted
        .iter()
        .filter(|short| !is_stable(short))
        .map(|short| match modules.iter().find(|module| module.short == *short) {
            Some(module) if module.ready => format!("{short} is not ready: {}", unstable(module)),
            Some(module) => {
                let problem = module
                    .problem
                    .as_ref()
                    .map_or(module.detail.as_str(), |problem| problem.error_description.as_str());
                format!("{short} is not ready: {problem}")
            }
            None => format!("the hub does not know {short}"),
        })
        .collect()
}

/// Why a module is not stable although it is ready.
fn unstable(module: &ModuleView) -> String {
    match module.restarts_in_window {
        0 => "it became ready only a moment ago".to_owned(),
        crashes => format!("it becomes ready and crashes ({crashes}×)"),
    }
}

/// A note for each module that is not ready or not stable.
fn not_ready(ready: &Ready, modules: &[ModuleView], is_stable: impl Fn(&str) -> bool) -> Vec<Note> {
    let note = |short: &String, detail: String| Note {
        text: format!("module {short} is not ready{detail}"),
        hint: Some(format!("parachute why {short}")),
    };
    let find = |short: &String| modules.iter().find(|module| module.short == *short);
    // First those that will not become ready.
    let not = ready.persistent_modules.iter().chain(&ready.transient_modules).map(|short| {
        note(short, find(short).map_or_else(String::new, |module| format!(": {}", module.detail)))
    });
    let unstable = ready.ready_modules.iter().filter(|short| !is_stable(short)).map(|short| {
        note(short, find(short).map_or_else(String::new, |module| format!(": {}", unstable(module))))
    });
    not.chain(unstable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::host::stability::tests::view;

    fn health(instance: &str) -> Health {
        Health {
            status: "ok".to_owned(),
            service: "parachute-hub".to_owned(),
            version: "1.0.0".to_owned(),
            instance: instance.to_owned(),
            problems: Vec::new(),
        }
    }

    fn status(pid: u32) -> Status {
        serde_json::from_value(serde_json::json!({
            "hub": {
                "version": "1.0.0", "pid": pid, "port": 1939, "host": "127.0.0.1", "home": "/h", "mode": "",
                "started_at": "2026-01-01T00:00:00.000Z", "uptime_ms": 1, "memory_bytes": null,
                "draining": false, "instance": "a"
            },
            "modules": [],
            "problems": []
        }))
        .unwrap()
    }

    fn answer(pid: u32) -> Answer {
        Answer { health: health("a"), status: status(pid), port: Ok(health("a")) }
    }

    fn state(active: Active, pid: Option<u32>) -> UnitState {
        UnitState { active: Told::Known(active), pid, ..UnitState::unknown("") }
    }

    /// An answer is not enough: the process that answers must be the one that the manager runs.
    #[test]
    fn only_the_hub_that_the_manager_runs_is_healthy() {
        let up = state(Active::Running, Some(7));
        let not_yet = |answer, state: &UnitState| match judge(answer, state, "1.0.0") {
            HubHealth::NotYet(because) => because,
            other => panic!("{other:?}"),
        };
        assert_eq!(judge(Ok(answer(7)), &up, "1.0.0"), HubHealth::Healthy(Vec::new()));
        assert_eq!(not_yet(Ok(answer(8)), &up), "pid 8 answers, and the manager runs pid 7");
        let down = state(Active::Stopped, None);
        assert_eq!(not_yet(Ok(answer(8)), &down), "pid 8 answers, and the manager runs no process");
        let old = Answer { health: Health { version: "0.9.0".to_owned(), ..health("a") }, ..answer(7) };
        assert_eq!(not_yet(Ok(old), &up), "parachute 0.9.0 answers, and this is 1.0.0");
        let web = Answer { health: Health { service: "web".to_owned(), ..health("a") }, ..answer(7) };
        assert_eq!(not_yet(Ok(web), &up), "the program that answers calls itself \"web\"");
        let hijacked = Answer { port: Ok(health("b")), ..answer(7) };
        assert_eq!(not_yet(Ok(hijacked), &up), "another server answers on 127.0.0.1:1939");
        let foreign = ClientError::Foreign { status: hyper::StatusCode::OK };
        let foreign = Answer { port: Err(foreign), ..answer(7) };
        assert!(not_yet(Ok(foreign), &up).starts_with("on its port: the hub answered HTTP 200"));
        let silent = ClientError::NoHub { socket: "/s".into() };
        assert_eq!(not_yet(Err(silent), &up), "no hub is running (nothing answers on /s)");
        let silent = ClientError::NoHub { socket: "/s".into() };
        let result = Some("exit code 1".to_owned());
        let again = UnitState { result, ..state(Active::Restarting, None) };
        assert_eq!(not_yet(Err(silent), &again), "it failed (exit code 1) and is being restarted");
        let failed = judge(Ok(answer(7)), &state(Active::Failed, None), "1.0.0");
        assert!(matches!(failed, HubHealth::Never(_)), "waiting longer does not help");
        let over = UnitState { exit: Some(0), ..state(Active::Idle, None) };
        let silent = ClientError::NoHub { socket: "/s".into() };
        assert!(matches!(judge(Err(silent), &over, "1.0.0"), HubHealth::Never(_)), "a hub under launchd");
    }

    #[test]
    fn each_module_that_served_before_and_is_not_ready_is_named_with_the_reason() {
        let module = |short: &str, ready: bool, crashes: u32| -> ModuleView {
            ModuleView { restarts_in_window: crashes, ..view(short, 1, ready) }
        };
        let modules = [
            module("vault", true, 3),
            module("notes", true, 0),
            module("web", false, 0),
            module("ok", true, 0),
        ];
        let wanted = ["vault", "notes", "web", "ok", "gone"].map(str::to_owned);
        assert_eq!(
            missing(&wanted, &modules, |short| short == "ok"),
            [
                "vault is not ready: it becomes ready and crashes (3×)",
                "notes is not ready: it became ready only a moment ago",
                "web is not ready: waiting for port 1940",
                "the hub does not know gone",
            ]
        );
    }

    #[test]
    fn modules_that_are_not_ready_are_named() {
        let ready = Ready {
            persistent_modules: vec!["vault".to_owned()],
            transient_modules: vec!["notes".to_owned()],
            ..Ready::default()
        };
        let notes = not_ready(&ready, &[], |_| true);
        assert_eq!(notes[0].text, "module vault is not ready");
        assert_eq!(notes[1].hint.as_deref(), Some("parachute why notes"));
        assert_eq!(not_ready(&Ready::default(), &[], |_| true), []);
        let ready = Ready { ready_modules: vec!["vault".to_owned(), "web".to_owned()], ..Ready::default() };
        let vault = ModuleView { restarts_in_window: 2, ..view("vault", 1, true) };
        let notes = not_ready(&ready, &[vault], |short| short == "web");
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].text, "module vault is not ready: it becomes ready and crashes (2×)");
    }

    #[test]
    fn a_module_that_binds_its_port_late_is_waited_for() {
        let ready = Ready { persistent_modules: vec!["vault".to_owned()], ..Ready::default() };
        let vault = |state| ModuleView { state, ..view("vault", 1, false) };
        assert!(
            !is_given_up("vault", &ready, &[vault(State::Running)]),
            "it runs, and has not bound its port after four seconds"
        );
        assert!(is_given_up("vault", &ready, &[vault(State::Crashed)]));
        assert!(is_given_up("vault", &ready, &[]));
        assert!(!is_given_up("notes", &ready, &[vault(State::Crashed)]));
    }
}
