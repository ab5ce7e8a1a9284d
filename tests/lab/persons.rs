//! Several users, or several homes, on one machine: another owner's installation is named and not touched.

use crate::lab::{FIXTURE, Lab, Who};
use crate::program::Outcome;

const UNIT: &str = "/etc/systemd/system/parachute-hub.service";

/// Verbs that act on the installation, as carol types them with sudo.
const OF_CAROL: [&str; 11] = [
    "init --yes --port 23230",
    "init --yes --force",
    "init --dry-run",
    "uninstall --yes",
    "uninstall --yes --purge --force",
    "migrate --to-supervised --yes",
    "migrate --teardown --yes",
    "doctor --fix --yes",
    "start",
    "stop",
    "restart",
];

/// Root under sudo, acting for this user.
fn sudo(lab: &Lab, name: &str, line: &str) -> Outcome {
    let id = format!("SUDO_UID=$(id -u {name}) SUDO_GID=$(id -g {name}) SUDO_USER={name}");
    lab.root(&format!("export {id} HOME=/root; parachute {line}"))
}

fn as_person(lab: &Lab, name: &str, line: &str) -> Outcome {
    lab.run(&Who::NoSession(name.to_owned()), line)
}

/// A machine whose hub is alice's, with one module, and a user who has none.
fn alices() -> Option<Lab> {
    let lab = Lab::up()?;
    let _ = lab.root("useradd -m alice; useradd -m carol").code(0);
    let _ = as_person(&lab, "alice", &format!("parachute add web --port 23221 -- {FIXTURE} server")).code(0);
    let _ = sudo(&lab, "alice", "init --yes --port 23220").code(0);
    serves(&lab, "alice");
    Some(lab)
}

/// The system hub is this user's, and runs with its module.
#[track_caller]
fn serves(lab: &Lab, name: &str) {
    assert!(lab.read(UNIT).contains(&format!("\nUser={name}\n")), "{}", lab.read(UNIT));
    lab.eventually("the module is ready", || {
        lab.processes().iter().any(|process| process.module == "web")
            && as_person(lab, name, "parachute status").code == 0
    });
}

fn main_pid(lab: &Lab) -> String {
    lab.root("systemctl show -P MainPID parachute-hub.service").code(0).out
}

#[track_caller]
fn names(refused: Outcome, owner: &str) {
    let refused = refused.code(78);
    assert!(refused.err.contains(owner), "{refused:?}");
    assert!(refused.err.contains("hint: "), "{refused:?}");
}

/// A running hub writes its logs and its ledger meanwhile.
const ITS_OWN: [&str; 3] = ["/.parachute/run", "/.parachute/hub/", "/.parachute/web/"];

#[test]
fn a_second_users_verbs_name_the_owner_and_change_nothing() {
    let Some(lab) = alices() else { return };
    let (before, pid) = (lab.snapshot(), main_pid(&lab));
    for line in OF_CAROL {
        names(sudo(&lab, "carol", line), "belongs to alice (home /home/alice/.parachute)");
        before.same_but(&lab.snapshot(), &ITS_OWN);
    }
    assert_eq!(main_pid(&lab), pid, "alice's hub has not been restarted");
    let report = sudo(&lab, "carol", "doctor").code(0).out;
    assert!(
        report.contains("belongs to alice") && report.contains("sudo parachute doctor --user alice"),
        "{report}"
    );

    // Without its receipt the unit alone names its owner.
    let _ = lab.root("mv /var/lib/parachute /var/lib/kept").code(0);
    let lost = lab.snapshot();
    for line in OF_CAROL {
        names(sudo(&lab, "carol", line), "belongs to alice (home /home/alice/.parachute)");
        lost.same_but(&lab.snapshot(), &ITS_OWN);
    }
    // Without its unit the receipt does.
    let _ = lab.root(&format!("mv /var/lib/kept /var/lib/parachute; mv {UNIT} /root/unit")).code(0);
    for line in ["init --yes", "uninstall --yes", "migrate --to-supervised --yes"] {
        names(sudo(&lab, "carol", line), "belongs to alice");
    }
    let _ = lab.root(&format!("mv /root/unit {UNIT}; systemctl daemon-reload")).code(0);
    assert_eq!(main_pid(&lab), pid);
    // The commands of the hints: her hub is stopped by name, and removed by name.
    let _ = sudo(&lab, "carol", "--home /home/alice/.parachute stop").code(0);
    let _ = sudo(&lab, "carol", "--home /home/alice/.parachute start").code(0);
    serves(&lab, "alice");
    let said = sudo(&lab, "carol", "uninstall --user alice --yes").code(0).out;
    assert!(said.contains("nothing is left of it"), "{said}");
    let _ = sudo(&lab, "carol", "init --yes --port 23230").code(0);
    assert!(lab.read(UNIT).contains("\nUser=carol\n"));
}

#[test]
fn root_as_the_first_user_and_a_second_home_are_respected_too() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root("useradd -m carol").code(0);
    let empty = lab.snapshot();
    let _ = lab.root("parachute init --user root --yes --port 23220").code(0);
    let pid = main_pid(&lab);
    for line in ["init --yes", "uninstall --yes", "doctor --fix --yes", "stop"] {
        names(sudo(&lab, "carol", line), "belongs to root (home /root/.parachute)");
    }
    assert_eq!(main_pid(&lab), pid);
    let _ = sudo(&lab, "carol", "uninstall --user root --yes").code(0);
    empty.same_as(&lab.snapshot());

    let _ = lab.root("install -d -o carol -g carol /srv/second").code(0);
    let _ = sudo(&lab, "carol", "init --yes --port 23220").code(0);
    let (before, pid) = (lab.snapshot(), main_pid(&lab));
    for line in ["init --yes", "init --yes --force", "uninstall --yes --purge", "doctor --fix --yes"] {
        let refused = sudo(&lab, "carol", &format!("--home /srv/second {line}"));
        names(refused, "another home, /home/carol/.parachute");
        before.same_but(&lab.snapshot(), &ITS_OWN);
    }
    assert_eq!(main_pid(&lab), pid);
    // Each is restored when the one above it is removed.
    let _ = sudo(&lab, "carol", "--home /srv/second init --yes --port 23230 --take-over").code(0);
    assert!(lab.read(UNIT).contains("PARACHUTE_HOME=/srv/second"));
    // The home need not be typed to undo it.
    let said = sudo(&lab, "carol", "uninstall --yes").code(0).out;
    assert!(said.contains("the hub of carol (home /home/carol/.parachute) is back"), "{said}");
    assert_eq!(as_person(&lab, "carol", "parachute status").code, 0);
    let _ = sudo(&lab, "carol", "uninstall --yes --purge").code(0);
    let _ = lab.root("rm -r /srv/second").code(0);
    empty.same_as(&lab.snapshot());
}

#[test]
fn a_take_over_names_what_stops_and_uninstall_restores_it() {
    let Some(lab) = alices() else { return };
    let (unit, before) = (lab.read(UNIT), lab.snapshot());
    let shown = sudo(&lab, "carol", "init --take-over --dry-run --port 23230").code(0).out;
    let stops =
        "the hub of alice (home /home/alice/.parachute) is replaced: it stops, and so do its modules web";
    assert!(shown.contains(stops), "{shown}");
    before.same_but(&lab.snapshot(), &ITS_OWN);

    let said = sudo(&lab, "carol", "init --take-over --yes --port 23230").code(0).out;
    assert!(said.contains(stops), "{said}");
    assert!(lab.read(UNIT).contains("\nUser=carol\n"));
    assert_eq!(lab.processes(), [], "alice's modules have stopped");
    // It is carol's now, also for alice, and only carol may change it.
    for line in ["init --yes", "uninstall --yes", "doctor --fix --yes"] {
        names(sudo(&lab, "alice", line), "belongs to carol");
    }
    let _ = sudo(&lab, "carol", "init --yes --port 23231 --no-socket").code(0);
    let doctor = as_person(&lab, "alice", "parachute doctor").out;
    assert!(!doctor.contains("uninstall"), "alice is not told to remove carol's: {doctor}");

    let said = sudo(&lab, "carol", "uninstall --yes").code(0).out;
    assert!(said.contains("the hub of alice (home /home/alice/.parachute) is back"), "{said}");
    assert_eq!(lab.read(UNIT), unit);
    serves(&lab, "alice");
    before.same_but(
        &lab.snapshot(),
        &[ITS_OWN.as_slice(), &["/home/carol/.parachute", "/var/lib/parachute"]].concat(),
    );
    let again = sudo(&lab, "alice", "init --yes --port 23220").code(0).out;
    assert!(again.contains("nothing to do"), "her receipt counts again: {again}");
    let _ = sudo(&lab, "alice", "uninstall --yes").code(0);
    assert_eq!(lab.root(&format!("ls {UNIT} /var/lib/parachute")).out, "");
}

/// Every step of a take-over made to fail, or killed: alice's hub is as before, and serves.
#[test]
fn a_failed_take_over_restores_the_first_users_hub() {
    let Some(lab) = alices() else { return };
    let unit = lab.read(UNIT);
    let plan = sudo(&lab, "carol", "init --take-over --dry-run --json --port 23230").code(0).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let steps = plan["steps"].as_array().unwrap().len();
    let (mut failed, mut killed) = (0, 0);
    for step in 1..=steps {
        for fault in ["fail", "kill"] {
            let line = format!("PARACHUTE_STANDBY=none PARACHUTE_FAULT='{fault} {step}'");
            let taken = lab.root(&format!(
                "export SUDO_UID=$(id -u carol) HOME=/root; {line} parachute init --take-over --yes --port 23230"
            ));
            match taken.code {
                0 => {
                    let _ = sudo(&lab, "carol", "uninstall --yes").code(0);
                }
                1 if fault == "fail" => {
                    failed += 1;
                    assert!(taken.err.contains("everything is as it was before"), "{taken:?}");
                }
                137 => {
                    killed += 1;
                    if lab.root("ls /var/lib/parachute/journal.jsonl").code == 0 {
                        // Neither alice nor a plain `init` of hers ends carol's unfinished plan.
                        names(sudo(&lab, "alice", "init --yes --port 23220"), "belongs to carol");
                        let _ = sudo(&lab, "carol", "init --rollback").code(0);
                    }
                }
                _ => panic!("{fault} {step}: {taken:?}"),
            }
            assert_eq!(lab.read(UNIT), unit, "{fault} {step}");
            serves(&lab, "alice");
        }
    }
    assert!(failed >= 4 && killed >= 4, "{failed} failed, {killed} killed");
}

/// A user's own manager has one place for the hub too: a second home of the same user finds the first.
#[test]
fn a_second_home_in_ones_own_scope_is_respected_too() {
    let Some(lab) = Lab::up() else { return };
    let unit = "/home/lab/.config/systemd/user/parachute-hub.service";
    let _ = lab.user("parachute init --yes").code(0);
    let (first, before) = (lab.read(unit), lab.snapshot());
    let said = lab.user("parachute --home ~/second uninstall --yes").code(0).out;
    assert!(said.contains("is that of lab (home /home/lab/.parachute) and is left alone"), "{said}");
    for line in ["init --yes --port 23230", "init --yes --force", "doctor --fix --yes"] {
        names(lab.user(&format!("parachute --home ~/second {line}")), "another home, /home/lab/.parachute");
        before.same_but(&lab.snapshot(), &ITS_OWN);
    }
    let _ = lab.user("parachute --home ~/second init --yes --port 23230 --take-over").code(0);
    assert!(lab.read(unit).contains("PARACHUTE_HOME=/home/lab/second"));
    // The receipt of the first home still names the unit, which is the second's by now.
    names(lab.user("parachute uninstall --yes"), "another home, /home/lab/second");
    let said = lab.user("parachute --home ~/second uninstall --yes --purge").code(0).out;
    assert!(said.contains("the hub of lab (home /home/lab/.parachute) is back"), "{said}");
    assert_eq!((lab.read(unit), lab.user("parachute status").code), (first, 0));
    before.same_but(&lab.snapshot(), &ITS_OWN);
    let _ = lab.user("parachute uninstall --yes").code(0);
}

/// A user's own hub beside the system hub: on another port there is room for both.
#[test]
fn a_users_own_hub_runs_beside_another_users() {
    let Some(lab) = alices() else { return };
    let _ = lab.root("loginctl enable-linger carol").code(0);
    let runs = "systemctl is-active user@$(id -u carol).service";
    lab.eventually("carol's manager runs", || lab.root(runs).code == 0);
    let refused = as_person(&lab, "carol", "parachute init --yes --port 23220").code(78).err;
    assert!(refused.contains("port 23220 is that of the hub of alice"), "{refused}");
    assert!(refused.contains("hint: parachute init --port N") && !refused.contains("uninstall"), "{refused}");
    let _ = as_person(&lab, "carol", "parachute init --yes --port 23230").code(0);
    serves(&lab, "alice");
    for name in ["alice", "carol"] {
        let report = as_person(&lab, name, "parachute doctor").out;
        assert!(!report.contains("uninstall"), "{name} is not told to remove the other's: {report}");
    }
    let _ = as_person(&lab, "carol", "parachute uninstall --yes").code(0);
    serves(&lab, "alice");
}
