//! Runs the manager's verbs, and returns once their effect is observed.
//!
//! Each verb is a loop around a pure operation: it runs the commands that the operation returns, waits as long as it
//! says, and ends when it says. Exit codes are not trusted: enabled, linger, running and gone are checked afterwards.

use std::path::PathBuf;

use super::backend::{Manager, with};
use super::explain::Cause;
use super::invocation::Runner;
use super::operation::Goal;
use super::state::{Active, Told, UnitState};
use super::tool::{Tool, Trouble, Verbs};
use crate::error_chain::Hints;
use crate::unit::name::{Part, UnitName};

pub use super::tool::FailureKind;

/// Drives one manager.
#[derive(Debug, Clone)]
pub struct Driver<R> {
    /// The manager.
    pub manager: Manager,
    /// Runs its tools.
    pub runner: R,
}

/// An operation that failed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {cause}")]
pub struct ManagerError {
    /// Verb and object: `start parachute-hub.service`.
    pub doing: String,
    /// The reason.
    pub cause: Cause,
    /// What kind of failure it is.
    pub kind: FailureKind,
}

impl Hints for ManagerError {
    fn hints(&self) -> Vec<String> {
        self.cause.next.iter().cloned().collect()
    }
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

    /// The manager's current state of a unit.
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

    /// Sets whether a unit is enabled, and checks it afterwards.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_enabled(&self, unit: &UnitName, enabled: bool) -> Result<(), ManagerError> {
        let done = with!(&self.manager, here => here.set_enabled(&self.tool(), unit, enabled).await);
        done.map_err(|trouble| trouble.doing(self.of(if enabled { "enable" } else { "disable" }, unit)))
    }

    /// Starts a unit, regardless of earlier failures, and waits until it runs or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last lines.
    pub async fn start(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.start_seen(unit, None).await.map(|_| ())
    }

    /// The same for a unit whose state was just read: known facts are not queried again, since nothing
    /// may serve until it runs. Returns the state seen at the end, if that was read as [`Self::state`]
    /// would.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_seen(
        &self,
        unit: &UnitName,
        seen: Option<&UnitState>,
    ) -> Result<Option<UnitState>, ManagerError> {
        let again = match unit.part() {
            Part::Socket => self.make_way(unit).await?,
            Part::Service => None,
        };
        let untried = seen.is_some_and(|state| state.untried);
        let started = self.bring(unit, Goal::Running, "start", untried).await;
        if let Some(service) = again {
            self.bring(&service, Goal::Running, "start", false).await?;
        }
        started
    }

    /// Stops the service of a socket that is to be started and does not listen: systemd refuses to start a socket whose
    /// service runs, or has not ended yet (systemd.socket(5)). Returns the service if it has to be started again.
    async fn make_way(&self, socket: &UnitName) -> Result<Option<UnitName>, ManagerError> {
        let service = socket.service();
        let was = self.state(&service).await;
        let is_gone = matches!(was.active.known(), None | Some(Active::Stopped | Active::Failed));
        if is_gone || self.state(socket).await.running().is_true() {
            return Ok(None);
        }
        self.stop(&service).await?;
        Ok(was.running().is_true().then_some(service))
    }

    /// Stops a unit and waits until no process of it is left. A unit that does not run is not touched.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn stop(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Gone, "stop", false).await.map(|_| ())
    }

    /// Restarts a unit and waits until the new run is up or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last lines.
    pub async fn restart(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Restarted, "restart", false).await.map(|_| ())
    }

    /// Whether this user's manager runs without a login.
    pub async fn linger(&self, user: &str) -> Told<bool> {
        with!(&self.manager, here => here.linger(&self.tool(), user).await)
    }

    /// Sets it. Does nothing if it is already set (some systems report an error then), and checks it afterwards.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_linger(&self, user: &str, on: bool) -> Result<(), ManagerError> {
        let done = with!(&self.manager, here => here.set_linger(&self.tool(), user, on).await);
        let doing = || format!("turn linger of {user} {}", if on { "on" } else { "off" });
        done.map_err(|trouble| trouble.doing(doing()))
    }

    /// The last lines that the manager logged for a unit, oldest first.
    ///
    /// # Errors
    /// [`ManagerError`]; with [`FailureKind::NotKept`] if they must be read from the service's own file.
    pub async fn logs(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, ManagerError> {
        let told = with!(&self.manager, here => here.logs(&self.tool(), unit, lines).await);
        told.map_err(|trouble| trouble.doing(self.of("read the log of", unit)))
    }

    /// The messages of the manager's own checker about unit files, one line each; none if they are valid.
    ///
    /// # Errors
    /// [`ManagerError`]; with [`FailureKind::NoTool`] if there is no checker, or it does not work here.
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
