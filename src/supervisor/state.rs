//! The states of one module: the desired and the current one. Pure data; `machine` changes them.

use std::time::{Duration, Instant};

use crate::module::problem::Problem;
use crate::process::id::ProcessId;

use super::clock::Moment;

/// The number of one attempt to start a module and of what follows from it. Grows by one with each attempt; an event
/// with an older number changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// The requested state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Desired {
    /// Running.
    Up,
    /// Not running.
    Down,
    /// Not running, and the hub is stopping: no request changes that any more.
    DownForGood,
}

/// The current state. Data that is only valid in one state is in its variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing runs, and nothing will without a request.
    Down,
    /// The start checks are running: definition, program, remnants, port.
    Checking {
        /// The generation that may follow.
        generation: Generation,
        /// What blocked the last attempt, shown until these checks answer.
        was: Option<StartRefusal>,
        /// The row changed, or a start was requested, after the checks had begun: they may have read the definition
        /// before that, and waited since for the end of an earlier run.
        outdated: bool,
        /// How often in a row they were run again for that.
        repeats: u8,
    },
    /// It cannot be started now, for a reason outside the module. That counts as no crash; the checks run again at
    /// `retry_at`.
    Blocked {
        /// The reason.
        refusal: StartRefusal,
        /// When the checks run again.
        retry_at: Instant,
    },
    /// `execve` is in progress.
    Spawning {
        /// The generation.
        generation: Generation,
        /// What blocked the last attempt: the system may lack resources for a process for long.
        was: Option<StartRefusal>,
    },
    /// Its leader runs.
    Up {
        /// The run.
        run: Run,
        /// How far it has come.
        ready: Readiness,
        /// Consecutive failures of its health check.
        sick: u32,
    },
    /// Its leader was told to end.
    Stopping {
        /// The run.
        run: Run,
        /// Why.
        cause: Cause,
        /// The signals sent so far.
        escalation: Escalation,
    },
    /// Its leader has ended; its group is not empty, or its port not free, yet.
    Draining {
        /// The run.
        run: Run,
        /// Why.
        cause: Cause,
        /// The signals sent so far.
        escalation: Escalation,
    },
    /// It crashed and will be started again.
    Backoff {
        /// When.
        until: Instant,
        /// The last crash.
        problem: Problem,
    },
    /// It crashed too often and is not started again without a request.
    Crashed {
        /// The last crash.
        problem: Problem,
    },
}

/// A generation that has a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub generation: Generation,
    /// The process that was spawned; leader of its group.
    pub(crate) leader: ProcessId,
    /// When it was spawned.
    pub(crate) since: Moment,
    /// Whether it ever became ready.
    pub(crate) was_ready: bool,
    /// Whether an earlier hub started it.
    pub(crate) adopted: bool,
}

/// How far a start has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Its port is not bound yet; a worker has not run for a second yet.
    Waiting {
        /// When it counts as late.
        until: Instant,
    },
    /// It is late. It still runs, and may bind its port later.
    Unbound {
        /// `started_but_unbound`.
        problem: Problem,
    },
    /// It is ready: its port is bound, or a worker has run for a second.
    Ready {
        /// The time when it became ready.
        since: Instant,
    },
}

/// Why a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A request: stop, restart, removal, shutdown.
    Requested,
    /// It ended by itself, or its health check failed. Counted as a crash.
    Crash {
        /// The reason, for screens.
        problem: Problem,
    },
}

/// The signals sent to a run that is being ended: SIGTERM, then SIGKILL, then it is stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escalation {
    /// SIGTERM was sent.
    Term {
        /// When SIGKILL follows.
        kill_at: Instant,
    },
    /// SIGKILL was sent.
    Kill {
        /// When it counts as stuck.
        give_up_at: Instant,
    },
    /// SIGKILL did not empty the group. It is still watched, but may never end.
    Stuck {
        /// `stop_failed`.
        problem: Problem,
    },
}

/// Why a start was refused, and how long until the next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRefusal {
    pub(crate) problem: Problem,
    /// From the refusal to the next checks. Zero: the next refusal counts as the first one.
    pub(crate) pause: Duration,
}
