//! Plans on the real host: real files in a directory of the test, units through a small systemd.

use std::os::unix::fs::symlink;
use std::time::Duration;

use parachute::api::client::Client;
use parachute::error_chain::Hints as _;
use parachute::plan::fault::Fault;
use parachute::plan::host::real::RealHost;
use parachute::plan::host::{Host, observe_all};
use parachute::plan::journal::{Journal, peek_receipt};
use parachute::plan::run_options::RunOptions;
use parachute::plan::step::Step;
use parachute::plan::{Plan, UndoScope, Verb, run, undo_plan};
use parachute::unit::name::UnitName;

use super::real_place::{Place, Systemctl, make_dir, mode, put};
use super::testing::sentence;

#[tokio::test]
async fn files_and_units_are_installed_and_undone() {
    let place = Place::new();
    place.put_program();
    let before = place.all();
    let done = place.run(&place.install("[Unit]\n"), None).await.unwrap();
    assert_eq!((done.performed, done.skipped), (6, 1));
    assert_eq!(mode(&place.at("home/bin/parachute")), 0o755);
    assert_eq!(mode(&place.at("home/conf")), 0o600);
    assert_eq!(mode(&place.state().join("receipt.json")), 0o600);
    assert!(!place.state().join("journal.jsonl").exists() && !place.state().join("saved").exists());
    place.systemctl.changes.borrow_mut().clear();
    let mut again = place.install("[Unit]\n");
    again.steps.remove(0);
    assert_eq!(place.run(&again, None).await.unwrap().performed, 0);
    assert_eq!(
        *place.systemctl.changes.borrow(),
        Vec::<String>::new(),
        "the second time the manager gets no command"
    );

    let receipt = peek_receipt(&place.state()).unwrap();
    let seen = observe_all(&place.host(), &receipt.steps()).await.unwrap();
    place.run(&undo_plan(&receipt, &seen, UndoScope::Everything, false), None).await.unwrap();
    assert_eq!(place.all(), before);
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_machine_as_it_was() {
    for at in 2..=7 {
        let place = Place::new();
        place.put_program();
        // An installation of another program: a file that is not UTF-8, a link, a running unit.
        make_dir(&place.at("home/bin"), 0o700);
        put(&place.at("home/bin/parachute"), 0o711, &[0xff; 100_000]);
        symlink("/nowhere", place.at("home/conf")).unwrap();
        put(&place.unit(), 0o640, b"[Unit]\nDescription=theirs\n");
        place.systemctl.reload();
        place.systemctl.running.borrow_mut().insert("parachute-hub.service".to_owned());
        let before = place.all();
        let failed = place.run(&place.install("[Unit]\n"), Some(Fault::Fail(at))).await;
        if at == 2 {
            // The directory exists already, so this step is skipped.
            assert!(failed.is_ok());
            continue;
        }
        let failed = failed.unwrap_err();
        assert_eq!((failed.index, failed.rollback.unwrap().remaining), (at - 1, Vec::new()));
        assert_eq!(place.all(), before, "after a failure at step {at}");
    }
}

#[tokio::test]
async fn a_unit_that_fails_or_is_not_accepted_leaves_no_trace() {
    for (text, error) in [("broken", "cannot start hub"), ("bad setting", "does not accept")] {
        let place = Place::new();
        place.put_program();
        let before = place.all();
        let failed = place.run(&place.install(text), None).await.unwrap_err();
        let said = sentence(&*failed);
        assert!(said.contains(error), "{said}");
        assert!(failed.error.hint().is_some(), "{said}");
        assert_eq!(failed.rollback.unwrap().remaining, []);
        assert_eq!(place.all(), before);
    }
}

#[tokio::test]
async fn a_source_that_changed_after_the_plan_was_made_is_not_installed() {
    let place = Place::new();
    place.put_program();
    let before = place.all();
    let plan = place.install("[Unit]\n");
    put(&place.at("program"), 0o755, b"another");
    let failed = place.run(&plan, None).await.unwrap_err();
    assert!(
        failed.error.to_string().ends_with("program has changed since the plan was made"),
        "{}",
        failed.error
    );
    place.put_program();
    assert_eq!(place.all(), before);
}

#[tokio::test]
async fn an_obstacle_of_a_step_is_named() {
    let place = Place::new();
    make_dir(&place.at("d/x"), 0o755);
    put(&place.at("f"), 0o644, b"");
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
    // A link to a directory is used as the directory, and never removed.
    symlink(place.at("d/x"), place.at("l")).unwrap();
    let steps =
        vec![Step::MakeDir { path: place.at("l"), mode: 0o700 }, Step::RemoveDir { path: place.at("l") }];
    let done = place.run(&Plan { steps, ..Plan::new(Verb::Init) }, None).await.unwrap();
    assert_eq!((done.skipped, mode(&place.at("d/x"))), (2, 0o755));
}

#[tokio::test]
async fn without_a_manager_files_are_moved_and_units_are_refused() {
    let place = Place::new();
    place.put_files();
    let host = || RealHost::<&Systemctl>::without_manager(&place.state(), Client::new(place.at("none.sock")));
    let go = async |step: Step| {
        let mut journal = Journal::open(&place.state()).unwrap();
        let mut options = RunOptions { progress: &mut |_| {}, shown: None, fault: None, stop: None };
        let plan = Plan { steps: vec![step], ..Plan::new(Verb::Sweep) };
        let outcome = run(&plan, &mut host(), &mut journal, &mut options).await;
        journal.close().unwrap();
        outcome
    };
    let moving = Step::Move { from: place.at("tree"), to: place.at("moved") };
    assert_eq!(
        host().by_hand(&moving).unwrap(),
        format!("mv -n {0}/tree {0}/moved", place.temp.path().display())
    );
    assert_eq!(go(moving.clone()).await.unwrap().performed, 1);
    assert!(place.at("moved/file").exists() && !place.state().exists());
    assert_eq!(go(moving).await.unwrap().skipped, 1);
    for step in [
        Step::SetRunning { unit: UnitName::hub(), running: false },
        Step::RemoveUnit { unit: UnitName::hub(), path: place.unit() },
        Step::AwaitHealthy { within: Duration::from_secs(9) },
    ] {
        let failed = go(step).await.unwrap_err();
        assert_eq!(failed.error.to_string(), "no service manager can be used here");
    }
}
