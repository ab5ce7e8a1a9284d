//! A killed hub: its modules keep running, and the next hub adopts exactly those.

use serde_json::json;

use crate::support::processes::{self, Process};
use crate::support::world::World;
use crate::support::{eventually, until};

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

/// 10 of 10 keep running and serving, the next hub has the same processes, and none is left after its stop. One is a
/// wrapper, one daemonises itself, one ignores SIGTERM.
#[test]
fn a_killed_hub_costs_its_modules_nothing_and_a_stop_of_the_next_leaves_none() {
    let rounds: usize =
        std::env::var("PARACHUTE_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let world = World::new();
    modules(&world);
    for round in 0..rounds {
        world.start_hub();
        all_ready(&world);
        let before = all_of_them(&world);
        for _ in 0..3 {
            world.kill_hub();
            assert_eq!(alive(&world.processes()), MODULES, "round {round}");
            world.start_hub();
            all_ready(&world);
            assert_eq!(all_of_them(&world), before, "round {round}: {}", world.hub_log());
        }
        for n in 0..MODULES {
            let view = world.view(&format!("m{n}"));
            assert_eq!((&view["adopted"], &view["restarts"]), (&json!(true), &json!(0)), "{view:#}");
        }
        world.stop_hub();
        let left = world.processes();
        assert!(left.is_empty(), "round {round}: {left:#?}\n{}", world.hub_log());
    }
}

/// Its output waits in a FIFO until the next hub reads it: no line is lost, none is doubled.
#[test]
fn a_module_that_writes_while_there_is_no_hub_loses_no_line() {
    let world = World::new();
    let go = world.file("go");
    let script = format!(
        "n=0; while sleep 0.005; do n=$((n+1)); echo line $n; [ -e {} ] && echo done && exec sleep 1000; done",
        go.display()
    );
    world.define("talker", &["sh", "-c", &script], json!({ "listen": false }));
    world.start_hub();
    let pid = world.ready("talker");
    let numbers = || -> Vec<u64> {
        let said = world.run(&["logs", "talker", "-n", "100000"]).out;
        said.lines().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect()
    };
    for round in 1..=5 {
        let seen = numbers().len();
        eventually("it writes", || numbers().len() > seen + 5);
        world.kill_hub();
        std::thread::sleep(std::time::Duration::from_millis(50));
        world.start_hub();
        assert_eq!(world.ready("talker"), pid, "round {round}");
    }
    std::fs::write(&go, "").unwrap();
    eventually("it writes no more", || world.run(&["logs", "talker"]).out.contains("done\n"));
    let all = numbers();
    // A batch that a killed hub had read and not written yet is lost.
    let gaps = all.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(all.windows(2).all(|pair| pair[1] > pair[0]), "order is kept and nothing is doubled");
    assert!(gaps <= 5, "{gaps} gaps in {}", all.len());
    world.stop_hub();
    world.expect_no_processes();
}

/// What ends while there is no hub is restarted as after any crash; the kernel keeps no exit status for the next hub.
#[test]
fn a_module_that_ended_meanwhile_is_started_anew() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let first = world.ready("web");
    world.kill_hub();
    processes::kill(&world.processes()[0]);
    world.start_hub();
    assert_ne!(world.ready("web"), first);
    assert_eq!(world.view("web")["adopted"], json!(false));
    world.stop_hub();
    world.expect_no_processes();
}

/// An adopted process is not our child: its end is still noticed at once, and its exit status is known where the kernel
/// tells it.
#[test]
fn a_crash_of_an_adopted_module_is_one_like_any_other() {
    let world = World::new();
    world.module("web", &["--child"]);
    world.start_hub();
    let first = world.ready("web");
    world.kill_hub();
    world.start_hub();
    assert_eq!(world.ready("web"), first);
    processes::kill(world.processes().iter().find(|process| process.pid == first).unwrap());
    let second =
        until("it runs again", || world.view("web")["pid"].as_u64().filter(|pid| *pid != u64::from(first)));
    world.ready("web");
    let view = world.view("web");
    assert_eq!((&view["restarts"], &view["restarts_in_window"]), (&json!(1), &json!(1)), "{view:#}");
    let ended = &view["last_exit"];
    assert!(*ended == json!("unknown") || ended["signal"]["signal"] == 9, "{view:#}");
    assert!(u64::from(first) != second && world.processes().len() == 2, "{:#?}", world.processes());
    world.stop_hub();
    world.expect_no_processes();
}

/// The module is what its definition says: a changed one is started again, and the log says why.
#[test]
fn a_changed_definition_is_not_adopted() {
    let world = World::new();
    world.module("web", &[]);
    world.module("same", &[]);
    world.start_hub();
    let (web, same) = (world.ready("web"), world.ready("same"));
    world.kill_hub();
    std::fs::create_dir_all(world.home().join("web")).unwrap();
    std::fs::write(world.home().join("web/.env"), "GREETING=hello\n").unwrap();
    world.start_hub();
    assert_ne!(world.ready("web"), web);
    assert_eq!(world.ready("same"), same);
    let log = world.run(&["logs", "web"]).out;
    assert!(log.contains("it is started again: its definition changed"), "{log}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A restart that was asked for while the hub still looks replaces what it finds.
#[test]
fn an_adopted_module_can_be_stopped_and_restarted() {
    let world = World::new();
    world.module("web", &["--child"]);
    world.start_hub();
    let first = world.ready("web");
    world.kill_hub();
    world.start_hub();
    assert_eq!(world.ready("web"), first);
    assert_eq!(world.op("web", "restart")["ok"], true);
    let second = world.ready("web");
    assert_ne!(second, first);
    world.kill_hub();
    world.start_hub();
    assert_eq!(world.ready("web"), second);
    assert_eq!(world.op("web", "stop")["ok"], true);
    world.expect_no_processes();
    world.stop_hub();
}

/// Each module has a reader of its own, so that it gets neither SIGPIPE nor EPIPE. The next hub adopts it.
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
        eventually("it writes", || lines(short) > 0);
    }
    world.kill_hub();
    for short in &shorts {
        let seen = lines(short);
        eventually("it writes on", || lines(short) > seen + 10);
    }
    assert_eq!(alive(&world.processes()), shorts.len(), "{:#?}", world.processes());
    world.start_hub();
    for (short, before) in shorts.iter().zip(before) {
        assert_eq!(world.ready(short), before, "{short} is adopted");
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
    eventually("it is full", || rustix::io::ioctl_fionread(&fifo).unwrap() > holds / 2);
    assert_eq!(alive(&world.processes()), 1);
    std::fs::remove_file(&go).unwrap();
    drop(fifo);
    world.start_hub();
    assert_eq!(world.ready("web"), before);
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
