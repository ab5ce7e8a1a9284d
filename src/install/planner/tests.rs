//! A machine, or a scope, that already has a hub of another user or home.

use std::path::PathBuf;

use super::*;
use crate::error_chain::Hints;
use crate::install::facts::{Others, Twin};
use crate::install::owner::Owner;
use crate::install::testing::{fresh, pair, running};
use crate::manager::backend::{Manager, Systemd};
use crate::process::user::User;
use crate::unit::target::Scope;

fn person(uid: u32, name: &str) -> User {
    User { uid, gid: uid, name: name.to_owned(), home: format!("/home/{name}").into() }
}

/// The system manager, and no files of ours.
fn machine(person: &User) -> Facts {
    let mut facts = fresh();
    let dir = PathBuf::from("/etc/systemd/system");
    for unit in &mut facts.units {
        unit.path = dir.join(unit.unit.systemd());
    }
    facts.manager = Manager::Systemd(Systemd { scope: Scope::System, version: 252, dir, runtime_dir: None });
    facts.home.root = person.home.join(".parachute");
    facts.home.owner = Some(person.uid);
    facts.person = person.clone();
    facts.linger = None;
    facts
}

/// The same after `init` for alice, as seen by carol; with or without alice's receipt.
fn alices(receipt: bool) -> Facts {
    let alice = machine(&person(1000, "alice"));
    let plan = plan(&alice, &InstallRequest::default()).unwrap();
    let mut facts = machine(&person(1001, "carol"));
    for (path, text) in plan.steps.iter().filter_map(Step::unit_text) {
        let unit = facts.units.iter_mut().find(|unit| unit.path == path).unwrap();
        unit.on_disk = OnDisk::Text(text.to_owned());
        unit.written = Some(text.to_owned()).filter(|_| receipt);
        unit.state = running(42);
    }
    facts.program.same = true;
    facts.others = Some(Others {
        owner: Owner { person: "alice".to_owned(), home: Some("/home/alice/.parachute".into()) },
        runs: true,
        modules: vec!["vault".to_owned(), "web".to_owned()],
        open: false,
    });
    facts
}

#[test]
fn another_users_hub_is_named_and_kept() {
    for receipt in [true, false] {
        // `--force` replaces an edited unit, but not another user's.
        for force in [true, false] {
            let refusal =
                plan(&alices(receipt), &InstallRequest { force, ..InstallRequest::default() }).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(format!("{refusal}\n{}", refusal.hints().join("\n")), @r"
                the hub of this machine belongs to alice (home /home/alice/.parachute)
                parachute init --port N     (as carol, without sudo: a second hub)
                sudo parachute init --take-over --dry-run     (what would stop, and what would replace it)
                sudo parachute uninstall --user alice     (removes the present hub)
                ");
            }
        }
    }
}

#[test]
fn another_home_of_the_same_user_is_named_and_kept() {
    let mut facts = alices(true);
    facts.person = person(1000, "alice");
    facts.home.root = "/srv/o p".into();
    facts.home.owner = Some(1000);
    let refusal = plan(&facts, &InstallRequest::default()).unwrap_err();
    insta::assert_snapshot!(format!("{refusal}\n{}", refusal.hints().join("\n")), @r"
    the hub of this machine is that of another home, /home/alice/.parachute
    sudo parachute --home /home/alice/.parachute init     (keeps the present hub)
    sudo parachute --home '/srv/o p' init --take-over --dry-run     (what would stop, and what would replace it)
    sudo parachute --home /home/alice/.parachute uninstall     (removes the present hub)
    ");
}

#[test]
fn a_take_over_names_what_stops_and_is_its_own_layer() {
    for receipt in [true, false] {
        let request = InstallRequest { take_over: true, ..InstallRequest::default() };
        let taken = plan(&alices(receipt), &request).unwrap();
        assert!(taken.covers);
        let first = &taken.notes[0].text;
        assert_eq!(
            first,
            "the hub of alice (home /home/alice/.parachute) is replaced: it stops, and so do its modules vault, web"
        );
        let last = &taken.promises.last().unwrap().0;
        assert!(last.contains("restores the hub of alice (home /home/alice/.parachute)"), "{last}");
        let stops = Step::SetRunning { unit: UnitName::hub(), running: false };
        assert!(taken.steps.contains(&stops), "{:?}", taken.steps);
    }
    let free = plan(
        &machine(&person(1001, "carol")),
        &InstallRequest { take_over: true, ..InstallRequest::default() },
    );
    assert!(!free.unwrap().covers, "there is nothing to take over");
}

#[test]
fn unknown_facts_about_the_replaced_hub_are_not_invented() {
    let others = |runs, modules: &[&str]| Others {
        owner: Owner { person: "alice".to_owned(), home: None },
        runs,
        modules: modules.iter().map(|name| (*name).to_owned()).collect(),
        open: false,
    };
    let all = "the hub of alice is replaced: it stops, and so do all of its modules";
    assert_eq!(others(true, &[]).ends(), all);
    assert_eq!(others(false, &[]).ends(), "the hub of alice, which does not run now, is replaced");
}

/// A plan that another user has begun must be ended by that user, whatever is requested.
#[test]
fn another_users_interrupted_plan_is_left_alone() {
    let mut facts = alices(true);
    facts.unfinished = Some("init".to_owned());
    facts.others.as_mut().unwrap().open = true;
    for take_over in [true, false] {
        let refusal = plan(&facts, &InstallRequest { take_over, ..InstallRequest::default() }).unwrap_err();
        assert!(matches!(refusal, InstallRefusal::OthersPlan { .. }), "{refusal:?}");
        let hints = refusal.hints();
        assert_eq!(hints[1], "sudo parachute init --user alice --rollback     (undoes it)");
    }
}

/// A hub of one's own can run beside another user's, on another port.
#[test]
fn another_users_unit_conflicts_only_by_its_port() {
    let mut facts = fresh();
    facts.twins.push(Twin {
        path: "/etc/systemd/system/parachute-hub.service".into(),
        remove: "parachute init --port N".to_owned(),
        owner: Some(Owner { person: "alice".to_owned(), home: None }),
    });
    let refusal = plan(&facts, &InstallRequest::default()).unwrap_err();
    let path = "/etc/systemd/system/parachute-hub.service";
    assert_eq!(
        refusal.to_string(),
        format!("port 1939 is that of the hub of alice, which {path} starts at boot")
    );
    assert_eq!(refusal.hints(), ["parachute init --port N"]);
}

/// The unit of an earlier build that is on disk as it was written needs no `--force`; an edited one does.
#[test]
fn a_unit_of_an_earlier_build_is_ours_and_is_written_anew() {
    for earlier in [
        include_str!("../../../tests/data/units/env-file-user.service"),
        include_str!("../../../tests/data/units/mixed-user.service"),
    ] {
        let mut facts = fresh();
        facts.units[0].state = running(42);
        facts.units[0].on_disk = OnDisk::Text(earlier.to_owned());
        facts.units[0].written = Some(earlier.to_owned());
        let planned = plan(&facts, &InstallRequest::default()).unwrap();
        let text = planned.steps.iter().find_map(|step| match step {
            Step::PutUnit { text, .. } => Some(text),
            _ => None,
        });
        let text = text.unwrap();
        assert!(text.contains("KillMode=process") && text.contains("RestartSec=100ms"), "{text}");
        assert!(!text.contains("EnvironmentFile"), "{text}");
        facts.units[0].on_disk = OnDisk::Text(earlier.replace("TimeoutStopSec=45", "TimeoutStopSec=9"));
        assert!(plan(&facts, &InstallRequest::default()).is_err(), "it was edited");
    }
}

/// The texts of the notes, and the steps about the socket.
fn about_socket(facts: &Facts, force: bool) -> (Vec<String>, Vec<String>) {
    let plan = plan(facts, &InstallRequest { force, ..InstallRequest::default() }).unwrap();
    let steps = plan.steps.iter().filter(|step| step.subject().contains("hub.socket"));
    (plan.notes.into_iter().map(|note| note.text).collect(), steps.map(Step::describe).collect())
}

#[test]
fn a_socket_whose_file_was_deleted_is_stopped_so_that_an_undo_can_start_it() {
    let mut facts = fresh();
    pair(&mut facts);
    facts.units[1].on_disk = OnDisk::Nothing;
    let file = "/home/op/.config/systemd/user/parachute-hub.socket";
    let (_, steps) = about_socket(&facts, false);
    assert_eq!(
        steps,
        [
            format!("write the unit {file}"),
            "stop hub.socket".to_owned(),
            "disable hub.socket".to_owned(),
            format!("remove the unit {file}"),
        ]
    );
    // Without a receipt it cannot be known what it was.
    facts.units[1].written = None;
    facts.units[0].on_disk = OnDisk::Nothing;
    let (notes, steps) = about_socket(&facts, true);
    assert_eq!((notes[0].starts_with(file), steps.len()), (true, 0), "{notes:?}");
}

#[test]
fn what_changed_the_socket_and_what_asks_for_one_is_named() {
    let mut facts = fresh();
    pair(&mut facts);
    facts.units[1].state.drop_ins = vec!["/d/port.conf".into()];
    facts.settings.text = "[unit]\nsocket = true\n".to_owned();
    let (notes, _) = about_socket(&facts, false);
    assert_eq!(
        notes,
        [
            "hub.toml: `socket` under [unit] has no effect: the hub opens its port itself",
            "/d/port.conf changed hub.socket, and is kept unused",
        ]
    );
    facts.settings.text = "[unit]\nsocket = false\n".to_owned();
    assert_eq!(about_socket(&facts, false).0.len(), 1);
}
