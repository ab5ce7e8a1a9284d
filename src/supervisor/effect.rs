//! The effects that the machine requests. The actor performs them and decides nothing. Pure data.

use crate::module::exit_status::ExitStatus;
use crate::module::problem::Problem;
use crate::module::timestamp::Timestamp;

use super::event::Ticket;
use super::state::{Generation, Run};

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Run the start checks; answer `ChecksPassed` or `ChecksFailed`.
    Check(Generation),
    /// Spawn what passed the checks; answer `Spawned` or `SpawnFailed`.
    Spawn(Generation),
    /// Watch for its port; answer `Bound`. A worker has none and is not watched.
    WatchReady(Generation),
    /// Its port is bound: check its health path from now on; answer `Health`.
    WatchHealth(Generation),
    /// Signal the process group of a run whose leader has not ended.
    Signal(Generation, EndSignal),
    /// Signal the remnants of a run, and report when none is left; answer `GroupEmpty`.
    Drain {
        /// The generation.
        generation: Generation,
        /// The signal for the remnants.
        signal: EndSignal,
        /// Search every process of this user, for those that left group and session. A crash skips that: the hub adopts
        /// the children of such a process (Linux) and finds them without a search, and the start checks look at the
        /// port before the next run.
        thorough: bool,
    },
    /// Record this in the ledger, for the next hub.
    Record(Record),
    /// Save this as the last failure, for `why`.
    SaveFailure(FailureFacts),
    /// Write a line for users to the module's log and the hub's.
    Note(Severity, String),
    /// Answer a request.
    Reply(Ticket, Outcome),
}

/// The severity of a note, so that `journalctl -p warning` finds the serious ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What happens when all is well.
    Info,
    /// It is not as it should be, and the supervisor goes on.
    Warning,
    /// The module is down, or cannot be brought down, until something changes.
    Error,
}

/// A signal that ends processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The module is ready.
    Ready,
    /// No process of it runs and its port is free.
    Stopped {
        /// Whether it ever ran in this hub.
        had: bool,
    },
    /// The request failed.
    Failed(Problem),
    /// A later request for the opposite replaced it.
    Superseded,
    /// Too many requests wait for this module.
    Busy,
    /// The hub is stopping.
    ShuttingDown,
}

/// An entry for the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A run began.
    Born(Run),
    /// No process of a run is left.
    Gone(Generation),
    /// The crashes that count, oldest first.
    Crashes(Vec<Timestamp>),
}

/// A failure to be saved for `why`, without the last lines of the module's output: the actor has those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFacts {
    pub(crate) problem: Problem,
    /// How the process ended, if there was one.
    pub(crate) ended: Option<ExitStatus>,
    /// How long it had run, milliseconds.
    pub(crate) lived_ms: Option<u64>,
    /// Whether it had become ready.
    pub(crate) was_ready: bool,
    /// Crashes inside the window.
    pub(crate) crashes_in_window: u32,
    /// This many crashes lead to `crashed`.
    pub(crate) max_crashes: u32,
    /// Whether it is `crashed` now: not started again without a request.
    pub(crate) is_crashed: bool,
}
