//! The wall clock jumps, for the hub alone: `clock.c` wraps the C library's clock.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{World, fixture};
use crate::support::{eventually, http};

/// Seconds: a day, a suspended year, a dead battery.
const JUMPS: [i64; 6] = [86_400, -86_400, 400_000_000, -1_700_000_000, 3600, 0];

/// Crashes are counted, delayed and reported as before, whatever the wall clock shows.
pub fn jumps(_: &Scale) {
    let world = World::new();
    let program = fixture();
    let patient = json!({ "restart": { "max": 1000, "backoff": "10ms", "cap": "50ms" } });
    let port = world.define("plain", &[program.to_str().unwrap(), "server"], patient);
    let Some(library) = library(&world) else {
        eprintln!("skipped: no clock to bend here (needs Linux, glibc and cc)");
        return;
    };
    let offset = world.file("offset");
    std::fs::write(&offset, 0_i64.to_ne_bytes()).unwrap();
    let bend = std::fs::File::options().write(true).open(&offset).unwrap();
    let watch = Watch::over(&world);
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env("LD_PRELOAD", &library).env("CLOCK_OFFSET", &offset);
    world.spawn(hub);
    world.hub_answers();
    let mut pid = world.ready("plain");
    for (n, jump) in JUMPS.into_iter().enumerate() {
        bend.write_all_at(&jump.to_ne_bytes(), 0).unwrap();
        let _ = http::tcp(port, "GET", "/crash", &[]);
        eventually("it is respawned", || world.view("plain")["restarts"] == n + 1);
        let next = world.ready("plain");
        assert_ne!(next, pid);
        pid = next;
        let uptime = world.view("plain")["uptime_ms"].as_u64();
        assert!(uptime.is_some_and(|uptime| uptime < 3_600_000), "{uptime:?}");
        for verb in [&["status"][..], &["why", "plain"], &["logs", "plain", "--since", "1h"]] {
            let said = world.run(verb);
            assert!([0, 1].contains(&said.code), "{verb:?}: {said:?}");
        }
        watch.holds();
    }
    let log = world.read("plain/logs/plain.log");
    let days: BTreeSet<&str> = log.lines().filter_map(|line| line.get(..10)).collect();
    assert!(days.len() >= 4, "the clock did jump: {days:?}");
    watch.ends();
}

/// The library that shifts the clock; `None` where it cannot be built.
fn library(world: &World) -> Option<PathBuf> {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) {
        return None;
    }
    let library = world.file("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/clock.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O", "-o"]).arg(&library).arg(source).status();
    built.is_ok_and(|status| status.success()).then_some(library)
}
