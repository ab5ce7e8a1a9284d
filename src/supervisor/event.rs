//! The inputs of the machine: requests, and what happened on the host. Pure data.

use crate::module::exit_status::ExitStatus;
use crate::module::launch::Policy;
use crate::module::problem::Problem;
use crate::module::timestamp::Timestamp;
use crate::process::id::ProcessId;

use super::state::Generation;

/// A request that waits for its answer. The actor maps it to a reply channel; a caller that drops the channel cancels
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A request or a host event. An event of a run names its generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The hub starts it because it has a row. Crashes that an earlier hub counted still count.
    Boot(Ticket),
    /// A request to start it.
    Start(Ticket),
    /// The hub starts in safe mode: a process of an earlier hub is adopted, and nothing is started.
    Adopt(Ticket),
    /// A request to stop it.
    Stop(Ticket),
    /// A request to stop it and start it again.
    Restart(Ticket),
    /// The hub is stopping: stop it, and never start it again.
    Shutdown(Ticket),
    /// Its row changed on disk in a way that needs a restart.
    Edited,
    /// The start checks passed.
    ChecksPassed {
        /// The generation that may be spawned.
        generation: Generation,
        /// The policy of the definition just read.
        policy: Policy,
        /// Whether it binds a port.
        listens: bool,
        /// Whether a process of an earlier hub runs that is to be adopted instead of a spawn.
        adopts: bool,
    },
    /// A start check failed.
    ChecksFailed {
        /// The generation that may not be spawned.
        generation: Generation,
        /// Why.
        problem: Problem,
    },
    /// It was spawned, or adopted.
    Spawned {
        /// The generation.
        generation: Generation,
        /// Its leader.
        leader: ProcessId,
        /// When an earlier hub started it, if it was adopted.
        adopted: Option<Timestamp>,
    },
    /// It could not be spawned.
    SpawnFailed {
        /// The generation.
        generation: Generation,
        /// Why.
        problem: Problem,
        /// Whether the system lacked resources for a process, or a file system does not answer: that is not the module's
        /// fault.
        no_room: bool,
    },
    /// It accepts connections on its port, and the listener is its own.
    Bound {
        /// The generation.
        generation: Generation,
    },
    /// Its health path was checked.
    Health {
        /// The generation.
        generation: Generation,
        /// Whether the answer counts as alive; else what was wrong.
        verdict: Result<(), String>,
    },
    /// Its leader ended.
    Exited {
        /// The generation.
        generation: Generation,
        /// Its exit status.
        ended: ExitStatus,
    },
    /// Its leader has ended, no other process of it runs, and it no longer holds its port.
    GroupEmpty {
        /// The generation.
        generation: Generation,
    },
    /// Time passed. Extra ticks are harmless.
    Tick,
}
