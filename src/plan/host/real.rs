//! The real machine: files by `home::exact` and `home::moving`, units by the driver of the manager, the hub by its own
//! API.
//!
//! An arm here has no decision in it: what is to be done is in the step, and whether it was is asked afterwards.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::downtime::Stopwatch;
use super::{Host, HostError, daemons, files, health as hub, units as unit};
use crate::api::client::Client;
use crate::home::{exact, moving};
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::UnitState;
use crate::plan::commands;
use crate::plan::content::Content;
use crate::plan::journal::saved_dir;
use crate::plan::observed::{Before, Entry};
use crate::plan::plan::Note;
use crate::plan::step::{Key, Step, UNIT_MODE};
use crate::unit::name::UnitName;

/// The real machine.
#[derive(Debug)]
pub struct Machine<R> {
    /// Of the manager that the plan is for; `None`: its plans know no units.
    driver: Option<Driver<R>>,
    /// Where previous bytes are copied to.
    saved: PathBuf,
    /// The way to the hub that the plan installs.
    hub: Client,
    /// Runs from the moment on when daemons were asked to end.
    away: Option<Stopwatch>,
    /// What the last look at a unit saw, until something is done or it is looked at again: nothing serves while a hub is
    /// on its way up, so nothing is asked twice.
    seen: RefCell<Option<(UnitName, UnitState)>>,
}

impl<R: Runner> Machine<R> {
    /// The machine as this manager drives it. `dir` is the directory of the installation, which a
    /// [`Journal`](crate::plan::journal::Journal) holds; `hub` leads to the control socket of the home.
    pub fn new(driver: Driver<R>, dir: &Path, hub: Client) -> Self {
        Self { driver: Some(driver), saved: saved_dir(dir), hub, away: None, seen: RefCell::default() }
    }

    /// The machine for plans that are about files alone: any step about a unit is refused.
    pub fn without_manager(dir: &Path, hub: Client) -> Self {
        Self { driver: None, saved: saved_dir(dir), hub, away: None, seen: RefCell::default() }
    }

    fn driver(&self) -> Result<&Driver<R>, HostError> {
        let none = || HostError::refused("no service manager can be used here", Some("parachute serve"));
        self.driver.as_ref().ok_or_else(none)
    }

    /// Whether a unit runs. What a start has just seen is believed once, and then looked at anew.
    async fn running(&self, unit: &UnitName) -> Result<Before, HostError> {
        let known = self.seen.take().filter(|(seen, state)| seen == unit && state.running().is_true());
        let state = match known {
            Some((_, state)) => state,
            None => self.driver()?.state(unit).await,
        };
        let before = unit::running(unit, &state)?;
        if state.untried {
            self.seen.replace(Some((unit.clone(), state)));
        }
        Ok(before)
    }

    async fn start(&self, unit: &UnitName) -> Result<(), HostError> {
        let seen = self.seen.take().filter(|(seen, _)| seen == unit).map(|(_, state)| state);
        let state = self.driver()?.start_seen(unit, seen.as_ref()).await?;
        self.seen.replace(state.map(|state| (unit.clone(), state)));
        Ok(())
    }

    /// What has a unit's file name, what the manager has read of it, and what runs.
    async fn unit(&self, unit: &UnitName, path: &Path) -> Result<Before, HostError> {
        let driver = self.driver()?;
        let entry = files::entry(path, &self.saved)?;
        let state = driver.state(unit).await;
        unit::unit(&driver.manager, unit, path, entry, &state)
    }

    /// After the file of a unit has changed.
    async fn read_again(&self, unit: &UnitName, path: &Path) -> Result<(), HostError> {
        let driver = self.driver()?;
        driver.reload().await?;
        let state = driver.state(unit).await;
        unit::accepted(&driver.manager, unit, path, &state)
    }
}

impl<R: Runner> Host for Machine<R> {
    async fn observe(&self, step: &Step) -> Result<Before, HostError> {
        Ok(match step {
            Step::MakeDir { path, .. } | Step::RemoveDir { path } => Before::Dir { dir: files::dir(path)? },
            Step::PutFile { path, .. }
            | Step::RemoveFile { path }
            | Step::Restore { path, unit: None, .. } => {
                Before::File { entry: files::entry(path, &self.saved)? }
            }
            Step::PutUnit { unit, path, .. }
            | Step::RemoveUnit { unit, path }
            | Step::Restore { unit: Some(unit), path, .. } => self.unit(unit, path).await?,
            Step::Move { from, to } => Before::Names { at: files::things([from, to])? },
            Step::SetEnabled { unit, .. } => unit::enabled(unit, &self.driver()?.state(unit).await)?,
            Step::SetRunning { unit, .. } => self.running(unit).await?,
            Step::SetLinger { user, .. } => Before::Linger { on: self.driver()?.linger(user).await },
            Step::SetMode { path, .. } => Before::Mode { mode: exact::mode(path)? },
            Step::StopDaemons { daemons, .. } => Before::Daemons { up: daemons::living(daemons)? },
            Step::StartDaemons { daemons } => Before::Daemons { up: daemons::again(daemons)? },
            Step::EndStarted { daemons } => Before::Daemons { up: daemons::started(daemons)? },
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => Before::Nothing,
        })
    }

    async fn keep(&mut self, step: &Step, before: &Before) -> Result<(), HostError> {
        match (step.key(), before.entry().and_then(Entry::saved)) {
            (Some(Key::File(path)), Some((copy, print))) => files::keep(&path, copy, print),
            _ => Ok(()),
        }
    }

    async fn perform(&mut self, step: &Step) -> Result<Vec<Note>, HostError> {
        if !matches!(step, Step::SetRunning { running: true, .. }) {
            self.seen.take();
        }
        match step {
            Step::MakeDir { path, mode } => files::make_dir(path, *mode)?,
            Step::RemoveDir { path } => {
                exact::remove_dir(path)?;
            }
            Step::PutFile { path, mode, content } => files::put(path, *mode, content)?,
            Step::RemoveFile { path } => {
                exact::remove(path)?;
            }
            Step::PutUnit { unit, path, text } => {
                files::put(path, UNIT_MODE, &Content::Text(text.clone()))?;
                self.read_again(unit, path).await?;
            }
            Step::RemoveUnit { path, .. } => {
                exact::remove(path)?;
                self.driver()?.reload().await?;
            }
            Step::Restore { path, was, unit } => {
                files::restore(path, was)?;
                if unit.is_some() {
                    self.driver()?.reload().await?;
                }
            }
            Step::SetMode { path, mode } => exact::set_mode(path, *mode)?,
            Step::Move { from, to } => files::relocate(from, to)?,
            Step::SetEnabled { unit, enabled } => self.driver()?.set_enabled(unit, *enabled).await?,
            Step::SetRunning { unit, running: true } => self.start(unit).await?,
            Step::SetRunning { unit, running: false } => {
                let driver = self.driver()?;
                driver.stop(unit).await?;
                unit::forget_failure(driver, unit).await;
            }
            Step::SetLinger { user, on } => self.driver()?.set_linger(user, *on).await?,
            Step::StopDaemons { daemons, .. } => {
                let begun = daemons::stop(daemons).await?;
                self.away = Some(Stopwatch::start(begun, self.hub.clone()));
            }
            Step::StartDaemons { daemons } => daemons::start(daemons).await?,
            Step::EndStarted { daemons } => daemons::end_started(daemons).await?,
            Step::AwaitPortsFree { ports, within } => daemons::free(ports, *within, &self.hub).await?,
            Step::AwaitReady { modules, within } => {
                hub::ready(&self.hub, modules, *within).await?;
                let away = self.away.take();
                return Ok(away.map_or_else(Vec::new, |away| away.told(modules)));
            }
            Step::AwaitHealthy { within } => return hub::healthy(&self.hub, self.driver()?, *within).await,
            Step::AwaitModules { within } => return hub::modules(&self.hub, *within).await,
        }
        Ok(Vec::new())
    }

    async fn tidy(&mut self, step: &Step) -> Result<(), HostError> {
        match step.key() {
            Some(Key::File(path)) => Ok(exact::sweep(&path)?),
            Some(Key::Names(one, other)) => Ok(moving::tidy(&one, &other)?),
            Some(
                Key::Dir(_)
                | Key::Mode(_)
                | Key::Enabled(_)
                | Key::Running(_)
                | Key::Linger(_)
                | Key::Daemons,
            )
            | None => Ok(()),
        }
    }

    fn by_hand(&self, step: &Step) -> Option<String> {
        commands::by_hand(step, self.driver.as_ref().map(|driver| &driver.manager))
    }
}
