//! The verbs under systemd.

use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::{Driver, FailureKind, Trouble};
use crate::home::fs;
use crate::manager::backend::Systemd;
use crate::manager::explain::Cause;
use crate::manager::invocation::Runner;
use crate::manager::operation::Goal;
use crate::manager::state::{Told, UnitState};
pub(super) use crate::manager::systemd::operation::SystemdOperation;
use crate::manager::systemd::{explain, parse, verbs};
use crate::process::user;
use crate::unit::name::UnitName;

/// logind's record of lingering users: an empty file per name.
const LINGER: &str = "/var/lib/systemd/linger";

/// Journal lines that a failure includes.
const LAST_WORDS: usize = 10;

impl<R: Runner> Driver<R> {
    pub(super) async fn systemd_state(&self, systemd: &Systemd, unit: &UnitName) -> UnitState {
        match self.run(&verbs::show(systemd, unit)).await {
            Ok(output) => parse::state(&output),
            Err(trouble) => UnitState::unknown(&trouble.cause.what),
        }
    }

    pub(super) async fn systemd_reload(&self, systemd: &Systemd) -> Result<(), Trouble> {
        let invocation = verbs::reload(systemd);
        let output = self.run(&invocation).await?;
        if output.ok() { Ok(()) } else { Err(explain::refused(systemd, &invocation, &output).into()) }
    }

    pub(super) async fn systemd_bring(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        mut operation: SystemdOperation,
        begun: Instant,
    ) -> Result<Option<UnitState>, Trouble> {
        match self.carry_out(&mut operation, begun).await {
            Err(trouble) if operation.goal() != Goal::Gone && trouble.kind == FailureKind::Failed => {
                Err(self.with_last_words(systemd, unit, begun, trouble).await)
            }
            // Only a check of the state ends such an operation with success.
            other => Ok(other?.as_ref().map(parse::state)),
        }
    }

    pub(super) async fn systemd_logs(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        lines: usize,
    ) -> Result<Vec<String>, Trouble> {
        self.journal(systemd, unit, verbs::Pages { lines, since: None, form: verbs::Form::Dated }).await
    }

    pub(super) async fn systemd_verify(
        &self,
        systemd: &Systemd,
        files: &[PathBuf],
    ) -> Result<Vec<String>, Trouble> {
        let output = self.run(&verbs::verify(systemd, files)).await?;
        match explain::cannot_check(systemd, &output) {
            Some(cause) => Err(Trouble { cause, kind: FailureKind::NoTool }),
            None => Ok(parse::complaints(&output, files)),
        }
    }

    pub(super) async fn systemd_set_enabled(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble> {
        let invocation = verbs::set_enabled(systemd, unit, enabled);
        let output = self.run(&invocation).await?;
        // `enable` writes links and succeeds even where no systemd runs; the manager's own state decides.
        let state = parse::state(&self.run(&verbs::show(systemd, unit)).await?);
        match state.enabled {
            Told::Known(now) if now == enabled => Ok(()),
            _ if !output.ok() => Err(explain::refused(systemd, &invocation, &output).into()),
            Told::Known(_) => Err(explain::not_enabled(systemd, unit, &state).into()),
            Told::Unknown(because) => Err(Cause::safe(because).hint(explain::status(systemd, unit)).into()),
        }
    }

    pub(super) async fn probe_linger(&self, user: &str) -> Told<bool> {
        let told = self.run(&verbs::linger(user)).await;
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

    pub(super) async fn change_linger(&self, user: &str, on: bool) -> Result<(), Trouble> {
        if self.probe_linger(user).await == Told::Known(on) {
            return Ok(());
        }
        let output = self.run(&verbs::set_linger(user, on)).await?;
        match self.probe_linger(user).await {
            Told::Known(now) if now == on => Ok(()),
            _ if !output.ok() => Err(explain::linger(user, on, &output).into()),
            Told::Known(_) => Err(Cause::safe("loginctl reported success, but it is not done").into()),
            Told::Unknown(because) => {
                Err(Cause::safe(format!("whether it was done is unknown: {because}")).into())
            }
        }
    }

    async fn journal(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        pages: verbs::Pages,
    ) -> Result<Vec<String>, Trouble> {
        let uid = user::effective_uid();
        let output = self.run(&verbs::journal(systemd, unit, uid, pages)).await?;
        let told: Vec<String> = output.stdout.lines().map(ToOwned::to_owned).collect();
        if told.is_empty() {
            let cause = explain::journal_closed(systemd, unit, &output);
            return Err(Trouble { cause, kind: FailureKind::NotKept });
        }
        Ok(told)
    }

    /// The cause, and the unit's last lines. An unreadable journal does not hide the cause.
    async fn with_last_words(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        begun: Instant,
        mut trouble: Trouble,
    ) -> Trouble {
        // Lines of an earlier run would mislead.
        let since = Some(begun.elapsed());
        let pages = verbs::Pages { lines: LAST_WORDS, since, form: verbs::Form::Bare };
        for line in self.journal(systemd, unit, pages).await.unwrap_or_default() {
            trouble.cause.what.push('\n');
            trouble.cause.what.push_str(&line);
        }
        trouble
    }
}
