//! The life of one module as a pure function: events and time in, effects out.
//!
//! **State model.** Total state = *want* (what people asked for) × *phase* (what is true). Requests only change the
//! want and escalation the phase one step towards it; facts only change the phase. Restart is not stop-then-start: it is
//! `want = Up` while an ending is under way, so no other request can slip into a gap.
//!
//! ```text
//!            ┌──────────── Blocked ◄─ Refused ─┐          (outside reason: no budget, asked again)
//!            ▼                                 │
//! Down ─► Checking ─ Cleared ─► Spawning ─► Up ─┬─ Stop ──► Stopping ─ Exited ─► Draining ─ GroupEmpty ─► Down
//!            ▲                                  └─ Exited ─────────────────────► Draining ─┬─► Checking (want Up)
//!            └───────────── Backoff ◄───────────────────────── GroupEmpty after a crash ───┴─► Crashed
//! ```
//!
//! **Who wins.** Shutdown beats everything. Otherwise the last request wins; whoever waited for the opposite is told
//! `Superseded`. While something of a life is left, nothing is spawned.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::{Duration, Instant};

use crate::module::ended::Ended;
use crate::module::launch::Policy;
use crate::module::name::Short;
use crate::module::stamp::Stamp;

use super::restart_policy::CrashHistory;
use super::state::{Effect, Escalation, Event, Generation, Moment, Readiness, Run, State, Ticket};

mod host_events;
mod requests;
mod steps;
#[cfg(test)]
mod tests;

/// When a gate that was refusal a moment ago is asked again. Doubled with every refusal for the same reason: what lasts
/// is asked about rarely, because each question reads files and /proc, and there may be hundreds who ask.
const RECHECK_FIRST: Duration = Duration::from_secs(1);
/// The longest that somebody waits who has freed the port, or installed what was missing.
const RECHECK_LAST: Duration = Duration::from_secs(8);
/// How long SIGKILL may take before we say that it did not work. Only an uninterruptible sleep takes longer.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// A worker that binds nothing is ready when it has lived this long.
const WORKER_READY: Duration = Duration::from_secs(1);
/// Requests that may wait for one module.
const MAX_WAITING: usize = 256;

/// What people asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desired {
    /// Running.
    Up,
    /// Not running.
    Down,
    /// Not running, and the hub is stopping: no request changes it any more.
    DownForGood,
}

/// The three ways to want a module up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartKind {
    /// The hub's own: no pardon for counted crashes.
    Boot,
    /// A person's.
    Start,
    /// A person's, for a new life.
    Restart,
}

/// How the last life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// How.
    pub ended: Ended,
    /// When.
    pub at: Stamp,
}

/// One module's state. [`Machine::on`] is the only mutator.
#[derive(Debug, Clone)]
pub struct Machine {
    short: Short,
    desired: Desired,
    state: State,
    /// Of the definition that was last read; the default before the first.
    policy: Policy,
    listens: bool,
    history: CrashHistory,
    next: u32,
    /// Automatic respawns since the hub started.
    respawns: u32,
    last: Option<Last>,
    started: Option<Stamp>,
    /// The row changed since the gate was asked about the running life.
    edited: bool,
    starters: Vec<Ticket>,
    stoppers: Vec<Ticket>,
}

impl Machine {
    /// A module that nothing was asked of, with the crashes that the last hub counted.
    #[must_use]
    pub fn new(short: Short, crashes: &[Stamp], now: Moment) -> Self {
        Self {
            short,
            desired: Desired::Down,
            state: State::Down,
            policy: Policy::default(),
            listens: true,
            history: CrashHistory::restore(crashes, now),
            next: 1,
            respawns: 0,
            last: None,
            started: None,
            edited: false,
            starters: Vec::new(),
            stoppers: Vec::new(),
        }
    }

    // ---- what others may look at -------------------------------------------------------------------------------

    /// Short name.
    #[must_use]
    pub fn short(&self) -> &Short {
        &self.short
    }

    /// What people asked for.
    #[must_use]
    pub fn desired(&self) -> Desired {
        self.desired
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Policy of the definition that was last read.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it binds a port, by the definition that was last read.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.listens
    }

    /// Crashes inside the window that ends now.
    #[must_use]
    pub fn crashes(&self, now: Instant) -> u32 {
        self.history.count(now, self.policy.window)
    }

    /// The last crash that is remembered.
    #[must_use]
    pub fn last_crash(&self) -> Option<Stamp> {
        self.history.last()
    }

    /// Automatic respawns since the hub started.
    #[must_use]
    pub fn respawns(&self) -> u32 {
        self.respawns
    }

    /// How the last life ended.
    #[must_use]
    pub fn last(&self) -> Option<Last> {
        self.last
    }

    /// Start of the running life, or of the last one.
    #[must_use]
    pub fn started(&self) -> Option<Stamp> {
        self.started
    }

    /// Whether its row changed since the running life was asked for.
    #[must_use]
    pub fn edited(&self) -> bool {
        self.edited
    }

    /// The running or ending life.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Up { run, .. } | State::Stopping { run, .. } | State::Draining { run, .. } => Some(run),
            State::Down
            | State::Checking { .. }
            | State::Blocked { .. }
            | State::Spawning { .. }
            | State::Backoff { .. }
            | State::Crashed { .. } => None,
        }
    }

    /// When [`Event::Tick`] is due. `None`: the phase does not wait for time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Blocked { retry_at, .. } => Some(*retry_at),
            State::Backoff { until, .. } => Some(*until),
            State::Up { ready: Readiness::Waiting { until }, .. } => Some(*until),
            State::Up { ready: Readiness::Yes { since }, .. } if !self.history.is_clear() => {
                Some(*since + self.policy.steady_after)
            }
            State::Stopping { escalation, .. } | State::Draining { escalation, .. } => match escalation {
                Escalation::Term { kill_at } => Some(*kill_at),
                Escalation::Kill { give_up_at } => Some(*give_up_at),
                Escalation::Stuck { .. } => None,
            },
            State::Up { ready: Readiness::Yes { .. } | Readiness::Unbound { .. }, .. }
            | State::Down
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Crashed { .. } => None,
        }
    }

    // ---- what comes in -----------------------------------------------------------------------------------------

    /// Takes one event at one moment and says what must be done. Total: every event in every phase, stale lives
    /// included, has an answer, which may be nothing.
    pub fn on(&mut self, event: Event, now: Moment, out: &mut Vec<Effect>) {
        match event {
            Event::Boot(ticket) => self.wish_up(ticket, StartKind::Boot, now, out),
            Event::Start(ticket) => self.wish_up(ticket, StartKind::Start, now, out),
            Event::Restart(ticket) => self.wish_up(ticket, StartKind::Restart, now, out),
            Event::Stop(ticket) => self.wish_down(ticket, Desired::Down, now, out),
            Event::Shutdown(ticket) => self.wish_down(ticket, Desired::DownForGood, now, out),
            Event::Edited => self.row_edited(out),
            Event::ChecksPassed { generation, policy, listens } => {
                if let State::Checking { generation: current, was, outdated } = &mut self.state
                    && *current == generation
                {
                    let (was, outdated) = (was.take(), *outdated);
                    self.policy = policy;
                    self.listens = listens;
                    match self.desired {
                        Desired::Up if outdated => self.check(was, out),
                        Desired::Up => {
                            self.state = State::Spawning { generation, was };
                            out.push(Effect::Spawn(generation));
                        }
                        Desired::Down | Desired::DownForGood => self.rest(out),
                    }
                }
            }
            Event::ChecksFailed { generation, problem } => {
                if self.is_checking(generation) {
                    match self.desired {
                        Desired::Up => self.refuse(problem, now, out),
                        Desired::Down | Desired::DownForGood => self.rest(out),
                    }
                }
            }
            Event::Spawned { generation, leader } => self.spawned(generation, leader, now, out),
            Event::SpawnFailed { generation, problem, no_room } => {
                self.spawn_failed(generation, problem, no_room, now, out)
            }
            Event::Bound { generation } => self.bound(generation, now, out),
            Event::Health { generation, verdict } => self.health(generation, verdict, now, out),
            Event::Exited { generation, ended } => self.exited(generation, ended, now, out),
            Event::GroupEmpty { generation } => self.group_empty(generation, now, out),
            Event::Tick => self.tick(now, out),
        }
    }

    fn is_checking(&self, generation: Generation) -> bool {
        matches!(&self.state, State::Checking { generation: current, .. } if *current == generation)
    }
}
