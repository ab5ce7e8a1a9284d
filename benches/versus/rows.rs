//! The measurements: one function per row. `None`: this manager has no such feature, or did not finish in time.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peer::{Peer, Verb};
use crate::stage::{Stage, anonymous, cpu, now, peak, pss};

/// One cell: the compared value (less is better unless the row says otherwise), and its text.
#[derive(Debug, Clone)]
pub struct Cell {
    pub value: f64,
    pub text: String,
}

/// Sizes and repetitions.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Crashes.
    pub crashes: usize,
    /// Bytes of a flood.
    pub bytes: usize,
    /// Runs of a command.
    pub runs: usize,
    /// Most modules.
    pub many: usize,
}

/// Several cells with the names of their rows, in display order.
pub type Cells = Vec<(&'static str, Cell)>;

/// A measurement of one manager.
pub type Measure = fn(&dyn Peer, &Path, &Size) -> Cells;

/// Every measurement and its name.
pub const ALL: [(&str, Measure); 9] = [
    ("respawn", respawn),
    ("up", up),
    ("kill9", kill9),
    ("pump", pump),
    ("line", line),
    ("status", status),
    ("verbs", verbs),
    ("stop20", stop20),
    ("flood", flood),
];

const LONG: Duration = Duration::from_secs(120);

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn cell(value: f64, text: String) -> Cell {
    Cell { value, text }
}

fn pick(sorted: &[f64], part: f64) -> f64 {
    let at = ((sorted.len() as f64 - 1.0) * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The first crash of each of as many modules: SIGKILL → the next run's `main`.
fn respawn(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    let count = size.crashes.min(peer.most());
    let mut stage = Stage::set(peer, tiny, &["idle"], count);
    stage.start();
    let Some((pids, _)) = stage.all_begun(LONG) else { return Cells::new() };
    std::thread::sleep(Duration::from_secs(2));
    let (mut took, mut missed, begun) = (Vec::new(), 0, Instant::now());
    for (name, pid) in &pids {
        // Slow managers get fewer samples.
        if begun.elapsed() > Duration::from_secs(15) {
            break;
        }
        let before = now();
        if kill(Pid::from_raw(i32::try_from(*pid).unwrap()), Signal::SIGKILL).is_err() {
            // It already had a second run: this is not its first crash.
            continue;
        }
        match stage.hear_of(name, "begun", Duration::from_secs(10)) {
            Some(said) => took.push(ms(said.at.saturating_sub(before))),
            None => missed += 1,
        }
    }
    took.sort_by(f64::total_cmp);
    let tried = took.len() + missed;
    Cells::from([
        ("crash → next life, p50 ms", cell(pick(&took, 0.5), format!("{:.1}", pick(&took, 0.5)))),
        (
            "crash → next life, max ms (missed of tried)",
            cell(pick(&took, 1.0), format!("{:.1} ({missed} of {tried})", pick(&took, 1.0))),
        ),
    ])
}

/// From the start of the manager to the `main` of the last module; and the manager's cost then.
fn up(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    const UP: [(usize, &str); 3] = [(10, "10 up, ms"), (50, "50 up, ms"), (1000, "1,000 up, ms")];
    const COST: [(usize, &str, &str); 4] = [
        (0, "PSS with 0, MiB (processes)", "anonymous memory with 0, MiB"),
        (10, "PSS with 10, MiB (processes)", "anonymous memory with 10, MiB"),
        (50, "PSS with 50, MiB (processes)", "anonymous memory with 50, MiB"),
        (1000, "PSS with 1,000, MiB (processes)", "anonymous memory with 1,000, MiB"),
    ];
    let mut cells = Cells::new();
    let mut costs = Cells::new();
    for (count, cost, own) in COST {
        if count > peer.most() || count > size.many {
            continue;
        }
        let mut stage = Stage::set(peer, tiny, &["idle"], count);
        let before = stage.start();
        let Some((_, last)) = stage.all_begun(LONG) else { continue };
        if let Some((_, name)) = UP.iter().find(|(up, _)| *up == count) {
            cells.push((name, cell(ms(last - before), format!("{:.0}", ms(last - before)))));
        }
        std::thread::sleep(Duration::from_secs(2));
        let mib = stage.sum(pss) as f64 / 1024.0;
        costs.push((cost, cell(mib, format!("{mib:.1} ({})", stage.managers().len()))));
        let mib = stage.sum(anonymous) as f64 / 1024.0;
        costs.push((own, cell(mib, format!("{mib:.1}"))));
        let _ = stage.stop(Duration::from_secs(30));
    }
    cells.extend(costs);
    cells
}

/// `kill -9` of the manager with ten modules; it is started again, and stopped.
fn kill9(peer: &dyn Peer, tiny: &Path, _: &Size) -> Cells {
    if peer.resident() {
        return Cells::new();
    }
    let mut stage = Stage::set(peer, tiny, &["idle"], 10);
    stage.start();
    if stage.all_begun(LONG).is_none() {
        return Cells::new();
    }
    std::thread::sleep(Duration::from_secs(2));
    stage.kill();
    std::thread::sleep(Duration::from_millis(500));
    let alive = stage.modules().len();
    stage.start();
    std::thread::sleep(Duration::from_secs(5));
    let after = stage.modules().len();
    let left = stage.stop(Duration::from_secs(10)).err().unwrap_or(0).max(stage.modules().len());
    let wrong = alive.abs_diff(10) + after.abs_diff(10) + left;
    Cells::from([(
        "`kill -9` of the manager: alive / after its restart / left by a stop (10/10/0)",
        cell(wrong as f64 + 1.0, format!("{alive}/{after}/{left}")),
    )])
}

/// From the first byte written to the last line in the log file, and its cost.
fn pump(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    const ROWS: [(usize, &str, &str); 3] = [
        (100, "lines of 100 bytes to a file, MB/s", "lines of 100 bytes to a file, CPU s per GB"),
        (20, "lines of 20 bytes, MB/s", "lines of 20 bytes, CPU s per GB"),
        (10_000, "lines of 10 kB, MB/s", "lines of 10 kB, CPU s per GB"),
    ];
    let mut cells = Cells::new();
    for (length, speed, cost) in ROWS {
        if let Some((took, used)) =
            poured(peer, tiny, &["lines", &size.bytes.to_string(), &length.to_string()])
        {
            let rate = size.bytes as f64 / 1e6 / took;
            // More is better: the reciprocal is compared.
            cells.push((speed, cell(1.0 / rate, format!("{rate:.0}"))));
            let per = used / (size.bytes as f64 / 1e9);
            cells.push((cost, cell(per, format!("{per:.1}"))));
        }
    }
    cells
}

/// Seconds, and CPU seconds of the manager, for one module's output.
fn poured(peer: &dyn Peer, tiny: &Path, kind: &[&str]) -> Option<(f64, f64)> {
    let mut stage = Stage::set(peer, tiny, kind, 1);
    let log = peer.log(&stage.dir, &stage.names[0])?;
    stage.start();
    let before = stage.hear("writing", LONG)?;
    let idle = stage.sum(cpu);
    let end = Instant::now() + LONG;
    while !ends_with(&log, b"all over\n") {
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = now() - before.at;
    Some((ms(took) / 1e3, (stage.sum(cpu) - idle) as f64 / 1e3))
}

fn ends_with(file: &Path, text: &[u8]) -> bool {
    let Ok(mut file) = std::fs::File::open(file) else { return false };
    let back = i64::try_from(text.len()).unwrap();
    let mut end = Vec::new();
    file.seek(SeekFrom::End(-back)).is_ok() && file.read_to_end(&mut end).is_ok() && end == text
}

/// One line of 100 MB: seconds until the log has the line after it, and the manager's peak memory.
fn line(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    let bytes = size.bytes.to_string();
    let mut stage = Stage::set(peer, tiny, &["line", &bytes], 1);
    let Some(log) = peer.log(&stage.dir, &stage.names[0]) else { return Cells::new() };
    stage.start();
    let Some(before) = stage.hear("writing", LONG) else { return Cells::new() };
    let end = Instant::now() + LONG;
    while !ends_with(&log, b"all over\n") {
        if Instant::now() > end {
            return Cells::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = ms(now() - before.at) / 1e3;
    let most = stage.sum(peak) as f64 / 1024.0;
    Cells::from([
        ("one line of 100 MB, s", cell(took, format!("{took:.2}"))),
        ("its peak, MiB", cell(most, format!("{most:.0}"))),
    ])
}

/// Lists ten modules.
fn status(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    let mut stage = Stage::set(peer, tiny, &["idle"], 10);
    stage.start();
    if stage.all_begun(LONG).is_none() {
        return Cells::new();
    }
    std::thread::sleep(Duration::from_secs(2));
    let took = timed(size.runs, || Stage::time(&mut peer.status(&stage.dir)?));
    one("status of 10, p50 ms", &took)
}

/// Milliseconds, sorted; nothing if one of them failed.
fn timed(runs: usize, mut run: impl FnMut() -> Option<Duration>) -> Vec<f64> {
    let took: Option<Vec<f64>> = (0..runs).map(|_| run().map(|took| took.as_secs_f64() * 1e3)).collect();
    let mut took = took.unwrap_or_default();
    took.sort_by(f64::total_cmp);
    took
}

fn one(row: &'static str, sorted: &[f64]) -> Cells {
    if sorted.is_empty() {
        return Cells::new();
    }
    Cells::from([(row, cell(pick(sorted, 0.5), format!("{:.1}", pick(sorted, 0.5))))])
}

/// One module stopped, started, restarted: until the command returns. It binds a port if it has one, so that a manager
/// that waits for readiness has something to wait for.
fn verbs(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    let mut stage = Stage::set(peer, tiny, &["bind"], 10);
    stage.start();
    if stage.all_begun(LONG).is_none() {
        return Cells::new();
    }
    std::thread::sleep(Duration::from_secs(2));
    let runs = size.runs.min(10);
    let (mut stops, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let name = stage.names[3].clone();
        let run = |verb| Some(Stage::time(&mut peer.verb(&stage.dir, verb, &name)?)?.as_secs_f64() * 1e3);
        let (Some(stop), Some(start)) = (run(Verb::Stop), run(Verb::Start)) else { return Cells::new() };
        stops.push(stop);
        starts.push(start);
    }
    let restarts = timed(runs, || Stage::time(&mut peer.verb(&stage.dir, Verb::Restart, &stage.names[4])?));
    stops.sort_by(f64::total_cmp);
    starts.sort_by(f64::total_cmp);
    let mut cells = one("stop of one, p50 ms", &stops);
    cells.extend(one("start of one, p50 ms", &starts));
    cells.extend(one("restart of one, p50 ms", &restarts));
    cells
}

/// Twenty modules that ignore SIGTERM: until no process is left. Each gets one second.
fn stop20(peer: &dyn Peer, tiny: &Path, _: &Size) -> Cells {
    let deaf = ["/bin/sh", "/tmp/versus/deaf"];
    let script = "trap '' TERM INT HUP\nexec \"$@\"\n";
    std::fs::create_dir_all("/tmp/versus").unwrap();
    std::fs::write("/tmp/versus/deaf", script).unwrap();
    let mut stage = Stage::set_with(peer, tiny, &["idle"], 20, &deaf);
    stage.start();
    if stage.all_begun(LONG).is_none() {
        return Cells::new();
    }
    std::thread::sleep(Duration::from_secs(2));
    let row = "stop of 20 that ignore SIGTERM, s (left)";
    Cells::from([match stage.stop(Duration::from_secs(30)) {
        Ok(took) => (row, cell(took.as_secs_f64(), format!("{:.2} (0)", took.as_secs_f64()))),
        Err(left) => (row, cell(1e9, format!("> 30 ({left})"))),
    }])
}

/// Lists the modules while one of them writes as fast as it can.
fn flood(peer: &dyn Peer, tiny: &Path, size: &Size) -> Cells {
    let bytes = (size.bytes * 40).to_string();
    let mut stage = Stage::set(peer, tiny, &["lines", &bytes, "100"], 1);
    stage.start();
    if stage.hear("writing", LONG).is_none() {
        return Cells::new();
    }
    let took = timed(size.runs, || Stage::time(&mut peer.status(&stage.dir)?));
    if took.is_empty() {
        return Cells::new();
    }
    let (p50, p99) = (pick(&took, 0.5), pick(&took, 0.99));
    Cells::from([("status during a flood, p50 (p99) ms", cell(p50, format!("{p50:.1} ({p99:.1})")))])
}
