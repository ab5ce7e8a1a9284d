//! Runs the manager's verbs, and returns once their effect is observed.
//!
//! Each verb is a loop around a pure operation: it runs the commands that the operation returns, waits as long as it
//! says, and ends when it says. Exit codes are not trusted: enabled, linger, running and gone are checked afterwards.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a manager takes")]

use std::path::PathBuf;

use tokio::time::{Instant, sleep};

use super::backend::Manager;
use super::explain::Cause;
use super::invocation::{Invocation, Output, Runner};
use super::operation::{Goal, Move, Operation};
use super::state::{Told, UnitState};
use crate::unit::name::{Part, UnitName};

mod launchd;
mod systemd;

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

/// What a [`ManagerError`] means for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It failed.
    Failed,
    /// The tool is missing on this machine, or does not work on it.
    NoTool,
    /// This manager keeps no log: the service's own file has it.
    NotKept,
}

/// The same before the operation is known.
struct Trouble {
    cause: Cause,
    kind: FailureKind,
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Self { cause, kind: FailureKind::Failed }
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
        match &self.manager {
            Manager::Systemd(systemd) => self.systemd_state(systemd, unit).await,
            Manager::Launchd(launchd) => self.launchd_state(launchd, unit).await,
        }
    }

    /// Makes the manager read all unit files again. launchd reads a file when it is loaded, and has no such verb.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn reload(&self) -> Result<(), ManagerError> {
        match &self.manager {
            Manager::Systemd(systemd) => self
                .systemd_reload(systemd)
                .await
                .map_err(|trouble| trouble.doing("make systemd read its unit files".to_owned())),
            Manager::Launchd(_) => Ok(()),
        }
    }

    /// Sets whether a unit is enabled, and checks it afterwards.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_enabled(&self, unit: &UnitName, enabled: bool) -> Result<(), ManagerError> {
        let done = match &self.manager {
            Manager::Systemd(systemd) => self.systemd_set_enabled(systemd, unit, enabled).await,
            Manager::Launchd(launchd) => self.launchd_set_enabled(launchd, unit, enabled).await,
        };
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
        let untried = seen.is_some_and(|state| state.untried);
        let started = self.bring(unit, Goal::Running, "start", untried).await;
        let (Err(_), Manager::Systemd(_), Part::Socket) = (&started, &self.manager, unit.part()) else {
            return started;
        };
        // systemd refuses to start a socket whose service runs (systemd.socket(5)): the service is stopped first.
        let service = unit.service();
        if !self.state(&service).await.running().is_true() {
            return started;
        }
        self.stop(&service).await?;
        let started = self.bring(unit, Goal::Running, "start", false).await;
        self.bring(&service, Goal::Running, "start", false).await?;
        started
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
        match &self.manager {
            Manager::Systemd(_) => self.probe_linger(user).await,
            Manager::Launchd(_) => Told::Unknown("launchd has no linger".to_owned()),
        }
    }

    /// Sets it. Does nothing if it is already set (some systems report an error then), and checks it afterwards.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_linger(&self, user: &str, on: bool) -> Result<(), ManagerError> {
        let done = match &self.manager {
            Manager::Systemd(_) => self.change_linger(user, on).await,
            Manager::Launchd(_) => Err(Cause::never("launchd has no linger").into()),
        };
        let doing = || format!("turn linger of {user} {}", if on { "on" } else { "off" });
        done.map_err(|trouble| trouble.doing(doing()))
    }

    /// The last lines that the manager logged for a unit, oldest first.
    ///
    /// # Errors
    /// [`ManagerError`]; with [`FailureKind::NotKept`] if they must be read from the service's own file.
    pub async fn logs(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, ManagerError> {
        let told = match &self.manager {
            Manager::Systemd(systemd) => self.systemd_logs(systemd, unit, lines).await,
            Manager::Launchd(_) => {
                Err(Trouble { cause: Cause::never("launchd keeps no log"), kind: FailureKind::NotKept })
            }
        };
        told.map_err(|trouble| trouble.doing(self.of("read the log of", unit)))
    }

    /// The messages of the manager's own checker about unit files, one line each; none if they are valid.
    ///
    /// # Errors
    /// [`ManagerError`]; with [`FailureKind::NoTool`] if there is no checker, or it does not work here.
    pub async fn verify(&self, files: &[PathBuf]) -> Result<Vec<String>, ManagerError> {
        let told = match &self.manager {
            Manager::Systemd(systemd) => self.systemd_verify(systemd, files).await,
            Manager::Launchd(_) => self.launchd_verify(files).await,
        };
        told.map_err(|trouble| trouble.doing("check the unit files".to_owned()))
    }

    async fn bring(
        &self,
        unit: &UnitName,
        goal: Goal,
        verb: &str,
        untried: bool,
    ) -> Result<Option<UnitState>, ManagerError> {
        let begun = Instant::now();
        let done = match &self.manager {
            Manager::Systemd(systemd) => {
                let operation = systemd::SystemdOperation::new(systemd, unit, goal).untried(untried);
                self.systemd_bring(systemd, unit, operation, begun).await
            }
            Manager::Launchd(launchd) => self.launchd_bring(launchd, unit, goal, begun).await.map(|()| None),
        };
        done.map_err(|trouble| trouble.doing(self.of(verb, unit)))
    }

    /// The loop. Returns the output of the last tool, if the goal was reached with it.
    async fn carry_out(
        &self,
        operation: &mut impl Operation,
        begun: Instant,
    ) -> Result<Option<Output>, Trouble> {
        let mut last = None;
        loop {
            let next = operation.next(last.as_ref(), begun.elapsed());
            let said = last.take();
            match next {
                Move::Run(invocation) => last = Some(self.run(&invocation).await?),
                Move::Wait(time) => sleep(time).await,
                Move::Done => return Ok(said),
                Move::Failed(cause) => return Err(cause.into()),
            }
        }
    }

    async fn run(&self, invocation: &Invocation) -> Result<Output, Trouble> {
        self.runner.run(invocation).await.map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::NotFound;
            let kind = if absent { FailureKind::NoTool } else { FailureKind::Failed };
            Trouble { cause: Cause::of_tool(invocation, &error), kind }
        })
    }

    fn of(&self, verb: &str, unit: &UnitName) -> String {
        format!("{verb} {}", self.manager.name_of(unit))
    }
}

#[cfg(test)]
mod tests;
