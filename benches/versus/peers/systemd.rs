//! systemd: the system manager of a lab (`tests/lab/systemd-lab`), which runs before anything is measured and cannot be
//! killed. Its cost is that of PID 1 and the journal; it reads new units before it starts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, first_line};

/// Units that vanish with the machine.
const UNITS: &str = "/run/systemd/system";

pub struct Systemd;

fn systemctl(dir: &Path, args: &[&str]) -> Command {
    let mut command = command("systemctl", dir);
    command.args(args);
    command
}

impl Peer for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn version(&self) -> String {
        first_line(systemctl(Path::new("/"), &["--version"]))
    }

    fn there(&self) -> bool {
        Path::new("/run/systemd/system").exists()
    }

    fn resident(&self) -> bool {
        true
    }

    fn is_manager(&self, line: &str) -> bool {
        line.contains("systemd-journald") || line.starts_with("/lib/systemd/systemd ")
    }

    fn configure(&self, _: &Path, modules: &[Module]) {
        for entry in fs::read_dir(UNITS).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("m0") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for module in modules {
            let text = format!(
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={}\nRestart=always\nRestartSec=0\nTimeoutStopSec=1\n",
                module.argv.join(" ")
            );
            fs::write(format!("{UNITS}/{}.service", module.name), text).unwrap();
        }
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        let mut command = command("/bin/sh", dir);
        command.args([
            "-c",
            &format!("systemctl daemon-reload && cd {UNITS} && ls | grep ^m0 | xargs -r systemctl start"),
        ]);
        vec![command]
    }

    fn stop(&self, dir: &Path) -> Option<Command> {
        Some(systemctl(dir, &["stop", "m0*.service"]))
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        Some(systemctl(dir, &["--no-pager", "list-units", "m0*.service"]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(systemctl(dir, &[verb.word(), &format!("{module}.service")]))
    }

    fn log(&self, _: &Path, _: &str) -> Option<PathBuf> {
        None
    }
}
