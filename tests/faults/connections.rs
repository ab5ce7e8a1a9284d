//! More connections than usual, and a hub without free descriptors.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::invariants::Watch;
use crate::scale::Scale;
use crate::support::world::{World, fixture};
use crate::support::{eventually, http};

fn crashes(world: &World, port: u16) {
    let restarts = || world.view("plain")["restarts"].as_u64().unwrap();
    let before = restarts();
    let _ = http::tcp(port, "GET", "/crash", &[]);
    eventually("it is respawned", || restarts() > before && world.view("plain")["ready"] == true);
}

/// A client that connects and sends nothing, or one byte now and then, blocks no other client.
pub fn idle_and_slow(scale: &Scale) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap_or_else(|error| eprintln!("{soft} stay: {error}"));
    let wanted: usize = scale.of(1000, 10_000);
    let room = usize::try_from(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0).unwrap_or(usize::MAX);
    let many = wanted.min(room.saturating_sub(200));
    let world = World::new();
    let port = world.module("plain", &[]);
    let watch = Watch::over(&world);
    world.start_hub();
    let _ = world.ready("plain");
    let mut open: Vec<TcpStream> = Vec::new();
    for _ in 0..many {
        open.push(TcpStream::connect(("127.0.0.1", world.port())).unwrap());
    }
    let words = http::request("GET", "/health", &[("host", "localhost")]);
    for at in 0..scale.of(20, 120) {
        // One byte of the request each, from some of them.
        for stream in open.iter_mut().take(100) {
            // The hub may close a connection that is too slow.
            let _ = stream.write_all(&words.as_bytes()[at % words.len()..=at % words.len()]);
        }
        watch.holds();
        std::thread::sleep(Duration::from_millis(scale.of(20, 1000)));
    }
    crashes(&world, port);
    let tcp = http::tcp(world.port(), "GET", "/health", &[("host", "localhost")]);
    assert!(tcp.is_some_and(|answer| answer.status == 200), "others get in");
    drop(open);
    crashes(&world, port);
    watch.ends();
}

/// Every descriptor that the hub frees is taken by the next idle connection; modules crash meanwhile.
pub fn no_descriptors(scale: &Scale) {
    const FEW: usize = 64;
    let world = World::new();
    let program = fixture();
    // It crashes once a round, and many rounds are not a crash loop.
    let often = json!({ "restart": { "max": 1_000_000, "cap": "200ms" } });
    let port = world.define("plain", &[program.to_str().unwrap(), "server"], often);
    world.module("wrapper", &["--child"]);
    let watch = Watch::over(&world);
    let hub = world.parachute(&["serve", "--port", &world.port().to_string()]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -n {FEW} && exec \"$0\" \"$@\""))
        .arg(hub.get_program())
        .args(hub.get_args());
    shell
        .env_clear()
        .envs(hub.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::null());
    world.spawn(shell);
    world.hub_answers();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", world.hub_pid())).map_or(0, Iterator::count);
    for _ in 0..scale.of(2, 100) {
        let _ = (world.ready("plain"), world.ready("wrapper"));
        let told = || world.hub_log().matches("plain: exited with code").count();
        let before = told();
        let idle: Vec<_> =
            (0..2 * FEW).map(|_| TcpStream::connect(("127.0.0.1", world.port())).unwrap()).collect();
        eventually("every descriptor is in use", || open() >= FEW);
        let _ = http::tcp(port, "GET", "/crash", &[]);
        eventually("the crash is noticed", || told() > before);
        watch.one_life_a_module();
        drop(idle);
        world.hub_answers();
        let _ = (world.ready("plain"), world.ready("wrapper"));
        watch.holds();
    }
    watch.ends();
}
