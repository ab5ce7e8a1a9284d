//! `parachute doctor` against a real systemd: ok after `init`, and each fault found, and repaired where possible.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab, PERSON, Who};

const UNIT: &str = "/home/lab/.config/systemd/user/parachute-hub.service";
const SYSTEM_UNIT: &str = "/etc/systemd/system/parachute-hub.service";

/// Root under sudo, acting for the user.
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";

/// The report of doctor for this user; it exits with `code`.
#[track_caller]
fn doctor(lab: &Lab, args: &str, code: i32) -> Value {
    let said = lab.user(&format!("parachute doctor --json {args}")).code(code);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Checks that are not ok, as `id verdict`.
fn complaints(report: &Value) -> Vec<String> {
    let word = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["verdict"] != "ok")
        .map(|check| format!("{} {}", word(check, "id"), word(check, "verdict")))
        .collect()
}

#[track_caller]
fn well(lab: &Lab) {
    let report = doctor(lab, "", 0);
    assert_eq!(complaints(&report), [""; 0], "{report:#}");
}

/// Causes a fault, checks that doctor reports exactly `wanted`, repairs it, and checks that all is ok.
#[track_caller]
fn mends(lab: &Lab, illness: &str, wanted: &[&str], code: i32) {
    let _ = lab.user(illness).code(0);
    let report = doctor(lab, "", code);
    assert_eq!(complaints(&report), wanted, "{illness}: {report:#}");
    let mended = doctor(lab, "--fix --yes", 0);
    assert_eq!(complaints(&mended), [""; 0], "{illness}: {mended:#}");
    assert!(mended["mended"].as_u64().unwrap() > 0, "{mended:#}");
    well(lab);
}

#[test]
fn a_fresh_installation_is_ok_and_faults_are_repaired() {
    let Some(lab) = Lab::up() else { return };
    let before = doctor(&lab, "", 0);
    assert!(complaints(&before).contains(&"unit.installed warn".to_owned()), "{before:#}");
    let _ = lab.user("parachute init --yes").code(0);
    well(&lab);
    let _ = lab.user(&format!("parachute add web -- {FIXTURE} server")).code(0);
    lab.eventually("the module is ready", || lab.user("parachute doctor").out.contains("all ok"));

    mends(
        &lab,
        "chmod 777 ~/.parachute; chmod 644 ~/.parachute/operator.token",
        &["home.private fail", "home.private warn"],
        1,
    );
    assert_eq!(lab.user("stat -c %a ~/.parachute ~/.parachute/operator.token").out, "755\n600\n");
    mends(&lab, "loginctl disable-linger", &["linger warn", "boot warn"], 0);
    mends(&lab, "systemctl --user disable parachute-hub.service", &["unit.enabled warn", "boot warn"], 0);
    mends(&lab, "mkdir -p ~/.cargo/bin", &["unit.current warn"], 0);
    mends(&lab, "printf '[unit]\nenv = { A = \"1\" }\n' > ~/.parachute/hub.toml", &["unit.current warn"], 0);
    mends(&lab, "rm ~/.parachute/bin/parachute", &["program fail"], 1);
    let gone = format!("rm {UNIT}");
    mends(&lab, &gone, &["unit.installed fail"], 1);
    // A hub that its user stopped stays stopped during repairs.
    let _ = lab.user("parachute stop; systemctl --user disable parachute-hub.service").code(0);
    let mended = doctor(&lab, "--fix --yes", 0);
    assert_eq!(complaints(&mended), ["unit.running warn"], "{mended:#}");
    let _ = lab.user("parachute start").code(0);
    lab.eventually("the module is ready", || lab.user("parachute doctor").out.contains("all ok"));
    well(&lab);
    lab.reboot();
    lab.eventually("the hub is back", || lab.no_session("parachute status").code == 0);
    lab.eventually("and ok", || lab.user("parachute doctor").out.contains("all ok"));
}

#[test]
fn decisions_of_the_user_are_reported_and_not_made() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes --port 2000").code(0);
    well(&lab);
    // An edit that the manager has loaded.
    let _ = lab.user(&format!("echo '# mine' >> {UNIT}; systemctl --user daemon-reload")).code(0);
    let edited = lab.read(UNIT);
    let report = doctor(&lab, "", 0);
    assert_eq!(complaints(&report), ["unit.installed warn"], "{report:#}");
    let left = lab.user("parachute doctor --fix --yes").code(0).out;
    assert!(left.contains("nothing that --fix can repair"), "{left}");
    assert_eq!(lab.read(UNIT), edited);
    let _ = lab.user("parachute init --yes --force --port 2000").code(0);
    well(&lab);

    // A second unit, in the other scope.
    lab.write(&Who::Root, SYSTEM_UNIT, &edited);
    let report = doctor(&lab, "", 1);
    assert!(complaints(&report).contains(&"unit.twins fail".to_owned()), "{report:#}");
    let _ = lab.root(&format!("rm {SYSTEM_UNIT}")).code(0);

    // An unfinished plan.
    let _ = lab.user("chmod 777 ~/.parachute").code(0);
    assert_eq!(lab.user("PARACHUTE_FAULT='kill 1' parachute doctor --fix --yes").code, 137);
    let report = doctor(&lab, "", 1);
    assert_eq!(complaints(&report), ["plan fail", "home.private fail"], "{report:#}");
    let _ = lab.user("parachute init --resume").code(0);
    well(&lab);

    // Masked, as users do with a unit in their own directory.
    let masked = format!("ln -sf /dev/null {UNIT}; systemctl --user daemon-reload");
    let _ = lab.user(&masked).code(0);
    let report = doctor(&lab, "", 1);
    let wanted = ["unit.installed fail", "unit.loaded fail", "boot warn"];
    assert_eq!(complaints(&report), wanted, "{report:#}");
}

#[test]
fn doctor_reports_roots_hub_to_other_users_as_far_as_permitted() {
    let Some(lab) = Lab::up() else { return };
    let none = lab.root("parachute doctor").code(0).out;
    assert!(none.contains("cannot tell: the hub and all its modules would run as root"), "{none}");
    let _ = lab.root(&format!("{SUDO} parachute init --yes")).code(0);
    let said = lab.root(&format!("{SUDO} parachute doctor")).code(0).out;
    assert!(said.contains("all ok"), "{said}");
    let said = lab.user("parachute doctor").code(0).out;
    assert!(said.contains("sudo parachute doctor") && said.contains("✓  hub"), "{said}");
    let _ = lab.root("systemctl disable parachute-hub.service").code(0);
    let refused = lab.user("chmod 777 ~/.parachute; parachute doctor --fix --yes").code(78).err;
    assert!(refused.contains("sudo parachute doctor"), "{refused}");
    let mended = lab.root(&format!("{SUDO} parachute doctor --fix --yes")).code(1).out;
    assert!(mended.contains("✓  unit.enabled"), "{mended}");
    // Root changes nothing in a user's home, not even a mode.
    assert_eq!(lab.user("stat -c %a ~/.parachute").out, "777\n");
    let _ = lab.user("chmod 700 ~/.parachute").code(0);
    let said = lab.root(&format!("{SUDO} parachute doctor")).code(0).out;
    assert!(said.contains("all ok"), "{said}");
    let none = lab.no_session("parachute doctor").code(0).out;
    assert!(none.contains("✓  hub"), "{none}");
}

/// The messages of the manager's own checker, and a machine without one.
#[test]
fn units_are_checked_by_the_managers_checker() {
    let Some(lab) = Lab::up() else { return };
    let good = lab.user("parachute units verify").code(0).out;
    assert!(good.contains("parachute-hub.service: systemd (user) accepts it"), "{good}");
    let _ = lab.user("parachute init --yes && parachute units verify").code(0);
    let tools = "mkdir -p /tmp/t && ln -sf $(command -v systemctl) $(command -v loginctl) /tmp/t/;";
    let none = lab.user(&format!("{tools} PATH=/tmp/t /opt/parachute/parachute units verify")).code(69);
    assert!(none.err.contains("systemd-analyze") && none.err.contains("hint:"), "{none:?}");
    let complaint = "parachute-hub.service:7: Unknown key";
    let says =
        format!("{tools} printf '#!/bin/sh\necho {complaint} >&2; exit 1\n' > /tmp/t/systemd-analyze;");
    let script = format!(
        "{says} chmod +x /tmp/t/systemd-analyze; PATH=/tmp/t:/bin /opt/parachute/parachute units verify"
    );
    let bad = lab.user(&script).code(1);
    assert!(bad.out.contains(&format!("✗ {complaint}")), "{bad:?}");
}

/// A hub that exits before it opens its log leaves an older file, which says nothing about that.
#[test]
fn the_log_of_the_hub_mentions_a_later_crash() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes && parachute stop").code(0);
    // A program that exits before it has a log.
    let owner = Who::NoSession(PERSON.to_owned());
    let program = "/home/lab/.parachute/bin/parachute";
    let _ = lab.user(&format!("rm {program}")).code(0);
    lab.write(&owner, program, "#!/bin/sh\necho no more of this\nexit 1\n");
    let _ = lab.user(&format!("chmod 755 {program}")).code(0);
    assert_ne!(lab.user("parachute start").code, 0);
    let said = lab.user("parachute logs hub").code(0);
    assert!(said.err.contains("it has crashed since") && said.out.contains("no more of this"), "{said:?}");
}
