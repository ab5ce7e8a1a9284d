//! A socket that a service manager holds: taken, checked, and no client is refused while hubs are replaced.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::support::world::{BINARY, World};
use crate::support::{DEADLINE, eventually};

/// A hub of this world with `fd` as descriptor 3, announced for its own pid: as systemd does between fork and
/// exec, but done by a shell.
fn activated(world: &World, args: &[&str], fd: OwnedFd, env: &[(&str, &str)]) -> Command {
    let plain = world.parachute(args);
    // In shell terms: descriptor 3 is a copy of standard input, and standard input is empty.
    let script = r#"exec 3<&0 </dev/null; LISTEN_PID=$$ exec "$0" "$@""#;
    let mut hub = Command::new("sh");
    hub.args(["-c", script, BINARY])
        .args(args)
        .env_clear()
        .envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("LISTEN_FDS", "1")
        .envs(env.iter().copied())
        .stdin(Stdio::from(fd));
    hub
}

fn held(world: &World) -> TcpListener {
    TcpListener::bind(("127.0.0.1", world.port())).unwrap()
}

fn copy(listener: &TcpListener) -> OwnedFd {
    listener.try_clone().unwrap().into()
}

fn refused(world: &World, args: &[&str], fd: OwnedFd, env: &[(&str, &str)]) -> String {
    let output = activated(world, args, fd, env).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_passed_socket_becomes_the_hubs_and_reaches_no_module() {
    let world = World::new();
    let dump = world.file("dump");
    world.module("web", &["--dump", dump.to_str().unwrap()]);
    let listener = held(&world);
    world.spawn(activated(
        &world,
        &["serve"],
        copy(&listener),
        &[("LISTEN_FDNAMES", "parachute-hub.socket")],
    ));
    world.hub_answers();
    let hub = &world.status()["hub"];
    assert_eq!((&hub["port"], &hub["socket_held_by"]), (&world.port().into(), &"systemd".into()), "{hub:#}");
    eventually("it says so", || world.hub_log().contains("(socket held by systemd)"));
    let said = world.run(&["status"]).code(0);
    assert!(said.out.contains("(socket held by systemd)"), "{}", said.out);

    let pid = world.ready("web");
    let environment = std::fs::read_to_string(dump).unwrap();
    assert!(!environment.contains("LISTEN_"), "{environment}");
    let inode = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    let leaked = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(Result::ok);
    let leaked: Vec<_> =
        leaked.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == inode)).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    world.stop_hub();
    world.expect_no_processes();
}

/// A restart of the hub: every client gets its response, at any moment of the restart.
#[test]
fn no_client_is_refused_while_one_hub_replaces_another() {
    let world = World::new();
    let listener = held(&world);
    let start = || world.spawn(activated(&world, &["serve"], copy(&listener), &[]));
    let (port, over, answered) = (world.port(), AtomicBool::new(false), AtomicU32::new(0));
    start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("no client is refused");
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let host = format!("127.0.0.1:{port}");
                let asked = crate::support::http::request("GET", "/health", &[("host", &host)]);
                let mut answer = String::new();
                // A connection that the stopping hub had accepted may be closed; one that was not accepted waits for
                // the next.
                let written = stream.write_all(asked.as_bytes());
                if written.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && !answer.is_empty() {
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        // Each hub must have answered the client: without a request there is no refusal.
        let serves = || {
            let before = answered.load(Ordering::SeqCst);
            eventually("the client is answered", || answered.load(Ordering::SeqCst) > before);
        };
        for round in 0..4 {
            world.hub_answers();
            serves();
            // With SIGTERM and with SIGKILL.
            if round % 2 == 0 {
                world.stop_hub()
            } else {
                world.kill_hub()
            }
            start();
        }
        world.hub_answers();
        serves();
        over.store(true, Ordering::SeqCst);
    });
    world.stop_hub();
}

#[test]
fn an_unusable_passed_descriptor_is_refused_by_name() {
    let world = World::new();
    let listener = held(&world);
    let port = world.port();
    let said = refused(&world, &["serve", "--port", "2"], copy(&listener), &[]);
    assert!(said.contains("--port 2 was asked for") && said.contains(&format!("127.0.0.1:{port}")), "{said}");
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let said = refused(&world, &["serve"], open.into(), &[("LISTEN_FDNAMES", "hub")]);
    assert!(said.contains("\"hub\"") && said.contains("other machines can reach"), "{said}");
    let said = refused(&world, &["serve"], copy(&listener), &[("LISTEN_FDS", "2")]);
    assert!(said.contains("descriptor 4 is not open") && said.contains("hint: systemctl "), "{said}");
    let said = refused(&world, &["serve"], copy(&listener), &[("LISTEN_FDNAMES", "a:b")]);
    assert!(said.contains("LISTEN_FDNAMES=\"a:b\""), "{said}");
}

#[test]
fn a_socket_of_another_name_is_closed_and_the_hub_binds_its_own() {
    let world = World::new();
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let args = ["serve", "--port", &world.port().to_string()];
    world.spawn(activated(&world, &args, foreign.into(), &[("LISTEN_FDNAMES", "syslog")]));
    world.hub_answers();
    let status = world.status();
    assert_eq!(status["hub"]["port"], world.port(), "{status:#}");
    assert!(status["hub"]["socket_held_by"].is_null());
    let note = status["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("\"syslog\", which is not the hub's: closed"), "{status:#}");
    // It is harmless: `status` exits with 0.
    let said = world.run(&["status"]).code(0);
    assert!(said.out.contains("note: systemd passed") && !said.out.contains("problem:"), "{}", said.out);
    assert_eq!(world.get("/health").unwrap().json()["status"], "ok");
    world.stop_hub();
}

/// With systemd's own tool, where it is installed.
#[test]
fn systemds_own_activator_starts_a_hub_at_the_first_connection() {
    let activator = "/usr/bin/systemd-socket-activate";
    if !std::path::Path::new(activator).exists() {
        return eprintln!("SKIPPED: {activator} is not installed");
    }
    let world = World::new();
    let plain = world.parachute(&[]);
    let mut hub = Command::new(activator);
    hub.args(["--listen", &format!("127.0.0.1:{}", world.port()), "--fdname", "parachute-hub.socket"])
        .args([BINARY, "serve"])
        .env_clear()
        .envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))))
        // It passes only what it is told to.
        .args(["--home", world.home().to_str().unwrap()])
        .stdin(Stdio::null());
    world.spawn(hub);
    eventually("it listens", || TcpStream::connect(("127.0.0.1", world.port())).is_ok());
    world.hub_answers();
    assert_eq!(world.status()["hub"]["socket_held_by"], "systemd");
    world.stop_hub();
}
