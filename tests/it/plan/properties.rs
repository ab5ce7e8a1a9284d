//! Invariants for any machine and any plan: interrupted anywhere and undone, the machine is as before; interrupted
//! anywhere and finished, the goal is reached; changes of another program are never overwritten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parachute::manager::state::Active;
use parachute::plan::Plan;
use parachute::plan::content::Content;
use parachute::plan::journal::peek_unfinished;
use parachute::plan::step::{Key, Step};
use parachute::unit::name::UnitName;
use proptest::prelude::*;

use super::model_host::{ModelHost, Node, View, daemon};
use super::testing::{Program, enabled, hub, plan, running, uninstall, unit, unit_path};

/// A step that the generator chose. [`sensible`] drops those that no planner would choose.
#[derive(Debug, Clone)]
enum Choice {
    MakeDir(usize, u32),
    RemoveDir(usize),
    Put(usize, u32, usize),
    Remove(usize),
    Unit(usize, usize),
    NoUnit(usize),
    Enabled(usize, bool),
    Running(usize, bool),
    Linger(bool),
    Daemons,
    Mode(u32),
    Healthy,
    Move(usize),
}

const DIRS: [&str; 4] = ["/a", "/a/b", "/c", "/c/d/e"];
const FILES: [&str; 5] = ["/f", "/a/f", "/a/b/g", "/c/d/e/h", "/g"];
/// No other step is about any of these names, except the directories above them.
const MOVES: [(&str, &str); 4] = [("/m", "/n"), ("/o", "/a/o"), ("/c/p", "/a/b/p"), ("/t", "/c/d/e/t")];
const TEXTS: [&str; 5] = ["one", "two", "a text that is far too long for the journal", "", "broken"];

fn units() -> [UnitName; 2] {
    [hub(), hub().socket()]
}

fn choice() -> impl Strategy<Value = Choice> {
    let mode = prop_oneof![Just(0o755_u32), Just(0o700), Just(0o644)];
    prop_oneof![
        (0..DIRS.len()).prop_map(|d| Choice::MakeDir(d, 0o750)),
        (0..DIRS.len()).prop_map(Choice::RemoveDir),
        (0..FILES.len(), mode, 0..TEXTS.len()).prop_map(|(f, m, t)| Choice::Put(f, m, t)),
        (0..FILES.len()).prop_map(Choice::Remove),
        (0..2_usize, 0..TEXTS.len()).prop_map(|(u, t)| Choice::Unit(u, t)),
        (0..2_usize).prop_map(Choice::NoUnit),
        (0..2_usize, any::<bool>()).prop_map(|(u, on)| Choice::Enabled(u, on)),
        (0..2_usize, any::<bool>()).prop_map(|(u, on)| Choice::Running(u, on)),
        any::<bool>().prop_map(Choice::Linger),
        Just(Choice::Daemons),
        prop_oneof![Just(0o600_u32), Just(0o777)].prop_map(Choice::Mode),
        Just(Choice::Healthy),
        (0..MOVES.len()).prop_map(Choice::Move),
    ]
}

/// The steps of a plan that a planner could make: a unit is stopped before its file changes, and its file is removed
/// only when the unit is disabled.
fn sensible(host: &ModelHost, choices: &[Choice]) -> Vec<Step> {
    let units = units();
    let view = host.view();
    let mut on: Vec<bool> = units.iter().map(|unit| view.units[unit].enabled).collect();
    let mut steps = Vec::new();
    for choice in choices {
        let step = match choice {
            Choice::MakeDir(d, mode) => Step::MakeDir { path: DIRS[*d].into(), mode: *mode },
            Choice::RemoveDir(d) => Step::RemoveDir { path: DIRS[*d].into() },
            Choice::Put(f, mode, t) => Step::PutFile {
                path: FILES[*f].into(),
                mode: *mode,
                content: Content::Text(TEXTS[*t].to_owned()),
            },
            Choice::Remove(f) => Step::RemoveFile { path: FILES[*f].into() },
            Choice::Unit(u, t) => {
                steps.push(running(&units[*u], false));
                unit(&units[*u], TEXTS[*t])
            }
            Choice::NoUnit(u) if !on[*u] => {
                steps.push(running(&units[*u], false));
                Step::RemoveUnit { unit: units[*u].clone(), path: unit_path(&units[*u]) }
            }
            Choice::Enabled(u, yes) => {
                on[*u] = *yes;
                enabled(&units[*u], *yes)
            }
            Choice::Running(u, yes) => running(&units[*u], *yes),
            Choice::Linger(yes) => Step::SetLinger { user: "op".to_owned(), on: *yes },
            Choice::Mode(mode) => Step::SetMode { path: "/mode".into(), mode: *mode },
            Choice::Daemons => Step::StopDaemons {
                // One runs, one does not, one was restarted since the plan was made.
                daemons: vec![daemon("hub", 1001), daemon("vault", 1002), daemon("notes", 1)],
                replaced_by: Vec::new(),
            },
            Choice::Healthy => Step::AwaitHealthy { within: Duration::from_secs(1) },
            Choice::Move(m) => Step::Move { from: MOVES[*m].0.into(), to: MOVES[*m].1.into() },
            Choice::NoUnit(_) => continue,
        };
        steps.push(step);
    }
    steps
}

prop_compose! {
    fn host()(
        files in proptest::collection::vec((0..FILES.len(), 0..TEXTS.len(), 0..4_u8), 0..4),
        dirs in proptest::collection::vec(any::<bool>(), 3),
        known in proptest::collection::vec((proptest::option::of(0..4_usize), any::<bool>(), any::<bool>()), 2),
        linger in any::<bool>(),
        moves in proptest::collection::vec((0..MOVES.len(), any::<bool>(), 0..8_u8), 0..4),
    ) -> ModelHost {
        let mut host = ModelHost::new();
        for (dir, there) in ["/a", "/a/b", "/c"].iter().zip(dirs) {
            if there && (*dir != "/a/b" || host.nodes.contains_key(Path::new("/a"))) {
                host.nodes.insert(dir.into(), Node::Dir(0o750));
            }
        }
        for (f, t, kind) in files {
            let path = PathBuf::from(FILES[f]);
            if host.nodes.contains_key(path.parent().unwrap()) {
                let file = Node::File { mode: 0o640, text: format!("their {}", TEXTS[t]) };
                host.nodes.insert(path, if kind == 0 { Node::Link("/elsewhere".into()) } else { file });
            }
        }
        for (m, is_new, kind) in moves {
            let path = PathBuf::from(if is_new && kind < 3 { MOVES[m].1 } else { MOVES[m].0 });
            if host.nodes.contains_key(path.parent().unwrap()) {
                let node = match kind {
                    0 | 4 => Node::Link("/nowhere".into()),
                    1 | 5 => Node::Dir(0o700),
                    _ => Node::File { mode: 0o600, text: format!("moves {m}") },
                };
                if node == Node::Dir(0o700) {
                    host.nodes.insert(path.join("within"), Node::File { mode: 0o400, text: "deep".to_owned() });
                }
                host.nodes.insert(path, node);
            }
        }
        for (unit, (text, enabled, up)) in units().iter().zip(known) {
            host = host.with_unit(unit, text.map(|t| TEXTS[t]), enabled, up);
        }
        host.nodes.insert("/mode".into(), Node::File { mode: 0o666, text: "mode".to_owned() });
        host.linger.insert("op".to_owned(), linger);
        let daemons = [("hub", Some(1001)), ("vault", None), ("notes", Some(1003))];
        host.daemons = daemons.map(|(name, process)| (name.to_owned(), process)).into();
        host
    }
}

/// Runs a plan until the power is cut, which may remove a few bytes of the last line. Returns whether it was
/// interrupted.
fn cut_off(host: &mut ModelHost, program: &mut Program, plan: &Plan, cut: usize, torn: usize) -> bool {
    host.cut_after(Some(cut));
    let outcome = program.run(host, plan);
    host.cut_after(None);
    if outcome.is_none() {
        program.tear(torn, host.is_performing());
    }
    outcome.is_none()
}

/// A unit that failed equals one that was stopped: neither runs.
fn view(host: &ModelHost) -> View {
    let mut view = host.view();
    for unit in view.units.values_mut() {
        if unit.active == Active::Failed {
            unit.active = Active::Stopped;
        }
    }
    view
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    /// Interrupted anywhere, perhaps once more while it is undone.
    #[test]
    fn a_plan_that_is_interrupted_and_undone_leaves_the_machine_as_before(
        mut host in host(),
        choices in proptest::collection::vec(choice(), 1..9),
        cut in 0..60_usize,
        again in proptest::option::of(0..20_usize),
        torn in 0..40_usize,
    ) {
        let before = view(&host);
        let steps = sensible(&host, &choices);
        let mut program = Program::new();
        if cut_off(&mut host, &mut program, &plan(steps), cut, torn) {
            if let Some(cut) = again {
                host.cut_after(Some(cut));
                let _ = program.roll_back(&mut host);
                host.cut_after(None);
            }
            let rollback = program.roll_back(&mut host).unwrap();
            prop_assert_eq!(rollback.remaining, []);
            prop_assert_eq!(view(&host), before);
            prop_assert!(!program.dir().exists());
        } else if program.receipt().is_empty() {
            prop_assert!(!program.dir().exists());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_that_is_interrupted_and_finished_ends_like_an_uninterrupted_one(
        mut host in host(),
        choices in proptest::collection::vec(choice(), 1..9),
        cut in 0..60_usize,
        torn in 0..40_usize,
    ) {
        let steps = plan(sensible(&host, &choices));
        let (mut uncut_host, mut uncut_program) = (host.clone(), Program::new());
        let uncut = uncut_program.run(&mut uncut_host, &steps).unwrap();
        let mut program = Program::new();
        if cut_off(&mut host, &mut program, &steps, cut, torn) {
            let begun = peek_unfinished(&program.dir()).unwrap().is_some();
            let outcome = if begun { program.resume(&mut host) } else { program.run(&mut host, &steps) };
            prop_assert_eq!(outcome.unwrap().is_ok(), uncut.is_ok());
            prop_assert_eq!(view(&host), view(&uncut_host));
            prop_assert_eq!(program.receipt().steps(), uncut_program.receipt().steps());
        }
    }

    #[test]
    fn a_receipt_undoes_every_plan_at_once(
        mut host in host(),
        plans in proptest::collection::vec(proptest::collection::vec(choice(), 1..5), 1..4),
    ) {
        let before = view(&host);
        let mut program = Program::new();
        for choices in &plans {
            let steps = sensible(&host, choices);
            let _ = program.run(&mut host, &plan(steps)).unwrap();
        }
        let receipt = program.receipt();
        let back = uninstall(&host, &receipt);
        prop_assert_eq!(&back.notes, &[]);
        prop_assert!(program.run(&mut host, &back).unwrap().is_ok());
        prop_assert_eq!(view(&host), before);
        prop_assert!(!program.dir().exists(), "{:?}", program.receipt());
    }

    /// The installation that was taken over is restored when the one above is undone, killed on the way or not;
    /// and then it can be undone itself.
    #[test]
    fn an_installation_that_was_taken_over_is_restored_completely(
        mut host in host(),
        first in proptest::collection::vec(choice(), 1..6),
        second in proptest::collection::vec(choice(), 1..6),
        cut in proptest::option::of(0..60_usize),
    ) {
        let before = view(&host);
        let mut program = Program::new();
        let under = plan(sensible(&host, &first));
        let _ = program.run(&mut host, &under).unwrap();
        let (whole, receipt) = (view(&host), program.receipt());
        let above = Plan { covers: true, ..plan(sensible(&host, &second)) };
        if let Some(cut) = cut {
            if cut_off(&mut host, &mut program, &above, cut, 0) {
                prop_assert_eq!(program.roll_back(&mut host).unwrap().remaining, []);
                prop_assert_eq!(view(&host), whole.clone());
                prop_assert_eq!(program.receipt().records, receipt.records.clone());
            }
        } else {
            let _ = program.run(&mut host, &above).unwrap();
        }
        let mut layers = 0;
        while !program.receipt().is_empty() {
            let top = program.receipt();
            if top.beneath.is_none() {
                prop_assert!(layers == 0 || view(&host) == whole);
            }
            let back = uninstall(&host, &top);
            prop_assert_eq!(&back.notes, &[]);
            prop_assert!(program.run(&mut host, &back).unwrap().is_ok());
            layers += 1;
            prop_assert!(layers < 3, "{:?}", program.receipt());
        }
        prop_assert_eq!(view(&host), before);
        prop_assert!(!program.dir().exists());
    }

    /// After a reboot files and enablement are exact, and a running unit was started from its current file.
    #[test]
    fn no_unit_runs_from_an_undone_file_after_a_power_cut(
        mut host in host(),
        choices in proptest::collection::vec(choice(), 1..9),
        cut in 0..60_usize,
        finish in any::<bool>(),
    ) {
        let steps = sensible(&host, &choices);
        let before = view(&host);
        let mut program = Program::new();
        if cut_off(&mut host, &mut program, &plan(steps), cut, 0) {
            host.reboot();
            let goal = if finish { program.resume(&mut host).unwrap().is_ok() } else { false };
            if !finish {
                let rollback = program.roll_back(&mut host).unwrap();
                prop_assert_eq!(rollback.remaining, []);
            }
            let after = view(&host);
            if !goal {
                prop_assert_eq!(&after.nodes, &before.nodes);
            }
            prop_assert_eq!(&after.temporary, &before.temporary);
            for (name, unit) in &after.units {
                prop_assert!(unit.is_current);
                let text = host.text(&unit_path(name));
                prop_assert!(unit.runs.is_none() || unit.runs == text, "{name} runs another text");
                if !goal {
                    let was = &before.units[name];
                    prop_assert_eq!(unit.enabled, was.enabled);
                    let was_off = was.active == Active::Stopped && !was.enabled;
                    prop_assert!(unit.active == Active::Stopped || !was_off);
                }
            }
        }
    }

    /// After the program was killed, and before it finishes the plan or undoes it.
    #[test]
    fn a_file_that_another_program_changed_is_never_overwritten(
        mut host in host(),
        choices in proptest::collection::vec(choice(), 1..9),
        cut in 0..60_usize,
        edits in proptest::collection::vec((0..FILES.len() + MOVES.len() * 2 + 2, any::<bool>()), 1..4),
        finish in any::<bool>(),
    ) {
        let steps = sensible(&host, &choices);
        let mut program = Program::new();
        if cut_off(&mut host, &mut program, &plan(steps), cut, 0) && peek_unfinished(&program.dir()).unwrap().is_some() {
            let mut theirs = BTreeMap::new();
            let names = MOVES.iter().flat_map(|(from, to)| [*from, *to]);
            let files: Vec<&str> = FILES.into_iter().chain(names).collect();
            for (which, link) in edits {
                let path = files.get(which).map_or_else(|| unit_path(&units()[which - files.len()]), PathBuf::from);
                if matches!(host.nodes.get(path.parent().unwrap()), Some(Node::Dir(_))) {
                    let file = Node::File { mode: 0o600, text: format!("foreign {which}") };
                    let node = if link { Node::Link("/foreign".into()) } else { file };
                    host.nodes.retain(|name, _| !name.starts_with(&path));
                    host.nodes.insert(path.clone(), node.clone());
                    theirs.insert(path, node);
                }
            }
            let unfinished = peek_unfinished(&program.dir()).unwrap().unwrap();
            if finish {
                let outcome = program.resume(&mut host).unwrap();
                if outcome.is_err_and(|failed| failed.rollback.is_none()) {
                    let _ = program.roll_back(&mut host).unwrap();
                }
            } else {
                let remaining = program.roll_back(&mut host).unwrap().remaining;
                for (step, recorded) in unfinished.plan.steps.iter().zip(&unfinished.recorded) {
                    let edited = match step.key() {
                        Some(Key::File(path)) => theirs.contains_key(&path),
                        Some(Key::Names(one, other)) => theirs.contains_key(&one) || theirs.contains_key(&other),
                        _ => false,
                    };
                    if edited && recorded.before().is_some() {
                        let is_named = remaining.iter().any(|item| item.subject == step.subject());
                        prop_assert!(is_named, "{remaining:?}");
                    }
                }
            }
            for (path, node) in theirs {
                prop_assert_eq!(host.nodes.get(&path), Some(&node), "{} was overwritten", path.display());
            }
        }
    }
}
