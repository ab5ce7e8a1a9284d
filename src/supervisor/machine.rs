//! The life of one module as a pure function: events and time in, effects out.
//!
//! **State model.** Total state = *want* (what people asked for) × *phase* (what is true). Requests only change the
//! want and push the phase one step towards it; facts only change the phase. Restart is not stop-then-start: it is
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

use super::budget::Budget;
use super::phase::{Effect, Event, Inc, Moment, Phase, Push, Ready, Run, Ticket};

mod host_events;
mod requests;
mod steps;
#[cfg(test)]
mod tests;

/// When a gate that was shut a moment ago is asked again. Doubled with every refusal for the same reason: what lasts
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
pub enum Want {
    /// Running.
    Up,
    /// Not running.
    Down,
    /// Not running, and the hub is stopping: no request changes it any more.
    DownForGood,
}

/// The three ways to want a module up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
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
    want: Want,
    phase: Phase,
    /// Of the definition that was last read; the default before the first.
    policy: Policy,
    listens: bool,
    budget: Budget,
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
            want: Want::Down,
            phase: Phase::Down,
            policy: Policy::default(),
            listens: true,
            budget: Budget::restore(crashes, now),
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
    pub fn want(&self) -> Want {
        self.want
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
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
        self.budget.count(now, self.policy.window)
    }

    /// The last crash that is remembered.
    #[must_use]
    pub fn last_crash(&self) -> Option<Stamp> {
        self.budget.last()
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
        match &self.phase {
            Phase::Up { run, .. } | Phase::Stopping { run, .. } | Phase::Draining { run, .. } => Some(run),
            Phase::Down
            | Phase::Checking { .. }
            | Phase::Blocked { .. }
            | Phase::Spawning { .. }
            | Phase::Backoff { .. }
            | Phase::Crashed { .. } => None,
        }
    }

    /// When [`Event::Tick`] is due. `None`: the phase does not wait for time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Blocked { retry_at, .. } => Some(*retry_at),
            Phase::Backoff { until, .. } => Some(*until),
            Phase::Up { ready: Ready::Waiting { until }, .. } => Some(*until),
            Phase::Up { ready: Ready::Yes { since }, .. } if !self.budget.is_clear() => {
                Some(*since + self.policy.steady_after)
            }
            Phase::Stopping { push, .. } | Phase::Draining { push, .. } => match push {
                Push::Term { kill_at } => Some(*kill_at),
                Push::Kill { give_up_at } => Some(*give_up_at),
                Push::Stuck { .. } => None,
            },
            Phase::Up { ready: Ready::Yes { .. } | Ready::Unbound { .. }, .. }
            | Phase::Down
            | Phase::Checking { .. }
            | Phase::Spawning { .. }
            | Phase::Crashed { .. } => None,
        }
    }

    // ---- what comes in -----------------------------------------------------------------------------------------

    /// Takes one event at one moment and says what must be done. Total: every event in every phase, stale lives
    /// included, has an answer, which may be nothing.
    pub fn on(&mut self, event: Event, now: Moment, out: &mut Vec<Effect>) {
        match event {
            Event::Boot(ticket) => self.wish_up(ticket, Wish::Boot, now, out),
            Event::Start(ticket) => self.wish_up(ticket, Wish::Start, now, out),
            Event::Restart(ticket) => self.wish_up(ticket, Wish::Restart, now, out),
            Event::Stop(ticket) => self.wish_down(ticket, Want::Down, now, out),
            Event::Shutdown(ticket) => self.wish_down(ticket, Want::DownForGood, now, out),
            Event::Edited => self.row_edited(out),
            Event::Cleared { inc, policy, listens } => {
                if let Phase::Checking { inc: current, was, outdated } = &mut self.phase
                    && *current == inc
                {
                    let (was, outdated) = (was.take(), *outdated);
                    self.policy = policy;
                    self.listens = listens;
                    match self.want {
                        Want::Up if outdated => self.check(was, out),
                        Want::Up => {
                            self.phase = Phase::Spawning { inc, was };
                            out.push(Effect::Spawn(inc));
                        }
                        Want::Down | Want::DownForGood => self.rest(out),
                    }
                }
            }
            Event::Refused { inc, problem } => {
                if self.is_checking(inc) {
                    match self.want {
                        Want::Up => self.refuse(problem, now, out),
                        Want::Down | Want::DownForGood => self.rest(out),
                    }
                }
            }
            Event::Spawned { inc, leader } => self.spawned(inc, leader, now, out),
            Event::SpawnFailed { inc, problem, no_room } => {
                self.spawn_failed(inc, problem, no_room, now, out)
            }
            Event::Bound { inc } => self.bound(inc, now, out),
            Event::Health { inc, verdict } => self.health(inc, verdict, now, out),
            Event::Exited { inc, ended } => self.exited(inc, ended, now, out),
            Event::GroupEmpty { inc } => self.group_empty(inc, now, out),
            Event::Tick => self.tick(now, out),
        }
    }

    fn is_checking(&self, inc: Inc) -> bool {
        matches!(&self.phase, Phase::Checking { inc: current, .. } if *current == inc)
    }
}
