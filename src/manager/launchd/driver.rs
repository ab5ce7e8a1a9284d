//! The verbs under launchd.

use std::path::PathBuf;

use super::operation::LaunchdOperation;
use super::{Launchd, explain, parse, verbs};
use crate::home::fs;
use crate::manager::capabilities::Capabilities as _;
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, Runner};
use crate::manager::operation::Goal;
use crate::manager::state::{Told, UnitState};
use crate::manager::tool::{FailureKind, Tool, Trouble, Verbs};
use crate::unit::name::UnitName;

impl Verbs for Launchd {
    async fn state<R: Runner>(&self, tool: &Tool<'_, R>, unit: &UnitName) -> UnitState {
        let there = fs::exists(&self.file(unit));
        let print = tool.run(&verbs::print(self, unit)).await;
        let disabled = tool.run(&verbs::print_disabled(self)).await;
        match (print, disabled) {
            (Ok(print), Ok(disabled)) => parse::state(&print, &disabled, there, self, unit),
            (Err(trouble), _) | (_, Err(trouble)) => UnitState::unknown(&trouble.cause.what),
        }
    }

    /// launchd reads a file when it is loaded, and has no such verb.
    async fn reload<R: Runner>(&self, _tool: &Tool<'_, R>) -> Result<(), Trouble> {
        Ok(())
    }

    async fn set_enabled<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble> {
        let invocation = if enabled { verbs::enable(self, unit) } else { verbs::disable(self, unit) };
        let output = tool.run(&invocation).await?;
        let disabled = tool.run(&verbs::print_disabled(self)).await?;
        match parse::is_disabled(&disabled, &unit.label()) {
            Some(disabled) if disabled != enabled => Ok(()),
            _ if !output.ok() => Err(explain::of(&invocation, &output).into()),
            _ => Err(Cause::safe("launchctl reported success, but it is not done")
                .hint(verbs::print_disabled(self).to_string())
                .into()),
        }
    }

    async fn bring<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        goal: Goal,
        _untried: bool,
    ) -> Result<Option<UnitState>, Trouble> {
        let mut operation = LaunchdOperation::new(self, unit, self.file(unit), goal);
        tool.carry_out(&mut operation).await.map(|_| None)
    }

    async fn linger<R: Runner>(&self, _tool: &Tool<'_, R>, _person: &str) -> Told<bool> {
        Told::Unknown("launchd has no linger".to_owned())
    }

    async fn set_linger<R: Runner>(
        &self,
        _tool: &Tool<'_, R>,
        _person: &str,
        _on: bool,
    ) -> Result<(), Trouble> {
        Err(Cause::never("launchd has no linger").into())
    }

    async fn logs<R: Runner>(
        &self,
        _tool: &Tool<'_, R>,
        _unit: &UnitName,
        _lines: usize,
    ) -> Result<Vec<String>, Trouble> {
        Err(Trouble { cause: Cause::never("launchd keeps no log"), kind: FailureKind::NotKept })
    }

    async fn verify<R: Runner>(&self, tool: &Tool<'_, R>, files: &[PathBuf]) -> Result<Vec<String>, Trouble> {
        let output = tool.run(&Invocation::ask("plutil", &["-lint", "-s"]).args(files)).await?;
        let lines = output.stdout.lines().chain(output.stderr.lines());
        Ok(if output.ok() { Vec::new() } else { lines.map(ToOwned::to_owned).collect() })
    }
}
