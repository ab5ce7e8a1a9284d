//! The processes that a stop ends: all of the module's, and no others.

use nix::sys::signal::Signal;

use crate::support::world::{World, fixture};
use crate::support::{eventually, until};

#[test]
#[cfg(target_os = "linux")]
fn each_module_is_a_child_of_the_hub_in_a_process_group_of_its_own() {
    let world = World::new();
    world.module("one", &[]);
    world.module("two", &[]);
    world.start_hub();
    for short in ["one", "two"] {
        let pid = world.ready(short);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // State, parent, process group: proc_pid_stat(5).
        let fields: Vec<u32> = stat
            .rsplit(") ")
            .next()
            .unwrap()
            .split(' ')
            .skip(1)
            .take(2)
            .map(|n| n.parse().unwrap())
            .collect();
        assert_eq!(fields, [world.hub_pid(), pid], "{short}: {stat}");
    }
    world.stop_hub();
}

#[test]
fn a_stop_leaves_the_processes_of_other_modules_alone() {
    let world = World::new();
    for short in ["one", "two", "three"] {
        world.module(short, &["--child"]);
    }
    world.start_hub();
    for short in ["one", "two", "three"] {
        world.ready(short);
    }
    let others = || world.processes().into_iter().filter(|p| p.module != "one").collect::<Vec<_>>();
    let before = others();
    assert_eq!(before.len(), 4, "two wrappers and their children");
    assert_eq!(world.op("one", "stop")["ok"], true);
    world.gone("one");
    assert_eq!(others(), before);
    assert_eq!(world.op("two", "restart")["ok"], true);
    let third = |processes: Vec<_>| {
        processes
            .into_iter()
            .filter(|p: &crate::support::processes::Process| p.module == "three")
            .collect::<Vec<_>>()
    };
    assert_eq!(third(others()), third(before));
    world.stop_hub();
    world.expect_no_processes();
}

/// In any group or session, with any signal mask, the process ends, and the port is free.
#[test]
fn a_stop_ends_wrappers_daemons_and_processes_that_ignore_sigterm() {
    let world = World::new();
    let program = fixture();
    let program = program.to_str().unwrap();
    let quick = || serde_json::json!({ "kill_timeout": "200ms" });
    let wrapper = format!("{program} server & wait");
    let ports = [
        world.define("wrapper", &["sh", "-c", &wrapper], quick()),
        world.define("deaf", &[program, "server", "--child", "--ignore-term"], quick()),
        world.define("daemon", &[program, "server", "--escape"], quick()),
        world.define("deafdaemon", &[program, "server", "--escape", "--ignore-term"], quick()),
    ];
    let modules = ["wrapper", "deaf", "daemon", "deafdaemon"];
    world.start_hub();
    for short in modules {
        eventually("both processes run", || {
            world.processes().iter().filter(|p| p.module == short).count() == 2
        });
    }
    eventually("all listen", || {
        ports.iter().all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
    });
    for (short, port) in modules.into_iter().zip(ports) {
        let reply = world.op(short, "stop");
        assert_eq!(reply["ok"], true, "{reply:#}");
        let left: Vec<_> = world.processes().into_iter().filter(|p| p.module == short).collect();
        assert!(left.is_empty(), "{left:#?}");
        std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
    world.stop_hub();
}

/// The wrapper's leader is killed; its child must not keep the port from the next run.
#[test]
fn a_crashed_wrappers_child_is_ended_before_the_next_run() {
    let world = World::new();
    let wrapper = format!("{} server & wait", fixture().display());
    world.command("wrapper", &["sh", "-c", &wrapper]);
    world.start_hub();
    let leader = world.ready("wrapper");
    let before = world.processes();
    crate::support::processes::kill(before.iter().find(|p| p.pid == leader).unwrap());
    let after = until("a new life", || {
        world.ready("wrapper");
        Some(world.processes()).filter(|now| now.len() == 2 && now.iter().all(|p| !before.contains(p)))
    });
    assert_eq!(after[0].group, after[1].group);
    world.stop_hub();
    world.expect_no_processes();
}

/// Each is killed, once.
#[test]
fn processes_that_ignore_sigterm_are_killed_once_each() {
    let world = World::new();
    let program = fixture();
    for n in 0..5 {
        let argv = [program.to_str().unwrap(), "server", "--ignore-term"];
        world.define(&format!("deaf{n}"), &argv, serde_json::json!({ "kill_timeout": "700ms" }));
    }
    world.start_hub();
    for n in 0..5 {
        world.ready(&format!("deaf{n}"));
    }
    world.stop_hub();
    world.expect_no_processes();
    let log = world.hub_log();
    assert_eq!(log.matches("sending SIGKILL").count(), 5, "{log}");
    assert_eq!(log.matches("stopped: was killed by SIGKILL").count(), 5, "{log}");
}

/// One slow module does not delay the others: all get SIGTERM before one has ended.
#[test]
fn all_get_sigterm_before_any_has_ended() {
    let world = World::new();
    let (go, told) = (world.file("go"), |n: usize| world.file(&format!("told{n}")));
    for n in 0..5 {
        let script = format!(
            "trap 'echo TERM >> {0}' TERM; echo up > {0}; until [ -e {1} ]; do sleep 0.02; done",
            told(n).display(),
            go.display()
        );
        let patient = serde_json::json!({ "listen": false, "kill_timeout": "10m" });
        world.define(&format!("slow{n}"), &["sh", "-c", &script], patient);
    }
    let said = |text: &str| {
        (0..5).filter(|n| std::fs::read_to_string(told(*n)).is_ok_and(|all| all == text)).count()
    };
    world.start_hub();
    eventually("all run", || said("up\n") == 5);
    world.signal_hub(Signal::SIGTERM);
    eventually("all are told", || said("up\nTERM\n") == 5);
    std::fs::write(&go, "").unwrap();
    assert_eq!(world.hub_ends().code(), Some(0), "{}", world.hub_log());
    world.expect_no_processes();
    assert_eq!(said("up\nTERM\n"), 5, "each gets it once");
}
