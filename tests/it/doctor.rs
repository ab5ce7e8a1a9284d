//! `parachute doctor` with the real binary: without a manager, and under the model of launchd.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::mac::Mac;
use crate::support::program::Outcome;
use crate::support::world::World;

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.out).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// Verdicts of one check.
fn verdicts<'a>(report: &'a Value, id: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["id"] == id).map(|check| check["verdict"].as_str().unwrap()).collect()
}

/// Every check that is not ok, with its message.
fn complaints(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["verdict"] != "ok")
        .map(|check| format!("{} {}", check["id"], check["message"]))
        .collect()
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn without_a_manager_and_without_a_hub_no_check_fails() {
    let world = World::new();
    let said = world.run(&["doctor"]).code(0).out;
    assert!(said.contains("?  manager") && said.contains("no service manager can be used here"), "{said}");
    assert!(said.contains("hint: parachute serve"), "{said}");
    let report = json(&world.run(&["doctor", "--json"]).code(0));
    assert_eq!((verdicts(&report, "manager"), verdicts(&report, "hub")), (vec!["cannot_tell"], vec!["warn"]));
    let none = world.run(&["units", "verify"]).code(69).err;
    assert!(none.contains("no service manager can be used here"), "{none}");
    let none = world.run(&["doctor", "--fix"]).code(0).out;
    assert!(none.contains("nothing that --fix can repair"), "{none}");
    assert!(std::fs::read_dir(world.home()).unwrap().next().is_none(), "it reads, and writes nothing");
}

#[test]
fn a_hub_in_the_foreground_is_ok() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let report = json(&world.run(&["doctor", "--json"]).code(0));
    assert_eq!(complaints(&report).len(), 1, "only the missing manager: {report:#}");
    for id in ["hub", "port", "home.private", "home.services", "modules.programs", "modules.ready"] {
        assert_eq!(verdicts(&report, id), ["ok"], "{id}: {report:#}");
    }
}

#[test]
fn problems_on_disk_are_found_without_a_hub() {
    let world = World::new();
    world.command("gone", &["no-such-program-anywhere"]);
    world.write_rows();
    std::fs::write(world.home().join("hub.toml"), "[hub\n").unwrap();
    chmod(&world.home(), 0o777);
    let report = json(&world.run(&["doctor", "--json"]).code(1));
    assert_eq!(report["verdict"], "fail");
    for id in ["home.private", "home.settings", "modules.programs"] {
        assert_eq!(verdicts(&report, id), ["fail"], "{id}: {report:#}");
    }
    // The target of a link may belong to any user: it is reported, and no plan touches it.
    std::fs::write(world.file("elsewhere"), "x").unwrap();
    chmod(&world.file("elsewhere"), 0o644);
    std::os::unix::fs::symlink(world.file("elsewhere"), world.home().join("operator.token")).unwrap();
    let report = json(&world.run(&["doctor", "--json"]).code(1));
    let private = report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == "home.private");
    let mended: Vec<bool> = private.map(|check| check["mend"].is_object()).collect();
    assert_eq!(mended, [true, false], "the home, and the target of the token: {report:#}");
    // No manager, no plan: the commands to type are shown all the same.
    let refused = world.run(&["doctor", "--fix", "--yes"]).code(69).err;
    assert!(refused.contains(&format!("hint: chmod 755 {}", world.home().display())), "{refused}");
    assert_eq!(mode(&world.home()), 0o777);
    world.write_services("{ \"services\": [");
    let report = json(&world.run(&["doctor", "--json"]).code(1));
    assert_eq!(verdicts(&report, "home.services"), ["fail"], "{report:#}");
}

#[test]
fn a_fresh_agent_is_ok_and_a_faulty_one_is_repaired() {
    let mac = Mac::new();
    mac.module("web", &[]);
    let report = json(&mac.run(&["doctor", "--json"]).code(0));
    assert_eq!(verdicts(&report, "unit.installed"), ["warn"], "{report:#}");
    mac.installed();
    mac.world.ready("web");
    let report = json(&mac.run(&["doctor", "--json"]).code(0));
    assert_eq!(complaints(&report), [""; 0], "{report:#}");
    let pid = mac.pid();

    let (home, token) = (mac.world.home(), mac.world.home().join("operator.token"));
    chmod(&home, 0o777);
    chmod(&token, 0o644);
    let report = json(&mac.run(&["doctor", "--json"]).code(1));
    assert_eq!(verdicts(&report, "home.private"), ["fail", "warn"], "{report:#}");
    let dry = mac.run(&["doctor", "--fix", "--dry-run"]).code(0).out;
    assert!(
        dry.contains("parachute doctor --fix with launchd") && dry.contains(" to 0755 (now 0777)"),
        "{dry}"
    );
    // No terminal: nothing hangs, and nothing is done.
    let asked = mac.run(&["doctor", "--fix"]).code(2).err;
    assert!(asked.contains("--yes"), "{asked}");
    assert_eq!((mode(&home), mode(&token)), (0o777, 0o644));

    let mended = json(&mac.run(&["doctor", "--fix", "--yes", "--json"]).code(0));
    assert_eq!((&mended["mended"], complaints(&mended)), (&Value::from(2), Vec::new()), "{mended:#}");
    assert_eq!((mode(&home), mode(&token), mac.pid()), (0o755, 0o600, pid), "and the hub was left alone");

    // An interrupted plan undoes its changes.
    chmod(&home, 0o777);
    let port = mac.world.port().to_string();
    let mut fix = mac.parachute(&["doctor", "--fix", "--yes"]);
    chmod(&token, 0o644);
    let failed = Outcome::of(fix.env("PARACHUTE_FAULT", "fail 2").output().unwrap()).code(1);
    assert!(failed.err.contains("everything is as it was before"), "{failed:?}");
    assert_eq!((mode(&home), mode(&token)), (0o777, 0o644));
    let mut fix = mac.parachute(&["doctor", "--fix", "--yes"]);
    let killed = Outcome::of(fix.env("PARACHUTE_FAULT", "kill 2").output().unwrap());
    assert_eq!(killed.code, 137, "{killed:?}");
    let report = mac.run(&["doctor"]).code(1).out;
    assert!(report.contains("hint: parachute init --resume"), "{report}");
    let refused = mac.run(&["doctor", "--fix", "--yes"]).code(78).err;
    assert!(refused.contains("was interrupted"), "{refused}");
    mac.does(&["init", "--resume", "--port", &port]);
    assert_eq!((mode(&home), mode(&token)), (0o755, 0o600));
    let report = json(&mac.run(&["doctor", "--json"]).code(0));
    assert_eq!(complaints(&report), [""; 0], "{report:#}");

    // After an uninstallation private files stay private.
    mac.does(&["uninstall", "--yes"]);
    assert_eq!((mode(&home), mode(&token)), (0o755, 0o600));
}

#[test]
fn a_missing_plist_is_restored_and_an_edited_one_is_not_touched() {
    let mac = Mac::new();
    mac.installed();
    let text = std::fs::read_to_string(mac.plist()).unwrap();
    std::fs::remove_file(mac.plist()).unwrap();
    let report = json(&mac.run(&["doctor", "--json"]).code(1));
    assert_eq!(verdicts(&report, "unit.installed"), ["fail"], "{report:#}");
    let mended = json(&mac.run(&["doctor", "--fix", "--yes", "--json"]).code(0));
    assert_eq!(complaints(&mended), [""; 0], "{mended:#}");
    assert_eq!(std::fs::read_to_string(mac.plist()).unwrap(), text, "with the port it had");

    let edited = text.replace("<dict>", "<!-- mine --><dict>");
    std::fs::write(mac.plist(), &edited).unwrap();
    let report = json(&mac.run(&["doctor", "--json"]).code(0));
    assert_eq!(verdicts(&report, "unit.installed"), ["warn"], "{report:#}");
    let left = mac.run(&["doctor", "--fix", "--yes"]).code(0).out;
    assert!(left.contains("nothing that --fix can repair"), "{left}");
    assert_eq!(std::fs::read_to_string(mac.plist()).unwrap(), edited);
}
