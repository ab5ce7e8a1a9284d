//! A machine with missing resources: disk space for logs, readers, writable files.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::support::stream::Live;
use crate::support::world::World;
use crate::support::{eventually, http};

/// A value of /proc/PID/status of the hub, in kB.
fn hub_kilobytes(world: &World, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.hub_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A follower that reads nothing uses a limited amount of memory, blocks neither the module nor other followers,
/// and learns how much it missed when it reads again.
#[test]
fn a_follower_that_never_reads_is_dropped() {
    let world = World::new();
    let speaker = world.speaker("web");
    world.start_hub();
    world.ready("web");
    let mut deaf = UnixStream::connect(world.socket()).unwrap();
    let headers = [("accept", "text/event-stream"), ("host", "hub")];
    deaf.write_all(http::request("GET", "/api/modules/web/logs?follow=1", &headers).as_bytes()).unwrap();
    let quick = Live::get(&world, "/api/modules/web/logs?follow=1", &[]);
    speaker.says("it begins");
    quick.sees("it begins");
    let line = "x".repeat(1000);
    // Twenty megabytes, a hundred times the size of a socket buffer.
    for _ in 0..20 {
        speaker.says(&vec![line.as_str(); 1000].join("\n"));
    }
    speaker.says("the marker");
    quick.sees("the marker");
    assert!(world.get("/health").is_some_and(|answer| answer.status == 200));
    if cfg!(target_os = "linux") {
        let peak = hub_kilobytes(&world, "VmHWM:");
        assert!(peak < 120_000, "the hub grew to {peak} kB");
    }
    let mut text = String::new();
    let mut buffer = vec![0; 1 << 16];
    // It reads at last: the lost lines are counted, and the end is there.
    while !text.contains("the marker") {
        let read = deaf.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the connection was closed without an event");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(text.contains("event: dropped") && text.contains("\"lost\":"), "it got no event");
    world.stop_hub();
}

/// If all three standard streams are closed, no file that the hub opens may get their numbers: its output would end in
/// a socket or in a module's log.
#[test]
fn a_hub_without_standard_streams_writes_into_no_other_file() {
    let world = World::new();
    let speaker = world.speaker("web");
    world.module("other", &[]);
    let hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(hub.get_program()).args(hub.get_args());
    shell.env_clear().envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))));
    world.hold(shell.spawn().unwrap());
    world.hub_answers();
    world.ready("web");
    world.ready("other");
    if cfg!(target_os = "linux") {
        for fd in 0..3 {
            let path = format!("/proc/{}/fd/{fd}", world.hub_pid());
            let to = std::fs::read_link(&path).unwrap();
            assert_eq!(to.to_str(), Some("/dev/null"), "{path}");
        }
    }
    speaker.says("heard");
    let log = world.home().join("web/logs/web.log");
    eventually("its line is kept", || world.read_or_empty(&log).contains("heard"));
    world.stop_hub();
    world.expect_no_processes();
}

/// A file system of one megabyte under the logs of a module, in the hub's own mount namespace.
#[test]
fn a_full_disk_under_the_logs_stops_no_module_and_is_reported() {
    if !nix::unistd::geteuid().is_root() || cfg!(not(target_os = "linux")) {
        eprintln!("skipped: only root can mount a small file system");
        return;
    }
    let world = World::new();
    let speaker = world.speaker("web");
    let logs = world.home().join("web/logs");
    std::fs::create_dir_all(&logs).unwrap();
    let hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    let mount = "mount -t tmpfs -o size=1m none \"$1\" && shift && exec \"$@\"";
    let mut shell = Command::new("unshare");
    shell.args(["-m", "--propagation", "private", "/bin/sh", "-c", mount, "sh"]).arg(&logs);
    shell.arg(hub.get_program()).args(hub.get_args());
    shell.env_clear().envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))));
    world.spawn(shell);
    world.hub_answers();
    let pid = world.ready("web");
    let follower = Live::get(&world, "/api/modules/web/logs?follow=1", &[]);
    let line = "x".repeat(1000);
    for _ in 0..3 {
        speaker.says(&vec![line.as_str(); 1000].join("\n"));
    }
    speaker.says("after the disk was full");
    follower.sees("after the disk was full");
    eventually("the hub says so", || world.hub_log().contains("web.log cannot be written"));
    assert_eq!(world.ready("web"), pid, "the module keeps running");
    // In the hub's namespace: there is space again, and new lines are written.
    let seen = format!("/proc/{}/root{}/web.log", world.hub_pid(), logs.display());
    let full = std::fs::metadata(&seen).unwrap().len();
    assert!(full <= 1 << 20, "{full}");
    std::fs::File::options().write(true).open(&seen).unwrap().set_len(0).unwrap();
    eventually("lines are kept again", || {
        speaker.says("there is room again");
        std::fs::read_to_string(&seen).unwrap_or_default().contains("there is room again")
    });
    assert_eq!(world.ready("web"), pid);
    world.stop_hub();
}
