//! Makes the manager do things, and comes back when they are so.
//!
//! Each verb is the manager's own ([`Verbs`], in its folder), often a loop around a pure operation: it runs what the operation says, waits as long as it says, and ends as
//! it says. No exit code is believed: enabled, linger, running and gone are looked at afterwards.

use std::path::PathBuf;

use super::backend::{Manager, with};
use super::explain::Cause;
use super::invocation::Runner;
use super::operation::Goal;
use super::state::{Told, UnitState};
use super::tool::{Tool, Trouble, Verbs};
use crate::unit::name::{Part, UnitName};

pub use super::tool::FailureKind;

/// Drives one manager.
#[derive(Debug, Clone)]
pub struct Driver<R> {
    /// Which.
    pub manager: Manager,
    /// How its tools are run.
    pub runner: R,
}

/// What could not be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {cause}")]
pub struct ManagerError {
    /// Verb and object: `start parachute-hub.service`.
    pub doing: String,
    /// Why.
    pub cause: Cause,
    /// Whether that is a failure at all.
    pub kind: FailureKind,
}

impl Trouble {
    fn doing(self, doing: String) -> ManagerError {
        ManagerError { doing, cause: self.cause, kind: self.kind }
    }
}

impl<R: Runner> Driver<R> {
    /// A driver of `manager`.
    pub fn new(manager: Manager, runner: R) -> Self {
        Self { manager, runner }
    }

    /// What the manager knows about a unit now.
    pub async fn state(&self, unit: &UnitName) -> UnitState {
        with!(&self.manager, here => here.state(&self.tool(), unit).await)
    }

    /// Makes the manager read all unit files again. launchd reads a file when it is loaded, and has no such verb.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn reload(&self) -> Result<(), ManagerError> {
        let done = with!(&self.manager, here => here.reload(&self.tool()).await);
        done.map_err(|trouble| {
            trouble.doing(format!("make {} read its unit files", self.manager.target().family()))
        })
    }

    /// Whether a unit starts by itself. It is so when this returns, and was looked at.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_enabled(&self, unit: &UnitName, enabled: bool) -> Result<(), ManagerError> {
        let done = with!(&self.manager, here => here.set_enabled(&self.tool(), unit, enabled).await);
        done.map_err(|trouble| trouble.doing(self.of(if enabled { "enable" } else { "disable" }, unit)))
    }

    /// Starts a unit, whatever its earlier failures, and waits until it runs or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last words.
    pub async fn start(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.start_seen(unit, None).await.map(|_| ())
    }

    /// The same for a unit that has just been looked at: what is known already is not asked again, since other things
    /// may be down until it is up. Returns what was seen of it at the end, if that was looked at as [`Self::state`]
    /// would.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_seen(
        &self,
        unit: &UnitName,
        seen: Option<&UnitState>,
    ) -> Result<Option<UnitState>, ManagerError> {
        let untried = seen.is_some_and(|state| state.untried);
        let started = self.bring(unit, Goal::Running, "start", untried).await;
        if started.is_ok() || unit.part() != Part::Socket || !self.manager.holds_sockets() {
            return started;
        }
        // systemd refuses a socket whose service runs already (systemd.socket(5)): that has to make room for it.
        let service = unit.service();
        if !self.state(&service).await.running().is_true() {
            return started;
        }
        self.stop(&service).await?;
        let started = self.bring(unit, Goal::Running, "start", false).await;
        self.bring(&service, Goal::Running, "start", false).await?;
        started
    }

    /// Stops a unit and waits until nothing of it is left. One that does not run is left as it is.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn stop(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Gone, "stop", false).await.map(|_| ())
    }

    /// Restarts a unit and waits until its next life runs or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last words.
    pub async fn restart(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Restarted, "restart", false).await.map(|_| ())
    }

    /// Whether the manager of this person runs without a login.
    pub async fn linger(&self, user: &str) -> Told<bool> {
        with!(&self.manager, here => here.linger(&self.tool(), user).await)
    }

    /// Sets it. What is so already is not touched (some systems call that an error), and what was set is looked at.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_linger(&self, user: &str, on: bool) -> Result<(), ManagerError> {
        let done = with!(&self.manager, here => here.set_linger(&self.tool(), user, on).await);
        let doing = || format!("turn linger of {user} {}", if on { "on" } else { "off" });
        done.map_err(|trouble| trouble.doing(doing()))
    }

    /// The last lines that the manager kept of a unit, oldest first.
    ///
    /// # Errors
    /// [`ManagerError`]; of [`FailureKind::NotKept`] if they must be read from the service's own file.
    pub async fn logs(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, ManagerError> {
        let told = with!(&self.manager, here => here.logs(&self.tool(), unit, lines).await);
        told.map_err(|trouble| trouble.doing(self.of("read the log of", unit)))
    }

    /// What the manager's own checker has to say about unit files: a line a complaint, none if they are good.
    ///
    /// # Errors
    /// [`ManagerError`]; of [`FailureKind::NoTool`] if there is no checker, or none that works here.
    pub async fn verify(&self, files: &[PathBuf]) -> Result<Vec<String>, ManagerError> {
        let told = with!(&self.manager, here => here.verify(&self.tool(), files).await);
        told.map_err(|trouble| trouble.doing("check the unit files".to_owned()))
    }

    async fn bring(
        &self,
        unit: &UnitName,
        goal: Goal,
        verb: &str,
        untried: bool,
    ) -> Result<Option<UnitState>, ManagerError> {
        let tool = self.tool();
        let done = with!(&self.manager, here => here.bring(&tool, unit, goal, untried).await);
        done.map_err(|trouble| trouble.doing(self.of(verb, unit)))
    }

    fn tool(&self) -> Tool<'_, R> {
        Tool::begin(&self.runner)
    }

    fn of(&self, verb: &str, unit: &UnitName) -> String {
        format!("{verb} {}", self.manager.name_of(unit))
    }
}

#[cfg(test)]
mod tests;
