//! What becomes of the modules when the hub ends: `KillMode=process` leaves them to it, and `parachute reap` ends what is
//! left of a hub that was to end. A crash ends none.

use crate::hub::{Hub, SERVICE, Scope, in_both_scopes};
use crate::lab::{Lab, Process, Who};

/// Processes that no signal to the module's group reaches.
const ESCAPES: &str = "'setsid env -i sleep 7101 & exec sleep 7102'";

/// A hub with two modules that run. `lines`: of a drop-in.
fn with_modules(hub: &Hub<'_>, lines: &str) {
    hub.module("web", 1950, "");
    hub.install();
    hub.edit(lines);
    hub.start();
    let _ = hub.parachute(&format!("add escapes --no-listen -- sh -c {ESCAPES}")).code(0);
    hub.runs_once(&["web"]);
    let _ = hub.ready("escapes");
}

/// Pids of the processes in the cgroups of modules, of all units: nothing of ours is asked.
fn in_cgroups(lab: &Lab) -> Vec<u32> {
    let script =
        "find /sys/fs/cgroup -path '*/parachute-hub.service/modules/*' -name cgroup.procs -exec cat {} +";
    let mut pids: Vec<u32> = lab.root(script).out.lines().map(|pid| pid.parse().unwrap()).collect();
    pids.sort_unstable();
    pids
}

/// The hub does nothing any more. SIGSTOP would not do: systemd sends SIGCONT with each SIGTERM.
#[track_caller]
fn freeze(lab: &Lab, hub: &Hub<'_>) {
    let _ =
        lab.root(&format!("echo 1 > /sys/fs/cgroup{}/hub/cgroup.freeze", hub.show("ControlGroup"))).code(0);
}

#[track_caller]
fn kill(lab: &Lab, pid: u32) {
    let _ = lab.root(&format!("kill -KILL {pid}")).code(0);
}

#[test]
fn a_hub_that_is_killed_leaves_the_pids_of_its_modules() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "[Service]\nRestart=no\n");
        let (before, web): (Vec<u32>, Vec<Process>) = (in_cgroups(lab), lab.processes());
        assert!(before.len() >= 3, "{before:?}");
        kill(lab, hub.pid());
        hub.becomes("SubState", "failed");
        assert_eq!(in_cgroups(lab), before);
        assert_eq!(lab.processes(), web, "with the same start times");
        assert!(!hub.journal().contains("[reap]"), "{}", hub.journal());
        // Of a unit that has failed systemd ends nothing, and runs no command.
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!(in_cgroups(lab), before);
    });
}

#[test]
fn an_ordered_stop_leaves_nothing_to_reap() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "");
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]));
        assert!(!hub.journal().contains("[reap]"), "{}", hub.journal());
    });
}

/// systemd kills it when its time is over, and the modules that it was to stop are ended for it.
#[test]
fn a_hub_that_does_not_stop_in_time_leaves_no_module() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "[Service]\nTimeoutStopSec=2s\n");
        freeze(lab, &hub);
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!(hub.show("Result"), "timeout");
        assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]));
        let journal = hub.journal();
        for module in ["web", "escapes"] {
            let said = format!("[reap] ended what the hub left (timeout): {module}: ");
            assert!(journal.contains(&said), "{said}:\n{journal}");
        }
    });
}

/// A crash while a stop is under way is the end of a hub that was to end.
#[test]
fn a_hub_that_dies_during_its_stop_leaves_no_module() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "");
        let pid = hub.pid();
        freeze(lab, &hub);
        let _ = hub.systemctl(&format!("stop --no-block {SERVICE}")).code(0);
        hub.becomes("ActiveState", "deactivating");
        kill(lab, pid);
        lab.eventually("nothing is left", || in_cgroups(lab).is_empty());
        hub.becomes("ActiveState", "failed");
        assert_eq!(lab.processes(), []);
        assert!(
            hub.journal().contains("[reap] ended what the hub left (signal): web: "),
            "{}",
            hub.journal()
        );
    });
}

/// It is not started again, so no hub would come that could end them.
#[test]
fn exit_code_78_leaves_no_module() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "");
        let _ = lab.run(&hub.owner(), "cd ~/.parachute; rm operator.token; mkdir operator.token").code(0);
        kill(lab, hub.pid());
        hub.becomes("ExecMainStatus", "78");
        hub.becomes("SubState", "failed");
        assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]));
        assert!(hub.journal().contains("[reap] ended what the hub left (exit-code): "), "{}", hub.journal());
    });
}

/// Each start is a job of systemd while the hub is not ready; a crash then is a crash all the same. And a program that
/// cannot run reaches the limit of systemd.
#[test]
fn a_hub_that_dies_while_it_starts_leaves_the_modules_even_when_systemd_gives_up() {
    for scope in [Scope::System, Scope::User] {
        let Some(lab) = Lab::up() else { return };
        let mut hub = Hub::new(&lab, scope);
        let real = std::mem::replace(&mut hub.bin, "/srv/hub".to_owned());
        let script =
            format!("#!/bin/sh\n[ -e /srv/dies ] && [ $1 = serve ] && kill -KILL $$\nexec {real} \"$@\"\n");
        lab.write(&Who::Root, "/srv/hub", &script);
        let _ = lab.root("chmod 755 /srv/hub").code(0);
        with_modules(&hub, "");
        let before = in_cgroups(&lab);
        let _ = lab.root("touch /srv/dies").code(0);
        kill(&lab, hub.pid());
        hub.becomes("SubState", "failed");
        let restarts: u32 = hub.show("NRestarts").parse().unwrap();
        assert!(restarts >= 19, "{restarts}");
        assert_eq!(in_cgroups(&lab), before);
        assert!(!hub.journal().contains("[reap]"), "{}", hub.journal());
        let _ = lab.root("rm /srv/dies").code(0);
        let _ = hub.systemctl(&format!("reset-failed {SERVICE}")).code(0);
        hub.start();
        hub.runs_once(&["web"]);
    }
}

#[test]
fn every_level_of_hardening_starts_and_reaps() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "[Service]\nTimeoutStopSec=2s\n");
        for level in ["off", "modules-safe", "strict"] {
            let settings = format!("[unit]\nhardening = \"{level}\"\n");
            lab.write(&hub.owner(), &format!("{}/hub.toml", hub.home), &settings);
            hub.install();
            let _ = hub.systemctl(&format!("restart {SERVICE}")).code(0);
            hub.runs_once(&["web"]);
            let _ = hub.ready("escapes");
            let manager = if hub.scope == Scope::User { "--user" } else { "" };
            let verify = format!("systemd-analyze verify --man=no {manager} {}", hub.path(SERVICE));
            let script = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u)\n{verify}");
            let said = lab.run(&hub.keeper(), &script).code(0);
            assert_eq!(said.out + &said.err, "", "{level}");
            freeze(lab, &hub);
            let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
            assert_eq!(hub.show("Result"), "timeout", "{level}");
            assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]), "{level}");
            let _ = hub.systemctl(&format!("reset-failed {SERVICE}")).code(0);
        }
    });
}

/// The manager is not asked: of a unit that has failed it ends nothing.
#[test]
fn a_stop_of_a_dead_hub_ends_its_modules() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "[Service]\nRestart=no\n");
        kill(lab, hub.pid());
        hub.becomes("SubState", "failed");
        // What is left of this one is no leader, and has no mark.
        let _ = lab.root("pkill -KILL -f 'slee[p] 7102'").code(0);
        let verb = |args: &str| match hub.scope {
            Scope::System => lab.root(&format!("parachute --home {} {args}", hub.home)),
            Scope::User => lab.no_session(&format!("parachute {args}")),
        };
        let said = verb("status").code(3).out;
        assert!(said.contains("escapes (pid ") && said.contains("run on without a hub"), "{said}");
        let said = verb("doctor").out;
        assert!(said.contains("modules.left") && said.contains("escapes (pid "), "{said}");
        for refuses in ["stop escapes", "remove escapes", "stop web"] {
            let said = verb(refuses).code(69).err;
            assert!(said.contains("without a hub") && said.contains("--without-hub"), "{said}");
        }
        let said = hub.parachute("stop escapes --without-hub").code(0).out;
        assert!(said.contains("✓ escapes stopped without a hub"), "{said}");
        assert_eq!(lab.root("pgrep -f 'slee[p] 710[12]' || true").out, "");
        let said = verb("stop").code(0).out;
        assert!(said.contains("its modules have been ended: web: "), "{said}");
        assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]));
        assert!(verb("stop").code(0).out.contains("already stopped"));
    });
}

#[test]
fn a_start_of_a_dead_hub_is_left_to_the_hub() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "[Service]\nRestart=no\n");
        kill(lab, hub.pid());
        hub.becomes("SubState", "failed");
        let _ = hub.systemctl(&format!("start {SERVICE}")).code(0);
        hub.runs_once(&["web"]);
        let _ = hub.ready("escapes");
        let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
        assert_eq!((in_cgroups(lab), lab.processes()), (vec![], vec![]));
    });
}

/// systemd restarts it each time, and does not give up.
#[test]
fn a_hub_that_keeps_dying_is_in_safe_mode_and_its_unit_active() {
    in_both_scopes(|lab, hub| {
        with_modules(&hub, "");
        for _ in 0..5 {
            let pid = hub.pid();
            kill(lab, pid);
            lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
            hub.becomes("ActiveState", "active");
        }
        let status = hub.parachute("status").code(1).out;
        assert!(status.contains("safe mode: the hub died 5 times within 5 min"), "{status}");
        assert_eq!(["ActiveState", "NRestarts"].map(|property| hub.show(property)), ["active", "5"]);
        // The seventh waits, and says so to systemd.
        let pid = hub.pid();
        kill(lab, pid);
        lab.eventually("another hub runs", || ![0, pid].contains(&hub.pid()));
        hub.becomes("ActiveState", "active");
        assert!(
            hub.journal().contains("waiting 1 s before it goes on: the hub died 6 times"),
            "{}",
            hub.journal()
        );
        let _ = hub.parachute("start --all").code(0);
        hub.runs_once(&["web"]);
        let status = hub.parachute("status").code(0).out;
        assert!(!status.contains("safe mode"), "{status}");
    });
}

/// Installed by an earlier build; killed with `KILL` the hub would have taken its modules with it.
#[test]
fn a_unit_of_an_earlier_build_is_upgraded_and_undone() {
    use serde_json::Value;
    for scope in [Scope::System, Scope::User] {
        let Some(lab) = Lab::up() else { return };
        let hub = Hub::new(&lab, scope);
        let sudo = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";
        let verb = |args: &str| match scope {
            Scope::System => lab.root(&format!("{sudo} parachute {args}")),
            Scope::User => lab.user(&format!("parachute {args}")),
        };
        let (receipt, old) = match scope {
            Scope::System => {
                ("/var/lib/parachute/receipt.json", include_str!("../data/units/mixed-system.service"))
            }
            Scope::User => (
                "/home/lab/.parachute/install/receipt.json",
                include_str!("../data/units/mixed-user.service"),
            ),
        };
        let old = old.replace("/home/op/", "/home/lab/").replace("User=op", "User=lab");
        let _ = verb("init --yes").code(0);
        let (path, ours) = (hub.path(SERVICE), lab.read(&hub.path(SERVICE)));
        assert!(ours.contains("KillMode=process"), "{ours}");
        for mends in ["init --yes", "doctor --fix --yes"] {
            let mut kept: Value = serde_json::from_str(&lab.read(receipt)).unwrap();
            let records = kept["records"].as_array_mut().unwrap();
            let text = records.iter_mut().find_map(|record| {
                let step = &mut record["step"];
                (step["path"] == path.as_str()).then(|| &mut step["text"])
            });
            *text.expect("the receipt has the unit") = old.clone().into();
            lab.write(&hub.keeper(), receipt, &kept.to_string());
            lab.write(&hub.keeper(), &path, &old);
            let _ = hub.systemctl("daemon-reload").code(0);
            let _ = hub.systemctl(&format!("restart {SERVICE}")).code(0);
            assert_eq!(hub.show("KillMode"), "mixed");
            let _ = verb(mends).code(0);
            assert_eq!(
                (lab.read(&path), hub.show("KillMode")),
                (ours.clone(), "process".to_owned()),
                "{mends}"
            );
        }
        let _ = verb("uninstall --yes").code(0);
        assert_eq!(lab.read(&path), "");
        assert_eq!((in_cgroups(&lab), lab.processes()), (vec![], vec![]));
    }
}

/// Its stop ends nothing of a unit that has failed.
#[test]
fn an_uninstallation_of_a_dead_hub_leaves_no_module() {
    let Some(lab) = Lab::up() else { return };
    let hub = Hub::new(&lab, Scope::User);
    let _ = lab.user("parachute init --yes").code(0);
    hub.edit("[Service]\nRestart=no\n");
    hub.module("web", 1950, "");
    hub.runs_once(&["web"]);
    kill(&lab, hub.pid());
    hub.becomes("SubState", "failed");
    assert_eq!(lab.processes().len(), 1);
    let _ = lab.root(&format!("rm -r {}.d", hub.path(SERVICE))).code(0);
    let _ = lab.user("parachute uninstall --yes").code(0);
    assert_eq!((in_cgroups(&lab), lab.processes()), (vec![], vec![]));
}
