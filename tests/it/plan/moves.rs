//! Steps that move files, on the model.

use std::path::Path;

use futures_util::FutureExt;
use parachute::plan::executor::StepError;
use parachute::plan::host::observe_all;
use parachute::plan::run_options::RunOptions;
use parachute::plan::step::Step;
use parachute::plan::{Plan, Verb, run};

use super::model_host::{ModelHost, Node};
use super::testing::{Program, describe, plan, uninstall};

#[test]
fn a_move_is_undone_unless_it_was_of_a_sweep() {
    for verb in [Verb::Sweep, Verb::Migrate] {
        let mut program = Program::new();
        let mut host = ModelHost::new();
        host.nodes.insert("/m".into(), Node::Dir(0o700));
        host.nodes.insert("/m/within".into(), Node::File { mode: 0o600, text: "theirs".to_owned() });
        let before = host.view();
        let to = Step::Move { from: "/m".into(), to: "/a/m".into() };
        let steps = vec![Step::MakeDir { path: "/a".into(), mode: 0o700 }, to];
        program.run(&mut host, &Plan { steps, ..Plan::new(verb) }).unwrap().unwrap();
        assert_eq!(host.text(Path::new("/a/m/within")).as_deref(), Some("theirs"));
        assert!(!host.nodes.contains_key(Path::new("/m")));
        let receipt = program.receipt();
        if verb == Verb::Sweep {
            assert!(receipt.is_empty() && !program.dir().exists());
            continue;
        }
        let back = uninstall(&host, &receipt);
        insta::assert_snapshot!(describe(&back), @r"
        move /a/m to /m
        remove the directory /a if it is empty
        ");
        program.run(&mut host, &back).unwrap().unwrap();
        assert_eq!(host.view(), before);
        assert!(!program.dir().exists());
    }
}

#[test]
fn a_move_replaces_nothing_and_moves_only_what_was_shown() {
    let file = |text: &str| Node::File { mode: 0o600, text: text.to_owned() };
    let step = || vec![Step::Move { from: "/m".into(), to: "/n".into() }];
    let mut program = Program::new();
    let mut host = ModelHost::new();
    host.nodes.extend([("/m".into(), file("theirs")), ("/n".into(), Node::Link("/nowhere".into()))]);
    let failed = program.run(&mut host, &plan(step())).unwrap().unwrap_err();
    assert_eq!(failed.error.to_string(), "a link at /n is in the way");
    // The file was replaced after the plan was shown.
    host.nodes.remove(Path::new("/n"));
    let shown = observe_all(&host, &step()).now_or_never().unwrap().unwrap();
    host.nodes.insert("/m".into(), file("another"));
    let failed = program
        .start(async |journal, _| {
            let mut options =
                RunOptions { progress: &mut |_| {}, shown: Some(&shown), fault: None, stop: None };
            run(&plan(step()), &mut host, journal, &mut options).await
        })
        .unwrap()
        .unwrap_err();
    assert!(matches!(&failed.error, StepError::Changed { subject } if subject == "/m or /n"), "{failed:?}");
    assert_eq!(host.text(Path::new("/m")).as_deref(), Some("another"));
    // A missing file needs no move.
    host.nodes.remove(Path::new("/m"));
    assert_eq!(program.run(&mut host, &plan(step())).unwrap().unwrap().skipped, 1);
}
