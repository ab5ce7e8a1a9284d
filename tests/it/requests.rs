//! Requests that arrive during other operations.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::http;
use crate::support::processes::{self, Process};
use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

fn define(world: &World, short: &str, extra: &[&str], supervise: serde_json::Value) -> u16 {
    let program = fixture();
    let argv: Vec<&str> = [program.to_str().unwrap(), "server"].iter().chain(extra).copied().collect();
    world.define(short, &argv, supervise)
}

/// Sends a request from a separate thread; joining it gives the response.
fn later(world: &World, short: &str, op: &str) -> std::thread::JoinHandle<http::Answer> {
    let (socket, target) = (world.socket(), format!("/api/modules/{short}/{op}"));
    std::thread::spawn(move || http::socket(&socket, "POST", &target, &[("host", "hub")]).unwrap())
}

/// Asserts that the processes of a home's only module belong to at most one run; returns them.
#[track_caller]
fn expect_one_life(home: &Path) -> Vec<Process> {
    let living = processes::together(home);
    let groups: BTreeSet<u32> = living.iter().map(|p| p.group).collect();
    assert!(groups.len() <= 1, "two runs at once: {living:#?}");
    living
}

fn detail(world: &World, short: &str) -> String {
    world.view(short)["detail"].as_str().unwrap_or_default().to_owned()
}

/// The old run ends first, the last request wins, and the superseded caller is told.
#[test]
fn a_start_during_a_slow_stop_waits_and_wins() {
    let world = World::new();
    let go = world.file("go");
    let deaf = ["--ignore-term", "--exit-when", go.to_str().unwrap()];
    define(&world, "deaf", &deaf, json!({ "kill_timeout": "10m" }));
    world.start_hub();
    let first = world.ready("deaf");
    let stop = later(&world, "deaf", "stop");
    eventually("the stop is under way", || detail(&world, "deaf") == "stopping");
    let start = later(&world, "deaf", "start");
    let stop = stop.join().unwrap();
    assert_eq!((stop.status, stop.json()["error"].as_str()), (409, Some("superseded")), "{stop:?}");
    assert_eq!(world.processes().iter().map(|p| p.pid).collect::<Vec<_>>(), [first], "it waits");
    std::fs::write(&go, "").unwrap();
    let start = start.join().unwrap().json();
    assert_eq!(start["ok"], true, "{start:#}");
    assert_eq!(start["state"]["status"], "running");
    let second = world.ready("deaf");
    assert_ne!(first, second);
    assert_eq!(world.processes().iter().map(|p| p.pid).collect::<Vec<_>>(), [second]);
    world.signal_hub(Signal::SIGTERM);
    eventually("the hub stops", || detail(&world, "deaf") == "stopping");
    std::fs::write(&go, "").unwrap();
    assert_eq!(world.hub_ends().code(), Some(0), "{}", world.hub_log());
    world.expect_no_processes();
}

#[test]
fn a_stop_while_a_restart_waits_for_readiness_wins() {
    let world = World::new();
    define(&world, "never", &["--never-bind"], json!({ "ready_within": "10m" }));
    world.start_hub();
    let first = until("it runs", || world.view("never")["pid"].as_u64());
    let restart = later(&world, "never", "restart");
    until("a second life waits", || world.view("never")["pid"].as_u64().filter(|pid| *pid != first));
    let stop = world.op("never", "stop");
    assert_eq!((&stop["ok"], &stop["stopped"]), (&json!(true), &json!(true)), "{stop:#}");
    world.expect_no_processes();
    let restart = restart.join().unwrap();
    assert_eq!((restart.status, restart.json()["error"].as_str()), (409, Some("superseded")), "{restart:?}");
    world.stop_hub();
}

/// A pause between two runs does not swallow requests.
#[test]
fn start_and_stop_during_a_backoff_take_effect_at_once() {
    let world = World::new();
    let slow = json!({ "restart": { "max": 100, "backoff": "1h", "cap": "1h" } });
    let port = define(&world, "web", &[], slow);
    world.start_hub();
    let crash_into_backoff = || {
        let crash = || http::tcp(port, "GET", "/crash", &[]);
        // After the first crash it restarts at once, after the second with a pause of an hour.
        until("it backs off", || {
            let view = world.view("web");
            if view["ready"] == true {
                crash();
            }
            view["detail"].as_str()?.starts_with("next try in").then_some(())
        });
    };
    crash_into_backoff();
    assert_eq!(world.view("web")["state"], "restarting");
    world.expect_no_processes();
    let start = world.op("web", "start");
    assert_eq!((&start["ok"], &start["state"]["restartsInWindow"]), (&json!(true), &json!(0)), "{start:#}");
    crash_into_backoff();
    let restart = world.op("web", "restart");
    assert_eq!(restart["ok"], true, "{restart:#}");
    crash_into_backoff();
    let stop = world.op("web", "stop");
    assert_eq!(stop["ok"], true, "{stop:#}");
    assert_eq!(world.view("web")["state"], "stopped");
    world.stop_hub();
    world.expect_no_processes();
}

/// The row is removed and added again before the old run has ended: never two runs, and the new one is logged.
#[test]
fn a_row_that_comes_back_before_its_old_run_ended_gets_one_new_run() {
    let world = World::new();
    define(&world, "web", &["--ignore-term"], json!({ "kill_timeout": "600ms" }));
    world.start_hub();
    let first = world.ready("web");
    let rows = world.rows().clone();
    world.rows().retain(|row| row["name"] != "web");
    world.write_rows();
    world.post("/api/reload").unwrap();
    assert_eq!(world.view("web"), serde_json::Value::Null);
    *world.rows() = rows;
    world.write_rows();
    world.post("/api/reload").unwrap();
    let second = until("a second life", || {
        expect_one_life(&world.home());
        Some(world.view("web")).filter(|v| v["ready"] == true)?["pid"].as_u64()
    });
    assert_ne!(u64::from(first), second);
    until("its lines are heard", || {
        let logs = world.get("/api/modules/web/logs").unwrap().json();
        // Its first line may be read before the supervisor's own line about it.
        let (_, after) = logs["text"].as_str().unwrap().split_once("stopped: was killed by SIGKILL")?;
        (after.contains(&format!("started, pid {second}")) && after.contains("listening on")).then_some(())
    });
    world.stop_hub();
    world.expect_no_processes();
}

/// The hub stops while it is still ending a module whose row was removed: that has its own grace period, and is
/// reported
#[test]
fn a_stop_of_the_hub_waits_for_modules_whose_row_was_removed() {
    let world = World::new();
    let told = world.file("told");
    let go = world.file("go");
    let script = format!(
        "trap 'echo TERM >> {0}' TERM; echo up > {0}; until [ -e {1} ]; do sleep 0.02; done",
        told.display(),
        go.display()
    );
    let slow = json!({ "listen": false, "kill_timeout": "10m" });
    world.define("goes", &["sh", "-c", &script], slow);
    world.start_hub();
    let said = |text: &str| std::fs::read_to_string(&told).is_ok_and(|all| all == text);
    eventually("it runs", || said("up\n"));
    world.rows().clear();
    world.write_rows();
    world.post("/api/reload").unwrap();
    eventually("it is being ended", || said("up\nTERM\n"));
    world.signal_hub(Signal::SIGTERM);
    eventually("the hub stops", || world.hub_log().contains("stopping: SIGTERM"));
    // Only a hub that waits for its modules handles this signal.
    world.signal_hub(Signal::SIGTERM);
    eventually("the hub waits", || world.hub_log().contains("already stopping"));
    assert!(!world.processes().is_empty());
    std::fs::write(&go, "").unwrap();
    assert_eq!(world.hub_ends().code(), Some(0), "{}", world.hub_log());
    world.expect_no_processes();
    assert!(said("up\nTERM\n"), "{}", std::fs::read_to_string(&told).unwrap());
    assert!(!world.hub_log().contains("left by goes"), "{}", world.hub_log());
}

/// No client waits for a response, many have requests, and the hub is told to stop.
#[test]
fn a_stop_of_the_hub_during_requests_leaves_nothing() {
    let world = World::new();
    for short in ["one", "two", "three"] {
        define(&world, short, &["--child"], json!({ "kill_timeout": "300ms" }));
    }
    world.start_hub();
    let socket = world.socket();
    std::thread::scope(|scope| {
        for op in ["start", "stop", "restart", "restart"] {
            for short in ["one", "two", "three"] {
                let socket = &socket;
                scope.spawn(move || {
                    let target = format!("/api/modules/{short}/{op}");
                    // Until no response comes any more: the hub has exited.
                    while http::socket(socket, "POST", &target, &[("host", "hub")]).is_some() {}
                });
            }
        }
        eventually("a second life of each", || {
            ["one", "two", "three"].iter().all(|short| {
                world.read_or_empty(format!("{short}/logs/{short}.log")).matches("started, pid").count() > 2
            })
        });
        world.stop_hub();
    });
    world.expect_no_processes();
}

/// A panic of an actor would be a hanging response: every request gets one. Whether the leader or all are killed,
/// the next run waits for the last process of the previous one.
#[test]
fn kills_from_outside_during_restarts_end_with_one_run() {
    let world = World::new();
    define(
        &world,
        "web",
        &["--child"],
        json!({ "restart": { "max": 1000, "backoff": "1ms", "cap": "5ms" } }),
    );
    world.start_hub();
    world.ready("web");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (home, over) = (world.home(), &done);
        scope.spawn(move || {
            for only_leaders in [true, false].into_iter().cycle() {
                let living = expect_one_life(&home);
                let hit = living.iter().filter(|p| !only_leaders || p.pid == p.group);
                hit.for_each(processes::kill);
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..20 {
            world.op("web", "restart");
        }
        done.store(true, Ordering::Relaxed);
    });
    // The hub may not know of the last kill when the view is taken: a view may be outdated.
    eventually("what is shown is what lives", || {
        let (view, living) = (world.view("web"), expect_one_life(&world.home()));
        view["ready"] == true && view["pid"].as_u64() == living.first().map(|p| u64::from(p.group))
    });
    world.stop_hub();
    world.expect_no_processes();
}
