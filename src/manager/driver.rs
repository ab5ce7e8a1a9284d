//! Makes the manager do things, and comes back when they are so.
//!
//! Each verb is a loop around a pure sequence: it runs what the sequence says, waits as long as it says, and ends as
//! it says. No exit code is believed: enabled, linger, running and gone are looked at afterwards.
#![expect(clippy::disallowed_methods, reason = "edge: measures how long a manager takes")]

use std::path::{Path, PathBuf};

use tokio::time::{Instant, sleep};

use super::explain::Cause;
use super::invocation::{Invocation, Output, Runner};
use super::settle::{Goal, Move, Steps};
use super::state::{Told, UnitState};
use super::systemd::{self, explain, parse, verbs};
use super::which::{Manager, Systemd};
use crate::home::fs;
use crate::unit::name::UnitName;

/// Where logind keeps who lingers; a name is an empty file: loginctl(1) says what it means, not where it is.
const LINGER: &str = "/var/lib/systemd/linger";

/// Lines of the journal that are told with a failure.
const LAST_WORDS: usize = 10;

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
    pub kind: Kind,
}

/// What a [`ManagerError`] is to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
    kind: Kind,
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Self { cause, kind: Kind::Failed }
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
            Manager::Systemd(systemd) => match self.run(&verbs::show(systemd, unit)).await {
                Ok(output) => parse::state(&output),
                Err(trouble) => UnitState::unknown(&trouble.cause.what),
            },
            Manager::Launchd(_) => UnitState::unknown("launchd is not wired yet"),
        }
    }

    /// Makes the manager read all unit files again. launchd reads a file when it is loaded, and has no such verb.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn reload(&self) -> Result<(), ManagerError> {
        match &self.manager {
            Manager::Systemd(systemd) => self
                .done(systemd, &verbs::reload(systemd))
                .await
                .map_err(|trouble| trouble.doing("make systemd read its unit files".to_owned())),
            Manager::Launchd(_) => Ok(()),
        }
    }

    /// Whether a unit starts by itself. It is so when this returns, and was looked at.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn set_enabled(&self, unit: &UnitName, enabled: bool) -> Result<(), ManagerError> {
        let done = match &self.manager {
            Manager::Systemd(systemd) => self.systemd_set_enabled(systemd, unit, enabled).await,
            Manager::Launchd(_) => Err(Cause::never("launchd is not wired yet").into()),
        };
        done.map_err(|trouble| trouble.doing(self.of(if enabled { "enable" } else { "disable" }, unit)))
    }

    /// Starts a unit, whatever its earlier failures, and waits until it runs or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last words.
    pub async fn start(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Running, "start").await
    }

    /// Stops a unit and waits until nothing of it is left. One that does not run is left as it is.
    ///
    /// # Errors
    /// [`ManagerError`].
    pub async fn stop(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Gone, "stop").await
    }

    /// Restarts a unit and waits until its next life runs or has failed.
    ///
    /// # Errors
    /// [`ManagerError`], with the unit's last words.
    pub async fn restart(&self, unit: &UnitName) -> Result<(), ManagerError> {
        self.bring(unit, Goal::Restarted, "restart").await
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
    /// [`ManagerError`]; of [`Kind::NotKept`] if they must be read from the service's own file.
    pub async fn logs(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, ManagerError> {
        let told = match &self.manager {
            Manager::Systemd(systemd) => {
                let pages = verbs::Pages { lines, since: None, form: verbs::Form::Dated };
                self.journal(systemd, unit, pages).await
            }
            Manager::Launchd(_) => {
                Err(Trouble { cause: Cause::never("launchd keeps no log"), kind: Kind::NotKept })
            }
        };
        told.map_err(|trouble| trouble.doing(self.of("read the log of", unit)))
    }

    /// What the manager's own checker has to say about unit files: a line a complaint, none if they are good.
    ///
    /// # Errors
    /// [`ManagerError`]; of [`Kind::NoTool`] if there is no checker, or none that works here.
    pub async fn verify(&self, files: &[PathBuf]) -> Result<Vec<String>, ManagerError> {
        let failed = |trouble: Trouble| trouble.doing("check the unit files".to_owned());
        match &self.manager {
            Manager::Systemd(systemd) => {
                let output = self.run(&verbs::verify(systemd, files)).await.map_err(failed)?;
                match explain::cannot_check(systemd, &output) {
                    Some(cause) => Err(failed(Trouble { cause, kind: Kind::NoTool })),
                    None => Ok(parse::complaints(&output, files)),
                }
            }
            Manager::Launchd(_) => {
                let lint = Invocation::ask("plutil", &["-lint", "-s"]).args(files);
                let output = self.run(&lint).await.map_err(failed)?;
                let lines = output.stdout.lines().chain(output.stderr.lines());
                Ok(if output.ok() { Vec::new() } else { lines.map(ToOwned::to_owned).collect() })
            }
        }
    }

    async fn bring(&self, unit: &UnitName, goal: Goal, verb: &str) -> Result<(), ManagerError> {
        let done = match &self.manager {
            Manager::Systemd(systemd) => {
                let begun = Instant::now();
                let mut steps = systemd::settle::Sequence::new(systemd, unit, goal);
                match self.settle(&mut steps).await {
                    Err(trouble) if goal != Goal::Gone && trouble.kind == Kind::Failed => {
                        Err(self.with_last_words(systemd, unit, begun, trouble).await)
                    }
                    other => other,
                }
            }
            Manager::Launchd(_) => Err(Cause::never("launchd is not wired yet").into()),
        };
        done.map_err(|trouble| trouble.doing(self.of(verb, unit)))
    }

    /// The loop.
    async fn settle(&self, steps: &mut impl Steps) -> Result<(), Trouble> {
        let begun = Instant::now();
        let mut last = None;
        loop {
            match steps.next(last.take().as_ref(), begun.elapsed()) {
                Move::Run(invocation) => last = Some(self.run(&invocation).await?),
                Move::Wait(time) => sleep(time).await,
                Move::Done => return Ok(()),
                Move::Failed(cause) => return Err(cause.into()),
            }
        }
    }

    async fn systemd_set_enabled(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        enabled: bool,
    ) -> Result<(), Trouble> {
        let invocation = verbs::set_enabled(systemd, unit, enabled);
        let output = self.run(&invocation).await?;
        // `enable` writes links and succeeds even where no systemd runs; the manager's own word counts.
        let state = parse::state(&self.run(&verbs::show(systemd, unit)).await?);
        match state.enabled {
            Told::Known(now) if now == enabled => Ok(()),
            _ if !output.ok() => Err(explain::refused(systemd, &invocation, &output).into()),
            Told::Known(_) => Err(explain::not_enabled(systemd, unit, &state).into()),
            Told::Unknown(because) => Err(Cause::safe(because).hint(explain::status(systemd, unit)).into()),
        }
    }

    async fn probe_linger(&self, user: &str) -> Told<bool> {
        let told = self.run(&verbs::linger(user)).await;
        if let Some(linger) = told.as_ref().ok().and_then(parse::linger) {
            return Told::Known(linger);
        }
        // logind knows only who is logged in or lingers; the file is there before and after.
        if fs::exists(&Path::new(LINGER).join(user)) {
            return Told::Known(true);
        }
        match told {
            Ok(output) if parse::is_unknown_to_logind(&output) => Told::Known(false),
            Ok(output) => Told::Unknown(explain::no_answer(&output)),
            Err(trouble) => Told::Unknown(trouble.cause.what),
        }
    }

    async fn change_linger(&self, user: &str, on: bool) -> Result<(), Trouble> {
        if self.probe_linger(user).await == Told::Known(on) {
            return Ok(());
        }
        let output = self.run(&verbs::set_linger(user, on)).await?;
        match self.probe_linger(user).await {
            Told::Known(now) if now == on => Ok(()),
            _ if !output.ok() => Err(explain::linger(user, on, &output).into()),
            Told::Known(_) => Err(Cause::safe("loginctl said that it was done, and it is not").into()),
            Told::Unknown(because) => {
                Err(Cause::safe(format!("whether it was done cannot be told: {because}")).into())
            }
        }
    }

    async fn journal(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        pages: verbs::Pages,
    ) -> Result<Vec<String>, Trouble> {
        let uid = crate::process::person::effective_uid();
        let output = self.run(&verbs::journal(systemd, unit, uid, pages)).await?;
        let told: Vec<String> = output.stdout.lines().map(ToOwned::to_owned).collect();
        if told.is_empty() {
            let cause = explain::journal_closed(systemd, unit, &output);
            return Err(Trouble { cause, kind: Kind::NotKept });
        }
        Ok(told)
    }

    /// The cause, and what the unit said at the end. A journal that cannot be read takes nothing away from it.
    async fn with_last_words(
        &self,
        systemd: &Systemd,
        unit: &UnitName,
        begun: Instant,
        mut trouble: Trouble,
    ) -> Trouble {
        // What it said in an earlier life would mislead.
        let since = Some(begun.elapsed());
        let pages = verbs::Pages { lines: LAST_WORDS, since, form: verbs::Form::Bare };
        for line in self.journal(systemd, unit, pages).await.unwrap_or_default() {
            trouble.cause.what.push('\n');
            trouble.cause.what.push_str(&line);
        }
        trouble
    }

    async fn done(&self, systemd: &Systemd, invocation: &Invocation) -> Result<(), Trouble> {
        let output = self.run(invocation).await?;
        if output.ok() { Ok(()) } else { Err(explain::refused(systemd, invocation, &output).into()) }
    }

    async fn run(&self, invocation: &Invocation) -> Result<Output, Trouble> {
        self.runner.run(invocation).await.map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::NotFound;
            let kind = if absent { Kind::NoTool } else { Kind::Failed };
            Trouble { cause: Cause::of_tool(invocation, &error), kind }
        })
    }

    fn of(&self, verb: &str, unit: &UnitName) -> String {
        format!("{verb} {}", self.manager.name_of(unit))
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
