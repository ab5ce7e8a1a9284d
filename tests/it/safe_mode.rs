//! A manager restarts a hub that crashed at once, so the hub itself has a limit: after five crashes within five minutes it
//! starts no module, and the seventh of a row waits before it goes on.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::world::World;
use crate::support::{eventually, processes};

const LAUNCHD: (&str, &str) = ("XPC_SERVICE_NAME", "computer.parachute.hub");
const SYSTEMD: (&str, &str) = ("NOTIFY_SOCKET", "/nothing/listens/here");

/// A hub as launchd starts it.
fn start(world: &World) {
    start_under(world, LAUNCHD);
}

fn start_under(world: &World, (name, value): (&str, &str)) {
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env(name, value);
    world.spawn(hub);
    world.hub_answers();
}

fn die_five_times(world: &World) {
    for _ in 0..5 {
        start(world);
        assert_eq!(world.get("/health").unwrap().json()["status"], "ok");
        world.kill_hub();
    }
}

#[test]
fn five_crashes_lead_to_it_and_each_verb_reports_it() {
    let world = World::new();
    world.module("web", &[]);
    world.module("api", &[]);
    start(&world);
    let web = world.ready("web");
    world.kill_hub();
    // Of the two only this one is there to be kept.
    processes::kill(world.processes().iter().find(|process| process.module == "api").unwrap());
    world.gone("api");
    for _ in 0..4 {
        start(&world);
        world.kill_hub();
    }
    start(&world);
    let health = world.get("/health").unwrap();
    let said =
        "safe mode: the hub died 5 times within 5 min; it starts nothing new; what runs is left running";
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")), "{health:?}");
    assert_eq!(health.json()["problems"], json!([said]));
    assert_eq!(world.ready("web"), web, "what runs is kept");
    eventually("nothing is started", || world.view("api")["state"] == "stopped");
    let ready = world.get("/api/ready").unwrap().json();
    assert_eq!((&ready["ready"], &ready["persistent_modules"]), (&json!(false), &json!(["api"])), "{ready}");
    let status = world.run(&["status"]).code(1);
    assert!(status.out.contains(&format!("problem: {said}")), "{}", status.out);
    assert!(status.out.contains("hint: parachute start --all"), "{}", status.out);
    eventually("the hub's log says it", || world.run(&["logs", "hub"]).code(0).out.contains(said));

    // A row that appears stays off too.
    world.module("late", &[]);
    assert_eq!(world.post("/api/reload").unwrap().status, 200);
    eventually("it is looked for, and not started", || world.view("late")["state"] == "stopped");

    let started = world.run(&["start", "--all"]).code(0);
    assert!(started.out.contains("web"), "{}", started.out);
    for short in ["web", "api", "late"] {
        world.ready(short);
    }
    assert_eq!(world.get("/health").unwrap().json()["status"], "ok");
    let _ = world.run(&["status"]).code(0);
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn starting_one_module_ends_it_and_resets_the_count() {
    let world = World::new();
    world.module("web", &[]);
    world.module("api", &[]);
    die_five_times(&world);
    start(&world);
    assert_eq!(world.op("web", "restart")["ok"], true);
    assert_eq!(world.get("/health").unwrap().json()["status"], "ok");
    assert_eq!(world.view("api")["state"], "stopped", "modules that are off stay off until they are started");
    // One more crash is the first of a new count.
    world.kill_hub();
    start(&world);
    world.ready("api");
    world.ready("web");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn it_stays_while_the_hub_keeps_crashing_and_an_ordered_stop_ends_it() {
    let world = World::new();
    world.module("web", &[]);
    die_five_times(&world);
    for _ in 0..2 {
        start(&world);
        assert_eq!(world.get("/health").unwrap().json()["status"], "degraded");
        world.kill_hub();
    }
    start(&world);
    let status = world.run(&["status"]).code(1).out;
    assert!(status.contains("note: waiting 2 s before it goes on: the hub died 7 times"), "{status}");
    world.stop_hub();
    start(&world);
    world.ready("web");
    world.stop_hub();
}

#[test]
fn under_every_manager_and_never_in_a_terminal() {
    let world = World::new();
    world.module("web", &[]);
    die_five_times(&world);
    start_under(&world, SYSTEMD);
    assert_eq!(world.get("/health").unwrap().json()["status"], "degraded");
    world.kill_hub();
    // A user in a terminal sees what happens.
    world.start_hub();
    world.ready("web");
    assert_eq!(world.get("/health").unwrap().json()["status"], "ok");
    world.signal_hub(Signal::SIGINT);
    assert!(world.hub_ends().success());
    world.expect_no_processes();
}

#[test]
fn an_unreadable_record_counts_as_empty() {
    let world = World::new();
    world.module("web", &[]);
    std::fs::create_dir_all(world.home().join("run")).unwrap();
    for text in ["", "{", "[]", "{\"deaths\":7}"] {
        std::fs::write(world.home().join("run/boots.json"), text).unwrap();
        start(&world);
        world.ready("web");
        world.stop_hub();
    }
    let kept: serde_json::Value = serde_json::from_str(&world.read("run/boots.json")).unwrap();
    assert_eq!(kept, json!({ "deaths": [], "life": null }));
}
