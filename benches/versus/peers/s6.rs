//! s6: s6-svscan, one s6-supervise per module; where output counts, one s6-log per module, which rotates at 1 MB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, installed, script};

pub struct S6;

fn root() -> PathBuf {
    installed().join("deb/root")
}

fn run(name: &str, dir: &Path, args: &[&str]) -> Command {
    let mut command = command(root().join("usr/bin").join(name), dir);
    let bin = root().join("usr/bin");
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("LD_LIBRARY_PATH", root().join("usr/lib/x86_64-linux-gnu")).args(args);
    command
}

impl Peer for S6 {
    fn name(&self) -> &'static str {
        "s6"
    }

    fn version(&self) -> String {
        "s6 2.11.3 (Debian)".to_owned()
    }

    fn there(&self) -> bool {
        root().join("usr/bin/s6-svscan").exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        for module in modules {
            let service = dir.join("sv").join(&module.name);
            script(&service.join("run"), &format!("#!/bin/sh\nexec {}\n", module.argv.join(" ")));
            fs::write(service.join("timeout-kill"), "1000\n").unwrap();
            if module.argv.iter().any(|word| word.starts_with("line")) {
                let logs = dir.join("logs").join(&module.name);
                fs::create_dir_all(&logs).unwrap();
                let run = format!("#!/bin/sh\nexec s6-log n20 s1000000 {}\n", logs.display());
                script(&service.join("log/run"), &run);
            }
        }
        fs::create_dir_all(dir.join("sv")).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        vec![run("s6-svscan", dir, &["-c", "4000", "sv"])]
    }

    fn stop(&self, dir: &Path) -> Option<Command> {
        Some(run("s6-svscanctl", dir, &["-t", "sv"]))
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        let svstat = root().join("usr/bin/s6-svstat");
        // Joining an absolute name gives that name.
        Some(run("/bin/sh", dir, &["-c", &format!("for s in sv/*; do {} $s; done", svstat.display())]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        let service = dir.join("sv").join(module);
        let service = service.to_str().unwrap();
        Some(match verb {
            Verb::Start => run("s6-svc", dir, &["-u", "-wu", service]),
            Verb::Stop => run("s6-svc", dir, &["-d", "-wD", service]),
            Verb::Restart => run("s6-svc", dir, &["-r", "-wr", service]),
        })
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join("logs").join(module).join("current"))
    }
}
