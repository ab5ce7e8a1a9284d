//! Plans that fail, are interrupted, are undone, on the model.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt;
use parachute::plan::executor::StepError;
use parachute::plan::host::observe_all;
use parachute::plan::journal::peek_unfinished;
use parachute::plan::receipt::Receipt;
use parachute::plan::run;
use parachute::plan::run_options::RunOptions;
use parachute::plan::step::{Key, Step};

use super::model_host::{ModelHost, daemon, running_daemon};
use super::testing::{Program, file, hub, install, node, plan, running, unit};

#[test]
fn a_step_that_fails_undoes_the_plan_and_is_named() {
    for at in 1..=7 {
        for in_the_middle in [false, true] {
            let mut program = Program::new();
            let theirs = "theirs, edited by hand, and long";
            let mut host = ModelHost::new().with_unit(&hub(), Some(theirs), true, true);
            let before = host.view();
            host.fails = BTreeMap::from([(at, in_the_middle)]);
            let steps = [vec![running(&hub(), false)], install()].concat();
            let outcome = program.run(&mut host, &plan(steps)).unwrap();
            // Linger is optional, and has no middle to fail in. The unit is enabled already.
            let Err(failed) = outcome else {
                let notes = outcome.unwrap().notes;
                assert_eq!((at, notes.len()), (5, usize::from(!in_the_middle)), "{notes:?}");
                continue;
            };
            let rollback = failed.rollback.unwrap();
            assert_eq!(rollback.remaining, []);
            let mut after = host.view();
            after.linger.retain(|_, on| *on);
            assert_eq!(after, before, "after a failure at {at}, {in_the_middle}");
            assert_eq!(program.receipt(), Receipt::default());
            assert!(!program.dir().exists());
        }
    }
}

#[test]
fn a_step_that_cannot_be_undone_is_named_and_tried_again() {
    let mut program = Program::new();
    let mut host = ModelHost::new().with_unit(&hub(), None, false, false);
    let before = host.view();
    let steps = vec![file("/f", "ours"), unit(&hub(), "broken"), running(&hub(), true)];
    // The third step fails because the unit is broken. The fifth to be performed is the removal of the unit.
    host.fails = BTreeMap::from([(5, false)]);
    let failed = program.run(&mut host, &plan(steps)).unwrap().unwrap_err();
    assert_eq!(failed.to_string(), "cannot start hub");
    let rollback = failed.rollback.unwrap();
    assert!(rollback.retry);
    assert_eq!(rollback.remaining.len(), 1);
    assert_eq!(rollback.remaining[0].subject, "/u/parachute-hub.service");
    assert_eq!(rollback.remaining[0].because, "cannot remove the unit /u/parachute-hub.service: it broke");
    assert_eq!(rollback.remaining[0].hint.as_deref(), Some("true"));
    assert!(!host.nodes.contains_key(Path::new("/f")), "the others are undone");
    assert!(peek_unfinished(&program.dir()).unwrap().unwrap().undoing);
    // No other plan begins before this one has ended. Finishing it means undoing it.
    let other = program.run(&mut host, &plan(vec![file("/g", "x")])).unwrap().unwrap_err();
    let said = other.error.to_string();
    assert!(said.ends_with("init` was interrupted: finish or undo it first"), "{said}");
    let again = program.resume(&mut host).unwrap().unwrap_err();
    assert!(again.error.to_string().contains("hub failed"), "{}", again.error);
    assert_eq!(again.rollback.unwrap().remaining, []);
    assert_eq!(host.view(), before);
}

/// A hub, and the steps that start the detached daemons in its place.
fn torn_down() -> (ModelHost, Vec<Step>) {
    let mut host = ModelHost::new().with_unit(&hub(), Some("one"), true, true);
    host.daemons =
        [("vault", None), ("notes", None)].map(|(name, process)| (name.to_owned(), process)).into();
    let daemons = ["vault", "notes"].map(|name| running_daemon(name, &daemon(name, 1).leader)).to_vec();
    (host, vec![running(&hub(), false), Step::StartDaemons { daemons }])
}

#[test]
fn a_restarted_daemon_is_ended_when_another_one_fails() {
    let (mut host, steps) = torn_down();
    let before = host.view();
    let mut program = Program::new();
    host.gone.insert("notes".to_owned());
    let failed = program.run(&mut host, &plan(steps.clone())).unwrap().unwrap_err();
    assert_eq!(failed.error.to_string(), "cannot start notes");
    assert_eq!(failed.rollback.unwrap().remaining, []);
    assert_eq!(host.view(), before, "vault does not run beside the hub");
    // Interrupted at any point, and undone.
    for cut in 0..40 {
        let (mut host, steps) = torn_down();
        let mut program = Program::new();
        host.cut_after(Some(cut));
        if program.run(&mut host, &plan(steps)).is_some() {
            break;
        }
        host.cut_after(None);
        assert_eq!(program.roll_back(&mut host).unwrap().remaining, []);
        assert_eq!(host.view(), before, "cut after {cut}");
    }
    // The receipt does not record detached daemons that run again.
    host.gone.clear();
    let _ = program.run(&mut host, &plan(steps)).unwrap().unwrap();
    assert_eq!(host.view().daemons.len(), 2);
    assert!(program.receipt().get(&Key::Daemons).is_none());
}

#[test]
fn a_daemon_whose_program_is_missing_does_not_prevent_the_restart_of_the_others() {
    let mut host = ModelHost::new().with_unit(&hub(), None, false, false);
    host.daemons =
        [("vault", Some(1)), ("notes", Some(2))].map(|(name, process)| (name.to_owned(), process)).into();
    let daemons = vec![daemon("vault", 1), daemon("notes", 2)];
    let steps = vec![
        Step::StopDaemons { daemons, replaced_by: Vec::new() },
        unit(&hub(), "broken"),
        running(&hub(), true),
    ];
    host.gone.insert("notes".to_owned());
    let mut program = Program::new();
    let rollback = program.run(&mut host, &plan(steps)).unwrap().unwrap_err().rollback.unwrap();
    assert_eq!((rollback.remaining.len(), rollback.retry), (1, true));
    assert_eq!(rollback.remaining[0].because, "cannot start notes");
    assert_eq!(host.view().daemons, ["vault".to_owned()].into());
    // It can never be started: the user leaves it, and then other plans are possible again.
    assert!(program.roll_back(&mut host).unwrap().retry);
    let rollback = program.roll_back_and_leave(&mut host).unwrap();
    let remaining = (rollback.remaining[0].because.as_str(), rollback.remaining[0].hint.as_deref());
    assert_eq!((rollback.remaining.len(), rollback.retry), (1, false));
    assert_eq!(remaining, ("cannot start notes", Some("parachute migrate --list")));
    assert_eq!((peek_unfinished(&program.dir()).unwrap(), program.receipt()), (None, Receipt::default()));
    assert!(program.run(&mut host, &plan(vec![file("/g", "x")])).unwrap().is_ok());
}

/// The journal may have the only copy of a user's file.
#[test]
fn the_previous_content_is_kept_when_a_step_is_left() {
    let (mut program, mut host) = (Program::new(), ModelHost::new());
    host.nodes.insert("/f".into(), node("from before"));
    host.fails = BTreeMap::from([(2, false), (3, false), (4, false)]);
    let rollback = program
        .run(&mut host, &plan(vec![file("/f", "ours"), file("/g", "x")]))
        .unwrap()
        .unwrap_err()
        .rollback;
    assert!(rollback.unwrap().retry);
    let rollback = program.roll_back_and_leave(&mut host).unwrap();
    let hint = rollback.remaining[0].hint.clone().unwrap();
    let kept = hint.strip_prefix("diff ").unwrap().split(' ').next().unwrap();
    assert_eq!(std::fs::read(Path::new(kept)).unwrap(), b"from before");
    assert!(!rollback.retry);
}

#[test]
fn a_file_changed_after_the_plan_was_shown_stops_the_plan() {
    let mut program = Program::new();
    let mut host = ModelHost::new();
    host.nodes.insert("/f".into(), node("seen"));
    let steps = vec![file("/e", "ours"), file("/f", "ours")];
    let shown = observe_all(&host, &steps).now_or_never().unwrap().unwrap();
    host.nodes.insert("/f".into(), node("edited meanwhile"));
    let failed = program
        .start(async |journal, _| {
            let mut options =
                RunOptions { progress: &mut |_| {}, shown: Some(&shown), fault: None, stop: None };
            run(&plan(steps), &mut host, journal, &mut options).await
        })
        .unwrap()
        .unwrap_err();
    assert!(matches!(&failed.error, StepError::Changed { subject } if subject == "/f"), "{:?}", failed.error);
    assert_eq!(failed.rollback.unwrap().undone, 1);
    assert_eq!(
        (host.text(Path::new("/f")).as_deref(), host.text(Path::new("/e"))),
        (Some("edited meanwhile"), None)
    );
}

#[test]
fn a_file_changed_meanwhile_is_left_and_the_previous_content_is_kept() {
    let mut program = Program::new();
    let mut host = ModelHost::new();
    host.nodes.insert("/f".into(), node("from before"));
    // One observation of each file, one before the step; killed when the second step begins.
    host.cut_after(Some(7));
    assert!(program.run(&mut host, &plan(vec![file("/f", "ours"), file("/g", "ours")])).is_none());
    host.cut_after(None);
    assert_eq!(host.text(Path::new("/f")).as_deref(), Some("ours"));
    host.nodes.insert("/f".into(), node("theirs"));
    let rollback = program.roll_back(&mut host).unwrap();
    assert_eq!((rollback.remaining.len(), rollback.retry), (1, false));
    let left = &rollback.remaining[0];
    assert!(left.because.starts_with("another program changed it"), "{left:?}");
    let hint = left.hint.clone().unwrap();
    let kept = hint.strip_prefix("diff ").unwrap().split(' ').next().unwrap();
    assert_eq!(std::fs::read(Path::new(kept)).unwrap(), b"from before");
    assert_eq!(host.text(Path::new("/f")).as_deref(), Some("theirs"));
}
