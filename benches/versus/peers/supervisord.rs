//! supervisord: programs count as up at once (`startsecs=0`), files rotate at 50 MB by default.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{Module, Peer, Verb, command, first_line, installed};

pub struct Supervisord;

fn tool(name: &str) -> PathBuf {
    installed().join("py/bin").join(name)
}

fn ctl(dir: &Path, args: &[&str]) -> Command {
    let mut command = command(tool("supervisorctl"), dir);
    command.args(["-c", "supervisord.conf"]).args(args);
    command
}

impl Peer for Supervisord {
    fn name(&self) -> &'static str {
        "supervisord"
    }

    fn version(&self) -> String {
        let mut ask = command(tool("supervisord"), Path::new("/"));
        ask.arg("--version");
        first_line(ask)
    }

    fn there(&self) -> bool {
        tool("supervisord").exists()
    }

    fn configure(&self, dir: &Path, modules: &[Module]) {
        let mut text = format!(
            "[supervisord]\nnodaemon=true\nlogfile={0}/s.log\npidfile={0}/s.pid\nminfds=8192\n[unix_http_server]\n\
             file={0}/s.sock\n[supervisorctl]\nserverurl=unix://{0}/s.sock\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
            dir.display()
        );
        for module in modules {
            text.push_str(&format!(
                "[program:{0}]\ncommand={1}\nautorestart=true\nstartsecs=0\nstopwaitsecs=1\nredirect_stderr=true\n\
                 stdout_logfile={2}/{0}.log\n",
                module.name,
                module.argv.join(" "),
                dir.display()
            ));
        }
        std::fs::write(dir.join("supervisord.conf"), text).unwrap();
    }

    fn start(&self, dir: &Path) -> Vec<Command> {
        let mut command = command(tool("supervisord"), dir);
        command.args(["-c", "supervisord.conf"]);
        vec![command]
    }

    fn stop(&self, _: &Path) -> Option<Command> {
        None
    }

    fn status(&self, dir: &Path) -> Option<Command> {
        Some(ctl(dir, &["status"]))
    }

    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command> {
        Some(ctl(dir, &[verb.word(), module]))
    }

    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        Some(dir.join(format!("{module}.log")))
    }
}
