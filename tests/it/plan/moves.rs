//! Stories of moves, on the model world.

use std::path::Path;

use futures_util::FutureExt;

use super::executor::{Lives, describe, plan};
use super::model_host::{Node, World};
use parachute::plan::executor::perform::StepError;
use parachute::plan::host::observe_all;
use parachute::plan::run_options::Watch;
use parachute::plan::step::Step;
use parachute::plan::{Plan, Verb};
use parachute::plan::{inverse_of, run};

#[test]
fn a_move_comes_back_and_that_of_a_sweep_is_not_ours_to_take_back() {
    for verb in [Verb::Sweep, Verb::Migrate] {
        let mut lives = Lives::new();
        let mut world = World::new();
        world.nodes.insert("/m".into(), Node::Dir(0o700));
        world.nodes.insert("/m/within".into(), Node::File { mode: 0o600, text: "theirs".to_owned() });
        let before = world.view();
        let to = Step::Move { from: "/m".into(), to: "/a/m".into() };
        let steps = vec![Step::MakeDir { path: "/a".into(), mode: 0o700 }, to];
        lives.run(&mut world, &Plan { steps, ..Plan::new(verb) }).unwrap().unwrap();
        assert_eq!(world.text(Path::new("/a/m/within")).as_deref(), Some("theirs"));
        assert!(!world.nodes.contains_key(Path::new("/m")));
        let receipt = lives.receipt();
        if verb == Verb::Sweep {
            assert!(receipt.is_empty() && !lives.state().exists());
            continue;
        }
        let now = observe_all(&world, &receipt.steps()).now_or_never().unwrap().unwrap();
        let back = inverse_of(&receipt, &now, parachute::plan::Take::Everything, false);
        insta::assert_snapshot!(describe(&back), @r"
        move /a/m to /m
        remove the directory /a if it is empty
        ");
        lives.run(&mut world, &back).unwrap().unwrap();
        assert_eq!(world.view(), before);
        assert!(!lives.state().exists());
    }
}

#[test]
fn nothing_is_moved_onto_something_and_nothing_else_is_moved() {
    let file = |text: &str| Node::File { mode: 0o600, text: text.to_owned() };
    let step = || vec![Step::Move { from: "/m".into(), to: "/n".into() }];
    let mut lives = Lives::new();
    let mut world = World::new();
    world.nodes.extend([("/m".into(), file("theirs")), ("/n".into(), Node::Link("/nowhere".into()))]);
    let failed = lives.run(&mut world, &plan(step())).unwrap().unwrap_err();
    assert_eq!(failed.error.to_string(), "a link at /n is in the way");
    // What was shown is not what is there by now.
    world.nodes.remove(Path::new("/n"));
    let shown = observe_all(&world, &step()).now_or_never().unwrap().unwrap();
    world.nodes.insert("/m".into(), file("another"));
    let failed = lives
        .live(async |journal, watch| {
            let mut watch =
                Watch { progress: &mut |_| {}, shown: Some(&shown), fault: watch.fault, stop: None };
            run(&plan(step()), &mut world, journal, &mut watch).await
        })
        .unwrap()
        .unwrap_err();
    assert!(matches!(&failed.error, StepError::Changed { subject } if subject == "/m or /n"), "{failed:?}");
    assert_eq!(world.text(Path::new("/m")).as_deref(), Some("another"));
    // Gone is as good as moved.
    world.nodes.remove(Path::new("/m"));
    assert_eq!(lives.run(&mut world, &plan(step())).unwrap().unwrap().skipped, 1);
}
