//! Performs the effects of one machine. The only `select!` of a module.
//!
//! It waits for three things: requests, host events, and the machine's deadline. All results from the host come back as
//! events with their generation. Nothing here decides.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::debug;

use crate::logs::module_log::ModuleLog;
use crate::logs::pump::Pump;
use crate::module::exit_status::ExitStatus;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::Problem;
use crate::process::group::ModuleRun;
use crate::process::leader::Leader;

use super::actor_context::ActorContext;
use super::clock::{moment, sleep_until};
use super::effect::{Effect, Outcome, Severity};
use super::event::{Event, Ticket};
use super::handle::{Command, Handle, ModuleRequest};
use super::ledger::RunFacts;
use super::machine::Machine;
use super::remnants::Earlier;
use super::snapshot::{HealthSample, Snapshot};
use super::start_checks::{self, CheckInput, Startable};
use super::state::Generation;
use diagnostics::millis;

mod beginning;
mod diagnostics;
mod ending;
mod records;
mod watchers;

/// Requests, and events of the host, that may wait. A full request channel makes the caller wait.
const QUEUE: usize = 64;

/// A result of a task of the actor.
enum HostEvent {
    Plain(Event),
    Checks { generation: Generation, answer: Result<Box<Startable>, Problem> },
    Exited { generation: Generation, ended: ExitStatus, leader: Leader },
    Health { generation: Generation, verdict: Result<(), String>, sample: HealthSample },
}

/// Starts an actor on the current runtime. Nothing is started before a request.
pub(super) fn start(context: Arc<ActorContext>, short: Short, port: u16, log: ModuleLog) -> Handle {
    let (commands, inbox) = mpsc::channel(QUEUE);
    let (host, events) = mpsc::channel(QUEUE);
    let (earlier, crashes) = context.past(&short);
    let now = moment();
    let machine = Machine::new(short, &crashes, now);
    let (publish, snapshots) = watch::channel(Snapshot::of(&machine, Some(port), None, now));
    let actor = Actor {
        context,
        machine,
        log,
        host,
        publish,
        tickets: BTreeMap::new(),
        next_ticket: 0,
        earlier,
        startable: None,
        run: None,
        port,
        health: None,
        pending: VecDeque::new(),
    };
    tokio::spawn(actor.run(inbox, events));
    Handle { commands, snapshots }
}

/// The run that is up or ending, with its process handles.
struct CurrentRun {
    generation: Generation,
    processes: ModuleRun,
    launch: Arc<Launch>,
    /// Waits for the port, or for the end of the remnants. Ends with this value.
    watch: Option<AbortOnDrop>,
    health_watch: Option<AbortOnDrop>,
    /// The leader after its end. It is not reaped yet, so its group id stays ours.
    ended_leader: Option<Leader>,
    /// What the next hub needs to adopt it.
    facts: RunFacts,
    pumps: Vec<Pump>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Actor {
    context: Arc<ActorContext>,
    machine: Machine,
    log: ModuleLog,
    host: mpsc::Sender<HostEvent>,
    publish: watch::Sender<Snapshot>,
    tickets: BTreeMap<Ticket, oneshot::Sender<(Outcome, Snapshot)>>,
    next_ticket: u64,
    /// Runs whose end an earlier hub did not see. The first start checks that pass have ended them.
    earlier: Vec<ModuleRun>,
    /// The start that passed the checks and is to be spawned.
    startable: Option<(Generation, Startable)>,
    run: Option<CurrentRun>,
    port: u16,
    health: Option<HealthSample>,
    /// Events that were known at once; handled before anything else.
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
                () = sleep_until(self.machine.deadline()) => Event::Tick,
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
            Command::ModuleRequest(ask, reply) => {
                self.next_ticket += 1;
                let ticket = Ticket(self.next_ticket);
                self.tickets.insert(ticket, reply);
                match ask {
                    ModuleRequest::Boot => Event::Boot(ticket),
                    ModuleRequest::Adopt => Event::Adopt(ticket),
                    ModuleRequest::Start => Event::Start(ticket),
                    ModuleRequest::Stop => Event::Stop(ticket),
                    ModuleRequest::Restart => Event::Restart(ticket),
                    ModuleRequest::Shutdown => Event::Shutdown(ticket),
                }
            }
        }
    }

    /// Keeps what later effects need of a host event, and returns the machine's part of it.
    fn learn(&mut self, event: HostEvent) -> Event {
        match event {
            HostEvent::Plain(event) => event,
            HostEvent::Checks { generation, answer } => match answer {
                Ok(startable) => {
                    for id in &startable.ended {
                        self.note(Severity::Info, &format!("ended {id}, left by an earlier instance"));
                    }
                    for note in &startable.notes {
                        self.note(Severity::Warning, note);
                    }
                    let adopts = startable.adoption.is_some();
                    if !adopts {
                        self.forget_earlier();
                    }
                    let (policy, listens) = (startable.launch.policy.clone(), startable.launch.listens);
                    self.port = startable.launch.port;
                    self.startable = Some((generation, *startable));
                    Event::ChecksPassed { generation, policy, listens, adopts }
                }
                Err(problem) => {
                    debug!(module = %self.machine.short(), kind = ?problem.error_type, "its start checks have failed");
                    Event::ChecksFailed { generation, problem }
                }
            },
            HostEvent::Exited { generation, ended, leader } => {
                debug!(module = %self.machine.short(), pid = leader.id().pid, ended = ended.phrase(), "its process has ended");
                if let Some(run) = self.current(generation) {
                    run.ended_leader = Some(leader);
                    run.watch = None;
                    run.health_watch = None;
                }
                Event::Exited { generation, ended }
            }
            HostEvent::Health { generation, verdict, sample } => {
                debug!(module = %self.machine.short(), ok = sample.ok, ms = sample.latency.map(millis), answer = sample.detail, "its health was asked");
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
            Effect::Signal(generation, signal) => self.signal(generation, signal),
            Effect::Drain { generation, signal, thorough } => self.drain(generation, signal, thorough),
            Effect::Record(record) => self.record(record),
            Effect::SaveFailure(facts) => self.save_failure(facts),
            Effect::Note(severity, text) => self.note(severity, &text),
            Effect::Reply(ticket, outcome) => {
                if let Some(reply) = self.tickets.remove(&ticket) {
                    // The caller may have gone; its request counts all the same.
                    let _ = reply.send((outcome, self.snapshot()));
                }
            }
        }
    }

    fn check(&mut self, generation: Generation) {
        let input = CheckInput {
            home: self.context.home.clone(),
            short: self.machine.short().clone(),
            row: self.context.config.row(self.machine.short()),
            settings: self.context.config.settings(),
            base: self.context.base.clone(),
            earlier: Earlier {
                runs: self.earlier.clone(),
                cgroup: self.context.cgroup(self.machine.short()),
            },
            recorded: match self.earlier.is_empty() {
                true => Vec::new(),
                false => self.context.open_runs(self.machine.short()),
            },
            kept: self.context.kept_outputs(self.machine.short()),
            log: self.log.clone(),
            grace: self.machine.policy().kill_timeout,
            paths: self.context.paths.clone(),
            at: moment().wall,
        };
        let host = self.host.clone();
        tokio::spawn(async move {
            let answer = start_checks::run(input).await.map(Box::new);
            // The actor ends before the checks only when the hub does.
            let _ = host.send(HostEvent::Checks { generation, answer }).await;
        });
    }

    /// The mark of one run: no other run of any module, hub or home has it. Processes are found and ended by it.
    fn incarnation(&self, generation: Generation) -> String {
        format!("{}:{}:{}", self.context.nonce, self.machine.short(), generation.0)
    }

    fn forget_earlier(&mut self) {
        if !self.earlier.is_empty() {
            self.earlier.clear();
            self.context.earlier_gone(self.machine.short());
        }
    }

    fn current(&mut self, generation: Generation) -> Option<&mut CurrentRun> {
        self.run.as_mut().filter(|run| run.generation == generation)
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
            self.context.announce(new);
        }
    }
}
