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
pub struct Inc(pub u32);

/// Who waits for an answer. The actor maps it to a reply channel; dropping that channel cancels nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A running incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which life.
    pub inc: Inc,
    /// The process that was spawned; leader of its group.
    pub leader: ProcessId,
    /// When it was spawned.
    pub since: Moment,
    /// Whether it ever became ready.
    pub was_ready: bool,
}

/// How far a running incarnation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
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
    Asked,
    /// It ended by itself, or its health failed. Counted against the budget.
    Crash {
        /// What to tell.
        problem: Problem,
    },
}

/// How hard an ending is being pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
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

/// Why a gate is shut, and how patiently it is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// The reason.
    pub problem: Problem,
    /// From the refusal to the next question. Zero: the next refusal counts as the first one.
    pub pause: Duration,
}

/// Where a module stands. Data lives in the variant: two facts that are only valid together are one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing runs and nothing will by itself.
    Down,
    /// The gate is being asked: definition, program, leftovers, port.
    Checking {
        /// The life that may follow.
        inc: Inc,
        /// What blocked the last check, shown until this one answers.
        was: Option<Shut>,
        /// The row changed, or somebody asked for a start, after the gate had begun: it may have read the definition
        /// before, and have waited for the end of an old life since.
        outdated: bool,
    },
    /// The gate said no for a reason outside the module, or the system had no room for it. Costs no budget; asked again at `retry_at`.
    Blocked {
        /// The reason.
        shut: Shut,
        /// When the gate is asked again.
        retry_at: Instant,
    },
    /// `execve` is under way.
    Spawning {
        /// The life.
        inc: Inc,
        /// What blocked the last try: the system may lack room for a process for long.
        was: Option<Shut>,
    },
    /// The leader lives.
    Up {
        /// The life.
        run: Run,
        /// Its readiness.
        ready: Ready,
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
        push: Push,
    },
    /// The leader is gone; its group is not empty or its port not free yet.
    Draining {
        /// The life.
        run: Run,
        /// Why.
        cause: Cause,
        /// How hard.
        push: Push,
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
    Cleared {
        /// The life that may start.
        inc: Inc,
        /// The policy of the definition just read.
        policy: Policy,
        /// Whether it binds a port.
        listens: bool,
    },
    /// The gate is shut.
    Refused {
        /// The life that may not start.
        inc: Inc,
        /// Why.
        problem: Problem,
    },
    /// It has a process.
    Spawned {
        /// The life.
        inc: Inc,
        /// Its leader.
        leader: ProcessId,
    },
    /// It could not be given a process.
    SpawnFailed {
        /// The life.
        inc: Inc,
        /// Why.
        problem: Problem,
        /// Whether the system had no room for a process, which is nothing the module has done.
        no_room: bool,
    },
    /// It accepts on its port and the listener is its own.
    Bound {
        /// The life.
        inc: Inc,
    },
    /// Its health path was asked.
    Health {
        /// The life.
        inc: Inc,
        /// Whether the answer counts as alive; else what was wrong.
        verdict: Result<(), String>,
    },
    /// Its leader ended.
    Exited {
        /// The life.
        inc: Inc,
        /// How.
        ended: Ended,
    },
    /// Its leader is gone, nothing of it is left, and its port is free of it.
    GroupEmpty {
        /// The life.
        inc: Inc,
    },
    /// Time passed. Extra ticks are harmless.
    Tick,
}

/// A signal the machine may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sig {
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
    Gone(Inc),
    /// The crashes that count, oldest first.
    Crashes(Vec<Stamp>),
}

/// A failure to be kept for `why`, without its last lines (the actor has them).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
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
    Check(Inc),
    /// Spawn what the gate cleared; answer `Spawned` or `SpawnFailed`.
    Spawn(Inc),
    /// Watch for the port (or for one second of life); answer `Bound`.
    WatchReady(Inc),
    /// Signal the group of a life whose leader lives.
    Signal(Inc, Sig),
    /// Its port is bound: ask its health path from now on; answer `Health`.
    WatchHealth(Inc),
    /// Signal whatever is left of a life and tell when nothing is; answer `GroupEmpty`.
    Drain {
        /// The life.
        inc: Inc,
        /// What its remains are sent.
        sig: Sig,
        /// Look also for processes that left group and session, in every process of this user. A crash skips that:
        /// what such a process left behind is adopted by the hub (Linux) and found without it, and the gate asks
        /// about the port before the next life.
        thorough: bool,
    },
    /// Keep this for the next hub.
    Record(Record),
    /// Keep this for `why`.
    Report(Failed),
    /// A line for people in the module's log.
    Note(String),
    /// Answer a ticket.
    Reply(Ticket, Outcome),
}
