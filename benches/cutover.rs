//! Downtime of modules during `migrate --to-supervised`, on a real systemd:
//! `cargo bench --bench cutover [-- ROUNDS]`. Needs root, as the lab does. Prints one Markdown table.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench measures a real system, panics when it cannot, and prints"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const LAB: &str = "tests/lab/systemd-lab";
const NAME: &str = "bench-cutover";

/// One round in the lab: four daemons, the cutover, and the way back.
const ROUND: &str = r#"
. /opt/legacy/legacy.sh
PATH=/opt/parachute:$PATH
H=$HOME/.parachute F=/opt/fixture/examples/fixture
if [ ! -e $H ]; then legacy_home $H $F; legacy_start $H $F; fi
parachute migrate --to-supervised --yes --json 2> /dev/null
parachute migrate --teardown --back-to-detached --yes > /dev/null 2>&1
"#;
/// A module's own start time: from the first instruction of a shell to an open port.
const OWN: &str = r#"
cd $HOME/.parachute-modules/vault
begun=$(date +%s%N)
PORT=2940 ./server server > /dev/null 2>&1 & pid=$!
until (: > /dev/tcp/127.0.0.1/2940) 2> /dev/null; do :; done
echo $(( ($(date +%s%N) - begun) / 1000 ))
kill $pid
"#;

fn lab(args: &[&str]) -> String {
    let mut command = Command::new(LAB);
    let output = command.args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn inside(script: &str) -> String {
    lab(&["exec", NAME, "--user", "lab", "--", "bash", "-c", script])
}

/// Ends the lab in any case.
struct Lab;

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new(LAB).args(["down", NAME]).status();
    }
}

fn main() {
    let rounds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(10);
    let binary = Path::new(env!("CARGO_BIN_EXE_parachute")).parent().unwrap();
    let fixture = Path::new("target/debug");
    if !fixture.join("examples/fixture").exists() {
        eprintln!("first: cargo build --examples");
        return;
    }
    let bind = |from: &Path, to: &str| format!("{}:{to}", from.canonicalize().unwrap().display());
    let binds = [
        bind(binary, "/opt/parachute"),
        bind(fixture, "/opt/fixture"),
        bind(Path::new("tests/support"), "/opt/legacy"),
    ];
    let lab_ = Lab;
    lab(&["up", NAME, "--bind", &binds[0], "--bind", &binds[1], "--bind", &binds[2]]);
    let mut away: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut own = Vec::new();
    for _ in 0..rounds {
        let report: Value = serde_json::from_str(&inside(ROUND)).unwrap();
        for note in report["notes"].as_array().unwrap() {
            let text = note["text"].as_str().unwrap();
            if let Some((module, rest)) = text.split_once(" was away for ") {
                let ms = rest.split(' ').next().unwrap().parse().unwrap();
                away.entry(module.to_owned()).or_default().push(ms);
            }
        }
        own.push(inside(OWN).trim().parse::<u64>().unwrap() / 1000);
    }
    drop(lab_);
    println!("| what | p50 ms | max ms | rounds |\n|---|---|---|---|");
    let row = |what: &str, mut all: Vec<u64>| {
        all.sort_unstable();
        println!("| {what} | {} | {} | {} |", all[all.len() / 2], all[all.len() - 1], all.len());
    };
    for (module, all) in away {
        row(&format!("{module} away"), all);
    }
    row("a module's own start", own);
}
