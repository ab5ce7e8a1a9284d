//! The hub under systemd: start, hang, crash, memory, and giving up.

use crate::host;
use crate::hub::{Hub, SERVICE, Scope, in_both_scopes};
use crate::lab::{Lab, Who};

/// `Type=notify`: `start` returns when the hub is ready; `systemctl status` shows what it does.
#[test]
fn systemd_is_notified_when_the_hub_is_ready_and_of_its_status() {
    in_both_scopes(|_, hub| {
        hub.module("web", 1950, "");
        hub.install();
        hub.start();
        let answer = hub.parachute("status").code(0);
        assert!(answer.out.contains("managed by systemd"), "ready means that it answers: {answer:?}");
        let shown = ["ActiveState", "SubState", "Type", "NRestarts", "Result"].map(|p| hub.show(p));
        assert_eq!(shown, ["active", "running", "notify", "0", "success"]);
        assert!(hub.show("StatusText").starts_with("listening on 127.0.0.1:1939"));
        assert_eq!(hub.show("WatchdogUSec"), "1min", "the watchdog interval");
        hub.runs_once(&["web"]);
    });
}

/// journald takes the priority off each line, so that trouble can be asked for alone: sd-daemon(3).
#[test]
fn the_journal_knows_the_priority_of_each_line() {
    in_both_scopes(|_, hub| {
        hub.install();
        hub.edit("[Service]\nEnvironment=PARACHUTE_LOG=loud\n");
        hub.start();
        let warnings = hub.journal_from("warning");
        assert!(warnings.contains("[hub] PARACHUTE_LOG is not used: \"loud\" is no level"), "{warnings}");
        assert!(!warnings.contains("listening on"), "{warnings}");
        hub.edit("[Service]\nEnvironment=PARACHUTE_LOG=debug\n");
        let _ = hub.systemctl(&format!("restart {SERVICE}")).code(0);
        let (info, all) = (hub.journal_from("info"), hub.journal());
        assert!(info.contains("[hub] listening on") && !info.contains("[hub] debug "), "{info}");
        assert!(
            all.contains("[hub] debug parachute::hub::notify: the service manager gets a message"),
            "{all}"
        );
        assert!(!all.lines().any(|line| line.starts_with('<')), "{all}");
    });
}

/// Messages of `systemd-analyze verify` about our units: none. It exits with 0 on warnings, so the output counts.
#[test]
fn systemd_has_no_complaints_about_our_units() {
    in_both_scopes(|lab, hub| {
        hub.install();
        let files = hub.path(SERVICE);
        let manager = if hub.scope == Scope::User { "--user" } else { "" };
        let verify = format!("systemd-analyze verify --man=no {manager} {files}");
        let script = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u)\n{verify}");
        let said = lab.run(&hub.keeper(), &script).code(0);
        assert_eq!(said.out + &said.err, "");
    });
}

/// A hub whose loop hangs is unusable, though its process exists: the watchdog kills it.
#[test]
fn a_hub_that_hangs_is_restarted_and_its_modules_run_on() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.module("deaf", 1951, "--ignore-term");
        hub.install();
        hub.edit("[Service]\nWatchdogSec=15s\n");
        hub.start();
        hub.runs_once(&["web", "deaf"]);
        let (pid, before) = (hub.pid(), lab.processes());
        let _ = lab.root(&format!("kill -STOP {pid}")).code(0);
        lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
        hub.becomes("ActiveState", "active");
        hub.runs_once(&["web", "deaf"]);
        assert_eq!(hub.show("NRestarts"), "1");
        assert!(hub.journal().contains("Failed with result 'watchdog'"), "it was the watchdog");
        assert_eq!(lab.processes(), before, "adopted");
    });
}

/// Like the out-of-memory killer or a user.
#[test]
fn a_hub_that_is_killed_is_restarted_and_adopts_its_modules() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.module("deaf", 1951, "--ignore-term");
        hub.module("daemon", 1952, "--escape");
        hub.install();
        hub.start();
        hub.runs_once(&["web", "deaf"]);
        hub.ready("daemon");
        let daemons = || lab.processes().iter().filter(|p| p.module == "daemon").count();
        // The shell that starts it may still run for a moment.
        lab.eventually("the daemon and who waits for it", || daemons() == 2);
        let (pid, before) = (hub.pid(), lab.processes());
        let _ = lab.root(&format!("kill -KILL {pid}")).code(0);
        lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
        hub.becomes("ActiveState", "active");
        hub.runs_once(&["web", "deaf"]);
        hub.ready("daemon");
        assert_eq!(lab.processes(), before);
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!(lab.processes(), []);
    });
}

/// The limit of a crash loop is reached with the installed numbers, and a user can reset it.
#[test]
fn a_hub_that_cannot_start_is_given_up_after_twenty_starts_system() {
    let Some(lab) = Lab::up() else { return };
    the_ceiling_is_reached(&lab, Scope::System);
}

#[test]
fn a_hub_that_cannot_start_is_given_up_after_twenty_starts_user() {
    let Some(lab) = Lab::up() else { return };
    the_ceiling_is_reached(&lab, Scope::User);
}

#[track_caller]
fn the_ceiling_is_reached(lab: &Lab, scope: Scope) {
    let mut hub = Hub::new(lab, scope);
    let real = std::mem::replace(&mut hub.bin, "/srv/hub".to_owned());
    hub.module("web", 1950, "");
    lab.write(
        &Who::Root,
        "/srv/hub",
        "#!/bin/sh\n[ $1 = serve ] || exit 0\necho the start number $$\nexit 1\n",
    );
    let _ = lab.root("chmod 755 /srv/hub").code(0);
    hub.install();
    assert_ne!(hub.systemctl(&format!("start {SERVICE}")).code, 0, "it never said that it is ready");
    hub.becomes("SubState", "failed");
    let starts = || hub.journal().matches("the start number").count();
    lab.eventually("all its starts are in the journal", || starts() >= 20);
    assert_eq!(starts(), 20);
    // It stays in `failed`: nothing is queued, and another start is refused until the limit is reset.
    assert_eq!(hub.systemctl("list-jobs --no-legend").code(0).out, "");
    assert_ne!(hub.systemctl(&format!("start {SERVICE}")).code, 0);
    assert_eq!(starts(), 20);

    let _ = lab.root(&format!("ln -sf {real} /srv/hub")).code(0);
    let _ = hub.systemctl(&format!("reset-failed {SERVICE}")).code(0);
    hub.start();
    hub.runs_once(&["web"]);
}

/// 78: the user must act first. A restart would not help, and five failures would only hide the first.
#[test]
fn a_hub_that_needs_the_user_is_not_restarted() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.install();
        // Another hub of this home, in a terminal.
        let other = "systemd-run --unit other --uid \"$1\" parachute --home \"$2\" serve --port 2000";
        let _ = lab.exec(&Who::Root, other, &[&hub.person, &hub.home], b"").code(0);
        let pid = hub.ready("web");
        assert_ne!(hub.systemctl(&format!("start {SERVICE}")).code, 0);
        let shown = ["SubState", "ExecMainStatus", "NRestarts"].map(|p| hub.show(p));
        assert_eq!(shown, ["failed", "78", "0"]);
        assert_eq!(hub.ready("web"), pid, "the first is not touched");
        let _ = lab.root("systemctl stop other").code(0);
        hub.start();
        hub.runs_once(&["web"]);
    });
}

/// `OOMPolicy=continue`: the kernel kills one module of the unit; the hub and the others keep running, and it is
/// restarted.
#[test]
fn a_module_that_is_killed_for_memory_is_restarted_by_the_hub() {
    let Some(lab) = Lab::with_limits() else { return };
    let hub = Hub::new(&lab, Scope::System);
    hub.module("web", 1950, "");
    hub.module("hungry", 1951, "");
    lab.write(&hub.owner(), &format!("{}/hub.toml", hub.home), "[unit]\nlimits = { memory = '96M' }\n");
    hub.install();
    hub.start();
    hub.runs_once(&["web", "hungry"]);
    assert_eq!(hub.show("OOMPolicy"), "continue");
    let limit = "cat /sys/fs/cgroup/memory/system.slice/$1/memory.limit_in_bytes || cat /sys/fs/cgroup/system.slice/$1/memory.max";
    if lab.exec(&Who::Root, limit, &[SERVICE], b"").out.trim() != (96 << 20).to_string() {
        return host::skip("no limit of memory is enforced here");
    }
    let (pid, web, hungry) = (hub.pid(), hub.ready("web"), hub.ready("hungry"));
    assert_ne!(lab.root("/opt/parachute/examples/fixture get 1951 /eat").code, 0, "it is killed");
    lab.eventually("the module is back", || hub.ready("hungry") != hungry);
    assert_eq!(hub.view("hungry")["last_exit"]["signal"]["signal"], 9);
    assert_eq!((hub.pid(), hub.ready("web")), (pid, web), "no other process was killed");
    assert_eq!(["ActiveState", "NRestarts"].map(|p| hub.show(p)), ["active", "0"]);
    hub.runs_once(&["web", "hungry"]);
}
