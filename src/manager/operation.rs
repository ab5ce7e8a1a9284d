//! Waiting for the real effect of a verb, as values: an operation returns the next action, a driver performs it.
//! Pure.

use std::time::Duration;

use super::explain::Cause;
use super::invocation::{Invocation, ToolOutput};

/// The state that a unit is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// It runs.
    Running,
    /// It does not run, and no process of it is left.
    Gone,
    /// It runs, as a new run.
    Restarted,
}

#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextAction {
    /// Run this, then call again with its output.
    Run(Invocation),
    /// Wait this long, then call again.
    Wait(Duration),
    /// The goal is reached.
    Done,
    /// It cannot be reached.
    Failed(Cause),
}

/// Steps towards a goal. Pure: outputs come in, actions come out.
pub(crate) trait Operation {
    /// The next action. `last` is the output of the invocation that the last action asked for; `elapsed` is the time
    /// since the first.
    fn next(&mut self, last: Option<&ToolOutput>, elapsed: Duration) -> NextAction;
}
