//! For the tests of this room: real children that cannot outlive their test.
#![expect(clippy::disallowed_methods, reason = "test: starts helpers and waits for what they do")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::fifo;
use super::group::{self, Depth, ModuleRun, Signal};
use super::id::{BootId, ProcessId, Started};
use super::spawn::{self, Child};
use super::system::ProcInfo;
use super::table;
use crate::module::launch::{Launch, MARK_HOME, MARK_MODULE, Policy};
use crate::module::name::Short;

/// A process as the system reports it.
pub(super) fn proc_info(pid: u32, ppid: u32, pgrp: u32, started: u64) -> ProcInfo {
    let id = ProcessId { pid, started: Started(started), boot: BootId("b".into()) };
    ProcInfo { id, ppid, pgrp, session: 1, uid: 1000, zombie: false, name: format!("p{pid}") }
}

/// A start of `sh -c <script>`, marked as module `vault` of this test's own home.
pub(super) fn shell(script: &str, home: &Path) -> Launch {
    let env = [("PATH", "/usr/bin:/bin".into()), (MARK_MODULE, "vault".into()), (MARK_HOME, home.into())];
    Launch {
        short: Short::new("vault").unwrap(),
        row: "vault".into(),
        argv: ["sh", "-c", script].map(OsString::from).to_vec(),
        cwd: Some(home.to_owned()),
        env: env.into_iter().map(|(k, v): (&str, PathBuf)| (k.into(), v.into())).collect::<BTreeMap<_, _>>(),
        port: 0,
        listens: false,
        health: "/".into(),
        policy: Policy::default(),
    }
}

/// A run whose processes are killed when the test ends, in any way.
pub(super) struct Guarded {
    pub(super) run: ModuleRun,
    pub(super) home: tempfile::TempDir,
}

/// Starts a script under the mark of its own temporary home.
pub(super) fn start(script: &str) -> (Child, Guarded) {
    let home = tempfile::tempdir().unwrap();
    let incarnation = format!("{}:1", home.path().display());
    let launch = shell(script, home.path());
    let outputs = fifo::make(&home.path().join("log"), &launch.short, 1).unwrap();
    let child = spawn::spawn(&launch, Path::new("/bin/sh"), &incarnation, None, outputs).unwrap();
    let short = Short::new("vault").unwrap();
    let run =
        ModuleRun { leader: child.id().clone(), incarnation, module: short, reaped: None, cgroup: None };
    (child, Guarded { run, home })
}

impl Guarded {
    pub(super) fn remnants(&self, depth: Depth) -> Vec<String> {
        let mut names: Vec<String> = group::remnants(&self.run, table::own_pid(), &BTreeSet::new(), depth)
            .unwrap()
            .into_iter()
            .map(|p| p.name)
            .collect();
        names.sort();
        names
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        for p in
            group::remnants(&self.run, table::own_pid(), &BTreeSet::new(), Depth::Marks).into_iter().flatten()
        {
            let _ = group::signal(&p.id, Signal::Kill);
        }
    }
}

/// Polls until it holds; panics otherwise.
#[track_caller]
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        // Read before the last check: a test that was not scheduled checks once more before it fails.
        let late = Instant::now() >= deadline;
        if holds() {
            return;
        }
        assert!(!late, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// All output of a child, read from its non-blocking end until it is closed.
pub(super) fn drained(fd: std::os::fd::OwnedFd) -> String {
    let mut file = std::fs::File::from(fd);
    let mut all = Vec::new();
    eventually("end of output", || match file.read_to_end(&mut all) {
        Ok(_) => true,
        Err(e) => {
            assert_eq!(e.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
    });
    String::from_utf8(all).unwrap()
}

const ROLE: &str = "PARACHUTE_TEST_ROLE";

/// Whether this process is a helper that [`helper`] started.
pub(super) fn is_helper() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Runs one test of this binary again in a process of its own (where it may become a subreaper, reap, or listen).
/// Its first line of output that starts with `> ` is returned; it runs until the guard is dropped or it exits.
pub(super) fn helper(test: &str) -> (Helper, Option<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, "helper");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let said = output
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("> ")?.1.to_owned()));
    (Helper { child, _output: output }, said)
}

/// A helper process and its output; killed and reaped when dropped.
pub(super) struct Helper {
    pub(super) child: std::process::Child,
    /// Kept open: a test that writes its result into a closed pipe fails.
    _output: BufReader<ChildStdout>,
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
