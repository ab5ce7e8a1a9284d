//! A killed hub: its modules keep running, and the next hub takes over exactly those, once.

use crate::support::processes::{self, Process};
use crate::support::until;
use crate::support::world::World;

const MODULES: usize = 10;

fn modules(world: &World) {
    let supervise = || serde_json::json!({ "kill_timeout": "300ms" });
    let program = crate::support::world::fixture();
    let program = program.to_str().unwrap();
    for n in 0..MODULES {
        let mut argv = vec![program, "server"];
        match n {
            0 => argv.push("--child"),
            1 => argv.push("--escape"),
            2 => argv.push("--ignore-term"),
            _ => {}
        }
        world.define(&format!("m{n}"), &argv, supervise());
    }
}

fn all_ready(world: &World) {
    for n in 0..MODULES {
        world.ready(&format!("m{n}"));
    }
}

/// A wrapper and a daemon have two processes each, the others one. The shell that starts a daemon may still run for
/// a moment when the daemon is ready.
#[track_caller]
fn all_of_them(world: &World) -> Vec<Process> {
    until("each module has its processes and no more", || {
        Some(world.processes()).filter(|all| all.len() == MODULES + 2)
    })
}

/// Modules that have a live process.
fn alive(processes: &[Process]) -> usize {
    processes.iter().map(|p| &p.module).collect::<std::collections::BTreeSet<_>>().len()
}

/// 10 of 10 keep running, exactly 10 run under the next hub, none is left after its stop. One is a
/// wrapper, one daemonises itself, one ignores SIGTERM.
#[test]
fn a_killed_hub_leaves_ten_the_next_has_ten_and_a_stop_leaves_none() {
    let rounds: usize =
        std::env::var("PARACHUTE_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let world = World::new();
    modules(&world);
    for round in 0..rounds {
        world.start_hub();
        all_ready(&world);
        let before = all_of_them(&world);
        world.kill_hub();
        assert_eq!(alive(&world.processes()), MODULES, "round {round}");

        world.start_hub();
        all_ready(&world);
        let after = all_of_them(&world);
        assert!(after.iter().all(|p| !before.contains(p)), "round {round}: every process is a new one");

        world.stop_hub();
        let left = world.processes();
        assert!(left.is_empty(), "round {round}: {left:#?}\n{}", world.hub_log());
    }
}

/// The reader of its output is gone with the hub.
#[test]
fn a_module_that_writes_after_its_hub_was_killed_is_ended_by_sigpipe() {
    let world = World::new();
    world.module("quiet", &[]);
    world.define(
        "talker",
        &["sh", "-c", "while sleep 0.05; do echo line; done"],
        serde_json::json!({ "listen": false }),
    );
    world.start_hub();
    world.ready("quiet");
    world.ready("talker");
    world.kill_hub();
    world.gone("talker");
    assert_eq!(alive(&world.processes()), 1, "{:#?}", world.processes());
    world.start_hub();
    world.ready("talker");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn processes_without_a_row_are_ended_by_the_next_hub() {
    let world = World::new();
    world.module("stays", &[]);
    world.module("goes", &["--ignore-term"]);
    world.start_hub();
    world.ready("stays");
    world.ready("goes");
    world.kill_hub();
    world.rows().retain(|row| row["name"] == "stays");
    world.write_rows();
    world.start_hub();
    world.ready("stays");
    world.gone("goes");
    world.stop_hub();
    world.expect_no_processes();
}

/// A ledger with a pid that another process has by now.
#[test]
fn a_recycled_pid_in_the_ledger_is_left_alone() {
    let world = World::new();
    world.module("web", &[]);
    let mut innocent = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let (started, _) = until("it runs", || processes::identity(innocent.id()));
    std::fs::create_dir_all(world.home().join("run")).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let line = serde_json::json!({
        "entry": "born", "short": "web", "incarnation": "old:web:1",
        "leader": { "pid": innocent.id(), "started": started - 1, "boot": boot.trim() },
    });
    std::fs::write(world.home().join("run/ledger.jsonl"), format!("{line}\n")).unwrap();
    world.start_hub();
    world.ready("web");
    world.stop_hub();
    let lives = processes::alive(innocent.id(), started);
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    assert!(lives, "the foreign process was killed");
}
