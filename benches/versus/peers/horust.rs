//! horust: one TOML file per module; output goes to files that are not rotated.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, installed};

pub struct Horust;

fn tool() -> PathBuf {
    installed().join("cargo/bin/horust")
}

impl Peer for Horust {
    fn name(&self) -> &'static str {
        "horust"
    }

    fn version(&self) -> String {
        // It does not print its version; cargo recorded it at the installation.
        let list = fs::read_to_string(installed().join("cargo/.crates.toml")).unwrap_or_default();
        list.split_once("\"horust ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or("?")
            .to_owned()
    }

    fn there(&self) -> bool {
        tool().exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        fs::create_dir_all(dir.join("services")).unwrap();
        for module in modules {
            let text = format!(
                "command = \"{0}\"\nstdout = \"{1}/{2}.log\"\n[restart]\nstrategy = \"always\"\nbackoff = \"0s\"\n\
                 attempts = 1000000\n[termination]\nsignal = \"TERM\"\nwait = \"1s\"\n",
                module.argv.join(" "),
                dir.display(),
                module.name
            );
            fs::write(dir.join("services").join(format!("{}.toml", module.name)), text).unwrap();
        }
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        let mut command = command(tool(), dir);
        command.args(["--services-path", "services"]).arg("--uds-folder-path").arg(dir);
        vec![command]
    }

    fn stop(&self, _: &Path) -> Option<Command> {
        None
    }

    fn status(&self, _: &Path) -> Option<Command> {
        None
    }

    fn verb(&self, _: &Path, _: Verb, _: &str) -> Option<Command> {
        None
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join(format!("{module}.log")))
    }

    fn most(&self) -> usize {
        200
    }
}
