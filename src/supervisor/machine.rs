//! One module as a pure function: the desired state, the current state, an event and the time in, effects out. Pure.
//!
//! Requests change the desired state and take one step towards it. What happens on the host changes the current state
//! only. What follows from both:
//!
//! ```text
//! current state              desired Up                                   desired Down, DownForGood
//! Down                       (a start makes it Checking at once)          stays so
//! Blocked, Backoff, Crashed  when due: Checking. Crashed: only at a start (a stop makes it Down at once)
//! Checking, Spawning         spawned: Up. A check failed: Blocked         at the answer: Down. Spawned: Stopping
//!                            (a run of an earlier hub that is adopted counts as spawned)
//! Up                         exited: Draining. Unhealthy: Stopping        (a stop sends SIGTERM: Stopping)
//! Stopping, Draining         group empty: Checking. After a crash: below  group empty: Down
//! ```
//!
//! A spawn that fails is a crash, or leads to Blocked if the system had no room for a process. A run that does not end
//! after SIGTERM is sent SIGKILL, and after that it is reported as stuck and still watched.
//!
//! ```text
//!            ┌───────────── Blocked ◄─ ChecksFailed ─┐     (reason outside the module: no crash, checked again)
//!            ▼                                       │
//! Down ─► Checking ─ ChecksPassed ─► Spawning ─► Up ─┬─ Stop ──► Stopping ─ Exited ─► Draining ─ GroupEmpty ─► Down
//!            ▲                                       └─ Exited ─────────────────────► Draining ─┬─► Checking (Up)
//!            └────────────── Backoff ◄───────────────────────────── GroupEmpty after a crash ───┴─► Crashed
//! ```
//!
//! A restart is one request, not a stop and then a start: the desired state stays `Up` while the run is ended, so no
//! other request can come between. The last request wins, and requests for the opposite that wait are answered
//! `Superseded`; a shutdown wins over all. While any process of a run is left, nothing is spawned.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::{Duration, Instant};

use crate::module::exit_status::ExitStatus;
use crate::module::launch::Policy;
use crate::module::name::Short;
use crate::module::timestamp::Timestamp;

use super::clock::Moment;
use super::effect::Effect;
use super::event::{Event, Ticket};
use super::restart_policy::CrashHistory;
use super::state::{Desired, Escalation, Readiness, Run, State};

mod crash;
mod host_events;
mod requests;
#[cfg(test)]
mod tests;
mod timeouts;
mod transitions;

/// The pause before the start checks run again after a first refusal. Doubled with each further refusal for the same
/// reason: the checks read files and /proc, and hundreds of modules may be blocked at once.
const RECHECK_FIRST: Duration = Duration::from_secs(1);
/// The longest pause: a module stays blocked at most this long after its port was freed or its program installed.
const RECHECK_LAST: Duration = Duration::from_secs(8);
/// How long SIGKILL may take before the run counts as stuck. Only an uninterruptible sleep takes longer.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// A worker that binds no port is ready when it has run for this long.
const WORKER_READY: Duration = Duration::from_secs(1);
/// How often in a row checks that became outdated are run again. Requests without a pause would otherwise prevent every
/// start: the checks wait for answers of another process, and the next request comes meanwhile.
const MAX_REPEATS: u8 = 3;
/// Most requests that may wait for one module.
const MAX_WAITING: usize = 256;

/// How a start was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartKind {
    /// By the hub, when it starts or a row appears: counted crashes stay counted.
    Boot,
    /// By the hub, when it starts in safe mode: only what runs is adopted.
    Adopt,
    /// By a user.
    Start,
    /// By a user, who wants a new run.
    Restart,
}

impl StartKind {
    /// Whether the hub asks by itself.
    fn is_of_hub(self) -> bool {
        matches!(self, Self::Boot | Self::Adopt)
    }
}

/// How the last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastExit {
    pub(crate) ended: ExitStatus,
    pub(crate) at: Timestamp,
}

/// One module. Only [`Machine::on`] changes it.
#[derive(Debug, Clone)]
pub struct Machine {
    short: Short,
    desired: Desired,
    state: State,
    /// Of the definition that was last read; the default before the first.
    policy: Policy,
    listens: bool,
    history: CrashHistory,
    next_generation: u32,
    /// Automatic restarts since the hub started.
    respawns: u32,
    last: Option<LastExit>,
    started: Option<Timestamp>,
    /// The row changed since the start checks of the current run began.
    edited: bool,
    /// Only a run of an earlier hub is wanted, and no new one.
    only_adopts: bool,
    /// A restart was requested while it was not known whether a run of an earlier hub is left: it is not kept.
    anew: bool,
    /// Requests that wait until it is ready.
    starters: Vec<Ticket>,
    /// Requests that wait until it is stopped.
    stoppers: Vec<Ticket>,
}

impl Machine {
    /// A module before any request, with the crashes that the last hub counted.
    #[must_use]
    pub fn new(short: Short, crashes: &[Timestamp], now: Moment) -> Self {
        Self {
            short,
            desired: Desired::Down,
            state: State::Down,
            policy: Policy::default(),
            listens: true,
            history: CrashHistory::restore(crashes, now),
            next_generation: 1,
            respawns: 0,
            last: None,
            started: None,
            edited: false,
            only_adopts: false,
            anew: false,
            starters: Vec::new(),
            stoppers: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn short(&self) -> &Short {
        &self.short
    }

    #[must_use]
    pub(crate) fn desired(&self) -> Desired {
        self.desired
    }

    /// The current state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Policy of the definition that was last read.
    #[must_use]
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it binds a port, by the definition that was last read.
    #[must_use]
    pub(crate) fn listens(&self) -> bool {
        self.listens
    }

    /// Crashes inside the window that ends now.
    #[must_use]
    pub(crate) fn crashes(&self, now: Instant) -> u32 {
        self.history.count(now, self.policy.window)
    }

    /// The last crash that still counts.
    #[must_use]
    pub(crate) fn last_crash(&self) -> Option<Timestamp> {
        self.history.last()
    }

    /// Automatic restarts since the hub started.
    #[must_use]
    pub(crate) fn respawns(&self) -> u32 {
        self.respawns
    }

    /// How the last run ended.
    #[must_use]
    pub(crate) fn last(&self) -> Option<LastExit> {
        self.last
    }

    /// Start of the current run, or of the last one.
    #[must_use]
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// Whether its row changed since the start checks of the current run.
    #[must_use]
    pub(crate) fn edited(&self) -> bool {
        self.edited
    }

    /// The run that is up or ending.
    #[must_use]
    pub(crate) fn run(&self) -> Option<&Run> {
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

    /// When [`Event::Tick`] is due. `None`: the current state has no deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Blocked { retry_at, .. } => Some(*retry_at),
            State::Backoff { until, .. } => Some(*until),
            State::Up { ready: Readiness::Waiting { until }, .. } => Some(*until),
            State::Up { ready: Readiness::Ready { since }, .. } if !self.history.is_clear() => {
                Some(*since + self.policy.steady_after)
            }
            State::Stopping { escalation, .. } | State::Draining { escalation, .. } => match escalation {
                Escalation::Term { kill_at } => Some(*kill_at),
                Escalation::Kill { give_up_at } => Some(*give_up_at),
                Escalation::Stuck { .. } => None,
            },
            State::Up { ready: Readiness::Ready { .. } | Readiness::Unbound { .. }, .. }
            | State::Down
            | State::Checking { .. }
            | State::Spawning { .. }
            | State::Crashed { .. } => None,
        }
    }

    /// Handles one event and adds its effects to `out`. Every event is allowed in every state, also one
    /// of an older generation; it may change nothing.
    pub fn on(&mut self, event: Event, now: Moment, out: &mut Vec<Effect>) {
        match event {
            Event::Boot(ticket) => self.request_up(ticket, StartKind::Boot, now, out),
            Event::Adopt(ticket) => self.request_up(ticket, StartKind::Adopt, now, out),
            Event::Start(ticket) => self.request_up(ticket, StartKind::Start, now, out),
            Event::Restart(ticket) => self.request_up(ticket, StartKind::Restart, now, out),
            Event::Stop(ticket) => self.request_down(ticket, Desired::Down, now, out),
            Event::Shutdown(ticket) => self.request_down(ticket, Desired::DownForGood, now, out),
            Event::Edited => self.row_edited(out),
            Event::ChecksPassed { generation, policy, listens, adopts } => {
                self.checks_passed(generation, policy, listens, adopts, out);
            }
            Event::ChecksFailed { generation, problem } => self.checks_failed(generation, problem, now, out),
            Event::Spawned { generation, leader, adopted } => {
                self.spawned(generation, leader, adopted, now, out);
            }
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
}
