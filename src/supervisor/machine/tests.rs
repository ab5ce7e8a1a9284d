//! The machine's invariants under random event orders against a model host, and races that were once handled wrongly.
#![expect(clippy::disallowed_methods, reason = "test: any instant serves as the origin of virtual time")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::clock::Moment;
use super::super::effect::{Effect, EndSignal, Outcome, Record};
use super::super::event::{Event, Ticket};
use super::super::state::{Desired, Generation, State};
use super::{MAX_REPEATS, Machine, RECHECK_FIRST, RECHECK_LAST};
use crate::module::exit_status::ExitStatus;
use crate::module::launch::Policy;
use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::process::id::{BootId, ProcessId, Started};

/// The processes of one run.
#[derive(Debug, Clone, Default)]
struct Processes {
    leader_alive: bool,
    /// The rest of the group.
    rest_alive: bool,
    ignores_term: bool,
    drained_asked: bool,
}

/// A host that performs effects in memory and checks the invariants after every event.
struct Model {
    machine: Machine,
    origin: Instant,
    elapsed: Duration,
    runs: BTreeMap<Generation, Processes>,
    spawning: Option<Generation>,
    checking: Option<Generation>,
    asked: BTreeSet<Ticket>,
    answered: BTreeMap<Ticket, Outcome>,
    spawns: Vec<Duration>,
    next_ticket: u64,
    ignores_term: bool,
    notes: Vec<String>,
    /// A run of an earlier hub is there, which no check has ended.
    left: bool,
    /// It was offered for adoption.
    adopting: bool,
}

/// When the earlier hub started its run.
const EARLIER: Timestamp = Timestamp(999_000_000);

fn passed(generation: Generation, adopts: bool) -> Event {
    Event::ChecksPassed { generation, policy: Policy::default(), listens: true, adopts }
}

fn problem(kind: ProblemKind) -> Problem {
    Problem::new(kind, "model", Timestamp(0))
}

impl Model {
    fn new() -> Self {
        let origin = Instant::now() + Duration::from_secs(100_000);
        let now = Moment { mono: origin, wall: Timestamp(1_000_000_000), dice: 0 };
        Self {
            machine: Machine::new(Short::new("vault").unwrap(), &[], now),
            origin,
            elapsed: Duration::ZERO,
            runs: BTreeMap::new(),
            spawning: None,
            checking: None,
            asked: BTreeSet::new(),
            answered: BTreeMap::new(),
            spawns: Vec::new(),
            next_ticket: 0,
            ignores_term: false,
            notes: Vec::new(),
            left: false,
            adopting: false,
        }
    }

    fn now(&self) -> Moment {
        let ms = u64::try_from(self.elapsed.as_millis()).unwrap();
        Moment { mono: self.origin + self.elapsed, wall: Timestamp(1_000_000_000 + ms), dice: 0 }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.asked.insert(ticket);
        ticket
    }

    fn feed(&mut self, event: Event) {
        let mut out = Vec::new();
        self.machine.on(event, self.now(), &mut out);
        for effect in out {
            self.perform(effect);
        }
        self.laws();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Check(generation) => {
                self.checking = Some(generation);
                self.adopting = false;
            }
            Effect::Spawn(generation) if self.adopting => {
                self.spawning = Some(generation);
            }
            Effect::Spawn(generation) => {
                assert!(!self.left, "spawned beside a run of an earlier hub");
                assert_eq!(self.machine.desired(), Desired::Up, "spawned while it should be down");
                assert!(self.runs.values().all(|l| !l.leader_alive && !l.rest_alive), "two live groups");
                self.spawning = Some(generation);
                self.spawns.push(self.elapsed);
            }
            Effect::Signal(generation, signal) => {
                let processes = self.runs.get_mut(&generation).expect("signals name a known run");
                assert!(processes.leader_alive || processes.rest_alive, "signal to a run that has ended");
                hit(processes, signal);
            }
            Effect::Drain { generation, signal, .. } => {
                let processes = self.runs.get_mut(&generation).expect("drains name a known run");
                processes.drained_asked = true;
                hit(processes, signal);
            }
            Effect::Reply(ticket, outcome) => {
                assert!(self.asked.contains(&ticket));
                assert!(self.answered.insert(ticket, outcome).is_none(), "{ticket:?} answered twice");
            }
            Effect::Record(Record::Gone(generation)) => {
                let processes = &self.runs[&generation];
                assert!(!processes.leader_alive && !processes.rest_alive, "recorded as gone while alive");
            }
            Effect::Note(_, text) => self.notes.push(text),
            Effect::Record(_) | Effect::SaveFailure(_) | Effect::WatchReady(_) | Effect::WatchHealth(_) => {}
        }
    }

    fn laws(&self) {
        if let State::Blocked { refusal, retry_at } = self.machine.state() {
            assert!((RECHECK_FIRST..=RECHECK_LAST).contains(&refusal.pause), "{refusal:?}");
            assert!(*retry_at <= self.now().mono + refusal.pause, "a pause is longer than announced");
        }
        let stays = matches!(self.machine.state(), State::Checking { .. } | State::Spawning { .. });
        assert!(!self.adopting || !self.left || stays, "a run that was offered is not taken over");
        let live = self.runs.values().filter(|l| l.leader_alive || l.rest_alive).count();
        assert!(live <= 1, "{live} live groups");
        if matches!(self.machine.state(), State::Down | State::Crashed { .. } | State::Backoff { .. }) {
            assert_eq!(live, 0, "down with a live group");
        }
        if matches!(self.machine.state(), State::Down) {
            for ticket in &self.asked {
                assert!(self.answered.contains_key(ticket), "{ticket:?} was never answered");
            }
        }
    }

    /// Lets the host answer one pending effect, chosen by `pick`.
    fn host(&mut self, pick: u8) {
        if let Some(generation) = self.checking.take() {
            // Checks that do not offer a run have ended it.
            self.left &= !pick.is_multiple_of(4) && !pick.is_multiple_of(5);
            self.adopting = self.left;
            let event = if pick.is_multiple_of(5) {
                Event::ChecksFailed { generation, problem: problem(ProblemKind::PortSquatter) }
            } else {
                Event::ChecksPassed {
                    generation,
                    policy: Policy::default(),
                    listens: !pick.is_multiple_of(7),
                    adopts: self.left,
                }
            };
            return self.feed(event);
        }
        if let Some(generation) = self.spawning.take() {
            if !self.adopting && pick.is_multiple_of(6) {
                let no_room = pick.is_multiple_of(12);
                return self.feed(Event::SpawnFailed {
                    generation,
                    problem: problem(ProblemKind::SpawnFailed),
                    no_room,
                });
            }
            let processes = Processes {
                leader_alive: true,
                rest_alive: pick.is_multiple_of(2),
                ignores_term: self.ignores_term,
                ..Processes::default()
            };
            self.runs.insert(generation, processes);
            return self.born(generation);
        }
        let Some((&generation, processes)) = self.runs.iter_mut().next_back() else { return };
        if processes.leader_alive {
            match pick % 3 {
                0 => {
                    processes.leader_alive = false;
                    self.feed(Event::Exited { generation, ended: ExitStatus::Code(i32::from(pick)) });
                }
                1 => self.feed(Event::Bound { generation }),
                _ => self.feed(Event::Health { generation, verdict: Err("model".to_owned()) }),
            }
        } else if processes.drained_asked && !processes.rest_alive {
            self.feed(Event::GroupEmpty { generation });
        }
    }

    fn born(&mut self, generation: Generation) {
        let adopted = std::mem::take(&mut self.adopting).then_some(EARLIER);
        self.left &= adopted.is_none();
        self.feed(Event::Spawned { generation, leader: leader(generation), adopted });
    }

    /// Runs the host and the clock, without crashes, until nothing is pending.
    fn settle(&mut self) {
        for _ in 0..200 {
            if let Some(generation) = self.checking.take() {
                self.adopting = self.left;
                self.feed(passed(generation, self.left));
            } else if let Some(generation) = self.spawning.take() {
                self.runs.insert(generation, Processes { leader_alive: true, ..Processes::default() });
                self.born(generation);
                self.feed(Event::Bound { generation });
            } else if let Some(generation) = self.dying() {
                let processes = self.runs.get_mut(&generation).unwrap();
                if processes.leader_alive {
                    processes.leader_alive = false;
                    self.feed(Event::Exited {
                        generation,
                        ended: ExitStatus::Signal { signal: 15, core: false },
                    });
                } else {
                    self.feed(Event::GroupEmpty { generation });
                }
            } else if let Some(due) = self.machine.deadline() {
                if matches!(self.machine.state(), State::Up { .. }) {
                    return;
                }
                self.elapsed = self.elapsed.max(due - self.origin);
                self.feed(Event::Tick);
            } else {
                return;
            }
        }
        panic!("does not settle: {:?}", self.machine.state());
    }

    /// The run that was told to end and can: its leader gets the signal, or the rest has ended.
    fn dying(&self) -> Option<Generation> {
        match self.machine.state() {
            State::Stopping { run, .. } => {
                let processes = &self.runs[&run.generation];
                (!processes.ignores_term || !processes.leader_alive).then_some(run.generation)
            }
            State::Draining { run, .. } => (!self.runs[&run.generation].rest_alive).then_some(run.generation),
            State::Down
            | State::Checking { .. }
            | State::Blocked { .. }
            | State::Spawning { .. }
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Crashed { .. } => None,
        }
    }

    fn outcome(&self, ticket: Ticket) -> Option<&Outcome> {
        self.answered.get(&ticket)
    }

    fn start(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.feed(Event::Start(ticket));
        ticket
    }

    fn stop(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.feed(Event::Stop(ticket));
        ticket
    }

    fn restart(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.feed(Event::Restart(ticket));
        ticket
    }

    fn crash(&mut self) {
        let (&generation, processes) = self.runs.iter_mut().next_back().unwrap();
        processes.leader_alive = false;
        self.feed(Event::Exited { generation, ended: ExitStatus::Code(3) });
    }
}

fn leader(generation: Generation) -> ProcessId {
    ProcessId {
        pid: 1000 + generation.0,
        started: Started(u64::from(generation.0)),
        boot: BootId("model".to_owned()),
    }
}

/// KILL ends all; TERM ends the rest of the group unless it ignores it. Leaders end through `Exited`.
fn hit(processes: &mut Processes, signal: EndSignal) {
    match signal {
        EndSignal::Term if processes.ignores_term => {}
        EndSignal::Term => processes.rest_alive = false,
        EndSignal::Kill => {
            processes.rest_alive = false;
            processes.ignores_term = false;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_for_any_order_of_events(
        left in any::<bool>(),
        steps in prop::collection::vec((0_u8..10, any::<u8>()), 1..120),
    ) {
        let mut model = Model::new();
        model.left = left;
        for (what, pick) in steps {
            match what {
                0 if pick.is_multiple_of(4) => {
                    let ticket = model.ticket();
                    model.feed(if pick.is_multiple_of(8) { Event::Adopt(ticket) } else { Event::Boot(ticket) });
                }
                0 => { model.start(); }
                1 => { model.stop(); }
                2 => { model.restart(); }
                3 => model.feed(Event::Edited),
                4 => {
                    model.elapsed += Duration::from_millis(u64::from(pick) * 50);
                    model.feed(Event::Tick);
                }
                5 => {
                    // Events of an older generation, or of one that never existed.
                    let generation = Generation(u32::from(pick) % 3 + 90_000);
                    let before = model.machine.state().clone();
                    for event in [
                        Event::Bound { generation },
                        Event::Exited { generation, ended: ExitStatus::Unknown },
                        Event::GroupEmpty { generation },
                        Event::Spawned { generation, leader: leader(generation), adopted: None },
                        Event::ChecksFailed { generation, problem: problem(ProblemKind::BadDefinition) },
                        passed(generation, false),
                        passed(generation, true),
                        Event::Health { generation, verdict: Err(String::new()) },
                    ] {
                        model.feed(event);
                    }
                    prop_assert_eq!(&before, model.machine.state());
                }
                6 => model.ignores_term = pick.is_multiple_of(2),
                _ => model.host(pick),
            }
        }
        // In any state: a stop leads to `Down`, and every request is answered.
        let ticket = model.stop();
        model.settle();
        prop_assert!(matches!(model.machine.state(), State::Down), "{:?}", model.machine.state());
        // The answer may be other than "stopped" only if processes survived SIGKILL.
        let stopped = match model.outcome(ticket) {
            Some(Outcome::Stopped { .. }) => true,
            Some(Outcome::Failed(p)) => p.error_type == ProblemKind::StopFailed,
            _ => false,
        };
        prop_assert!(stopped);
        prop_assert!(model.asked.iter().all(|t| model.answered.contains_key(t)));
    }

    #[test]
    fn crashes_limit_the_number_of_spawns(picks in prop::collection::vec(0_u64..15_000, 1..60)) {
        let mut model = Model::new();
        model.start();
        model.settle();
        for wait in picks {
            if matches!(model.machine.state(), State::Up { .. }) {
                model.crash();
                model.settle();
            }
            model.elapsed += Duration::from_millis(wait);
        }
        let policy = Policy::default();
        let max = usize::try_from(policy.max_crashes).unwrap();
        for (i, first) in model.spawns.iter().enumerate() {
            let inside = model.spawns[i..].iter().take_while(|at| **at - *first < policy.window).count();
            prop_assert!(inside <= max, "too many spawns within the window");
        }
    }
}

#[test]
fn start_and_stop_are_answered() {
    let mut model = Model::new();
    let start = model.start();
    model.settle();
    assert_eq!(model.outcome(start), Some(&Outcome::Ready));
    let again = model.start();
    assert_eq!(model.outcome(again), Some(&Outcome::Ready));
    assert_eq!(model.spawns.len(), 1, "a second start spawns nothing");
    let stop = model.stop();
    assert_eq!(model.outcome(stop), None, "not stopped before the group is empty");
    model.settle();
    assert_eq!(model.outcome(stop), Some(&Outcome::Stopped { had: true }));
}

#[test]
fn start_during_backoff_gives_one_child_and_resets_the_crash_count() {
    let mut model = Model::new();
    model.start();
    model.settle();
    for _ in 0..2 {
        model.crash();
        let generation = *model.runs.keys().next_back().unwrap();
        model.feed(Event::GroupEmpty { generation });
        if !matches!(model.machine.state(), State::Backoff { .. }) {
            model.settle();
        }
    }
    assert!(matches!(model.machine.state(), State::Backoff { .. }));
    let ticket = model.start();
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.runs.values().filter(|l| l.leader_alive).count(), 1);
}

#[test]
fn concurrent_restarts_share_one_run() {
    let mut model = Model::new();
    model.start();
    model.settle();
    let tickets: Vec<_> = (0..4).map(|_| model.restart()).collect();
    model.settle();
    for ticket in tickets {
        assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    }
    assert_eq!(model.spawns.len(), 2);
}

#[test]
fn a_start_during_a_stop_waits_and_the_stop_is_superseded() {
    let mut model = Model::new();
    model.start();
    model.settle();
    let stop = model.stop();
    let start = model.start();
    assert_eq!(model.outcome(stop), Some(&Outcome::Superseded));
    model.settle();
    assert_eq!(model.outcome(start), Some(&Outcome::Ready));
}

#[test]
fn a_module_that_ignores_term_is_killed_and_that_is_logged() {
    let mut model = Model::new();
    model.start();
    model.settle();
    model.runs.values_mut().for_each(|l| l.ignores_term = true);
    let stop = model.stop();
    model.settle();
    assert_eq!(model.outcome(stop), Some(&Outcome::Stopped { had: true }));
    assert_eq!(model.notes.iter().filter(|n| n.contains("sending SIGKILL")).count(), 1);
}

#[test]
fn a_stuck_group_is_never_reported_as_stopped() {
    let mut model = Model::new();
    model.start();
    model.settle();
    let stop = model.stop();
    for _ in 0..2 {
        let due = model.machine.deadline().unwrap();
        model.elapsed = due - model.origin;
        model.feed(Event::Tick);
    }
    assert!(
        matches!(model.outcome(stop), Some(Outcome::Failed(p)) if p.error_type == ProblemKind::StopFailed)
    );
    assert_eq!(model.machine.deadline(), None);
    let start = model.start();
    assert!(matches!(model.outcome(start), Some(Outcome::Failed(_))), "nothing is spawned beside it");
}

#[test]
fn after_five_crashes_it_stays_crashed_until_a_start() {
    let mut model = Model::new();
    model.start();
    model.settle();
    while matches!(model.machine.state(), State::Up { .. }) {
        model.crash();
        model.settle();
    }
    assert!(matches!(model.machine.state(), State::Crashed { .. }));
    assert_eq!(model.spawns.len(), 5);
    assert!(model.notes.iter().any(|n| n.contains("crashed")));
    let ticket = model.start();
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
}

#[test]
fn a_foreign_holder_of_the_port_counts_as_no_crash_and_is_checked_again() {
    let mut model = Model::new();
    let ticket = model.start();
    for _ in 0..20 {
        let generation = model.checking.take().unwrap();
        model.feed(Event::ChecksFailed { generation, problem: problem(ProblemKind::PortSquatter) });
        let due = model.machine.deadline().unwrap();
        model.elapsed = due - model.origin;
        model.feed(Event::Tick);
    }
    assert!(matches!(model.outcome(ticket), Some(Outcome::Failed(_))));
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.notes.len(), 1, "reported once, not at every check");
    model.settle();
    assert!(matches!(model.machine.state(), State::Up { .. }), "starts by itself");
}

#[test]
fn a_blocked_module_is_checked_less_and_less_often_until_something_changes() {
    /// Fails the current checks; returns the seconds until the next ones.
    fn refused(model: &mut Model, kind: ProblemKind) -> u64 {
        let generation = model.checking.take().expect("the checks run");
        model.feed(Event::ChecksFailed { generation, problem: problem(kind) });
        (model.machine.deadline().unwrap() - model.now().mono).as_secs()
    }
    fn waits(model: &mut Model, kind: ProblemKind, pauses: &[u64], after: &str) {
        for expected in pauses {
            assert_eq!(refused(model, kind), *expected, "after {after}");
            model.elapsed += Duration::from_secs(*expected);
            model.feed(Event::Tick);
        }
    }
    let mut model = Model::new();
    model.start();
    waits(&mut model, ProblemKind::PortSquatter, &[1, 2, 4, 8, 8, 8], "a start");
    waits(&mut model, ProblemKind::MissingDependency, &[1, 2, 4], "another reason");
    refused(&mut model, ProblemKind::MissingDependency);
    for (ask, what) in [(Model::start as fn(&mut Model) -> Ticket, "start"), (Model::restart, "restart")] {
        ask(&mut model);
        waits(&mut model, ProblemKind::MissingDependency, &[1, 2], what);
        ask(&mut model);
        waits(&mut model, ProblemKind::MissingDependency, &[1, 2], "a request while the checks run");
        refused(&mut model, ProblemKind::MissingDependency);
    }
    let notes = model.notes.len();
    model.feed(Event::Edited);
    waits(&mut model, ProblemKind::MissingDependency, &[1, 2], "an edit");
    model.feed(Event::Edited);
    waits(&mut model, ProblemKind::MissingDependency, &[1, 2], "an edit while the checks run");
    assert_eq!(model.notes.len(), notes, "the same reason is not reported again");
}

/// The checks read the definition first and may then wait long for an earlier run to end.
#[test]
fn changes_during_the_checks_are_checked_before_a_spawn() {
    type Happens = fn(&mut Model);
    let requests: [(Happens, &str); 3] = [
        (|model| model.feed(Event::Edited), "an edit"),
        (|model| _ = model.restart(), "a restart"),
        (|model| _ = model.start(), "a start"),
    ];
    for (request, what) in requests {
        let mut model = Model::new();
        let first = model.start();
        let old = model.checking.unwrap();
        request(&mut model);
        model.host(1);
        assert_eq!(model.spawning, None, "{what}: the old definition is not spawned");
        assert!(model.checking.is_some_and(|generation| generation > old), "{what}: it is checked again");
        model.settle();
        assert_eq!(model.outcome(first), Some(&Outcome::Ready), "{what}");
        assert_eq!((model.spawns.len(), model.machine.edited()), (1, false), "{what}");
    }
    let mut model = Model::new();
    model.start();
    model.host(1);
    model.feed(Event::Edited);
    model.settle();
    assert!(model.machine.edited(), "the new run uses the old row");
}

/// Clients that ask without a pause, and programs that rewrite the row all the time, do not prevent the start.
#[test]
fn changes_without_a_pause_delay_a_start_only_a_few_times() {
    let mut model = Model::new();
    let first = model.start();
    for _ in 0..MAX_REPEATS {
        model.feed(Event::Edited);
        model.host(1);
        assert_eq!(model.spawning, None);
    }
    model.feed(Event::Edited);
    model.host(1);
    assert!(model.spawning.is_some());
    model.settle();
    assert_eq!(model.outcome(first), Some(&Outcome::Ready));
    assert!(model.machine.edited(), "it may use an old row, and says so");
}

#[test]
fn a_lack_of_resources_counts_as_no_crash_and_is_reported_once() {
    let mut model = Model::new();
    model.start();
    for pause in [1, 2, 4, 8, 8, 8] {
        let generation = model.checking.take().unwrap();
        model.feed(passed(generation, false));
        let generation = model.spawning.take().unwrap();
        model.feed(Event::SpawnFailed {
            generation,
            problem: problem(ProblemKind::SpawnFailed),
            no_room: true,
        });
        model.elapsed += Duration::from_secs(pause);
        assert_eq!(model.machine.deadline(), Some(model.now().mono));
        model.feed(Event::Tick);
    }
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.notes.len(), 1, "{:?}", model.notes);
    model.settle();
    assert!(matches!(model.machine.state(), State::Up { .. }));
}

#[test]
fn a_late_bind_clears_the_note_and_every_restart_is_checked() {
    let mut model = Model::new();
    let ticket = model.start();
    let generation = model.checking.take().unwrap();
    model.feed(passed(generation, false));
    let generation = model.spawning.take().unwrap();
    model.runs.insert(generation, Processes { leader_alive: true, ..Processes::default() });
    model.born(generation);
    model.elapsed += Policy::default().ready_within;
    model.feed(Event::Tick);
    assert!(
        matches!(model.outcome(ticket), Some(Outcome::Failed(p)) if p.error_type == ProblemKind::StartedButUnbound)
    );
    model.feed(Event::Bound { generation });
    assert!(matches!(model.machine.state(), State::Up { ready: super::Readiness::Ready { .. }, .. }));
    model.crash();
    model.feed(Event::GroupEmpty { generation });
    assert!(model.checking.is_some(), "a restart is checked like a first start");
}

#[test]
fn a_minute_of_readiness_resets_the_crash_count() {
    let mut model = Model::new();
    model.start();
    model.settle();
    model.crash();
    model.settle();
    assert_eq!(model.machine.crashes(model.now().mono), 1);
    let due = model.machine.deadline().expect("waits to reset the count");
    model.elapsed = due - model.origin;
    model.feed(Event::Tick);
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.machine.deadline(), None, "nothing left to wait for");
}

#[test]
fn after_shutdown_nothing_starts() {
    let mut model = Model::new();
    model.start();
    model.settle();
    let ticket = model.ticket();
    model.feed(Event::Shutdown(ticket));
    let start = model.start();
    assert_eq!(model.outcome(start), Some(&Outcome::ShuttingDown));
    model.settle();
    assert!(matches!(model.outcome(ticket), Some(Outcome::Stopped { .. })));
    let again = model.restart();
    assert_eq!(model.outcome(again), Some(&Outcome::ShuttingDown));
}

#[test]
fn a_boot_keeps_the_crashes_that_an_earlier_hub_counted() {
    let mut model = Model::new();
    let counted =
        [Timestamp(999_990_000), Timestamp(999_992_000), Timestamp(999_994_000), Timestamp(999_996_000)];
    model.machine = Machine::new(Short::new("vault").unwrap(), &counted, model.now());
    let ticket = model.ticket();
    model.feed(Event::Boot(ticket));
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    model.crash();
    model.settle();
    assert!(matches!(model.machine.state(), State::Crashed { .. }), "the fifth crash within the window");
}

fn with_a_run_left() -> Model {
    let mut model = Model::new();
    model.left = true;
    model
}

fn boot(model: &mut Model) -> Ticket {
    let ticket = model.ticket();
    model.feed(Event::Boot(ticket));
    ticket
}

#[test]
fn a_run_of_an_earlier_hub_is_kept() {
    let mut model = with_a_run_left();
    let ticket = boot(&mut model);
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    assert!(model.spawns.is_empty() && model.machine.run().unwrap().adopted);
    assert_eq!(model.machine.started(), Some(EARLIER));
    assert!(model.notes[0].starts_with("kept from the hub before, pid 1001"), "{:?}", model.notes);
    model.crash();
    model.settle();
    assert_eq!(model.spawns.len(), 1, "its crash is one like any other");
    assert!(!model.machine.run().unwrap().adopted);
}

#[test]
fn a_stop_during_the_checks_ends_the_run_that_was_left() {
    let mut model = with_a_run_left();
    boot(&mut model);
    let stop = model.stop();
    model.settle();
    assert!(matches!(model.outcome(stop), Some(Outcome::Stopped { .. })));
    assert!(!model.left && model.spawns.is_empty());
}

#[test]
fn a_restart_during_the_checks_replaces_the_run_that_was_left() {
    let mut model = with_a_run_left();
    boot(&mut model);
    let restart = model.restart();
    model.settle();
    assert_eq!(model.outcome(restart), Some(&Outcome::Ready));
    assert_eq!(model.spawns.len(), 1);
}

#[test]
fn in_safe_mode_only_what_runs_is_kept() {
    let mut model = Model::new();
    let ticket = model.ticket();
    model.feed(Event::Adopt(ticket));
    model.settle();
    assert!(matches!(model.machine.state(), State::Down) && model.spawns.is_empty());
    assert_eq!(model.outcome(ticket), Some(&Outcome::Stopped { had: false }));
    let start = model.start();
    model.settle();
    assert_eq!(model.outcome(start), Some(&Outcome::Ready), "until a user asks for it");

    let mut model = with_a_run_left();
    let ticket = model.ticket();
    model.feed(Event::Adopt(ticket));
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    assert!(model.spawns.is_empty());
}
