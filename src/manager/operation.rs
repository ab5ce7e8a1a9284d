//! Waiting for what a manager really did, as values: an operation says what to do next, a driver does it.

use std::time::Duration;

use super::explain::Cause;
use super::invocation::{Invocation, Output};

/// Where a unit shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// It runs.
    Running,
    /// It does not run, and nothing is left of it.
    Gone,
    /// It runs, and not as before.
    Restarted,
}

/// What to do next.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Run this, and come back with its output.
    Run(Invocation),
    /// Wait this long, and come back.
    Wait(Duration),
    /// The goal is reached.
    Done,
    /// It cannot be reached.
    Failed(Cause),
}

/// Steps towards a goal. Pure: what happened comes in, what to do goes out.
pub trait Operation {
    /// The next move. `last` is the output of the invocation that the last move asked for; `elapsed` is the time
    /// since the first.
    fn next(&mut self, last: Option<&Output>, elapsed: Duration) -> Move;
}
