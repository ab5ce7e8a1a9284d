//! The verbs under launchd.

use std::path::PathBuf;

use tokio::time::Instant;

use super::{Driver, Trouble};
use crate::home::fs;
use crate::manager::backend::{Launchd, Manager};
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, Runner};
use crate::manager::launchd::{explain, operation::LaunchdOperation, parse, verbs};
use crate::manager::operation::Goal;
use crate::manager::state::UnitState;
use crate::unit::name::UnitName;

impl<R: Runner> Driver<R> {
    pub(super) async fn launchd_state(&self, launchd: &Launchd, unit: &UnitName) -> UnitState {
        let there = fs::exists(&self.plist(unit));
        let print = self.run(&verbs::print(launchd, unit)).await;
        let disabled = self.run(&verbs::print_disabled(launchd)).await;
        match (print, disabled) {
            (Ok(print), Ok(disabled)) => parse::state(&print, &disabled, there, launchd, unit),
            (Err(trouble), _) | (_, Err(trouble)) => UnitState::unknown(&trouble.cause.what),
        }
    }

    pub(super) async fn launchd_set_enabled(
        &self,
        launchd: &Launchd,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble> {
        let invocation = if enabled { verbs::enable(launchd, unit) } else { verbs::disable(launchd, unit) };
        let output = self.run(&invocation).await?;
        let disabled = self.run(&verbs::print_disabled(launchd)).await?;
        match parse::is_disabled(&disabled, &unit.label()) {
            Some(disabled) if disabled != enabled => Ok(()),
            _ if !output.ok() => Err(explain::of(&invocation, &output).into()),
            _ => Err(Cause::safe("launchctl reported success, but it is not done")
                .hint(verbs::print_disabled(launchd).to_string())
                .into()),
        }
    }

    pub(super) async fn launchd_bring(
        &self,
        launchd: &Launchd,
        unit: &UnitName,
        goal: Goal,
        begun: Instant,
    ) -> Result<(), Trouble> {
        let mut operation = LaunchdOperation::new(launchd, unit, self.plist(unit), goal);
        self.carry_out(&mut operation, begun).await.map(|_| ())
    }

    pub(super) async fn launchd_verify(&self, files: &[PathBuf]) -> Result<Vec<String>, Trouble> {
        let output = self.run(&Invocation::ask("plutil", &["-lint", "-s"]).args(files)).await?;
        let lines = output.stdout.lines().chain(output.stderr.lines());
        Ok(if output.ok() { Vec::new() } else { lines.map(ToOwned::to_owned).collect() })
    }

    fn plist(&self, unit: &UnitName) -> PathBuf {
        Manager::file(&self.manager, unit)
    }
}
