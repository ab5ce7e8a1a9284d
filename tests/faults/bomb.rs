//! A module that forks hundreds of processes, which ignore SIGTERM, in their own sessions.

use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::eventually;
use crate::support::world::{World, fixture};

/// All of them belong to the module: a restart ends them all, and so does a stop.
pub fn goes_off(scale: &Scale) {
    let world = World::new();
    let depth: u32 = scale.of(6, 10);
    let all = 2_usize.pow(depth) - 1;
    let program = fixture();
    let program = program.to_str().unwrap();
    let depth = depth.to_string();
    world.define("bomb", &[program, "bomb", &depth], json!({ "listen": false, "kill_timeout": "300ms" }));
    world.define("plain", &[program, "server"], json!({}));
    let watch = Watch::over(&world);
    world.start_hub();
    let plain = world.ready("plain");
    let of_bomb = || world.processes().into_iter().filter(|p| p.module == "bomb").count();
    for _ in 0..scale.of(2, 20) {
        eventually("it went off", || of_bomb() == all);
        watch.holds();
        assert_eq!(world.op("bomb", "restart")["ok"], true, "{}", world.hub_log());
        watch.holds();
        assert!(of_bomb() <= all, "{} of at most {all}", of_bomb());
    }
    eventually("it went off", || of_bomb() == all);
    assert_eq!(world.op("bomb", "stop")["ok"], true, "{}", world.hub_log());
    assert_eq!(of_bomb(), 0, "{}", world.hub_log());
    assert_eq!(world.ready("plain"), plain, "its neighbour keeps running");
    watch.ends();
}
