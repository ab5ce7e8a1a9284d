//! Stories of plans, on the model world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;

use super::model_host::{Node, World, daemon, up};
use parachute::manager::state::Active;
use parachute::plan::Undo;
use parachute::plan::content::{Content, Print};
use parachute::plan::executor::perform::{Done, Failed, StepError};
use parachute::plan::host::observe_all;
use parachute::plan::journal::{Journal, peek_log};
use parachute::plan::matrix::Mark;
use parachute::plan::observed::Before;
use parachute::plan::receipt::Receipt;
use parachute::plan::run_options::{Progress, Watch};
use parachute::plan::step::Step;
use parachute::plan::{Plan, Verb};
use parachute::plan::{Stuck, Take, inverse_of, resume, roll_back, run};
use parachute::unit::name::UnitName;

pub fn hub() -> UnitName {
    UnitName::hub()
}

pub fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::new(Verb::Init) }
}

fn file(path: &str, text: &str) -> Step {
    Step::PutFile { path: path.into(), mode: 0o644, content: Content::Text(text.to_owned()) }
}

pub fn unit(name: &UnitName, text: &str) -> Step {
    Step::PutUnit { unit: name.clone(), path: unit_path(name), text: text.to_owned() }
}

pub fn unit_path(name: &UnitName) -> PathBuf {
    Path::new("/u").join(name.systemd())
}

pub fn enabled(name: &UnitName, enabled: bool) -> Step {
    Step::SetEnabled { unit: name.clone(), enabled }
}

pub fn running(name: &UnitName, running: bool) -> Step {
    Step::SetRunning { unit: name.clone(), running }
}

fn install() -> Vec<Step> {
    vec![
        Step::MakeDir { path: "/a/b".into(), mode: 0o755 },
        file("/a/b/program", "program one, long enough to be copied aside"),
        unit(&hub(), "one"),
        Step::SetLinger { user: "op".to_owned(), on: true },
        enabled(&hub(), true),
        running(&hub(), true),
        Step::AwaitHealthy { within: Duration::from_secs(1) },
    ]
}

/// One life of the program: takes the lock, does one thing, and ends or is killed (`None`).
pub struct Lives {
    dir: tempfile::TempDir,
    stages: Vec<(usize, parachute::plan::run_options::Stage)>,
}

impl Lives {
    pub fn new() -> Self {
        // Thousands of journals: memory syncs faster than a disk.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { dir: dir.unwrap(), stages: Vec::new() }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("install")
    }

    pub fn run(&mut self, world: &mut World, plan: &Plan) -> Option<Result<Done, Box<Failed>>> {
        self.live(async |journal, watch| run(plan, world, journal, watch).await)
    }

    pub fn resume(&mut self, world: &mut World) -> Option<Result<Done, Box<Failed>>> {
        self.live(async |journal, watch| resume(world, journal, watch).await)
    }

    pub fn roll_back(&mut self, world: &mut World) -> Option<Undo> {
        self.live(async |journal, watch| roll_back(world, journal, watch, Stuck::Again).await)
    }

    fn let_go(&mut self, world: &mut World) -> Option<Undo> {
        self.live(async |journal, watch| roll_back(world, journal, watch, Stuck::Left).await)
    }

    pub fn live<T>(&mut self, act: impl AsyncFnOnce(&mut Journal, &mut Watch<'_>) -> T) -> Option<T> {
        let mut journal = Journal::open(&self.state()).unwrap();
        let stages = &mut self.stages;
        let mut progress = |progress: Progress<'_>| stages.push((progress.index, progress.stage));
        let mut watch = Watch { progress: &mut progress, shown: None, fault: None, stop: None };
        let outcome = act(&mut journal, &mut watch).now_or_never();
        if outcome.is_some() {
            journal.close().unwrap();
        }
        outcome
    }

    pub fn receipt(&self) -> Receipt {
        parachute::plan::journal::peek_receipt(&self.state()).unwrap()
    }

    /// A file of the installation, as an earlier program left it.
    pub fn put(&self, name: &str, text: &str) {
        parachute::home::fs::make_dir(&self.state(), 0o700).unwrap();
        parachute::home::fs::put(&self.state().join(name), 0o600, text.as_bytes()).unwrap();
    }

    /// What a power cut does to the last line, unless that was on disk before the world changed.
    pub fn tear(&self, bytes: usize, acting: bool) {
        let path = self.state().join("journal.jsonl");
        let Ok(all) = parachute::home::fs::read(&path, 1 << 30) else { return };
        let Some(end) = all[..all.len() - 1].iter().rposition(|byte| *byte == b'\n') else { return };
        if !acting {
            let last = all.len() - end - 1;
            parachute::home::fs::put(&path, 0o600, &all[..all.len() - bytes.min(last)]).unwrap();
        }
    }
}

#[test]
fn what_is_installed_is_taken_back_to_the_letter() {
    let mut lives = Lives::new();
    let mut world = World::new().with_job(&hub(), None, false, false);
    let before = world.view();
    let done = lives.run(&mut world, &plan(install())).unwrap().unwrap();
    assert_eq!((done.performed, done.skipped), (7, 0));
    let installed = world.view();
    assert_eq!(installed.jobs[&hub()], (true, Active::Running, Some("one".to_owned()), true));
    // Again: only the waiting is left to do, and nothing restarts.
    let again = lives.run(&mut world, &plan(install())).unwrap().unwrap();
    assert_eq!((again.performed, again.skipped), (1, 6));
    assert_eq!(world.view(), installed);
    // An upgrade adds up.
    let upgrade = vec![running(&hub(), false), unit(&hub(), "two"), running(&hub(), true)];
    lives.run(&mut world, &plan(upgrade)).unwrap().unwrap();
    assert_eq!(world.view().jobs[&hub()].2.as_deref(), Some("two"));
    let receipt = lives.receipt();
    assert_eq!(receipt.records.len(), 7, "each of two directories, file, unit, linger, enabled, running");
    assert_eq!(receipt.wrote(&unit_path(&hub())), Some(Print::of(b"two")));
    let now = observe_all(&world, &receipt.steps()).now_or_never().unwrap().unwrap();
    let uninstall = inverse_of(&receipt, &now, Take::Everything, false);
    insta::assert_snapshot!(describe(&uninstall), @r"
    stop hub
    have hub not start by itself
    end services of op at the last logout
    remove the unit /u/parachute-hub.service
    remove /a/b/program
    remove the directory /a/b if it is empty
    remove the directory /a if it is empty
    ");
    lives.run(&mut world, &uninstall).unwrap().unwrap();
    let mut after = world.view();
    after.linger.retain(|_, on| *on);
    assert_eq!(after, before);
    assert!(!lives.state().exists(), "nothing of ours is left, not even the directory of the installation");
}

pub fn describe(plan: &Plan) -> String {
    plan.steps.iter().map(|step| step.describe() + "\n").collect()
}

#[test]
fn a_failing_step_takes_everything_back_and_names_itself() {
    for at in 1..=7 {
        for in_the_middle in [false, true] {
            let mut lives = Lives::new();
            let theirs = "theirs, edited by hand, and long";
            let mut world = World::new().with_job(&hub(), Some(theirs), true, true);
            let before = world.view();
            world.fails = BTreeMap::from([(at, in_the_middle)]);
            let steps = [vec![running(&hub(), false)], install()].concat();
            let outcome = lives.run(&mut world, &plan(steps)).unwrap();
            // Linger can be missed, and has no middle to fail in. Enabled it is already.
            let Err(failed) = outcome else {
                let notes = outcome.unwrap().notes;
                assert_eq!((at, notes.len()), (5, usize::from(!in_the_middle)), "{notes:?}");
                continue;
            };
            let undo = failed.undone.unwrap();
            assert_eq!(undo.left, []);
            let mut after = world.view();
            after.linger.retain(|_, on| *on);
            assert_eq!(after, before, "after a failure at {at}, {in_the_middle}");
            assert_eq!(lives.receipt(), Receipt::default());
            assert!(!lives.state().exists());
        }
    }
}

#[test]
fn what_cannot_be_taken_back_is_named_and_tried_again() {
    let mut lives = Lives::new();
    let mut world = World::new().with_job(&hub(), None, false, false);
    let before = world.view();
    let steps = vec![file("/f", "ours"), unit(&hub(), "broken"), running(&hub(), true)];
    // The third step fails by itself; of its inverses and the others, the removal of the unit does (the fifth).
    world.fails = BTreeMap::from([(5, false)]);
    let failed = lives.run(&mut world, &plan(steps)).unwrap().unwrap_err();
    assert_eq!(failed.to_string(), "cannot start hub");
    let undo = failed.undone.unwrap();
    assert!(undo.again);
    assert_eq!(undo.left.len(), 1);
    assert_eq!(undo.left[0].subject, "/u/parachute-hub.service");
    assert_eq!(undo.left[0].because, "cannot remove the unit /u/parachute-hub.service: it broke");
    assert_eq!(undo.left[0].next.as_deref(), Some("true"));
    assert!(!world.nodes.contains_key(Path::new("/f")), "the others are taken back");
    assert!(peek_log(&lives.state()).unwrap().unwrap().undoing);
    // No other plan begins before this one is over, and to finish it is to take it back.
    let other = lives.run(&mut world, &plan(vec![file("/g", "x")])).unwrap().unwrap_err();
    let said = other.error.to_string();
    assert!(said.ends_with("init` was cut short: finish it or take it back first"), "{said}");
    let again = lives.resume(&mut world).unwrap().unwrap_err();
    assert!(again.error.to_string().contains("hub failed"), "{}", again.error);
    assert_eq!(again.undone.unwrap().left, []);
    assert_eq!(world.view(), before);
}

/// A hub, and what it takes to start the daemons from before in its place.
fn torn_down() -> (World, Vec<Step>) {
    let mut world = World::new().with_job(&hub(), Some("one"), true, true);
    world.daemons = [("vault", None), ("notes", None)].map(|(name, life)| (name.to_owned(), life)).into();
    let daemons = ["vault", "notes"].map(|name| up(name, &daemon(name, 1).leader)).to_vec();
    (world, vec![running(&hub(), false), Step::StartDaemons { daemons }])
}

#[test]
fn what_was_started_in_vain_is_ended_again() {
    let (mut world, steps) = torn_down();
    let before = world.view();
    let mut lives = Lives::new();
    world.gone.insert("notes".to_owned());
    let failed = lives.run(&mut world, &plan(steps.clone())).unwrap().unwrap_err();
    assert_eq!(failed.error.to_string(), "cannot start notes");
    assert_eq!(failed.undone.unwrap().left, []);
    assert_eq!(world.view(), before, "vault does not run on beside the hub");
    // Killed in the middle of it, and taken back.
    for cut in 0..40 {
        let (mut world, steps) = torn_down();
        let mut lives = Lives::new();
        world.cut_after(Some(cut));
        if lives.run(&mut world, &plan(steps)).is_some() {
            break;
        }
        world.cut_after(None);
        assert_eq!(lives.roll_back(&mut world).unwrap().left, []);
        assert_eq!(world.view(), before, "cut after {cut}");
    }
    // Once it is through nothing of that is owed.
    world.gone.clear();
    let _ = lives.run(&mut world, &plan(steps)).unwrap().unwrap();
    assert_eq!(world.view().daemons.len(), 2);
    assert!(lives.receipt().get(&parachute::plan::step::Key::Daemons).is_none());
}

/// To take back a stop is to start whoever can be started: one that cannot stops no other.
#[test]
fn one_that_is_gone_keeps_no_other_from_coming_back() {
    let mut world = World::new().with_job(&hub(), None, false, false);
    world.daemons =
        [("vault", Some(1)), ("notes", Some(2))].map(|(name, life)| (name.to_owned(), life)).into();
    let daemons = vec![daemon("vault", 1), daemon("notes", 2)];
    let steps =
        vec![Step::StopDaemons { daemons, heirs: Vec::new() }, unit(&hub(), "broken"), running(&hub(), true)];
    world.gone.insert("notes".to_owned());
    let mut lives = Lives::new();
    let undo = lives.run(&mut world, &plan(steps)).unwrap().unwrap_err().undone.unwrap();
    assert_eq!((undo.left.len(), undo.again), (1, true));
    assert_eq!(undo.left[0].because, "cannot start notes");
    assert_eq!(world.view().daemons, ["vault".to_owned()].into());
    // It never can be: a person lets it go, and other plans are possible again.
    assert!(lives.roll_back(&mut world).unwrap().again);
    let undo = lives.let_go(&mut world).unwrap();
    let left = (undo.left[0].because.as_str(), undo.left[0].next.as_deref());
    assert_eq!((undo.left.len(), undo.again), (1, false));
    assert_eq!(left, ("cannot start notes", Some("parachute migrate --list")));
    assert_eq!((peek_log(&lives.state()).unwrap(), lives.receipt()), (None, Receipt::default()));
    assert!(lives.run(&mut world, &plan(vec![file("/g", "x")])).unwrap().is_ok());
}

/// What is let go of may be the only copy of somebody's bytes.
#[test]
fn what_is_let_go_of_is_kept_aside() {
    let (mut lives, mut world) = (Lives::new(), World::new());
    let node = |text: &str| Node::File { mode: 0o644, text: text.to_owned() };
    world.nodes.insert("/f".into(), node("before us"));
    world.fails = BTreeMap::from([(2, false), (3, false), (4, false)]);
    let undo =
        lives.run(&mut world, &plan(vec![file("/f", "ours"), file("/g", "x")])).unwrap().unwrap_err().undone;
    assert!(undo.unwrap().again);
    let undo = lives.let_go(&mut world).unwrap();
    let next = undo.left[0].next.clone().unwrap();
    let kept = next.strip_prefix("diff ").unwrap().split(' ').next().unwrap();
    assert_eq!(parachute::home::fs::read(Path::new(kept), 99).unwrap(), b"before us");
    assert!(!undo.again);
}

#[test]
fn to_start_daemons_again_is_nothing_to_type() {
    let (_, steps) = torn_down();
    let said = parachute::plan::commands::by_hand(&steps[1], None).unwrap();
    assert!(!said.contains("setsid") && said.ends_with("parachute migrate --rollback"), "{said}");
}

#[test]
fn a_change_since_the_plan_was_shown_stops_it() {
    let mut lives = Lives::new();
    let mut world = World::new();
    let node = |text: &str| Node::File { mode: 0o644, text: text.to_owned() };
    world.nodes.insert("/f".into(), node("seen"));
    let steps = vec![file("/e", "ours"), file("/f", "ours")];
    let shown = observe_all(&world, &steps).now_or_never().unwrap().unwrap();
    world.nodes.insert("/f".into(), node("edited meanwhile"));
    let failed = lives
        .live(async |journal, watch| {
            let mut watch =
                Watch { progress: &mut |_| {}, shown: Some(&shown), fault: watch.fault, stop: None };
            run(&plan(steps), &mut world, journal, &mut watch).await
        })
        .unwrap()
        .unwrap_err();
    assert!(matches!(&failed.error, StepError::Changed { subject } if subject == "/f"), "{:?}", failed.error);
    assert_eq!(failed.undone.unwrap().taken_back, 1);
    assert_eq!(
        (world.text(Path::new("/f")).as_deref(), world.text(Path::new("/e"))),
        (Some("edited meanwhile"), None)
    );
}

#[test]
fn what_is_refused_is_named_and_the_bytes_from_before_are_kept() {
    let mut lives = Lives::new();
    let mut world = World::new();
    let node = |text: &str| Node::File { mode: 0o644, text: text.to_owned() };
    world.nodes.insert("/f".into(), node("before us"));
    // One look at each file, one before the step; killed when the second step begins.
    world.cut_after(Some(7));
    assert!(lives.run(&mut world, &plan(vec![file("/f", "ours"), file("/g", "ours")])).is_none());
    world.cut_after(None);
    assert_eq!(world.text(Path::new("/f")).as_deref(), Some("ours"));
    world.nodes.insert("/f".into(), node("theirs"));
    let undo = lives.roll_back(&mut world).unwrap();
    assert_eq!((undo.left.len(), undo.again), (1, false));
    let left = &undo.left[0];
    assert!(left.because.starts_with("somebody else changed it"), "{left:?}");
    let next = left.next.clone().unwrap();
    let kept = next.strip_prefix("diff ").unwrap().split(' ').next().unwrap();
    assert_eq!(parachute::home::fs::read(Path::new(kept), 99).unwrap(), b"before us");
    assert_eq!(world.text(Path::new("/f")).as_deref(), Some("theirs"));
}

#[test]
fn a_receipt_leaves_what_was_changed_after_us() {
    let mut lives = Lives::new();
    let mut world = World::new().with_job(&hub(), None, false, false);
    lives.run(&mut world, &plan(install())).unwrap().unwrap();
    let theirs = Node::File { mode: 0o644, text: "edited".to_owned() };
    world.nodes.insert(unit_path(&hub()), theirs.clone());
    let receipt = lives.receipt();
    let now = observe_all(&world, &receipt.steps()).now_or_never().unwrap().unwrap();
    let kept = inverse_of(&receipt, &now, Take::Everything, false);
    assert!(kept.steps.iter().all(|step| !matches!(step, Step::RemoveUnit { .. })));
    assert!(kept.notes[0].text.starts_with("/u/parachute-hub.service was changed"), "{:?}", kept.notes);
    assert!(
        inverse_of(&receipt, &now, Take::Everything, true)
            .steps
            .iter()
            .any(|step| matches!(step, Step::RemoveUnit { .. }))
    );
    lives.run(&mut world, &kept).unwrap().unwrap();
    assert_eq!(world.nodes[&unit_path(&hub())], theirs);
    // It is still ours to tell of, and by force ours to remove.
    let rest = lives.receipt();
    assert_eq!(rest.records.len(), 1);
    let now = observe_all(&world, &rest.steps()).now_or_never().unwrap().unwrap();
    lives.run(&mut world, &inverse_of(&rest, &now, Take::Everything, true)).unwrap().unwrap();
    assert!(!world.nodes.contains_key(&unit_path(&hub())) && !lives.state().exists());
}

#[test]
fn two_commands_at_once_are_refused_with_a_name() {
    let lives = Lives::new();
    let held = Journal::open(&lives.state()).unwrap();
    let error = Journal::open(&lives.state()).unwrap_err();
    let said = parachute::home::sentence::of(&error);
    assert!(said.starts_with("another command is changing this installation: "), "{said}");
    assert!(said.ends_with(&format!("lock is held by pid {}", std::process::id())), "{said}");
    held.close().unwrap();
}

#[test]
fn damage_is_loud_and_touches_nothing() {
    for (name, text, next) in [
        ("journal.jsonl", "{\n{}\n", true),
        ("receipt.json", "{\"version\":1}", true),
        ("receipt.json", "{\"version\":9,\"program\":\"3.1.0\"}", false),
    ] {
        let lives = Lives::new();
        let path = lives.state().join(name);
        parachute::home::fs::make_dir(&lives.state(), 0o700).unwrap();
        parachute::home::fs::put(&path, 0o600, text.as_bytes()).unwrap();
        let error = Journal::open(&lives.state()).unwrap_err();
        let said = parachute::home::sentence::of(&error);
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert_eq!(error.next().is_some_and(|next| next.starts_with("mv ")), next, "{said}");
        assert_eq!(parachute::home::fs::read(&path, 99).unwrap(), text.as_bytes());
        assert!(!text.contains('9') || said.contains("written by parachute 3.1.0"), "{said}");
    }
}

/// Receipts and journals of every version of the format are read for ever: they are all that is known about what has
/// to be taken back.
#[test]
fn what_older_versions_wrote_is_read_and_taken_back() {
    let text = include_str!("../../data/plan/receipt-1.json");
    let receipt = Receipt::read(text.as_bytes()).unwrap();
    assert_eq!(
        serde_json::to_string_pretty(&receipt).unwrap() + "\n",
        text,
        "what is read is what was written"
    );
    let before: Vec<Before> = receipt.records.iter().map(|record| record.before.clone()).collect();
    insta::assert_snapshot!(
        "receipt_1_taken_back",
        describe(&inverse_of(&receipt, &before, Take::Everything, true))
    );
    assert_eq!(receipt.saved().into_iter().collect::<Vec<_>>(), [Path::new("/h/install/saved/2d71")]);

    let good = parachute::plan::events::read(include_bytes!("../../data/plan/journal-1.jsonl")).unwrap();
    let log = good.log.unwrap();
    let words = |mark: &Mark| match mark {
        Mark::Untouched => "untouched",
        Mark::Skipped => "skipped",
        Mark::Started { .. } => "started",
        Mark::Done { .. } => "done",
        Mark::Undone => "undone",
    };
    let marks: Vec<String> = log
        .plan
        .steps
        .iter()
        .zip(&log.marks)
        .map(|(step, mark)| format!("{}: {}", words(mark), step.describe()))
        .collect();
    insta::assert_snapshot!("journal_1", marks.join("\n"));
    assert!(log.undoing && log.failed.is_some());
}
