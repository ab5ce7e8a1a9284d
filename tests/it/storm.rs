//! Many clients send requests at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::http;
use crate::support::world::{World, fixture};

/// A thousand calls, then at most one group per module, then none.
#[test]
fn a_thousand_concurrent_calls_leave_at_most_one_run_per_module() {
    let world = World::new();
    let program = fixture();
    let program = program.to_str().unwrap();
    let supervise = || serde_json::json!({ "kill_timeout": "200ms" });
    world.define("plain", &[program, "server"], supervise());
    world.define("stubborn", &[program, "server", "--ignore-term"], supervise());
    world.define("wrapper", &[program, "server", "--child"], supervise());
    world.start_hub();
    let socket = world.socket();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let socket = &socket;
            scope.spawn(move || {
                let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(thread + 1);
                for _ in 0..125 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let module = ["plain", "stubborn", "wrapper"][(random % 3) as usize];
                    let op = ["start", "stop", "restart"][(random / 3 % 3) as usize];
                    let target = format!("/api/modules/{module}/{op}");
                    let answer =
                        http::socket(socket, "POST", &target, &[("host", "hub")]).expect("an answer");
                    assert!([200, 409].contains(&answer.status), "{answer:?}");
                }
            });
        }
    });
    let mut groups: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for process in world.processes() {
        groups.entry(process.module).or_default().insert(process.group);
    }
    assert!(groups.values().all(|groups| groups.len() <= 1), "{groups:?}");
    for module in ["plain", "stubborn", "wrapper"] {
        assert_eq!(world.op(module, "stop")["ok"], true);
    }
    world.expect_no_processes();
    world.stop_hub();
}

#[test]
fn concurrent_restarts_end_with_one_run() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    let socket = world.socket();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let socket = &socket;
            scope.spawn(move || {
                let answer =
                    http::socket(socket, "POST", "/api/modules/web/restart", &[("host", "hub")]).unwrap();
                assert_eq!(answer.json()["ok"], true, "{answer:?}");
            });
        }
    });
    assert_eq!(world.processes().len(), 1);
    world.stop_hub();
    world.expect_no_processes();
}
