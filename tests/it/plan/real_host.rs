//! The real machine: real files in a directory of the test, and a systemd of a few lines that reads those files.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use parachute::api::client::Client;
use parachute::home::exact;
use parachute::home::fs;
use parachute::home::sentence;
use parachute::manager::driver::Driver;
use parachute::manager::invocation::Runner;
use parachute::manager::invocation::{Invocation, Output};
use parachute::manager::which::{Manager, Systemd};
use parachute::plan::content::Content;
use parachute::plan::content::Print;
use parachute::plan::executor::perform::{Done, Failed};
use parachute::plan::fault::Fault;
use parachute::plan::host::Host;
use parachute::plan::host::observe_all;
use parachute::plan::host::real::Machine;
use parachute::plan::journal::Journal;
use parachute::plan::run_options::Watch;
use parachute::plan::step::Step;
use parachute::plan::{Plan, Stuck, Take, Verb, inverse_of, resume, roll_back, run};
use parachute::unit::name::UnitName;
use parachute::unit::target::Scope;

/// `systemctl` and `loginctl` as far as the driver uses them.
#[derive(Debug, Default)]
struct Model {
    dir: PathBuf,
    /// Units by name: the text that was read, and what became of it.
    read: RefCell<BTreeMap<String, String>>,
    enabled: RefCell<BTreeSet<String>>,
    running: RefCell<BTreeSet<String>>,
    failed: RefCell<BTreeSet<String>>,
    said: RefCell<Vec<String>>,
}

impl Model {
    fn text(&self, unit: &str) -> Option<String> {
        fs::read(&self.dir.join(unit), 1 << 20).ok().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn reload(&self) {
        let mut read = self.read.borrow_mut();
        read.clear();
        for name in fs::list(&self.dir).unwrap() {
            let name = name.into_string().unwrap();
            if !name.starts_with('.')
                && let Some(text) = self.text(&name)
            {
                read.insert(name, text);
            }
        }
    }

    fn show(&self, unit: &str) -> String {
        let now = self.text(unit);
        let mut read = self.read.borrow_mut();
        if let (None, Some(text)) = (read.get(unit), &now) {
            read.insert(unit.to_owned(), text.clone());
        }
        let known = read.get(unit);
        let bad = known.is_some_and(|text| text.contains("bad setting"));
        let load = match known {
            None => "not-found",
            Some(_) if bad => "bad-setting",
            Some(_) => "loaded",
        };
        let has = |set: &RefCell<BTreeSet<String>>| set.borrow().contains(unit);
        let (active, sub) = if has(&self.running) {
            ("active", "running")
        } else if has(&self.failed) {
            ("failed", "failed")
        } else {
            ("inactive", "dead")
        };
        let file_state = match known {
            None => "",
            Some(_) if has(&self.enabled) => "enabled",
            Some(_) => "disabled",
        };
        let fragment = known.map(|_| self.dir.join(unit).display().to_string()).unwrap_or_default();
        let stale = if known.is_some() && known != now.as_ref() { "yes" } else { "no" };
        format!(
            "LoadState={load}\nActiveState={active}\nSubState={sub}\nUnitFileState={file_state}\n\
             FragmentPath={fragment}\nNeedDaemonReload={stale}\nType=notify\nMainPID=0\n\
             ConditionResult=yes\nLoadError=org.x \"Unknown section.\"\n"
        )
    }
}

impl Runner for &Model {
    async fn run(&self, invocation: &Invocation) -> io::Result<Output> {
        let args: Vec<&str> = invocation.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let words: Vec<&str> = args.iter().copied().filter(|arg| !arg.starts_with("--")).collect();
        let ok = |stdout: String| Ok(Output { code: Some(0), stdout, stderr: String::new() });
        if invocation.changes {
            self.said.borrow_mut().push(words.join(" "));
        }
        match (invocation.program, words.as_slice()) {
            ("systemctl", ["show", unit]) => return ok(self.show(unit)),
            ("systemctl", ["daemon-reload"]) => self.reload(),
            ("systemctl", ["enable", unit]) => {
                self.enabled.borrow_mut().insert((*unit).to_owned());
            }
            ("systemctl", ["disable", unit]) => {
                self.enabled.borrow_mut().remove(*unit);
            }
            ("systemctl", ["start", unit]) => {
                let fails = self.read.borrow().get(*unit).is_none_or(|text| text.contains("broken"));
                let set = if fails { &self.failed } else { &self.running };
                set.borrow_mut().insert((*unit).to_owned());
                if fails {
                    return Ok(Output { code: Some(1), ..Output::default() });
                }
            }
            ("systemctl", ["stop", unit]) => {
                self.running.borrow_mut().remove(*unit);
            }
            ("systemctl", ["reset-failed", unit]) => {
                self.failed.borrow_mut().remove(*unit);
            }
            _ => return Ok(Output { code: Some(1), ..Output::default() }),
        }
        ok(String::new())
    }
}

struct Place {
    temp: tempfile::TempDir,
    model: Model,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("units");
        fs::make_dir(&dir, 0o755).unwrap();
        Self { model: Model { dir, ..Model::default() }, temp }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.at("install")
    }

    fn machine(&self) -> Machine<&Model> {
        machine(&self.model, self.temp.path())
    }

    /// Files of somebody else, of every kind that a step meets.
    fn lay_out(&self) {
        fs::put(&self.at("program"), 0o755, &[0xfe; 200_000]).unwrap();
        fs::put(&self.at("conf"), 0o640, b"theirs\n").unwrap();
        fs::put(&self.at("old"), 0o711, &[0xff; 100_000]).unwrap();
        symlink("/nowhere", self.at("link")).unwrap();
        fs::make_dir(&self.at("tree"), 0o750).unwrap();
        fs::put(&self.at("tree/file"), 0o400, b"deep").unwrap();
    }

    async fn run(&self, plan: &Plan, fault: Option<Fault>) -> Result<Done, Box<Failed>> {
        let mut journal = Journal::open(&self.state()).unwrap();
        let mut watch = Watch { progress: &mut |_| {}, shown: None, fault, stop: None };
        let outcome = run(plan, &mut self.machine(), &mut journal, &mut watch).await;
        journal.close().unwrap();
        outcome
    }

    fn unit(&self) -> PathBuf {
        self.model.dir.join("parachute-hub.service")
    }

    fn install(&self, text: &str) -> Plan {
        let program = fs::read(&self.at("program"), 1 << 30).unwrap();
        let print = Print::of(&program);
        let copy =
            Content::CopyOf { source: self.at("program"), sha256: print.sha256.clone(), len: print.len };
        let (unit, text) = (UnitName::hub(), text.to_owned());
        let mut plan = Plan::new(Verb::Init);
        plan.steps = vec![
            Step::SetRunning { unit: unit.clone(), running: false },
            Step::MakeDir { path: self.at("home/bin"), mode: 0o755 },
            Step::PutFile { path: self.at("home/bin/parachute"), mode: 0o755, content: copy },
            Step::PutFile {
                path: self.at("home/conf"),
                mode: 0o600,
                content: Content::Text("x\n".to_owned()),
            },
            Step::PutUnit { unit: unit.clone(), path: self.unit(), text },
            Step::SetEnabled { unit: unit.clone(), enabled: true },
            Step::SetRunning { unit, running: true },
        ];
        plan
    }

    /// Everything below, with modes and owners, and what the manager knows.
    fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut dirs = vec![self.temp.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for name in fs::list(&dir).unwrap() {
                let path = dir.join(name);
                let found = exact::look(&path).unwrap();
                let bytes = fs::read(&path, 1 << 30).map(|bytes| Print::of(&bytes).sha256).ok();
                all.push(format!("{} {found:?} {bytes:?}", path.display()));
                if matches!(found, exact::Found::Dir { .. }) {
                    dirs.push(path);
                }
            }
        }
        let model = &self.model;
        all.push(format!("{:?} {:?} {:?}", model.enabled, model.running, model.failed));
        all.sort();
        all
    }
}

fn machine<'a>(model: &'a Model, dir: &Path) -> Machine<&'a Model> {
    let systemd = Systemd {
        scope: Scope::User,
        version: 252,
        dir: model.dir.clone(),
        runtime_dir: Some("/run/user/7".into()),
    };
    let driver = Driver::new(Manager::Systemd(systemd), model);
    Machine::new(driver, &dir.join("install"), Client::new(dir.join("none.sock")))
}

fn program(place: &Place) {
    // Not UTF-8, and longer than one piece.
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::put(&place.at("program"), 0o755, &bytes).unwrap();
}

#[tokio::test]
async fn files_and_units_are_installed_and_taken_back_to_the_letter() {
    let place = Place::new();
    program(&place);
    let before = place.all();
    let done = place.run(&place.install("[Unit]\n"), None).await.unwrap();
    assert_eq!((done.performed, done.skipped), (6, 1));
    assert_eq!(fs::mode(&place.at("home/bin/parachute")), Some(0o755));
    assert_eq!(fs::mode(&place.at("home/conf")), Some(0o600));
    assert_eq!(fs::mode(&place.state().join("receipt.json")), Some(0o600));
    assert!(!place.state().join("journal.jsonl").exists() && !place.state().join("saved").exists());
    place.model.said.borrow_mut().clear();
    let mut again = place.install("[Unit]\n");
    again.steps.remove(0);
    assert_eq!(place.run(&again, None).await.unwrap().performed, 0);
    assert_eq!(
        *place.model.said.borrow(),
        Vec::<String>::new(),
        "the second time nothing is said to the manager"
    );

    let receipt = parachute::plan::journal::peek_receipt(&place.state()).unwrap();
    let seen = observe_all(&place.machine(), &receipt.steps()).await.unwrap();
    place.run(&inverse_of(&receipt, &seen, Take::Everything, false), None).await.unwrap();
    assert_eq!(place.all(), before);
}

#[tokio::test]
async fn each_step_that_fails_leaves_the_machine_as_it_was() {
    for at in 2..=7 {
        let place = Place::new();
        program(&place);
        // An earlier installation of somebody else: a program that is no text, a link, a unit that runs.
        fs::make_dir(&place.at("home/bin"), 0o700).unwrap();
        fs::put(&place.at("home/bin/parachute"), 0o711, &[0xff; 100_000]).unwrap();
        symlink("/nowhere", place.at("home/conf")).unwrap();
        fs::put(&place.unit(), 0o640, b"[Unit]\nDescription=theirs\n").unwrap();
        place.model.reload();
        place.model.running.borrow_mut().insert("parachute-hub.service".to_owned());
        let before = place.all();
        let failed = place.run(&place.install("[Unit]\n"), Some(Fault::Fail(at))).await;
        if at == 2 {
            // The directory is there already, so there is no such step.
            assert!(failed.is_ok());
            continue;
        }
        let failed = failed.unwrap_err();
        assert_eq!((failed.index, failed.undone.unwrap().left), (at - 1, Vec::new()));
        assert_eq!(place.all(), before, "after a failure at step {at}");
    }
}

#[tokio::test]
async fn a_unit_that_fails_or_is_refused_leaves_no_trace() {
    for (text, error) in [("broken", "cannot start hub"), ("bad setting", "does not accept")] {
        let place = Place::new();
        program(&place);
        let before = place.all();
        let failed = place.run(&place.install(text), None).await.unwrap_err();
        let said = sentence::of(&*failed);
        assert!(said.contains(error), "{said}");
        assert!(failed.error.next().is_some(), "{said}");
        assert_eq!(failed.undone.unwrap().left, []);
        assert_eq!(place.all(), before);
    }
}

#[tokio::test]
async fn a_source_that_changed_since_the_plan_is_not_installed() {
    let place = Place::new();
    program(&place);
    let before = place.all();
    let plan = place.install("[Unit]\n");
    fs::put(&place.at("program"), 0o755, b"another").unwrap();
    let failed = place.run(&plan, None).await.unwrap_err();
    assert!(
        failed.error.to_string().ends_with("program has changed since the plan was made"),
        "{}",
        failed.error
    );
    program(&place);
    assert_eq!(place.all(), before);
}

#[tokio::test]
async fn what_no_step_replaces_is_named() {
    let place = Place::new();
    fs::make_dir(&place.at("d/x"), 0o755).unwrap();
    fs::put(&place.at("f"), 0o644, b"").unwrap();
    for (step, said) in [
        (
            Step::RemoveFile { path: place.at("d") },
            format!("a directory at {} is in the way", place.at("d").display()),
        ),
        (
            Step::MakeDir { path: place.at("f/below"), mode: 0o755 },
            format!("{}, which is no directory, is in the way", place.at("f").display()),
        ),
    ] {
        let plan = Plan { steps: vec![step], ..Plan::new(Verb::Init) };
        let failed = place.run(&plan, None).await.unwrap_err();
        assert_eq!(failed.error.to_string(), said);
    }
    // A directory that is a link is somebody's arrangement: used, and never removed.
    symlink(place.at("d/x"), place.at("l")).unwrap();
    let steps =
        vec![Step::MakeDir { path: place.at("l"), mode: 0o700 }, Step::RemoveDir { path: place.at("l") }];
    let done = place.run(&Plan { steps, ..Plan::new(Verb::Init) }, None).await.unwrap();
    assert_eq!((done.skipped, fs::mode(&place.at("d/x"))), (2, Some(0o755)));
}

#[tokio::test]
async fn without_a_manager_files_are_moved_and_units_are_refused() {
    let place = Place::new();
    place.lay_out();
    let host = || Machine::<&Model>::without_manager(&place.state(), Client::new(place.at("none.sock")));
    let go = async |step: Step| {
        let mut journal = Journal::open(&place.state()).unwrap();
        let mut watch = Watch { progress: &mut |_| {}, shown: None, fault: None, stop: None };
        let plan = Plan { steps: vec![step], ..Plan::new(Verb::Sweep) };
        let outcome = run(&plan, &mut host(), &mut journal, &mut watch).await;
        journal.close().unwrap();
        outcome
    };
    let moving = Step::Move { from: place.at("tree"), to: place.at("moved") };
    assert_eq!(
        host().by_hand(&moving).unwrap(),
        format!("mv -n {0}/tree {0}/moved", place.temp.path().display())
    );
    assert_eq!(go(moving.clone()).await.unwrap().performed, 1);
    assert!(fs::exists(&place.at("moved/file")) && !fs::exists(&place.state()));
    assert_eq!(go(moving).await.unwrap().skipped, 1);
    for step in [
        Step::SetRunning { unit: UnitName::hub(), running: false },
        Step::RemoveUnit { unit: UnitName::hub(), path: place.unit() },
        Step::AwaitHealthy { within: std::time::Duration::from_secs(9) },
    ] {
        let failed = go(step).await.unwrap_err();
        assert_eq!(failed.error.to_string(), "no service manager can be used here");
    }
}

/// Real files, a real SIGKILL at each step and after each, and the next run: the same process image, another life.
#[test]
#[expect(clippy::disallowed_methods, reason = "test: runs and kills itself")]
fn killed_for_real_the_next_run_finishes_or_takes_back() {
    for fault in (1..=6).flat_map(|step| [format!("kill {step}"), format!("kill-after {step}")]) {
        for finish in [false, true] {
            let place = Place::new();
            place.lay_out();
            let before = place.all();
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "plan::real_host::to_be_killed", "--nocapture"])
                .env("TO_BE_KILLED_IN", place.temp.path())
                .env("TO_BE_KILLED_AT", &fault)
                .output()
                .unwrap();
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&child.status),
                Some(9),
                "{fault}: {child:?}"
            );
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut journal = Journal::open(&place.state()).unwrap();
                let mut watch = Watch { progress: &mut |_| {}, shown: None, fault: None, stop: None };
                let mut machine = place.machine();
                if finish {
                    resume(&mut machine, &mut journal, &mut watch).await.unwrap();
                } else {
                    let undo = roll_back(&mut machine, &mut journal, &mut watch, Stuck::Again).await;
                    assert_eq!(undo.left, [], "{fault}");
                }
                journal.close().unwrap();
            });
            if finish {
                assert_eq!(fs::read(&place.at("conf"), 9).unwrap(), b"ours\n", "{fault}");
                assert_eq!(fs::read(&place.at("a/b/program"), 1 << 20).unwrap().len(), 200_000);
                assert!(!fs::exists(&place.at("old")) && !fs::exists(&place.at("link")));
                assert_eq!(fs::read(&place.at("a/tree/file"), 9).unwrap(), b"deep", "{fault}");
                assert!(!fs::exists(&place.at("tree")));
            } else {
                assert_eq!(place.all(), before, "{fault}");
            }
        }
    }
}

/// Run by the test above; alone it has nothing to do.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "test: is told where and when to die")]
async fn to_be_killed() {
    let (Some(dir), Ok(fault)) = (std::env::var_os("TO_BE_KILLED_IN"), std::env::var("TO_BE_KILLED_AT"))
    else {
        return;
    };
    let dir = PathBuf::from(dir);
    let mut journal = Journal::open(&dir.join("install")).unwrap();
    let mut watch =
        Watch { progress: &mut |_| {}, shown: None, fault: Some(fault.parse().unwrap()), stop: None };
    let model = Model { dir: dir.join("units"), ..Model::default() };
    let _ = run(&file_steps(&dir), &mut machine(&model, &dir), &mut journal, &mut watch).await;
}

fn file_steps(dir: &Path) -> Plan {
    let program = [0xfe; 200_000];
    let print = Print::of(&program);
    let content = Content::CopyOf { source: dir.join("program"), sha256: print.sha256, len: print.len };
    let steps = vec![
        Step::MakeDir { path: dir.join("a/b"), mode: 0o755 },
        Step::PutFile { path: dir.join("a/b/program"), mode: 0o755, content },
        Step::PutFile { path: dir.join("conf"), mode: 0o600, content: Content::Text("ours\n".to_owned()) },
        Step::RemoveFile { path: dir.join("old") },
        Step::RemoveFile { path: dir.join("link") },
        Step::Move { from: dir.join("tree"), to: dir.join("a/tree") },
    ];
    Plan { steps, ..Plan::new(Verb::Init) }
}

/// No file may grow past a limit, which is to a writer what a full disk is: whatever write hits it, nothing stays half.
/// The limit is of a process, so each try is one.
#[test]
#[expect(clippy::disallowed_methods, reason = "test: runs itself below a limit")]
fn a_full_disk_leaves_nothing_half() {
    let mut taken_back = BTreeSet::new();
    for blocks in 0..32 {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "plan::real_host::below_a_limit", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{blocks} blocks: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told = said.lines().find_map(|line| line.split_once("taken back: ")).map(|(_, count)| count);
        taken_back.insert(told.unwrap_or("?").to_owned());
    }
    // From "not even begun" over some places in the middle to "all is well".
    assert!(taken_back.contains("none") && taken_back.contains("all done"), "{taken_back:?}");
    assert!(taken_back.len() >= 5, "{taken_back:?}");
}

/// Run by the test above; alone it has no limit and just installs.
#[tokio::test]
async fn below_a_limit() {
    let place = Place::new();
    if fs::put(&place.at("program"), 0o755, &[0xff; 300]).is_err() {
        println!("taken back: none");
        return;
    }
    let before = place.all();
    let outcome = match Journal::open(&place.state()) {
        Ok(mut journal) => {
            let plan = place.install("[Unit]\n");
            let mut watch = Watch { progress: &mut |_| {}, shown: None, fault: None, stop: None };
            let outcome = run(&plan, &mut place.machine(), &mut journal, &mut watch).await;
            journal.close().unwrap();
            outcome
        }
        Err(_) => return println!("taken back: none"),
    };
    match outcome {
        Ok(_) => println!("taken back: all done"),
        Err(failed) => {
            let undone = failed.undone.unwrap_or_default();
            assert_eq!(undone.left, []);
            assert_eq!(place.all(), before);
            println!("taken back: {}", undone.taken_back);
        }
    }
}
