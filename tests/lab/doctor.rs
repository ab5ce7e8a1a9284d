//! `doctor` against a real systemd: never red on a fresh installation, and right about every illness.

use serde_json::Value;

use crate::lab::{Lab, PERSON, Who};

const UNIT: &str = "/home/lab/.config/systemd/user/parachute-hub.service";

/// The verdict of one check, and the exit code.
fn check(lab: &Lab, id: &str) -> (String, i32) {
    let said = lab.user("parachute doctor --json");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let found =
        checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {said:?}"));
    (found["verdict"].as_str().unwrap().to_owned(), said.code)
}

#[test]
fn well_after_init_and_right_about_what_is_not() {
    let Some(lab) = Lab::up() else { return };
    let owner = Who::NoSession(PERSON.to_owned());
    let before = lab.user("parachute doctor").code(0).out;
    assert!(before.contains("nothing is installed") && before.contains("parachute init"), "{before}");
    let _ = lab.user("parachute units verify").code(0);
    let _ = lab.user("parachute init --yes").code(0);
    let fresh = lab.user("parachute doctor").code(0).out;
    assert!(fresh.contains("everything is well"), "{fresh}");
    let _ = lab.user("parachute units verify").code(0);

    // Each illness, and what mends it.
    let _ = lab.root(&format!("loginctl disable-linger {PERSON}")).code(0);
    assert_eq!(check(&lab, "linger"), ("warn".to_owned(), 0));
    lab.write(&owner, "/home/lab/.parachute/hub.env", "TOKEN=x\n");
    let _ = lab.run(&owner, "chmod 644 /home/lab/.parachute/hub.env").code(0);
    assert_eq!(check(&lab, "home.private"), ("warn".to_owned(), 0));
    let dry = lab.user("parachute doctor --fix --dry-run").code(0).out;
    assert!(
        dry.contains("give /home/lab/.parachute/hub.env the mode 0600") && dry.contains("enable-linger"),
        "{dry}"
    );
    let asked = lab.user("parachute doctor --fix");
    assert!(asked.code != 0 && asked.err.contains("--yes"), "it never waits for nobody: {asked:?}");
    let fixed = lab.user("parachute doctor --fix --yes").code(0).out;
    assert!(fixed.contains("everything is well"), "{fixed}");
    assert_eq!(lab.root("stat -c %a /home/lab/.parachute/hub.env").out.trim(), "600");

    let _ = lab.user(&format!("echo '# mine' >> {UNIT}")).code(0);
    assert_eq!(check(&lab, "unit.installed"), ("warn".to_owned(), 0));
    assert_eq!(check(&lab, "unit.loaded"), ("warn".to_owned(), 0));
    let refused = lab.user("parachute doctor --fix --yes").code(78).err;
    assert!(refused.contains("was changed after it was installed"), "{refused}");
    let _ = lab.user("parachute init --yes --force").code(0);

    lab.write(&Who::Root, "/etc/systemd/system/parachute-hub.service", "[Service]\nExecStart=/bin/true\n");
    assert_eq!(check(&lab, "unit.twins"), ("fail".to_owned(), 1));
    let _ = lab.root("rm /etc/systemd/system/parachute-hub.service").code(0);
    let _ = lab.user("systemctl --user disable parachute-hub.service").code(0);
    assert_eq!(check(&lab, "boot"), ("warn".to_owned(), 0));
    let _ = lab.user("parachute doctor --fix --yes").code(0);
    assert_eq!(check(&lab, "boot"), ("ok".to_owned(), 0));
    let services = "{\"services\": [";
    lab.write(&owner, "/home/lab/.parachute/services.json", services);
    assert_eq!(check(&lab, "home.services"), ("fail".to_owned(), 1));
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
