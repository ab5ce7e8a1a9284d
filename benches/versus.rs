//! Ours and the others on one machine, in one run: `cargo bench --bench versus [-- --only NAME…] [--rows NAME…]
//! [--rounds N] [--quick]`.
//!
//! Installs what it compares with below `target/versus` (`versus/install.sh`), builds one trivial static module, gives it to
//! every manager in turn, round after round, and writes `target/versus/results.{md,json,svg}`. Needs root, for a PID
//! namespace of its own: nothing that it starts outlives it, and nothing else is in it. With `--publish` the table in
//! `docs/benchmarks.md` and its picture are replaced.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "a bench measures real processes, panics when it cannot, and prints"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

#[path = "versus/peer.rs"]
mod peer;
#[path = "versus/peers/mod.rs"]
mod peers;
#[path = "versus/rows.rs"]
mod rows;
#[path = "versus/stage.rs"]
mod stage;
#[path = "versus/table.rs"]
mod table;

use peer::Peer;
use rows::Size;
use table::Results;

/// Those that people look at first.
const FIRST: [&str; 3] = ["crash → next life, p50 ms", "10 up, ms", "PSS with 10, MiB (processes)"];
/// Set in the namespace of its own.
const INSIDE: &str = "VERSUS_INSIDE";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if std::env::var_os(INSIDE).is_none() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = Command::new(root.join("benches/versus/install.sh")).arg(peer::installed()).status();
        assert!(installed.unwrap().success(), "what is compared could not be installed");
        build_tiny();
        // Everything below is init of its own namespace and what it starts. s6 is built to find itself and its
        // libraries in /usr: it does, in here.
        let script = "for dir in bin lib/x86_64-linux-gnu; do \
                      mount -t overlay -o lowerdir=\"$1/deb/root/usr/$dir:/usr/$dir\" none /usr/$dir || exit 1; done; \
                      shift; exec \"$@\"";
        let status = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh", "-c", script, "sh"])
            .arg(peer::installed())
            .arg(std::env::current_exe().unwrap())
            .args(&args)
            .env(INSIDE, "1")
            .status();
        std::process::exit(status.unwrap().code().unwrap_or(1));
    }
    run(&args);
}

fn tiny() -> PathBuf {
    peer::installed().join("tiny")
}

fn build_tiny() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/versus/tiny.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-O", "-C", "target-feature=+crt-static", "-C", "panic=abort", "-o"]);
    assert!(rustc.arg(tiny()).arg(source).status().unwrap().success(), "the module cannot be built");
}

/// The words after a flag, up to the next one.
fn after<'a>(args: &'a [String], flag: &str) -> Vec<&'a str> {
    let words = args.iter().skip_while(|arg| *arg != flag).skip(1);
    words.take_while(|arg| !arg.starts_with("--")).map(String::as_str).collect()
}

fn run(args: &[String]) {
    let quick = args.iter().any(|arg| arg == "--quick");
    let (only, wanted) = (after(args, "--only"), after(args, "--rows"));
    let rounds = after(args, "--rounds").first().map_or(if quick { 1 } else { 3 }, |n| n.parse().unwrap());
    let size = if quick {
        Size { crashes: 20, bytes: 10_000_000, runs: 5, many: 50 }
    } else {
        Size { crashes: 200, bytes: 100_000_000, runs: 20, many: 1000 }
    };
    let all: Vec<Box<dyn Peer>> = peers::all()
        .into_iter()
        .filter(|peer| peer.there() && (only.is_empty() || only.contains(&peer.name())))
        .collect();
    let names: Vec<&'static str> = all.iter().map(|peer| peer.name()).collect();
    let mut results: Results = Vec::new();
    for (row, measure) in rows::ALL.iter().filter(|(row, _)| wanted.is_empty() || wanted.contains(row)) {
        for round in 0..rounds {
            for peer in &all {
                eprintln!("{row}, round {}, {}, load {}", round + 1, peer.name(), load());
                for (name, cell) in measure(peer.as_ref(), &tiny(), &size) {
                    let at = results.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                        results.push((name, BTreeMap::new()));
                        results.len() - 1
                    });
                    results[at].1.entry(peer.name()).or_default().push(cell);
                }
            }
        }
        // Kept as it goes: a run that is cut short has been one.
        write(&results, &names, &all, rounds);
    }
    println!("{}", table::markdown(&results, &names));
    if args.iter().any(|arg| arg == "--publish") {
        publish(&results, &names, &about(&all, rounds));
    }
}

fn write(results: &Results, names: &[&'static str], all: &[Box<dyn Peer>], rounds: usize) {
    let dir = peer::installed();
    let about = about(all, rounds);
    fs::write(dir.join("results.md"), table::markdown(results, names)).unwrap();
    let text = serde_json::to_string_pretty(&table::as_json(results, &about)).unwrap();
    fs::write(dir.join("results.json"), text).unwrap();
    fs::write(dir.join("results.svg"), table::svg(results, names, &FIRST)).unwrap();
}

fn about(all: &[Box<dyn Peer>], rounds: usize) -> serde_json::Value {
    let first = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once([':', '='])
            .map_or("?".to_owned(), |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let versions: BTreeMap<&str, String> = all.iter().map(|peer| (peer.name(), peer.version())).collect();
    json!({
        "processor": first("/proc/cpuinfo", "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "system": first("/etc/os-release", "PRETTY_NAME"),
        "load": load(),
        "rounds": rounds,
        "versions": versions,
    })
}

/// Between its marks, `docs/benchmarks.md` holds what was measured last.
fn publish(results: &Results, names: &[&'static str], about: &serde_json::Value) {
    const MARKS: [&str; 2] = ["<!-- versus: begin -->\n", "<!-- versus: end -->\n"];
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let text = fs::read_to_string(docs.join("benchmarks.md")).unwrap();
    let (before, rest) = text.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let versions: Vec<String> = about["versions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, version)| format!("{name}: {}", version.as_str().unwrap_or("?")))
        .collect();
    let machine = format!(
        "{} × {}, {}, Linux {}; load {} at the end; medians of {} rounds, one manager after the other in each.\n\n{}.\n",
        about["processors"],
        about["processor"].as_str().unwrap(),
        about["system"].as_str().unwrap(),
        about["kernel"].as_str().unwrap(),
        about["load"].as_str().unwrap(),
        about["rounds"],
        versions.join(" · ")
    );
    let table = table::markdown(results, names);
    fs::write(
        docs.join("benchmarks.md"),
        format!("{before}{}{machine}\n{table}{}{after}", MARKS[0], MARKS[1]),
    )
    .unwrap();
    fs::write(docs.join("benchmarks.svg"), table::svg(results, names, &FIRST)).unwrap();
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
