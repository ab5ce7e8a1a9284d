//! circus: one watcher per module; files rotate at 10 MB.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, first_line, installed};

pub struct Circus;

fn tool(name: &str) -> PathBuf {
    installed().join("py/bin").join(name)
}

fn ctl(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(tool("circusctl"), dir);
    command.args(["--endpoint", &endpoint(dir, "c")]).args(args);
    command
}

fn endpoint(dir: &Path, name: &str) -> String {
    format!("ipc://{}/{name}.sock", dir.display())
}

impl Peer for Circus {
    fn name(&self) -> &'static str {
        "circus"
    }

    fn version(&self) -> String {
        let mut ask = command(tool("circusd"), Path::new("/"));
        ask.arg("--version");
        first_line(ask)
    }

    fn there(&self) -> bool {
        tool("circusd").exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        let mut text = format!(
            "[circus]\nendpoint = {}\npubsub_endpoint = {}\nstatsd = False\n",
            endpoint(dir, "c"),
            endpoint(dir, "p")
        );
        for module in modules {
            let (program, args) = module.argv.split_first().unwrap();
            text.push_str(&format!(
                "[watcher:{0}]\ncmd = {program}\nargs = {1}\ngraceful_timeout = 1\nmax_retry = -1\n\
                 stdout_stream.class = FileStream\nstdout_stream.filename = {2}/{0}.log\n\
                 stdout_stream.max_bytes = 10000000\nstdout_stream.backup_count = 5\n",
                module.name,
                args.join(" "),
                dir.display()
            ));
        }
        std::fs::write(dir.join("circus.ini"), text).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        let mut command = command(tool("circusd"), dir);
        command.arg("circus.ini");
        vec![command]
    }

    fn stop(&self, _: &Path) -> Option<Command> {
        None
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        Some(ctl(dir, &["status"]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(ctl(dir, &[verb.word(), module, "--waiting"]))
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join(format!("{module}.log")))
    }

    fn most(&self) -> usize {
        200
    }
}
