//! Performs what one machine asks for. The only `select!` of a module.
//!
//! Three arms: commands from people, events from the host, the machine's deadline. Everything the host has to say
//! comes back as an event that names its life; nothing here decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::logs::line::Stream;
use crate::logs::module_log::ModuleLog;
use crate::logs::pump::Pump;
use crate::module::failure::Failure;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::Problem;
use crate::process::group::{self, Depth, Life, Signal, SignalError};
use crate::process::spawn::{self, Child, SpawnErrorKind};

use super::actor_context::ActorContext;
use super::clock::moment;
use super::handle::{Ask, Command, Handle};
use super::ledger::Entry;
use super::machine::Machine;
use super::snapshot::{HealthSample, Snapshot};
use super::start_checks::{self, CheckInput, Startable};
use super::state::{Effect, EndSignal, Event, FailureFacts, Generation, Outcome, Record, Ticket};
use super::{health, readiness, remnants, resolve_program};

/// Commands and host events that may wait. A full command channel makes the caller wait, not the hub grow.
const QUEUE: usize = 64;
/// Lines kept in a failure report.
const LAST_LINES: usize = 20;
/// Lines looked through for them: the supervisor's own are left out.
const LAST_LOOK: usize = 200;
/// Pauses between looks at what an ended leader left: the first, doubled up to the last.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(50);
/// How long the last lines of an ended module may take to arrive.
const LOG_DRAIN: Duration = Duration::from_millis(200);

enum HostEvent {
    Fact(Event),
    Checks { generation: Generation, answer: Result<Box<Startable>, Problem> },
    Exited { generation: Generation, ended: crate::module::ended::Ended, child: Child },
    Health { generation: Generation, verdict: Result<(), String>, sample: HealthSample },
}

/// Starts an actor on the current runtime. Nothing runs until it is asked to.
pub fn start(shared: Arc<ActorContext>, short: Short, port: u16, log: ModuleLog) -> Handle {
    let (commands, inbox) = mpsc::channel(QUEUE);
    let (host, events) = mpsc::channel(QUEUE);
    let (open, crashes) = shared.past(&short);
    let now = moment();
    let machine = Machine::new(short, &crashes, now);
    let (publish, snapshots) = watch::channel(Snapshot::of(&machine, Some(port), None, now));
    let actor = Actor {
        shared,
        machine,
        log,
        host,
        publish,
        tickets: BTreeMap::new(),
        next_ticket: 0,
        earlier: open,
        cleared: None,
        life: None,
        port,
        health: None,
        pending: VecDeque::new(),
    };
    tokio::spawn(actor.run(inbox, events));
    Handle { commands, snapshots }
}

impl From<EndSignal> for Signal {
    fn from(sig: EndSignal) -> Self {
        match sig {
            EndSignal::Term => Self::Terminate,
            EndSignal::Kill => Self::Kill,
        }
    }
}

/// The life that is being run or ended, as the host knows it.
struct Current {
    generation: Generation,
    life: Life,
    launch: Arc<Launch>,
    /// Waits for the port, the health or the end of the remains. Ends with this value.
    watch: Option<AbortOnDrop>,
    beat: Option<AbortOnDrop>,
    /// The ended leader, kept unreaped so that its group id stays ours.
    corpse: Option<Child>,
    pumps: Vec<Pump>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Actor {
    shared: Arc<ActorContext>,
    machine: Machine,
    log: ModuleLog,
    host: mpsc::Sender<HostEvent>,
    publish: watch::Sender<Snapshot>,
    tickets: BTreeMap<Ticket, oneshot::Sender<(Outcome, Snapshot)>>,
    next_ticket: u64,
    /// Lives that an earlier hub did not see end; dealt with by the first check that passes.
    earlier: Vec<Life>,
    cleared: Option<(Generation, Startable)>,
    life: Option<Current>,
    port: u16,
    health: Option<HealthSample>,
    /// Answers that were known at once; taken before anything else.
    pending: VecDeque<Event>,
}

impl Actor {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>, mut events: mpsc::Receiver<HostEvent>) {
        let mut out = Vec::new();
        loop {
            let event = tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.accept(command),
                    None => return,
                },
                Some(event) = events.recv() => self.learn(event),
                () = until(self.machine.deadline()) => Event::Tick,
            };
            self.pending.push_back(event);
            while let Some(event) = self.pending.pop_front() {
                self.machine.on(event, moment(), &mut out);
                for effect in std::mem::take(&mut out) {
                    self.perform(effect);
                }
            }
            self.publish();
        }
    }

    fn accept(&mut self, command: Command) -> Event {
        match command {
            Command::Edited => Event::Edited,
            Command::Ask(ask, reply) => {
                self.next_ticket += 1;
                let ticket = Ticket(self.next_ticket);
                self.tickets.insert(ticket, reply);
                match ask {
                    Ask::Boot => Event::Boot(ticket),
                    Ask::Start => Event::Start(ticket),
                    Ask::Stop => Event::Stop(ticket),
                    Ask::Restart => Event::Restart(ticket),
                    Ask::Shutdown => Event::Shutdown(ticket),
                }
            }
        }
    }

    /// Keeps what a host event carries for later effects and hands the machine its part.
    fn learn(&mut self, event: HostEvent) -> Event {
        match event {
            HostEvent::Fact(event) => event,
            HostEvent::Checks { generation, answer } => match answer {
                Ok(cleared) => {
                    for id in &cleared.ended {
                        self.log.note(&format!("ended {id}, left by an earlier instance"));
                    }
                    for note in &cleared.notes {
                        self.log.note(note);
                    }
                    self.forget_earlier();
                    let (policy, listens) = (cleared.launch.policy.clone(), cleared.launch.listens);
                    self.port = cleared.launch.port;
                    self.cleared = Some((generation, *cleared));
                    Event::ChecksPassed { generation, policy, listens }
                }
                Err(problem) => Event::ChecksFailed { generation, problem },
            },
            HostEvent::Exited { generation, ended, child } => {
                if let Some(current) = self.life.as_mut().filter(|current| current.generation == generation) {
                    current.corpse = Some(child);
                    current.watch = None;
                    current.beat = None;
                }
                Event::Exited { generation, ended }
            }
            HostEvent::Health { generation, verdict, sample } => {
                self.health = Some(sample);
                Event::Health { generation, verdict }
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Check(generation) => self.check(generation),
            Effect::Spawn(generation) => self.spawn(generation),
            Effect::WatchReady(generation) => self.watch_ready(generation),
            Effect::WatchHealth(generation) => self.watch_health(generation),
            Effect::Signal(generation, sig) => self.signal(generation, sig),
            Effect::Drain { generation, sig, thorough } => self.drain(generation, sig, thorough),
            Effect::Record(record) => self.record(record),
            Effect::SaveFailure(failed) => self.report(failed),
            Effect::Note(text) => self.log.note(&text),
            Effect::Reply(ticket, outcome) => {
                if let Some(reply) = self.tickets.remove(&ticket) {
                    // Whoever asked may have gone; what was asked for stands all the same.
                    let _ = reply.send((outcome, self.snapshot()));
                }
            }
        }
    }

    fn check(&mut self, generation: Generation) {
        let input = CheckInput {
            home: self.shared.home.clone(),
            short: self.machine.short().clone(),
            row: self.shared.row(self.machine.short()),
            settings: self.shared.settings(),
            base: self.shared.base.clone(),
            earlier: self.earlier.clone(),
            grace: self.machine.policy().kill_timeout,
            at: moment().wall,
        };
        let host = self.host.clone();
        tokio::spawn(async move {
            let answer = start_checks::run(input).await.map(Box::new);
            // The actor ends before the gate only when the hub does.
            let _ = host.send(HostEvent::Checks { generation, answer }).await;
        });
    }

    fn spawn(&mut self, generation: Generation) {
        let Some((_, cleared)) = self.cleared.take().filter(|(cleared, _)| *cleared == generation) else {
            let at = moment().wall;
            let text = format!("{} was cleared for another life", self.machine.short());
            let problem = Problem::new(crate::module::problem::Kind::SpawnFailed, text, at);
            self.pending.push_back(Event::SpawnFailed { generation, problem, no_room: false });
            return;
        };
        let Startable { launch, program, .. } = cleared;
        let incarnation = self.incarnation(generation);
        self.log = self.shared.log(self.machine.short(), launch.policy.log);
        match spawn::spawn(&launch, &program, &incarnation) {
            Ok(child) => self.adopt(generation, child, incarnation, launch),
            Err(error) => {
                let problem = resolve_program::spawn_failed(&error, self.machine.short(), moment().wall);
                let no_room = error.kind == SpawnErrorKind::NoRoom;
                self.pending.push_back(Event::SpawnFailed { generation, problem, no_room });
            }
        }
    }

    fn adopt(&mut self, generation: Generation, mut child: Child, incarnation: String, launch: Launch) {
        let leader = child.id().clone();
        let life = Life { leader: leader.clone(), incarnation, module: launch.short.clone(), reaped: None };
        self.shared.leader_born(leader.pid);
        let pumps = [(Stream::Out, child.take_stdout()), (Stream::Err, child.take_stderr())]
            .into_iter()
            .filter_map(|(stream, fd)| fd.map(|fd| self.log.attach(stream, fd)))
            .collect();
        let host = self.host.clone();
        tokio::spawn(async move {
            let ended = child.exited().await;
            let _ = host.send(HostEvent::Exited { generation, ended, child }).await;
        });
        self.health = None;
        self.life = Some(Current {
            generation,
            life,
            launch: Arc::new(launch),
            watch: None,
            beat: None,
            corpse: None,
            pumps,
        });
        self.pending.push_back(Event::Spawned { generation, leader });
    }

    fn watch_ready(&mut self, generation: Generation) {
        let (host, shared) = (self.host.clone(), Arc::clone(&self.shared));
        let Some(current) = self.current(generation) else { return };
        if !current.launch.listens {
            return;
        }
        let (life, port) = (current.life.clone(), current.launch.port);
        current.watch = Some(AbortOnDrop(tokio::spawn(async move {
            let kin = || shared.remnants(&life, Depth::Kin).unwrap_or_default();
            let members = || kin().into_iter().map(|id| id.pid).collect();
            readiness::wait_until_bound(&life, port, members).await;
            let _ = host.send(HostEvent::Fact(Event::Bound { generation })).await;
        })));
    }

    fn watch_health(&mut self, generation: Generation) {
        let host = self.host.clone();
        let Some(current) = self.current(generation) else { return };
        let Some(liveness) = current.launch.policy.liveness.clone() else { return };
        let launch = Arc::clone(&current.launch);
        current.beat = Some(AbortOnDrop(tokio::spawn(async move {
            loop {
                let asked = moment();
                let answer = health::ask(launch.port, &launch.health, liveness.timeout).await;
                let latency = moment().mono.saturating_duration_since(asked.mono);
                let (verdict, detail) = match answer {
                    Ok(status) if health::counts_as_alive(status) => (Ok(()), status.to_string()),
                    Ok(status) => (Err(format!("{} answered {status}", launch.health)), status.to_string()),
                    Err(error) => (Err(error.clone()), error),
                };
                let latency = verdict.is_ok().then_some(latency);
                let sample = HealthSample { ok: verdict.is_ok(), latency, detail, at: asked.wall };
                if host.send(HostEvent::Health { generation, verdict, sample }).await.is_err() {
                    return;
                }
                tokio::time::sleep(liveness.interval).await;
            }
        })));
    }

    fn signal(&mut self, generation: Generation, sig: EndSignal) {
        let Some(current) = self.current(generation) else { return };
        let life = current.life.clone();
        match group::signal_group(&life, sig.into()) {
            // Gone: its end is on the way to us.
            Ok(()) | Err(SignalError::Gone { .. }) => {}
            Err(error) => self.log.note(&format!("could not signal its process group: {error}")),
        }
    }

    /// Signals what is left of an ended leader. If nothing is, that is known at once and without waiting.
    fn drain(&mut self, generation: Generation, sig: EndSignal, thorough: bool) {
        let (host, shared) = (self.host.clone(), Arc::clone(&self.shared));
        let Some(current) = self.current(generation) else { return };
        if let Some(corpse) = current.corpse.take() {
            match corpse.reap() {
                Ok(reaped) => {
                    current.life.reaped = Some(reaped.at);
                    shared.leader_gone(current.life.leader.pid);
                }
                // Its end was seen, so it can be reaped; if the system disagrees, the next drain asks again.
                Err(child) => current.corpse = Some(child),
            }
        }
        let life = current.life.clone();
        // A thorough look follows at once: with nobody in the group there is nothing to be found before it. Asking for
        // orphans all the same would read, at a stop of a thousand modules, a list of a thousand children each.
        let left = if thorough && group::is_empty(&life) {
            Ok(Vec::new())
        } else {
            // Adopted zombies would keep the group's number taken and make the next look a long one.
            shared.reap_adopted();
            shared.remnants(&life, Depth::Kin)
        };
        if left.as_ref().is_ok_and(Vec::is_empty) && !thorough {
            self.pending.push_back(Event::GroupEmpty { generation });
            return;
        }
        // What is not known now is looked at until it is.
        let left = left.unwrap_or_default();
        let missed = remnants::signal_all(&left, sig.into());
        let depth = if thorough { Depth::Marks } else { Depth::Kin };
        current.watch = Some(AbortOnDrop(tokio::spawn(async move {
            // Nothing near: look afar at once.
            let mut pause = if left.is_empty() { Duration::ZERO } else { LOOK_FIRST };
            let mut told: BTreeSet<_> = left.into_iter().filter(|id| !missed.contains(id)).collect();
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).clamp(LOOK_FIRST, LOOK_LAST);
                let Ok(left) = shared.look(&life, depth).await else { continue };
                if left.is_empty() {
                    break;
                }
                let new: Vec<_> = left.into_iter().filter(|id| !told.contains(id)).collect();
                let missed = remnants::signal_all(&new, sig.into());
                told.extend(new.into_iter().filter(|id| !missed.contains(id)));
            }
            let _ = host.send(HostEvent::Fact(Event::GroupEmpty { generation })).await;
        })));
    }

    fn record(&mut self, record: Record) {
        let short = self.machine.short().clone();
        let entry = match record {
            Record::Born(run) => {
                Entry::Born { short, incarnation: self.incarnation(run.generation), leader: run.leader }
            }
            Record::Gone(generation) => Entry::Gone { short, incarnation: self.incarnation(generation) },
            Record::Crashes(at) => Entry::Crashes { short, at },
        };
        self.shared.record(&entry);
    }

    /// Keeps a failure for `why`. The last lines of an ended module may still be in its pipe: they are waited for,
    /// away from here.
    fn report(&mut self, failed: FailureFacts) {
        let pumps = self.life.as_mut().map(|current| std::mem::take(&mut current.pumps)).unwrap_or_default();
        let command = self.life.as_ref().map_or_else(String::new, |current| current.launch.command_line());
        let (log, shared, short) = (self.log.clone(), Arc::clone(&self.shared), self.machine.short().clone());
        tokio::spawn(async move {
            let drained = async {
                for mut pump in pumps {
                    pump.drained().await;
                }
            };
            // What a descendant still holds open is not waited for.
            let _ = tokio::time::timeout(LOG_DRAIN, drained).await;
            let mut lines: Vec<String> = log
                .tail(LAST_LOOK)
                .into_iter()
                .filter(|line| line.stream != Stream::Hub)
                .map(|line| String::from_utf8_lossy(&line.text).into_owned())
                .collect();
            // A start that was refused wrote nothing: older lines are another life's.
            let kept = if failed.ended.is_some() { LAST_LINES } else { 0 };
            lines.drain(..lines.len().saturating_sub(kept));
            let failure = Failure {
                short: short.to_string(),
                at: failed.problem.at,
                ended: failed.ended,
                lived_ms: failed.lived_ms,
                was_ready: failed.was_ready,
                command,
                problem: failed.problem,
                crashes_in_window: failed.crashes,
                max_crashes: failed.max_crashes,
                gave_up: failed.gave_up,
                lines,
            };
            shared.keep_failure(failure).await;
        });
    }

    /// The mark of one life: no other life of any module, hub or home has it. Processes are ended by it.
    fn incarnation(&self, generation: Generation) -> String {
        format!("{}:{}:{}", self.shared.nonce, self.machine.short(), generation.0)
    }

    fn forget_earlier(&mut self) {
        if !self.earlier.is_empty() {
            self.earlier.clear();
            self.shared.earlier_gone(self.machine.short());
        }
    }

    fn current(&mut self, generation: Generation) -> Option<&mut Current> {
        self.life.as_mut().filter(|current| current.generation == generation)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.machine, Some(self.port), self.health.clone(), moment())
    }

    fn publish(&self) {
        let new = self.snapshot();
        let changed = self.publish.send_if_modified(|old| {
            let changed = *old != new;
            *old = new.clone();
            changed
        });
        if changed {
            self.shared.announce(new);
        }
    }
}

/// Sleeps until a deadline, or for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
