//! A hub without free descriptors: files that it cannot open count neither as gone nor as foreign, and its modules
//! keep running.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::world::World;
use crate::support::{eventually, processes, until};

/// Few enough to be used up by idle connections, enough for a hub of two modules.
const FEW: usize = 64;

/// A hub started by a shell that first sets a limit.
fn start_limited(world: &World, limit: &str) {
    let port = world.port().to_string();
    let hub = world.parachute(&["serve", "--port", &port]);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{limit} && exec \"$0\" \"$@\"")).arg(hub.get_program()).args(hub.get_args());
    shell.env_clear().envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))));
    shell.current_dir(hub.get_current_dir().unwrap()).stdin(Stdio::null());
    world.spawn(shell);
    world.hub_answers();
}

/// Idle connections, more than the hub has descriptors for: each freed descriptor is taken by the next one.
#[track_caller]
fn pressure(world: &World) -> Vec<TcpStream> {
    let idle = (0..2 * FEW).map(|_| TcpStream::connect(("127.0.0.1", world.port())).unwrap()).collect();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", world.hub_pid())).unwrap().count();
    eventually("every descriptor is in use", || open() >= FEW);
    idle
}

#[test]
fn no_data_is_lost_while_the_hub_is_out_of_descriptors() {
    let world = World::new();
    world.module("steady", &[]);
    world.module("wrapper", &["--child"]);
    start_limited(&world, &format!("ulimit -n {FEW}"));
    let (steady, wrapper) = (world.ready("steady"), world.ready("wrapper"));
    let of_wrapper = || world.processes().into_iter().filter(|p| p.module == "wrapper").collect::<Vec<_>>();
    let before = of_wrapper();
    assert_eq!(before.len(), 2, "{before:#?}");

    let idle = pressure(&world);
    kill(Pid::from_raw(i32::try_from(wrapper).unwrap()), Signal::SIGKILL).unwrap();
    eventually("the crash is noticed", || world.hub_log().contains("was killed by SIGKILL"));
    drop(idle);

    world.hub_answers();
    let again = world.ready("wrapper");
    assert_ne!(again, wrapper);
    let after = of_wrapper();
    assert!(after.len() == 2 && after.iter().all(|p| p.group == again), "{after:#?}");
    assert!(
        before.iter().all(|p| !processes::alive(p.pid, p.started)),
        "its first life is over: {before:#?}"
    );
    assert_eq!(world.ready("steady"), steady, "a module that did not crash was not touched");
    let log = world.hub_log();
    assert!(!log.contains("survive SIGKILL") && !log.contains("left alone"), "{log}");

    let idle = pressure(&world);
    let last = world.processes();
    world.signal_hub(Signal::SIGTERM);
    eventually("they are told to end, without a descriptor to look with", || {
        last.iter().filter(|p| p.pid == steady || p.pid == again).all(|p| !processes::alive(p.pid, p.started))
    });
    drop(idle);
    assert_eq!(world.hub_ends().code(), Some(0), "{}", world.hub_log());
    world.expect_no_processes();
}

#[test]
fn modules_get_the_descriptor_limit_of_the_hubs_start() {
    let world = World::new();
    let said = world.file("limits");
    let script = format!(
        "echo $(ulimit -Sn) $(ulimit -Hn) > {0}.new; mv {0}.new {0}; exec sleep 1000",
        said.display()
    );
    world.define("worker", &["sh", "-c", &script], serde_json::json!({ "listen": false }));
    start_limited(&world, "ulimit -Sn 256 && ulimit -Hn 2048");
    let limits = until("the module says its limits", || std::fs::read_to_string(&said).ok());
    assert_eq!(limits, "256 2048\n");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", world.hub_pid())).unwrap();
    let own = own.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = own.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((257..=2048).contains(&soft), "the hub has raised its own: {own}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A shell that starts the hub may have files and sockets open without the close-on-exec flag.
#[test]
fn what_the_hub_inherited_does_not_reach_its_modules() {
    let world = World::new();
    let (said, secret) = (world.file("open"), world.file("secret"));
    let script = format!("ls -l /proc/self/fd > {}; exec sleep 1000", said.display());
    world.define("looks", &["sh", "-c", &script], serde_json::json!({ "listen": false }));
    start_limited(&world, &format!("exec 8>{0} 9>{0}", secret.display()));
    world.ready("looks");
    let hub = std::fs::read_link(format!("/proc/{}/fd/9", world.hub_pid())).unwrap();
    assert_eq!(hub, secret, "the hub has it");
    let open = std::fs::read_to_string(&said).unwrap();
    assert!(open.contains("run/log/looks.err") && !open.contains("secret"), "{open}");
    world.stop_hub();
}
