//! `init` and `uninstall` against a real systemd: their promises, and the state after a failure.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::program::Outcome;

/// Root under sudo, acting for [`PERSON`].
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";
const UNIT: &str = "/home/lab/.config/systemd/user/parachute-hub.service";
const UNINSTALL: &str = "parachute uninstall --yes --purge";

fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.code(0).out).unwrap()
}

/// The pid of the hub of the user's home.
fn hub_pid(lab: &Lab) -> u64 {
    json(lab.user("parachute status --json"))["hub"]["pid"].as_u64().unwrap()
}

/// Steps of the plan, including those that are already done.
fn steps(lab: &Lab) -> usize {
    let plan = json(lab.user("parachute init --dry-run --json"));
    plan["steps"].as_array().unwrap().len()
}

#[test]
fn a_user_installs_starts_again_and_uninstalls_without_a_trace() {
    let Some(lab) = Lab::up() else { return };
    let before = lab.snapshot();
    let dry = lab.user("parachute init --dry-run").code(0).out;
    assert!(dry.contains("+ExecStart=/home/lab/.parachute/bin/parachute serve --port 1939"), "{dry}");
    assert!(dry.contains("$ systemctl --user") && dry.contains("$ loginctl"), "{dry}");
    before.same_as(&lab.snapshot());

    let said = lab.user("parachute init --yes").code(0).out;
    assert!(said.contains("after a reboot: it comes back"), "{said}");
    let pid = hub_pid(&lab);
    let again = json(lab.user("parachute init --yes --json"));
    assert_eq!((again["changed"].as_bool(), again["hub"]["pid"].as_u64()), (Some(false), Some(pid)));
    assert!(lab.user("parachute init").code(0).out.contains("nothing to do"), "and nothing to ask");

    lab.reboot();
    lab.eventually("the hub is back", || lab.no_session("parachute status").code == 0);
    let said = lab.user(UNINSTALL).code(0).out;
    assert!(said.contains("nothing is left of it"), "{said}");
    before.same_as(&lab.snapshot());
    assert!(lab.user("parachute uninstall --yes").code(0).out.contains("nothing is installed"));
}

#[test]
fn root_installs_for_the_acting_user_and_never_implicitly_for_itself() {
    let Some(lab) = Lab::up() else { return };
    let before = lab.snapshot();
    for (script, said) in [
        ("parachute init --yes", "would run as root"),
        ("SUDO_UID=$(id -u lab) parachute init --scope user --yes", "installed by that user, not by root"),
    ] {
        let refused = lab.root(script).code(78);
        assert!(refused.err.contains(said) && refused.err.contains("hint:"), "{refused:?}");
        before.same_as(&lab.snapshot());
    }
    let refused = lab.user("parachute init --scope system --yes").code(78).err;
    assert!(refused.contains("sudo parachute init --scope system"), "{refused}");

    let _ = lab.root(&format!("{SUDO} parachute init --yes")).code(0);
    assert_eq!(lab.root("systemctl show parachute-hub.service -p User").out.trim(), "User=lab");
    let owners = lab.root("find /home/lab ! -user lab").out;
    assert_eq!(owners, "", "root has written nothing into a user's home");
    let status = lab.root(&format!("{SUDO} parachute status")).code(0).out;
    assert!(status.contains("systemd (system) says of parachute-hub.service: running"), "{status}");
    assert!(lab.user("parachute status").code(0).out.contains("systemd (system)"));
    // The other scope would be a second hub that competes for the port.
    let twin = lab.user("parachute init --yes").code(78).err;
    assert!(twin.contains("/etc/systemd/system/parachute-hub.service"), "{twin}");
    let _ = lab.root(&format!("{SUDO} {UNINSTALL}")).code(0);
    before.same_as(&lab.snapshot());
}

#[test]
fn without_a_session_the_bus_is_found_or_its_absence_explained() {
    let Some(lab) = Lab::up() else { return };
    let none = lab.no_session("parachute init --yes").code(69).err;
    assert!(none.contains("enable-linger lab"), "{none}");
    lab.linger();
    let _ = lab.no_session("parachute init --yes").code(0);
    let _ = lab.no_session("parachute restart").code(0);
    let _ = lab.no_session(UNINSTALL).code(0);
}

/// Every step made to fail, on a machine without and with an earlier installation.
#[test]
fn a_step_that_fails_leaves_the_machine_as_before() {
    let Some(lab) = Lab::up() else { return };
    let mut failed = 0;
    let before = lab.snapshot();
    for step in 1..=steps(&lab) {
        failed += usize::from(fails(&lab, step));
        let _ = lab.user("parachute uninstall --yes").code(0);
        // Files that a started hub has written into its home stay.
        let _ = lab.root("rm -rf /home/lab/.parachute").code(0);
        before.same_as(&lab.snapshot());
    }
    assert!(failed >= 8, "only {failed} steps could be made to fail");

    let _ = lab.user("parachute init --yes").code(0);
    let mut failed = 0;
    for step in 1..=steps(&lab) {
        let settings = format!("[unit]\nenv = {{ X = '{step}' }}\n");
        lab.write(&Who::NoSession(PERSON.to_owned()), "/home/lab/.parachute/hub.toml", &settings);
        let before = lab.snapshot();
        if fails(&lab, step) {
            failed += 1;
            before.same_units_and_files(&lab.snapshot());
            assert_eq!(lab.user("parachute status").code, 0, "what ran before runs again");
        }
    }
    assert!(failed >= 4, "only {failed} steps could be made to fail");
}

/// Runs `init` with this step made to fail. `false`: it succeeded, because the step was already done or is optional.
fn fails(lab: &Lab, step: usize) -> bool {
    let outcome = lab.user(&format!("PARACHUTE_FAULT='fail {step}' parachute init --yes"));
    if outcome.code == 0 {
        return false;
    }
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("everything is as it was before"), "{outcome:?}");
    true
}

/// `kill -9` before and after each step: the next run undoes the rest, and succeeds.
#[test]
fn a_killed_init_is_undone_by_the_next() {
    let Some(lab) = Lab::up() else { return };
    let before = lab.snapshot();
    let mut killed = 0;
    for step in 1..=steps(&lab) {
        let fault = ["kill", "kill-after"][step % 2];
        let outcome = lab.user(&format!("PARACHUTE_FAULT='{fault} {step}' parachute init --yes"));
        if outcome.code == 137 {
            killed += 1;
            match killed % 3 {
                0 => assert_eq!(lab.user("parachute init --yes --rollback").code, 0),
                1 => assert_eq!(lab.user("parachute init --yes --resume").code, 0),
                // The next plain run undoes it, and begins again.
                _ => assert_eq!(lab.user("parachute init --yes").code, 0),
            }
        }
        let _ = lab.user("parachute uninstall --yes").code(0);
        let _ = lab.root("rm -rf /home/lab/.parachute").code(0);
        before.same_as(&lab.snapshot());
    }
    assert!(killed >= 10, "only {killed} kills");
}

/// `kill -9` in the middle of an upgrade, between the stop of the hub and its start: without another command the
/// hub serves all the same, in its new version.
#[test]
fn a_killed_upgrade_is_finished_by_the_standby() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes").code(0);
    let mut killed = 0;
    for step in 1..=steps(&lab) {
        let settings = format!("[unit]\nenv = {{ X = '{step}' }}\n");
        lab.write(&Who::NoSession(PERSON.to_owned()), "/home/lab/.parachute/hub.toml", &settings);
        let fault = ["kill", "kill-after"][step % 2];
        let outcome = lab.user(&format!("PARACHUTE_FAULT='{fault} {step}' parachute init --yes"));
        killed += usize::from(outcome.code == 137);
        assert_eq!(lab.user("parachute status").code, 0, "{fault} {step}: {outcome:?}");
        assert!(lab.read(UNIT).contains(&format!("X={step}")), "{fault} {step}: {outcome:?}");
        assert!(outcome.code == 0 || outcome.err.contains("another process finished it"), "{outcome:?}");
    }
    assert!(killed >= 4, "only {killed} kills");
    let nobody = lab.root("pgrep -fa '[p]arachute.* stand-b[y]' || true").out;
    assert!(nobody.is_empty(), "{nobody}");
}

#[test]
fn a_foreign_process_on_the_port_is_named_and_keeps_running() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root(&format!("systemd-run --unit stranger -E PORT=1939 {FIXTURE} server")).code(0);
    lab.eventually("it listens", || lab.root("grep -q ':0793 .* 0A ' /proc/net/tcp").code == 0);
    let before = lab.snapshot();
    let refused = lab.user("parachute init --yes").code(78).err;
    assert!(refused.contains("port 1939 is taken by"), "{refused}");
    before.same_as(&lab.snapshot());
    assert_eq!(lab.root("systemctl is-active stranger").out.trim(), "active");
}

#[test]
fn a_unit_that_was_edited_is_kept_unless_forced() {
    let Some(lab) = Lab::up() else { return };
    let before = lab.snapshot();
    let _ = lab.user("parachute init --yes").code(0);
    let _ = lab.user(&format!("echo '# mine' >> {UNIT}; systemctl --user daemon-reload")).code(0);
    let edited = lab.read(UNIT);
    let refused = lab.user("parachute init --yes").code(78).err;
    assert!(refused.contains("was changed after it was installed"), "{refused}");
    assert_eq!(lab.read(UNIT), edited);
    let diff = lab.user("parachute init --dry-run --force").code(0).out;
    assert!(diff.contains("-# mine"), "{diff}");
    let _ = lab.user("parachute init --yes --force").code(0);
    assert_ne!(lab.read(UNIT), edited);
    let _ = lab.user(UNINSTALL).code(0);
    before.same_as(&lab.snapshot());
}

/// A unit of the same name by another program: kept; replaced only with --force, and restored by uninstall.
#[test]
fn a_foreign_unit_is_restored_by_uninstall() {
    let Some(lab) = Lab::up() else { return };
    let foreign = format!(
        "[Unit]\nDescription=other\n[Service]\nEnvironment=PORT=1955\nExecStart={FIXTURE} server\n[Install]\nWantedBy=default.target\n"
    );
    lab.linger();
    lab.write(&Who::NoSession(PERSON.to_owned()), UNIT, &foreign);
    let _ = lab
        .user("systemctl --user daemon-reload && systemctl --user enable --now parachute-hub.service")
        .code(0);
    let before = lab.snapshot();
    let refused = lab.user("parachute init --yes").code(78).err;
    assert!(refused.contains("was not written by this program"), "{refused}");
    before.same_as(&lab.snapshot());
    let _ = lab.user("parachute init --yes --force").code(0);
    assert!(lab.read(UNIT).contains("Type=notify"));
    let _ = lab.user(UNINSTALL).code(0);
    before.same_as(&lab.snapshot());
    assert_eq!(lab.user("systemctl --user is-active parachute-hub.service").out.trim(), "active");
}

/// A changed unit is applied by exactly one restart.
#[test]
fn a_changed_unit_restarts_once() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes").code(0);
    let pid = hub_pid(&lab);
    lab.write(
        &Who::NoSession(PERSON.to_owned()),
        "/home/lab/.parachute/hub.toml",
        "[unit]\nenv = { X = '1' }\n",
    );
    let _ = lab.user("parachute init --yes").code(0);
    assert_ne!(hub_pid(&lab), pid);
    let starts = lab.root("grep -c 'listening on' /home/lab/.parachute/hub/logs/hub.log").out;
    assert_eq!(starts.trim(), "2", "one start, and one more");
    let file = lab.user("parachute logs hub").code(0).out;
    assert!(file.contains("listening on"), "{file}");
    // Without its file, the manager's log is shown.
    let _ = lab.user("parachute stop && rm -r ~/.parachute/hub/logs").code(0);
    let journal = lab.user("parachute logs hub").code(0);
    assert!(journal.out.contains("listening on") && journal.err.contains("systemd (user)"), "{journal:?}");
}

/// If linger is not permitted, that is reported, and everything else is done.
#[test]
fn without_polkit_everything_but_linger_is_installed() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root("systemctl mask --now polkit.service").code(0);
    let said = lab.user("parachute init --yes").code(0);
    assert!(said.out.contains("enable-linger lab") && said.out.contains("it does not come back"), "{said:?}");
}
