//! Makes the manager do things, and comes back when they are so.
//!
//! Each verb is a loop around a pure operation: it runs what the operation says, waits as long as it says, and ends as
//! it says. No exit code is believed: enabled, linger, running and gone are looked at afterwards.
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

/// What a [`ManagerError`] is to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It failed.
    Failed,
    /// The tool is not on this machine, or does not work on it.
    NoTool,
    /// This manager keeps no log: the service's own file has it.
    NotKept,
}

/// The same before it is known what was being done.
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

    /// What the manager knows about a unit now.
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

    /// Whether a unit is enabled. It is so when this returns, and was looked at.
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
        let (Err(_), Manager::Systemd(_), Part::Socket) = (&started, &self.manager, unit.part()) else {
            return started;
        };
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

    /// Stops a unit and waits until nothing is left of it. One that does not run is left as it is.
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
        match &self.manager {
            Manager::Systemd(_) => self.probe_linger(user).await,
            Manager::Launchd(_) => Told::Unknown("launchd has no linger".to_owned()),
        }
    }

    /// Sets it. What is so already is not touched (some systems call that an error), and what was set is looked at.
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

    /// The last lines that the manager kept of a unit, oldest first.
    ///
    /// # Errors
    /// [`ManagerError`]; of [`FailureKind::NotKept`] if they must be read from the service's own file.
    pub async fn logs(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, ManagerError> {
        let told = match &self.manager {
            Manager::Systemd(systemd) => self.systemd_logs(systemd, unit, lines).await,
            Manager::Launchd(_) => {
                Err(Trouble { cause: Cause::never("launchd keeps no log"), kind: FailureKind::NotKept })
            }
        };
        told.map_err(|trouble| trouble.doing(self.of("read the log of", unit)))
    }

    /// What the manager's own checker has to say about unit files: a line a complaint, none if they are good.
    ///
    /// # Errors
    /// [`ManagerError`]; of [`FailureKind::NoTool`] if there is no checker, or none that works here.
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

    /// The loop. Returns what the tool said that was run last, if the goal was reached by it.
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
