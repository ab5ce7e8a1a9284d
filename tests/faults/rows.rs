//! `services.json` in every possible state, and with many writers at once.

use std::fs::File;
use std::io::Write;

use serde_json::{Value, json};

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::eventually;
use crate::support::world::World;

/// The one state that is no damage.
const NO_ROWS: &str = "rows that are none";

/// Running modules keep running, whatever the file contains, and the file is not touched; once it is valid again, all
/// is ok.
pub fn every_state(scale: &Scale) {
    let world = World::new();
    world.module("plain", &[]);
    world.module("wrapper", &["--child"]);
    let watch = Watch::over(&world);
    let good = world.read("services.json").into_bytes();
    world.start_hub();
    let mut pids = [world.ready("plain"), world.ready("wrapper")];
    let large = scale.of(20_000_000, 200_000_000);
    let states: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("NULs, as after a power cut", vec![0; good.len()]),
        ("half of it NULs", [&good[..good.len() / 2], &vec![0; good.len() / 2]].concat()),
        ("no UTF-8", [&good[..], &[0xff, 0xfe]].concat()),
        ("another document", b"[1, 2, 3]".to_vec()),
        (NO_ROWS, br#"{"services": [null, 7, "x", {}, []]}"#.to_vec()),
        ("deep", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("larger than anything", [&good[..], &vec![b' '; large]].concat()),
    ];
    for (what, bytes) in &states {
        let told = world.hub_log().len();
        put(&world, bytes);
        is_told(&world, told, what);
        watch.holds();
        let _ = world.run(&["status"]);
        assert_eq!(
            std::fs::read(world.home().join("services.json")).unwrap(),
            *bytes,
            "{what}: it was touched"
        );
        if *what == NO_ROWS {
            // A valid file without these modules: they are stopped, and start again with their rows.
            eventually("they are gone", || neither_runs(&world));
            put_back(&world, &good);
            pids = [world.ready("plain"), world.ready("wrapper")];
            continue;
        }
        assert_eq!([pid(&world, "plain"), pid(&world, "wrapper")], pids.map(Some), "{what}");
        put_back(&world, &good);
        eventually("it is well again", || {
            world.view("plain")["ready"] == true && world.view("wrapper")["ready"] == true
        });
    }
    let told = world.hub_log().len();
    std::fs::remove_file(world.home().join("services.json")).unwrap();
    is_told(&world, told, "not there");
    watch.holds();
    assert_eq!([pid(&world, "plain"), pid(&world, "wrapper")], pids.map(Some), "the file is missing");
    put_back(&world, &good);
    watch.ends();
}

fn health(world: &World) -> Value {
    world.get("/health").map_or(Value::Null, |answer| answer.json())
}

/// Waits until the hub has read the current file: `status` and the log, after its first `told` bytes, report what is
/// wrong. A half-written file is reported too, but with another message.
fn is_told(world: &World, told: usize, what: &str) {
    eventually(&format!("{what}: the hub has seen it"), || {
        let health = health(world);
        let problems = health["problems"].as_array().cloned().unwrap_or_default();
        let log = world.hub_log();
        let said =
            |problem: &Value| log.get(told..).is_some_and(|log| log.contains(problem.as_str().unwrap()));
        health["status"] == "degraded" && !problems.is_empty() && problems.iter().all(said)
    });
}

/// Writes the valid file, and waits until the hub has read it.
fn put_back(world: &World, good: &[u8]) {
    let seen = || world.hub_log().matches("services.json changed").count();
    let before = seen();
    put(world, good);
    eventually("the hub sees that it is whole", || health(world)["status"] == "ok" && seen() > before);
}

/// Neither of the modules runs.
fn neither_runs(world: &World) -> bool {
    [pid(world, "plain"), pid(world, "wrapper")] == [None, None]
}

fn pid(world: &World, short: &str) -> Option<u32> {
    world.view(short)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
}

/// In place, like an editor that does not rename: half-written files are seen.
fn put(world: &World, bytes: &[u8]) {
    let mut file = File::create(world.home().join("services.json")).unwrap();
    for piece in bytes.chunks(1 << 20) {
        file.write_all(piece).unwrap();
    }
}

/// Several users add a module each, at once: all of them exist afterwards, and are removed again.
pub fn many_writers(scale: &Scale) {
    let world = World::new();
    world.module("plain", &[]);
    let watch = Watch::over(&world);
    world.start_hub();
    let many: usize = scale.of(20, 100);
    let at_once = |verb: &dyn Fn(&str) -> Vec<String>| {
        let commands: Vec<_> = (0..many)
            .map(|n| {
                let args = verb(&format!("own-{n}"));
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let mut command = world.parachute(&args);
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for command in commands {
            let output = command.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    let words = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    at_once(&|name| words(&["add", name, "--no-listen", "--", "sleep", "1000"]));
    let text: Value = serde_json::from_str(&world.read("services.json")).unwrap();
    assert_eq!(text["services"].as_array().unwrap().len(), many + 1);
    eventually("each is started", || world.processes().len() == many + 1);
    watch.holds();
    at_once(&|name| words(&["remove", name, "--purge", "--yes"]));
    eventually("each is gone", || world.processes().len() == 1);
    watch.ends();
}

/// Another program's installer replaces the file again and again, by rename, while users add modules: a half-written
/// file is never used, and the modules in the final file are those that run.
pub fn adders_and_replacers(scale: &Scale) {
    let world = World::new();
    world.module("plain", &[]);
    let watch = Watch::over(&world);
    world.start_hub();
    let first = world.ready("plain");
    let rows = world.rows().clone();
    let text = json!({ "services": rows }).to_string();
    for n in 0..scale.of(30, 3000) {
        world.write_services(&text);
        if n % 5 == 0 {
            let _ = world.run(&["add", "more", "--no-listen", "--", "sleep", "1000"]);
            let _ = world.run(&["remove", "more", "--purge", "--yes"]);
        }
        watch.one_life_a_module();
    }
    world.write_services(&text);
    eventually("what was added is gone", || world.processes().iter().all(|p| p.module == "plain"));
    assert_eq!(world.ready("plain"), first, "a module with an unchanged row was not touched");
    let _ = std::fs::remove_dir_all(world.home().join("more"));
    watch.ends();
}
