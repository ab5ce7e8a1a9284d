//! A stop under `KillMode=process`: systemd signals the hub, and the hub its modules.

use crate::hub::{Hub, SERVICE, in_both_scopes};

/// One module that ignores SIGTERM delays the stop. If systemd had signalled all processes, the hub would take the
/// others' exits for crashes and restart them.
#[test]
fn modules_that_end_during_a_stop_are_not_started_again() {
    in_both_scopes(|lab, hub| {
        hub.module("deaf", 1950, "--ignore-term");
        hub.module("one", 1951, "");
        hub.module("two", 1952, "");
        hub.install();
        hub.start();
        hub.runs_once(&["deaf", "one", "two"]);
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!(lab.processes(), []);
        assert_eq!(ended(&hub), ["inactive", "success", "0"]);
        let journal = hub.journal();
        for short in ["deaf", "one", "two"] {
            assert_eq!(
                journal.matches(&format!("[supervisor] {short}: started")).count(),
                1,
                "{short}:\n{journal}"
            );
        }
    });
}

/// Twenty modules that each use their whole grace period: in sequence they would not fit into the unit's.
#[test]
fn twenty_modules_that_ignore_sigterm_stop_in_the_time_of_one() {
    let names: Vec<String> = (0..20).map(|n| format!("deaf{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    in_both_scopes(|lab, hub| {
        for (name, port) in names.iter().zip(1950..) {
            hub.module(name, port, "--ignore-term");
        }
        hub.install();
        hub.start();
        for name in &names {
            hub.ready(name);
        }
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!(lab.processes(), []);
        assert_eq!(ended(&hub), ["inactive", "success", "0"]);
        let journal = hub.journal();
        assert!(journal.contains("[hub] stopped"), "by itself:\n{journal}");
        assert!(!journal.contains("SIGKILL from systemd") && !journal.contains("timed out"), "{journal}");
    });
}

/// A reboot is a stop like any other, in a user's manager too.
#[test]
fn a_reboot_stops_the_modules_in_order() {
    in_both_scopes(|lab, hub| {
        hub.module("deaf", 1950, "--ignore-term");
        hub.module("web", 1951, "");
        hub.install();
        hub.start();
        hub.runs_once(&["deaf", "web"]);
        lab.reboot();
        let before = lab.root("journalctl -b -1 --no-pager -t parachute-hub").code(0).out;
        assert!(before.contains("[supervisor] web: stopped: was killed by SIGTERM"), "{before}");
        assert!(before.contains("[supervisor] deaf: stopped: was killed by SIGKILL"), "{before}");
        assert!(before.contains("[hub] stopped"), "{before}");
    });
}

fn ended(hub: &Hub<'_>) -> [String; 3] {
    ["ActiveState", "Result", "ExecMainStatus"].map(|property| hub.show(property))
}
