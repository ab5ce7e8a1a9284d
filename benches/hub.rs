//! Cost and speed of the hub, against the targets: `cargo bench --bench hub [-- NAME…]`.
//!
//! The real binary, real processes in a home in /tmp. Prints one Markdown table. Names: `respawn boot10 boot50
//! unbound3 pss flood longline status stop20 thousand binary`; none means all.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a bench measures real processes, panics when it cannot, and prints"
)]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[path = "hub/memory.rs"]
mod memory;
#[path = "hub/module.rs"]
mod module;
#[path = "hub/world.rs"]
mod world;

use module::{What, now};
use world::{World, get, wait};

/// One line of the table: figure, measured, target.
type Row = (String, String, &'static str);
/// A measurement and its name.
type Bench = (&'static str, fn(&mut Vec<Row>));

const BENCHES: [Bench; 11] = [
    ("respawn", respawn),
    ("boot10", |rows| boot(rows, 10, "≤ 30 ms over own boot")),
    ("boot50", |rows| boot(rows, 50, "≤ 120 ms over own boot")),
    ("unbound3", unbound3),
    ("pss", pss),
    ("flood", flood),
    ("longline", longline),
    ("status", status),
    ("stop20", stop20),
    ("thousand", thousand),
    ("binary", binary),
];

/// The limit of a login shell on most systems; the hub must work with it.
const SOFT_FILES: u64 = 1024;
const MB: usize = 1_000_000;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.first().is_some_and(|arg| arg == "module") {
        return module::play(&args[1..]);
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, SOFT_FILES.min(hard), hard).unwrap();
    let mut rows = Vec::new();
    for (name, bench) in BENCHES {
        if args.is_empty() || args.iter().any(|arg| arg == name) {
            eprintln!("{name}, load {}", load());
            bench(&mut rows);
        }
    }
    println!("| figure | measured | target |\n|---|---|---|");
    for (figure, measured, target) in rows {
        println!("| {figure} | {measured} | {target} |");
    }
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("\n{processors} processors, load {} at the end", load());
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// The value below which `share` of a sorted list lies.
fn share<T: Copy>(sorted: &[T], share: f64) -> T {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

fn spread(sorted: &[u64]) -> String {
    let [p50, p99] = [0.5, 0.99].map(|s| ms(share(sorted, s)));
    format!("p50 {p50:.2}, p99 {p99:.2}, max {:.2} ms", ms(sorted[sorted.len() - 1]))
}

/// SIGKILL of the leader → its successor. A process cannot report when it was created, only when its `main` runs; the
/// difference is measured without a hub and subtracted.
fn respawn(rows: &mut Vec<Row>) {
    const SAMPLES: usize = 200;
    let settings = "[defaults]\nrestart = { max = 100000, steady = \"1ms\" }\n";
    let mut world = World::with(settings, "plain", 1);
    let own = world.alone(What::Begun, 200);
    world.start();
    let mut leader = world.heard(What::Bound);
    let mut took = Vec::new();
    for _ in 0..SAMPLES {
        world.ready(Duration::from_millis(1));
        // Much longer than `steady`: the next crash counts as a first one.
        std::thread::sleep(Duration::from_millis(20));
        let pid = i32::try_from(leader.pid).unwrap();
        assert!(std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().contains("module"));
        let before = now();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let begun = world.heard(What::Begun);
        took.push(begun.at - before);
        leader = world.heard(What::Bound);
        assert_eq!(begun.pid, leader.pid);
    }
    let log = std::fs::read_to_string(world.output()).unwrap();
    assert_eq!(log.matches("restarting it at once (crash 1 of").count(), SAMPLES, "{log}");
    took.sort_unstable();
    let start = share(&own, 0.5);
    let net: Vec<u64> = took.iter().map(|t| t.saturating_sub(start)).collect();
    rows.push(("crash → new pid, 200 times".into(), spread(&net), "p50 ≤ 2, max ≤ 5 ms"));
    rows.push(("crash → its `main` runs".into(), spread(&took), ""));
    rows.push(("the same module's own start → `main`, no hub".into(), spread(&own), ""));
}

/// Start of the hub → the last of `count` ports is bound; median of five.
fn boot(rows: &mut Vec<Row>, count: usize, target: &'static str) {
    let mut world = World::with("", "plain", count);
    let own = share(&world.alone(What::Bound, 20), 0.5);
    let (mut bound, mut health) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let before = world.start();
        bound.push((0..count).map(|_| world.heard(What::Bound).at).max().unwrap() - before);
        world.stop();
        let before = world.start();
        world.healthy();
        health.push(now() - before);
        for _ in 0..count {
            world.heard(What::Bound);
        }
        world.stop();
    }
    bound.sort_unstable();
    health.sort_unstable();
    let [all, min, max] = [bound[2], bound[0], bound[4]].map(ms);
    let over = all - ms(own);
    let measured = format!(
        "{over:.1} ms over {:.1} ms own boot ({all:.1} in all, {min:.1} to {max:.1} in 5 runs)",
        ms(own)
    );
    rows.push((format!("hub start → {count} ports bound"), measured, target));
    rows.push((format!("hub start → /health, {count} modules"), format!("{:.1} ms", ms(health[2])), ""));
}

fn unbound3(rows: &mut Vec<Row>) {
    let [none, binding, unbound] = [("plain", 0), ("plain", 3), ("unbound", 3)].map(|(kind, count)| {
        let mut world = World::with("[defaults]\nkill_timeout = \"1s\"\n", kind, count);
        let mut took: Vec<u64> = (0..21)
            .map(|_| {
                let before = world.start();
                world.healthy();
                let took = now() - before;
                for _ in 0..count {
                    world.heard(What::Begun);
                }
                world.stop();
                took
            })
            .collect();
        took.sort_unstable();
        ms(took[10])
    });
    let measured = format!("{unbound:.1} ms; {binding:.1} ms with 3 that bind, {none:.1} ms with none");
    rows.push(("hub start → /health, 3 modules that never bind".into(), measured, "no delay"));
}

fn pss(rows: &mut Vec<Row>) {
    for (count, target) in [(0, "≤ 4 MiB"), (10, "≤ 5 MiB"), (50, "≤ 7 MiB")] {
        let mut world = World::with("", "plain", count);
        world.start();
        world.healthy();
        world.ready(Duration::from_millis(20));
        std::thread::sleep(Duration::from_secs(2));
        let measured = format!("{:.2} MiB", world.pss() as f64 / 1024.0);
        rows.push((format!("PSS of the hub, {count} modules, idle 2 s"), measured, target));
        let measured = format!("{:.2} MiB", world.anonymous() as f64 / 1024.0);
        rows.push((format!("anonymous memory of the hub, {count} modules, idle 2 s"), measured, ""));
        let [pss, anonymous] = world.helper().map(|kib| format!("{:.2} MiB", kib as f64 / 1024.0));
        rows.push((format!("PSS of its helper that looks at paths, {count} modules, idle 2 s"), pss, ""));
        rows.push((format!("anonymous memory of that helper, {count} modules, idle 2 s"), anonymous, ""));
        let kinds = memory::account(&world.smaps(), world::BINARY);
        let kinds: Vec<String> = kinds.iter().map(|(kind, kib)| format!("{kind} {kib}")).collect();
        rows.push((format!("the same, {count} modules, by kind, KiB"), kinds.join(", "), ""));
    }
}

/// The cost of one flood.
struct Flood {
    wall: Duration,
    cpu: Duration,
    peak: u64,
    /// Round trips of `/health` and `/api/status` during the flood, nanoseconds, sorted.
    api: [Vec<u64>; 2],
}

/// One module writes; the hub's output is a file. Ends when the last line is in it.
fn pour(kind: &str, bytes: usize, ask: bool) -> Flood {
    let mut world = World::new("");
    world.add(kind, 1, bytes);
    world.start();
    world.ready(Duration::from_millis(5));
    let (cpu, over) = (world.cpu(), AtomicBool::new(false));
    let socket = world.home().join("run/hub.sock");
    let mut flood = std::thread::scope(|scope| {
        let asked = ["/health", "/api/status"].map(|target| {
            let (socket, over) = (&socket, &over);
            scope.spawn(move || {
                let mut took = Vec::new();
                while ask && !over.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    get(socket, target).expect("an answer");
                    took.push(u64::try_from(before.elapsed().as_nanos()).unwrap());
                    std::thread::sleep(Duration::from_millis(1));
                }
                took.sort_unstable();
                took
            })
        });
        TcpStream::connect((Ipv4Addr::LOCALHOST, world.ports[0])).unwrap().write_all(b"!").unwrap();
        let before = world.heard(What::Writing).at;
        let mut file = File::open(world.output()).unwrap();
        wait("the last line is there", Duration::from_millis(1), || ends(&mut file, "all over\n"));
        let wall = Duration::from_nanos(now() - before);
        over.store(true, Ordering::Relaxed);
        Flood { wall, cpu: Duration::ZERO, peak: 0, api: asked.map(|thread| thread.join().unwrap()) }
    });
    flood.cpu = world.cpu() - cpu;
    flood.peak = world.peak();
    flood
}

fn ends(file: &mut File, with: &str) -> bool {
    let mut tail = String::new();
    let back = i64::try_from(with.len()).unwrap();
    file.seek(SeekFrom::End(-back)).is_ok() && file.read_to_string(&mut tail).is_ok() && tail == with
}

fn flood(rows: &mut Vec<Row>) {
    const BYTES: usize = 200 * MB;
    let mut runs: Vec<Flood> = (0..5).map(|_| pour("lines", BYTES, false)).collect();
    runs.sort_by_key(|run| run.wall);
    let speed = |run: &Flood| (BYTES / MB) as f64 / run.wall.as_secs_f64();
    let measured =
        format!("{:.0} MB/s ({:.0} to {:.0} in 5 runs)", speed(&runs[2]), speed(&runs[4]), speed(&runs[0]));
    rows.push(("200 MB of 100-byte lines, stdout a file".into(), measured, "≥ 500 MB/s"));
    let mut cpu: Vec<Duration> = runs.iter().map(|run| run.cpu).collect();
    cpu.sort_unstable();
    rows.push(("CPU of the hub for it".into(), format!("{:.2} s", cpu[2].as_secs_f64()), "≤ 0.5 s"));
    let peak = runs.iter().map(|run| run.peak).max().unwrap() as f64 / 1024.0;
    rows.push(("peak RSS of the hub during it".into(), format!("{peak:.1} MiB"), "≤ 12 MiB"));
    let mut api = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        let run = pour("lines", BYTES, true);
        for (all, took) in api.iter_mut().zip(run.api) {
            all.extend(took);
        }
    }
    for (target, mut took) in ["/health", "/api/status"].into_iter().zip(api) {
        took.sort_unstable();
        let measured = format!("{} ({} calls)", spread(&took), took.len());
        rows.push((format!("GET {target} during such a flood"), measured, "p99 ≤ 10 ms"));
    }
}

fn longline(rows: &mut Vec<Row>) {
    let mut runs: Vec<Flood> = (0..5).map(|_| pour("line", 100 * MB, false)).collect();
    runs.sort_by_key(|run| run.wall);
    let [p50, max] = [2, 4].map(|n| runs[n].wall.as_secs_f64());
    rows.push(("one line of 100 MB".into(), format!("{p50:.2} s, slowest of 5 {max:.2} s"), "≤ 0.5 s"));
}

fn status(rows: &mut Vec<Row>) {
    let mut world = World::with("", "plain", 10);
    world.start();
    world.ready(Duration::from_millis(5));
    let took = world.status(50);
    let [p50, p99] = [0.5, 0.99].map(|s| share(&took, s).as_secs_f64() * 1e3);
    rows.push((
        "`parachute status`, 10 modules".into(),
        format!("p50 {p50:.1}, p99 {p99:.1} ms"),
        "p50 ≤ 5 ms",
    ));
}

fn stop20(rows: &mut Vec<Row>) {
    let mut world = World::with("[defaults]\nkill_timeout = \"1s\"\n", "deaf", 20);
    world.start();
    world.ready(Duration::from_millis(5));
    let took = world.stop().as_secs_f64();
    rows.push((
        "SIGTERM → gone, 20 deaf modules".into(),
        format!("{took:.2} s"),
        "≈ 1 s, their kill_timeout",
    ));
}

fn thousand(rows: &mut Vec<Row>) {
    let mut first = None;
    for count in [100, 300, 1000] {
        let mut world = World::with("", "plain", count);
        let before = world.start();
        world.ready(Duration::from_millis(10));
        let (ready, boot) = (now() - before, world.cpu());
        std::thread::sleep(Duration::from_secs(2));
        let idle = world.cpu();
        std::thread::sleep(Duration::from_secs(5));
        let idle = world.cpu() - idle;
        let (pss, status) = (world.pss(), share(&world.status(10), 0.5));
        let stop = world.stop();
        let now = [ms(ready), pss as f64 / 1024.0, status.as_secs_f64() * 1e3, stop.as_secs_f64() * 1e3];
        let base = *first.get_or_insert(now);
        let times = |n: usize| now[n] / base[n];
        let measured = format!(
            "ready in {:.0} ms (×{:.1}; {:.2} s CPU of the hub), PSS {:.1} MiB (×{:.1}), status {:.1} ms (×{:.1}), \
             stop {:.0} ms (×{:.1}), idle CPU {:.1} %",
            now[0],
            times(0),
            boot.as_secs_f64(),
            now[1],
            times(1),
            now[2],
            times(2),
            now[3],
            times(3),
            idle.as_secs_f64() * 20.0
        );
        rows.push((format!("{count} modules"), measured, "linear"));
    }
}

fn binary(rows: &mut Vec<Row>) {
    let bytes = std::fs::metadata(world::BINARY).unwrap().len();
    rows.push(("the stripped binary".into(), format!("{:.2} MB", bytes as f64 / 1e6), "≤ 8 MB"));
}
