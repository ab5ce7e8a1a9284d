//! Receipts, on the model: plans are added up, and undone at once.

use parachute::manager::state::Active;
use parachute::plan::content::Fingerprint;
use parachute::plan::host::observe_all;
use parachute::plan::step::Step;
use parachute::plan::{UndoScope, undo_plan};

use futures_util::FutureExt;

use super::model_host::{ModelHost, Node};
use super::testing::{Program, describe, hub, install, plan, running, uninstall, unit, unit_path};

#[test]
fn the_receipt_undoes_the_whole_installation() {
    let mut program = Program::new();
    let mut host = ModelHost::new().with_unit(&hub(), None, false, false);
    let before = host.view();
    let done = program.run(&mut host, &plan(install())).unwrap().unwrap();
    assert_eq!((done.performed, done.skipped), (7, 0));
    let installed = host.view();
    let hub_unit = &installed.units[&hub()];
    assert!(hub_unit.enabled && hub_unit.is_current);
    assert_eq!((hub_unit.active, hub_unit.runs.as_deref()), (Active::Running, Some("one")));
    // The second time it only waits, and nothing is restarted.
    let again = program.run(&mut host, &plan(install())).unwrap().unwrap();
    assert_eq!((again.performed, again.skipped), (1, 6));
    assert_eq!(host.view(), installed);
    // An upgrade is added.
    let upgrade = vec![running(&hub(), false), unit(&hub(), "two"), running(&hub(), true)];
    program.run(&mut host, &plan(upgrade)).unwrap().unwrap();
    assert_eq!(host.view().units[&hub()].runs.as_deref(), Some("two"));
    let receipt = program.receipt();
    assert_eq!(receipt.records.len(), 7, "each of two directories, file, unit, linger, enabled, running");
    assert_eq!(receipt.wrote(&unit_path(&hub())), Some(Fingerprint::of(b"two")));
    let uninstall = uninstall(&host, &receipt);
    insta::assert_snapshot!(describe(&uninstall), @r"
    stop hub
    disable hub
    disable linger for op (services stop at logout)
    remove the unit /u/parachute-hub.service
    remove /a/b/program
    remove the directory /a/b if it is empty
    remove the directory /a if it is empty
    ");
    program.run(&mut host, &uninstall).unwrap().unwrap();
    let mut after = host.view();
    after.linger.retain(|_, on| *on);
    assert_eq!(after, before);
    assert!(!program.dir().exists(), "the directory of the installation is removed too");
}

#[test]
fn a_file_changed_after_the_installation_is_left_unless_forced() {
    let mut program = Program::new();
    let mut host = ModelHost::new().with_unit(&hub(), None, false, false);
    program.run(&mut host, &plan(install())).unwrap().unwrap();
    let theirs = Node::File { mode: 0o644, text: "edited".to_owned() };
    host.nodes.insert(unit_path(&hub()), theirs.clone());
    let receipt = program.receipt();
    let now = observe_all(&host, &receipt.steps()).now_or_never().unwrap().unwrap();
    let kept = undo_plan(&receipt, &now, UndoScope::Everything, false);
    assert!(kept.steps.iter().all(|step| !matches!(step, Step::RemoveUnit { .. })));
    assert!(kept.notes[0].text.starts_with("/u/parachute-hub.service was changed"), "{:?}", kept.notes);
    assert!(
        undo_plan(&receipt, &now, UndoScope::Everything, true)
            .steps
            .iter()
            .any(|step| matches!(step, Step::RemoveUnit { .. }))
    );
    program.run(&mut host, &kept).unwrap().unwrap();
    assert_eq!(host.nodes[&unit_path(&hub())], theirs);
    // The receipt still records it, and it can be removed by force.
    let rest = program.receipt();
    assert_eq!(rest.records.len(), 1);
    let now = observe_all(&host, &rest.steps()).now_or_never().unwrap().unwrap();
    program.run(&mut host, &undo_plan(&rest, &now, UndoScope::Everything, true)).unwrap().unwrap();
    assert!(!host.nodes.contains_key(&unit_path(&hub())) && !program.dir().exists());
}
