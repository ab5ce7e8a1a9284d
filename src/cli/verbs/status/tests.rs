//! Every screen of `status`, from reports as data.

use super::*;
use crate::module::problem::{Problem, ProblemKind as Why};
use crate::module::timestamp::Timestamp;
use crate::process::id::{BootId, ProcessId, Started};

fn module(short: &str, state: State) -> ModuleView {
    ModuleView {
        short: short.to_owned(),
        name: format!("parachute-{short}"),
        state,
        detail: "ready".to_owned(),
        ready: state == State::Running,
        pid: (state == State::Running).then_some(4711),
        port: 1940,
        listens: true,
        version: "1".to_owned(),
        url: Some("http://127.0.0.1:1940/x".to_owned()),
        install_dir: None,
        started_at: None,
        uptime_ms: (state == State::Running).then_some(75_000),
        restarts: 2,
        restarts_in_window: 0,
        memory_bytes: (state == State::Running).then_some(13_002_342),
        health: None,
        last_exit: None,
        last_exit_at: None,
        adopted: false,
        problem: None,
    }
}

fn status(modules: Vec<ModuleView>) -> Status {
    let hub = HubView {
        version: "0.1.0".to_owned(),
        pid: 42,
        port: 1939,
        host: "127.0.0.1".to_owned(),
        socket_held_by: None,
        home: "/home/op/.parachute".to_owned(),
        mode: "foreground".to_owned(),
        started_at: Timestamp(0),
        uptime_ms: 3_700_000,
        memory_bytes: Some(3_000_000),
        draining: false,
        instance: "x".to_owned(),
    };
    Status { hub, modules, problems: Vec::new(), notes: Vec::new() }
}

#[test]
fn screen_without_problems() {
    let mut worker = module("mailer", State::Running);
    worker.listens = false;
    worker.url = None;
    let stopped = module("notes", State::Stopped);
    let mut vault = module("vault", State::Running);
    vault.health = Some(crate::api::wire::HealthView {
        ok: true,
        latency_us: Some(1234),
        detail: "200 OK".to_owned(),
        at: Timestamp(0),
    });
    let status = status(vec![vault, worker, stopped]);
    assert_eq!(verdict(&status), ExitKind::Done, "stopped on purpose is no failure");
    insta::assert_snapshot!(screen(&status, None, Style::PLAIN));
}

#[test]
fn screen_with_problems() {
    let mut crashed = module("vault", State::Crashed);
    crashed.problem = Some(
        Problem::new(
            Why::PortSquatter,
            "port 1940 of vault is held by pid 812 (node server.js)",
            Timestamp(0),
        )
        .next("kill 812"),
    );
    let mut unbound = module("notes", State::Running);
    unbound.ready = false;
    unbound.problem = Some(Problem::new(
        Why::StartedButUnbound,
        "notes runs and has not bound its port\n\nmore",
        Timestamp(0),
    ));
    let mut waiting = module("scribe", State::Restarting);
    waiting.detail = "next try in 0.5 s".to_owned();
    let mut status = status(vec![crashed, unbound, waiting]);
    status.problems.push(FileProblem {
        file: "/h/services.json".to_owned(),
        row: None,
        message: "/h/services.json cannot be used: it is cut off".to_owned(),
        next: Some("repair it".to_owned()),
    });
    assert_eq!(verdict(&status), ExitKind::Failed);
    insta::assert_snapshot!(screen(&status, None, Style::PLAIN));
}

#[test]
fn notes_are_shown_and_do_not_fail() {
    let mut status = status(vec![module("vault", State::Running)]);
    status.notes.push("a second socket was closed\u{1b}".to_owned());
    assert_eq!(verdict(&status), ExitKind::Done);
    let text = screen(&status, None, Style::PLAIN);
    assert!(text.starts_with("note: a second socket was closed") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn empty_and_down() {
    let empty = status(Vec::new());
    assert_eq!(verdict(&empty), ExitKind::Done);
    insta::assert_snapshot!("empty", screen(&empty, None, Style::PLAIN));
    let row =
        DownRow { short: "vault".to_owned(), name: "parachute-vault".to_owned(), port: 1940, pid: None };
    let mut down =
        Down { hub: None, manager: None, older: None, left: None, modules: vec![row], problems: Vec::new() };
    insta::assert_snapshot!("down", down_screen(&down, Style::PLAIN));
    down.older = Some("no supervised hub runs; vault (pid 26) still runs detached".to_owned());
    assert!(down_screen(&down, Style::PLAIN).contains("hint: parachute migrate --to-supervised"));
    down.older = None;
    let id = ProcessId { pid: 26, started: Started(1), boot: BootId("b".into()) };
    let down = down.with(&[Orphan { short: "vault".to_owned(), id }]);
    insta::assert_snapshot!("down_and_left", down_screen(&down, Style::PLAIN));
}

#[test]
fn control_characters_of_a_module_are_escaped() {
    let mut evil = module("vault", State::Crashed);
    evil.problem = Some(Problem::new(Why::Exited, "\u{1b}]0;owned\u{7}", Timestamp(0)));
    assert!(!screen(&status(vec![evil]), None, Style::PLAIN).contains('\u{1b}'));
}

#[test]
fn each_failure_prints_the_next_command() {
    let mut crashed = module("ghost", State::Crashed);
    crashed.problem = Some(Problem::new(Why::MissingDependency, "`x` is not on PATH", Timestamp(0)));
    let mut status = status(vec![crashed]);
    status.problems.push(FileProblem {
        file: "/h/hub.toml".to_owned(),
        row: None,
        message: "line 3 is wrong\n  | prot = 1\n\n".to_owned(),
        next: None,
    });
    let text = screen(&status, None, Style::PLAIN);
    assert!(text.contains("  ! `x` is not on PATH\n  hint: parachute why ghost\n"), "{text}");
    let problem = "problem: line 3 is wrong\n    | prot = 1\n  hint: ls -l /h/hub.toml\n";
    assert!(text.starts_with(problem), "{text}");
}
