//! The resources that a hub takes before it touches a module, and that it leaves nothing behind.

use nix::sys::signal::Signal;

use crate::support::eventually;
use crate::support::world::World;

#[test]
fn a_module_is_ready_and_a_stop_leaves_nothing() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.stop_hub();
    world.expect_no_processes();
}

#[test]
fn a_second_hub_names_the_first_and_touches_nothing() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let second = world.run(&["serve", "--port", "0"]).code(78);
    assert!(second.err.contains(&format!("pid {}", world.hub_pid())), "{second:?}");
    assert_eq!(world.ready("web"), pid);
    world.stop_hub();
}

#[test]
fn sigquit_is_an_ordered_stop() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    world.ready("web");
    world.signal_hub(Signal::SIGQUIT);
    assert_eq!(world.hub_ends().code(), Some(0));
    world.expect_no_processes();
}

/// The port is taken before any module is touched.
#[test]
fn a_foreign_process_on_the_hubs_port_is_named_and_no_module_is_spawned() {
    let world = World::new();
    let dump = world.file("dump");
    world.module("web", &["--dump", dump.to_str().unwrap()]);
    let stranger = std::net::TcpListener::bind(("127.0.0.1", world.port())).unwrap();
    let said = world.run(&["serve", "--port", &world.port().to_string()]).code(78);
    assert!(said.err.contains(&format!("pid {}", std::process::id())), "{said:?}");
    assert!(said.err.contains("hint:"), "{said:?}");
    assert!(!dump.exists(), "a module was spawned");
    drop(stranger);
    world.expect_no_processes();
}

/// A hub that waited for its modules would never answer here.
#[test]
fn modules_that_never_bind_do_not_hold_up_the_api() {
    let world = World::new();
    let program = crate::support::world::fixture();
    let argv = [program.to_str().unwrap(), "server", "--never-bind"];
    for short in ["one", "two", "three"] {
        world.define(short, &argv, serde_json::json!({ "ready_within": "1h" }));
    }
    world.start_hub();
    let ready = world.get("/api/ready").unwrap().json();
    assert_eq!(ready["transient_modules"], serde_json::json!(["one", "two", "three"]), "{ready}");
    world.stop_hub();
    world.expect_no_processes();
}

/// The files by which other programs find a running hub exist exactly as long as it runs.
#[test]
fn the_socket_and_the_port_file_exist_while_the_hub_runs() {
    let world = World::new();
    let port = world.home().join("hub/run/hub.port");
    for _ in 0..2 {
        world.start_hub();
        assert_eq!(world.read("hub/run/hub.port").trim(), world.port().to_string());
        world.stop_hub();
        assert!(!port.exists() && !world.socket().exists());
    }
    // A killed hub leaves both behind; the next one starts all the same.
    world.start_hub();
    world.kill_hub();
    assert!(port.exists() && world.socket().exists());
    world.start_hub();
    world.stop_hub();
}

/// A second signal while the hub stops is acknowledged, and shortens no module's grace period.
#[test]
fn a_second_signal_while_stopping_is_acknowledged_and_leaves_nothing() {
    let world = World::new();
    let program = crate::support::world::fixture();
    let go = world.file("go");
    let deaf = ["--ignore-term", "--exit-when", go.to_str().unwrap()];
    let argv = [&[program.to_str().unwrap(), "server"][..], &deaf].concat();
    world.define("deaf", &argv, serde_json::json!({ "kill_timeout": "10m" }));
    world.start_hub();
    let pid = world.ready("deaf");
    world.signal_hub(Signal::SIGTERM);
    eventually("it stops", || world.hub_log().contains("stopping: SIGTERM"));
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTERM] {
        world.signal_hub(signal);
    }
    eventually("it has heard", || world.hub_log().contains("already stopping; 1 module"));
    assert_eq!(world.processes().iter().map(|p| p.pid).collect::<Vec<_>>(), [pid], "it still runs");
    std::fs::write(&go, "").unwrap();
    assert_eq!(world.hub_ends().code(), Some(0));
    world.expect_no_processes();
}

/// Under a manager SIGHUP is a reload, with or without a terminal, and the manager is notified.
#[test]
fn sighup_under_a_manager_reads_the_rows_again() {
    let world = World::new();
    world.module("first", &[]);
    let path = world.file("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    hub.env("NOTIFY_SOCKET", &path);
    world.spawn(hub);
    let first = world.ready_soon("first");
    world.module("second", &[]);
    world.signal_hub(Signal::SIGHUP);
    world.ready("second");
    assert_eq!(world.ready("first"), first);
    let mut said = String::new();
    while !said.contains("RELOADING=1") {
        let mut buffer = [0; 4096];
        let read = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("no RELOADING: {e}\n{said}"));
        said.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    assert!(said.contains("READY=1"), "{said}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A signal at any moment of the boot is an ordered stop.
#[test]
fn a_signal_during_boot_leaves_nothing() {
    let world = World::new();
    for n in 0..5 {
        world.module(&format!("slow{n}"), &["--bind-after", "500"]);
    }
    for round in 0..10_u64 {
        world.spawn_hub();
        // The file of the previous hub still exists, with that hub's pid.
        let pid = world.hub_pid().to_string();
        eventually("the lock is held", || world.read_or_empty("run/hub.lock").trim() == pid);
        // Ten different moments, from "nothing yet" to "all spawned".
        eventually("so many modules are spawned", || world.processes().len() as u64 >= round / 2);
        world.signal_hub(Signal::SIGTERM);
        let status = world.hub_ends();
        // Before its handlers are installed nothing was spawned, and the signal itself ends it.
        assert!(status.code() == Some(0) || status.code().is_none(), "{status:?}\n{}", world.hub_log());
        world.expect_no_processes();
    }
}

/// Without a terminal and without a manager, SIGHUP means "read your configuration again".
#[test]
fn sighup_without_a_terminal_reads_the_rows_again() {
    let world = World::new();
    world.module("first", &[]);
    let hub = world.parachute(&[]);
    // A new session has no controlling terminal.
    let script = "exec setsid \"$0\" serve --port 0";
    let mut hub = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(hub.get_program())
        .env_clear()
        .envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let first = world.ready_soon("first");
    world.module("second", &[]);
    signal(&hub, Signal::SIGHUP);
    world.ready("second");
    // An edit is noticed without a signal, too: only the log shows that the signal caused it.
    eventually("it has heard", || {
        world.read_or_empty("hub/logs/hub.log").contains("reading services.json: SIGHUP")
    });
    assert_eq!(world.ready("first"), first);
    signal(&hub, Signal::SIGTERM);
    assert!(hub.wait().unwrap().success());
    world.expect_no_processes();
}

/// A closed terminal is an ordered stop: the kernel sends SIGHUP to the processes that it controlled.
#[test]
fn a_terminal_that_goes_away_is_an_ordered_stop() {
    let world = World::new();
    world.module("web", &[]);
    let mut terminal = in_a_terminal(&world, "--default-signal=HUP");
    world.ready_soon("web");
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    world.gone("web");
    eventually("the hub is gone", || world.get("/health").is_none());
}

/// Unless it was started with nohup(1).
#[test]
fn under_nohup_a_terminal_may_go_away() {
    let world = World::new();
    world.module("web", &[]);
    let mut terminal = in_a_terminal(&world, "--ignore-signal=HUP");
    let web = world.ready_soon("web");
    let pid = pid_of(&world);
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let hub = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(hub, Signal::SIGHUP).unwrap();
    eventually("it has heard", || {
        world.read_or_empty("hub/logs/hub.log").contains("reading services.json: SIGHUP")
    });
    assert_eq!((pid_of(&world), world.ready_soon("web")), (pid, web));
    nix::sys::signal::kill(hub, Signal::SIGTERM).unwrap();
    world.gone("web");
    eventually("the hub is gone", || world.get("/health").is_none());
}

/// The pid that the hub reports.
fn pid_of(world: &World) -> u32 {
    u32::try_from(world.status()["hub"]["pid"].as_u64().unwrap()).unwrap()
}

/// A hub in its own terminal, which disappears when script(1) is killed. `exec`: the kernel signals only the
/// leader of the session. The disposition of SIGHUP is set, because the test runner's may differ.
fn in_a_terminal(world: &World, hangup: &str) -> std::process::Child {
    let command = format!("exec env {hangup} {} serve --port 0", crate::support::world::BINARY);
    let hub = world.parachute(&[]);
    std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_clear()
        .envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// sd_notify(3): ready after the sockets, keep-alives while it runs, stopping before the modules.
#[test]
fn a_manager_is_notified() {
    let world = World::new();
    world.module("web", &[]);
    let path = world.file("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    let mut hub = world
        .parachute(&["serve", "--port", "0"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut hear = |what: &str| {
        while !said.contains(what) {
            let mut buffer = [0; 4096];
            let read = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("never said {what}: {e}\n{said}"));
            said.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    signal(&hub, Signal::SIGTERM);
    hear("STOPPING=1");
    assert!(hub.wait().unwrap().success());
    world.expect_no_processes();
}

fn signal(child: &std::process::Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}
