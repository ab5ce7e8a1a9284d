//! Processes that clear their environment and leave their session, group and parent belong to their module all the
//! same: the unit delegates its cgroup, and each module has its own below it.

use crate::hub::{Hub, SERVICE, in_both_scopes};
use crate::lab::Lab;

/// Each with a number that its processes bear in their command lines.
const MODULES: [(&str, &str); 4] = [
    // The shell waits, the other is in a session of its own.
    ("cleared", "setsid env -i sleep 7001 & wait"),
    // Forked twice: its parent is not the module any more.
    ("daemon", "env -i setsid sh -c 'env -i sleep 7002 & exit 0'; exec sleep 7002"),
    ("deaf", "setsid env -i sh -c 'trap : TERM; while :; do sleep 7003; done' & wait"),
    // Renamed, and without an open descriptor of the hub.
    (
        "renamed",
        "setsid env -i perl -e '$0 = q(kworker 7004); sleep 7004' </dev/null >/dev/null 2>&1 & exec sleep 7004",
    ),
];

fn add(hub: &Hub<'_>) {
    for (short, script) in MODULES {
        let _ = hub.parachute(&format!("add {short} --no-listen -- sh -c {}", quoted(script))).code(0);
    }
}

fn quoted(script: &str) -> String {
    format!("'{}'", script.replace('\'', r"'\''"))
}

/// How many processes of a module live, by their command lines: the hub is not asked.
fn living(lab: &Lab, number: &str) -> usize {
    let script = "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < \"$file\" 2>/dev/null && echo; done";
    let lines = lab.root(script).code(0).out;
    lines
        .lines()
        .filter(|line| line.contains(number) && !line.starts_with("sh -c") && !line.contains("trap"))
        .count()
}

fn numbers() -> [&'static str; 4] {
    ["7001", "7002", "7003", "7004"]
}

#[test]
fn a_stop_ends_every_process_of_a_module() {
    in_both_scopes(|lab, hub| {
        hub.install();
        hub.start();
        add(&hub);
        let expected = [1, 2, 1, 2];
        for ((short, _), (number, count)) in MODULES.iter().zip(numbers().iter().zip(expected)) {
            hub.ready(short);
            lab.eventually("all its processes run", || living(lab, number) == count);
            let _ = hub.parachute(&format!("stop {short}")).code(0);
            assert_eq!(living(lab, number), 0, "{short}");
            let _ = hub.parachute(&format!("start {short}")).code(0);
            lab.eventually("they run again", || living(lab, number) == count);
            let _ = hub.parachute(&format!("remove {short}")).code(0);
            assert_eq!(living(lab, number), 0, "{short}");
        }
    });
}

#[test]
fn a_crash_leaves_no_twin() {
    in_both_scopes(|lab, hub| {
        hub.install();
        hub.start();
        let script = quoted("setsid env -i sleep 7005 & sleep 1; exit 3");
        let _ = hub.parachute(&format!("add twins --no-listen -- sh -c {script}")).code(0);
        lab.eventually("it has crashed twice", || hub.view("twins")["restarts"].as_u64() >= Some(2));
        assert!(living(lab, "7005") <= 1, "{}", hub.journal());
    });
}

#[test]
fn an_ordered_end_of_the_hub_leaves_no_process() {
    in_both_scopes(|lab, hub| {
        hub.install();
        hub.start();
        add(&hub);
        for (short, _) in MODULES {
            hub.ready(short);
        }
        lab.eventually("all run", || numbers().iter().all(|number| living(lab, number) > 0));
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        let journal = hub.journal();
        for number in numbers() {
            assert_eq!(living(lab, number), 0, "{number}:\n{journal}");
        }
        assert!(!journal.contains("Killing process"), "the hub has ended them, not systemd:\n{journal}");
    });
}

/// The hub and its modules are where cgroups(7) wants them: no process in a cgroup that has others below it.
#[test]
fn each_module_has_a_cgroup_of_its_own() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.install();
        hub.start();
        let pid = hub.ready("web");
        let group = |pid: u32| {
            let text = lab.read(&format!("/proc/{pid}/cgroup"));
            text.lines().find_map(|line| line.strip_prefix("0::").map(str::to_owned)).unwrap_or_default()
        };
        let unit = hub.show("ControlGroup");
        assert_eq!(group(pid), format!("{unit}/modules/web"));
        assert_eq!(group(hub.pid()), format!("{unit}/hub"));
        let _ = hub.systemctl(&format!("restart {SERVICE}")).code(0);
        assert_eq!(group(hub.ready("web")), format!("{unit}/modules/web"));
        assert_eq!(group(hub.pid()), format!("{unit}/hub"));
    });
}
