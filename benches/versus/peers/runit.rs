//! runit: runsvdir, one runsv per module; where output counts, one svlogd per module, which rotates at 1 MB by default.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, installed, script};

pub struct Runit;

fn tool(name: &str) -> PathBuf {
    let root = installed().join("deb/root/usr/bin");
    root.join(name)
}

fn run(name: &str, dir: &Path, args: &[&str]) -> Command {
    let mut command = command(tool(name), dir);
    let path = format!("{}:/usr/bin:/bin", tool("").display());
    command.env("PATH", path).args(args);
    command
}

impl Peer for Runit {
    fn name(&self) -> &'static str {
        "runit"
    }

    fn version(&self) -> String {
        "runit 2.1.2 (Debian)".to_owned()
    }

    fn there(&self) -> bool {
        tool("runsvdir").exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        for module in modules {
            let service = dir.join("sv").join(&module.name);
            script(&service.join("run"), &format!("#!/bin/sh\nexec {}\n", module.argv.join(" ")));
            if module.argv.iter().any(|word| word.starts_with("line")) {
                let logs = dir.join("logs").join(&module.name);
                fs::create_dir_all(&logs).unwrap();
                script(&service.join("log/run"), &format!("#!/bin/sh\nexec svlogd {}\n", logs.display()));
            }
        }
        fs::create_dir_all(dir.join("sv")).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        vec![run("runsvdir", dir, &["sv"])]
    }

    fn stop(&self, dir: &Path) -> Option<Command> {
        // Each service is stopped, and killed after a second; then runsvdir gets SIGHUP.
        let mut command = command("/bin/sh", dir);
        let script = format!(
            "export PATH={}:$PATH SVDIR={}/sv; ls sv | xargs -r sv -w 1 force-shutdown > /dev/null 2>&1; \
             kill -HUP $(cat first.pid) 2> /dev/null; exit 0",
            tool("").display(),
            dir.display()
        );
        command.args(["-c", &script]);
        Some(command)
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        let mut command = command("/bin/sh", dir);
        let script = format!("exec {} status $PWD/sv/*", tool("sv").display());
        command.args(["-c", &script]);
        Some(command)
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(run("sv", dir, &[verb.word(), dir.join("sv").join(module).to_str().unwrap()]))
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join("logs").join(module).join("current"))
    }
}
