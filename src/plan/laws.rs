//! Laws of plans over random worlds and random plans: killed anywhere and taken back it is the world from before;
//! finished it is the goal; nothing of somebody else is ever overwritten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::content::Content;
use super::host::observe_all;
use super::journal::peek_log;
use super::receipt::Receipt;
use super::step::{Key, Step};
use super::tests::{Lives, enabled, hub, plan, running, unit, unit_path};
use super::whole::Plan;
use super::world::{Node, View, World, daemon};
use super::{Take, inverse_of};
use crate::manager::state::Active;
use crate::unit::name::UnitName;

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
    Daemons,
    Mode(u32),
    Healthy,
    Move(usize),
}

const DIRS: [&str; 4] = ["/a", "/a/b", "/c", "/c/d/e"];
const FILES: [&str; 5] = ["/f", "/a/f", "/a/b/g", "/c/d/e/h", "/g"];
/// No other step is about any of these names, but for the directories above.
const MOVES: [(&str, &str); 4] = [("/m", "/n"), ("/o", "/a/o"), ("/c/p", "/a/b/p"), ("/t", "/c/d/e/t")];
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
        Just(Wish::Daemons),
        prop_oneof![Just(0o600_u32), Just(0o777)].prop_map(Wish::Mode),
        Just(Wish::Healthy),
        (0..MOVES.len()).prop_map(Wish::Move),
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
            Wish::Mode(mode) => Step::SetMode { path: "/mode".into(), mode: *mode },
            Wish::Daemons => Step::StopDaemons {
                // One runs, one does not, one is another life than was seen.
                daemons: vec![daemon("hub", 1001), daemon("vault", 1002), daemon("notes", 1)],
                heirs: Vec::new(),
            },
            Wish::Healthy => Step::AwaitHealthy { within: Duration::from_secs(1) },
            Wish::Move(m) => Step::Move { from: MOVES[*m].0.into(), to: MOVES[*m].1.into() },
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
        moves in proptest::collection::vec((0..MOVES.len(), any::<bool>(), 0..8_u8), 0..4),
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
        for (m, is_new, kind) in moves {
            let path = PathBuf::from(if is_new && kind < 3 { MOVES[m].1 } else { MOVES[m].0 });
            if world.nodes.contains_key(path.parent().unwrap()) {
                let node = match kind {
                    0 | 4 => Node::Link("/nowhere".into()),
                    1 | 5 => Node::Dir(0o700),
                    _ => Node::File { mode: 0o600, text: format!("moves {m}") },
                };
                if node == Node::Dir(0o700) {
                    world.nodes.insert(path.join("within"), Node::File { mode: 0o400, text: "deep".to_owned() });
                }
                world.nodes.insert(path, node);
            }
        }
        for (unit, (text, enabled, up)) in units().iter().zip(jobs) {
            world = world.with_job(unit, text.map(|t| TEXTS[t]), enabled, up);
        }
        world.nodes.insert("/mode".into(), Node::File { mode: 0o666, text: "mode".to_owned() });
        world.linger.insert("op".to_owned(), linger);
        let lives = [("hub", Some(1001)), ("vault", None), ("notes", Some(1003))];
        world.daemons = lives.map(|(name, life)| (name.to_owned(), life)).into();
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
        let uninstall = inverse_of(&receipt, &now, Take::Everything, false);
        prop_assert_eq!(&uninstall.notes, &[]);
        prop_assert!(lives.run(&mut world, &uninstall).unwrap().is_ok());
        prop_assert_eq!(view(&world), before);
        prop_assert!(!lives.state().exists(), "{:?}", lives.receipt());
    }

    /// What was taken over comes back when the one above is taken back, killed on the way there or not; and then it can be
    /// taken back itself.
    #[test]
    fn what_was_taken_over_comes_back_whole(
        mut world in world(),
        first in proptest::collection::vec(wish(), 1..6),
        second in proptest::collection::vec(wish(), 1..6),
        cut in proptest::option::of(0..60_usize),
    ) {
        let before = view(&world);
        let mut lives = Lives::new();
        let under = plan(sensible(&world, &first));
        let _ = lives.run(&mut world, &under).unwrap();
        let (whole, receipt) = (view(&world), lives.receipt());
        let above = Plan { covers: true, ..plan(sensible(&world, &second)) };
        if let Some(cut) = cut {
            if killed(&mut world, &mut lives, &above, cut, 0) {
                prop_assert_eq!(lives.roll_back(&mut world).unwrap().left, []);
                prop_assert_eq!(view(&world), whole.clone());
                prop_assert_eq!(lives.receipt().records, receipt.records.clone());
            }
        } else {
            let _ = lives.run(&mut world, &above).unwrap();
        }
        let mut layers = 0;
        while !lives.receipt().is_empty() {
            let top = lives.receipt();
            if top.beneath.is_none() {
                prop_assert!(layers == 0 || view(&world) == whole);
            }
            let now = observe_all(&world, &top.steps()).now_or_never().unwrap().unwrap();
            let uninstall = inverse_of(&top, &now, Take::Everything, false);
            prop_assert_eq!(&uninstall.notes, &[]);
            prop_assert!(lives.run(&mut world, &uninstall).unwrap().is_ok());
            layers += 1;
            prop_assert!(layers < 3, "{:?}", lives.receipt());
        }
        prop_assert_eq!(view(&world), before);
        prop_assert!(!lives.state().exists());
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
                    let was_off = *was_active == Active::Stopped && !was_enabled;
                    prop_assert!(*active == Active::Stopped || !was_off);
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
        edits in proptest::collection::vec((0..FILES.len() + MOVES.len() * 2 + 2, any::<bool>()), 1..4),
        finish in any::<bool>(),
    ) {
        let steps = sensible(&world, &wishes);
        let mut lives = Lives::new();
        if killed(&mut world, &mut lives, &plan(steps), cut, 0) && peek_log(&lives.state()).unwrap().is_some() {
            let mut theirs = BTreeMap::new();
            let names = MOVES.iter().flat_map(|(from, to)| [*from, *to]);
            let files: Vec<&str> = FILES.into_iter().chain(names).collect();
            for (which, link) in edits {
                let path = files.get(which).map_or_else(|| unit_path(&units()[which - files.len()]), PathBuf::from);
                if matches!(world.nodes.get(path.parent().unwrap()), Some(Node::Dir(_))) {
                    let file = Node::File { mode: 0o600, text: format!("foreign {which}") };
                    let node = if link { Node::Link("/foreign".into()) } else { file };
                    world.nodes.retain(|name, _| !name.starts_with(&path));
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
                    let edited = match step.key() {
                        Some(Key::File(path)) => theirs.contains_key(&path),
                        Some(Key::Names(one, other)) => theirs.contains_key(&one) || theirs.contains_key(&other),
                        _ => false,
                    };
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
