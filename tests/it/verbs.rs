//! What a person types, what they read, and what a script sees.

use serde_json::Value;

use crate::support::world::World;
use crate::support::{eventually, until};

/// F20: whatever fails says so, with something to type next.
#[test]
fn every_failure_speaks() {
    let world = World::new();
    for (args, code) in [
        (vec!["start", "web"], 69),
        (vec!["start"], 69),
        (vec!["restart", "web"], 69),
        (vec!["restart"], 2),
        (vec!["status"], 3),
        (vec!["logs"], 1),
        (vec!["logs", "web"], 1),
        (vec!["logs", "--since", "yesterday", "web"], 1),
        (vec!["why", "web"], 1),
        (vec!["remove", "web"], 1),
        (vec!["add", "../x", "--", "true"], 2),
        (vec!["add", "hub", "--", "true"], 2),
        (vec!["add", "x"], 2),
        (vec!["serve", "--port", "x"], 2),
        (vec!["serve", "--host", "nonsense", "--port", "0"], 78),
        (vec!["dance"], 2),
        (vec![], 2),
    ] {
        let said = world.run(&args);
        let text = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, code, "{args:?}: {said:#?}");
        assert!(
            text.contains("hint:") || text.to_lowercase().contains("usage") || text.contains("--help"),
            "{args:?}: {said:#?}"
        );
    }
    let _ = world.run(&["stop"]).code(0);
    let _ = world.run(&["stop", "web"]).code(0);
    let _ = world.run(&["--help"]).code(0);
    let _ = world.run(&["--version"]).code(0);
}

/// DC20, W-C2: the hub is found by its socket, on whatever port.
#[test]
fn a_day_with_the_verbs() {
    let world = World::new();
    world.start_hub();
    let fixture = crate::support::world::fixture();
    let fixture = fixture.to_str().unwrap();
    let added = world.run(&["add", "web", "--env", "KEY=V", "--", fixture, "server"]).code(0);
    assert!(added.out.contains("✓ web"), "{added:?}");
    let pid = world.ready("web");
    let status = world.run(&["status"]).code(0);
    assert!(status.out.contains(&format!("running  {pid}")), "{status:?}");
    let json: Value = serde_json::from_str(&world.run(&["status", "--json"]).code(0).out).unwrap();
    assert_eq!(json["modules"][0]["pid"], pid);
    assert_eq!(json["hub"]["port"], world.port());
    let _ = world.run(&["restart", "web"]).code(0);
    assert_ne!(world.ready("web"), pid);
    let _ = world.run(&["stop", "web"]).code(0);
    world.expect_no_processes();
    let _ = world.run(&["start", "--all"]).code(0);
    world.ready("web");
    let again = world.run(&["add", "web", "--", fixture, "server"]).code(1);
    assert!(again.err.contains("parachute remove web"), "{again:?}");
    let worker =
        world.run(&["add", "worker", "--no-listen", "--", fixture, "server", "--never-bind"]).code(0);
    assert!(worker.out.contains("only reserved"), "{worker:?}");
    let broken = world.run(&["add", "broken", "--", "no-such-program-anywhere"]).code(1);
    assert!(broken.out.contains("✗ broken"), "{broken:?}");
    let ill = world.run(&["status"]).code(1);
    assert!(ill.out.contains("no-such-program-anywhere"), "{ill:?}");
    let removed = world.run(&["remove", "web"]).code(0);
    assert!(removed.out.contains("web removed"), "{removed:?}");
    world.gone("web");
    assert_eq!(world.view("web"), Value::Null);
    let _ = world.run(&["remove", "broken", "--purge"]).code(2);
    let _ = world.run(&["remove", "broken", "--purge", "--yes"]).code(0);
    assert!(!world.home().join("broken").exists());
    let stopped = world.run(&["stop"]).code(0);
    assert!(stopped.out.contains("has stopped"), "{stopped:?}");
    assert_eq!(world.hub_ends().code(), Some(0));
    world.expect_no_processes();
}

/// C-87, W-C8: success is only said when it is true.
#[test]
fn a_start_that_fails_is_no_success() {
    let world = World::new();
    world.module("brief", &["--never-bind", "--exit-after", "1", "9"]);
    world.start_hub();
    let said = world.run(&["start", "brief"]).code(1);
    assert!(said.out.contains("exit code 9"), "{said:?}");
    world.stop_hub();
}

#[test]
fn the_demo_can_be_tried_and_leaves_no_row() {
    let world = World::new();
    let mut hub = world
        .parachute(&["serve", "--demo", "--port", "0"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the hub answers", || world.get("/health").is_some());
    let pid = world.ready("demo");
    let port = world.view("demo")["port"].as_u64().unwrap();
    let crash = crate::support::http::tcp(u16::try_from(port).unwrap(), "GET", "/crash", &[("host", "demo")]);
    assert!(crash.is_some());
    until("it is back", || Some(world.ready("demo")).filter(|now| *now != pid));
    let why = until("the last words", || {
        Some(world.run(&["why", "demo"])).filter(|why| why.out.contains("last words"))
    });
    assert_eq!(why.code, 0);
    let _ = world.run(&["stop"]).code(0);
    assert!(hub.wait().unwrap().success());
    world.expect_no_processes();
    assert!(!world.read("services.json").contains("demo"));
}

#[test]
fn completions_and_pages_are_there() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(world.run(&["completions", shell]).code(0).out.contains("parachute"));
    }
    let dir = world.file("man");
    let listed = world.run(&["man", "--dir", dir.to_str().unwrap()]).code(0);
    assert!(listed.out.contains("parachute-logs.1"), "{listed:?}");
    assert!(std::fs::read_to_string(dir.join("parachute.1")).unwrap().contains(".TH parachute 1"));
}
