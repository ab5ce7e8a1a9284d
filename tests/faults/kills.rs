//! The hub itself is killed, or frozen for a while, at any moment.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{World, fixture};
use crate::support::{eventually, http};

/// A worker, a wrapper, a daemon, one that ignores SIGTERM, and one that crashes all the time.
fn household() -> World {
    let world = World::new();
    let program = fixture();
    let program = program.to_str().unwrap();
    let quick = || json!({ "kill_timeout": "200ms", "restart": { "max": 1_000_000, "backoff": "10ms", "cap": "50ms" } });
    world.define("plain", &[program, "server"], quick());
    world.define("wrapper", &[program, "server", "--child"], quick());
    world.define("daemon", &[program, "server", "--escape"], quick());
    world.define("deaf", &[program, "server", "--ignore-term"], quick());
    world.define("crasher", &[program, "server", "--exit-after", "150", "3"], quick());
    world
}

const STEADY: [&str; 4] = ["plain", "wrapper", "daemon", "deaf"];

/// Killed while it boots, while it starts modules, while they crash: each next hub takes over the modules of the last
/// one.
pub fn of_the_hub(scale: &Scale) {
    let (world, mut random) = (household(), scale.random("kills"));
    let watch = Watch::over(&world);
    for round in 0..scale.of(15, 500) {
        world.spawn_hub();
        std::thread::sleep(Duration::from_millis(random.below(400)));
        world.kill_hub();
        watch.one_life_a_module();
        if round % 5 == 4 {
            world.start_hub();
            STEADY.into_iter().for_each(|short| _ = world.ready(short));
            watch.holds();
            world.stop_hub();
            world.expect_no_processes();
        }
    }
    world.start_hub();
    STEADY.into_iter().for_each(|short| _ = world.ready(short));
    watch.ends();
}

/// Killed while it stops, with modules that were signalled and have not ended yet.
pub fn of_a_hub_that_stops(scale: &Scale) {
    let (world, mut random) = (household(), scale.random("stops"));
    let watch = Watch::over(&world);
    for _ in 0..scale.of(5, 200) {
        world.start_hub();
        STEADY.into_iter().for_each(|short| _ = world.ready(short));
        world.signal_hub(Signal::SIGTERM);
        std::thread::sleep(Duration::from_millis(random.below(250)));
        // It may have exited already; it is not reaped yet, so the pid is still its own.
        world.kill_hub();
        watch.one_life_a_module();
    }
    world.start_hub();
    STEADY.into_iter().for_each(|short| _ = world.ready(short));
    watch.ends();
}

/// A laptop that sleeps, a debugger, a machine that swaps: the hub is frozen for a while, and modules crash meanwhile.
pub fn frozen(scale: &Scale) {
    let world = household();
    let watch = Watch::over(&world);
    world.start_hub();
    for _ in 0..scale.of(2, 50) {
        let first = world.ready("plain");
        world.signal_hub(Signal::SIGSTOP);
        let port = world.rows()[0]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        let _ = http::tcp(port, "GET", "/crash", &[]);
        std::thread::sleep(Duration::from_millis(scale.of(1500, 20_000)));
        watch.one_life_a_module();
        world.signal_hub(Signal::SIGCONT);
        eventually("the crash is noticed", || world.ready("plain") != first);
        watch.holds();
    }
    watch.ends();
}
