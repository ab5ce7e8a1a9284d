//! Which pids a hint may name for `kill`, and where that is decided.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::layers::{code, sources};
use crate::support::world::World;

/// Files that may contain it: the one that decides, and the one that names faults for tests.
const MAY: [&str; 2] = ["process/holder.rs", "plan/fault.rs"];

/// Texts from which a command line that ends a process would be built.
const FORMS: [&str; 7] = ["kill {", "kill -", "kill $", "\"kill\"", "\"kill \"", "pkill", "killall"];

/// The part of a file without its tests.
fn shipped(text: &str) -> String {
    code(text).split("\nmod tests {").next().unwrap_or_default().to_owned()
}

#[test]
fn kill_is_printed_in_one_place_only() {
    let mut said = Vec::new();
    for (file, text) in sources() {
        let file = file.to_str().unwrap().to_owned();
        let is_test = file.ends_with("tests.rs") || file.contains("/tests/");
        let forms = || FORMS.iter().filter(|form| shipped(&text).contains(**form));
        if !is_test && forms().next().is_some() {
            said.push(file);
        }
    }
    said.retain(|file| !MAY.contains(&file.as_str()));
    assert_eq!(said, [""; 0], "a hint that ends a process is built outside of process/holder.rs");
    let (_, decides) = sources().into_iter().find(|(file, _)| file.ends_with(MAY[0])).unwrap();
    assert!(shipped(&decides).contains(FORMS[0]), "the scan does not see what it looks for");
}

/// The hint of one check of `serve --check`.
#[track_caller]
fn hint_of_port(world: &World, args: &[&str]) -> String {
    let outcome = world.run(&[["serve", "--check", "--json"].as_slice(), args].concat()).code(78);
    let report: Value = serde_json::from_str(&outcome.out).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let port = findings.iter().find(|finding| finding["id"] == "port").unwrap();
    assert_eq!(port["verdict"], "fail", "{report:#}");
    port["next"].as_str().unwrap().to_owned()
}

/// This test holds the port, and is an ancestor of all commands here, like a terminal that holds one.
#[test]
fn no_hint_kills_an_ancestor_of_the_command() {
    let world = World::new();
    let mine = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = mine.local_addr().unwrap().port().to_string();
    assert_eq!(hint_of_port(&world, &["--port", &port]), "parachute serve --port N     (another port)");
    let refused = world.run(&["serve", "--port", &port]).code(78);
    assert!(refused.err.contains("which this command runs under"), "{refused:?}");
    let doctor = world.run(&["doctor"]);

    // The hub that asks is a descendant too, and so is the reader of its problem.
    let wanted = world.module("web", &[]);
    let squatter = TcpListener::bind(("127.0.0.1", wanted)).unwrap();
    world.start_hub();
    let view = world.problem("web", "port_squatter");
    assert_eq!(view["problem"]["next"], "give web another port in services.json", "{view:#}");
    let told = ["status", "why", "start"].map(|verb| {
        let args: &[&str] = if verb == "status" { &[verb] } else { &[verb, "web"] };
        world.run(args)
    });
    for outcome in told.iter().chain([&refused, &doctor]) {
        assert!(!outcome.out.contains("kill") && !outcome.err.contains("kill"), "{outcome:?}");
    }
    drop(squatter);
    world.ready("web");
    world.stop_hub();
}

#[test]
fn a_hub_and_a_module_are_stopped_by_name() {
    let (world, other) = (World::new(), World::new());
    let web = world.module("web", &[]).to_string();
    world.start_hub();
    world.ready("web");
    let (hub, home) = (world.port().to_string(), world.home().display().to_string());
    assert_eq!(hint_of_port(&world, &["--port", &hub]), "parachute stop");
    assert_eq!(hint_of_port(&world, &["--port", &web]), "parachute stop web");
    assert_eq!(hint_of_port(&other, &["--port", &hub]), format!("parachute --home {home} stop"));
    assert_eq!(hint_of_port(&other, &["--port", &web]), format!("parachute --home {home} stop web"));
    // The hint works as typed.
    let _ = world.run(&["--home", &home, "stop", "web"]).code(0);
    let _ = other.run(&["serve", "--check", "--port", &web]).code(0);
    world.stop_hub();
}

/// A report has the pid of the holder when it was written. By now another process may have it.
#[test]
fn an_outdated_hint_is_not_repeated() {
    let world = World::new();
    let port = world.module("web", &[]);
    let pid = std::process::id();
    let holder = json!({ "port": port, "pid": pid, "uid": 0, "command": "nc" });
    let problem = json!({
        "error_type": "port_squatter", "error_description": format!("port {port} of web is held by pid {pid} (nc)"),
        "holder": holder, "next": format!("kill {pid}"), "at": "2026-01-01T00:00:00.000Z",
    });
    let report = json!({
        "short": "web", "at": "2026-01-01T00:00:00.000Z", "ended": null, "lived_ms": null, "was_ready": false,
        "command": "", "problem": problem, "crashes_in_window": 0, "max_crashes": 5, "gave_up": false, "lines": [],
    });
    let dir = world.home().join("web/run");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("last-failure.json"), report.to_string()).unwrap();
    let free = world.run(&["why", "web"]).code(0);
    assert!(free.out.contains("hint: parachute start web") && !free.out.contains("kill"), "{free:?}");
    let mine = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let held = world.run(&["why", "web", "--json"]).code(0);
    assert!(!held.out.contains(&format!("kill {pid}")), "{held:?}");
    drop(mine);
}
