//! Laws of plans, on the model world: killed anywhere and taken back it is the world from before; finished it is the
//! goal; nothing of somebody else is ever overwritten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::before::Before;
use super::content::{Content, Print};
use super::host::observe_all;
use super::journal::{Journal, peek_log};
use super::matrix::Mark;
use super::receipt::Receipt;
use super::run::{Done, Failed, Progress, StepError, Watch};
use super::step::{Key, Step};
use super::undo::Undo;
use super::whole::{Plan, Verb};
use super::world::{Node, View, World};
use super::{inverse_of, resume, roll_back, run};
use crate::manager::state::Active;
use crate::unit::name::UnitName;

fn hub() -> UnitName {
    UnitName::hub()
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::new(Verb::Init) }
}

fn file(path: &str, text: &str) -> Step {
    Step::PutFile { path: path.into(), mode: 0o644, content: Content::Text(text.to_owned()) }
}

fn unit(name: &UnitName, text: &str) -> Step {
    Step::PutUnit { unit: name.clone(), path: unit_path(name), text: text.to_owned() }
}

fn unit_path(name: &UnitName) -> PathBuf {
    Path::new("/u").join(name.systemd())
}

fn enabled(name: &UnitName, enabled: bool) -> Step {
    Step::SetEnabled { unit: name.clone(), enabled }
}

fn running(name: &UnitName, running: bool) -> Step {
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
struct Lives {
    dir: tempfile::TempDir,
    stages: Vec<(usize, super::run::Stage)>,
}

impl Lives {
    fn new() -> Self {
        // Thousands of journals: memory syncs faster than a disk.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { dir: dir.unwrap(), stages: Vec::new() }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("install")
    }

    fn run(&mut self, world: &mut World, plan: &Plan) -> Option<Result<Done, Box<Failed>>> {
        self.live(async |journal, watch| run(plan, world, journal, watch).await)
    }

    fn resume(&mut self, world: &mut World) -> Option<Result<Done, Box<Failed>>> {
        self.live(async |journal, watch| resume(world, journal, watch).await)
    }

    fn roll_back(&mut self, world: &mut World) -> Option<Undo> {
        self.live(async |journal, watch| roll_back(world, journal, watch).await)
    }

    fn live<T>(&mut self, act: impl AsyncFnOnce(&mut Journal, &mut Watch<'_>) -> T) -> Option<T> {
        let mut journal = Journal::open(&self.state()).unwrap();
        let stages = &mut self.stages;
        let mut progress = |progress: Progress<'_>| stages.push((progress.index, progress.stage));
        let mut watch = Watch { progress: &mut progress, shown: None, fault: None };
        let outcome = act(&mut journal, &mut watch).now_or_never();
        if outcome.is_some() {
            journal.close().unwrap();
        }
        outcome
    }

    fn receipt(&self) -> Receipt {
        super::journal::peek_receipt(&self.state()).unwrap()
    }

    /// What a power cut does to the last line, unless that was on disk before the world changed.
    fn tear(&self, bytes: usize, acting: bool) {
        let path = self.state().join("journal.jsonl");
        let Ok(all) = crate::home::fs::read(&path, 1 << 30) else { return };
        let Some(end) = all[..all.len() - 1].iter().rposition(|byte| *byte == b'\n') else { return };
        if !acting {
            let last = all.len() - end - 1;
            crate::home::fs::put(&path, 0o600, &all[..all.len() - bytes.min(last)]).unwrap();
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
    let uninstall = inverse_of(&receipt, &now, false);
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

fn describe(plan: &Plan) -> String {
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
    assert_eq!(
        other.error.to_string(),
        "an earlier `parachute init` was cut short: finish it or take it back first"
    );
    let again = lives.resume(&mut world).unwrap().unwrap_err();
    assert!(again.error.to_string().contains("hub failed"), "{}", again.error);
    assert_eq!(again.undone.unwrap().left, []);
    assert_eq!(world.view(), before);
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
            let mut watch = Watch { progress: &mut |_| {}, shown: Some(&shown), fault: watch.fault };
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
fn a_receipt_leaves_what_was_changed_after_us() {
    let mut lives = Lives::new();
    let mut world = World::new().with_job(&hub(), None, false, false);
    lives.run(&mut world, &plan(install())).unwrap().unwrap();
    let theirs = Node::File { mode: 0o644, text: "edited".to_owned() };
    world.nodes.insert(unit_path(&hub()), theirs.clone());
    let receipt = lives.receipt();
    let now = observe_all(&world, &receipt.steps()).now_or_never().unwrap().unwrap();
    let kept = inverse_of(&receipt, &now, false);
    assert!(kept.steps.iter().all(|step| !matches!(step, Step::RemoveUnit { .. })));
    assert!(kept.notes[0].text.starts_with("/u/parachute-hub.service was changed"), "{:?}", kept.notes);
    assert!(
        inverse_of(&receipt, &now, true).steps.iter().any(|step| matches!(step, Step::RemoveUnit { .. }))
    );
    lives.run(&mut world, &kept).unwrap().unwrap();
    assert_eq!(world.nodes[&unit_path(&hub())], theirs);
    // It is still ours to tell of, and by force ours to remove.
    let rest = lives.receipt();
    assert_eq!(rest.records.len(), 1);
    let now = observe_all(&world, &rest.steps()).now_or_never().unwrap().unwrap();
    lives.run(&mut world, &inverse_of(&rest, &now, true)).unwrap().unwrap();
    assert!(!world.nodes.contains_key(&unit_path(&hub())) && !lives.state().exists());
}

#[test]
fn two_commands_at_once_are_refused_with_a_name() {
    let lives = Lives::new();
    let held = Journal::open(&lives.state()).unwrap();
    let error = Journal::open(&lives.state()).unwrap_err();
    let said = super::run::words(&error);
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
        crate::home::fs::make_dir(&lives.state(), 0o700).unwrap();
        crate::home::fs::put(&path, 0o600, text.as_bytes()).unwrap();
        let error = Journal::open(&lives.state()).unwrap_err();
        let said = super::run::words(&error);
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert_eq!(error.next().is_some_and(|next| next.starts_with("mv ")), next, "{said}");
        assert_eq!(crate::home::fs::read(&path, 99).unwrap(), text.as_bytes());
        assert!(!text.contains('9') || said.contains("written by parachute 3.1.0"), "{said}");
    }
}

/// Receipts and journals of every version of the format are read for ever: they are all that is known about what has
/// to be taken back.
#[test]
fn what_older_versions_wrote_is_read_and_taken_back() {
    let text = include_str!("../../tests/data/plan/receipt-1.json");
    let receipt = Receipt::read(text.as_bytes()).unwrap();
    assert_eq!(
        serde_json::to_string_pretty(&receipt).unwrap() + "\n",
        text,
        "what is read is what was written"
    );
    let before: Vec<Before> = receipt.records.iter().map(|record| record.before.clone()).collect();
    insta::assert_snapshot!("receipt_1_taken_back", describe(&inverse_of(&receipt, &before, true)));
    assert_eq!(receipt.saved().into_iter().collect::<Vec<_>>(), [Path::new("/h/install/saved/2d71")]);

    let good = super::log::read(include_bytes!("../../tests/data/plan/journal-1.jsonl")).unwrap();
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

// --- random worlds, random plans, killed anywhere ---------------------------------------------------------------

/// A choice of the generator; what makes no sense for a plan is dropped by [`sensible`].
#[derive(Debug, Clone)]
enum Wish {
    MakeDir(usize, u32),
    RemoveDir(usize),
    Put(usize, u32, usize),
    Remove(usize),
    Unit(usize, usize),
    NoUnit(usize),
    Enabled(usize, bool),
    Running(usize, bool),
    Linger(bool),
    Healthy,
}

const DIRS: [&str; 4] = ["/a", "/a/b", "/c", "/c/d/e"];
const FILES: [&str; 5] = ["/f", "/a/f", "/a/b/g", "/c/d/e/h", "/g"];
const TEXTS: [&str; 5] = ["one", "two", "a text that is far too long for the journal", "", "broken"];

fn units() -> [UnitName; 2] {
    [hub(), hub().socket()]
}

fn wish() -> impl Strategy<Value = Wish> {
    let mode = prop_oneof![Just(0o755_u32), Just(0o700), Just(0o644)];
    prop_oneof![
        (0..DIRS.len()).prop_map(|d| Wish::MakeDir(d, 0o750)),
        (0..DIRS.len()).prop_map(Wish::RemoveDir),
        (0..FILES.len(), mode, 0..TEXTS.len()).prop_map(|(f, m, t)| Wish::Put(f, m, t)),
        (0..FILES.len()).prop_map(Wish::Remove),
        (0..2_usize, 0..TEXTS.len()).prop_map(|(u, t)| Wish::Unit(u, t)),
        (0..2_usize).prop_map(Wish::NoUnit),
        (0..2_usize, any::<bool>()).prop_map(|(u, on)| Wish::Enabled(u, on)),
        (0..2_usize, any::<bool>()).prop_map(|(u, on)| Wish::Running(u, on)),
        any::<bool>().prop_map(Wish::Linger),
        Just(Wish::Healthy),
    ]
}

/// The steps of a plan that a planner could make: a unit is stopped before its file changes, and its file goes only
/// when it is disabled.
fn sensible(world: &World, wishes: &[Wish]) -> Vec<Step> {
    let units = units();
    let mut up: Vec<bool> = units.iter().map(|unit| world.jobs[unit].active == Active::Running).collect();
    let mut on: Vec<bool> = units.iter().map(|unit| world.jobs[unit].enabled).collect();
    let mut steps = Vec::new();
    for wish in wishes {
        let step = match wish {
            Wish::MakeDir(d, mode) => Step::MakeDir { path: DIRS[*d].into(), mode: *mode },
            Wish::RemoveDir(d) => Step::RemoveDir { path: DIRS[*d].into() },
            Wish::Put(f, mode, t) => Step::PutFile {
                path: FILES[*f].into(),
                mode: *mode,
                content: Content::Text(TEXTS[*t].to_owned()),
            },
            Wish::Remove(f) => Step::RemoveFile { path: FILES[*f].into() },
            Wish::Unit(u, t) => {
                up[*u] = false;
                steps.push(running(&units[*u], false));
                unit(&units[*u], TEXTS[*t])
            }
            Wish::NoUnit(u) if !on[*u] => {
                up[*u] = false;
                steps.push(running(&units[*u], false));
                Step::RemoveUnit { unit: units[*u].clone(), path: unit_path(&units[*u]) }
            }
            Wish::Enabled(u, yes) => {
                on[*u] = *yes;
                enabled(&units[*u], *yes)
            }
            Wish::Running(u, yes) => {
                up[*u] = *yes;
                running(&units[*u], *yes)
            }
            Wish::Linger(yes) => Step::SetLinger { user: "op".to_owned(), on: *yes },
            Wish::Healthy => Step::AwaitHealthy { within: Duration::from_secs(1) },
            Wish::NoUnit(_) => continue,
        };
        steps.push(step);
    }
    steps
}

prop_compose! {
    fn world()(
        files in proptest::collection::vec((0..FILES.len(), 0..TEXTS.len(), 0..4_u8), 0..4),
        dirs in proptest::collection::vec(any::<bool>(), 3),
        jobs in proptest::collection::vec((proptest::option::of(0..4_usize), any::<bool>(), any::<bool>()), 2),
        linger in any::<bool>(),
    ) -> World {
        let mut world = World::new();
        for (dir, there) in ["/a", "/a/b", "/c"].iter().zip(dirs) {
            if there && (*dir != "/a/b" || world.nodes.contains_key(Path::new("/a"))) {
                world.nodes.insert(dir.into(), Node::Dir(0o750));
            }
        }
        for (f, t, kind) in files {
            let path = PathBuf::from(FILES[f]);
            if world.nodes.contains_key(path.parent().unwrap()) {
                let file = Node::File { mode: 0o640, text: format!("their {}", TEXTS[t]) };
                world.nodes.insert(path, if kind == 0 { Node::Link("/elsewhere".into()) } else { file });
            }
        }
        for (unit, (text, enabled, up)) in units().iter().zip(jobs) {
            world = world.with_job(unit, text.map(|t| TEXTS[t]), enabled, up);
        }
        world.linger.insert("op".to_owned(), linger);
        world
    }
}

/// Runs until the power goes at `cut`, a few bytes of the last line with it.
fn killed(world: &mut World, lives: &mut Lives, plan: &Plan, cut: usize, torn: usize) -> bool {
    world.cut_after(Some(cut));
    let outcome = lives.run(world, plan);
    world.cut_after(None);
    if outcome.is_none() {
        lives.tear(torn, world.acting.get());
    }
    outcome.is_none()
}

/// `Failed` and `Stopped` are both down; a life that crashed and stays down is as good as one that was stopped.
fn view(world: &World) -> View {
    let mut view = world.view();
    for (_, active, ..) in view.jobs.values_mut() {
        if *active == Active::Failed {
            *active = Active::Stopped;
        }
    }
    view
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    /// Killed anywhere, perhaps again while it is taken back, and taken back: the very world from before.
    #[test]
    fn killed_and_taken_back_is_the_world_from_before(
        mut world in world(),
        wishes in proptest::collection::vec(wish(), 1..9),
        cut in 0..60_usize,
        again in proptest::option::of(0..20_usize),
        torn in 0..40_usize,
    ) {
        let before = view(&world);
        let steps = sensible(&world, &wishes);
        let mut lives = Lives::new();
        if killed(&mut world, &mut lives, &plan(steps), cut, torn) {
            if let Some(cut) = again {
                world.cut_after(Some(cut));
                let _ = lives.roll_back(&mut world);
                world.cut_after(None);
            }
            let undo = lives.roll_back(&mut world).unwrap();
            prop_assert_eq!(undo.left, []);
            prop_assert_eq!(view(&world), before);
            prop_assert!(!lives.state().exists());
        } else if lives.receipt().is_empty() {
            prop_assert!(!lives.state().exists());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    /// Killed anywhere and finished: the same world as if nobody had been killed.
    #[test]
    fn killed_and_finished_is_the_goal(
        mut world in world(),
        wishes in proptest::collection::vec(wish(), 1..9),
        cut in 0..60_usize,
        torn in 0..40_usize,
    ) {
        let steps = plan(sensible(&world, &wishes));
        let mut calm = world.clone();
        let mut calm_lives = Lives::new();
        let calmly = calm_lives.run(&mut calm, &steps).unwrap();
        let mut lives = Lives::new();
        if killed(&mut world, &mut lives, &steps, cut, torn) {
            let begun = peek_log(&lives.state()).unwrap().is_some();
            let outcome = if begun { lives.resume(&mut world) } else { lives.run(&mut world, &steps) };
            prop_assert_eq!(outcome.unwrap().is_ok(), calmly.is_ok());
            prop_assert_eq!(view(&world), view(&calm));
            let (one, other) = (lives.receipt(), calm_lives.receipt());
            let what = |receipt: &Receipt| receipt.steps();
            prop_assert_eq!(what(&one), what(&other));
        }
    }

    /// Installed for good and taken back by the receipt: the very world from before.
    #[test]
    fn a_receipt_takes_back_every_plan_at_once(
        mut world in world(),
        plans in proptest::collection::vec(proptest::collection::vec(wish(), 1..5), 1..4),
    ) {
        let before = view(&world);
        let mut lives = Lives::new();
        for wishes in &plans {
            let steps = sensible(&world, wishes);
            let _ = lives.run(&mut world, &plan(steps)).unwrap();
        }
        let receipt = lives.receipt();
        let now = observe_all(&world, &receipt.steps()).now_or_never().unwrap().unwrap();
        let uninstall = inverse_of(&receipt, &now, false);
        prop_assert_eq!(&uninstall.notes, &[]);
        prop_assert!(lives.run(&mut world, &uninstall).unwrap().is_ok());
        prop_assert_eq!(view(&world), before);
        prop_assert!(!lives.state().exists(), "{:?}", lives.receipt());
    }

    /// The machine went down and came up in between: files and enablement are exact, and what runs, runs what its
    /// file says.
    #[test]
    fn after_a_power_cut_nothing_runs_what_was_taken_back(
        mut world in world(),
        wishes in proptest::collection::vec(wish(), 1..9),
        cut in 0..60_usize,
        finish in any::<bool>(),
    ) {
        let steps = sensible(&world, &wishes);
        let before = view(&world);
        let mut lives = Lives::new();
        if killed(&mut world, &mut lives, &plan(steps), cut, 0) {
            world.reboot();
            let goal = if finish { lives.resume(&mut world).unwrap().is_ok() } else { false };
            if !finish {
                let undo = lives.roll_back(&mut world).unwrap();
                prop_assert_eq!(undo.left, []);
            }
            let after = view(&world);
            if !goal {
                prop_assert_eq!(&after.nodes, &before.nodes);
            }
            prop_assert_eq!(&after.litter, &before.litter);
            for (unit, (enabled, active, runs, read)) in &after.jobs {
                prop_assert!(*read);
                prop_assert!(runs.is_none() || *runs == world.text(&unit_path(unit)), "{unit} runs another text");
                if !goal {
                    let (was_enabled, was_active, ..) = &before.jobs[unit];
                    prop_assert_eq!(enabled, was_enabled);
                    prop_assert!(!(*was_active == Active::Stopped && !was_enabled) || *active == Active::Stopped);
                }
            }
        }
    }

    /// What somebody changed while the program was dead is there afterwards, whatever is done then.
    #[test]
    fn nothing_of_somebody_else_is_overwritten(
        mut world in world(),
        wishes in proptest::collection::vec(wish(), 1..9),
        cut in 0..60_usize,
        edits in proptest::collection::vec((0..FILES.len() + 2, any::<bool>()), 1..4),
        finish in any::<bool>(),
    ) {
        let steps = sensible(&world, &wishes);
        let mut lives = Lives::new();
        if killed(&mut world, &mut lives, &plan(steps), cut, 0) && peek_log(&lives.state()).unwrap().is_some() {
            let mut theirs = BTreeMap::new();
            for (which, link) in edits {
                let path = FILES.get(which).map_or_else(|| unit_path(&units()[which - FILES.len()]), PathBuf::from);
                if matches!(world.nodes.get(path.parent().unwrap()), Some(Node::Dir(_))) {
                    let file = Node::File { mode: 0o600, text: format!("foreign {which}") };
                    let node = if link { Node::Link("/foreign".into()) } else { file };
                    world.nodes.insert(path.clone(), node.clone());
                    theirs.insert(path, node);
                }
            }
            let log = peek_log(&lives.state()).unwrap().unwrap();
            if finish {
                let outcome = lives.resume(&mut world).unwrap();
                if outcome.is_err_and(|failed| failed.undone.is_none()) {
                    let _ = lives.roll_back(&mut world).unwrap();
                }
            } else {
                let left = lives.roll_back(&mut world).unwrap().left;
                for (step, mark) in log.plan.steps.iter().zip(&log.marks) {
                    let edited = matches!(step.key(), Some(Key::File(path)) if theirs.contains_key(&path));
                    if edited && mark.before().is_some() {
                        prop_assert!(left.iter().any(|left| left.subject == step.subject()), "{left:?}");
                    }
                }
            }
            for (path, node) in theirs {
                prop_assert_eq!(world.nodes.get(&path), Some(&node), "{} was overwritten", path.display());
            }
        }
    }
}
