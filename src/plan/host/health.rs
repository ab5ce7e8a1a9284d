//! Waiting for the hub: that it lives, that it is the one which was installed, and that its modules are up.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a module stays ready")]

use std::time::{Duration, Instant};

use crate::api::client::{Client, ClientError, health_on};
use crate::api::wire::{Health, ModuleView, Ready, State, Status};
use crate::home::sentence;
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::{Active, Told, UnitState};
use crate::plan::commands;
use crate::plan::host::HostError;
use crate::plan::host::stability::{A_MOMENT, A_SECOND, Steady};
use crate::plan::plan::Note;
use crate::unit::name::UnitName;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What one look shows.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// It is the hub that was installed, and it lives.
    Well(Vec<Note>),
    /// Not yet, because.
    NotYet(String),
    /// Not any more: the manager has given up.
    Never(String),
}

/// Waits until the hub on the control socket answers, is the main process of the unit, and is the one that answers on
/// its port. A foreign server on the port or an older hub in the way is not the hub.
pub(super) async fn healthy<R: Runner>(
    hub: &Client,
    driver: &Driver<R>,
    within: Duration,
) -> Result<Vec<Note>, HostError> {
    let unit = UnitName::hub();
    let mut last = "nothing was heard of it".to_owned();
    let wait = async {
        loop {
            let answer = ask(hub).await;
            let state = driver.state(&unit).await;
            match look(answer, &state, env!("CARGO_PKG_VERSION")) {
                Look::Well(notes) => return Ok(notes),
                Look::NotYet(because) => last = because,
                Look::Never(because) => return Err(because),
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

/// What the socket says, and what the port says.
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

fn look(answer: Result<Answer, ClientError>, state: &UnitState, version: &str) -> Look {
    if state.active == Told::Known(Active::Failed) {
        return Look::Never("the manager started it and has given up: it fails each time".to_owned());
    }
    if let (Told::Known(Active::Idle), Some(code)) = (&state.active, state.exit) {
        // How a hub ends under launchd that a person must help: any other code would start it for ever.
        return Look::Never(format!("it has ended with code {code}, and the manager lets it be"));
    }
    let Answer { health, status, port } = match answer {
        Ok(answer) => answer,
        Err(error) => {
            // launchd never gives up: without this nothing would say that it dies again and again.
            let how = state.result.as_ref().map_or_else(String::new, |how| format!(" ({how})"));
            let died = format!("it died{how}, and is being started again");
            let restarting = state.active == Told::Known(Active::Restarting);
            return Look::NotYet(if restarting { died } else { sentence::of(&error) });
        }
    };
    let hub = &status.hub;
    if health.service != "parachute-hub" {
        return Look::NotYet(format!("what answers calls itself {:?}", health.service));
    }
    if health.version != version {
        return Look::NotYet(format!("parachute {} answers, and this is {version}", health.version));
    }
    if hub.draining {
        return Look::NotYet("the hub that answers is stopping".to_owned());
    }
    match state.pid {
        Some(pid) if pid == hub.pid => {}
        Some(pid) => {
            return Look::NotYet(format!("pid {} answers, and the manager runs pid {pid}", hub.pid));
        }
        None => {
            return Look::NotYet(format!("pid {} answers, and the manager runs no process", hub.pid));
        }
    }
    match port {
        Ok(other) if other.instance == health.instance => Look::Well(
            health.problems.into_iter().chain(status.notes.iter().cloned()).map(Note::new).collect(),
        ),
        Ok(_) => Look::NotYet(format!("another server answers on {}:{}", hub.host, hub.port)),
        Err(error) => Look::NotYet(format!("on its port: {}", sentence::of(&error))),
    }
}

/// Waits until no module is on its way any more, and tells which are not ready, or do not stay so. That is theirs to
/// sort out: it is never an error of the plan.
pub(super) async fn modules(hub: &Client, within: Duration) -> Result<Vec<Note>, HostError> {
    let (mut steady, begun) = (Steady::since_birth(A_MOMENT), Instant::now());
    loop {
        let asked = begun.elapsed();
        // In time or not: what counts is what is said then.
        let over = asked >= within;
        match told(hub).await {
            Ok((ready, status)) => {
                steady.look(&status.modules, begun.elapsed());
                let holds = |short: &str| steady.holds(short, asked);
                let stay = ready.ready_modules.iter().all(|short| holds(short));
                if over || (ready.transient_modules.is_empty() && stay) {
                    return Ok(not_ready(&ready, &status.modules, holds));
                }
            }
            Err(error) if over => return Err(HostError::refused(sentence::of(&error), None)),
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until each of these is ready and has stayed so. One that will not become so, or not in time, is an error: it
/// served before.
pub(super) async fn ready(hub: &Client, wanted: &[String], within: Duration) -> Result<(), HostError> {
    let (mut steady, begun) = (Steady::new(A_SECOND), Instant::now());
    let wait = async {
        loop {
            let asked = begun.elapsed();
            if let Ok((ready, status)) = told(hub).await {
                steady.look(&status.modules, begun.elapsed());
                if wanted.iter().all(|module| steady.holds(module, asked)) {
                    return true;
                }
                if wanted.iter().any(|module| hopeless(module, &ready, &status.modules)) {
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
    let missing = match &status {
        Ok(status) => {
            steady.look(&status.modules, begun.elapsed());
            lacking(wanted, &status.modules, |short| steady.holds(short, asked))
        }
        Err(error) => vec![sentence::of(error)],
    };
    let next = wanted.first().map(|module| format!("parachute logs {module}"));
    Err(HostError::refused(missing.join("; "), next.as_deref()))
}

/// Whether the hub has given this one up. One that lives and has not bound its port in time is late, no more: old
/// daemons on a slow machine took ten seconds.
fn hopeless(short: &str, ready: &Ready, modules: &[ModuleView]) -> bool {
    let lives = |module: &ModuleView| module.short == short && module.state == State::Running;
    ready.persistent_modules.iter().any(|name| name == short) && !modules.iter().any(lives)
}

async fn told(hub: &Client) -> Result<(Ready, Status), ClientError> {
    Ok((hub.get("/api/ready").await?, hub.get("/api/status").await?))
}

/// Of those that were wanted, each that does not hold, with what it is.
fn lacking(wanted: &[String], modules: &[ModuleView], holds: impl Fn(&str) -> bool) -> Vec<String> {
    wanted
        .iter()
        .filter(|short| !holds(short))
        .map(|short| match modules.iter().find(|module| module.short == *short) {
            Some(module) if module.ready => format!("{short} is not ready: {}", unsteady(module)),
            Some(module) => {
                let problem = module
                    .problem
                    .as_ref()
                    .map_or(module.detail.as_str(), |problem| problem.error_description.as_str());
                format!("{short} is not ready: {problem}")
            }
            None => format!("{short} is not known to the hub"),
        })
        .collect()
}

/// What is to be said of one that is ready and does not hold.
fn unsteady(module: &ModuleView) -> String {
    match module.restarts_in_window {
        0 => "it came up only just now".to_owned(),
        crashes => format!("it comes up and falls over ({crashes}×)"),
    }
}

fn not_ready(ready: &Ready, modules: &[ModuleView], holds: impl Fn(&str) -> bool) -> Vec<Note> {
    let note = |short: &String, detail: String| Note {
        text: format!("module {short} is not ready{detail}"),
        next: Some(format!("parachute why {short}")),
    };
    let find = |short: &String| modules.iter().find(|module| module.short == *short);
    // What will not become ready first.
    let not = ready.persistent_modules.iter().chain(&ready.transient_modules).map(|short| {
        note(short, find(short).map_or_else(String::new, |module| format!(": {}", module.detail)))
    });
    let unsteady = ready.ready_modules.iter().filter(|short| !holds(short)).map(|short| {
        note(short, find(short).map_or_else(String::new, |module| format!(": {}", unsteady(module))))
    });
    not.chain(unsteady).collect()
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

    /// Contract P-U16 and lesson B5: who answers counts, not that something answers.
    #[test]
    fn only_the_hub_that_the_manager_runs_is_healthy() {
        let up = state(Active::Running, Some(7));
        let not_yet = |answer, state: &UnitState| match look(answer, state, "1.0.0") {
            Look::NotYet(because) => because,
            other => panic!("{other:?}"),
        };
        assert_eq!(look(Ok(answer(7)), &up, "1.0.0"), Look::Well(Vec::new()));
        assert_eq!(not_yet(Ok(answer(8)), &up), "pid 8 answers, and the manager runs pid 7");
        let down = state(Active::Stopped, None);
        assert_eq!(not_yet(Ok(answer(8)), &down), "pid 8 answers, and the manager runs no process");
        let old = Answer { health: Health { version: "0.9.0".to_owned(), ..health("a") }, ..answer(7) };
        assert_eq!(not_yet(Ok(old), &up), "parachute 0.9.0 answers, and this is 1.0.0");
        let web = Answer { health: Health { service: "web".to_owned(), ..health("a") }, ..answer(7) };
        assert_eq!(not_yet(Ok(web), &up), "what answers calls itself \"web\"");
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
        assert_eq!(not_yet(Err(silent), &again), "it died (exit code 1), and is being started again");
        let failed = look(Ok(answer(7)), &state(Active::Failed, None), "1.0.0");
        assert!(matches!(failed, Look::Never(_)), "waiting on would tell nothing new");
        let over = UnitState { exit: Some(0), ..state(Active::Idle, None) };
        let silent = ClientError::NoHub { socket: "/s".into() };
        assert!(matches!(look(Err(silent), &over, "1.0.0"), Look::Never(_)), "as does a hub under launchd");
    }

    #[test]
    fn of_those_that_served_before_each_that_lacks_is_told_with_its_reason() {
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
            lacking(&wanted, &modules, |short| short == "ok"),
            [
                "vault is not ready: it comes up and falls over (3×)",
                "notes is not ready: it came up only just now",
                "web is not ready: waiting for port 1940",
                "gone is not known to the hub",
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
        assert_eq!(notes[1].next.as_deref(), Some("parachute why notes"));
        assert_eq!(not_ready(&Ready::default(), &[], |_| true), []);
        let ready = Ready { ready_modules: vec!["vault".to_owned(), "web".to_owned()], ..Ready::default() };
        let vault = ModuleView { restarts_in_window: 2, ..view("vault", 1, true) };
        let notes = not_ready(&ready, &[vault], |short| short == "web");
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].text, "module vault is not ready: it comes up and falls over (2×)");
    }

    #[test]
    fn one_that_binds_late_is_waited_for() {
        let ready = Ready { persistent_modules: vec!["vault".to_owned()], ..Ready::default() };
        let vault = |state| ModuleView { state, ..view("vault", 1, false) };
        assert!(
            !hopeless("vault", &ready, &[vault(State::Running)]),
            "unbound after four seconds, and alive"
        );
        assert!(hopeless("vault", &ready, &[vault(State::Crashed)]));
        assert!(hopeless("vault", &ready, &[]));
        assert!(!hopeless("notes", &ready, &[vault(State::Crashed)]));
    }
}
