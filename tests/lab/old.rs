//! The detached model as it ran on users' machines: an unsupervised hub and three modules.

use std::collections::BTreeMap;

use crate::lab::{FIXTURE, Lab, PERSON, Who};

/// The script that starts it all; the same text can be sourced in a shell.
const SHELL: &str = include_str!("../support/legacy.sh");
/// Its home.
pub const HOME: &str = "/home/lab/.parachute";
/// The daemons, each with the port it listens on.
pub const ALL: [(&str, u16); 4] = [("hub", 1939), ("vault", 1940), ("scribe", 1943), ("wrapper", 1951)];

/// Four daemons in one lab.
pub struct Old<'lab> {
    lab: &'lab Lab,
}

impl<'lab> Old<'lab> {
    /// Created and started as a user who has logged out since.
    #[track_caller]
    pub fn start(lab: &'lab Lab) -> Self {
        let old = Self { lab };
        let _ = old.shell(&format!("legacy_home {HOME} {FIXTURE}; legacy_start {HOME} {FIXTURE}")).code(0);
        old
    }

    /// The same, and `vault` has this option.
    #[track_caller]
    pub fn start_with(lab: &'lab Lab, option: &str) -> Self {
        let old = Self { lab };
        let start = format!("VAULT_OPTIONS={option} legacy_start {HOME} {FIXTURE}");
        let _ = old.shell(&format!("legacy_home {HOME} {FIXTURE}; {start}")).code(0);
        old
    }

    /// A script that can call the functions of `legacy.sh`.
    pub fn shell(&self, script: &str) -> crate::program::Outcome {
        // bash, for `local`; as from cron, so that no session is left.
        let script =
            format!("exec bash -ec '{}\n{}'", SHELL.replace('\'', r"'\''"), script.replace('\'', r"'\''"));
        self.lab.run(&Who::NoSession(PERSON.to_owned()), &script)
    }

    /// The pid in each existing pidfile.
    pub fn recorded(&self) -> BTreeMap<String, u32> {
        let listed = self.lab.root(&format!("cd {HOME}; grep -s . */run/*.pid || true")).code(0).out;
        let line = |line: &str| {
            let (file, pid) = line.split_once(':').unwrap();
            (file.split('/').next().unwrap().to_owned(), pid.parse().unwrap())
        };
        listed.lines().map(line).collect()
    }

    /// The listeners by name; daemons whose port is not open are missing. Of several the one with the highest pid: a
    /// manager that holds a socket for its hub is older.
    pub fn listening(&self) -> BTreeMap<String, u32> {
        let said = self.lab.root(&format!("{FIXTURE} listeners")).code(0).out;
        let line = |line: &str| {
            let (port, pid) = line.split_once(' ')?;
            let (name, _) = ALL.iter().find(|(_, its)| its.to_string() == port)?;
            Some(((*name).to_owned(), pid.parse().ok()?))
        };
        let mut all: Vec<(String, u32)> = said.lines().filter_map(line).collect();
        all.sort();
        all.into_iter().collect()
    }

    /// Whether all four listen, detached, under the pids in their pidfiles or below.
    pub fn all_detached(&self) -> bool {
        let (listening, recorded) = (self.listening(), self.recorded());
        listening.len() == ALL.len()
            && ALL.iter().all(|(name, _)| {
                let (at, said) = (listening[*name], recorded.get(*name).copied().unwrap_or(0));
                at == said || self.parent(at) == said
            })
    }

    fn parent(&self, pid: u32) -> u32 {
        let said = self.lab.root(&format!("awk '/^PPid/ {{print $2}}' /proc/{pid}/status")).out;
        said.trim().parse().unwrap_or(0)
    }

    /// Whether a process exists.
    pub fn lives(&self, pid: u32) -> bool {
        self.lab.root(&format!("test -d /proc/{pid}")).code == 0
    }

    /// Whether the supervised hub has all three modules ready, and no other process serves.
    pub fn all_supervised(&self) -> bool {
        let status = self.lab.no_session("parachute status --json");
        let status: serde_json::Value = serde_json::from_str(&status.out).unwrap_or_default();
        let modules = status["modules"].as_array().cloned().unwrap_or_default();
        let listening = self.listening();
        modules.len() == 3
            && modules.iter().all(|module| {
                let pid = module["pid"].as_u64().unwrap_or(0);
                let at = listening.get(module["short"].as_str().unwrap()).copied().unwrap_or(0);
                module["ready"] == true && (u64::from(at) == pid || u64::from(self.parent(at)) == pid)
            })
    }
}
