//! Throughput of a module's output through the hub: `cargo bench --bench pump`.
//!
//! The real threads, a real pipe filled by a child process (this program again), the hub's stdout going to a file and
//! the rotated log file written. Prints MB/s of the module's bytes, CPU seconds and peak memory of this process
//! alone.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures with the clock, starts its feeder and prints"
)]

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use parachute::logs::collector::LogCollector;
use parachute::logs::line::Stream;
use parachute::logs::stdout::StdoutSink;
use parachute::module::launch::LogLimits;
use parachute::module::name::Short;

const MB: usize = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("feed-lines") => return Ok(feed(200 * MB, &[[b'x'; 99].as_slice(), b"\n"].concat())?),
        Some("feed-long") => return Ok(feed(100 * MB, &[b'x'; 100])?),
        Some("feed-empty") => return Ok(feed(20 * MB, &[b'\n'; 100])?),
        Some("measure") => return measure(&args[2]),
        _ => {}
    }
    println!("{:<12}{:>8}{:>10}{:>10}{:>10}{:>12}", "input", "MB", "wall s", "MB/s", "CPU s", "peak MiB");
    // A process for each, so that the peak of one is not hidden by another's.
    for what in ["feed-lines", "feed-long", "feed-empty"] {
        for _ in 0..3 {
            Command::new(std::env::current_exe()?).args(["measure", what]).status()?;
        }
    }
    Ok(())
}

fn feed(bytes: usize, pattern: &[u8]) -> io::Result<()> {
    let block = pattern.repeat(64 * 1024 / pattern.len());
    let mut left = bytes;
    let mut out = io::stdout().lock();
    while left > 0 {
        let piece = left.min(block.len());
        out.write_all(&block[..piece])?;
        left -= piece;
    }
    out.flush()
}

fn measure(what: &str) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let logs = LogCollector::start(StdoutSink::new(File::create(dir.path().join("stdout"))?.into()))?;
    let log = logs.open(&Short::new("vault")?, dir.path().join("vault.log"), LogLimits::default());
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build()?;

    let begin = Instant::now();
    let mut child = Command::new(std::env::current_exe()?).arg(what).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("no stdout")?;
    let mut pump = log.attach(Stream::Out, out.into());
    clock.block_on(pump.drained());
    if !clock.block_on(logs.shutdown(Duration::from_secs(10))) {
        return Err("not flushed".into());
    }
    let wall = begin.elapsed().as_secs_f64();

    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let megabytes = match what {
        "feed-lines" => 200,
        "feed-long" => 100,
        _ => 20,
    };
    println!(
        "{:<12}{megabytes:>8}{wall:>10.3}{:>10.0}{:>10.3}{:>12.1}",
        what.trim_start_matches("feed-"),
        f64::from(megabytes) / wall,
        seconds(usage.user_time()) + seconds(usage.system_time()),
        usage.max_rss() as f64 / 1024.0,
    );
    child.wait()?;
    Ok(())
}
