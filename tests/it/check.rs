//! `serve --check` predicts what `serve` would do, and changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use crate::support::world::{Outcome, World};

fn check(world: &World, args: &[&str]) -> Outcome {
    world.run(&[["serve", "--check", "--json"].as_slice(), args].concat())
}

#[track_caller]
fn verdicts(outcome: &Outcome) -> BTreeMap<String, String> {
    let report: Value = serde_json::from_str(&outcome.out).unwrap_or_else(|e| panic!("{e}: {outcome:?}"));
    assert_eq!(report["can_start"], outcome.code == 0, "{report:#}");
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.map(|finding| (text(&finding["id"]), text(&finding["verdict"]))).collect()
}

/// Every file below, with metadata that would change if it were touched.
fn seen(dir: &Path, into: &mut BTreeMap<std::path::PathBuf, (u64, u32, i64, i64)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        into.insert(path.clone(), (meta.ino(), meta.mode(), meta.mtime_nsec(), meta.mtime()));
        if meta.is_dir() {
            seen(&path, into);
        }
    }
}

#[test]
fn a_fresh_home_is_ok_and_stays_unchanged() {
    let world = World::new();
    let outcome = check(&world, &["--port", &world.port().to_string()]).code(0);
    assert!(verdicts(&outcome).values().all(|verdict| verdict == "ok"), "{outcome:?}");
    assert_eq!(std::fs::read_dir(world.home()).unwrap().count(), 0);
    std::fs::remove_dir(world.home()).unwrap();
    let _ = check(&world, &["--port", "0"]).code(0);
    assert!(!world.home().exists(), "a home that `serve` would create is not created");
    let screen = world.run(&["serve", "--check", "--port", "0"]).code(0);
    assert!(screen.out.ends_with("a hub can start here\n"), "{screen:?}");
    let _ = world.run(&["serve", "--json"]).code(2);
}

#[test]
fn beside_a_running_hub_it_fails_and_changes_nothing() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    // The hub keeps writing logs meanwhile, the module's and its own.
    let rest = |map: &mut BTreeMap<std::path::PathBuf, _>| {
        map.retain(|path, _| {
            !["/home/web", "/home/hub"].iter().any(|dir| path.to_str().unwrap().contains(dir))
        });
    };
    seen(&world.home(), &mut before);
    let outcome = check(&world, &["--port", &world.port().to_string()]).code(78);
    seen(&world.home(), &mut after);
    rest(&mut before);
    rest(&mut after);
    assert_eq!(before, after);
    assert!(before.keys().any(|path| path.ends_with("run/ledger.jsonl")), "{before:#?}");
    let verdicts = verdicts(&outcome);
    assert_eq!((verdicts["hub"].as_str(), verdicts["port"].as_str()), ("fail", "fail"), "{outcome:?}");
    assert!(outcome.out.contains(&format!("pid {}", world.hub_pid())), "{outcome:?}");
    assert_eq!(world.ready("web"), pid);
    world.stop_hub();
}

#[test]
fn every_obstacle_is_named_with_a_command() {
    let world = World::new();
    let port = world.port().to_string();
    let fails = |args: &[&str], id: &str, said: &str| {
        let outcome = check(&world, args).code(78);
        assert_eq!(verdicts(&outcome)[id], "fail", "{outcome:?}");
        assert!(outcome.out.contains(said) && outcome.out.contains("\"next\""), "{said}: {outcome:?}");
    };
    let stranger = std::net::TcpListener::bind(("127.0.0.1", world.port())).unwrap();
    fails(&["--port", &port], "port", &format!("is held by pid {}", std::process::id()));
    drop(stranger);
    fails(&["--port", &port, "--host", "example"], "port", "not an address");
    fails(&["--port", &port, "--host", "203.0.113.7"], "port", "cannot listen on 203.0.113.7");
    std::fs::write(world.home().join("operator.token"), "short").unwrap();
    fails(&["--port", &port], "token", "does not hold a token");
    std::fs::remove_file(world.home().join("operator.token")).unwrap();

    // Harmless problems are reported and do not fail.
    std::fs::write(world.home().join("hub.toml"), "[hub]\nprot = 1\n").unwrap();
    let outcome = check(&world, &["--port", &port]).code(0);
    assert_eq!(verdicts(&outcome)["settings"], "warn", "{outcome:?}");

    let long = world.file(&"x".repeat(100));
    let outcome = check(&world, &["--port", &port, "--home", long.to_str().unwrap()]).code(78);
    assert!(outcome.out.contains("control socket's path"), "{outcome:?}");
    let file = world.file("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("home");
    let outcome = check(&world, &["--port", &port, "--home", below.to_str().unwrap()]).code(78);
    assert_eq!(verdicts(&outcome)["home"], "fail", "{outcome:?}");
}

/// Root may write everywhere, so this tests other users only.
#[test]
fn an_unwritable_home_fails() {
    if nix::unistd::getuid().is_root() {
        return eprintln!("SKIPPED: root may write everywhere");
    }
    let world = World::new();
    std::fs::set_permissions(world.home(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let outcome = check(&world, &["--port", &world.port().to_string()]).code(78);
    assert_eq!(verdicts(&outcome)["home"], "fail", "{outcome:?}");
    std::fs::set_permissions(world.home(), std::fs::Permissions::from_mode(0o700)).unwrap();
}
