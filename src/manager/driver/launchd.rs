//! The verbs under launchd.

use std::path::PathBuf;

use tokio::time::Instant;

use super::{Driver, Trouble};
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, Runner};
use crate::manager::settle::Goal;
use crate::manager::state::UnitState;
use crate::manager::which::Launchd;
use crate::unit::name::UnitName;

impl<R: Runner> Driver<R> {
    pub(super) async fn launchd_state(&self, _launchd: &Launchd, _unit: &UnitName) -> UnitState {
        UnitState::unknown(NOT_WIRED)
    }

    pub(super) async fn launchd_set_enabled(
        &self,
        _launchd: &Launchd,
        _unit: &UnitName,
        _enabled: bool,
    ) -> Result<(), Trouble> {
        Err(Cause::never(NOT_WIRED).into())
    }

    pub(super) async fn launchd_bring(
        &self,
        _launchd: &Launchd,
        _unit: &UnitName,
        _goal: Goal,
        _begun: Instant,
    ) -> Result<(), Trouble> {
        Err(Cause::never(NOT_WIRED).into())
    }

    pub(super) async fn launchd_verify(&self, files: &[PathBuf]) -> Result<Vec<String>, Trouble> {
        let output = self.run(&Invocation::ask("plutil", &["-lint", "-s"]).args(files)).await?;
        let lines = output.stdout.lines().chain(output.stderr.lines());
        Ok(if output.ok() { Vec::new() } else { lines.map(ToOwned::to_owned).collect() })
    }
}

const NOT_WIRED: &str = "launchd is not wired yet";
