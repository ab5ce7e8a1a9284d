//! Receipts and journals that earlier programs wrote still load, undo and finish: `tests/data/plan`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;

use super::executor::{Lives, enabled, hub, running, unit, unit_path};
use super::model_host::{Node, View, World, daemon};
use parachute::plan::content::{Content, Print};
use parachute::plan::daemon::Daemon;
use parachute::plan::events::Event;
use parachute::plan::host::{Host, observe_all};
use parachute::plan::observed::Before;
use parachute::plan::receipt::Receipt;
use parachute::plan::step::Step;
use parachute::plan::{Note, Plan, Promise, Verb};
use parachute::plan::{Take, inverse_of};
use parachute::unit::name::UnitName;

const RECEIPT: &str = include_str!("../../data/plan/receipt-1-migrate.json");

fn node(mode: u32, text: &str) -> Node {
    Node::File { mode, text: text.to_owned() }
}

fn reviver() -> UnitName {
    UnitName::new("reviver").unwrap()
}

/// A home with detached daemons, and something where every step is going to write.
fn world() -> World {
    let mut world = World::new()
        .with_job(&hub(), Some("a unit that a person edited by hand"), false, false)
        .with_job(&hub().socket(), None, false, false)
        .with_job(&reviver(), Some("starts the hub again"), true, true);
    world.nodes.extend([
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
    world.linger.insert("op".to_owned(), false);
    world.daemons = [("hub", 1001), ("vault", 1002)].map(|(name, life)| (name.to_owned(), Some(life))).into();
    world
}

/// Every kind of step that a planner makes.
fn migrate() -> Plan {
    let text = |path: &str, mode, text: &str| Step::PutFile {
        path: path.into(),
        mode,
        content: Content::Text(text.to_owned()),
    };
    let print = Print::of(b"the program");
    let copy = Content::CopyOf { source: "/src".into(), sha256: print.sha256, len: print.len };
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
        Step::StopDaemons { daemons: vec![daemon("hub", 1001), vault], heirs: vec![hub(), hub().socket()] },
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
    let note = Note { text: "a unit was edited by hand".to_owned(), next: Some("true".to_owned()) };
    Plan {
        steps,
        promises: vec![Promise("the hub runs".to_owned())],
        notes: vec![note, Note::new("and that is all")],
        ..Plan::new(Verb::Migrate)
    }
}

fn uninstall(world: &World, receipt: &Receipt) -> Plan {
    let now = observe_all(world, &receipt.steps()).now_or_never().unwrap().unwrap();
    inverse_of(receipt, &now, Take::Everything, false)
}

/// A stored journal.
struct Stored {
    name: &'static str,
    text: &'static str,
    /// The plan in it is the one that takes [`migrate`] back.
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
        name: "an uninstallation, cut off while it started daemons",
        text: include_str!("../../data/plan/journal-1-uninstall.jsonl"),
        uninstalls: true,
    },
];

impl Stored {
    fn events(&self) -> Vec<Event> {
        self.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The world in which the plan was cut off, before its last step or after it; and the world before the plan.
    fn cut_off(&self, last_is_performed: bool) -> (World, Lives, View) {
        let (mut world, lives) = (world(), Lives::new());
        if self.uninstalls {
            for step in &migrate().steps {
                let before = world.observe(step).now_or_never().unwrap().unwrap();
                perform(&mut world, step, &before);
            }
            lives.put("receipt.json", RECEIPT);
        }
        let before = world.view();
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
                        perform(&mut world, &steps[*step], before);
                    }
                }
                Event::Undone { step } => {
                    for inverse in steps[*step].inverse(&befores[step]) {
                        world.perform(&inverse).now_or_never().unwrap().unwrap();
                    }
                }
                _ => {}
            }
        }
        lives.put("journal.jsonl", self.text);
        (world, lives, before)
    }
}

fn perform(world: &mut World, step: &Step, before: &Before) {
    world.keep(step, before).now_or_never().unwrap().unwrap();
    world.perform(step).now_or_never().unwrap().unwrap();
}

#[test]
fn what_is_read_is_written_the_same() {
    for stored in JOURNALS {
        for (event, line) in stored.events().iter().zip(stored.text.lines()) {
            assert_eq!(serde_json::to_string(event).unwrap(), line, "{}", stored.name);
        }
    }
    let receipt = Receipt::read(RECEIPT.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string_pretty(&receipt).unwrap(), RECEIPT.trim_end());
}

#[test]
fn a_stored_receipt_is_what_is_written_today_and_takes_the_plan_back() {
    let (mut world, mut lives) = (world(), Lives::new());
    let before = world.view();
    lives.run(&mut world, &migrate()).unwrap().unwrap();
    let receipt = Receipt::read(RECEIPT.as_bytes()).unwrap();
    assert_eq!(lives.receipt().records, receipt.records);
    lives.put("receipt.json", RECEIPT);
    let plan = uninstall(&world, &receipt);
    assert_eq!(plan.notes, []);
    lives.run(&mut world, &plan).unwrap().unwrap();
    assert_eq!(world.view(), before);
    assert!(lives.receipt().is_empty());
}

#[test]
fn a_stored_journal_is_taken_back() {
    for (stored, last) in JOURNALS.iter().flat_map(|stored| [(stored, false), (stored, true)]) {
        let (mut world, mut lives, before) = stored.cut_off(last);
        let undo = lives.roll_back(&mut world).unwrap();
        assert_eq!(undo.left, [], "{}, {last}", stored.name);
        assert_eq!(world.view(), before, "{}, {last}", stored.name);
    }
}

#[test]
fn a_stored_journal_is_finished() {
    for (stored, last) in JOURNALS.iter().flat_map(|stored| [(stored, false), (stored, true)]) {
        let (mut world, mut lives, before) = stored.cut_off(last);
        let outcome = lives.resume(&mut world).unwrap();
        if stored.events().iter().any(|event| matches!(event, Event::Failed { .. })) {
            assert_eq!(outcome.unwrap_err().error.to_string(), "it broke");
            assert_eq!(world.view(), before, "to finish a plan that failed is to take it back");
            continue;
        }
        outcome.unwrap();
        let (mut goal, mut calm) = (self::world(), Lives::new());
        if !stored.uninstalls {
            calm.run(&mut goal, &migrate()).unwrap().unwrap();
        }
        assert_eq!(world.view(), goal.view(), "{}, {last}", stored.name);
        assert_eq!(lives.receipt().records, calm.receipt().records, "{}, {last}", stored.name);
    }
}
