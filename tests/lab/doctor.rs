//! `parachute doctor` against a real systemd: well after `init`, and each illness found, and mended where it can be.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab, PERSON, Who};

const UNIT: &str = "/home/lab/.config/systemd/user/parachute-hub.service";
const SYSTEM_UNIT: &str = "/etc/systemd/system/parachute-hub.service";

/// Root as sudo leaves it, acting for the person.
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";

/// What doctor says, as this person; it ends with `code`.
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

/// Does `illness`, sees that doctor complains about exactly `wanted`, mends it, and sees that all is well.
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
fn a_fresh_installation_is_well_and_what_falls_ill_is_mended() {
    let Some(lab) = Lab::up() else { return };
    let before = doctor(&lab, "", 0);
    assert!(complaints(&before).contains(&"unit.installed warn".to_owned()), "{before:#}");
    let _ = lab.user("parachute init --yes").code(0);
    well(&lab);
    let _ = lab.user(&format!("parachute add web -- {FIXTURE} server")).code(0);
    lab.eventually("the module is ready", || lab.user("parachute doctor").out.contains("all is well"));

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
    mends(&lab, "echo '[unit]\nsocket = false' > ~/.parachute/hub.toml", &["unit.current warn"], 0);
    mends(&lab, "rm ~/.parachute/bin/parachute", &["program fail"], 1);
    let gone = format!("rm {UNIT}");
    mends(&lab, &gone, &["unit.installed fail"], 1);
    // What its person stopped stays down, whatever is mended.
    let _ = lab.user("parachute stop; systemctl --user disable parachute-hub.service").code(0);
    let mended = doctor(&lab, "--fix --yes", 0);
    assert_eq!(complaints(&mended), ["unit.running warn"], "{mended:#}");
    let _ = lab.user("parachute start").code(0);
    lab.eventually("the module is ready", || lab.user("parachute doctor").out.contains("all is well"));
    well(&lab);
    lab.reboot();
    lab.eventually("the hub is back", || lab.no_session("parachute status").code == 0);
    lab.eventually("and well", || lab.user("parachute doctor").out.contains("all is well"));
}

#[test]
fn what_a_person_must_decide_is_told_and_not_touched() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes --port 2000").code(0);
    well(&lab);
    // An edit that its manager has read.
    let _ = lab.user(&format!("echo '# mine' >> {UNIT}; systemctl --user daemon-reload")).code(0);
    let edited = lab.read(UNIT);
    let report = doctor(&lab, "", 0);
    assert_eq!(complaints(&report), ["unit.installed warn"], "{report:#}");
    let left = lab.user("parachute doctor --fix --yes").code(0).out;
    assert!(left.contains("nothing that a plan could mend"), "{left}");
    assert_eq!(lab.read(UNIT), edited);
    let _ = lab.user("parachute init --yes --force --port 2000").code(0);
    well(&lab);

    // A second unit, in the other scope.
    lab.write(&Who::Root, SYSTEM_UNIT, &edited);
    let report = doctor(&lab, "", 1);
    assert!(complaints(&report).contains(&"unit.twins fail".to_owned()), "{report:#}");
    let _ = lab.root(&format!("rm {SYSTEM_UNIT}")).code(0);

    // A plan that nobody finished.
    let _ = lab.user("chmod 777 ~/.parachute").code(0);
    assert_eq!(lab.user("PARACHUTE_FAULT='kill 1' parachute doctor --fix --yes").code, 137);
    let report = doctor(&lab, "", 1);
    assert_eq!(complaints(&report), ["plan fail", "home.private fail"], "{report:#}");
    let _ = lab.user("parachute init --resume").code(0);
    well(&lab);

    // Masked, as a person does it whose unit is in their own directory.
    let masked = format!("ln -sf /dev/null {UNIT}; systemctl --user daemon-reload");
    let _ = lab.user(&masked).code(0);
    let report = doctor(&lab, "", 1);
    let wanted = ["unit.installed fail", "unit.loaded fail", "boot warn"];
    assert_eq!(complaints(&report), wanted, "{report:#}");
}

#[test]
fn of_roots_hub_everybody_is_told_what_they_may_know() {
    let Some(lab) = Lab::up() else { return };
    let none = lab.root("parachute doctor").code(0).out;
    assert!(none.contains("cannot tell: the hub and all its modules would run as root"), "{none}");
    let _ = lab.root(&format!("{SUDO} parachute init --yes")).code(0);
    let said = lab.root(&format!("{SUDO} parachute doctor")).code(0).out;
    assert!(said.contains("all is well"), "{said}");
    let said = lab.user("parachute doctor").code(0).out;
    assert!(said.contains("sudo parachute doctor") && said.contains("✓  hub"), "{said}");
    let _ = lab.root("systemctl disable parachute-hub.service").code(0);
    let refused = lab.user("chmod 777 ~/.parachute; parachute doctor --fix --yes").code(78).err;
    assert!(refused.contains("sudo parachute doctor"), "{refused}");
    let mended = lab.root(&format!("{SUDO} parachute doctor --fix --yes")).code(1).out;
    assert!(mended.contains("✓  unit.enabled"), "{mended}");
    // Root writes nothing into a person's home, not even a mode.
    assert_eq!(lab.user("stat -c %a ~/.parachute").out, "777\n");
    let _ = lab.user("chmod 700 ~/.parachute").code(0);
    let said = lab.root(&format!("{SUDO} parachute doctor")).code(0).out;
    assert!(said.contains("all is well"), "{said}");
    let none = lab.no_session("parachute doctor").code(0).out;
    assert!(none.contains("✓  hub"), "{none}");
}

/// What the manager's own checker says, and that there may be none.
#[test]
fn units_are_read_by_the_checker_of_the_manager() {
    let Some(lab) = Lab::up() else { return };
    let good = lab.user("parachute units verify").code(0).out;
    for unit in ["parachute-hub.service", "parachute-hub.socket"] {
        assert!(good.contains(&format!("{unit}: systemd (user) has nothing to say against it")), "{good}");
    }
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

/// A hub that dies before it opens its log leaves an older file, which tells nothing of that.
#[test]
fn the_log_of_the_hub_tells_of_a_later_death() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes && parachute stop").code(0);
    // A program that ends before it has a log.
    let owner = Who::NoSession(PERSON.to_owned());
    let program = "/home/lab/.parachute/bin/parachute";
    let _ = lab.user(&format!("rm {program}")).code(0);
    lab.write(&owner, program, "#!/bin/sh\necho no more of this\nexit 1\n");
    let _ = lab.user(&format!("chmod 755 {program}")).code(0);
    assert_ne!(lab.user("parachute start").code, 0);
    let said = lab.user("parachute logs hub").code(0);
    assert!(said.err.contains("it died since") && said.out.contains("no more of this"), "{said:?}");
}
