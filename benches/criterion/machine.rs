//! The state machine of one module: single steps, and crash loops.

use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use parachute::module::exit_status::ExitStatus;
use parachute::module::launch::Policy;
use parachute::module::name::Short;
use parachute::module::timestamp::Timestamp;
use parachute::process::id::{BootId, ProcessId, Started};
use parachute::supervisor::clock::Moment;
use parachute::supervisor::effect::Effect;
use parachute::supervisor::event::{Event, Ticket};
use parachute::supervisor::machine::Machine;
use parachute::supervisor::state::{Generation, State};

/// Events of one crash loop.
const EVENTS: u64 = 1_000;

pub(crate) fn all(criterion: &mut Criterion) {
    steps(criterion);
    loops(criterion);
}

/// One event each, for a module that is up and ready.
fn steps(criterion: &mut Criterion) {
    let mut host = Host::new(Policy::default());
    let generation = host.until_ready();
    let steps = [
        ("a tick that is not due", Event::Tick),
        ("a fact of an older life", Event::Exited { generation: Generation(0), ended: ExitStatus::Code(1) }),
        ("a crash", Event::Exited { generation, ended: ExitStatus::Code(1) }),
        ("a stop", Event::Stop(Ticket(2))),
    ];
    let mut group = criterion.benchmark_group("machine, one step");
    for (name, event) in steps {
        group.bench_function(name, |bencher| {
            let now = host.now();
            let given = || (host.machine.clone(), Vec::with_capacity(8), Some(event.clone()));
            let step = |(machine, out, event): &mut (Machine, Vec<Effect>, Option<Event>)| {
                if let Some(event) = event.take() {
                    machine.on(event, now, out);
                }
            };
            bencher.iter_batched_ref(given, step, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// Every run becomes ready and crashes; time is virtual.
fn loops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine, 1,000 events of a crash loop");
    group.throughput(Throughput::Elements(EVENTS));
    let given_up = Policy::default();
    // Every crash of the loop still counts at its end.
    let never = Policy { max_crashes: u32::MAX, window: Duration::from_secs(86_400), ..Policy::default() };
    for (name, policy) in [("given up and started again", given_up), ("never given up", never)] {
        let mut host = Host::new(policy.clone());
        host.crash_loop();
        assert_eq!(host.starts == 1, name.starts_with("never"), "the loop does not match its name");
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| Host::new(policy.clone()), Host::crash_loop, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// Answers each effect at once; the clock advances only when the machine waits for it.
struct Host {
    machine: Machine,
    policy: Policy,
    begin: Instant,
    elapsed: Duration,
    events: u64,
    starts: u64,
    out: Vec<Effect>,
}

impl Host {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench: any instant serves as the origin of virtual time"
    )]
    fn new(policy: Policy) -> Self {
        let begin = Instant::now();
        let now = Moment { mono: begin, wall: Timestamp(1_772_359_449_120), dice: 0 };
        let machine = Machine::new(Short::new("vault").expect("a name"), &[], now);
        Self { machine, policy, begin, elapsed: Duration::ZERO, events: 0, starts: 0, out: Vec::new() }
    }

    fn now(&self) -> Moment {
        let ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        Moment { mono: self.begin + self.elapsed, wall: Timestamp(1_772_359_449_120 + ms), dice: 0 }
    }

    fn on(&mut self, event: Event) {
        self.out.clear();
        self.starts += u64::from(matches!(event, Event::Start(_)));
        self.machine.on(event, self.now(), &mut self.out);
        self.events += 1;
    }

    /// Starts it and lets it become ready.
    fn until_ready(&mut self) -> Generation {
        loop {
            let event = match self.machine.state() {
                State::Up { run, .. } => {
                    let generation = run.generation;
                    self.on(Event::Bound { generation });
                    return generation;
                }
                phase => self.towards_up(phase),
            };
            self.on(event);
        }
    }

    /// [`EVENTS`] events, with a crash whenever it is up and ready.
    fn crash_loop(&mut self) {
        while self.events < EVENTS {
            let generation = self.until_ready();
            self.on(Event::Exited { generation, ended: ExitStatus::Code(1) });
            self.on(Event::GroupEmpty { generation });
            if let (State::Backoff { .. }, Some(due)) = (self.machine.state(), self.machine.deadline()) {
                self.elapsed = due - self.begin;
                self.on(Event::Tick);
            }
        }
    }

    fn towards_up(&self, phase: &State) -> Event {
        match *phase {
            State::Checking { generation, .. } => {
                Event::ChecksPassed { generation, policy: self.policy.clone(), listens: true, adopts: false }
            }
            State::Spawning { generation, .. } => {
                Event::Spawned { generation, leader: leader(generation), adopted: None }
            }
            // Not running: a user starts it again.
            _ => Event::Start(Ticket(self.events)),
        }
    }
}

fn leader(generation: Generation) -> ProcessId {
    ProcessId {
        pid: 1_000 + generation.0,
        started: Started(u64::from(generation.0)),
        boot: BootId("boot".to_owned()),
    }
}
