//! parachute and other managers on one machine, in one run: `cargo bench --bench versus [-- --only NAME…] [--rows
//! NAME…] [--rounds N] [--quick]`.
//!
//! Installs the other managers below `target/versus` (`versus/install.sh`), builds one trivial static module, gives it
//! to every manager in turn, round after round, and writes `target/versus/results.{md,json,svg}`. Needs root, for its
//! own PID namespace: no process it starts survives it, and no other process is in it. With `--publish` the table in
//! `docs/benchmarks.md` and its chart are replaced; with `--draw` nothing is measured, and the last results are written
//! again.
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

use serde_json::{Value, json};

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

/// The most important rows.
const FIRST: [&str; 3] = [
    "crash → next life, p50 ms",
    "PSS with 10, MiB (processes)",
    "lines of 100 bytes to a file, CPU s per GB",
];
/// Where this program runs: not set outside, `namespace` or `lab` inside.
const INSIDE: &str = "VERSUS_INSIDE";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match std::env::var(INSIDE).ok().as_deref() {
        Some("lab") => println!("{}", run(&args, true)),
        Some(_) => fs::write(results("json"), run(&args, false).to_string()).unwrap(),
        None => {
            let failed = if args.iter().any(|arg| arg == "--draw") { Vec::new() } else { outside(&args) };
            let all: Value = serde_json::from_str(&fs::read_to_string(results("json")).unwrap()).unwrap();
            write(&all);
            println!("{}", fs::read_to_string(results("md")).unwrap());
            assert!(failed.is_empty(), "the table is incomplete: {}", failed.join("; "));
            if args.iter().any(|arg| arg == "--publish") {
                publish(&all);
            }
        }
    }
}

fn results(extension: &str) -> PathBuf {
    peer::installed().join("results").with_extension(extension)
}

/// Installs the managers, measures them, and writes the results. Returns the failures: the rest is written.
fn outside(args: &[String]) -> Vec<String> {
    let mut failed = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(root.join("benches/versus/install.sh")).arg(peer::installed()).status();
    assert!(installed.unwrap().success(), "what is compared could not be installed");
    build_tiny();
    // Everything below is init of its own namespace and its children. s6 is built to find itself and its
    // libraries in /usr, which are there in this namespace.
    let script = "for dir in bin lib/x86_64-linux-gnu; do \
                  mount -t overlay -o lowerdir=\"$1/deb/root/usr/$dir:/usr/$dir\" none /usr/$dir || exit 1; done; \
                  shift; exec \"$@\"";
    let own = std::env::current_exe().unwrap();
    // Results of an earlier run must not be taken for this one's.
    let _ = fs::remove_file(results("json"));
    let status = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh", "-c", script, "sh"])
        .arg(peer::installed())
        .arg(&own)
        .args(args)
        .env(INSIDE, "namespace")
        .status();
    let status = status.unwrap();
    if !status.success() {
        failed.push(format!("the run beside systemd's ended early: {status}"));
    }
    let nothing = || table::as_json(&Vec::new(), &about(&[], 0)).to_string();
    let kept = fs::read_to_string(results("json")).unwrap_or_else(|_| nothing());
    let mut all: Value = serde_json::from_str(&kept).unwrap();
    if after(args, "--only").is_empty() || after(args, "--only").contains(&"systemd") {
        failed.extend(in_a_lab(root, &own, args, &mut all).err());
    }
    let cells = |all: &Value| all["about"]["failed"].as_array().cloned().unwrap_or_default();
    failed.extend(cells(&all).iter().filter_map(|cell| cell.as_str().map(str::to_owned)));
    fs::write(results("json"), all.to_string()).unwrap();
    failed
}

/// systemd needs its own machine. If there is none, its column is missing, and the output says so.
///
/// # Errors
/// The lab started, and the run in it failed.
fn in_a_lab(root: &Path, own: &Path, args: &[String], all: &mut Value) -> Result<(), String> {
    let lab = |words: &[&str]| {
        let mut lab = Command::new(root.join("tests/lab/systemd-lab"));
        lab.args(words);
        lab
    };
    // Directories that the lab hides (/tmp) are bound into it.
    let shown = |dir: &Path| format!("{0}:{0}", fs::canonicalize(dir).unwrap().display());
    let (bench, program) = (own.parent().unwrap(), Path::new(peers::BINARY).parent().unwrap());
    let mut up = lab(&["up", "versus", "--ttl", "7200"]);
    for dir in [bench, program, &peer::installed()] {
        up.args(["--bind", &shown(dir)]);
    }
    if !up.status().unwrap().success() {
        eprintln!("no lab here: systemd is not measured");
        return Ok(());
    }
    let mut inside = lab(&["exec", "versus", "--", "env", &format!("{INSIDE}=lab")]);
    let output = inside.arg(own).args(args).stderr(std::process::Stdio::inherit()).output().unwrap();
    let down = lab(&["down", "versus"]).status().unwrap();
    if !down.success() || !output.status.success() {
        return Err(format!("the run in the lab failed: {}; its end: {down}", output.status));
    }
    let more: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("the lab's results: {e}"))?;
    let mut rows = table::from_json(all);
    table::join(&mut rows, table::from_json(&more));
    for (name, version) in more["about"]["versions"].as_object().into_iter().flatten() {
        all["about"]["versions"][name] = version.clone();
    }
    let failed = more["about"]["failed"].as_array().cloned().unwrap_or_default();
    if let Some(known) = all["about"]["failed"].as_array_mut() {
        known.extend(failed);
    }
    *all = table::as_json(&rows, &all["about"]);
    Ok(())
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

/// The arguments after a flag, up to the next one.
fn after<'a>(args: &'a [String], flag: &str) -> Vec<&'a str> {
    let words = args.iter().skip_while(|arg| *arg != flag).skip(1);
    words.take_while(|arg| !arg.starts_with("--")).map(String::as_str).collect()
}

/// Measures the managers of this environment, and returns the results as JSON.
fn run(args: &[String], in_lab: bool) -> Value {
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
        .filter(|peer| peer.resident() == in_lab && peer.there())
        .filter(|peer| only.is_empty() || only.contains(&peer.name()))
        .collect();
    let mut results: Results = Vec::new();
    let mut failed: Vec<String> = Vec::new();
    for (row, measure) in rows::ALL.iter().filter(|(row, _)| wanted.is_empty() || wanted.contains(row)) {
        for round in 0..rounds {
            for peer in &all {
                eprintln!("{row}, round {}, {}, load {}", round + 1, peer.name(), load());
                // A failed measurement leaves its own cell empty, not the table.
                let measured = || measure(peer.as_ref(), &tiny(), &size);
                let cells =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(measured)).unwrap_or_else(|_| {
                        failed.push(format!("{row}, round {}, {}", round + 1, peer.name()));
                        Vec::new()
                    });
                for (name, cell) in cells {
                    let at = results.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                        results.push((name.to_owned(), BTreeMap::new()));
                        results.len() - 1
                    });
                    results[at].1.entry(peer.name().to_owned()).or_default().push(cell);
                }
            }
        }
        // Written during the run, so that an aborted run leaves a table. The lab has the directory read-only.
        if !in_lab {
            write(&with(&failed, table::as_json(&results, &about(&all, rounds))));
        }
    }
    with(&failed, table::as_json(&results, &about(&all, rounds)))
}

/// The same, with the failed measurements.
fn with(failed: &[String], mut all: Value) -> Value {
    all["about"]["failed"] = json!(failed);
    all
}

/// The measured managers, in the order of `peers`.
fn names(all: &Value) -> Vec<String> {
    let versions = &all["about"]["versions"];
    let names = peers::all().into_iter().map(|peer| peer.name().to_owned());
    names.filter(|name| versions.get(name).is_some()).collect()
}

fn write(all: &Value) {
    let (rows, names) = (table::from_json(all), names(all));
    fs::write(results("json"), serde_json::to_string_pretty(all).unwrap()).unwrap();
    fs::write(results("md"), table::markdown(&rows, &names)).unwrap();
    fs::write(results("svg"), table::svg(&rows, &names, &FIRST)).unwrap();
}

fn about(all: &[Box<dyn Peer>], rounds: usize) -> Value {
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

/// `docs/benchmarks.md` holds the last results between its marks.
fn publish(all: &Value) {
    let about = &all["about"];
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
    let table = fs::read_to_string(results("md")).unwrap();
    fs::write(
        docs.join("benchmarks.md"),
        format!("{before}{}{machine}\n{table}{}{after}", MARKS[0], MARKS[1]),
    )
    .unwrap();
    fs::copy(results("svg"), docs.join("benchmarks.svg")).unwrap();
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
