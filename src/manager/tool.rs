//! The tools of a manager in the hands of its driver: one run, and the loop around an operation.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a manager takes")]

use std::path::PathBuf;

use tokio::time::{Instant, sleep};

use super::explain::Cause;
use super::invocation::{Invocation, Runner, ToolOutput};
use super::operation::{Goal, NextAction, Operation};
use super::state::{Told, UnitState};
use crate::unit::name::UnitName;

/// What a [`ManagerError`](super::driver::ManagerError) is to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It failed.
    Failed,
    /// The tool is not on this machine, or does not work on it.
    NoTool,
    /// This manager keeps no log: the service's own file has it.
    NotKept,
}

/// What went wrong, before it is known what was being done.
pub(super) struct Trouble {
    pub(super) cause: Cause,
    pub(super) kind: FailureKind,
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Self { cause, kind: FailureKind::Failed }
    }
}

/// A runner of tools, from the beginning of one verb on.
pub(super) struct Tool<'a, R> {
    runner: &'a R,
    /// When the verb began.
    pub(super) begun: Instant,
}

impl<'a, R: Runner> Tool<'a, R> {
    /// For a verb that begins now.
    pub(super) fn begin(runner: &'a R) -> Self {
        Self { runner, begun: Instant::now() }
    }

    /// One run.
    pub(super) async fn run(&self, invocation: &Invocation) -> Result<ToolOutput, Trouble> {
        self.runner.run(invocation).await.map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::NotFound;
            let kind = if absent { FailureKind::NoTool } else { FailureKind::Failed };
            Trouble { cause: Cause::of_tool(invocation, &error), kind }
        })
    }

    /// The loop. Returns what the tool said that was run last, if the goal was reached by it.
    pub(super) async fn carry_out(
        &self,
        operation: &mut impl Operation,
    ) -> Result<Option<ToolOutput>, Trouble> {
        let mut last = None;
        loop {
            let next = operation.next(last.as_ref(), self.begun.elapsed());
            let said = last.take();
            match next {
                NextAction::Run(invocation) => last = Some(self.run(&invocation).await?),
                NextAction::Wait(time) => sleep(time).await,
                NextAction::Done => return Ok(said),
                NextAction::Failed(cause) => return Err(cause.into()),
            }
        }
    }
}

/// The verbs of one manager, each with its own tools. What is so when one returns was looked at.
pub(super) trait Verbs {
    /// What the manager knows about a unit now.
    async fn state<R: Runner>(&self, tool: &Tool<'_, R>, unit: &UnitName) -> UnitState;

    /// Makes the manager read all unit files again, if it does not at each start.
    async fn reload<R: Runner>(&self, tool: &Tool<'_, R>) -> Result<(), Trouble>;

    /// Sets whether a unit is enabled.
    async fn set_enabled<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble>;

    /// Brings a unit there, and waits until it is or cannot be. Returns what was seen of it at the end, if that was
    /// looked at as [`Self::state`] would. `untried`: it is known to have no failure that counts against it.
    async fn bring<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        goal: Goal,
        untried: bool,
    ) -> Result<Option<UnitState>, Trouble>;

    /// Whether the manager of this person runs without a login.
    async fn linger<R: Runner>(&self, tool: &Tool<'_, R>, person: &str) -> Told<bool>;

    /// Sets it.
    async fn set_linger<R: Runner>(&self, tool: &Tool<'_, R>, person: &str, on: bool) -> Result<(), Trouble>;

    /// The last lines that the manager kept of a unit, oldest first.
    async fn logs<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        lines: usize,
    ) -> Result<Vec<String>, Trouble>;

    /// What the manager's own checker has to say about unit files.
    async fn verify<R: Runner>(&self, tool: &Tool<'_, R>, files: &[PathBuf]) -> Result<Vec<String>, Trouble>;
}
