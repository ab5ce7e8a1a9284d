//! Shared by the tests of plans: short names for steps, and a program that runs plans on a [`ModelHost`].

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use parachute::plan::content::Content;
use parachute::plan::executor::{Done, Failed};
use parachute::plan::host::observe_all;
use parachute::plan::journal::{Journal, peek_receipt};
use parachute::plan::receipt::Receipt;
use parachute::plan::run_options::{Progress, RunOptions, Stage};
use parachute::plan::step::Step;
use parachute::plan::{OnStuck, Plan, Rollback, UndoScope, Verb, resume, roll_back, run, undo_plan};
use parachute::unit::name::UnitName;

use super::model_host::{ModelHost, Node};

pub fn hub() -> UnitName {
    UnitName::hub()
}

pub fn unit_path(name: &UnitName) -> PathBuf {
    Path::new("/u").join(name.systemd())
}

/// A file of another program.
pub fn node(text: &str) -> Node {
    Node::File { mode: 0o644, text: text.to_owned() }
}

pub fn file(path: &str, text: &str) -> Step {
    Step::PutFile { path: path.into(), mode: 0o644, content: Content::Text(text.to_owned()) }
}

pub fn unit(name: &UnitName, text: &str) -> Step {
    Step::PutUnit { unit: name.clone(), path: unit_path(name), text: text.to_owned() }
}

pub fn enabled(name: &UnitName, enabled: bool) -> Step {
    Step::SetEnabled { unit: name.clone(), enabled }
}

pub fn running(name: &UnitName, running: bool) -> Step {
    Step::SetRunning { unit: name.clone(), running }
}

pub fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::new(Verb::Init) }
}

/// The steps of a small installation.
pub fn install() -> Vec<Step> {
    vec![
        Step::MakeDir { path: "/a/b".into(), mode: 0o755 },
        file("/a/b/program", "program one, long enough to be copied into a file"),
        unit(&hub(), "one"),
        Step::SetLinger { user: "op".to_owned(), on: true },
        enabled(&hub(), true),
        running(&hub(), true),
        Step::AwaitHealthy { within: Duration::from_secs(1) },
    ]
}

pub fn describe(plan: &Plan) -> String {
    plan.steps.iter().map(|step| step.describe() + "\n").collect()
}

/// An error and its sources.
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        sentence.push_str(&format!(": {error}"));
        source = error.source();
    }
    sentence
}

/// The plan that undoes everything in this receipt.
pub fn uninstall(host: &ModelHost, receipt: &Receipt) -> Plan {
    let now = observe_all(host, &receipt.steps()).now_or_never().unwrap().unwrap();
    undo_plan(receipt, &now, UndoScope::Everything, false)
}

/// The program, with the directory of one installation. Each call is one process: it takes the lock, does one thing,
/// and ends, or is killed (`None`).
pub struct Program {
    temp: tempfile::TempDir,
    /// Every stage that was reported.
    pub stages: Vec<(usize, Stage)>,
}

impl Program {
    pub fn new() -> Self {
        // Thousands of journals: syncing to memory is faster than to a disk.
        let memory = Path::new("/dev/shm");
        let temp = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { temp: temp.unwrap(), stages: Vec::new() }
    }

    /// The directory of the installation.
    pub fn dir(&self) -> PathBuf {
        self.temp.path().join("install")
    }

    pub fn run(&mut self, host: &mut ModelHost, plan: &Plan) -> Option<Result<Done, Box<Failed>>> {
        self.start(async |journal, options| run(plan, host, journal, options).await)
    }

    pub fn resume(&mut self, host: &mut ModelHost) -> Option<Result<Done, Box<Failed>>> {
        self.start(async |journal, options| resume(host, journal, options).await)
    }

    pub fn roll_back(&mut self, host: &mut ModelHost) -> Option<Rollback> {
        self.start(async |journal, options| roll_back(host, journal, options, OnStuck::Retry).await)
    }

    pub fn roll_back_and_leave(&mut self, host: &mut ModelHost) -> Option<Rollback> {
        self.start(async |journal, options| roll_back(host, journal, options, OnStuck::Leave).await)
    }

    pub fn start<T>(&mut self, act: impl AsyncFnOnce(&mut Journal, &mut RunOptions<'_>) -> T) -> Option<T> {
        let mut journal = Journal::open(&self.dir()).unwrap();
        let stages = &mut self.stages;
        let mut progress = |progress: Progress<'_>| stages.push((progress.index, progress.stage));
        let mut options = RunOptions { progress: &mut progress, shown: None, fault: None, stop: None };
        let outcome = act(&mut journal, &mut options).now_or_never();
        if outcome.is_some() {
            journal.close().unwrap();
        }
        outcome
    }

    pub fn receipt(&self) -> Receipt {
        peek_receipt(&self.dir()).unwrap()
    }

    /// A file of the installation, as an earlier program left it.
    pub fn put(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.dir()).unwrap();
        std::fs::write(self.dir().join(name), text).unwrap();
    }

    /// Makes the journal one of an earlier version, which did not observe the service of a socket.
    pub fn forget_services_of_sockets(&self) {
        let path = self.dir().join("journal.jsonl");
        let Ok(text) = std::fs::read_to_string(&path) else { return };
        let lines = text.lines().map(|line| {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(before) = event.get_mut("before").and_then(serde_json::Value::as_object_mut) {
                before.remove("service");
            }
            format!("{event}\n")
        });
        std::fs::write(&path, lines.collect::<String>()).unwrap();
    }

    /// Cuts these bytes off the last line, as a power cut does, unless that line was on disk because a step was
    /// performed after it.
    pub fn tear(&self, bytes: usize, is_performing: bool) {
        let path = self.dir().join("journal.jsonl");
        let Ok(all) = std::fs::read(&path) else { return };
        let Some(end) = all[..all.len() - 1].iter().rposition(|byte| *byte == b'\n') else { return };
        if !is_performing {
            let last = all.len() - end - 1;
            std::fs::write(&path, &all[..all.len() - bytes.min(last)]).unwrap();
        }
    }
}
