//! What a module may do, and how the hub reacts.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::executable;
use crate::support::processes::{self, Process};
use crate::support::world::{World, fixture, free_port};
use crate::support::{eventually, until};

fn argv(extra: &[&str]) -> Vec<String> {
    let mut argv = vec![fixture().to_str().unwrap().to_owned(), "server".to_owned()];
    argv.extend(extra.iter().map(|arg| (*arg).to_owned()));
    argv
}

fn define(world: &World, short: &str, extra: &[&str], supervise: serde_json::Value) -> u16 {
    let argv = argv(extra);
    world.define(short, &argv.iter().map(String::as_str).collect::<Vec<_>>(), supervise)
}

fn leader(world: &World, short: &str) -> Process {
    // It may end between the two requests: then the next one is used.
    until("a ready leader", || {
        let pid = world.ready(short);
        world.processes().into_iter().find(|p| p.pid == pid)
    })
}

/// A process of no hub on a port.
struct Stranger(std::process::Child);

impl Stranger {
    fn on(port: u16) -> Self {
        let child = Command::new(fixture())
            .arg("server")
            .env_clear()
            .env("PORT", port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the stranger listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self(child)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_crash_is_followed_by_a_new_run_and_why_reports_it() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let first = leader(&world, "web");
    processes::kill(&first);
    let second = until("another leader", || Some(leader(&world, "web")).filter(|p| *p != first));
    assert_eq!(world.processes(), [second]);
    assert_eq!(world.view("web")["restarts"], 1);
    let why = until("the failure is kept", || {
        Some(world.run(&["why", "web"])).filter(|said| said.out.contains("was killed by SIGKILL"))
    });
    assert!(why.out.contains("listening on"), "{why:?}");
    world.stop_hub();
}

#[test]
fn the_budget_ends_in_crashed_and_exit_0_counts() {
    let world = World::new();
    define(
        &world,
        "brief",
        &["--never-bind", "--exit-after", "1", "0"],
        json!({ "restart": { "max": 3, "backoff": "1ms" } }),
    );
    world.start_hub();
    let view =
        until("it crashes too often", || Some(world.view("brief")).filter(|v| v["detail"] == "crashed"));
    assert_eq!((view["state"].as_str(), view["restarts"].as_u64()), (Some("crashed"), Some(2)), "{view:#}");
    let why = until("the report of it", || {
        let why = world.get("/api/modules/brief/why").unwrap().json();
        (why["failure"]["gave_up"] == true).then_some(why)
    });
    assert_eq!(why["failure"]["crashes_in_window"], 3);
    assert_eq!(why["failure"]["ended"], json!({ "code": 0 }));
    // The count survives the hub.
    world.kill_hub();
    world.start_hub();
    let view = until("one crash more is too often", || {
        Some(world.view("brief")).filter(|v| v["detail"] == "crashed")
    });
    assert_eq!(view["restarts"], 0, "{view:#}");
    let _ = world.run(&["start", "brief"]).code(1);
    world.stop_hub();
}

/// The hub keeps running, the reason is structured, and the module recovers when the file is back.
#[test]
fn a_deleted_program_is_an_error_of_its_module_alone() {
    let world = World::new();
    let copy = world.file("program");
    executable::copy(&fixture(), &copy);
    world.command("fragile", &[copy.to_str().unwrap(), "server"]);
    world.module("other", &[]);
    world.start_hub();
    let (fragile, other) = (leader(&world, "fragile"), leader(&world, "other"));
    std::fs::remove_file(&copy).unwrap();
    processes::kill(&fragile);
    world.problem("fragile", "missing_dependency");
    assert_eq!(leader(&world, "other"), other);
    executable::copy(&fixture(), &copy);
    world.ready("fragile");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn every_start_error_has_its_type_and_affects_no_other_module() {
    let world = World::new();
    let file = |name: &str, mode: u32| {
        let path = world.file(name);
        executable::write(&path, "neither binary nor script\n", mode);
        path.to_str().unwrap().to_owned()
    };
    world.command("nowhere", &["no-such-program-anywhere"]);
    world.command("plain", &[&file("plain", 0o644)]);
    world.command("text", &[&file("text", 0o755)]);
    world.define("lost", &["sleep", "1"], json!({ "cwd": world.file("gone") }));
    world.command("gone", &["sleep", "1"]);
    std::fs::remove_dir_all(world.home().join("gone")).unwrap();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.problem("nowhere", "missing_dependency");
    let plain = world.problem("plain", "non_executable");
    assert!(plain["problem"]["next"].as_str().unwrap().starts_with("chmod +x "), "{plain:#}");
    world.problem("text", "spawn_failed");
    world.problem("lost", "missing_cwd");
    world.problem("gone", "missing_cwd");
    world.stop_hub();
}

/// No process is killed, the holder is named, no budget is spent, and the module recovers when the foreign process
/// exits.
#[test]
fn a_foreign_process_on_the_port_is_named_and_not_touched() {
    let world = World::new();
    let port = world.module("web", &[]);
    let stranger = Stranger::on(port);
    world.start_hub();
    let view = world.problem("web", "port_squatter");
    assert_eq!(view["problem"]["holder"]["pid"], stranger.0.id(), "{view:#}");
    assert!(view["problem"]["error_description"].as_str().unwrap().contains("fixture server"), "{view:#}");
    assert_eq!((view["restarts"].as_u64(), view["restarts_in_window"].as_u64()), (Some(0), Some(0)));
    let said = world.run(&["start", "web"]).code(1);
    assert!(said.out.contains(&format!("kill {}", stranger.0.id())), "{said:?}");
    assert!(processes::identity(stranger.0.id()).is_some(), "the foreign process still runs");
    drop(stranger);
    world.ready("web");
    world.stop_hub();
}

/// A sibling's process is not an earlier instance.
#[test]
fn a_sibling_on_the_port_is_not_touched() {
    let world = World::new();
    let port = free_port();
    let script = format!("PORT={port} exec {} server", fixture().display());
    world.define("thief", &["sh", "-c", &script], json!({ "listen": false }));
    world.start_hub();
    world.ready("thief");
    let thief = world.processes();
    world.module("late", &[]);
    world.rows().last_mut().unwrap()["port"] = json!(port);
    world.write_rows();
    let view = world.problem("late", "port_squatter");
    assert!(view["problem"]["error_description"].as_str().unwrap().contains("`thief`"), "{view:#}");
    assert_eq!(world.processes(), thief);
    world.stop_hub();
}

/// A late bind clears the note. A respawn that binds nothing is noted again.
#[test]
fn a_late_bind_clears_the_note() {
    let world = World::new();
    let go = world.file("go");
    let slow = ["--bind-when", go.to_str().unwrap()];
    define(&world, "slow", &slow, json!({ "ready_within": "50ms" }));
    define(&world, "never", &["--never-bind"], json!({ "ready_within": "50ms" }));
    world.start_hub();
    world.problem("slow", "started_but_unbound");
    std::fs::write(&go, "").unwrap();
    world.ready("slow");
    assert_eq!(world.view("slow")["problem"], serde_json::Value::Null);
    let first = world.problem("never", "started_but_unbound");
    let pid = first["pid"].as_u64().unwrap();
    processes::kill(world.processes().iter().find(|p| u64::from(p.pid) == pid).unwrap());
    until("noted again, for another pid", || {
        Some(world.view("never"))
            .filter(|v| v["problem"]["error_type"] == "started_but_unbound" && v["pid"] != pid)
    });
    world.stop_hub();
}

/// Readiness requires that the module's own process listens.
#[test]
fn a_foreign_listener_makes_no_module_ready() {
    let world = World::new();
    let port = define(&world, "never", &["--never-bind"], json!({ "ready_within": "300ms" }));
    world.start_hub();
    eventually("it runs", || world.view("never")["pid"].is_u64());
    // Only the hub connects. When it does so again, it has decided about the previous connection.
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let judged = || {
        for _ in 0..2 {
            let _ = stranger.accept().unwrap();
        }
        world.view("never")["ready"].clone()
    };
    assert_eq!(judged(), false);
    world.problem("never", "started_but_unbound");
    assert_eq!(judged(), false);
    assert_eq!(world.view("never")["problem"]["error_type"], "started_but_unbound");
    world.stop_hub();
}

#[test]
fn a_worker_is_ready_without_a_port() {
    let world = World::new();
    define(&world, "worker", &["--never-bind"], json!({ "listen": false }));
    world.start_hub();
    world.ready("worker");
    assert_eq!(world.view("worker")["listens"], false);
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_module_that_stops_answering_is_restarted_if_it_has_a_health_check() {
    let world = World::new();
    let liveness = json!({ "liveness": { "interval": "50ms", "timeout": "200ms", "failures": 2 } });
    define(&world, "hanging", &["--hang-after", "2"], liveness.clone());
    define(&world, "failing", &["--fail-after", "2"], liveness);
    world.start_hub();
    for short in ["hanging", "failing"] {
        until("it is restarted", || world.view(short)["restarts"].as_u64().filter(|n| *n > 0));
        let failure = until("the report", || {
            let why = world.get(&format!("/api/modules/{short}/why")).unwrap().json();
            why["failure"].is_object().then_some(why["failure"].clone())
        });
        assert_eq!(failure["problem"]["error_type"], "unhealthy", "{failure:#}");
    }
    world.stop_hub();
    world.expect_no_processes();
}

/// A module that is ready on the other loopback address is checked there too.
#[test]
fn a_module_that_binds_only_the_other_loopback_address_is_checked_there() {
    let world = World::new();
    let program = fixture();
    let liveness = json!({ "interval": "20ms", "timeout": "5s", "failures": 1 });
    world.define("six", &[program.to_str().unwrap(), "server", "--six"], json!({ "liveness": liveness }));
    world.start_hub();
    let pid = world.ready("six");
    let health = until("it was asked", || Some(world.view("six")["health"].clone()).filter(|h| !h.is_null()));
    assert_eq!(health["ok"], true, "{health:#}");
    assert_eq!(world.ready("six"), pid);
    world.stop_hub();
}
