//! The real machine: files through `home::nofollow` and `home::rename`, units through the driver of the service
//! manager, the hub through its API.
//!
//! Nothing is decided here: the step defines what to do, and the result is observed afterwards.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::downtime::Downtime;
use super::{Host, HostError, daemons, files, health, units};
use crate::api::client::Client;
use crate::home::{nofollow, rename};
use crate::manager::driver::Driver;
use crate::manager::invocation::Runner;
use crate::manager::state::UnitState;
use crate::plan::Note;
use crate::plan::commands;
use crate::plan::content::Content;
use crate::plan::journal::saved_dir;
use crate::plan::observed::{Entry, Observed};
use crate::plan::step::{Key, Step, UNIT_MODE};
use crate::unit::name::{Part, UnitName};

/// The real machine.
#[derive(Debug)]
pub struct RealHost<R> {
    /// The driver of the service manager; `None` for plans without units.
    driver: Option<Driver<R>>,
    /// The directory for copies of previous content.
    saved: PathBuf,
    /// The hub that the plan installs.
    hub: Client,
    /// Measures from the time when detached daemons were asked to end.
    downtime: Option<Downtime>,
    /// The last state of a unit, until a step is performed or the unit is observed again: modules are down while the
    /// hub starts, so the manager is not asked twice.
    seen: RefCell<Option<(UnitName, UnitState)>>,
}

impl<R: Runner> RealHost<R> {
    /// The machine with a service manager. `dir` is the directory of the installation, which a
    /// [`Journal`](crate::plan::journal::Journal) holds; `hub` is the client of the control socket of the home.
    pub fn new(driver: Driver<R>, dir: &Path, hub: Client) -> Self {
        Self { driver: Some(driver), saved: saved_dir(dir), hub, downtime: None, seen: RefCell::default() }
    }

    /// The machine for plans that only change files: a step about a unit is refused.
    pub fn without_manager(dir: &Path, hub: Client) -> Self {
        Self { driver: None, saved: saved_dir(dir), hub, downtime: None, seen: RefCell::default() }
    }

    fn driver(&self) -> Result<&Driver<R>, HostError> {
        let none = || HostError::refused("no service manager can be used here", Some("parachute serve"));
        self.driver.as_ref().ok_or_else(none)
    }

    /// Whether a unit runs. The state that a start returned is used once; after that the manager is asked.
    async fn running(&self, unit: &UnitName) -> Result<Observed, HostError> {
        let known = self.seen.take().filter(|(seen, state)| seen == unit && state.running().is_true());
        let state = match known {
            Some((_, state)) => state,
            None => self.driver()?.state(unit).await,
        };
        let service = match unit.part() {
            Part::Socket => Some(self.driver()?.state(&unit.service()).await),
            Part::Service => None,
        };
        let before = units::running(unit, &state, service.as_ref())?;
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

    /// The file of a unit, what the manager has read of it, and whether it runs.
    async fn unit(&self, unit: &UnitName, path: &Path) -> Result<Observed, HostError> {
        let driver = self.driver()?;
        let entry = files::entry(path, &self.saved)?;
        let state = driver.state(unit).await;
        units::unit(&driver.manager, unit, path, entry, &state)
    }

    /// Makes the manager read the file of a unit that has changed.
    async fn reload(&self, unit: &UnitName, path: &Path) -> Result<(), HostError> {
        let driver = self.driver()?;
        driver.reload().await?;
        let state = driver.state(unit).await;
        units::accepted(&driver.manager, unit, path, &state)
    }
}

impl<R: Runner> Host for RealHost<R> {
    async fn observe(&self, step: &Step) -> Result<Observed, HostError> {
        Ok(match step {
            Step::MakeDir { path, .. } | Step::RemoveDir { path } => Observed::Dir { dir: files::dir(path)? },
            Step::PutFile { path, .. }
            | Step::RemoveFile { path }
            | Step::Restore { path, unit: None, .. } => {
                Observed::File { entry: files::entry(path, &self.saved)? }
            }
            Step::PutUnit { unit, path, .. }
            | Step::RemoveUnit { unit, path }
            | Step::Restore { unit: Some(unit), path, .. } => self.unit(unit, path).await?,
            Step::Move { from, to } => Observed::Names { at: files::identities([from, to])? },
            Step::SetEnabled { unit, .. } => units::enabled(unit, &self.driver()?.state(unit).await)?,
            Step::SetRunning { unit, .. } => self.running(unit).await?,
            Step::SetLinger { user, .. } => Observed::Linger { on: self.driver()?.linger(user).await },
            Step::SetMode { path, .. } => Observed::Mode { mode: nofollow::mode(path)? },
            Step::StopDaemons { daemons, .. } => Observed::Daemons { running: daemons::running(daemons)? },
            Step::StartDaemons { daemons } => {
                Observed::Daemons { running: daemons::restarted_and_listening(daemons)? }
            }
            Step::EndStarted { daemons } => Observed::Daemons { running: daemons::restarted(daemons)? },
            Step::AwaitPortsFree { .. }
            | Step::AwaitReady { .. }
            | Step::AwaitHealthy { .. }
            | Step::AwaitModules { .. } => Observed::Nothing,
        })
    }

    async fn keep(&mut self, step: &Step, before: &Observed) -> Result<(), HostError> {
        match (step.key(), before.entry().and_then(Entry::saved)) {
            (Some(Key::File(path)), Some((copy, fingerprint))) => files::keep(&path, copy, fingerprint),
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
                nofollow::remove_dir(path)?;
            }
            Step::PutFile { path, mode, content } => files::put(path, *mode, content)?,
            Step::RemoveFile { path } => {
                nofollow::remove(path)?;
            }
            Step::PutUnit { unit, path, text } => {
                files::put(path, UNIT_MODE, &Content::Text(text.clone()))?;
                self.reload(unit, path).await?;
            }
            Step::RemoveUnit { path, .. } => {
                nofollow::remove(path)?;
                self.driver()?.reload().await?;
            }
            Step::Restore { path, was, unit } => {
                files::restore(path, was)?;
                if unit.is_some() {
                    self.driver()?.reload().await?;
                }
            }
            Step::SetMode { path, mode } => nofollow::set_mode(path, *mode)?,
            Step::Move { from, to } => files::relocate(from, to)?,
            Step::SetEnabled { unit, enabled } => self.driver()?.set_enabled(unit, *enabled).await?,
            Step::SetRunning { unit, running: true } => self.start(unit).await?,
            Step::SetRunning { unit, running: false } => {
                let driver = self.driver()?;
                driver.stop(unit).await?;
                units::forget_failure(driver, unit).await;
            }
            Step::SetLinger { user, on } => self.driver()?.set_linger(user, *on).await?,
            Step::StopDaemons { daemons, .. } => {
                let begun = daemons::stop(daemons).await?;
                self.downtime = Some(Downtime::measure(begun, self.hub.clone()));
            }
            Step::StartDaemons { daemons } => daemons::start(daemons).await?,
            Step::EndStarted { daemons } => daemons::end_restarted(daemons).await?,
            Step::AwaitPortsFree { ports, within } => {
                daemons::await_ports_free(ports, *within, &self.hub).await?
            }
            Step::AwaitReady { modules, within } => {
                health::await_ready(&self.hub, modules, *within).await?;
                let downtime = self.downtime.take();
                return Ok(downtime.map_or_else(Vec::new, |downtime| downtime.notes(modules)));
            }
            Step::AwaitHealthy { within } => {
                return health::await_hub(&self.hub, self.driver()?, *within).await;
            }
            Step::AwaitModules { within } => return health::await_modules(&self.hub, *within).await,
        }
        Ok(Vec::new())
    }

    async fn tidy(&mut self, step: &Step) -> Result<(), HostError> {
        match step.key() {
            Some(Key::File(path)) => Ok(nofollow::sweep(&path)?),
            Some(Key::Names(one, other)) => Ok(rename::tidy(&one, &other)?),
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
