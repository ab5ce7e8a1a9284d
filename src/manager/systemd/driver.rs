//! The verbs under systemd.

use std::path::{Path, PathBuf};

use super::operation::SystemdOperation;
use super::{Systemd, explain, parse, verbs};
use crate::home::fs;
use crate::manager::explain::Cause;
use crate::manager::invocation::Runner;
use crate::manager::operation::Goal;
use crate::manager::state::{Told, UnitState};
use crate::manager::tool::{FailureKind, Tool, Trouble, Verbs};
use crate::process::user;
use crate::unit::name::UnitName;

/// logind's record of lingering users: an empty file per name.
const LINGER: &str = "/var/lib/systemd/linger";

/// Journal lines that a failure includes.
const LAST_WORDS: usize = 10;

impl Verbs for Systemd {
    async fn state<R: Runner>(&self, tool: &Tool<'_, R>, unit: &UnitName) -> UnitState {
        match tool.run(&verbs::show(self, unit)).await {
            Ok(output) => parse::state(&output),
            Err(trouble) => UnitState::unknown(&trouble.cause.what),
        }
    }

    async fn reload<R: Runner>(&self, tool: &Tool<'_, R>) -> Result<(), Trouble> {
        let invocation = verbs::reload(self);
        let output = tool.run(&invocation).await?;
        if output.ok() { Ok(()) } else { Err(explain::refused(self, &invocation, &output).into()) }
    }

    async fn bring<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        goal: Goal,
        untried: bool,
    ) -> Result<Option<UnitState>, Trouble> {
        let mut operation = SystemdOperation::new(self, unit, goal).untried(untried);
        match tool.carry_out(&mut operation).await {
            Err(trouble) if operation.goal() != Goal::Gone && trouble.kind == FailureKind::Failed => {
                Err(self.with_last_words(tool, unit, trouble).await)
            }
            // Only a check of the state ends such an operation with success.
            other => Ok(other?.as_ref().map(parse::state)),
        }
    }

    async fn logs<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        lines: usize,
    ) -> Result<Vec<String>, Trouble> {
        self.journal(tool, unit, verbs::Pages { lines, since: None, form: verbs::Form::Dated }).await
    }

    async fn verify<R: Runner>(&self, tool: &Tool<'_, R>, files: &[PathBuf]) -> Result<Vec<String>, Trouble> {
        let output = tool.run(&verbs::verify(self, files)).await?;
        match explain::cannot_check(self, &output) {
            Some(cause) => Err(Trouble { cause, kind: FailureKind::NoTool }),
            None => Ok(parse::complaints(&output, files)),
        }
    }

    async fn set_enabled<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble> {
        let invocation = verbs::set_enabled(self, unit, enabled);
        let output = tool.run(&invocation).await?;
        // `enable` writes links and succeeds even where no systemd runs; the manager's own state decides.
        let state = parse::state(&tool.run(&verbs::show(self, unit)).await?);
        match state.enabled {
            Told::Known(now) if now == enabled => Ok(()),
            _ if !output.ok() => Err(explain::refused(self, &invocation, &output).into()),
            Told::Known(_) => Err(explain::not_enabled(self, unit, &state).into()),
            Told::Unknown(because) => Err(Cause::safe(because).hint(explain::status(self, unit)).into()),
        }
    }

    async fn linger<R: Runner>(&self, tool: &Tool<'_, R>, user: &str) -> Told<bool> {
        let told = tool.run(&verbs::linger(user)).await;
        if let Some(linger) = told.as_ref().ok().and_then(parse::linger) {
            return Told::Known(linger);
        }
        // logind knows only users who are logged in or linger; the file exists in all cases.
        if fs::exists(&Path::new(LINGER).join(user)) {
            return Told::Known(true);
        }
        match told {
            Ok(output) if parse::is_unknown_to_logind(&output) => Told::Known(false),
            Ok(output) => Told::Unknown(explain::no_answer(&output)),
            Err(trouble) => Told::Unknown(trouble.cause.what),
        }
    }

    async fn set_linger<R: Runner>(&self, tool: &Tool<'_, R>, user: &str, on: bool) -> Result<(), Trouble> {
        if self.linger(tool, user).await == Told::Known(on) {
            return Ok(());
        }
        let output = tool.run(&verbs::set_linger(user, on)).await?;
        match self.linger(tool, user).await {
            Told::Known(now) if now == on => Ok(()),
            _ if !output.ok() => Err(explain::linger(user, on, &output).into()),
            Told::Known(_) => Err(Cause::safe("loginctl reported success, but it is not done").into()),
            Told::Unknown(because) => {
                Err(Cause::safe(format!("whether it was done is unknown: {because}")).into())
            }
        }
    }
}

impl Systemd {
    async fn journal<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        pages: verbs::Pages,
    ) -> Result<Vec<String>, Trouble> {
        let uid = user::effective_uid();
        let output = tool.run(&verbs::journal(self, unit, uid, pages)).await?;
        let told: Vec<String> = output.stdout.lines().map(ToOwned::to_owned).collect();
        if told.is_empty() {
            let cause = explain::journal_closed(self, unit, &output);
            return Err(Trouble { cause, kind: FailureKind::NotKept });
        }
        Ok(told)
    }

    /// The cause, and the unit's last lines. An unreadable journal does not hide the cause.
    async fn with_last_words<R: Runner>(
        &self,
        tool: &Tool<'_, R>,
        unit: &UnitName,
        mut trouble: Trouble,
    ) -> Trouble {
        // Lines of an earlier run would mislead.
        let since = Some(tool.begun.elapsed());
        let pages = verbs::Pages { lines: LAST_WORDS, since, form: verbs::Form::Bare };
        for line in self.journal(tool, unit, pages).await.unwrap_or_default() {
            trouble.cause.what.push('\n');
            trouble.cause.what.push_str(&line);
        }
        trouble
    }
}
