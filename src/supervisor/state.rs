//! The words of the machine: its phases, what comes in and what goes out.

use std::time::{Duration, Instant};

use crate::module::ended::Ended;
use crate::module::launch::Policy;
use crate::module::problem::Problem;
use crate::module::stamp::Stamp;
use crate::process::id::ProcessId;

/// What an edge reads for a decision: both clocks, and dice for jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time; every deadline is in it.
    pub mono: Instant,
    /// Wall clock, for people and for the disk only.
    pub wall: Stamp,
    /// A random byte.
    pub dice: u8,
}

/// One life of a module. Grows by one per try; a message that names an older one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// Who waits for an answer. The actor maps it to a reply channel; dropping that channel cancels nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A running incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which life.
    pub generation: Generation,
    /// The process that was spawned; leader of its group.
    pub leader: ProcessId,
    /// When it was spawned.
    pub since: Moment,
    /// Whether it ever became ready.
    pub was_ready: bool,
}

/// How far a running incarnation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Its port is not bound yet (or, a worker, it has not lived a second).
    Waiting {
        /// When patience ends.
        until: Instant,
    },
    /// Patience ended; it still runs, and may bind later.
    Unbound {
        /// `started_but_unbound`.
        problem: Problem,
    },
    /// Of use.
    Yes {
        /// Since when.
        since: Instant,
    },
}

/// Why an incarnation is being ended, or ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked (stop, restart, removal, shutdown).
    Requested,
    /// It ended by itself, or its health failed. Counted against the budget.
    Crash {
        /// What to tell.
        problem: Problem,
    },
}

/// How hard an ending is being escalated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escalation {
    /// SIGTERM was sent.
    Term {
        /// When SIGKILL follows.
        kill_at: Instant,
    },
    /// SIGKILL was sent.
    Kill {
        /// When we say that it did not work.
        give_up_at: Instant,
    },
    /// SIGKILL did not empty the group; still watched, no longer promised.
    Stuck {
        /// `stop_failed`.
        problem: Problem,
    },
}

/// Why a gate is refusal, and how patiently it is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub problem: Problem,
    /// From the refusal to the next question. Zero: the next refusal counts as the first one.
    pub pause: Duration,
}

/// Where a module stands. Data lives in the variant: two facts that are only valid together are one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing runs and nothing will by itself.
    Down,
    /// The gate is being asked: definition, program, leftovers, port.
    Checking {
        /// The life that may follow.
        generation: Generation,
        /// What blocked the last check, shown until this one answers.
        was: Option<Refusal>,
        /// The row changed, or somebody asked for a start, after the gate had begun: it may have read the definition
        /// before, and have waited for the end of an old life since.
        outdated: bool,
    },
    /// The gate said no for a reason outside the module, or the system had no room for it. Costs no budget; asked again at `retry_at`.
    Blocked {
        /// The reason.
        refusal: Refusal,
        /// When the gate is asked again.
        retry_at: Instant,
    },
    /// `execve` is under way.
    Spawning {
        /// The life.
        generation: Generation,
        /// What blocked the last try: the system may lack room for a process for long.
        was: Option<Refusal>,
    },
    /// The leader lives.
    Up {
        /// The life.
        run: Run,
        /// Its readiness.
        ready: Readiness,
        /// Consecutive failures of its health check.
        sick: u32,
    },
    /// The leader was told to end.
    Stopping {
        /// The life.
        run: Run,
        /// Why.
        cause: Cause,
        /// How hard.
        escalation: Escalation,
    },
    /// The leader is gone; its group is not empty or its port not free yet.
    Draining {
        /// The life.
        run: Run,
        /// Why.
        cause: Cause,
        /// How hard.
        escalation: Escalation,
    },
    /// It crashed and will be tried again.
    Backoff {
        /// When.
        until: Instant,
        /// The last crash.
        problem: Problem,
    },
    /// The budget is used up.
    Crashed {
        /// The last crash.
        problem: Problem,
    },
}

/// What came true, or what is asked. Facts about a life name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The hub wants it up, because it has a row. Crashes that an earlier hub counted still count.
    Boot(Ticket),
    /// Somebody wants it up.
    Start(Ticket),
    /// Somebody wants it down.
    Stop(Ticket),
    /// Somebody wants a new life of it.
    Restart(Ticket),
    /// The hub ends: down, and up never again.
    Shutdown(Ticket),
    /// Its row changed on disk in a way that needs a new start.
    Edited,
    /// The gate is open.
    ChecksPassed {
        /// The life that may start.
        generation: Generation,
        /// The policy of the definition just read.
        policy: Policy,
        /// Whether it binds a port.
        listens: bool,
    },
    /// The gate is refusal.
    ChecksFailed {
        /// The life that may not start.
        generation: Generation,
        /// Why.
        problem: Problem,
    },
    /// It has a process.
    Spawned {
        /// The life.
        generation: Generation,
        /// Its leader.
        leader: ProcessId,
    },
    /// It could not be given a process.
    SpawnFailed {
        /// The life.
        generation: Generation,
        /// Why.
        problem: Problem,
        /// Whether the system had no room for a process, which is nothing the module has done.
        no_room: bool,
    },
    /// It accepts on its port and the listener is its own.
    Bound {
        /// The life.
        generation: Generation,
    },
    /// Its health path was asked.
    Health {
        /// The life.
        generation: Generation,
        /// Whether the answer counts as alive; else what was wrong.
        verdict: Result<(), String>,
    },
    /// Its leader ended.
    Exited {
        /// The life.
        generation: Generation,
        /// How.
        ended: Ended,
    },
    /// Its leader is gone, nothing of it is left, and its port is free of it.
    GroupEmpty {
        /// The life.
        generation: Generation,
    },
    /// Time passed. Extra ticks are harmless.
    Tick,
}

/// A signal the machine may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// Please end.
    Term,
    /// End.
    Kill,
}

/// What a ticket is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Ready.
    Ready,
    /// Group empty and port free. `had`: there was something to stop.
    Stopped {
        /// Whether there ever was a life to end.
        had: bool,
    },
    /// It did not come true.
    Failed(Problem),
    /// A later request for the opposite won.
    Superseded,
    /// Too many requests wait for this module.
    Busy,
    /// The hub is stopping.
    ShuttingDown,
}

/// What the ledger must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A life began.
    Born(Run),
    /// Nothing of a life is left.
    Gone(Generation),
    /// The crashes that count, oldest first.
    Crashes(Vec<Stamp>),
}

/// A failure to be kept for `why`, without its last lines (the actor has them).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFacts {
    /// The cause.
    pub problem: Problem,
    /// How the process ended, if there was one.
    pub ended: Option<Ended>,
    /// How long it had lived, milliseconds.
    pub lived_ms: Option<u64>,
    /// Whether it had become ready.
    pub was_ready: bool,
    /// Crashes inside the window.
    pub crashes: u32,
    /// The budget.
    pub max_crashes: u32,
    /// Whether the supervisor gave up.
    pub gave_up: bool,
}

/// What the actor must do. It decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the gate; answer `Cleared` or `Refused`.
    Check(Generation),
    /// Spawn what the gate cleared; answer `Spawned` or `SpawnFailed`.
    Spawn(Generation),
    /// Watch for the port (or for one second of life); answer `Bound`.
    WatchReady(Generation),
    /// Signal the group of a life whose leader lives.
    Signal(Generation, EndSignal),
    /// Its port is bound: ask its health path from now on; answer `Health`.
    WatchHealth(Generation),
    /// Signal whatever is left of a life and tell when nothing is; answer `GroupEmpty`.
    Drain {
        /// The life.
        generation: Generation,
        /// What its remains are sent.
        sig: EndSignal,
        /// Look also for processes that left group and session, in every process of this user. A crash skips that:
        /// what such a process left behind is adopted by the hub (Linux) and found without it, and the gate asks
        /// about the port before the next life.
        thorough: bool,
    },
    /// Keep this for the next hub.
    Record(Record),
    /// Keep this for `why`.
    SaveFailure(FailureFacts),
    /// A line for people in the module's log.
    Note(String),
    /// Answer a ticket.
    Reply(Ticket, Outcome),
}
