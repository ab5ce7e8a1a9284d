//! Every reason of systemd, with its text, the next command, and whether to retry.

use super::*;
use crate::manager::systemd::parse;
use crate::manager::systemd::testing::{answer, captured, system, user};
use crate::manager::systemd::verbs;

fn told(cause: &Cause) -> String {
    let retry = match cause.retry {
        Retry::Safe => "retry",
        Retry::After(_) => "later",
        Retry::Never => "never",
    };
    format!("{retry} | {} | {}", cause.what, cause.next.as_deref().unwrap_or("-"))
}

#[test]
fn why_a_unit_ended() {
    let names = [
        "exit-78",
        "no-program",
        "never-ready",
        "no-env-file",
        "ended-before-ready",
        "segv",
        "auto-restart",
        "ceiling",
        "bad-setting",
        "masked",
        "not-found",
        "static",
    ];
    let unit = UnitName::new("m").unwrap();
    let told =
        |name: &&str| format!("{name}: {}", told(&ended(&user(), &unit, &parse::state(&captured(name)))));
    insta::assert_snapshot!(names.iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn why_a_tool_refused() {
    let hub = UnitName::hub();
    let (start, reload) = (verbs::start(&system(), &hub), verbs::reload(&system()));
    let table = [
        (
            system(),
            &start,
            "Failed to start parachute-hub.service: Interactive authentication required.\nSee system logs",
        ),
        (system(), &reload, "Reload daemon failed: Interactive authentication required."),
        (system(), &start, "Failed to start x: Unit polkit.service is masked."),
        (system(), &start, "Failed to start parachute-hub.service: Unit parachute-hub.service is masked."),
        (system(), &start, "Failed to start parachute-hub.service: Unit parachute-hub.service not found."),
        (system(), &start, "Failed to start x: Unit x has a bad unit file setting.\nSee …"),
        (system(), &start, "Job for x failed because start of the service was attempted too often.\nSee …"),
        (system(), &start, "Job for x failed because the control process exited with error code.\nSee …"),
        (system(), &start, "Job for x canceled."),
        (system(), &start, "System has not been booted with systemd as init system (PID 1). Can't operate."),
        (system(), &start, "Failed to enable unit: File /etc/x: Read-only file system"),
        (system(), &start, ""),
        (user(), &verbs::start(&user(), &hub), "Failed to connect to bus: No such file or directory"),
        (user(), &verbs::start(&user(), &hub), "Failed to connect to bus: Operation not permitted"),
        (
            Systemd { runtime_dir: None, ..user() },
            &verbs::start(&user(), &hub),
            "Failed to connect to bus: No medium found",
        ),
        (
            user(),
            &verbs::start(&user(), &hub),
            "Failed to connect to user scope bus via local transport: $DBUS_SESSION_BUS_ADDRESS and …",
        ),
    ];
    let lines = table
        .map(|(systemd, invocation, stderr)| told(&refused(&systemd, invocation, &answer(1, "", stderr))));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn why_linger_cannot_be_set() {
    let table = [
        "Could not enable linger: Interactive authentication required.",
        "Could not enable linger: Unit polkit.service is masked.",
        "Could not enable linger: No such device or address",
        "Failed to look up user ann: No such process",
        "Failed to connect to bus: No such file or directory",
        "",
    ];
    let lines = table.map(|stderr| told(&linger("ann", true, &answer(1, "", stderr))));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_result_of_systemd_has_words() {
    let state = |result: &str| {
        let text = format!(
            "LoadState=loaded\nActiveState=failed\nResult={result}\nExecMainCode=2\nExecMainStatus=9\n"
        );
        told(&ended(&system(), &UnitName::hub(), &parse::state(&answer(0, &text, ""))))
    };
    // org.freedesktop.systemd1(5), Service Unit Objects, Result; `success` with a stopped unit is the last.
    let results = [
        "core-dump",
        "watchdog",
        "timeout",
        "oom-kill",
        "start-limit-hit",
        "exec-condition",
        "unheard-of",
        "success",
    ];
    insta::assert_snapshot!(results.map(|r| format!("{r}: {}", state(r))).join("\n"));
}
