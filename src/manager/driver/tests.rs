//! Whole verbs against scripts, in virtual time: which commands run, in which order, and which result is accepted.
#![expect(clippy::disallowed_methods, reason = "test: reads virtual time")]

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::manager::explain::Retry;
use crate::manager::invocation::{Invocation, ToolOutput};
use crate::manager::systemd::testing::{captured, system, user};
use crate::manager::testing::{Script, fails, says};
use crate::process::user;

const SHOW: &str = "systemctl --user show --property=LoadState,LoadError,ActiveState,SubState,UnitFileState,\
    FragmentPath,DropInPaths,NeedDaemonReload,ConditionResult,WantedBy,Type,MainPID,NRestarts,Result,ExecMainCode,\
    ExecMainStatus,StatusText,StartLimitBurst,InvocationID,InactiveExitTimestampMonotonic,Id \
    parachute-hub.service";
const RESET: &str = "systemctl --user --no-ask-password reset-failed parachute-hub.service";
const START: &str = "systemctl --user --no-ask-password start parachute-hub.service";
const STOP: &str = "systemctl --user --no-ask-password stop parachute-hub.service";
const RESTART: &str = "systemctl --user --no-ask-password restart parachute-hub.service";
const ENABLE: &str = "systemctl --user --no-ask-password enable parachute-hub.service";
const LINGER: &str = "loginctl show-user no-such-user-here --property=Linger --value";
const SET_LINGER: &str = "loginctl --no-ask-password enable-linger no-such-user-here";
const NOBODY: &str = "Failed to get user: User ID 4711 is not logged in or lingering\n";
const JOB_FAILED: &str = "Job for parachute-hub.service failed because the control process exited with error code.\n\
    See \"systemctl --user status parachute-hub.service\" and so on for details.\n";

/// The journal of the last seconds, or a page of it.
fn journal(since: Option<u32>) -> String {
    let wanted = since.map_or("short-iso --lines=50".to_owned(), |s| format!("cat --lines=10 --since=-{s}s"));
    let uid = user::effective_uid();
    format!(
        "journalctl --quiet --no-pager --output={wanted} _SYSTEMD_USER_UNIT=parachute-hub.service \
         _UID={uid} + USER_UNIT=parachute-hub.service _UID={uid} + SYSLOG_IDENTIFIER=parachute-hub _UID={uid}"
    )
}

fn driver(script: Script) -> Driver<Script> {
    Driver::new(Manager::Systemd(user()), script)
}

/// The output of `show`: `ActiveState`, and more properties.
fn look(active: &str, more: &str) -> io::Result<ToolOutput> {
    says(&format!(
        "LoadState=loaded\nActiveState={active}\nSubState=x\nType=notify\nInvocationID=new\n{more}\n"
    ))
}

fn hub() -> UnitName {
    UnitName::hub()
}

#[tokio::test(start_paused = true)]
async fn a_start_resets_the_counter_and_ends_when_it_runs() {
    let nothing_to_reset = "Failed to reset failed state of unit parachute-hub.service: Unit … not loaded.\n";
    let driver = driver(Script::new([
        (RESET, fails(1, nothing_to_reset)),
        (START, says("")),
        (SHOW, look("activating", "")),
        (SHOW, look("active", "MainPID=7")),
    ]));
    assert_eq!(driver.start(&hub()).await, Ok(()));
    driver.runner.is_played();
}

/// Until the hub is up nothing serves, so known facts are not queried again.
#[tokio::test(start_paused = true)]
async fn a_unit_that_was_never_started_needs_no_reset() {
    let driver = driver(Script::new([
        (SHOW, look("inactive", "InactiveExitTimestampMonotonic=0")),
        (START, says("")),
        (SHOW, look("active", "MainPID=7\nInactiveExitTimestampMonotonic=5")),
        (RESET, says("")),
        (START, says("")),
        (SHOW, look("active", "MainPID=8")),
    ]));
    let seen = driver.state(&hub()).await;
    assert!(seen.untried);
    let now = driver.start_seen(&hub(), Some(&seen)).await.unwrap().unwrap();
    assert_eq!((now.untried, now.pid), (false, Some(7)));
    let now = driver.start_seen(&hub(), Some(&now)).await.unwrap().unwrap();
    assert_eq!(now.pid, Some(8));
    driver.runner.is_played();
}

/// systemd.socket(5): a socket cannot start while its service runs. A plan that is undone meets that.
#[tokio::test(start_paused = true)]
async fn a_socket_whose_service_runs_stops_it_and_starts_it_again() {
    let of_socket = |line: &str| line.replace("parachute-hub.service", "parachute-hub.socket");
    let (reset, start, show) = (of_socket(RESET), of_socket(START), of_socket(SHOW));
    let of_service = |active: &str, pid: &str| (SHOW.to_owned(), look(active, pid));
    let listens = |active: &str| (show.clone(), look(active, ""));
    let started = || vec![(reset.clone(), says("")), (start.clone(), says("")), listens("active")];
    let stopped = || vec![(STOP.to_owned(), says("")), of_service("inactive", "")];
    let again = || {
        vec![(RESET.to_owned(), says("")), (START.to_owned(), says("")), of_service("active", "MainPID=8")]
    };
    let scripts = [
        vec![vec![of_service("active", "MainPID=7"), listens("inactive")], stopped(), started(), again()],
        // One that is still stopping is in the way too, and stays stopped.
        vec![vec![of_service("deactivating", "MainPID=7"), listens("inactive")], stopped(), started()],
        vec![vec![of_service("inactive", "")], started()],
        // A socket that listens is left alone.
        vec![vec![of_service("active", "MainPID=7"), listens("active")], started()],
    ];
    for script in scripts {
        let driver = driver(Script::new(script.into_iter().flatten()));
        assert_eq!(driver.start(&hub().socket()).await, Ok(()));
        driver.runner.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_reports_the_last_lines() {
    let words = journal(Some(1));
    let driver = driver(Script::new([
        (RESET, says("")),
        (START, fails(1, JOB_FAILED)),
        (SHOW, Ok(captured("exit-78"))),
        (&words, says("port 1939 is held by pid 812\nMain process exited\n")),
    ]));
    let error = driver.start(&hub()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot start parachute-hub.service: it needs you to act first: its settings or its port (exit code 78)\n\
         port 1939 is held by pid 812\nMain process exited"
    );
    assert_eq!((error.cause.retry, error.kind), (Retry::Never, FailureKind::Failed));
    driver.runner.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_start_reported_done_that_does_not_run_has_failed() {
    let words = journal(Some(1));
    let table = [
        (
            says(
                "LoadState=loaded\nActiveState=failed\nType=simple\nResult=exit-code\nExecMainCode=1\nExecMainStatus=203\n",
            ),
            "203",
        ),
        (Ok(captured("auto-restart")), "systemd keeps restarting it"),
        (look("inactive", "Result=success\nConditionResult=no"), "a condition of the unit does not hold"),
    ];
    for (seen, expected) in table {
        let absent = Err(io::ErrorKind::NotFound.into());
        let driver =
            driver(Script::new([(RESET, says("")), (START, says("")), (SHOW, seen), (&words, absent)]));
        let error = driver.start(&hub()).await.unwrap_err();
        assert!(error.cause.what.contains(expected) && error.kind == FailureKind::Failed, "{error}");
        driver.runner.is_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_cannot_be_started_is_told_from_a_failed_condition() {
    let words = journal(Some(1));
    // ConditionResult is "no" until a start was tried (measured in the lab).
    let never = |name| {
        let ToolOutput { stdout, .. } = captured(name);
        says(&format!("{stdout}ConditionResult=no\n"))
    };
    let table = [
        (
            "Failed to start x: Unit x not found.\n",
            never("not-found"),
            "systemd knows no parachute-hub.service",
        ),
        ("Failed to start x: Unit x is masked.\n", never("masked"), "is masked by /home/lab/"),
    ];
    for (refusal, seen, expected) in table {
        let driver = driver(Script::new([
            (RESET, fails(1, refusal)),
            (START, fails(1, refusal)),
            (SHOW, seen),
            (&words, says("")),
        ]));
        let error = driver.start(&hub()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_notify_is_checked_twice() {
    let simple = || look("active", "Type=simple");
    let crashed = look("failed", "Type=simple\nResult=exit-code\nExecMainCode=1\nExecMainStatus=203");
    let words = journal(Some(2));
    let good =
        driver(Script::new([(RESET, says("")), (START, says("")), (SHOW, simple()), (SHOW, simple())]));
    assert_eq!(good.start(&hub()).await, Ok(()));
    good.runner.is_played();
    let bad = driver(Script::new([
        (RESET, says("")),
        (START, says("")),
        (SHOW, simple()),
        (SHOW, crashed),
        (&words, says("")),
    ]));
    assert!(bad.start(&hub()).await.unwrap_err().to_string().contains("(exit code 203, EXEC)"));
}

#[tokio::test(start_paused = true)]
async fn every_wait_is_limited() {
    struct Stuck(&'static str);
    impl Runner for Stuck {
        async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
            if invocation.to_string().contains(" show ") { look(self.0, "MainPID=9") } else { says("") }
        }
    }
    let began = Instant::now();
    let starting = Driver::new(Manager::Systemd(user()), Stuck("activating"));
    let error = starting.start(&hub()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot start parachute-hub.service: it is still starting or stopping (pid 9), though systemd reported the job done"
    );
    let stopping = Driver::new(Manager::Systemd(user()), Stuck("deactivating"));
    let error = stopping.stop(&hub()).await.unwrap_err();
    assert!(error.to_string().contains("it is still there (pid 9)"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_when_no_process_is_left() {
    let waits = driver(Script::new([
        (STOP, says("")),
        (SHOW, look("deactivating", "MainPID=7")),
        (SHOW, look("failed", "MainPID=7")),
        (SHOW, look("failed", "MainPID=0")),
    ]));
    assert_eq!(waits.stop(&hub()).await, Ok(()));
    waits.runner.is_played();
    // A unit that does not exist counts as stopped.
    let absent = driver(Script::new([
        (STOP, fails(5, "Failed to stop x: Unit x not loaded.\n")),
        (SHOW, Ok(captured("not-found"))),
    ]));
    assert_eq!(absent.stop(&hub()).await, Ok(()));
    let refused = fails(1, "Failed to stop parachute-hub.service: Interactive authentication required.\n");
    let denied = driver(Script::new([(STOP, refused), (SHOW, look("active", "MainPID=7"))]));
    let error = denied.stop(&hub()).await.unwrap_err();
    assert!(error.to_string().contains("only root may do this here"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_must_give_a_new_run() {
    let before = || look("active", "InvocationID=old");
    let ask = |after| {
        driver(Script::new([(SHOW, before()), (RESET, says("")), (RESTART, says("")), (SHOW, after)]))
    };
    assert_eq!(ask(look("active", "")).restart(&hub()).await, Ok(()));
    let words = journal(Some(1));
    let same = driver(Script::new([
        (SHOW, before()),
        (RESET, says("")),
        (RESTART, says("")),
        (SHOW, before()),
        (&words, says("")),
    ]));
    assert!(same.restart(&hub()).await.unwrap_err().to_string().contains("it runs as before"));
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_does_not_answer_is_not_a_stopped_unit() {
    let no_bus = || fails(1, "Failed to connect to bus: No medium found\n");
    let words = journal(Some(1));
    let driver = driver(Script::new([
        (SHOW, no_bus()),
        (STOP, no_bus()),
        (SHOW, no_bus()),
        (RESET, no_bus()),
        (START, no_bus()),
        (SHOW, no_bus()),
        (&words, says("")),
        (SHOW, Err(io::ErrorKind::NotFound.into())),
        (SHOW, says("")),
    ]));
    let state = driver.state(&hub()).await;
    assert_eq!(state.active, Told::Unknown("Failed to connect to bus: No medium found".to_owned()));
    for error in [driver.stop(&hub()).await.unwrap_err(), driver.start(&hub()).await.unwrap_err()] {
        assert!(error.to_string().contains("does not answer at /run/user/1000"), "{error}");
    }
    assert_eq!(
        driver.state(&hub()).await.active,
        Told::Unknown("there is no `systemctl` on PATH".to_owned())
    );
    assert_eq!(driver.state(&hub()).await.active, Told::Unknown("systemctl answered nothing".to_owned()));
    driver.runner.is_played();
}

#[tokio::test]
async fn enabled_is_the_managers_state_and_not_an_exit_code() {
    let told = |enable, shown| async {
        let driver = driver(Script::new([(ENABLE, enable), (SHOW, shown)]));
        let done = driver.set_enabled(&hub(), true).await;
        driver.runner.is_played();
        done.map_err(|error| error.cause.what)
    };
    let offline = "System has not been booted with systemd as init system (PID 1). Can't operate.\n";
    assert_eq!(told(says(""), Ok(captured("running"))).await, Ok(()));
    // Measured: `enable` succeeds where no systemd runs.
    assert_eq!(told(says(""), fails(1, offline)).await, Err(offline.trim().trim_end_matches('.').to_owned()));
    assert!(told(says(""), Ok(captured("static"))).await.unwrap_err().contains("no [Install] section"));
    assert!(told(fails(1, "Failed to enable unit: x is masked.\n"), Ok(captured("masked"))).await.is_err());
    let disable = "systemctl --user --no-ask-password disable parachute-hub.service";
    let gone = fails(1, "Failed to disable unit: Unit file parachute-hub.service does not exist.\n");
    let driver = driver(Script::new([(disable, gone), (SHOW, Ok(captured("not-found")))]));
    assert_eq!(driver.set_enabled(&hub(), false).await, Ok(()));
}

#[tokio::test]
async fn linger_is_checked_before_and_after_and_set_by_name() {
    let user = "no-such-user-here";
    let on = driver(Script::new([(LINGER, says("yes\n"))]));
    assert_eq!(on.set_linger(user, true).await, Ok(()), "nothing to change");
    let set =
        driver(Script::new([(LINGER, fails(1, NOBODY)), (SET_LINGER, says("")), (LINGER, says("yes\n"))]));
    assert_eq!(set.set_linger(user, true).await, Ok(()));
    set.runner.is_played();
    // An error, although linger is on.
    let odd =
        driver(Script::new([(LINGER, says("no\n")), (SET_LINGER, fails(1, "x\n")), (LINGER, says("yes\n"))]));
    assert_eq!(odd.set_linger(user, true).await, Ok(()));
    let denied = fails(1, "Could not enable linger: Interactive authentication required.\n");
    let refused =
        driver(Script::new([(LINGER, fails(1, NOBODY)), (SET_LINGER, denied), (LINGER, fails(1, NOBODY))]));
    let error = refused.set_linger(user, true).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot turn linger of no-such-user-here on: only root may do this here");
    assert_eq!(error.cause.next.as_deref(), Some("sudo loginctl enable-linger no-such-user-here"));
    let lied = driver(Script::new([(LINGER, says("no\n")), (SET_LINGER, says("")), (LINGER, says("no\n"))]));
    assert!(lied.set_linger(user, true).await.unwrap_err().to_string().contains("but it is not done"));
}

#[tokio::test]
async fn linger_is_yes_no_or_a_reason() {
    let user = "no-such-user-here";
    let table = [
        (says("yes\n"), Told::Known(true)),
        (says("no\n"), Told::Known(false)),
        (fails(1, NOBODY), Told::Known(false)),
        (fails(1, "Failed to connect to bus: x\n"), Told::Unknown("Failed to connect to bus: x".to_owned())),
        (Err(io::ErrorKind::NotFound.into()), Told::Unknown("there is no `loginctl` on PATH".to_owned())),
    ];
    for (answer, expected) in table {
        assert_eq!(driver(Script::new([(LINGER, answer)])).linger(user).await, expected);
    }
}

#[tokio::test]
async fn an_unreadable_journal_is_reported() {
    let typed = journal(None);
    let logs = |answer| async {
        let driver = driver(Script::new([(&*typed, answer)]));
        driver.logs(&hub(), 50).await.map_err(|error| (error.kind, error.cause.what))
    };
    assert_eq!(logs(says("a\nb\n")).await, Ok(vec!["a".to_owned(), "b".to_owned()]));
    let closed = logs(fails(1, "No journal files were opened due to insufficient permissions.\n")).await;
    let (kind, what) = closed.unwrap_err();
    assert_eq!(kind, FailureKind::NotKept);
    assert!(what.contains("may not read the journal"), "{what}");
    assert_eq!(logs(says("")).await.unwrap_err().0, FailureKind::NotKept);
    assert_eq!(logs(Err(io::ErrorKind::NotFound.into())).await.unwrap_err().0, FailureKind::NoTool);
}

#[tokio::test]
async fn every_line_of_the_checker_about_our_files_is_a_complaint() {
    let files = [PathBuf::from("/u/parachute-hub.service")];
    let typed = "systemd-analyze verify --man=no /u/parachute-hub.service";
    let verify = |answer| async {
        let driver = Driver::new(Manager::Systemd(system()), Script::new([(typed, answer)]));
        driver.verify(&files).await.map_err(|error| error.kind)
    };
    assert_eq!(verify(says("")).await, Ok(vec![]));
    // Measured: unknown keys are reported with exit code 0.
    let ours =
        "/u/parachute-hub.service:7: Unknown key 'StartLimitIntervalSec' in section [Service], ignoring.";
    let others = "/lib/systemd/system/x.service:3: Unit configured to use KillMode=none.";
    let warned = io::Result::Ok(ToolOutput {
        code: Some(0),
        stdout: String::new(),
        stderr: format!("{others}\n{ours}\n"),
    });
    assert_eq!(verify(warned).await, Ok(vec![ours.to_owned()]));
    assert_eq!(verify(fails(1, "")).await, Ok(vec!["systemd-analyze ended with exit code 1".to_owned()]));
    assert_eq!(verify(Err(io::ErrorKind::NotFound.into())).await, Err(FailureKind::NoTool));
    let nowhere = "Failed to lookup RuntimeDirectory path: No such device or address\n";
    assert_eq!(verify(fails(1, nowhere)).await, Err(FailureKind::NoTool));
}
