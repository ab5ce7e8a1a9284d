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

/// Each module has a reader of its own, so that it gets neither SIGPIPE nor EPIPE. The next hub ends it and starts it
/// again.
#[test]
fn a_module_writes_on_after_its_hub_was_killed() {
    let world = World::new();
    let lines = |short: &str| {
        std::fs::read_to_string(world.file(&format!("{short}.lines"))).map_or(0, |text| text.len())
    };
    let talkers = [
        ("sh", "while :; do echo line; echo line >&2; printf . >> FILE; sleep 0.02; done"),
        (
            "python3",
            "import sys, time\nwhile True:\n  print('line', flush=True); print('line', file=sys.stderr, flush=True)\n  \
             open('FILE', 'a').write('.'); time.sleep(0.02)",
        ),
        (
            "node",
            "setInterval(() => { console.log('line'); console.error('line'); \
             require('fs').appendFileSync('FILE', '.') }, 20)",
        ),
    ];
    let shorts: Vec<&str> = talkers
        .into_iter()
        .filter(|(program, _)| {
            ["/bin", "/usr/bin"].iter().any(|dir| std::path::Path::new(dir).join(program).exists())
        })
        .map(|(program, script)| {
            let file = world.file(&format!("{program}.lines"));
            let script = script.replace("FILE", file.to_str().unwrap());
            let option = if program == "node" { "-e" } else { "-c" };
            world.define(program, &[program, option, &script], serde_json::json!({ "listen": false }));
            program
        })
        .collect();
    assert!(shorts.contains(&"sh"));
    world.start_hub();
    let before: Vec<u32> = shorts.iter().map(|short| world.ready(short)).collect();
    for short in &shorts {
        crate::support::eventually("it writes", || lines(short) > 0);
    }
    world.kill_hub();
    for short in &shorts {
        let seen = lines(short);
        crate::support::eventually("it writes on", || lines(short) > seen + 10);
    }
    assert_eq!(alive(&world.processes()), shorts.len(), "{:#?}", world.processes());
    world.start_hub();
    for (short, before) in shorts.iter().zip(before) {
        assert_ne!(world.ready(short), before, "{short} is started again");
    }
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_module_that_fills_its_fifo_waits_for_the_next_hub() {
    let world = World::new();
    let (go, file) = (world.file("go"), world.home().join("run/log/web.out"));
    let script = format!("while [ ! -e {} ]; do sleep 0.01; done; exec yes", go.display());
    world.define("web", &["sh", "-c", &script], serde_json::json!({ "listen": false }));
    world.start_hub();
    let before = world.ready("web");
    world.kill_hub();
    std::fs::write(&go, "").unwrap();
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let fifo = rustix::fs::open(&file, flags, rustix::fs::Mode::empty()).unwrap();
    let holds = rustix::pipe::fcntl_getpipe_size(&fifo).unwrap() as u64;
    // `yes` writes some KiB at once: the last one does not fit.
    crate::support::eventually("it is full", || rustix::io::ioctl_fionread(&fifo).unwrap() > holds / 2);
    assert_eq!(alive(&world.processes()), 1);
    std::fs::remove_file(&go).unwrap();
    drop(fifo);
    world.start_hub();
    assert_ne!(world.ready("web"), before);
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
