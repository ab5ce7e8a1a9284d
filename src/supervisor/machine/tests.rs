//! The laws of the machine under random event orders against a model host, and the races that hurt people.
#![expect(clippy::disallowed_methods, reason = "test: any instant serves as the origin of virtual time")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::state::{Effect, EndSignal, Event, Generation, Moment, Outcome, Record, State, Ticket};
use super::{Desired, Machine, RECHECK_FIRST, RECHECK_LAST};
use crate::module::ended::Ended;
use crate::module::launch::Policy;
use crate::module::name::Short;
use crate::module::problem::{Kind, Problem};
use crate::module::stamp::Stamp;
use crate::process::id::{BootId, ProcessId, Started};

/// What one life looks like to the host.
#[derive(Debug, Clone, Default)]
struct Life {
    leader_alive: bool,
    /// Others of the group.
    rest_alive: bool,
    ignores_term: bool,
    drained_asked: bool,
}

/// A host that performs effects in memory and keeps the laws in sight.
struct Model {
    machine: Machine,
    origin: Instant,
    elapsed: Duration,
    lives: BTreeMap<Generation, Life>,
    spawning: Option<Generation>,
    checking: Option<Generation>,
    asked: BTreeSet<Ticket>,
    answered: BTreeMap<Ticket, Outcome>,
    spawns: Vec<Duration>,
    /// Moments at which somebody asked for a start: each one renews the budget.
    pardons: Vec<Duration>,
    next_ticket: u64,
    ignores_term: bool,
    notes: Vec<String>,
}

fn problem(kind: Kind) -> Problem {
    Problem::new(kind, "model", Stamp(0))
}

impl Model {
    fn new() -> Self {
        let origin = Instant::now() + Duration::from_secs(100_000);
        let now = Moment { mono: origin, wall: Stamp(1_000_000_000), dice: 0 };
        Self {
            machine: Machine::new(Short::new("vault").unwrap(), &[], now),
            origin,
            elapsed: Duration::ZERO,
            lives: BTreeMap::new(),
            spawning: None,
            checking: None,
            asked: BTreeSet::new(),
            answered: BTreeMap::new(),
            spawns: Vec::new(),
            pardons: Vec::new(),
            next_ticket: 0,
            ignores_term: false,
            notes: Vec::new(),
        }
    }

    fn now(&self) -> Moment {
        let ms = u64::try_from(self.elapsed.as_millis()).unwrap();
        Moment { mono: self.origin + self.elapsed, wall: Stamp(1_000_000_000 + ms), dice: 0 }
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
            Effect::Check(generation) => self.checking = Some(generation),
            Effect::Spawn(generation) => {
                assert_eq!(self.machine.desired(), Desired::Up, "nothing spawns while nobody wants it");
                assert!(self.lives.values().all(|l| !l.leader_alive && !l.rest_alive), "two live groups");
                self.spawning = Some(generation);
                self.spawns.push(self.elapsed);
            }
            Effect::Signal(generation, sig) => {
                let life = self.lives.get_mut(&generation).expect("signals name a known life");
                assert!(life.leader_alive || life.rest_alive, "signal to a life that is over");
                hit(life, sig);
            }
            Effect::Drain { generation, sig, .. } => {
                let life = self.lives.get_mut(&generation).expect("drains name a known life");
                life.drained_asked = true;
                hit(life, sig);
            }
            Effect::Reply(ticket, outcome) => {
                assert!(self.asked.contains(&ticket));
                assert!(self.answered.insert(ticket, outcome).is_none(), "{ticket:?} answered twice");
            }
            Effect::Record(Record::Gone(generation)) => {
                let life = &self.lives[&generation];
                assert!(!life.leader_alive && !life.rest_alive, "recorded as gone while alive");
            }
            Effect::Note(text) => self.notes.push(text),
            Effect::Record(_) | Effect::SaveFailure(_) | Effect::WatchReady(_) | Effect::WatchHealth(_) => {}
        }
    }

    fn laws(&self) {
        if let State::Blocked { refusal, retry_at } = self.machine.state() {
            assert!((RECHECK_FIRST..=RECHECK_LAST).contains(&refusal.pause), "{refusal:?}");
            assert!(*retry_at <= self.now().mono + refusal.pause, "somebody waits longer than was said");
        }
        let live = self.lives.values().filter(|l| l.leader_alive || l.rest_alive).count();
        assert!(live <= 1, "{live} live groups");
        if matches!(self.machine.state(), State::Down | State::Crashed { .. } | State::Backoff { .. }) {
            assert_eq!(live, 0, "at rest with a live group");
        }
        if matches!(self.machine.state(), State::Down) {
            for ticket in &self.asked {
                assert!(self.answered.contains_key(ticket), "{ticket:?} waits for nothing");
            }
        }
    }

    /// Lets the host answer one thing it owes, chosen by `pick`.
    fn host(&mut self, pick: u8) {
        if let Some(generation) = self.checking.take() {
            let event = if pick.is_multiple_of(5) {
                Event::ChecksFailed { generation, problem: problem(Kind::PortSquatter) }
            } else {
                Event::ChecksPassed {
                    generation,
                    policy: Policy::default(),
                    listens: !pick.is_multiple_of(7),
                }
            };
            return self.feed(event);
        }
        if let Some(generation) = self.spawning.take() {
            if pick.is_multiple_of(6) {
                let no_room = pick.is_multiple_of(12);
                return self.feed(Event::SpawnFailed {
                    generation,
                    problem: problem(Kind::SpawnFailed),
                    no_room,
                });
            }
            let life = Life {
                leader_alive: true,
                rest_alive: pick.is_multiple_of(2),
                ignores_term: self.ignores_term,
                ..Life::default()
            };
            self.lives.insert(generation, life);
            return self.feed(Event::Spawned { generation, leader: leader(generation) });
        }
        let Some((&generation, life)) = self.lives.iter_mut().next_back() else { return };
        if life.leader_alive {
            match pick % 3 {
                0 => {
                    life.leader_alive = false;
                    self.feed(Event::Exited { generation, ended: Ended::Code(i32::from(pick)) });
                }
                1 => self.feed(Event::Bound { generation }),
                _ => self.feed(Event::Health { generation, verdict: Err("model".to_owned()) }),
            }
        } else if life.drained_asked && !life.rest_alive {
            self.feed(Event::GroupEmpty { generation });
        }
    }

    /// Runs the host and the clock until nothing is owed, honestly and without crashes.
    fn settle(&mut self) {
        for _ in 0..200 {
            if let Some(generation) = self.checking.take() {
                self.feed(Event::ChecksPassed { generation, policy: Policy::default(), listens: true });
            } else if let Some(generation) = self.spawning.take() {
                self.lives.insert(generation, Life { leader_alive: true, ..Life::default() });
                self.feed(Event::Spawned { generation, leader: leader(generation) });
                self.feed(Event::Bound { generation });
            } else if let Some(generation) = self.dying() {
                let life = self.lives.get_mut(&generation).unwrap();
                if life.leader_alive {
                    life.leader_alive = false;
                    self.feed(Event::Exited { generation, ended: Ended::Signal { signal: 15, core: false } });
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

    /// The life that was told to end and can: its leader took the signal, or its rest is gone.
    fn dying(&self) -> Option<Generation> {
        match self.machine.state() {
            State::Stopping { run, .. } => {
                let life = &self.lives[&run.generation];
                (!life.ignores_term || !life.leader_alive).then_some(run.generation)
            }
            State::Draining { run, .. } => {
                (!self.lives[&run.generation].rest_alive).then_some(run.generation)
            }
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
        self.pardons.push(self.elapsed);
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
        self.pardons.push(self.elapsed);
        self.feed(Event::Restart(ticket));
        ticket
    }

    fn crash(&mut self) {
        let (&generation, life) = self.lives.iter_mut().next_back().unwrap();
        life.leader_alive = false;
        self.feed(Event::Exited { generation, ended: Ended::Code(3) });
    }
}

fn leader(generation: Generation) -> ProcessId {
    ProcessId {
        pid: 1000 + generation.0,
        started: Started(u64::from(generation.0)),
        boot: BootId("model".to_owned()),
    }
}

/// KILL ends all; TERM ends the rest of the group unless it ignores it. Leaders die through `Exited`.
fn hit(life: &mut Life, sig: EndSignal) {
    match sig {
        EndSignal::Term if life.ignores_term => {}
        EndSignal::Term => life.rest_alive = false,
        EndSignal::Kill => {
            life.rest_alive = false;
            life.ignores_term = false;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_in_any_order(steps in prop::collection::vec((0_u8..10, any::<u8>()), 1..120)) {
        let mut model = Model::new();
        for (what, pick) in steps {
            match what {
                0 if pick.is_multiple_of(4) => {
                    let ticket = model.ticket();
                    model.feed(Event::Boot(ticket));
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
                    // Stale facts: an older life, or one that never was.
                    let generation = Generation(u32::from(pick) % 3 + 90_000);
                    let before = model.machine.state().clone();
                    for event in [
                        Event::Bound { generation },
                        Event::Exited { generation, ended: Ended::Unknown },
                        Event::GroupEmpty { generation },
                        Event::Spawned { generation, leader: leader(generation) },
                        Event::ChecksFailed { generation, problem: problem(Kind::BadDefinition) },
                        Event::ChecksPassed { generation, policy: Policy::default(), listens: true },
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
        // However it stood: a stop ends at rest, and everybody is answered.
        let ticket = model.stop();
        model.settle();
        prop_assert!(matches!(model.machine.state(), State::Down), "{:?}", model.machine.state());
        // A host that sat through SIGKILL is the one case in which "stopped" may not be said at once.
        let stopped = match model.outcome(ticket) {
            Some(Outcome::Stopped { .. }) => true,
            Some(Outcome::Failed(p)) => p.error_type == Kind::StopFailed,
            _ => false,
        };
        prop_assert!(stopped);
        prop_assert!(model.asked.iter().all(|t| model.answered.contains_key(t)));
    }

    #[test]
    fn spawns_are_bounded_by_the_budget(picks in prop::collection::vec(0_u64..15_000, 1..60)) {
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
fn start_stop_and_the_words_of_it() {
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
fn start_during_backoff_gives_one_child_and_forgets_the_crashes() {
    let mut model = Model::new();
    model.start();
    model.settle();
    for _ in 0..2 {
        model.crash();
        let generation = *model.lives.keys().next_back().unwrap();
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
    assert_eq!(model.lives.values().filter(|l| l.leader_alive).count(), 1);
}

#[test]
fn concurrent_restarts_share_one_life() {
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
fn a_module_that_ignores_term_is_killed_and_said_so() {
    let mut model = Model::new();
    model.start();
    model.settle();
    model.lives.values_mut().for_each(|l| l.ignores_term = true);
    let stop = model.stop();
    model.settle();
    assert_eq!(model.outcome(stop), Some(&Outcome::Stopped { had: true }));
    assert_eq!(model.notes.iter().filter(|n| n.contains("escalating to SIGKILL")).count(), 1);
}

#[test]
fn a_stuck_group_is_never_called_stopped() {
    let mut model = Model::new();
    model.start();
    model.settle();
    let stop = model.stop();
    for _ in 0..2 {
        let due = model.machine.deadline().unwrap();
        model.elapsed = due - model.origin;
        model.feed(Event::Tick);
    }
    assert!(matches!(model.outcome(stop), Some(Outcome::Failed(p)) if p.error_type == Kind::StopFailed));
    assert_eq!(model.machine.deadline(), None);
    let start = model.start();
    assert!(matches!(model.outcome(start), Some(Outcome::Failed(_))), "nothing is spawned beside it");
}

#[test]
fn five_crashes_give_up_and_a_start_begins_afresh() {
    let mut model = Model::new();
    model.start();
    model.settle();
    while matches!(model.machine.state(), State::Up { .. }) {
        model.crash();
        model.settle();
    }
    assert!(matches!(model.machine.state(), State::Crashed { .. }));
    assert_eq!(model.spawns.len(), 5);
    assert!(model.notes.iter().any(|n| n.contains("giving up")));
    let ticket = model.start();
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
}

#[test]
fn a_stranger_on_the_port_costs_no_budget_and_is_asked_about_again() {
    let mut model = Model::new();
    let ticket = model.start();
    for _ in 0..20 {
        let generation = model.checking.take().unwrap();
        model.feed(Event::ChecksFailed { generation, problem: problem(Kind::PortSquatter) });
        let due = model.machine.deadline().unwrap();
        model.elapsed = due - model.origin;
        model.feed(Event::Tick);
    }
    assert!(matches!(model.outcome(ticket), Some(Outcome::Failed(_))));
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.notes.len(), 1, "said once, not at every check");
    model.settle();
    assert!(matches!(model.machine.state(), State::Up { .. }), "comes back by itself");
}

#[test]
fn a_shut_gate_is_asked_more_and_more_rarely_until_something_changes() {
    /// Refuses the question under way; how long until the next one, in seconds.
    fn refused(model: &mut Model, kind: Kind) -> u64 {
        let generation = model.checking.take().expect("the gate was asked");
        model.feed(Event::ChecksFailed { generation, problem: problem(kind) });
        (model.machine.deadline().unwrap() - model.now().mono).as_secs()
    }
    fn waits(model: &mut Model, kind: Kind, pauses: &[u64], after: &str) {
        for expected in pauses {
            assert_eq!(refused(model, kind), *expected, "after {after}");
            model.elapsed += Duration::from_secs(*expected);
            model.feed(Event::Tick);
        }
    }
    let mut model = Model::new();
    model.start();
    waits(&mut model, Kind::PortSquatter, &[1, 2, 4, 8, 8, 8], "a start");
    waits(&mut model, Kind::MissingDependency, &[1, 2, 4], "another reason");
    refused(&mut model, Kind::MissingDependency);
    for (kind, what) in [(Model::start as fn(&mut Model) -> Ticket, "start"), (Model::restart, "restart")] {
        kind(&mut model);
        waits(&mut model, Kind::MissingDependency, &[1, 2], what);
        kind(&mut model);
        waits(&mut model, Kind::MissingDependency, &[1, 2], "a request while the gate is being asked");
        refused(&mut model, Kind::MissingDependency);
    }
    let notes = model.notes.len();
    model.feed(Event::Edited);
    waits(&mut model, Kind::MissingDependency, &[1, 2], "an edit");
    model.feed(Event::Edited);
    waits(&mut model, Kind::MissingDependency, &[1, 2], "an edit while the gate is being asked");
    assert_eq!(model.notes.len(), notes, "the same reason is not told again");
}

/// The gate reads the definition first and may then wait long for an old life to end.
#[test]
fn what_changes_while_the_gate_is_at_work_is_asked_about_before_a_spawn() {
    type Happens = fn(&mut Model);
    let wishes: [(Happens, &str); 3] = [
        (|model| model.feed(Event::Edited), "an edit"),
        (|model| _ = model.restart(), "a restart"),
        (|model| _ = model.start(), "a start"),
    ];
    for (kind, what) in wishes {
        let mut model = Model::new();
        let first = model.start();
        let old = model.checking.unwrap();
        kind(&mut model);
        model.host(1);
        assert_eq!(model.spawning, None, "{what}: the old definition is not spawned");
        assert!(model.checking.is_some_and(|generation| generation > old), "{what}: the gate is asked anew");
        model.settle();
        assert_eq!(model.outcome(first), Some(&Outcome::Ready), "{what}");
        assert_eq!((model.spawns.len(), model.machine.edited()), (1, false), "{what}");
    }
    let mut model = Model::new();
    model.start();
    model.host(1);
    model.feed(Event::Edited);
    model.settle();
    assert!(model.machine.edited(), "the life that was being spawned is of the old row");
}

#[test]
fn no_room_for_a_process_costs_no_budget_and_is_told_once() {
    let mut model = Model::new();
    model.start();
    for pause in [1, 2, 4, 8, 8, 8] {
        let generation = model.checking.take().unwrap();
        model.feed(Event::ChecksPassed { generation, policy: Policy::default(), listens: true });
        let generation = model.spawning.take().unwrap();
        model.feed(Event::SpawnFailed { generation, problem: problem(Kind::SpawnFailed), no_room: true });
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
fn a_late_bind_clears_the_note_and_the_gate_is_asked_at_every_respawn() {
    let mut model = Model::new();
    let ticket = model.start();
    let generation = model.checking.take().unwrap();
    model.feed(Event::ChecksPassed { generation, policy: Policy::default(), listens: true });
    let generation = model.spawning.take().unwrap();
    model.lives.insert(generation, Life { leader_alive: true, ..Life::default() });
    model.feed(Event::Spawned { generation, leader: leader(generation) });
    model.elapsed += Policy::default().ready_within;
    model.feed(Event::Tick);
    assert!(
        matches!(model.outcome(ticket), Some(Outcome::Failed(p)) if p.error_type == Kind::StartedButUnbound)
    );
    model.feed(Event::Bound { generation });
    assert!(matches!(model.machine.state(), State::Up { ready: super::Readiness::Yes { .. }, .. }));
    model.crash();
    model.feed(Event::GroupEmpty { generation });
    assert!(model.checking.is_some(), "a respawn passes the gate like a first start");
}

#[test]
fn steady_for_a_minute_starts_afresh() {
    let mut model = Model::new();
    model.start();
    model.settle();
    model.crash();
    model.settle();
    assert_eq!(model.machine.crashes(model.now().mono), 1);
    let due = model.machine.deadline().expect("waits to forgive");
    model.elapsed = due - model.origin;
    model.feed(Event::Tick);
    assert_eq!(model.machine.crashes(model.now().mono), 0);
    assert_eq!(model.machine.deadline(), None, "nothing to wait for any more");
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
fn a_boot_pardons_nothing_that_an_earlier_hub_counted() {
    let mut model = Model::new();
    let counted = [Stamp(999_990_000), Stamp(999_992_000), Stamp(999_994_000), Stamp(999_996_000)];
    model.machine = Machine::new(Short::new("vault").unwrap(), &counted, model.now());
    let ticket = model.ticket();
    model.feed(Event::Boot(ticket));
    model.settle();
    assert_eq!(model.outcome(ticket), Some(&Outcome::Ready));
    model.crash();
    model.settle();
    assert!(matches!(model.machine.state(), State::Crashed { .. }), "the fifth crash within the window");
}
