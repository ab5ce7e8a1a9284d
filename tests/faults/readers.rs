//! Readers of the hub's output that stop reading.

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{BINARY, World};
use crate::support::{eventually, http};

/// A hub whose output goes into a pipe; this end is not read.
fn piped(world: &World) -> std::process::ChildStdout {
    let mut hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    assert_eq!(hub.get_program(), BINARY);
    let mut child = hub.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    world.hold(child);
    world.hub_answers();
    out
}

/// A module that writes this much and one that serves.
fn flooded(bytes: usize) -> World {
    let world = World::new();
    world.module("plain", &[]);
    world.module("flood", &["--flood", &bytes.to_string(), "100"]);
    world
}

/// `parachute serve | less`, without any input.
pub fn stalled_output(scale: &Scale) {
    let world = flooded(scale.of(20_000_000, 2_000_000_000));
    let watch = Watch::over(&world);
    let out = piped(&world);
    watch.holds_while_flooded(|| ());
    let _ = (world.ready("plain"), world.ready("flood"));
    assert_eq!(world.op("plain", "restart")["ok"], true);
    watch.ends();
    drop(out);
}

/// `parachute serve | head`.
pub fn closed_output(scale: &Scale) {
    let world = flooded(scale.of(20_000_000, 2_000_000_000));
    let watch = Watch::over(&world);
    drop(piped(&world));
    watch.holds_while_flooded(|| ());
    let _ = (world.ready("plain"), world.ready("flood"));
    assert_eq!(world.op("plain", "restart")["ok"], true);
    watch.ends();
}

/// They follow, and read nothing; each uses a limited amount of memory.
pub fn stalled_followers(scale: &Scale) {
    let world = flooded(scale.of(20_000_000, 2_000_000_000));
    let watch = Watch::over(&world);
    world.start_hub();
    let headers = [("accept", "text/event-stream"), ("host", "hub")];
    let deaf: Vec<UnixStream> = (0..scale.of(20, 200))
        .map(|n| {
            let target = if n % 2 == 0 { "/api/modules/flood/logs?follow=1" } else { "/api/events" };
            let mut stream = UnixStream::connect(world.socket()).unwrap();
            stream.write_all(http::request("GET", target, &headers).as_bytes()).unwrap();
            stream
        })
        .collect();
    watch.holds_while_flooded(|| ());
    let _ = world.ready("flood");
    for _ in 0..scale.of(5, 500) {
        assert_eq!(world.op("plain", "restart")["ok"], true);
        watch.holds();
    }
    drop(deaf);
    eventually("they are forgotten", || world.get("/health").is_some());
    watch.ends();
}
