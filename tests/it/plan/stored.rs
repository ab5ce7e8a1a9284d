//! Receipts and journals of earlier programs can still be read, undone and finished: `tests/data/plan`. They may be
//! the only record of what must be undone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use parachute::plan::content::{Content, Fingerprint};
use parachute::plan::daemon::Daemon;
use parachute::plan::events::{Event, replay};
use parachute::plan::host::Host;
use parachute::plan::observed::Observed;
use parachute::plan::receipt::Receipt;
use parachute::plan::recovery::Recorded;
use parachute::plan::step::Step;
use parachute::plan::{Note, Plan, Promise, UndoScope, Verb, undo_plan};
use parachute::unit::name::UnitName;

use super::model_host::{ModelHost, Node, View, daemon};
use super::testing::{Program, describe, enabled, hub, running, uninstall, unit, unit_path};

const RECEIPT: &str = include_str!("../../data/plan/receipt-1-migrate.json");

fn node(mode: u32, text: &str) -> Node {
    Node::File { mode, text: text.to_owned() }
}

/// A unit that starts a detached hub again.
fn reviver() -> UnitName {
    UnitName::new("reviver").unwrap()
}

/// A machine with detached daemons, and a file at every path that a step will write.
fn host() -> ModelHost {
    let mut host = ModelHost::new()
        .with_unit(&hub(), Some("a unit that a person edited by hand"), false, false)
        .with_unit(&hub().socket(), None, false, false)
        .with_unit(&reviver(), Some("starts the hub again"), true, true);
    host.nodes.extend([
        ("/f".into(), node(0o640, "a program that is too long for the journal")),
        ("/g".into(), node(0o600, "short")),
        ("/l".into(), Node::Link("/elsewhere".into())),
        ("/gone".into(), node(0o644, "goes")),
        ("/empty".into(), Node::Dir(0o750)),
        ("/mode".into(), node(0o666, "mode")),
        ("/m".into(), Node::Dir(0o700)),
        ("/m/within".into(), node(0o400, "deep")),
        ("/src".into(), node(0o755, "the program")),
    ]);
    host.linger.insert("op".to_owned(), false);
    host.daemons =
        [("hub", 1001), ("vault", 1002)].map(|(name, started)| (name.to_owned(), Some(started))).into();
    host
}

/// Every kind of step that a planner makes.
fn migrate() -> Plan {
    let text = |path: &str, mode, text: &str| Step::PutFile {
        path: path.into(),
        mode,
        content: Content::Text(text.to_owned()),
    };
    let Fingerprint { sha256, len } = Fingerprint::of(b"the program");
    let copy = Content::CopyOf { source: "/src".into(), sha256, len };
    let vault = Daemon {
        below: vec![daemon("below", 1003).leader],
        number: Some(201),
        pidfile: Some("/h/vault.pid".into()),
        port_file: Some("/h/vault.port".into()),
        ..daemon("vault", 1002)
    };
    let within = Duration::from_millis(1_500);
    let steps = vec![
        enabled(&reviver(), false),
        running(&reviver(), false),
        Step::RemoveUnit { unit: reviver(), path: unit_path(&reviver()) },
        Step::StopDaemons {
            daemons: vec![daemon("hub", 1001), vault],
            replaced_by: vec![hub(), hub().socket()],
        },
        Step::AwaitPortsFree { ports: vec![1939, 1940], within },
        running(&hub(), false),
        Step::MakeDir { path: "/a/b".into(), mode: 0o755 },
        Step::PutFile { path: "/f".into(), mode: 0o755, content: copy },
        text("/a/b/new", 0o600, "new"),
        text("/g", 0o600, "ours"),
        text("/l", 0o644, "ours"),
        Step::RemoveFile { path: "/gone".into() },
        Step::RemoveDir { path: "/empty".into() },
        Step::Move { from: "/m".into(), to: "/a/m".into() },
        Step::SetMode { path: "/mode".into(), mode: 0o600 },
        unit(&hub(), "one"),
        unit(&hub().socket(), "listens"),
        Step::SetLinger { user: "op".to_owned(), on: true },
        enabled(&hub(), true),
        enabled(&hub().socket(), true),
        running(&hub().socket(), true),
        running(&hub(), true),
        Step::AwaitReady { modules: vec!["vault".to_owned()], within },
        Step::AwaitHealthy { within },
        Step::AwaitModules { within },
    ];
    let note = Note { text: "a unit was edited by hand".to_owned(), hint: Some("true".to_owned()) };
    Plan {
        steps,
        promises: vec![Promise("the hub runs".to_owned())],
        notes: vec![note, Note::new("and that is all")],
        ..Plan::new(Verb::Migrate)
    }
}

/// A stored journal of format 1.
struct Stored {
    name: &'static str,
    text: &'static str,
    /// The plan in it is the one that undoes [`migrate`].
    uninstalls: bool,
}

const JOURNALS: [Stored; 3] = [
    Stored {
        name: "cut off near its end",
        text: include_str!("../../data/plan/journal-1-migrate.jsonl"),
        uninstalls: false,
    },
    Stored {
        name: "cut off while it was taken back",
        text: include_str!("../../data/plan/journal-1-undoing.jsonl"),
        uninstalls: false,
    },
    Stored {
        name: "an uninstallation, cut off while it started detached daemons",
        text: include_str!("../../data/plan/journal-1-uninstall.jsonl"),
        uninstalls: true,
    },
];

impl Stored {
    fn events(&self) -> Vec<Event> {
        self.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The machine when the plan was interrupted, before or after its last step; and its state before the plan.
    fn cut_off(&self, last_is_performed: bool) -> (ModelHost, Program, View) {
        let (mut host, program) = (host(), Program::new());
        if self.uninstalls {
            for step in &migrate().steps {
                let before = host.observe(step).now_or_never().unwrap().unwrap();
                perform(&mut host, step, &before);
            }
            program.put("receipt.json", RECEIPT);
        }
        let before = host.view();
        let events = self.events();
        let steps = match &events[0] {
            Event::Begin { plan, .. } => plan.steps.clone(),
            other => panic!("{other:?}"),
        };
        let mut befores = BTreeMap::new();
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Started { step, before } => {
                    befores.insert(*step, before.clone());
                    if last_is_performed || at + 1 < events.len() {
                        perform(&mut host, &steps[*step], before);
                    }
                }
                Event::Undone { step } => {
                    for inverse in steps[*step].inverse(&befores[step]) {
                        host.perform(&inverse).now_or_never().unwrap().unwrap();
                    }
                }
                _ => {}
            }
        }
        program.put("journal.jsonl", self.text);
        (host, program, before)
    }
}

fn perform(host: &mut ModelHost, step: &Step, before: &Observed) {
    host.keep(step, before).now_or_never().unwrap().unwrap();
    host.perform(step).now_or_never().unwrap().unwrap();
}

#[test]
fn stored_files_are_written_unchanged() {
    for stored in JOURNALS {
        for (event, line) in stored.events().iter().zip(stored.text.lines()) {
            assert_eq!(serde_json::to_string(event).unwrap(), line, "{}", stored.name);
        }
    }
    let receipt = Receipt::read(RECEIPT.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string_pretty(&receipt).unwrap(), RECEIPT.trim_end());
}

#[test]
fn a_stored_receipt_equals_the_current_format_and_undoes_the_plan() {
    let (mut host, mut program) = (host(), Program::new());
    let before = host.view();
    program.run(&mut host, &migrate()).unwrap().unwrap();
    let receipt = Receipt::read(RECEIPT.as_bytes()).unwrap();
    assert_eq!(program.receipt().records, receipt.records);
    program.put("receipt.json", RECEIPT);
    let plan = uninstall(&host, &receipt);
    assert_eq!(plan.notes, []);
    program.run(&mut host, &plan).unwrap().unwrap();
    assert_eq!(host.view(), before);
    assert!(program.receipt().is_empty());
}

#[test]
fn a_stored_journal_is_undone() {
    for (stored, last) in JOURNALS.iter().flat_map(|stored| [(stored, false), (stored, true)]) {
        let (mut host, mut program, before) = stored.cut_off(last);
        let rollback = program.roll_back(&mut host).unwrap();
        assert_eq!(rollback.remaining, [], "{}, {last}", stored.name);
        assert_eq!(host.view(), before, "{}, {last}", stored.name);
    }
}

#[test]
fn a_stored_journal_is_finished() {
    for (stored, last) in JOURNALS.iter().flat_map(|stored| [(stored, false), (stored, true)]) {
        let (mut host, mut program, before) = stored.cut_off(last);
        let outcome = program.resume(&mut host).unwrap();
        if stored.events().iter().any(|event| matches!(event, Event::Failed { .. })) {
            assert_eq!(outcome.unwrap_err().error.to_string(), "it broke");
            assert_eq!(host.view(), before, "finishing a failed plan undoes it");
            continue;
        }
        outcome.unwrap();
        let (mut goal, mut uncut) = (self::host(), Program::new());
        if !stored.uninstalls {
            uncut.run(&mut goal, &migrate()).unwrap().unwrap();
        }
        assert_eq!(host.view(), goal.view(), "{}, {last}", stored.name);
        assert_eq!(program.receipt().records, uncut.receipt().records, "{}, {last}", stored.name);
    }
}

/// The receipts and the journal of an installation with a socket unit: written unchanged, and undone.
#[test]
fn the_files_of_a_pair_are_read_and_undone() {
    let journal = include_str!("../../data/plan/journal-1-pair-uninstall.jsonl");
    for line in journal.lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
    let unfinished = replay(journal.as_bytes()).unwrap().unfinished.unwrap();
    let stops = [running(&hub().socket(), false), running(&hub(), false)];
    assert_eq!(unfinished.plan.steps[..2], stops);
    let receipts = [
        ("pair_user", include_str!("../../data/plan/receipt-1-pair-user.json")),
        ("pair_system", include_str!("../../data/plan/receipt-1-pair-system.json")),
    ];
    for (name, text) in receipts {
        let receipt = Receipt::read(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string_pretty(&receipt).unwrap(), text.trim_end());
        let now: Vec<Observed> = receipt.records.iter().map(|record| record.before.clone()).collect();
        let plan = undo_plan(&receipt, &now, UndoScope::OnlyAdded, true);
        assert_eq!(plan.steps[..2], stops);
        insta::assert_snapshot!(name, describe(&plan));
    }
}

#[test]
fn the_first_receipt_and_journal_are_read_and_undone() {
    let text = include_str!("../../data/plan/receipt-1.json");
    let receipt = Receipt::read(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string_pretty(&receipt).unwrap() + "\n", text);
    let before: Vec<Observed> = receipt.records.iter().map(|record| record.before.clone()).collect();
    insta::assert_snapshot!(
        "receipt_1_taken_back",
        describe(&undo_plan(&receipt, &before, UndoScope::Everything, true))
    );
    assert_eq!(receipt.saved().into_iter().collect::<Vec<_>>(), [Path::new("/h/install/saved/2d71")]);

    let replayed = replay(include_bytes!("../../data/plan/journal-1.jsonl")).unwrap();
    let unfinished = replayed.unfinished.unwrap();
    let words = |recorded: &Recorded| match recorded {
        Recorded::Untouched => "untouched",
        Recorded::Skipped => "skipped",
        Recorded::Started { .. } => "started",
        Recorded::Done { .. } => "done",
        Recorded::Undone => "undone",
    };
    let steps: Vec<String> = unfinished
        .plan
        .steps
        .iter()
        .zip(&unfinished.recorded)
        .map(|(step, recorded)| format!("{}: {}", words(recorded), step.describe()))
        .collect();
    insta::assert_snapshot!("journal_1", steps.join("\n"));
    assert!(unfinished.undoing && unfinished.failed.is_some());
}
