//! Hours with modules that crash, print and idle, and with clients: does the hub's use of resources stay constant?
//! `cargo bench --bench soak [-- MINUTES]`; two hours by default.
//!
//! Writes `target/soak/soak.csv` and `target/soak/soak.svg`, prints a table, and fails if memory, descriptors, threads
//! or processes grew after the first tenth of the time.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::exit,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a bench measures real processes, panics when it cannot, and prints"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

#[path = "soak/plot.rs"]
mod plot;

use plot::{Strip, svg};

const BINARY: &str = env!("CARGO_BIN_EXE_parachute");
/// Pause between two samples.
const LOOK: Duration = Duration::from_secs(10);
/// Kinds of modules, and how many of each.
const KINDS: [(&str, usize); 4] = [("idle", 10), ("crash", 5), ("chatty", 4), ("parent", 2)];

/// One sample of the hub.
#[derive(Debug, Clone, Copy)]
struct Sample {
    minutes: f64,
    pss: u64,
    own: u64,
    fds: usize,
    threads: usize,
    processes: usize,
    logs: u64,
    restarts: u64,
    health_us: u64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.first().is_some_and(|arg| arg == "module") {
        return play(&args[1]);
    }
    let minutes: f64 = args.first().map_or(120.0, |text| text.parse().unwrap());
    let soak = Soak::start();
    let begun = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    let mut turn = 0;
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        let next = Instant::now() + LOOK;
        turn += 1;
        soak.people(turn, next);
        samples.push(soak.look(begun));
        soak.keep(&samples);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    soak.stop();
    report(&samples);
}

struct Soak {
    root: PathBuf,
    hub: Child,
}

impl Soak {
    fn start() -> Self {
        let root = PathBuf::from(format!("/tmp/soak-{}", std::process::id()));
        let home = root.join("home");
        let exe = std::env::current_exe().unwrap();
        let mut rows = Vec::new();
        for (kind, count) in KINDS {
            for n in 0..count {
                let (short, port) = (format!("{kind}-{n}"), free_port(21_000 + 100 * rows.len() as u16));
                let dir = home.join(&short);
                fs::create_dir_all(dir.join(".parachute")).unwrap();
                let manifest = json!({
                    "name": short, "manifestName": short, "port": port, "paths": [format!("/{short}")],
                    "health": "/health", "startCmd": [exe, "module", kind],
                });
                fs::write(dir.join(".parachute/module.json"), manifest.to_string()).unwrap();
                rows.push(json!({
                    "name": short, "port": port, "paths": [format!("/{short}")], "health": "/health",
                    "version": "1", "installDir": dir,
                }));
            }
        }
        fs::write(home.join("services.json"), json!({ "services": rows }).to_string()).unwrap();
        let out = File::create(root.join("hub.out")).unwrap();
        let mut command = Command::new(BINARY);
        command
            .args(["serve", "--port", "0"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/dev/null");
        command.env("PARACHUTE_TOOLS_UNDER", root.join("tools")).env("PARACHUTE_HOME", &home);
        // The allocator can be tuned from outside: mallopt(3).
        command.envs(std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("MALLOC_")));
        command.current_dir(&root).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let soak = Self { root, hub: command.spawn().unwrap() };
        let before = Instant::now();
        while !soak.ask("GET", "/api/ready").is_some_and(|ready| ready["ready"] == true) {
            assert!(before.elapsed() < Duration::from_secs(60), "the hub never became ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        soak
    }

    fn socket(&self) -> PathBuf {
        self.root.join("home/run/hub.sock")
    }

    fn ask(&self, method: &str, target: &str) -> Option<Value> {
        let answer = exchange(&self.socket(), method, target, Duration::from_secs(30))?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 2").then(|| serde_json::from_str(body).ok()).flatten()
    }

    /// Requests of clients within ten seconds.
    fn people(&self, turn: usize, until: Instant) {
        let status = self.ask("GET", "/api/status").expect("the hub answers");
        for module in status["modules"].as_array().unwrap() {
            // A module that used up its budget is started again, as a user would do.
            if module["state"] == "crashed" {
                let _ =
                    self.ask("POST", &format!("/api/modules/{}/start", module["short"].as_str().unwrap()));
            }
        }
        let restarted = format!("/api/modules/{}-{}/restart", KINDS[turn % 2 * 3].0, turn % 2);
        let _ = self.ask("POST", &restarted);
        // Followers that connect, read for a while or not at all, and disconnect.
        for target in
            ["/api/modules/chatty-0/logs?follow=1", "/api/events", "/api/modules/chatty-1/logs?follow=1"]
        {
            let quiet = Duration::from_millis(500);
            let _ = exchange(&self.socket(), "GET", target, quiet);
        }
        // A row that is removed and added again.
        if turn.is_multiple_of(6) {
            let file = self.root.join("home/services.json");
            let text = fs::read_to_string(&file).unwrap();
            let mut less: Value = serde_json::from_str(&text).unwrap();
            less["services"].as_array_mut().unwrap().pop();
            replace(&file, &less.to_string());
            std::thread::sleep(Duration::from_secs(2));
            replace(&file, &text);
        }
        while Instant::now() + Duration::from_millis(300) < until {
            let _ = self.ask("GET", "/health").expect("the hub answers");
            let _ = self.ask("GET", "/metrics");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn look(&self, begun: Instant) -> Sample {
        let proc = PathBuf::from(format!("/proc/{}", self.hub.id()));
        let text = |file: &str| fs::read_to_string(proc.join(file)).unwrap();
        let rollup = text("smaps_rollup");
        let kb = |key: &str| -> u64 {
            let line = rollup.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let count = |dir: &str| fs::read_dir(proc.join(dir)).unwrap().count();
        let asked = Instant::now();
        let status = self.ask("GET", "/api/status").unwrap();
        let health_us = u64::try_from(asked.elapsed().as_micros()).unwrap();
        let modules = status["modules"].as_array().unwrap();
        Sample {
            minutes: begun.elapsed().as_secs_f64() / 60.0,
            pss: kb("Pss:"),
            own: kb("Anonymous:"),
            fds: count("fd"),
            threads: count("task"),
            processes: children(self.hub.id()),
            logs: size(&self.root.join("home")),
            restarts: modules.iter().filter_map(|module| module["restarts"].as_u64()).sum(),
            health_us,
        }
    }

    /// Written during the run, so that an aborted run has results.
    fn keep(&self, samples: &[Sample]) {
        let dir = std::env::var_os("SOAK_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/soak"), PathBuf::from);
        fs::create_dir_all(&dir).unwrap();
        let mut csv =
            "minutes,pss_kib,anonymous_kib,fds,threads,processes,log_bytes,restarts,status_us\n".to_owned();
        for s in samples {
            csv.push_str(&format!(
                "{:.2},{},{},{},{},{},{},{},{}\n",
                s.minutes, s.pss, s.own, s.fds, s.threads, s.processes, s.logs, s.restarts, s.health_us
            ));
        }
        fs::write(dir.join("soak.csv"), csv).unwrap();
        let strip = |name, value: fn(&Sample) -> f64| Strip {
            name,
            points: samples.iter().map(|s| (s.minutes, value(s))).collect(),
        };
        let strips = [
            strip("PSS, MiB", |s| s.pss as f64 / 1024.0),
            strip("anonymous memory, MiB", |s| s.own as f64 / 1024.0),
            strip("descriptors", |s| s.fds as f64),
            strip("threads", |s| s.threads as f64),
            strip("processes below it", |s| s.processes as f64),
            strip("logs on disk, MB", |s| s.logs as f64 / 1e6),
            strip("/api/status, ms", |s| s.health_us as f64 / 1e3),
        ];
        let modules: usize = KINDS.iter().map(|(_, count)| count).sum();
        let title =
            format!("One hub, {modules} modules: {}", KINDS.map(|(k, n)| format!("{n} {k}")).join(", "));
        fs::write(dir.join("soak.svg"), svg(&title, &strips)).unwrap();
    }

    fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.hub.id()).unwrap()), Signal::SIGTERM).unwrap();
        assert!(self.hub.wait().unwrap().success(), "the hub's exit");
        let mark = format!("PARACHUTE_HOME={}", self.root.join("home").display());
        let left: Vec<_> = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
                environ.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
            })
            .map(|entry| entry.file_name())
            .collect();
        assert!(left.is_empty(), "left after the stop: {left:?}");
        fs::remove_dir_all(&self.root).unwrap();
    }
}

/// The table, and the verdict: after the first tenth, the last third is not above the first third by more than the
/// noise of either.
fn report(samples: &[Sample]) {
    let steady = &samples[samples.len() / 10..];
    let third = steady.len() / 3;
    type Value = fn(&Sample) -> f64;
    let figures: [(&str, Value, f64); 6] = [
        ("PSS, KiB", |s| s.pss as f64, 256.0),
        ("anonymous memory, KiB", |s| s.own as f64, 256.0),
        ("descriptors", |s| s.fds as f64, 3.0),
        ("threads", |s| s.threads as f64, 1.0),
        ("processes below it", |s| s.processes as f64, 3.0),
        ("/api/status, µs", |s| s.health_us as f64, 2_000.0),
    ];
    println!("| figure | first third | last third | least | most |\n|---|---|---|---|---|");
    let mut grew = Vec::new();
    for (name, value, noise) in figures {
        let all: Vec<f64> = steady.iter().map(value).collect();
        let (first, last) = (median(&all[..third]), median(&all[all.len() - third..]));
        let (least, most) = all.iter().fold((f64::MAX, 0.0_f64), |(l, m), v| (l.min(*v), m.max(*v)));
        println!("| {name} | {first:.0} | {last:.0} | {least:.0} | {most:.0} |");
        if last > first + noise {
            grew.push(name);
        }
    }
    let last = samples.last().unwrap();
    println!(
        "\n{:.0} minutes, {} restarts, {:.1} MB of logs kept",
        last.minutes,
        last.restarts,
        last.logs as f64 / 1e6
    );
    assert!(grew.is_empty(), "these grew: {grew:?}");
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// One request; returns the bytes received until the end of the connection or of `patience`.
fn exchange(socket: &Path, method: &str, target: &str, patience: Duration) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    )
    .ok()?;
    let (mut answer, begun) = (Vec::new(), Instant::now());
    let mut block = [0; 65536];
    while begun.elapsed() < patience {
        match stream.read(&mut block) {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&block[..n]),
        }
    }
    String::from_utf8(answer).ok()
}

fn replace(file: &Path, text: &str) {
    let temp = file.with_extension("new");
    fs::write(&temp, text).unwrap();
    fs::rename(&temp, file).unwrap();
}

/// Number of child processes.
fn children(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks
        .map(|t| fs::read_to_string(t.path().join("children")).unwrap_or_default().split_whitespace().count())
        .sum()
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn free_port(from: u16) -> u16 {
    (from..).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

/// Plays a module.
fn play(kind: &str) {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let seed = u64::from(std::process::id());
    // The memory of last lines is full from the first run on: later growth is something else.
    for n in 0..1000 {
        println!("{n} {}", "z".repeat(90));
    }
    match kind {
        "crash" => {
            println!("bound, for a while");
            std::thread::sleep(Duration::from_secs(5 + seed * 7919 % 40));
            println!("last words");
            std::process::exit(3);
        }
        "chatty" => loop {
            // 100 lines a second, and every ten seconds 5 MB at once.
            for tick in 0..100 {
                for line in 0..10 {
                    println!("{tick} {line} {}", "x".repeat(80));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            let block = format!("{}\n", "y".repeat(99)).repeat(50_000);
            std::io::stdout().write_all(block.as_bytes()).unwrap();
        },
        "parent" => loop {
            // Children that exit by themselves, and an orphan.
            let mut child = Command::new("sh").args(["-c", "(sleep 1 &) ; exit 0"]).spawn().unwrap();
            child.wait().unwrap();
            std::thread::sleep(Duration::from_secs(2));
        },
        _ => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
    }
}
