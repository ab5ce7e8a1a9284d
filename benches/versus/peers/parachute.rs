//! parachute: workers that bind nothing, everything else with defaults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::peer::{Module, Peer, Verb, command, first_line};

/// The measured program.
pub const BINARY: &str = env!("CARGO_BIN_EXE_parachute");

pub struct Parachute;

fn parachute(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(BINARY, dir);
    // No service manager can be used.
    command
        .env("PARACHUTE_HOME", dir.join("home"))
        .env("PARACHUTE_TOOLS_UNDER", dir.join("tools"))
        .args(args);
    command
}

impl Peer for Parachute {
    fn name(&self) -> &'static str {
        "parachute"
    }

    fn version(&self) -> String {
        first_line(parachute(Path::new("/"), &["--version"]))
    }

    fn there(&self) -> bool {
        true
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        let home = dir.join("home");
        let mut rows = Vec::new();
        for (n, module) in modules.iter().enumerate() {
            let install = home.join("modules").join(&module.name);
            fs::create_dir_all(install.join(".parachute")).unwrap();
            let port = 20_000 + n;
            let manifest = json!({
                "name": module.name, "manifestName": module.name, "port": port, "paths": [], "health": "/",
                "startCmd": module.argv, "supervise": { "listen": module.argv.iter().any(|word| word == "bind"), "kill_timeout": "1s" },
            });
            fs::write(install.join(".parachute/module.json"), manifest.to_string()).unwrap();
            rows.push(json!({
                "name": module.name, "port": port, "paths": [], "health": "/", "version": "1",
                "installDir": install,
            }));
        }
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("services.json"), json!({ "services": rows }).to_string()).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        vec![parachute(dir, &["serve", "--port", "0"])]
    }

    fn stop(&self, _: &Path) -> Option<Command> {
        None
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        Some(parachute(dir, &["status"]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(parachute(dir, &[verb.word(), module]))
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join("home").join(module).join("logs").join(format!("{module}.log")))
    }
}
