//! pm2: programs without an interpreter; it does not rotate logs by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::peer::{Module, Peer, Verb, command, first_line, installed};

pub struct Pm2;

fn pm2(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(installed().join("npm/node_modules/.bin/pm2"), dir);
    command.env("PM2_HOME", dir.join("pm2")).args(args);
    command
}

impl Peer for Pm2 {
    fn name(&self) -> &'static str {
        "pm2"
    }

    fn version(&self) -> String {
        let text = std::fs::read_to_string(installed().join("npm/node_modules/pm2/package.json"));
        let package: serde_json::Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let mut node = command("node", Path::new("/"));
        node.arg("--version");
        format!("pm2 {}, node {}", package["version"].as_str().unwrap_or("?"), first_line(node))
    }

    fn there(&self) -> bool {
        installed().join("npm/node_modules/.bin/pm2").exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        let apps: Vec<_> = modules
            .iter()
            .map(|module| {
                json!({
                    "name": module.name, "script": module.argv[0], "args": module.argv[1..], "interpreter": "none",
                    "exec_mode": "fork", "kill_timeout": 1000, "autorestart": true, "max_restarts": 1_000_000,
                    "out_file": dir.join(format!("{}.log", module.name)), "cwd": dir,
                })
            })
            .collect();
        std::fs::write(dir.join("apps.json"), json!({ "apps": apps }).to_string()).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        vec![pm2(dir, &["start", "apps.json"])]
    }

    fn stop(&self, dir: &Path) -> Option<Command> {
        Some(pm2(dir, &["kill"]))
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        Some(pm2(dir, &["list"]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(pm2(dir, &[verb.word(), module]))
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join(format!("{module}.log")))
    }

    fn most(&self) -> usize {
        200
    }
}
